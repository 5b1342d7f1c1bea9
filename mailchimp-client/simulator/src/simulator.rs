//! The simulator itself: one request in, one reply out.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chrono::{DateTime, Utc};
use http::{HeaderMap, Method};
use loopback::{Outcome, Reply, Request, Simulator};

use crate::account::{self, Account};
use crate::account_spec::AccountSpec;
use crate::audience::{Audience, Moment};
use crate::changes::AudienceHandle;
use crate::connections::Connections;
use crate::faults::{CALL_LIMIT, Fault, Faults};
use crate::incoming::{Incoming, RequestInfo};
use crate::outside::Place;
use crate::problem::Problem;
use crate::query::{Call, Twist};
use crate::render::Answer;
use crate::response::{self, Envelope};
use crate::settings::Settings;
use crate::spec::AudienceSpec;
use crate::stats::Stats;
use crate::timestamp;

/// A simulated Mailchimp account. Cheap to clone; clones are the same account.
#[derive(Clone)]
pub struct MailchimpSimulator(Arc<Inner>);

struct Inner {
    settings: Settings,
    account: RwLock<Account>,
    connections: Connections,
    faults: Faults,
    hooks: Mutex<Vec<(When, Hook)>>,
    stats: Mutex<Stats>,
    requests: AtomicU64,
}

type Hook = Arc<dyn Fn(&RequestInfo, &MailchimpSimulator) + Send + Sync>;

/// Whether a hook runs before a request is carried out, or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Its changes are in the answer.
    Before,
    /// The answer is made, its changes come after.
    After,
}

/// What endpoints know besides the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) now: DateTime<Utc>,
    /// Scheme and host of links, without a trailing slash.
    pub(crate) origin: &'a str,
}

/// A [`Context`] outside a request.
pub(crate) struct OwnContext {
    settings: Settings,
    now: DateTime<Utc>,
}

impl Context<'_> {
    /// The whole second of now.
    pub(crate) fn second(&self) -> u32 {
        timestamp::seconds(self.now)
    }

    /// A change made now.
    pub(crate) fn moment(&self) -> Moment {
        Moment::new(self.now, self.now, self.settings.visibility_lag)
    }
}

impl OwnContext {
    pub(crate) fn as_context(&self) -> Context<'_> {
        Context {
            settings: &self.settings,
            now: self.now,
            origin: "",
        }
    }
}

impl MailchimpSimulator {
    /// An account without audiences.
    pub fn new(settings: Settings) -> Self {
        let faults = Faults::default();
        Self(Arc::new(Inner {
            connections: Connections::new(settings.connections),
            settings,
            account: RwLock::new(Account::new(faults.clone())),
            faults,
            hooks: Mutex::default(),
            stats: Mutex::default(),
            requests: AtomicU64::new(0),
        }))
    }

    /// Makes an audience with its generated members; one of the same id is replaced.
    pub fn add_audience(&self, spec: AudienceSpec) -> AudienceHandle {
        let settings = &self.0.settings;
        let now = timestamp::seconds((settings.now)());
        let handle = self.audience(&spec.id);
        self.account().add(spec, settings, now);
        handle
    }

    /// Makes everything that a spec asks for. What the account had of the same kind, such as campaigns, is replaced;
    /// audiences only by those of the same id.
    pub fn fill(&self, spec: AccountSpec) {
        let settings = &self.0.settings;
        let now = timestamp::seconds((settings.now)());
        self.account().fill(spec, settings, now);
    }

    /// Deletes an audience; `false` when there is none of this id.
    pub fn delete_audience(&self, id: &str) -> bool {
        self.account().delete(id)
    }

    /// The audience with this id, whether it exists or not.
    pub fn audience(&self, id: &str) -> AudienceHandle {
        AudienceHandle::new(self.clone(), id.to_owned())
    }

    /// Calls `hook` for every request that gets past credential and throttle, so that a test can change an audience
    /// between two pages. A hook must not call [`Simulator::handle`].
    pub fn on_request(
        &self,
        when: When,
        hook: impl Fn(&RequestInfo, &MailchimpSimulator) + Send + Sync + 'static,
    ) {
        lock(&self.0.hooks).push((when, Arc::new(hook)));
    }

    /// What goes wrong on purpose.
    pub fn faults(&self) -> Faults {
        self.0.faults.clone()
    }

    /// What was asked so far.
    pub fn stats(&self) -> Stats {
        let mut stats = lock(&self.0.stats).clone();
        (stats.in_flight, stats.max_in_flight) = self.0.connections.used();
        stats
    }

    /// Starts all counts from zero.
    pub fn reset_stats(&self) {
        *lock(&self.0.stats) = Stats::default();
        self.0.connections.forget_maximum();
    }

    pub(crate) fn seed(&self) -> u64 {
        self.0.settings.seed
    }

    pub(crate) fn context(&self) -> OwnContext {
        OwnContext {
            settings: self.0.settings.clone(),
            now: (self.0.settings.now)(),
        }
    }

    pub(crate) fn moment(&self, stamp: Option<DateTime<Utc>>) -> Moment {
        let now = (self.0.settings.now)();
        Moment::new(stamp.unwrap_or(now), now, self.0.settings.visibility_lag)
    }

    pub(crate) fn with_account<T>(&self, act: impl FnOnce(&mut Account) -> T) -> T {
        act(&mut self.account())
    }

    pub(crate) fn look_at_account<T>(&self, look: impl FnOnce(&Account) -> T) -> T {
        look(&self.account_unchanged())
    }

    pub(crate) fn with_audience<T>(
        &self,
        id: &str,
        act: impl FnOnce(&mut Audience) -> T,
    ) -> Option<T> {
        self.account().audience_mut(id).map(act)
    }

    pub(crate) fn look<T>(&self, id: &str, look: impl FnOnce(&Audience) -> T) -> Option<T> {
        self.account_unchanged().audience(id).map(look)
    }

    fn account(&self) -> RwLockWriteGuard<'_, Account> {
        self.0
            .account
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn account_unchanged(&self) -> RwLockReadGuard<'_, Account> {
        self.0
            .account
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn run_hooks(&self, when: When, request: &RequestInfo) {
        let hooks: Vec<Hook> = lock(&self.0.hooks)
            .iter()
            .filter(|(at, _)| *at == when)
            .map(|(_, hook)| Arc::clone(hook))
            .collect();
        for hook in hooks {
            hook(request, self);
        }
    }

    fn count(&self, count: impl FnOnce(&mut Stats)) {
        count(&mut lock(&self.0.stats));
    }

    /// Refuses, throttles or carries out a request.
    fn serve(&self, request: &Incoming, origin: &str, envelope: &Envelope) -> Reply {
        let settings = &self.0.settings;
        let refuse = |problem: &Problem| {
            self.count(|stats| *stats.answers.entry(problem.status).or_default() += 1);
            let response = envelope.problem(problem);
            Reply {
                after: settings.latency,
                ..Reply::now(response)
            }
        };
        if let Err(problem) = request.admitted(settings) {
            return refuse(&problem);
        }
        let Some(slot) = self.0.connections.take() else {
            self.count(|stats| stats.throttled += 1);
            return refuse(&Problem::too_many_requests());
        };
        self.run_hooks(When::Before, &request.info);
        let fault = self.0.faults.strike(&request.info, settings.seed);
        let mut reply = self.answer(request, origin, envelope, fault);
        self.run_hooks(When::After, &request.info);
        reply.slot = Some(Box::new(slot));
        reply
    }

    /// Gives out what is no part of the API: it takes no connection of the user's and no credential.
    fn serve_outside(
        &self,
        place: Place<'_>,
        number: u64,
        parts: &http::request::Parts,
        origin: &str,
        envelope: &Envelope,
    ) -> Reply {
        let settings = &self.0.settings;
        let info = place.info(number, parts);
        self.count(|stats| *stats.requests.entry(info.operation()).or_default() += 1);
        let fault = self.0.faults.strike(&info, settings.seed);
        let mut after = settings.latency;
        match fault {
            Some(Fault::Slow(longer)) => after = after.saturating_add(longer),
            Some(Fault::Hang | Fault::GatewayTimeout) => after = CALL_LIMIT,
            _ => {}
        }
        let instead = fault.and_then(|fault| response::instead(fault, envelope));
        let outcome = instead.unwrap_or_else(|| {
            let context = Context {
                settings,
                now: (settings.now)(),
                origin,
            };
            let response = place.response(&self.account_unchanged(), &context, parts);
            response::left_of(response, fault)
        });
        Reply {
            after,
            outcome,
            slot: None,
        }
    }

    /// Carries out a request, with what goes wrong.
    fn answer(
        &self,
        request: &Incoming,
        origin: &str,
        envelope: &Envelope,
        fault: Option<Fault>,
    ) -> Reply {
        let settings = &self.0.settings;
        let skipped = request
            .call
            .query
            .get("offset")
            .and_then(|offset| offset.parse().ok());
        let depth = settings
            .latency_per_offset_row
            .saturating_mul(skipped.unwrap_or(0));
        let mut after = settings.latency.saturating_add(depth);
        if let Some(instead) = fault.and_then(|fault| response::instead(fault, envelope)) {
            if matches!(fault, Some(Fault::Hang | Fault::GatewayTimeout)) {
                after = CALL_LIMIT;
            }
            if let Outcome::Response(response) = &instead {
                let status = response.status().as_u16();
                self.count(|stats| *stats.answers.entry(status).or_default() += 1);
            }
            return Reply {
                after,
                outcome: instead,
                slot: None,
            };
        }
        let mut call = request.call.clone();
        call.twist = match fault {
            Some(Fault::WrongTotal(delta)) => Twist {
                total: delta,
                ..Twist::default()
            },
            Some(Fault::Unsorted) => Twist {
                shuffle: Some(request.info.number),
                ..Twist::default()
            },
            Some(Fault::EmptyPage) => Twist {
                empty: true,
                ..Twist::default()
            },
            _ => Twist::default(),
        };
        if let Some(Fault::Slow(longer)) = fault {
            after = after.saturating_add(longer);
        }
        let carried_out = self.carry_out(&call, origin).map(|answer| match fault {
            Some(Fault::Without(key)) => answer.with_rows(|row| {
                row.remove(key);
            }),
            Some(Fault::Null(key)) => answer.with_rows(|row| {
                row.insert(key.to_owned(), serde_json::Value::Null);
            }),
            _ => answer,
        });
        let response = match carried_out {
            Ok(answer) => {
                self.count(|stats| {
                    *stats.answers.entry(answer.status).or_default() += 1;
                    stats.rows += answer.rows as u64;
                    stats.bytes += answer.body.len() as u64;
                });
                envelope.answer(answer)
            }
            Err(problem) => {
                self.count(|stats| *stats.answers.entry(problem.status).or_default() += 1);
                envelope.problem(&problem)
            }
        };
        Reply {
            after,
            outcome: response::left_of(response, fault),
            slot: None,
        }
    }

    fn carry_out(&self, call: &Call, origin: &str) -> Result<Answer, Problem> {
        let settings = &self.0.settings;
        let now = (settings.now)();
        let context = Context {
            settings,
            now,
            origin,
        };
        if call.method == Method::GET {
            // Pages are written side by side: a simulator that does one at a time would be what a benchmark measures.
            let account = self.account_unchanged();
            if !account.is_behind(&context) {
                return account::read(&account, &context, call);
            }
        }
        let mut account = self.account();
        account.pass_time(&context);
        account::answer(&mut account, &context, call)
    }
}

impl Simulator for MailchimpSimulator {
    fn handle(&self, request: Request) -> Reply {
        let number = self.0.requests.fetch_add(1, Ordering::Relaxed);
        let settings = &self.0.settings;
        let (parts, body) = request.into_parts();
        let envelope = Envelope::new(settings, number, &parts.headers);
        let origin = origin(settings, &parts.headers);
        if let Some(place) = Place::at(parts.uri.path()) {
            return self.serve_outside(place, number, &parts, &origin, &envelope);
        }
        let request = Incoming::new(number, &parts, body);
        let operation = request.info.operation();
        self.count(|stats| *stats.requests.entry(operation).or_default() += 1);
        self.serve(&request, &origin, &envelope)
    }
}

impl fmt::Debug for MailchimpSimulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailchimpSimulator")
            .field("settings", &self.0.settings)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// Where links lead. A host that would need escaping in JSON is not repeated.
fn origin(settings: &Settings, headers: &HeaderMap) -> String {
    if let Some(origin) = &settings.public_origin {
        return origin.clone();
    }
    let host = headers
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok());
    let plain = |host: &&str| {
        host.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte))
    };
    format!("http://{}", host.filter(plain).unwrap_or("mailchimp.test"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
