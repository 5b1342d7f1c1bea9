//! Delivery through the push API.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ometria_client::{Client, PushLimits, PushReceipt, PushStatus, prepare};
use serde::{Deserialize, Serialize};
use sync_core::{Error, ErrorKind, Key, Keyed, Report, Result, Sink};

use crate::courier::{Courier, Fate, Post, Verdict};
use crate::delivery::Delivery;
use crate::error::{is_about_content, translate};
use crate::hooks::{DeliveryEvent, DeliveryHooks};
use crate::late_errors::LateErrors;
use crate::outbox::{Parcel, Place};

/// How records are pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PushSettings {
    /// Records in one push, 1 to 100. Default 100, the most Ometria takes.
    pub records_per_push: usize,
    /// Pushes under way at one time, 1 to 64. Default 8: enough to use the whole rate while each takes up to a second. The
    /// client's rate limit sets the pace.
    pub in_flight: usize,
    /// Milliseconds between the last answer and the look at Ometria's list of errors, at most 60,000. Default 250. Ometria
    /// validates after it answered and does not say how long that takes; more finds more, and holds up every commit.
    pub settle_ms: u64,
}

impl Default for PushSettings {
    fn default() -> Self {
        Self {
            records_per_push: 100,
            in_flight: 8,
            settle_ms: 250,
        }
    }
}

impl PushSettings {
    /// Whether these settings can work.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the field.
    pub fn validate(&self) -> Result<()> {
        within("records_per_push", self.records_per_push as u64, 1, 100)?;
        within("in_flight", self.in_flight as u64, 1, 64)?;
        within("settle_ms", self.settle_ms, 0, 60_000)
    }
}

pub(crate) fn within(field: &'static str, value: u64, least: u64, most: u64) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        "read settings",
        "the number is outside its range",
    )
    .with("field", field)
    .with("least", least)
    .with("most", most))
}

/// Pushes records to Ometria.
///
/// - **Write** returns early: pushes run in the background, and a full queue holds the caller back. Opt-outs leave first, in
///   pushes of their own. Of one listing, one version at most is under way or waiting; a newer one replaces an older one
///   that was not sent yet and keeps the opt-out in it.
/// - **Flush** sends the rest, waits for every answer, and then reads Ometria's list of push errors once, because Ometria
///   answers before it validates. An error that names a record of this flush rejects it. An error found later than that is
///   told to the hooks only, and so is that there were more than the hundred that the list holds.
/// - **A push that is partly refused** is sent again in halves until the culprits are found and named.
/// - **Duplicates** are harmless: a record replaces the fields it carries.
///
/// Dropping the sink breaks off pushes under way; a run that was not flushed is repeated by the engine.
pub struct OmetriaSink {
    client: Client,
    courier: Courier<Delivery>,
    late: Arc<Mutex<LateErrors>>,
    settle: Duration,
    hooks: Arc<dyn DeliveryHooks>,
}

impl fmt::Debug for OmetriaSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OmetriaSink")
            .field("courier", &self.courier)
            .finish_non_exhaustive()
    }
}

impl OmetriaSink {
    /// A sink over this client. Sinks of one account share a client's clones, and with them its rate limit.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the field, for settings that cannot work.
    pub fn new(
        client: Client,
        settings: &PushSettings,
        hooks: Arc<dyn DeliveryHooks>,
    ) -> Result<Self> {
        settings.validate()?;
        let late = Arc::new(Mutex::new(LateErrors::default()));
        let post = Pusher {
            client: client.clone(),
            limits: PushLimits::default().records_per_call(settings.records_per_push),
            late: late.clone(),
            hooks: hooks.clone(),
        };
        let courier = Courier::new(
            Arc::new(post),
            settings.records_per_push,
            settings.in_flight,
            hooks.clone(),
        );
        Ok(Self {
            client,
            courier,
            late,
            settle: Duration::from_millis(settings.settle_ms),
            hooks,
        })
    }

    fn tell_too_late(&self, keys: &[Key]) {
        for key in keys {
            self.hooks.on_event(&DeliveryEvent::RefusedTooLate { key });
        }
    }
}

#[async_trait]
impl Sink<Delivery> for OmetriaSink {
    fn name(&self) -> &'static str {
        "ometria"
    }

    async fn check(&self) -> Result<()> {
        let list = self
            .client
            .push_errors()
            .await
            .map_err(|error| translate("check ometria", error))?;
        let too_late = lock(&self.late).look(&list);
        self.tell_too_late(&too_late);
        Ok(())
    }

    async fn write(&mut self, records: Vec<Delivery>) -> Result<Report> {
        self.courier.take(records).await
    }

    async fn flush(&mut self) -> Result<Report> {
        let (mut report, posted) = self.courier.deliver_all().await?;
        if !posted {
            return Ok(report);
        }
        tokio::time::sleep(self.settle).await;
        let list = self
            .client
            .push_errors()
            .await
            .map_err(|error| translate("read push errors", error))?;
        let findings = lock(&self.late).conclude(&list);
        self.tell_too_late(&findings.too_late);
        if findings.without_record > 0 {
            let errors = findings.without_record;
            self.hooks
                .on_event(&DeliveryEvent::ErrorsWithoutRecord { errors });
        }
        if findings.overflowed {
            self.hooks.on_event(&DeliveryEvent::ErrorListOverflowed);
        }
        report.rejected.extend(findings.rejected);
        Ok(report)
    }

    async fn abort(&mut self) {
        self.courier.abort().await;
        lock(&self.late).abort();
    }
}

fn lock(late: &Mutex<LateErrors>) -> MutexGuard<'_, LateErrors> {
    // Nothing panics while it holds the lock.
    late.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Parcel for Delivery {
    fn place(&self) -> Place {
        let record = self.record();
        format!(
            "{}\n{}",
            record.collection().unwrap_or_default(),
            record.id()
        )
        .into()
    }

    fn is_urgent(&self) -> bool {
        self.is_opt_out()
    }

    fn replace(&mut self, older: Self) {
        Delivery::replace(self, older);
    }
}

struct Pusher {
    client: Client,
    limits: PushLimits,
    late: Arc<Mutex<LateErrors>>,
    hooks: Arc<dyn DeliveryHooks>,
}

#[async_trait]
impl Post<Delivery> for Pusher {
    async fn post(&self, parcels: &[Delivery]) -> Verdict {
        let prepared = prepare(parcels.iter().map(Delivery::record), &self.limits);
        let mut verdict = Verdict {
            named: prepared
                .refused
                .iter()
                .map(|refused| {
                    (
                        refused.index,
                        format!("{}; correct it at the source", refused.reason),
                    )
                })
                .collect(),
            others: Fate::Taken,
        };
        // The courier gives distinct contacts, no more than fit: there is one batch, or none if all were refused.
        for batch in &prepared.batches {
            let records = || {
                batch
                    .indexes()
                    .iter()
                    .filter_map(|&index| parcels.get(index))
            };
            match self.client.push(batch).await {
                Ok(receipt) => {
                    let keyed = records().map(|delivery| (delivery.record(), delivery.key()));
                    lock(&self.late).pushed(receipt.request_id.clone(), keyed);
                    if receipt.rejected == Some(batch.len() as u64) {
                        let all = batch
                            .indexes()
                            .iter()
                            .map(|&index| (index, REFUSED.to_owned()));
                        verdict.named.extend(all);
                        verdict.named.sort_by_key(|(index, _)| *index);
                        continue;
                    }
                    verdict.others = judge(&receipt, batch.len());
                    if matches!(verdict.others, Fate::Taken) {
                        self.tell(records());
                    }
                }
                Err(error) => {
                    let about_content = is_about_content(&error);
                    let error = translate("push", error);
                    verdict.others = if about_content {
                        Fate::Doubtful {
                            reason: REFUSED.to_owned(),
                            error: Some(error),
                        }
                    } else {
                        Fate::Failed(error)
                    };
                }
            }
            if !matches!(verdict.others, Fate::Taken) {
                break;
            }
        }
        verdict
    }
}

impl Pusher {
    fn tell<'a>(&self, taken: impl Iterator<Item = &'a Delivery>) {
        let (mut records, mut opt_outs) = (0, 0);
        for delivery in taken {
            records += 1;
            opt_outs += usize::from(delivery.is_opt_out());
            let key = delivery.key();
            for &notice in delivery.notices() {
                self.hooks
                    .on_event(&DeliveryEvent::Noticed { key: &key, notice });
            }
        }
        self.hooks
            .on_event(&DeliveryEvent::Posted { records, opt_outs });
    }
}

const REFUSED: &str = "ometria refuses this record; look for a field with an unusual value";

fn judge(receipt: &PushReceipt, sent: usize) -> Fate {
    let sent = sent as u64;
    let doubtful = |error| Fate::Doubtful {
        reason: REFUSED.to_owned(),
        error,
    };
    if receipt.rejected.unwrap_or(0) > 0 || !receipt.rejected_items.is_empty() {
        return doubtful(None);
    }
    let skipped = receipt.skipped.unwrap_or(0);
    match (&receipt.status, receipt.accepted) {
        // Records that Ometria passes over because it has them already are delivered.
        (PushStatus::Ok | PushStatus::Missing, Some(accepted)) if accepted + skipped == sent => {
            Fate::Taken
        }
        (PushStatus::Ok | PushStatus::Missing, None) => Fate::Taken,
        _ => doubtful(Some(
            Error::new(
                ErrorKind::Invalid,
                "push",
                "the answer does not confirm the records",
            )
            .with("sent", sent)
            .with(
                "accepted",
                receipt
                    .accepted
                    .map_or("unknown".to_owned(), |n| n.to_string()),
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_setting_is_named() {
        let settings = PushSettings::default();
        settings.validate().unwrap();
        for (wrong, field) in [
            (
                PushSettings {
                    records_per_push: 0,
                    ..settings.clone()
                },
                "records_per_push",
            ),
            (
                PushSettings {
                    records_per_push: 101,
                    ..settings.clone()
                },
                "records_per_push",
            ),
            (
                PushSettings {
                    in_flight: 0,
                    ..settings.clone()
                },
                "in_flight",
            ),
            (
                PushSettings {
                    settle_ms: 60_001,
                    ..settings.clone()
                },
                "settle_ms",
            ),
        ] {
            let error = wrong.validate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(
                error.context().any(|pair| pair == ("field", field)),
                "{error}"
            );
        }
    }
}
