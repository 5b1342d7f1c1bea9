//! The default transport against a real socket: what breaks there becomes the right error, and the key stays here.

use std::net::SocketAddr;
use std::sync::Arc;

use loopback::{Reply, Request, Server, Simulator};
use ometria_client::{
    Client, Contact, Error, Record, ReqwestTransport, RetryPolicy, TransportError,
    TransportErrorKind,
};
use ometria_simulator::{Fault, FaultRule, OmetriaSimulator, Settings, When};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::transports::{KEY, key};

fn simulator() -> OmetriaSimulator {
    let now = Arc::new(|| "2024-05-01T12:00:00Z".parse().unwrap());
    OmetriaSimulator::new(Settings::new(KEY, now))
}

async fn serve(simulator: Arc<dyn Simulator>) -> Server {
    Server::start(simulator, SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap()
}

fn client(url: &str, retry: RetryPolicy) -> Client {
    Client::builder(key())
        .base_url(format!("{url}/v2").parse().unwrap())
        .retry(retry)
        .build()
        .unwrap()
}

fn record() -> Vec<Record> {
    vec![Contact::new("c", "1").email("a@x.example").into()]
}

#[tokio::test]
async fn a_push_reaches_the_simulator_and_a_lost_reply_is_sent_again() {
    let simulator = simulator();
    let server = serve(Arc::new(simulator.clone())).await;
    for fault in [Fault::ReplyLost, Fault::Reset, Fault::CutBody { sent: 5 }] {
        simulator.heal();
        simulator.inject(FaultRule::new(fault, When::Nth(1)));
        let receipt = client(&server.url(), RetryPolicy::default())
            .push_records(record())
            .await;
        let receipt = receipt.unwrap();
        assert!(receipt.confirms(1));
        assert_eq!(receipt.meta.attempts, 2);
    }
    assert_eq!(simulator.listing_count(), 1);
}

#[tokio::test]
async fn a_broken_connection_may_have_been_sent() {
    let simulator = simulator();
    simulator.inject(FaultRule::new(Fault::Reset, When::Always));
    let server = serve(Arc::new(simulator)).await;
    let source = broken(&server.url()).await;
    assert_eq!(source.kind(), TransportErrorKind::Interrupted);
    assert!(source.may_have_been_sent());
}

#[tokio::test]
async fn no_connection_means_not_sent() {
    // A port that was free a moment ago: bound, looked at and closed again.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let source = broken(&url).await;
    assert_eq!(source.kind(), TransportErrorKind::Connect);
    assert!(!source.may_have_been_sent());
}

async fn broken(url: &str) -> TransportError {
    match client(url, RetryPolicy::never())
        .push_records(record())
        .await
    {
        Err(Error::Transport { source, .. }) => source,
        other => panic!("no transport error: {other:?}"),
    }
}

/// Answers with more than anyone asked for.
struct Endless;

impl Simulator for Endless {
    fn handle(&self, _: Request) -> Reply {
        Reply::now(http::Response::new(vec![b' '; 9 * 1024 * 1024].into()))
    }
}

#[tokio::test]
async fn an_answer_over_the_cap_is_given_up() {
    let server = serve(Arc::new(Endless)).await;
    let error = client(&server.url(), RetryPolicy::default())
        .push_errors()
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Transport { source, attempts: 1, .. } if source.kind() == TransportErrorKind::BodyTooLarge)
    );

    let roomy = ReqwestTransport::new()
        .unwrap()
        .max_body_bytes(16 * 1024 * 1024);
    let roomy = Client::builder(key())
        .base_url(server.url().parse().unwrap())
        .transport(Arc::new(roomy))
        .build()
        .unwrap();
    assert!(matches!(
        roomy.push_errors().await,
        Err(Error::Decode { .. })
    ));
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let elsewhere = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .expect(0)
        .mount(&elsewhere)
        .await;
    let server = MockServer::start().await;
    let redirect = ResponseTemplate::new(307).insert_header("Location", elsewhere.uri());
    Mock::given(any())
        .respond_with(redirect)
        .mount(&server)
        .await;
    let error = client(&server.uri(), RetryPolicy::default())
        .push_errors()
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(307));
}
