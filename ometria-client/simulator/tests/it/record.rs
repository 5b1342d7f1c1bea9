use http::header::{CONTENT_TYPE, SERVER};
use loopback::{Outcome, Simulator};
use ometria_simulator::{ErrorBody, Fault, FaultRule, KeyHeader, ReplyVariant, When};
use serde_json::{Value, json};

use crate::account::{Account, KEY, post};

fn row(id: &str) -> Value {
    json!({"id": id, "firstname": "Ann", "lastname": "", "email": "a@x.example",
        "status": "subscribed"})
}

#[test]
fn the_newer_reply_is_the_captured_one_byte_for_byte() {
    let answer = Account::new().record(&json!([row("1")]).to_string());
    assert_eq!(answer.status, 201);
    assert_eq!(&answer.body[..], br#"{"status": "Ok", "response": 1}"#);
    assert_eq!(answer.body.len(), 31);
    assert_eq!(
        answer.headers[CONTENT_TYPE],
        r#"application/json; charset="utf-8""#
    );
    assert_eq!(answer.headers[SERVER], "TornadoServer/6.1");
}

#[test]
fn the_older_reply_has_content() {
    let account = Account::with(|settings| settings.record.variant = ReplyVariant::A);
    let answer = account.record(&json!([row("1"), row("2")]).to_string());
    assert_eq!(
        (answer.status, answer.json()),
        (201, json!({"content": 2, "status": "OK"}))
    );
}

#[test]
fn rows_are_upserts_and_an_empty_array_is_fine() {
    let account = Account::new();
    assert_eq!(account.record("[]").json()["response"], 0);
    account.record(&json!([row("1")]).to_string());
    let mut again = row("1");
    again["status"] = "archived".into();
    account.record(&json!([again]).to_string());
    assert_eq!(account.simulator.row_count(), 1);
    assert_eq!(account.simulator.row("1").unwrap()["status"], "archived");
    assert_eq!(account.simulator.stats().rows, 2);
}

#[test]
fn anything_but_an_array_of_five_strings_is_refused_and_counted() {
    let account = Account::new();
    let mut without = row("1");
    without.as_object_mut().unwrap().remove("status");
    let mut with = row("1");
    with["extra"] = "x".into();
    let mut number = row("1");
    number["firstname"] = 1.into();
    let wrapped = json!({"data": json!([row("1")]).to_string()});
    for bad in [
        json!([without]),
        json!([with]),
        json!([number]),
        json!([row("")]),
        wrapped,
        json!(1),
    ] {
        assert_eq!(account.record(&bad.to_string()).status, 400, "{bad}");
    }
    assert_eq!(account.record("not json").status, 400);
    assert_eq!(account.simulator.stats().nonconforming, 7);
    assert_eq!(account.simulator.row_count(), 0);
}

#[test]
fn the_tolerant_endpoint_takes_quirks_and_still_counts_them() {
    let account = Account::with(|settings| settings.record.tolerant = true);
    let wrapped = json!({"data": json!([{"id": "1"}, {"id": "2"}]).to_string()});
    assert_eq!(account.record(&wrapped.to_string()).json()["response"], 2);
    assert_eq!(account.simulator.stats().nonconforming, 1);
}

#[test]
fn four_fields_are_right_only_under_their_switch() {
    let mut four = row("1");
    four.as_object_mut().unwrap().remove("status");
    let account = Account::with(|settings| settings.record.four_fields = true);
    assert_eq!(account.record(&json!([four]).to_string()).status, 201);
    assert_eq!(account.record(&json!([row("1")]).to_string()).status, 400);
}

#[test]
fn the_key_and_the_spelling_of_its_header_are_checked() {
    for (key_header, british) in [
        (KeyHeader::Authorization, 401),
        (KeyHeader::EitherSpelling, 201),
    ] {
        let account = Account::with(|settings| settings.record.key_header = key_header);
        let status = |header, key| {
            let reply = account
                .simulator
                .handle(post("/record", header, key, "[]".to_owned()));
            let Outcome::Response(response) = reply.outcome else {
                panic!("no answer")
            };
            response.status().as_u16()
        };
        assert_eq!(status("Authorization", KEY), 201);
        assert_eq!(status("Authorization", "other"), 401);
        assert_eq!(status("Authorisation", KEY), british);
    }
}

#[test]
fn errors_come_in_the_chosen_form() {
    for (form, expected) in [
        (ErrorBody::Text, Some(b'u')),
        (ErrorBody::Html, Some(b'<')),
        (ErrorBody::Json, Some(b'{')),
        (ErrorBody::Empty, None),
    ] {
        let account = Account::with(|settings| {
            settings.record.error_body = form;
            settings.record.unauthorized_status = 403;
            settings.record_key = "another".into();
        });
        let answer = account.record("[]");
        assert_eq!(
            (answer.status, answer.body.first().copied()),
            (403, expected)
        );
    }
}

#[test]
fn a_cap_and_a_rate_can_be_set() {
    let account = Account::with(|settings| {
        settings.record.cap = Some(1);
        settings.record.rate = Some(2);
    });
    assert_eq!(
        account
            .record(&json!([row("1"), row("2")]).to_string())
            .status,
        413
    );
    assert_eq!(account.record(&json!([row("1")]).to_string()).status, 201);
    assert_eq!(account.record("[]").status, 429);
}

#[test]
fn the_count_can_fall_short_of_what_was_taken() {
    let account = Account::new();
    account
        .simulator
        .inject(FaultRule::new(Fault::CountShort(1), When::Nth(1)).on("/record"));
    let body = json!([row("1"), row("2")]).to_string();
    assert_eq!(account.record(&body).json()["response"], 1);
    assert_eq!(account.simulator.row_count(), 2);
    assert_eq!(account.record(&body).json()["response"], 2);
}
