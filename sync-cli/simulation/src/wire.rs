//! How requests reach the simulators without sockets, in virtual time.
//!
//! A request is carried out the moment it arrives; the answer comes after the simulator's delay. A client that leaves
//! earlier (a time-out, a killed process) does not end the request: its connection stays taken until the delay is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use http::{Request, Response};
use loopback::{Outcome, Reply, Simulator, Slot};
use mailchimp_client::{TransportErrorKind, TransportResponse};
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use crate::world::{Kind, World};

/// Requests that one process has under way, as the server sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flights(Arc<AtomicUsize>);

struct Flight(Flights);

impl Flights {
    fn begin(&self) -> (Flight, usize) {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        (Flight(self.clone()), before + 1)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the server holds for a request: until the answer is given, and after a client that left until it would have been.
struct Held {
    what: Option<(Option<Slot>, Option<Flight>)>,
    until: Instant,
}

impl Drop for Held {
    fn drop(&mut self) {
        let (what, until) = (self.what.take(), self.until);
        if Instant::now() < until
            && let Ok(server) = Handle::try_current()
        {
            server.spawn(async move {
                sleep_until(until).await;
                drop(what);
            });
        }
    }
}

/// Waits until the answer is due and gives it.
async fn answer(reply: Reply, flight: Option<Flight>) -> Outcome {
    let until = Instant::now() + reply.after;
    let held = Held {
        what: Some((reply.slot, flight)),
        until,
    };
    sleep_until(until).await;
    drop(held);
    reply.outcome
}

/// The way to Mailchimp.
#[derive(Debug)]
pub(crate) struct MailchimpWire {
    pub(crate) world: Arc<World>,
    pub(crate) flights: Flights,
}

#[async_trait]
impl mailchimp_client::Transport for MailchimpWire {
    async fn send(
        &self,
        request: Request<Bytes>,
    ) -> Result<TransportResponse, mailchimp_client::TransportError> {
        let (flight, in_flight) = self.flights.begin();
        if in_flight > World::CONNECTIONS {
            self.world.fail(
                Kind::Connections,
                format!("{in_flight} requests of one process are in flight"),
            );
        }
        let asked = request.uri().clone();
        let reply = self.world.mailchimp.handle(request);
        self.world.trace.line(format_args!(
            "mailchimp {} -> {}",
            without_fields(&asked),
            shown(&reply.outcome),
        ));
        let broken = |kind| Err(mailchimp_client::TransportError::new(kind));
        match answer(reply, Some(flight)).await {
            Outcome::Response(response) => {
                let (parts, body) = response.into_parts();
                Ok(TransportResponse::full(parts.status, parts.headers, body))
            }
            Outcome::CutBody { response, sent } => {
                let (parts, body) = response.into_parts();
                let sent = sent.min(body.len());
                let cut = mailchimp_client::TransportError::new(TransportErrorKind::Body);
                let body = stream::iter([Ok(body.slice(..sent)), Err(cut)]);
                Ok(TransportResponse::new(
                    parts.status,
                    parts.headers,
                    Box::pin(body),
                ))
            }
            Outcome::Reset => broken(TransportErrorKind::Reset),
            Outcome::Hang => std::future::pending().await,
        }
    }
}

/// The way to Ometria.
#[derive(Debug)]
pub(crate) struct OmetriaWire {
    pub(crate) world: Arc<World>,
}

#[async_trait]
impl ometria_client::Transport for OmetriaWire {
    async fn send(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, ometria_client::TransportError> {
        let (asked, body) = (request.uri().clone(), request.body().clone());
        let reply = self.world.ometria.handle(request);
        self.note_arrivals(&body);
        self.world.trace.line(format_args!(
            "ometria {} -> {}",
            asked.path(),
            shown(&reply.outcome)
        ));
        let broken = || {
            let kind = ometria_client::TransportErrorKind::Interrupted;
            Err(ometria_client::TransportError::new(kind))
        };
        match answer(reply, None).await {
            Outcome::Response(response) => Ok(response),
            Outcome::CutBody { .. } | Outcome::Reset => broken(),
            Outcome::Hang => std::future::pending().await,
        }
    }
}

/// Path and query, but for the long lists of fields.
fn without_fields(asked: &http::Uri) -> String {
    let query = asked.query().unwrap_or_default().split('&');
    let short: Vec<&str> = query.filter(|pair| !pair.contains("fields=")).collect();
    format!("{}?{}", asked.path(), short.join("&"))
}

impl OmetriaWire {
    /// Writes into the trace which records came, and what they claim.
    fn note_arrivals(&self, body: &[u8]) {
        for record in serde_json::from_slice::<Vec<Arrival<'_>>>(body).unwrap_or_default() {
            let claim = record.claim.unwrap_or("nothing");
            self.world
                .trace
                .line(format_args!("ometria got {}, {claim}", record.id));
        }
    }
}

#[derive(Deserialize)]
struct Arrival<'a> {
    id: &'a str,
    #[serde(rename = "marketing_optin")]
    claim: Option<&'a str>,
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Response(response) => response.status().as_u16().to_string(),
        Outcome::CutBody { .. } => "cut body".to_owned(),
        Outcome::Reset => "reset".to_owned(),
        Outcome::Hang => "hang".to_owned(),
    }
}
