//! What holds of every row that is read as a member.

use mailchimp_client::{Member, Timestamp};
use serde_json::Value;

/// Whether `serde_json` reads this otherwise than as the JSON it is: one name is its own.
pub fn means_something_else(json: &[u8]) -> bool {
    const NAME: &[u8] = b"$serde_json";
    // Escaped, the name would have a backslash instead.
    json.windows(NAME.len()).any(|window| window == NAME) || json.contains(&b'\\')
}

/// Panics unless a row that is read as a member is written as it was read, times in the API's own form.
pub fn assert_member_survives(row: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(row) else {
        assert!(serde_json::from_slice::<Member>(row).is_err());
        return;
    };
    if !value.is_object() {
        return;
    }
    // From a value, as only there each name stands once: a text may name a member twice.
    let member = read(&value);
    let written = serde_json::to_value(&member).expect("a member can be written");
    assert!(is_same(&value, &written), "{value} became {written}");
    assert!(member == read(&written));
    if let Ok(from_text) = serde_json::from_slice::<Member>(row) {
        assert!(from_text == member);
    }
    let listed = member.tags.value().map_or(0, Vec::len) as u64;
    assert_eq!(
        member.has_more_tags(),
        member
            .tags_count
            .value()
            .is_some_and(|&count| count > listed)
    );
    let shown = format!("{member:?}");
    assert!(!shown.contains('@'), "a member is quoted: {shown}");
}

/// Any object is a member.
fn read(value: &Value) -> Member {
    serde_json::from_value(value.clone()).expect("any object is a member")
}

/// Equal, but for the spelling of times.
fn is_same(read: &Value, written: &Value) -> bool {
    match (read, written) {
        (Value::String(read), Value::String(written)) => {
            read == written
                || Timestamp::parse(read)
                    .is_some_and(|time| Timestamp::parse(written) == Some(time))
        }
        (Value::Array(read), Value::Array(written)) => {
            read.len() == written.len()
                && read
                    .iter()
                    .zip(written)
                    .all(|(read, written)| is_same(read, written))
        }
        (Value::Object(read), Value::Object(written)) => {
            read.len() == written.len()
                && read.iter().all(|(name, value)| {
                    written
                        .get(name)
                        .is_some_and(|written| is_same(value, written))
                })
        }
        (read, written) => read == written,
    }
}
