//! What errors say, and what they keep to themselves.

use std::error::Error as _;
use std::fmt::Write as _;

use mailchimp_client::{
    Error, FieldSelection, GetList, ListMembers, RetryPolicy, TransportErrorKind,
};

use crate::script::{Chunk, Reply, SECRET, Script};

const ADDRESS: &str = "ann@corp.invalid";

/// Everything an error shows, down its chain of sources.
fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, " {cause} {cause:?}").unwrap();
        source = cause.source();
    }
    text
}

async fn failure(script: &Script) -> Error {
    let client = script
        .builder()
        .retry(RetryPolicy::never())
        .build()
        .unwrap();
    client
        .list("57afe96172")
        .get(&GetList::default())
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_problem_document_is_read_but_its_details_are_not_shown() {
    let script = Script::new(|_, _| {
        let body = format!(
            r#"{{"type":"t","title":"Invalid Resource","status":400,
                 "detail":"{ADDRESS} is already a list member","instance":"995c5cb0",
                 "errors":[{{"field":"","message":"{ADDRESS} looks fake"}}]}}"#
        );
        Reply::json(400, body).header("x-request-id", "995c5cb0")
    });
    let error = failure(&script).await;
    assert_eq!(
        error.to_string(),
        "GET /lists/{list_id} answered 400 Invalid Resource (request id 995c5cb0)"
    );
    assert!(!shown(&error).contains(ADDRESS), "{}", shown(&error));
    assert!(!shown(&error).contains("57afe96172"), "{}", shown(&error));
    let problem = error.problem().unwrap();
    assert_eq!(
        problem.detail(),
        Some(format!("{ADDRESS} is already a list member").as_str())
    );
    assert_eq!(problem.errors()[0].message, format!("{ADDRESS} looks fake"));
    assert_eq!(error.request_id(), Some("995c5cb0"));
    assert!(!error.retries_spent() && !error.may_have_been_sent());
}

#[tokio::test]
async fn a_title_or_request_id_that_is_no_plain_phrase_is_not_shown() {
    let script = Script::new(|_, _| {
        Reply::problem(404, ADDRESS, "").header("x-request-id", format!("<{ADDRESS}>"))
    });
    let error = failure(&script).await;
    assert_eq!(
        error.to_string(),
        "GET /lists/{list_id} answered 404 (request id 995c5cb0-3280-4a6e-808b-3b096d0bb219)",
        "the document's own id stands in"
    );
    assert!(!shown(&error).contains(ADDRESS), "{}", shown(&error));
    assert!(error.is_not_found());
    assert_eq!(error.problem().unwrap().title(), ADDRESS);
}

#[tokio::test]
async fn what_is_sent_in_place_of_an_id_is_nowhere() {
    let instance = format!("x-{ADDRESS}");
    let body = serde_json::json!({ "title": "Forbidden", "status": 403, "instance": instance })
        .to_string();
    for reply in [
        Reply::json(403, body.clone()),
        Reply::json(403, body).header("x-request-id", ADDRESS),
        Reply::json(200, "[]").header("x-request-id", ADDRESS),
    ] {
        let reply = std::sync::Mutex::new(Some(reply));
        let script = Script::new(move |_, _| reply.lock().unwrap().take().unwrap());
        let error = failure(&script).await;
        assert_eq!(error.request_id(), None);
        assert!(!shown(&error).contains(ADDRESS), "{}", shown(&error));
    }
    let script = Script::new(|_, _| Reply::json(200, "{}").header("x-request-id", ADDRESS));
    let fetched = script.client().ping().await.unwrap();
    assert!(!format!("{fetched:?}").contains(ADDRESS));
}

#[tokio::test]
async fn the_instance_stands_in_for_a_missing_request_id() {
    let script = Script::new(|_, _| Reply::problem(404, "Resource Not Found", ""));
    let error = failure(&script).await;
    assert_eq!(
        error.request_id(),
        Some("995c5cb0-3280-4a6e-808b-3b096d0bb219")
    );
}

#[tokio::test]
async fn statuses_are_told_apart_by_what_a_caller_can_do() {
    type Facts = (bool, bool, bool, bool);
    let facts = |error: &Error| -> Facts {
        (
            error.is_throttle(),
            error.is_timeout_or_server(),
            error.is_not_found(),
            error.is_unauthorized(),
        )
    };
    let table: [(fn() -> Reply, Facts); 10] = [
        (
            || Reply::problem(401, "API Key Invalid", ""),
            (false, false, false, true),
        ),
        (
            || Reply::problem(403, "Forbidden", ""),
            (false, false, false, false),
        ),
        (|| Reply::html(403), (true, false, false, false)),
        (|| Reply::bytes(""), (false, false, false, false)),
        (
            || Reply::problem(404, "Resource Not Found", ""),
            (false, false, true, false),
        ),
        (
            || Reply::problem(429, "Too Many Requests", ""),
            (true, false, false, false),
        ),
        (|| Reply::html(429), (true, false, false, false)),
        (|| Reply::html(502), (false, true, false, false)),
        (
            || Reply::problem(500, "Internal Server Error", ""),
            (false, true, false, false),
        ),
        (
            || Reply::Fail(TransportErrorKind::Timeout),
            (false, true, false, false),
        ),
    ];
    for (reply, expected) in table {
        let script = Script::new(move |_, _| reply());
        let error = failure(&script).await;
        assert_eq!(facts(&error), expected, "{error}");
    }
}

#[tokio::test]
async fn a_gateways_own_json_is_no_problem_document() {
    let script = Script::new(|_, _| Reply::json(403, r#"{"message":"Forbidden"}"#));
    assert!(failure(&script).await.is_throttle());
    let script = Script::new(|_, _| Reply::json(403, r#"{"title":"Forbidden"}"#));
    assert!(failure(&script).await.is_throttle());
}

#[tokio::test]
async fn one_odd_member_does_not_undo_a_problem_document() {
    for member in [
        r#""status":403,"errors":null"#,
        r#""status":403,"errors":[{"field":7}]"#,
        r#""status":"403""#,
        r#""detail":"""#,
        r#""type":{}"#,
    ] {
        let body = format!(r#"{{"title":"Forbidden","instance":"",{member},"x":[]}}"#);
        let script = Script::new(move |_, _| Reply::json(403, body.clone()));
        let error = failure(&script).await;
        assert!(
            error.problem().is_some() && !error.is_throttle(),
            "{member}"
        );
        assert_eq!(error.request_id(), None);
    }
}

#[tokio::test]
async fn an_error_body_that_breaks_off_or_never_ends_leaves_its_status() {
    let broken = Script::new(|_, _| Reply::Answer {
        status: 502,
        headers: vec![],
        chunks: vec![Chunk::Data("{\"ti".into()), Chunk::Break],
    });
    assert_eq!(failure(&broken).await.status(), Some(502));
    let endless = Script::new(|_, _| Reply::Answer {
        status: 403,
        headers: vec![],
        chunks: vec![Chunk::Endless(vec![b'x'; 10_000].into())],
    });
    assert_eq!(failure(&endless).await.status(), Some(403));
}

#[tokio::test]
async fn a_decode_error_names_the_place_and_not_the_value() {
    let script = Script::new(|_, _| {
        Reply::json(
            200,
            format!(r#"{{"members":[{{}},"{ADDRESS}"],"total_items":2}}"#),
        )
    });
    let members = script.client().list("a").members();
    let error = members.list(&ListMembers::default()).await.unwrap_err();
    assert!(error.to_string().contains("members[1]"), "{error}");
    assert!(!shown(&error).contains(ADDRESS));

    let script = Script::new(|_, _| Reply::json(200, format!(r#"["{ADDRESS}"]"#)));
    let error = script.client().ping().await.unwrap_err();
    assert!(matches!(error, Error::Decode(_)));
    assert!(!shown(&error).contains(ADDRESS));
}

#[tokio::test]
async fn a_truncated_document_is_told_from_a_wrong_one() {
    for (body, word) in [
        ("{\"id\":", "ends early"),
        ("", "ends early"),
        ("{]", "not valid"),
        ("7", "another kind"),
    ] {
        let script = Script::new(move |_, _| Reply::json(200, body));
        let error = failure(&script).await;
        assert!(error.to_string().contains(word), "{body:?}: {error}");
    }
}

#[tokio::test]
async fn no_error_shows_the_credential_or_an_address_in_a_path() {
    let replies: [fn() -> Reply; 5] = [
        || Reply::problem(400, "Bad Request", ADDRESS),
        || Reply::html(500),
        || Reply::Fail(TransportErrorKind::Connect),
        || Reply::Fail(TransportErrorKind::Reset),
        || Reply::json(200, format!("[\"{ADDRESS}\"]")),
    ];
    for reply in replies {
        let script = Script::new(move |_, _| reply());
        let client = script
            .builder()
            .retry(RetryPolicy::never())
            .build()
            .unwrap();
        let members = client.list("a").members();
        let error = members
            .get(ADDRESS, &FieldSelection::default())
            .await
            .unwrap_err();
        let text = shown(&error);
        assert!(!text.contains(SECRET) && !text.contains("ann"), "{text}");
    }
}

#[tokio::test]
async fn requests_that_cannot_be_made_reach_no_server() {
    let script = Script::new(|_, _| Reply::json(200, "{}"));
    let client = script.client();
    let both = ListMembers {
        fields: vec!["members.id".into()],
        exclude_fields: vec!["_links".into()],
        ..ListMembers::default()
    };
    let refusals = [
        client.list("").get(&GetList::default()).await.err(),
        client.list("a/../b").get(&GetList::default()).await.err(),
        client.list("..").get(&GetList::default()).await.err(),
        client
            .list("a")
            .members()
            .get("", &FieldSelection::default())
            .await
            .err(),
        client.list("a").members().list(&both).await.err(),
        client.batches().create(&[]).await.err(),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Some(Error::Request(_))), "{refusal:?}");
    }
    assert!(script.seen().is_empty());
}

#[tokio::test]
async fn a_refused_connection_is_known_not_to_have_been_sent() {
    // A port that was just free, so that nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = mailchimp_client::Client::builder(crate::script::key())
        .base_url(format!("http://{address}").parse().unwrap())
        .retry(RetryPolicy::never())
        .build()
        .unwrap();
    let members = client.list("a").members();
    let error = members
        .get(ADDRESS, &FieldSelection::default())
        .await
        .unwrap_err();
    assert!(!error.may_have_been_sent());
    let text = shown(&error);
    assert!(
        !text.contains(SECRET) && !text.contains("/lists/a"),
        "{text}"
    );
}
