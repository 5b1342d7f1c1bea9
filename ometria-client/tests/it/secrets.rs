//! Nothing that describes itself shows the key, an address or a body.

use std::error::Error as _;
use std::fmt::Debug;

use ometria_client::{
    Client, Contact, CustomEvent, ListProfiles, NewDataDeletion, Order, Record, RecordRow,
    RetryPolicy, SmsCollection, SmsConsent, TransportErrorKind,
};
use serde_json::{Map, json};

use crate::transports::{Act, KEY, Script, answer, builder, key, record_builder};

const ADDRESS: &str = "hidden@x.example";
const PHONE: &str = "+441632960001";

fn assert_silent(shown: &str) {
    for secret in [KEY, "hidden", PHONE, "Secretname"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

fn debug(value: &impl Debug) {
    assert_silent(&format!("{value:?} {value:#?}"));
}

fn contact() -> Contact {
    Contact::new("c", "1")
        .email(ADDRESS)
        .phone_number(PHONE)
        .firstname("Secretname")
}

#[test]
fn records_and_rows() {
    debug(&contact());
    debug(&Record::from(contact()));
    let at = "2024-01-02T03:04:05Z".parse().unwrap();
    debug(&SmsConsent::new(
        SmsCollection::AskToConfirm,
        "1",
        PHONE,
        true,
        at,
    ));
    let fields = Map::from_iter([("email".to_owned(), ADDRESS.into())]);
    debug(&Record::from(Order {
        id: "1".into(),
        fields: fields.clone(),
    }));
    debug(&CustomEvent {
        id: "1".into(),
        event_type: "visit".into(),
        timestamp: at,
        identity_email: ADDRESS.into(),
        properties: fields,
    });
    debug(&RecordRow {
        id: "1".into(),
        firstname: "Secretname".into(),
        lastname: String::new(),
        email: ADDRESS.into(),
        status: "subscribed".into(),
    });
    debug(&NewDataDeletion {
        email: ADDRESS.into(),
        comment: Some(ADDRESS.into()),
    });
}

#[tokio::test(start_paused = true)]
async fn clients_answers_and_errors() {
    debug(&key());
    debug(&Client::builder(key()));
    let body = json!({"message": ADDRESS, "status": ADDRESS, "rejected_items": [ADDRESS],
        "email": ADDRESS, "request_id": ADDRESS});
    let objects = json!([body, {"error_message": ADDRESS, "record": {"email": ADDRESS}}]);
    for act in [
        answer(200, &body.to_string()),
        answer(200, &objects.to_string()),
        answer(200, ADDRESS),
        answer(400, &body.to_string()),
        answer(404, &body.to_string()),
        answer(500, ADDRESS),
        Act::Fail(TransportErrorKind::Interrupted),
        Act::Hang,
    ] {
        let script = Script::new([act]);
        let client = builder(script.clone())
            .retry(RetryPolicy::never())
            .build()
            .unwrap();
        debug(&client);
        debug(&client.push_records(vec![contact().into()]).await);
        debug(&client.push_errors().await);
        debug(&client.profile_by_email(ADDRESS).await);
        let error = client.profiles(&ListProfiles::default()).await.err();
        if let Some(error) = error {
            assert_silent(&error.to_string());
            assert_silent(&error.source().map(ToString::to_string).unwrap_or_default());
        }
        let records = record_builder(script)
            .retry(RetryPolicy::never())
            .build()
            .unwrap();
        debug(&records);
        debug(&records.send(&[]).await);
    }
}

#[tokio::test]
async fn a_real_connection_error_does_not_show_the_address_in_the_query() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v2", closed.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(closed);
    let client = Client::builder(key())
        .base_url(url)
        .retry(RetryPolicy::never())
        .build()
        .unwrap();
    let error = client.profile_by_email(ADDRESS).await.unwrap_err();
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(shown) = cause {
        assert_silent(&format!("{shown} {shown:?}"));
        cause = shown.source();
    }
}
