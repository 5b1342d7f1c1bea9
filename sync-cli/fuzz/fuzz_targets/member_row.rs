//! One member, typed and as a row of a source.

#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;
use sync_core::Keyed;
use sync_fuzz::{assert_member_survives, means_something_else};
use sync_mailchimp::MemberRow;

fuzz_target!(|json: &[u8]| {
    assert_member_survives(json);

    let row = MemberRow::from_json(&Arc::from("a1b2c3d4e5"), Bytes::copy_from_slice(json));
    if let Some(row) = &row {
        // Sinks write it as it is, one to a line.
        assert!(serde_json::from_slice::<&RawValue>(row.raw()).is_ok());
        assert!(!row.raw().contains(&b'\n') && !row.raw().contains(&b'\r'));
    }
    if means_something_else(json) {
        return;
    }
    let Ok(Value::Object(value)) = serde_json::from_slice(json) else {
        return;
    };
    let text = |name| {
        value
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let Some(row) = row else {
        assert_eq!(text("contact_id").or(text("id")), None);
        return;
    };
    assert_eq!(Some(row.key().as_str()), text("contact_id").or(text("id")));
    assert_eq!(row.id(), text("id"));
    assert_eq!(row.is_archived(), text("status") == Some("archived"));
    assert_eq!(
        serde_json::from_slice::<Value>(row.raw()).ok(),
        Some(Value::Object(value))
    );
});
