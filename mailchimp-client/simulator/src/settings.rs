//! What a simulated account is like.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::spec::Status;

/// Wall time as the simulated servers see it. Never called while the simulator holds a lock.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// How a simulated account behaves. Start from [`Settings::new`] and change what matters.
#[derive(Clone)]
pub struct Settings {
    /// The only credential that is accepted, as Basic password, `Bearer` or `OAuth` token, or `apikey` of a GET.
    pub api_key: String,
    /// Server time. Changes are stamped with its whole second.
    pub now: Clock,
    /// Decides generated members, ids and which requests meet random faults. Default 0.
    pub seed: u64,
    /// How long every answer takes. Default zero.
    pub latency: Duration,
    /// Added to the latency for each row that `offset` skips: deep pages of real audiences are slow. Default zero.
    pub latency_per_offset_row: Duration,
    /// Requests of this user that may run at once; one more gets 429. Default 10, as documented.
    pub connections: usize,
    /// The largest page. Default `Some(1000)`; `None` gives as many rows as `count` asks for. The live API accepts a
    /// larger `count`; whether it clamps the page has been reported but not seen.
    pub page_clamp: Option<u64>,
    /// Whether `since_last_changed` includes its own second. Default `false`, as seen on the live API.
    pub since_inclusive: bool,
    /// Whether `before_last_changed` includes its own second. Default `true`, as seen on the live API.
    pub before_inclusive: bool,
    /// Statuses left out of a member list that does not ask for a status. Default: archived only, which is known;
    /// whether the live list shows every other status is not.
    pub hidden_statuses: Vec<Status>,
    /// The `Date` header of answers. Default [`DateHeader::Right`].
    pub date_header: DateHeader,
    /// Time until a change shows in lists. The record itself, and the `last_changed` it carries, are current at once.
    /// Default zero.
    pub visibility_lag: Duration,
    /// Whether addresses at `example.com` are refused as fake, as the live API does. Default `false`.
    pub refuse_example_com: bool,
    /// Whether answers of 1 kB and more are compressed for clients that accept gzip. Default `false`: compressing costs
    /// more than everything else the simulator does.
    pub gzip: bool,
    /// Time a batch spends in each of `pending`, `preprocessing`, `started` and `finalizing`. Default zero: it is
    /// finished when it is looked at next.
    pub batch_step: Duration,
    /// Origin of the links in answers, those to batch results among them, without a trailing slash. Default `None`: the
    /// request's `Host` over plain http.
    pub public_origin: Option<String>,
}

/// What the `Date` header of an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DateHeader {
    /// The server's time.
    #[default]
    Right,
    /// Nothing: there is no such header.
    Missing,
    /// The server's time moved by this much.
    Skewed(TimeDelta),
}

impl Settings {
    /// An account with the documented behaviour and no latency.
    pub fn new(api_key: impl Into<String>, now: Clock) -> Self {
        Self {
            api_key: api_key.into(),
            now,
            seed: 0,
            latency: Duration::ZERO,
            latency_per_offset_row: Duration::ZERO,
            connections: 10,
            page_clamp: Some(1000),
            since_inclusive: false,
            before_inclusive: true,
            hidden_statuses: vec![Status::Archived],
            date_header: DateHeader::Right,
            visibility_lag: Duration::ZERO,
            refuse_example_com: false,
            gzip: false,
            batch_step: Duration::ZERO,
            public_origin: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("seed", &self.seed)
            .field("latency", &self.latency)
            .field("connections", &self.connections)
            .field("page_clamp", &self.page_clamp)
            .field("date_header", &self.date_header)
            .field("visibility_lag", &self.visibility_lag)
            .finish_non_exhaustive()
    }
}
