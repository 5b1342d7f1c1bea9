use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use loopback::{Outcome, Reply, Request, Server, Simulator};
use tokio::sync::mpsc;

use crate::wire::Wire;

/// Answers each request as a function of the test says.
struct Scripted<F>(F);

impl<F: Fn(Request) -> Reply + Send + Sync> Simulator for Scripted<F> {
    fn handle(&self, request: Request) -> Reply {
        (self.0)(request)
    }
}

async fn serve(script: impl Fn(Request) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(
        Arc::new(Scripted(script)),
        SocketAddr::from(([127, 0, 0, 1], 0)),
    )
    .await
    .unwrap()
}

fn echo(request: &Request) -> Reply {
    let body = [request.uri().path().as_bytes(), b" ", request.body()].concat();
    Reply::now(Response::new(body.into()))
}

/// Tells when it is dropped.
struct Tell(mpsc::UnboundedSender<()>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let server = serve(|request| echo(&request)).await;
    let mut wire = Wire::open(server.address()).await;
    for round in 0..3 {
        let seen = wire.ask(&format!("/{round}"), b"hello").await.unwrap();
        assert_eq!(
            (seen.status, seen.body),
            (200, format!("/{round} hello").into_bytes())
        );
    }
    server.shutdown().await;
}

#[tokio::test]
async fn the_server_adds_no_date_of_its_own() {
    let server = serve(|request| echo(&request)).await;
    let seen = Wire::open(server.address())
        .await
        .ask("/", b"")
        .await
        .unwrap();
    assert!(!seen.head.contains("\ndate:"), "{}", seen.head);
}

#[tokio::test]
async fn a_cut_body_declares_its_length_and_breaks_off_at_the_byte() {
    const WHOLE: usize = 3_000_000;
    const SENT: usize = 2_000_001;
    let server = serve(|_| Reply {
        outcome: Outcome::CutBody {
            response: Response::builder()
                .header("x-request-id", "7")
                .body(Bytes::from(vec![b'x'; WHOLE]))
                .unwrap(),
            sent: SENT,
        },
        ..Reply::now(Response::default())
    })
    .await;
    let seen = Wire::open(server.address())
        .await
        .ask("/", b"")
        .await
        .unwrap();
    assert_eq!(
        (seen.status, seen.declared, seen.body.len()),
        (200, WHOLE, SENT)
    );
    assert!(seen.head.contains("x-request-id: 7"));
}

#[tokio::test]
async fn a_reset_ends_the_connection_without_an_answer() {
    let server = serve(|_| Reply {
        outcome: Outcome::Reset,
        ..Reply::now(Response::default())
    })
    .await;
    let error = Wire::open(server.address())
        .await
        .ask("/", b"")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

/// An hour that no test waits for.
const HOUR: Duration = Duration::from_secs(3600);

/// Lets an hour pass at once.
async fn an_hour_later() {
    tokio::time::pause();
    tokio::time::advance(HOUR).await;
    tokio::time::resume();
}

/// Serves `/` as the test says, after telling so, and everything else at once: another client's round trips then prove
/// that the server had every chance to do what it should not.
async fn serve_told(
    reply: impl Fn() -> Reply + Send + Sync + 'static,
) -> (Server, mpsc::UnboundedReceiver<Bytes>) {
    let (told, heard) = mpsc::unbounded_channel();
    let server = serve(move |request| {
        if request.uri().path() != "/" {
            return echo(&request);
        }
        told.send(request.into_body()).unwrap();
        reply()
    })
    .await;
    (server, heard)
}

async fn other_clients_are_served(server: &Server) {
    for _ in 0..3 {
        let seen = Wire::open(server.address())
            .await
            .ask("/other", b"")
            .await
            .unwrap();
        assert_eq!(seen.status, 200);
    }
}

#[tokio::test]
async fn a_hang_lasts_until_the_server_stops() {
    let hang = || Reply {
        outcome: Outcome::Hang,
        ..Reply::now(Response::default())
    };
    let (server, mut heard) = serve_told(hang).await;
    let mut wire = Wire::open(server.address()).await;
    wire.send("/", b"").await;
    heard.recv().await.unwrap();
    other_clients_are_served(&server).await;
    assert!(wire.is_silent());
    server.shutdown().await;
    assert!(matches!(wire.ends().await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_slot_stays_taken_after_the_client_hung_up() {
    let (freed, mut free) = mpsc::unbounded_channel();
    let (server, mut heard) = serve_told(move || Reply {
        after: HOUR,
        slot: Some(Box::new(Tell(freed.clone()))),
        ..Reply::now(Response::default())
    })
    .await;
    let mut wire = Wire::open(server.address()).await;
    wire.send("/", b"").await;
    heard.recv().await.unwrap();
    drop(wire);
    other_clients_are_served(&server).await;
    assert!(free.try_recv().is_err(), "freed when the client hung up");
    an_hour_later().await;
    free.recv().await.unwrap();
}

#[tokio::test]
async fn an_answer_takes_as_long_as_the_simulator_says() {
    let late = || Reply {
        after: HOUR,
        ..Reply::now(Response::default())
    };
    let (server, mut heard) = serve_told(late).await;
    let mut wire = Wire::open(server.address()).await;
    wire.send("/", b"").await;
    heard.recv().await.unwrap();
    other_clients_are_served(&server).await;
    assert!(wire.is_silent());
    an_hour_later().await;
    assert_eq!(wire.receive().await.unwrap().status, 200);
}

#[tokio::test]
async fn a_request_is_carried_out_though_its_client_left() {
    let (server, mut heard) = serve_told(|| Reply::now(Response::default())).await;
    let mut wire = Wire::open(server.address()).await;
    wire.send("/", b"change").await;
    drop(wire);
    assert_eq!(heard.recv().await.unwrap(), "change");
}

#[tokio::test]
async fn a_slot_is_free_before_the_answer_is_seen() {
    let (freed, mut free) = mpsc::unbounded_channel();
    let server = serve(move |_| Reply {
        slot: Some(Box::new(Tell(freed.clone()))),
        ..Reply::now(Response::default())
    })
    .await;
    let mut wire = Wire::open(server.address()).await;
    for _ in 0..200 {
        wire.ask("/", b"").await.unwrap();
        free.try_recv().expect("still taken when the answer came");
    }
}

#[tokio::test]
async fn a_simulator_that_panics_answers_nothing_and_the_server_goes_on() {
    let panicked = Mutex::new(false);
    let server = serve(move |request| {
        let mut panicked = panicked
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        assert!(std::mem::replace(&mut *panicked, true), "on purpose");
        echo(&request)
    })
    .await;
    Wire::open(server.address())
        .await
        .ask("/", b"")
        .await
        .unwrap_err();
    assert_eq!(
        Wire::open(server.address())
            .await
            .ask("/", b"")
            .await
            .unwrap()
            .status,
        200
    );
}

#[tokio::test]
async fn shutting_down_frees_the_port() {
    let server = serve(|request| echo(&request)).await;
    let address = server.address();
    assert_eq!(server.url(), format!("http://{address}"));
    server.shutdown().await;
    tokio::net::TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn an_address_that_others_could_reach_is_refused() {
    let simulator = Arc::new(Scripted(|request: Request| echo(&request)));
    let address = SocketAddr::from(([0, 0, 0, 0], 0));
    let error = Server::start(simulator, address).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}
