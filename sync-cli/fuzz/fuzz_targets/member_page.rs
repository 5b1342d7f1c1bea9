//! Pages of members, raw and typed, whole and in pieces.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mailchimp_client::{Error, ListMembers, Member, RawPage, Result};
use serde_json::Value;
use serde_json::value::RawValue;
use sync_fuzz::{
    Answer, Answering, assert_member_survives, assert_silent, mailchimp, means_something_else, run,
};

fn read(body: &Bytes, piece: usize, limit: usize) -> Result<RawPage> {
    let transport = Answering::always(Answer::new(200, body.clone()).in_pieces(piece));
    let client = mailchimp(transport).body_limit(limit as u64).build()?;
    run(client.list("a").members().list_raw(&ListMembers::default()))
}

/// Rows and total against a plain reading of the same body.
fn assert_complete(body: &[u8], page: &Result<RawPage>) {
    if means_something_else(body) {
        return;
    }
    let Ok(Value::Object(envelope)) = serde_json::from_slice(body) else {
        return;
    };
    let named = body
        .windows(9)
        .filter(|window| window == b"\"members\"")
        .count();
    let Some(Value::Array(members)) = envelope.get("members") else {
        assert!(page.is_err(), "a page without members was taken");
        return;
    };
    if !members.iter().all(Value::is_object) {
        assert!(page.is_err(), "a member that is no object was taken");
        return;
    }
    let Ok(page) = page else {
        // A name that stands twice may have stood for something else the first time.
        assert!(named > 1, "a good page was refused");
        return;
    };
    let rows: Vec<Value> = page
        .rows
        .iter()
        .map(|row| serde_json::from_slice(row).expect("a row is part of the body"))
        .collect();
    assert_eq!(&rows, members);
    assert_eq!(
        page.total_items,
        envelope.get("total_items").and_then(Value::as_u64)
    );
}

fuzz_target!(|body: &[u8]| {
    let body = Bytes::copy_from_slice(body);
    let limit = body.len().max(1);
    let page = read(&body, 0, limit);
    match (&page, read(&body, 3, limit)) {
        (Ok(whole), Ok(pieces)) => assert!(*whole == pieces),
        (Err(whole), Err(pieces)) => assert_eq!(whole.to_string(), pieces.to_string()),
        _ => panic!("the same body is read differently in pieces"),
    }
    if body.len() > 1 {
        let short = read(&body, 3, limit - 1);
        assert!(matches!(short, Err(Error::TooLarge(error)) if error.limit == limit as u64 - 1));
    }
    assert_complete(&body, &page);

    let client = mailchimp(Answering::always(Answer::new(200, body)))
        .build()
        .expect("a client");
    let typed = run(client.list("a").members().list(&ListMembers::default()));
    let rows = match &page {
        Ok(page) => page.rows.as_slice(),
        Err(error) => {
            assert_silent(error);
            assert!(typed.is_err());
            return;
        }
    };
    for row in rows {
        assert!(row.starts_with(b"{") && row.ends_with(b"}"));
        assert!(serde_json::from_slice::<&RawValue>(row).is_ok());
        assert_member_survives(row);
    }
    match typed {
        Ok(typed) => assert_eq!(typed.value.items.len(), rows.len()),
        Err(error) => {
            assert_silent(&error);
            let is_bad = |row: &Bytes| serde_json::from_slice::<Member>(row).is_err();
            // An envelope keeps what stands beside the rows, which a raw page does not look at.
            assert!(
                rows.iter().any(is_bad)
                    || serde_json::from_slice::<Value>(&page_body(&client)).is_err()
            );
        }
    }
});

/// The body once more, as the transport gives it.
fn page_body(client: &mailchimp_client::Client) -> Bytes {
    let path = mailchimp_client::Path::new("/ping", &[]).expect("a path");
    run(client.get_bytes(&path, &mailchimp_client::Query::new()))
        .expect("a body")
        .into_value()
}
