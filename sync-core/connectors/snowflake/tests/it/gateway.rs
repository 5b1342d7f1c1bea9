//! Stands between the sink and the server, and breaks things at a chosen statement.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use flate2::read::GzDecoder;
use serde_json::Value;
use url::Url;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::fake::Fake;

/// What happens to one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its session ends before it runs.
    SessionEndsBefore,
    /// It runs, then its session ends, and the answer tells only that.
    SessionEndsAfter,
    /// It runs, and the answer is lost: the client asks again.
    AnswerLost,
    /// It runs, and from then on nothing answers.
    DownAfter,
    /// From then on, this statement included, nothing answers.
    DownBefore,
}

pub(crate) const FAULTS: [Fault; 5] = [
    Fault::SessionEndsBefore,
    Fault::SessionEndsAfter,
    Fault::AnswerLost,
    Fault::DownAfter,
    Fault::DownBefore,
];

/// An address in front of the server.
pub(crate) struct Gateway {
    server: MockServer,
    relay: Arc<Relay>,
}

struct Relay {
    fake: Url,
    fault: Option<(u32, Fault)>,
    statements: AtomicU32,
    seen: Mutex<Vec<String>>,
}

impl Gateway {
    /// Breaks the `at`-th statement, counted from 0, in the given way; `None` breaks nothing.
    pub(crate) async fn start(fake: &Fake, fault: Option<(u32, Fault)>) -> Self {
        let server = MockServer::start().await;
        let relay = Arc::new(Relay {
            fake: fake.url.clone(),
            fault,
            statements: AtomicU32::new(0),
            seen: Mutex::default(),
        });
        Mock::given(any())
            .respond_with(Responder(relay.clone()))
            .mount(&server)
            .await;
        Self { server, relay }
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    /// The first words of each statement that arrived.
    pub(crate) fn statements(&self) -> Vec<String> {
        self.relay.seen.lock().unwrap().clone()
    }
}

struct Responder(Arc<Relay>);

impl Respond for Responder {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let relay = &self.0;
        if request.url.path() != "/queries/v1/query-request" {
            return relay.forward(request);
        }
        let mut body = String::new();
        GzDecoder::new(&request.body[..])
            .read_to_string(&mut body)
            .unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        let words: Vec<&str> = body["sqlText"]
            .as_str()
            .unwrap()
            .split(' ')
            .take(2)
            .collect();
        relay.seen.lock().unwrap().push(words.join(" "));
        let this = relay.statements.fetch_add(1, Ordering::Relaxed);
        let fault = match relay.fault {
            Some((at, fault)) if at == this => fault,
            Some((at, Fault::DownAfter | Fault::DownBefore)) if this > at => Fault::DownBefore,
            _ => return relay.forward(request),
        };
        let gone = ResponseTemplate::new(503);
        match fault {
            Fault::SessionEndsBefore => {
                relay.end_session(request);
                relay.forward(request)
            }
            Fault::SessionEndsAfter => {
                relay.forward(request);
                relay.end_session(request);
                relay.forward(request)
            }
            Fault::AnswerLost | Fault::DownAfter => {
                relay.forward(request);
                gone
            }
            Fault::DownBefore => gone,
        }
    }
}

impl Relay {
    fn end_session(&self, request: &Request) {
        self.send(request, "/session?delete=true", b"");
    }

    fn forward(&self, request: &Request) -> ResponseTemplate {
        let path = &request.url[url::Position::BeforePath..];
        let (status, body) = self.send(request, path, &request.body);
        ResponseTemplate::new(status).set_body_raw(body, "application/json")
    }

    fn send(&self, request: &Request, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let address = (self.fake.host_str().unwrap(), self.fake.port().unwrap());
        let mut stream = TcpStream::connect(address).unwrap();
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nhost: fake\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for name in ["authorization", "content-encoding"] {
            if let Some(value) = request.headers.get(name) {
                head = format!("{head}{name}: {}\r\n", value.to_str().unwrap());
            }
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        let end = reply
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let status = String::from_utf8_lossy(&reply[9..12]).parse().unwrap();
        (status, reply.split_off(end + 4))
    }
}
