//! What goes over the wire, against scripted answers: what the server for real SQL cannot be made to say.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use secrecy::SecretString;
use serde_json::{Value, json};
use sync_core::{ErrorKind, JsonRecord, Key, Readback, Retry, Sink, Stream};
use sync_snowflake::{
    Credential, SnowflakeReadback, SnowflakeSettings, SnowflakeSink, SnowflakeWarehouse,
};
use sync_testkit::ManualClock;
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::fake::{self, record};

/// Answers statements by a function of their text, and keeps what arrived.
struct Scripted {
    server: MockServer,
    statements: Arc<Mutex<Vec<Value>>>,
}

struct Statements<F> {
    answer: F,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl<F: Fn(&Value) -> ResponseTemplate + Send + Sync> Respond for Statements<F> {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body = body_of(request);
        let answer = (self.answer)(&body);
        self.seen.lock().unwrap().push(body);
        answer
    }
}

fn body_of(request: &Request) -> Value {
    let mut body = String::new();
    GzDecoder::new(&request.body[..])
        .read_to_string(&mut body)
        .unwrap();
    serde_json::from_str(&body).unwrap()
}

fn says(answer: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(answer)
}

fn rows(rows: &Value) -> ResponseTemplate {
    says(&json!({"success": true, "code": null, "data": {
        "queryId": "01a", "queryResultFormat": "json", "rowset": rows,
    }}))
}

fn refused(code: &str, state: &str) -> ResponseTemplate {
    says(&json!({
        "success": false, "code": code, "message": "Numeric value 'ada@example.com' is not recognized",
        "data": {"sqlState": state, "queryId": "01b2-c3", "errorCode": code},
    }))
}

impl Scripted {
    /// A table of members with one column, and `answer` for every statement that asks no catalogue, counted from 0.
    async fn start(
        answer: impl Fn(usize, &Value) -> ResponseTemplate + Send + Sync + 'static,
    ) -> Self {
        let server = MockServer::start().await;
        let login =
            json!({"success": true, "data": {"token": "session-1", "masterToken": "master-1"}});
        Mock::given(path("/session/v1/login-request"))
            .respond_with(says(&login))
            .mount(&server)
            .await;
        let statements = Arc::new(Mutex::new(Vec::new()));
        let count = AtomicUsize::new(0);
        let answer = move |statement: &Value| {
            let sql = statement["sqlText"].as_str().unwrap();
            if sql.contains("INFORMATION_SCHEMA.COLUMNS") {
                return rows(&json!([
                    ["_KEY", "TEXT", null],
                    ["_RAW", "VARIANT", null],
                    ["_FINGERPRINT", "TEXT", null],
                    ["_SYNCED_AT", "TIMESTAMP_TZ", null],
                    ["_DELETED_AT", "TIMESTAMP_TZ", null],
                    ["N", "NUMBER", "0"]
                ]));
            }
            if sql.contains("INFORMATION_SCHEMA.SCHEMATA") {
                return rows(&json!([["MAILCHIMP"]]));
            }
            answer(count.fetch_add(1, Ordering::Relaxed), statement)
        };
        Mock::given(path("/queries/v1/query-request"))
            .respond_with(Statements {
                answer,
                seen: statements.clone(),
            })
            .mount(&server)
            .await;
        Self { server, statements }
    }

    fn settings(&self) -> SnowflakeSettings {
        let mut settings = SnowflakeSettings::new("my_org-acc.eu", "Loader", "analytics");
        settings.url = self.server.uri().parse().ok();
        settings
    }

    fn sink(&self) -> SnowflakeSink {
        fake::sink(&self.settings())
    }

    fn readback(&self) -> SnowflakeReadback {
        fake::warehouse(&self.settings()).readback()
    }

    /// Text and bound value of the statements that begin like this.
    fn statements(&self, beginning: &str) -> Vec<(String, String)> {
        let statements = self.statements.lock().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        statements
            .iter()
            .map(|body| {
                (
                    text(&body["sqlText"]),
                    text(&body["bindings"]["1"]["value"]),
                )
            })
            .filter(|(sql, _)| sql.starts_with(beginning))
            .collect()
    }

    async fn logins(&self) -> Vec<(String, Value)> {
        let requests = self.server.received_requests().await.unwrap();
        requests
            .iter()
            .filter(|request| request.url.path() == "/session/v1/login-request")
            .map(|request| {
                let query = request.url.query().unwrap_or_default();
                let (_, names) = query.split_once('&').unwrap_or_default();
                (names.to_owned(), body_of(request)["data"].take())
            })
            .collect()
    }
}

fn members() -> Arc<Stream> {
    Arc::new(Stream::new("members"))
}

fn member(key: &str, n: u32) -> JsonRecord {
    record(&members(), key, &json!({ "n": n }))
}

fn done() -> ResponseTemplate {
    rows(&json!([["1", "0"]]))
}

#[tokio::test]
async fn a_login_names_everything_and_sets_the_session() {
    let scripted = Scripted::start(|_, _| done()).await;
    let mut settings = scripted.settings();
    settings.warehouse = Some("load_wh".into());
    settings.role = Some("\"Loader role\"".into());
    settings.query_tag = "import 57afe96172".into();
    fake::sink(&settings).check().await.unwrap();
    let logins = scripted.logins().await;
    assert_eq!(logins.len(), 1);
    let (names, data) = &logins[0];
    assert_eq!(
        names,
        "databaseName=ANALYTICS&schemaName=MAILCHIMP&warehouse=LOAD_WH&roleName=%22Loader+role%22"
    );
    assert_eq!(data["LOGIN_NAME"], "Loader");
    assert_eq!(data["PASSWORD"], "hush");
    assert_eq!(data["SESSION_PARAMETERS"]["QUERY_TAG"], "import 57afe96172");
    assert_eq!(data["SESSION_PARAMETERS"]["TIMEZONE"], "UTC");
    assert_eq!(data["SESSION_PARAMETERS"]["AUTOCOMMIT"], true);
}

#[tokio::test]
async fn an_access_token_goes_as_one() {
    let scripted = Scripted::start(|_, _| done()).await;
    let token = Credential::AccessToken(SecretString::from("pat"));
    let clock = Arc::new(ManualClock::at_seconds(1_772_366_400));
    let warehouse = SnowflakeWarehouse::new(scripted.settings(), token, clock).unwrap();
    warehouse.sink().check().await.unwrap();
    let (_, data) = &scripted.logins().await[0];
    assert_eq!(data["AUTHENTICATOR"], "PROGRAMMATIC_ACCESS_TOKEN");
    assert_eq!(data["TOKEN"], "pat");
    assert!(data.get("PASSWORD").is_none());
}

#[tokio::test]
async fn a_token_that_is_too_old_is_renewed_and_the_statement_repeated() {
    let scripted = Scripted::start(|n, _| match n {
        0 => says(&json!({"success": false, "code": "390112", "data": null})),
        _ => done(),
    })
    .await;
    let renewed =
        json!({"success": true, "data": {"sessionToken": "session-2", "masterToken": "master-2"}});
    Mock::given(path("/session/token-request"))
        .respond_with(says(&renewed))
        .mount(&scripted.server)
        .await;
    let mut sink = scripted.sink();
    sink.write(vec![member("a", 1)]).await.unwrap();
    sink.flush().await.unwrap();
    let requests = scripted.server.received_requests().await.unwrap();
    let tokens: Vec<&str> = requests
        .iter()
        .filter(|request| request.url.path() != "/session/v1/login-request")
        .map(|request| request.headers["authorization"].to_str().unwrap())
        .collect();
    assert_eq!(
        tokens,
        [
            "Snowflake Token=\"session-1\"",
            "Snowflake Token=\"session-1\"",
            "Snowflake Token=\"master-1\"",
            "Snowflake Token=\"session-2\""
        ]
    );
    assert_eq!(scripted.logins().await.len(), 1);
}

#[tokio::test]
async fn sessions_that_end_at_once_are_an_error_in_the_end() {
    let scripted =
        Scripted::start(|_, _| says(&json!({"success": false, "code": "390111", "data": null})))
            .await;
    let mut sink = scripted.sink();
    sink.write(vec![member("a", 1)]).await.unwrap();
    let error = sink.flush().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(scripted.logins().await.len(), 4);
}

#[tokio::test]
async fn a_statement_that_takes_long_is_waited_for() {
    let scripted = Scripted::start(|_, _| {
        says(&json!({"success": false, "code": "333334", "data": {
            "queryId": "01a", "getResultUrl": "/queries/01a/result",
        }}))
    })
    .await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    Mock::given(method("GET"))
        .and(path("/queries/01a/result"))
        .respond_with(
            move |_: &Request| match count.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => says(&json!({"success": false, "code": "333333", "data": {
                    "getResultUrl": "/queries/01a/result",
                }})),
                _ => done(),
            },
        )
        .mount(&scripted.server)
        .await;
    let mut sink = scripted.sink();
    sink.write(vec![member("a", 1)]).await.unwrap();
    sink.flush().await.unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    assert_eq!(
        scripted.statements("MERGE").len(),
        1,
        "it is not sent again"
    );
}

#[tokio::test]
async fn a_path_on_another_host_gets_no_token() {
    let elsewhere = MockServer::start().await;
    Mock::given(any())
        .respond_with(done())
        .mount(&elsewhere)
        .await;
    let url = format!("{}/queries/01a/result", elsewhere.uri());
    let scripted = Scripted::start(move |_, _| {
        says(&json!({"success": false, "code": "333333", "data": {"getResultUrl": url}}))
    })
    .await;
    let mut sink = scripted.sink();
    sink.write(vec![member("a", 1)]).await.unwrap();
    assert_eq!(sink.flush().await.unwrap_err().kind(), ErrorKind::Invalid);
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_record_that_snowflake_cannot_read_is_found_and_named() {
    let scripted = Scripted::start(|_, statement| {
        match statement["bindings"]["1"]["value"].as_str().unwrap() {
            rows if rows.contains("bad") => refused("100069", "22P02"),
            _ => done(),
        }
    })
    .await;
    let mut sink = scripted.sink();
    let mut records: Vec<JsonRecord> = (0..20).map(|n| member(&n.to_string(), n)).collect();
    records[3] = member("bad", 3);
    records[17] = member("bad too", 17);
    sink.write(records).await.unwrap();
    let rejected = sink.flush().await.unwrap().rejected;
    let keys: Vec<&str> = rejected.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["bad", "bad too"]);
    assert!(
        rejected[0].reason.contains("100069"),
        "{}",
        rejected[0].reason
    );
    let mut merged: Vec<u64> = scripted
        .statements("MERGE")
        .iter()
        .filter(|(_, rows)| !rows.contains("bad"))
        .flat_map(|(_, rows)| serde_json::from_str::<Vec<Value>>(rows).unwrap())
        .map(|row| row[5].as_u64().unwrap())
        .collect();
    assert!(merged.is_sorted(), "the order of writing is kept");
    merged.dedup();
    assert_eq!(merged.len(), 18);
    assert!(sink.flush().await.unwrap().rejected.is_empty());
}

#[tokio::test]
async fn a_table_that_refuses_everything_is_an_error() {
    let scripted = Scripted::start(|_, _| refused("100078", "22000")).await;
    let mut sink = scripted.sink();
    let records = (0..2000).map(|n| member(&n.to_string(), n)).collect();
    sink.write(records).await.unwrap();
    let error = sink.flush().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let tried = scripted.statements("MERGE").len();
    assert!(tried < 200, "{tried} statements for 2000 records");
}

#[tokio::test]
async fn a_statement_that_is_too_large_is_sent_in_halves() {
    let scripted = Scripted::start(|_, statement| {
        let rows = statement["bindings"]["1"]["value"]
            .as_str()
            .unwrap_or_default();
        let rows: Vec<Value> = serde_json::from_str(rows).unwrap_or_default();
        if rows.len() > 3 {
            ResponseTemplate::new(413)
        } else {
            done()
        }
    })
    .await;
    let mut sink = scripted.sink();
    let records = (0..10).map(|n| member(&n.to_string(), n)).collect();
    sink.write(records).await.unwrap();
    assert_eq!(sink.flush().await.unwrap().rejected, []);
    let taken: usize = scripted
        .statements("MERGE")
        .iter()
        .map(|(_, rows)| serde_json::from_str::<Vec<Value>>(rows).unwrap().len())
        .filter(|rows| *rows <= 3)
        .sum();
    assert_eq!(taken, 10);
}

#[tokio::test]
async fn errors_name_code_and_query_and_nothing_personal() {
    for (code, state, kind) in [
        ("000606", "57P03", ErrorKind::Config),
        ("003001", "42501", ErrorKind::Denied),
        ("002003", "02000", ErrorKind::Missing),
        ("000630", "57014", ErrorKind::Unavailable),
        ("001003", "42000", ErrorKind::Invalid),
    ] {
        let scripted = Scripted::start(move |_, _| refused(code, state)).await;
        let mut sink = scripted.sink();
        sink.write(vec![member("a", 1)]).await.unwrap();
        let error = sink.flush().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let shown = format!("{} {error:?} {sink:?}", error.chain());
        assert!(shown.contains(code) && shown.contains("01b2-c3"), "{shown}");
        assert!(shown.contains("members"), "{shown}");
        for secret in ["ada@example.com", "hush", "session-1", "master-1"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_refused_login_says_so() {
    let server = MockServer::start().await;
    let answer = json!({"success": false, "code": "390100", "message": "Incorrect password for ada@example.com"});
    Mock::given(any())
        .respond_with(says(&answer))
        .mount(&server)
        .await;
    let mut settings = SnowflakeSettings::new("acc", "ada@example.com", "analytics");
    settings.url = server.uri().parse().ok();
    let error = fake::sink(&settings).check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("390100"), "{error}");
    assert!(!format!("{error:?}").contains("ada@"), "{error:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_under_the_same_id() {
    let scripted = Scripted::start(|n, _| match n {
        0 => ResponseTemplate::new(503),
        1 => ResponseTemplate::new(429).insert_header("retry-after", "0"),
        _ => done(),
    })
    .await;
    let mut sink = scripted.sink();
    sink.write(vec![member("a", 1)]).await.unwrap();
    sink.flush().await.unwrap();
    let requests = scripted.server.received_requests().await.unwrap();
    let queries: Vec<&str> = requests[requests.len() - 3..]
        .iter()
        .map(|request| request.url.query().unwrap())
        .collect();
    assert_eq!(queries[1], format!("{}&retryCount=1", queries[0]));
    assert_eq!(queries[2], format!("{}&retryCount=2", queries[0]));

    let down = Scripted::start(|_, _| ResponseTemplate::new(503)).await;
    let mut sink = down.sink();
    sink.write(vec![member("a", 1)]).await.unwrap();
    let error = sink.flush().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Unavailable, Retry::Exhausted)
    );
}

/// A result whose second half is elsewhere, at these addresses.
fn in_parts(parts: &[String]) -> ResponseTemplate {
    let chunks: Vec<Value> = parts
        .iter()
        .map(|url| json!({"url": url, "rowCount": 1}))
        .collect();
    says(&json!({"success": true, "data": {
        "queryResultFormat": "json", "rowset": [["a"]], "chunks": chunks,
        "chunkHeaders": {"x-amz-server-side-encryption-customer-key": "k"},
    }}))
}

#[tokio::test]
async fn a_long_result_is_fetched_in_parts_without_the_token() {
    let own = Arc::new(OnceLock::new());
    let address: Arc<OnceLock<String>> = own.clone();
    let scripted = Scripted::start(move |_, _| {
        let address = address.get().unwrap();
        in_parts(&[format!("{address}/part-1"), format!("{address}/part-2")])
    })
    .await;
    own.set(scripted.server.uri()).unwrap();
    let mut zip = GzEncoder::new(Vec::new(), Compression::default());
    zip.write_all(br#"["b"],["c"]"#).unwrap();
    let parts = [
        ("/part-1", zip.finish().unwrap()),
        ("/part-2", br#"["d"]"#.to_vec()),
    ];
    for (name, body) in parts {
        Mock::given(path(name))
            .respond_with(ResponseTemplate::new(200).set_body_bytes(body))
            .mount(&scripted.server)
            .await;
    }
    let keys = scripted
        .readback()
        .keys(&members(), None, 10)
        .await
        .unwrap();
    assert_eq!(keys, ["a", "b", "c", "d"].map(Key::new));
    let requests = scripted.server.received_requests().await.unwrap();
    let parts: Vec<&Request> = requests
        .iter()
        .filter(|request| request.url.path().starts_with("/part-"))
        .collect();
    assert_eq!(parts.len(), 2);
    for part in parts {
        assert!(part.headers.get("authorization").is_none());
        assert_eq!(
            part.headers["x-amz-server-side-encryption-customer-key"],
            "k"
        );
    }
}

#[tokio::test]
async fn a_part_of_a_result_is_not_fetched_without_tls() {
    let elsewhere = MockServer::start().await;
    let part = format!("{}/part-1", elsewhere.uri());
    let scripted = Scripted::start(move |_, _| in_parts(std::slice::from_ref(&part))).await;
    let error = scripted
        .readback()
        .keys(&members(), None, 10)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_answer_of_snowflake_is_an_error() {
    for (body, kind) in [
        ("", ErrorKind::Invalid),
        ("<html>", ErrorKind::Invalid),
        ("{}", ErrorKind::Invalid),
        ("[]", ErrorKind::Invalid),
        (r#"{"success":"yes"}"#, ErrorKind::Invalid),
        // What a login says that wants a second factor.
        (
            r#"{"success":true,"data":{"nextAction":"EXT_AUTHN_DUO_ALL"}}"#,
            ErrorKind::Denied,
        ),
    ] {
        let server = MockServer::start().await;
        let reply = ResponseTemplate::new(200).set_body_bytes(Bytes::from(body));
        Mock::given(any()).respond_with(reply).mount(&server).await;
        let mut settings = SnowflakeSettings::new("acc", "loader", "analytics");
        settings.url = server.uri().parse().ok();
        let error = fake::sink(&settings).check().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{body}: {error}");
    }
}

#[tokio::test]
async fn a_result_that_cannot_be_read_is_an_error() {
    for data in [
        json!({"queryResultFormat": "json", "rowset": [[1]]}),
        json!({"queryResultFormat": "json", "rowset": {}}),
        json!({"queryResultFormat": "arrow", "rowsetBase64": "?"}),
        json!({"queryResultFormat": "arrow", "rowsetBase64": "aHVzaA=="}),
    ] {
        let scripted =
            Scripted::start(move |_, _| says(&json!({"success": true, "data": data}))).await;
        let error = scripted
            .readback()
            .keys(&members(), None, 10)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
}
