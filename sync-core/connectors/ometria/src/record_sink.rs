//! Delivery through the record endpoint.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ometria_client::{Error as ClientError, RecordClient, RecordRow};
use serde::{Deserialize, Serialize};
use sync_core::{Report, Result, Sink};

use crate::courier::{Courier, Fate, Post, Verdict};
use crate::error::{is_about_content, translate};
use crate::hooks::{DeliveryEvent, DeliveryHooks};
use crate::outbox::{Parcel, Place};
use crate::push_sink::within;
use crate::record_mapping::RecordDelivery;

/// How rows are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordSettings {
    /// Rows in one call, at least 1 and at most what the client allows. Default 500, which every known server took.
    pub rows_per_call: usize,
    /// Calls under way at one time, 1 to 64. Default 4; no limit is documented.
    pub in_flight: usize,
}

impl Default for RecordSettings {
    fn default() -> Self {
        Self {
            rows_per_call: 500,
            in_flight: 4,
        }
    }
}

/// Sends rows to the record endpoint.
///
/// The endpoint answers with the number of rows it took, so an answer is proof and `flush` waits for answers only. When the
/// number is wrong, the call is repeated in halves until the rows that are not taken are found and named. A row replaces
/// the one with its id, so duplicates are harmless.
pub struct RecordSink {
    client: RecordClient,
    courier: Courier<RecordDelivery>,
}

impl fmt::Debug for RecordSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordSink")
            .field("courier", &self.courier)
            .finish_non_exhaustive()
    }
}

impl RecordSink {
    /// A sink over this client.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](sync_core::ErrorKind::Config), naming the field, for settings that cannot work.
    pub fn new(
        client: RecordClient,
        settings: &RecordSettings,
        hooks: Arc<dyn DeliveryHooks>,
    ) -> Result<Self> {
        within(
            "rows_per_call",
            settings.rows_per_call as u64,
            1,
            client.batch_cap() as u64,
        )?;
        within("in_flight", settings.in_flight as u64, 1, 64)?;
        let sender = Sender {
            client: client.clone(),
            hooks: hooks.clone(),
        };
        let courier = Courier::new(
            Arc::new(sender),
            settings.rows_per_call,
            settings.in_flight,
            hooks,
        );
        Ok(Self { client, courier })
    }
}

#[async_trait]
impl Sink<RecordDelivery> for RecordSink {
    fn name(&self) -> &'static str {
        "ometria record"
    }

    async fn check(&self) -> Result<()> {
        // No rows at all: legal, and the endpoint offers nothing else to ask for.
        match self.client.send(&[]).await {
            Ok(_) => Ok(()),
            Err(error) => Err(translate("check record endpoint", error)),
        }
    }

    async fn write(&mut self, records: Vec<RecordDelivery>) -> Result<Report> {
        self.courier.take(records).await
    }

    async fn flush(&mut self) -> Result<Report> {
        self.courier.deliver_all().await.map(|(report, _)| report)
    }

    async fn abort(&mut self) {
        self.courier.abort().await;
    }
}

impl Parcel for RecordDelivery {
    fn place(&self) -> Place {
        self.row().id.as_str().into()
    }

    fn is_urgent(&self) -> bool {
        // The receiver's own rules decide what a status means; an order would promise something it cannot keep.
        false
    }

    fn replace(&mut self, _older: Self) {
        // A row says everything there is to say.
    }
}

struct Sender {
    client: RecordClient,
    hooks: Arc<dyn DeliveryHooks>,
}

#[async_trait]
impl Post<RecordDelivery> for Sender {
    async fn post(&self, parcels: &[RecordDelivery]) -> Verdict {
        let rows: Vec<RecordRow> = parcels.iter().map(|parcel| parcel.row().clone()).collect();
        match self.client.send(&rows).await {
            Ok(_) => {
                self.hooks.on_event(&DeliveryEvent::Posted {
                    records: rows.len(),
                    opt_outs: 0,
                });
                Verdict::all(Fate::Taken)
            }
            Err(error) => {
                let about_rows = is_about_content(&error)
                    || matches!(error, ClientError::CountMismatch { taken: Some(_), .. });
                let error = translate("send records", error);
                Verdict::all(if about_rows {
                    let reason = "the record endpoint does not take this row; look for a field with \
                                  an unusual value";
                    Fate::Doubtful {
                        reason: reason.to_owned(),
                        error: Some(error),
                    }
                } else {
                    Fate::Failed(error)
                })
            }
        }
    }
}
