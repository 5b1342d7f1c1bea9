//! What goes wrong, and when.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use loopback::Request;

use crate::settings::ErrorBody;

/// Something that goes wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing is done and this is the answer.
    Status {
        /// HTTP status.
        status: u16,
        /// Form of the body.
        body: ErrorBody,
        /// Value of a `Retry-After` header, in seconds.
        retry_after: Option<u64>,
    },
    /// Nothing is done, and a 429 says in its headers that the queue is full.
    QueueFull,
    /// Nothing is done and the connection closes.
    Reset,
    /// Nothing is done and no answer ever comes.
    Hang,
    /// The request is carried out and the connection closes without an answer.
    ReplyLost,
    /// The request is carried out and only so many bytes of the answer arrive.
    CutBody {
        /// Bytes that arrive.
        sent: usize,
    },
    /// The request is carried out and the answer takes this much longer.
    Slow(Duration),
    /// The record endpoint takes all rows and says that it took this many fewer.
    CountShort(u64),
}

impl Fault {
    /// This status with a JSON body.
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            body: ErrorBody::Json,
            retry_after: None,
        }
    }

    /// This status with a page, as a proxy in between writes it.
    pub fn html(status: u16) -> Self {
        Self::Status {
            status,
            body: ErrorBody::Html,
            retry_after: None,
        }
    }
}

/// When a fault strikes, counted among the requests its rule is about.
#[derive(Clone)]
#[non_exhaustive]
pub enum When {
    /// Every time.
    Always,
    /// The `n`-th request, counted from 1 at the time the rule is added.
    Nth(u64),
    /// The first `n` requests.
    First(u64),
    /// Every `n`-th request; never for 0.
    Every(u64),
    /// With this probability, drawn from the simulator's seed.
    Randomly(f64),
    /// Whenever this says so.
    If(Arc<dyn Fn(&Request) -> bool + Send + Sync>),
}

impl fmt::Debug for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("Always"),
            Self::Nth(n) => write!(f, "Nth({n})"),
            Self::First(n) => write!(f, "First({n})"),
            Self::Every(n) => write!(f, "Every({n})"),
            Self::Randomly(p) => write!(f, "Randomly({p})"),
            Self::If(_) => f.write_str("If(..)"),
        }
    }
}

/// A fault, when it strikes, and which requests it is about.
#[derive(Clone, Debug)]
pub struct FaultRule {
    fault: Fault,
    when: When,
    path: Option<String>,
    seen: u64,
}

impl FaultRule {
    /// A rule about all requests.
    pub fn new(fault: Fault, when: When) -> Self {
        Self {
            fault,
            when,
            path: None,
            seen: 0,
        }
    }

    /// Only about requests to this path, without the leading `/v2`, such as `/push`.
    #[must_use]
    pub fn on(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    fn strikes(&mut self, path: &str, request: &Request, random: &mut fastrand::Rng) -> bool {
        if self.path.as_deref().is_some_and(|only| only != path) {
            return false;
        }
        self.seen += 1;
        match &self.when {
            When::Always => true,
            When::Nth(n) => self.seen == *n,
            When::First(n) => self.seen <= *n,
            When::Every(n) => self.seen.checked_rem(*n) == Some(0),
            When::Randomly(probability) => random.f64() < *probability,
            When::If(predicate) => predicate(request),
        }
    }
}

/// The rules in force.
#[derive(Debug)]
pub(crate) struct Faults {
    rules: Vec<FaultRule>,
    random: fastrand::Rng,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    pub(crate) fn add(&mut self, rule: FaultRule) {
        self.rules.push(rule);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The first rule that strikes decides; all rules count the request.
    pub(crate) fn strike(&mut self, path: &str, request: &Request) -> Option<Fault> {
        let mut struck = None;
        for rule in &mut self.rules {
            if rule.strikes(path, request, &mut self.random) && struck.is_none() {
                struck = Some(rule.fault.clone());
            }
        }
        struck
    }
}

/// Which pushed records are rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejected {
    /// Every `n`-th record, counted from 1 at the time the rule is added; never for 0.
    Every(u64),
    /// Records with these ids.
    Ids(Vec<String>),
}

/// When the sender of a rejected record hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// In the `rejected` count of the answer.
    AtOnce,
    /// Never in the answer; later in the push error list.
    Late,
}

#[derive(Debug)]
pub(crate) struct RejectionRule {
    pub(crate) which: Rejected,
    pub(crate) how: Rejection,
    pub(crate) seen: u64,
}

impl RejectionRule {
    pub(crate) fn applies(&mut self, id: &str) -> bool {
        self.seen += 1;
        match &self.which {
            Rejected::Every(n) => self.seen.checked_rem(*n) == Some(0),
            Rejected::Ids(ids) => ids.iter().any(|named| named == id),
        }
    }
}
