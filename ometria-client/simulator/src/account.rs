//! The whole state of the simulated account.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::Response;
use serde_json::{Map, Value};

use crate::deletions::Deletions;
use crate::faults::{Faults, Rejected, Rejection, RejectionRule};
use crate::incoming::{Flaw, flaw, text};
use crate::listings::{ConsentRules, Listings};
use crate::records::Rows;
use crate::response::{self, with_queue};
use crate::settings::{ErrorBody, Settings};
use crate::stats::{RateWindow, Stats};

/// Entries in the push error list.
const ERRORS_KEPT: usize = 100;

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) settings: Settings,
    pub(crate) listings: Listings,
    /// Orders, products and events, by type and id.
    pub(crate) objects: HashMap<(String, String), Box<str>>,
    pub(crate) errors: VecDeque<LateError>,
    pub(crate) unsubscribes: Vec<Unsubscribe>,
    pub(crate) deletions: Deletions,
    pub(crate) rows: Rows,
    pub(crate) faults: Faults,
    pub(crate) stats: Stats,
    pub(crate) push_rate: RateWindow,
    pub(crate) read_rate: RateWindow,
    pub(crate) deletion_rate: RateWindow,
    pub(crate) record_rate: RateWindow,
    rejections: Vec<RejectionRule>,
    queue: VecDeque<Pending>,
    drained_until: Option<DateTime<Utc>>,
    random: fastrand::Rng,
}

/// An accepted record that waits to be processed.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) record: Map<String, Value>,
    /// The record as it came.
    pub(crate) json: Box<str>,
    pub(crate) request_id: Arc<str>,
    pub(crate) reject: bool,
    pub(crate) accepted_at: DateTime<Utc>,
}

/// An entry of the push error list.
#[derive(Debug)]
pub(crate) struct LateError {
    pub(crate) flaw: Flaw,
    pub(crate) request_id: Arc<str>,
    pub(crate) record: Map<String, Value>,
    pub(crate) at: DateTime<Utc>,
}

/// Someone who left by another way than the API.
#[derive(Debug)]
pub(crate) struct Unsubscribe {
    pub(crate) email: String,
    pub(crate) way: &'static str,
    pub(crate) at: DateTime<Utc>,
}

impl Account {
    pub(crate) fn new(settings: Settings) -> Self {
        let (second, minute) = (TimeDelta::seconds(1), TimeDelta::minutes(1));
        let rules = ConsentRules {
            rules: settings.rules,
            unforced_update_lifts_force: settings.unforced_update_lifts_force,
        };
        Self {
            listings: Listings::new(rules),
            objects: HashMap::new(),
            errors: VecDeque::new(),
            unsubscribes: Vec::new(),
            deletions: Deletions::default(),
            rows: Rows::default(),
            faults: Faults::new(settings.seed),
            stats: Stats::default(),
            push_rate: RateWindow::new(settings.push_rate, second),
            read_rate: RateWindow::new(settings.read_rate, second),
            deletion_rate: RateWindow::new(settings.deletion_rate, minute),
            record_rate: RateWindow::new(settings.record.rate, second),
            rejections: Vec::new(),
            queue: VecDeque::new(),
            drained_until: None,
            random: fastrand::Rng::with_seed(settings.seed ^ 0x5eed),
            settings,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.settings.now)()
    }

    /// Does what became due: queued records and data deletions.
    pub(crate) fn catch_up(&mut self) {
        let now = self.now();
        self.deletions.complete(&mut self.listings, now);
        let Some(rate) = self.settings.drain_rate else {
            return;
        };
        let since = self.drained_until.unwrap_or(now);
        let micros = (now - since).num_microseconds().unwrap_or(i64::MAX).max(0);
        let due = i128::from(micros) * i128::from(rate) / 1_000_000;
        let due = usize::try_from(due).unwrap_or(usize::MAX);
        if due >= self.queue.len() {
            self.drain();
            self.drained_until = Some(now);
        } else {
            for _ in 0..due {
                self.process_next();
            }
            // Only the time that was used up is spent, so that no part of a record is lost between calls.
            let spent = due as u64 * 1_000_000 / u64::from(rate.max(1));
            let spent = i64::try_from(spent).unwrap_or(i64::MAX);
            self.drained_until = Some(since + TimeDelta::microseconds(spent));
        }
    }

    /// Processes everything that waits.
    pub(crate) fn drain(&mut self) {
        while self.process_next() {}
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn enqueue(&mut self, pending: Pending) {
        self.queue.push_back(pending);
        if self.settings.drain_rate.is_none() {
            self.process_next();
        }
    }

    fn process_next(&mut self) -> bool {
        let Some(pending) = self.queue.pop_front() else {
            return false;
        };
        let Pending {
            record,
            json,
            request_id,
            reject,
            accepted_at,
        } = pending;
        let flaw = flaw(&record).or_else(|| reject.then(|| Flaw::at("id")));
        let at = self.now();
        if let Some(flaw) = flaw {
            self.stats.rejected_late += 1;
            self.remember(LateError {
                flaw,
                request_id,
                record,
                at,
            });
        } else if text(&record, "@type") == Some("contact") {
            self.listings.apply(record, &json, accepted_at, at);
        } else {
            let name = |field| text(&record, field).unwrap_or_default().to_owned();
            self.objects.insert((name("@type"), name("id")), json);
        }
        true
    }

    pub(crate) fn remember(&mut self, error: LateError) {
        if self.errors.len() == ERRORS_KEPT {
            self.errors.pop_front();
        }
        self.errors.push_back(error);
    }

    pub(crate) fn reject(&mut self, which: Rejected, how: Rejection) {
        self.rejections.push(RejectionRule {
            which,
            how,
            seen: 0,
        });
    }

    pub(crate) fn clear_rejections(&mut self) {
        self.rejections.clear();
    }

    /// Whether a rule rejects the record with this id; all rules count it.
    pub(crate) fn rejection(&mut self, id: &str) -> Option<Rejection> {
        self.rejections.iter_mut().fold(None, |found, rule| {
            let applies = rule.applies(id);
            found.or(applies.then_some(rule.how))
        })
    }

    /// A UUID-shaped id.
    pub(crate) fn next_id(&mut self) -> String {
        let (high, low) = (self.random.u64(..), self.random.u64(..));
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }

    /// Adds the queue's size to an answer, when the account shows it.
    pub(crate) fn with_queue_size(&self, response: Response<Bytes>) -> Response<Bytes> {
        if !self.settings.queue_headers {
            return response;
        }
        let limit = self.settings.backlog_limit;
        with_queue(response, limit, limit.saturating_sub(self.queue.len()))
    }

    pub(crate) fn too_many(message: &str) -> Response<Bytes> {
        response::error(429, message, ErrorBody::Json)
    }
}
