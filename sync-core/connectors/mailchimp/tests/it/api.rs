//! The simulated API behind the client's transport.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures::stream;
use loopback::{Outcome, Simulator};
use mailchimp_client::{Client, Transport, TransportError, TransportErrorKind, TransportResponse};
use mailchimp_simulator::{AudienceHandle, MailchimpSimulator, Settings};
use sync_core::{Batch, BatchReader, Change, Cursor, Keyed, PartFailure, Position, Source};
use sync_mailchimp::{AudienceSettings, AudienceSource, MemberRow};
use tokio::time::Instant;

pub(crate) const KEY: &str = "0123456789abcdef-us6";
pub(crate) const LIST: &str = "a1b2c3d4e5";

/// When every test begins.
pub(crate) fn noon() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_772_366_400)
}

/// Wall time that passes with tokio's, from [`noon`] on.
pub(crate) fn clock() -> Arc<dyn Fn() -> DateTime<Utc> + Send + Sync> {
    let start = Instant::now();
    Arc::new(move || noon() + start.elapsed())
}

/// One account, its client and the time both live in.
pub(crate) struct Api {
    pub(crate) simulator: MailchimpSimulator,
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

impl Api {
    pub(crate) fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let clock = clock();
        let mut settings = Settings::new(KEY, clock.clone());
        settings.latency = Duration::from_millis(200);
        change(&mut settings);
        let simulator = MailchimpSimulator::new(settings);
        let transport = Arc::new(InProcess(simulator.clone()));
        let client = Client::builder(KEY)
            .transport(transport)
            .jitter_seed(1)
            .build()
            .expect("the client's settings are right");
        Self {
            simulator,
            client,
            clock,
        }
    }

    pub(crate) fn source(&self, settings: AudienceSettings) -> AudienceSource {
        let clock = self.clock.clone();
        AudienceSource::new(
            self.client.clone(),
            LIST,
            settings,
            Arc::new(move || clock()),
        )
        .expect("the source's settings are right")
    }

    pub(crate) fn member_requests(&self) -> u64 {
        self.simulator.stats().of("GET /lists/{list_id}/members")
    }
}

/// Calls the simulator and waits in tokio's time.
#[derive(Debug)]
struct InProcess(MailchimpSimulator);

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: loopback::Request) -> Result<TransportResponse, TransportError> {
        let reply = self.0.handle(request);
        let (done, answered) = tokio::sync::oneshot::channel();
        // The server is busy with the request even when the client hangs up.
        tokio::spawn(async move {
            tokio::time::sleep(reply.after).await;
            drop(reply.slot);
            let _ = done.send(());
        });
        let _ = answered.await;
        let lost = |kind| TransportError::new(kind);
        match reply.outcome {
            Outcome::Response(response) => {
                let (head, body) = response.into_parts();
                Ok(TransportResponse::full(head.status, head.headers, body))
            }
            Outcome::CutBody { response, sent } => {
                let (head, body) = response.into_parts();
                let chunks = [Ok(body.slice(..sent)), Err(lost(TransportErrorKind::Body))];
                let body = Box::pin(stream::iter(chunks));
                Ok(TransportResponse::new(head.status, head.headers, body))
            }
            Outcome::Reset => Err(lost(TransportErrorKind::Reset)),
            Outcome::Hang => std::future::pending().await,
        }
    }
}

/// What a sink has after some deliveries, and what came beside.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    pub(crate) rows: HashMap<String, MemberRow>,
    pub(crate) count: usize,
    pub(crate) failures: Vec<PartFailure>,
    pub(crate) cursor: Option<Cursor>,
}

impl Delivered {
    pub(crate) fn take(&mut self, batch: Batch<Change<MemberRow>>) {
        self.count += batch.items.len();
        for change in batch.items {
            match change {
                Change::Present(row) => self.rows.insert(row.key().as_str().to_owned(), row),
                Change::Removed(key) => self.rows.remove(key.as_str()),
            };
        }
        self.failures.extend(batch.failures);
        self.cursor = batch.resume.or(self.cursor.take());
    }

    /// Up to when the source vouches for what it gave.
    pub(crate) fn complete_until(&self) -> Option<DateTime<Utc>> {
        self.cursor.as_ref()?.complete_until
    }

    pub(crate) fn position(&self) -> Position {
        self.cursor
            .clone()
            .map_or(Position::Start, Position::Cursor)
    }

    /// Reads from where the last read ended, to the end.
    pub(crate) async fn read(&mut self, source: &AudienceSource) {
        let mut reader = source
            .read(self.position())
            .expect("the cursor is the source's own");
        while let Some(batch) = reader.next_batch().await.expect("reading works") {
            self.take(batch);
        }
    }

    /// Panics unless each member of the audience was delivered as it is now.
    pub(crate) fn assert_same(&self, audience: &AudienceHandle) {
        for member in audience.members() {
            let row = self.rows.get(&member.contact_id);
            let row = row.unwrap_or_else(|| panic!("{member:?} was not delivered"));
            assert_eq!(row.last_changed(), Some(member.last_changed), "{row:?}");
            assert_eq!(row.id(), Some(&*member.id));
            let json: serde_json::Value = serde_json::from_slice(row.raw()).expect("json");
            assert_eq!(json["status"], member.status.as_str(), "{row:?}");
        }
    }
}

/// All of a reader's items.
pub(crate) async fn drain<T>(mut reader: Box<dyn BatchReader<T>>) -> Vec<T> {
    let mut items = Vec::new();
    while let Some(batch) = reader.next_batch().await.expect("reading works") {
        items.extend(batch.items);
    }
    items
}
