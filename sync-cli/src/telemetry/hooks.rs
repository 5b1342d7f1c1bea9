//! What clients, source and sink tell about their work, as metrics and log lines.

use std::fmt;
use std::sync::Arc;

use sync_mailchimp::{Notice, ReadHooks};
use sync_ometria::{DeliveryEvent, DeliveryHooks};

use super::metrics::Metrics;

/// Turns what clients, source and sink tell into metrics and log lines.
///
/// Path templates, statuses, durations and record keys only: no addresses, no API keys.
pub struct WireHooks {
    metrics: Option<Arc<Metrics>>,
}

impl WireHooks {
    /// Counts into `metrics`, if there are any.
    pub fn new(metrics: Option<Arc<Metrics>>) -> Self {
        Self { metrics }
    }
}

impl mailchimp_client::Hooks for WireHooks {
    fn on_request(&self, event: &mailchimp_client::RequestEvent<'_>) {
        let outcome = mailchimp_outcome(event.outcome);
        tracing::trace!(
            api = "mailchimp",
            method = %event.method,
            path = event.path,
            outcome,
            attempt = event.attempt,
            milliseconds = u64::try_from(event.elapsed.as_millis()).unwrap_or(u64::MAX),
            bytes = event.response_bytes,
            connections = event.limit,
            "request"
        );
        if let Some(metrics) = &self.metrics {
            let endpoint = format!("{} {}", event.method, event.path);
            let bytes = event.response_bytes;
            metrics.request("mailchimp", endpoint, outcome, event.elapsed, bytes);
        }
    }

    fn on_retry(&self, event: &mailchimp_client::RetryEvent<'_>) {
        tracing::debug!(
            api = "mailchimp",
            method = %event.method,
            path = event.path,
            outcome = mailchimp_outcome(event.outcome),
            attempt = event.attempt,
            wait_milliseconds = u64::try_from(event.wait.as_millis()).unwrap_or(u64::MAX),
            "request failed and is repeated"
        );
        if let Some(metrics) = &self.metrics {
            metrics.retry("mailchimp");
        }
    }
}

fn mailchimp_outcome(outcome: mailchimp_client::Outcome) -> String {
    match outcome {
        mailchimp_client::Outcome::Status(status) => status.to_string(),
        mailchimp_client::Outcome::Failed(kind) => format!("{kind:?}").to_ascii_lowercase(),
        mailchimp_client::Outcome::TooLarge => "too_large".to_owned(),
        _ => "other".to_owned(),
    }
}

impl ometria_client::Hooks for WireHooks {
    fn on_request(&self, event: &ometria_client::RequestEvent) {
        let outcome = event.outcome.as_str();
        tracing::trace!(
            api = "ometria",
            endpoint = event.endpoint,
            outcome,
            attempt = event.attempt,
            milliseconds = u64::try_from(event.elapsed.as_millis()).unwrap_or(u64::MAX),
            records = event.records,
            "request"
        );
        if let Some(wait) = event.retry_in {
            tracing::debug!(
                api = "ometria",
                endpoint = event.endpoint,
                outcome,
                attempt = event.attempt,
                wait_milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                "request failed and is repeated"
            );
        }
        if let Some(metrics) = &self.metrics {
            let endpoint = event.endpoint.to_owned();
            metrics.request("ometria", endpoint, outcome.to_owned(), event.elapsed, 0);
            if event.retry_in.is_some() {
                metrics.retry("ometria");
            }
        }
    }
}

impl ReadHooks for WireHooks {
    fn on_notice(&self, of: &str, notice: &Notice) {
        let list_id = of;
        match notice {
            Notice::ServerTimeDistrusted { server, local } => tracing::warn!(
                list_id,
                server = server.map(|time| time.to_rfc3339()),
                local = %local.to_rfc3339(),
                "the server's time is missing or far from ours; progress is counted up to the newest member only"
            ),
            Notice::PageShrunk { count } => {
                tracing::info!(
                    list_id,
                    count,
                    "a page failed and is asked for in smaller parts"
                );
            }
            Notice::SecondReadAgain { second } => tracing::debug!(
                list_id,
                second = %second.to_rfc3339(),
                "members of one second changed while it was read; reading it again"
            ),
            Notice::PartPutOff { part } => {
                tracing::info!(
                    list_id,
                    part,
                    "a window could not be read; trying again at the end"
                );
            }
            Notice::OperationFailed { part, status } => {
                tracing::info!(
                    stream = of,
                    part,
                    status,
                    "an operation of a batch failed; asking for it by itself"
                );
            }
            Notice::PartsUnreachable {
                parts,
                part,
                reason,
            } => {
                tracing::warn!(
                    stream = of,
                    parts,
                    part,
                    reason,
                    "parts of a stream are left out: the API cannot be asked for them"
                );
            }
            Notice::BatchGivenUp { batch_id, reason } => {
                tracing::warn!(
                    stream = of,
                    batch_id,
                    reason,
                    "a batch was given up; reading pages instead"
                );
            }
            _ => {}
        }
    }
}

impl DeliveryHooks for WireHooks {
    fn on_event(&self, event: &DeliveryEvent<'_>) {
        let (kind, count) = match event {
            DeliveryEvent::Posted { records, opt_outs } => {
                tracing::trace!(records, opt_outs, "posted");
                return;
            }
            DeliveryEvent::Noticed { key, notice } => {
                tracing::debug!(%key, notice = notice.as_str(), "notice");
                (notice.as_str(), 1)
            }
            DeliveryEvent::Replaced => ("replaced", 1),
            DeliveryEvent::Halved { records } => {
                tracing::debug!(records, "some records were refused; looking for them");
                ("halved", 1)
            }
            DeliveryEvent::RefusedTooLate { key } => {
                tracing::warn!(
                    %key,
                    "Ometria refused a record after it was counted as delivered; replay it"
                );
                ("refused_too_late", 1)
            }
            DeliveryEvent::ErrorsWithoutRecord { errors } => {
                tracing::warn!(
                    errors,
                    "Ometria lists errors that name no record; look at its push error page"
                );
                (
                    "errors_without_record",
                    u64::try_from(*errors).unwrap_or(u64::MAX),
                )
            }
            DeliveryEvent::ErrorListOverflowed => {
                tracing::warn!(
                    "Ometria lists a hundred errors, all new, and there may be more; correct what failures lists, then rewind with --resend"
                );
                ("error_list_overflowed", 1)
            }
            _ => return,
        };
        if let Some(metrics) = &self.metrics {
            metrics.notice(kind, count);
        }
    }
}

impl fmt::Debug for WireHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireHooks")
            .field("metrics", &self.metrics.is_some())
            .finish()
    }
}
