//! Metrics and health over HTTP.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::simulated::{LIST, Simulated};

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The address in a log line such as `… address=127.0.0.1:4711`.
fn address_in(line: &str) -> String {
    line.split("address=")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_health_and_readiness_are_served() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 50);
    let place = simulated.place();
    let mut service = place.start(&["run", LIST, "--metrics", "127.0.0.1:0"]);
    let address = address_in(&service.line_with("metrics and health are served"));
    service.line_with("run finished");
    let page = get(&address, "/metrics");
    for line in [
        format!("sync_runs_total{{import=\"{LIST}\",outcome=\"complete\"}} 1"),
        format!("sync_records_read_total{{import=\"{LIST}\"}} 50"),
        format!("sync_records_accepted_total{{import=\"{LIST}\"}} 50"),
        "sync_connection_limit{account=\"default\"} 10".to_owned(),
    ] {
        assert!(page.contains(&line), "{line} is not in\n{page}");
    }
    assert!(page.contains("sync_lag_seconds"), "{page}");
    assert!(
        page.contains("endpoint=\"GET /lists/{list_id}/members\""),
        "{page}"
    );
    assert!(get(&address, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(get(&address, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(get(&address, "/elsewhere").starts_with("HTTP/1.1 404"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_import_is_not_ready() {
    let simulated = Simulated::start().await;
    let place = simulated.place();
    let mut service = place.start(&["run", LIST, "--metrics", "127.0.0.1:0"]);
    let address = address_in(&service.line_with("metrics and health are served"));
    service.line_with("run failed");
    let answer = get(&address, "/readyz");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains(LIST), "{answer}");
    assert!(get(&address, "/healthz").starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_was_asked_for_must_be_free() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 10);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = simulated.place();
    let text = place
        .run(&["run", LIST, "--once", "--metrics", &address])
        .with_code(2);
    assert!(text.contains("--metrics"), "{text}");
}
