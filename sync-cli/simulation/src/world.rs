//! Everything outside the importer: both services, the people, the clocks, the disk, and what a watcher wrote down.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use mailchimp_simulator::{
    AudienceHandle, AudienceSpec, DateHeader, Fault, MailchimpSimulator, Rule, Spread, StatusMix,
    When,
};
use ometria_simulator::{
    ErrorShape, Fault as OmetriaFault, FaultRule, OmetriaSimulator, Rejected, Rejection, Rules,
    When as OmetriaWhen,
};

use sync_core::Clock;

use crate::people::People;
use crate::rows::RowStore;
use crate::scenario::{Scenario, ServerDate, SinkKind, stream};
use crate::time::Time;
use crate::trace::Trace;

/// A point in the servers' time.
type Moment = DateTime<Utc>;

/// The world that imports run in. It outlives every process.
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) time: Time,
    pub(crate) trace: Trace,
    pub(crate) mailchimp: MailchimpSimulator,
    pub(crate) ometria: OmetriaSimulator,
    /// What each import for rows has delivered.
    pub(crate) rows: BTreeMap<usize, Arc<RowStore>>,
    people: Mutex<People>,
    runs: Mutex<HashMap<usize, Vec<RunTimes>>>,
    violation: Mutex<Option<Violation>>,
    /// What commits of each import called complete, and when their runs began.
    promises: Mutex<HashMap<usize, Vec<(Moment, Moment)>>>,
    frozen: AtomicBool,
}

/// Something that must never be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise was broken.
    pub kind: Kind,
    /// How, with ids.
    pub what: String,
}

/// What an importer promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A checkpoint is never ahead of what the sink took.
    Checkpoint,
    /// Nobody who opted out is opted in.
    Consent,
    /// Never more requests in flight than the account has connections.
    Connections,
    /// Once the world stands still, one more pass makes the sink equal to the source.
    Ending,
    /// When nothing changed, nothing is sent.
    Idle,
    /// Runs end, and without anything in their way they end well.
    Progress,
    /// None of the importer's: the simulation itself does not work.
    Simulation,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// When a run of an import began and, if it was complete, when it ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunTimes {
    pub(crate) began: DateTime<Utc>,
    /// What the importer's clock said then.
    pub(crate) importer: DateTime<Utc>,
    pub(crate) completed: Option<DateTime<Utc>>,
}

impl World {
    /// Connections that Mailchimp gives to one user.
    pub(crate) const CONNECTIONS: usize = 10;
    /// The only credential.
    pub(crate) const MAILCHIMP_KEY: &'static str = "simulation-us1";
    /// The only credential.
    pub(crate) const OMETRIA_KEY: &'static str = "simulation";

    pub(crate) fn new(scenario: Scenario, keep_trace: bool) -> Arc<Self> {
        let time = Time::starting_now();
        let mailchimp = mailchimp(&scenario, &time);
        let ometria = ometria(&scenario, &time);
        let handles: Vec<_> = scenario
            .audiences
            .iter()
            .enumerate()
            .map(|(index, plan)| {
                let mut spec = AudienceSpec::new(audience_id(index), plan.members);
                spec.first_member = plan.first;
                spec.statuses = StatusMix {
                    subscribed: 70,
                    unsubscribed: 20,
                    cleaned: 5,
                    pending: 3,
                    transactional: 4,
                    archived: 8,
                };
                let (from, to) = (time.server() - TimeDelta::days(3), time.server());
                spec.spread = match plan.bursts {
                    0 => Spread::Scattered { from, to },
                    count => Spread::Bursts { count, from, to },
                };
                mailchimp.add_audience(spec)
            })
            .collect();
        if let Some(distance) = NonZeroUsize::new(scenario.reject_every) {
            let members = handles.iter().flat_map(AudienceHandle::members);
            // Ometria lists the latest hundred errors: of more, nobody can tell. A push that is repeated has its errors twice.
            let most = if scenario.reject_late { 40 } else { usize::MAX };
            let refused = members
                .step_by(distance.get())
                .take(most)
                .map(|member| member.contact_id);
            let how = if scenario.reject_late {
                Rejection::Late
            } else {
                Rejection::AtOnce
            };
            ometria.reject(Rejected::Ids(refused.collect()), how);
        }
        let rng = stream(scenario.seed, "people");
        let people = People::new(rng, scenario.mutations, scenario.future_stamps, handles);
        let rows = scenario
            .imports
            .iter()
            .enumerate()
            .filter(|(_, import)| import.sink == SinkKind::Rows)
            .map(|(index, _)| (index, Arc::default()))
            .collect();
        let world = Arc::new(Self {
            trace: Trace::new(time.begun(), keep_trace),
            time,
            mailchimp,
            ometria,
            rows,
            people: Mutex::new(people),
            runs: Mutex::default(),
            violation: Mutex::default(),
            promises: Mutex::default(),
            frozen: AtomicBool::new(false),
            scenario,
        });
        let watched = Arc::downgrade(&world);
        world.mailchimp.on_request(When::Before, move |_, _| {
            let Some(world) = watched.upgrade() else {
                return;
            };
            let chance = world.scenario.mutation_chance;
            if world.people().chance(chance) {
                world.act();
            }
        });
        world
    }

    pub(crate) fn people(&self) -> MutexGuard<'_, People> {
        lock(&self.people)
    }

    /// Something happens in an audience; `false` when nothing is left to happen.
    pub(crate) fn act(&self) -> bool {
        let done = self.people().act(self.time.server());
        if let Some(what) = &done {
            self.trace.line(format_args!("people: {what}"));
        }
        done.is_some()
    }

    /// Changes that come by themselves, until there are none left.
    pub(crate) async fn live(self: Arc<Self>) {
        let mut rng = stream(self.scenario.seed, "life");
        loop {
            tokio::time::sleep(drawn_around(&mut rng, self.scenario.mutation_gap)).await;
            if !self.act() {
                return;
            }
        }
    }

    /// No more changes, no more faults, and clocks that are right.
    pub(crate) fn freeze(&self) {
        self.frozen.store(true, Ordering::Relaxed);
        self.people().freeze();
        self.mailchimp.faults().clear();
        self.ometria.heal();
        self.time.correct();
        self.trace.line(format_args!("the world is frozen"));
    }

    /// Whether nothing goes wrong on purpose any more.
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Relaxed)
    }

    /// Writes down what must never be. The first counts.
    pub(crate) fn fail(&self, kind: Kind, what: String) {
        self.trace.line(format_args!("VIOLATION: {what}"));
        lock(&self.violation).get_or_insert(Violation { kind, what });
    }

    /// The moment up to which everything that showed is covered by a commit of `until`: when the run began that was the
    /// first to say so.
    pub(crate) fn covers(&self, import: usize, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let began = self.latest_run(import)?;
        let mut promises = lock(&self.promises);
        let promises = promises.entry(import).or_default();
        promises.push((until, began));
        promises
            .iter()
            .filter(|(other, _)| *other >= until)
            .map(|(_, began)| *began)
            .min()
    }

    pub(crate) fn violation(&self) -> Option<Violation> {
        lock(&self.violation).clone()
    }

    /// Notes that a run began; the import is at its position in the scenario.
    pub(crate) fn run_began(&self, import: usize) {
        let times = RunTimes {
            began: self.time.server(),
            importer: self.time.now(),
            completed: None,
        };
        lock(&self.runs).entry(import).or_default().push(times);
    }

    /// Notes that the latest run was complete.
    pub(crate) fn run_completed(&self, import: usize) {
        if let Some(run) = lock(&self.runs).entry(import).or_default().last_mut() {
            run.completed = Some(self.time.server());
        }
    }

    pub(crate) fn runs(&self, import: usize) -> Vec<RunTimes> {
        lock(&self.runs).get(&import).cloned().unwrap_or_default()
    }

    /// Whether a change showed, and was old enough, for a run to be read by it.
    ///
    /// A run ends its range by the server's clock or by its own, whichever is behind, and stays two whole seconds behind
    /// that.
    pub(crate) fn is_readable_by(&self, run: &RunTimes, stamped: DateTime<Utc>) -> bool {
        let server = match self.scenario.date {
            ServerDate::Right | ServerDate::Missing => run.began,
            ServerDate::Off(seconds) => run.began + TimeDelta::seconds(seconds),
        };
        self.shows(stamped) <= run.began
            && stamped + TimeDelta::seconds(3) <= server.min(run.importer)
    }

    /// Whether imports pass over the opt-outs of all audiences before they opt anybody in.
    pub(crate) fn has_passes(&self) -> bool {
        let imports = self.scenario.imports.iter();
        let contacts = imports.filter(|import| import.sink == SinkKind::Contacts);
        contacts.count() > 1
    }

    /// When the latest run of an import began.
    pub(crate) fn latest_run(&self, import: usize) -> Option<DateTime<Utc>> {
        lock(&self.runs).get(&import)?.last().map(|run| run.began)
    }

    /// The moment by which a change made now shows everywhere, whole seconds allowed for.
    pub(crate) fn shows(&self, changed: DateTime<Utc>) -> DateTime<Utc> {
        self.shows_somewhere(changed) + TimeDelta::seconds(1)
    }

    /// The moment from which a change made now shows to who asks without an upper bound.
    pub(crate) fn shows_somewhere(&self, changed: DateTime<Utc>) -> DateTime<Utc> {
        let lag = TimeDelta::from_std(self.scenario.visibility_lag).unwrap_or(TimeDelta::MAX);
        changed + lag
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("scenario", &self.scenario)
            .finish_non_exhaustive()
    }
}

/// The id of the audience at this position.
pub(crate) fn audience_id(index: usize) -> String {
    format!("audience{index}")
}

/// A wait of this length on average, never zero.
pub(crate) fn drawn_around(rng: &mut Rng, mean: Duration) -> Duration {
    mean.mul_f64(2.0 * rng.f64()).max(Duration::from_millis(1))
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn mailchimp(scenario: &Scenario, time: &Time) -> MailchimpSimulator {
    let clock = time.clone();
    let now = Arc::new(move || clock.server());
    let mut settings = mailchimp_simulator::Settings::new(World::MAILCHIMP_KEY, now);
    settings.seed = scenario.seed;
    settings.latency = scenario.latency;
    settings.visibility_lag = scenario.visibility_lag;
    settings.connections = World::CONNECTIONS;
    settings.since_inclusive = scenario.filters.since_includes;
    settings.before_inclusive = scenario.filters.before_includes;
    settings.date_header = match scenario.date {
        ServerDate::Right => DateHeader::Right,
        ServerDate::Missing => DateHeader::Missing,
        ServerDate::Off(seconds) => DateHeader::Skewed(TimeDelta::seconds(seconds)),
    };
    let simulator = MailchimpSimulator::new(settings);
    if scenario.mailchimp_faults > 0.0 {
        let mut rng = stream(scenario.seed, "mailchimp faults");
        let mut kinds = vec![
            Fault::Status429,
            Fault::Status429Empty,
            Fault::Status403Html,
            Fault::Status5xxHtml(502),
            Fault::Status5xxJson,
            Fault::GatewayTimeout,
            Fault::CutBody,
            Fault::Reset,
            Fault::Hang,
            Fault::Garbage,
            Fault::EmptyBody,
            Fault::ReplyLost,
            Fault::Unsorted,
            Fault::EmptyPage,
            Fault::WrongTotal(3),
            Fault::Slow(Duration::from_secs(40)),
        ];
        rng.shuffle(&mut kinds);
        kinds.truncate(rng.usize(1..5));
        let each = scenario.mailchimp_faults / kinds.len() as f64;
        if scenario.totals_low_by > 0 {
            // Nothing tells a page that is empty by mistake from the end, if the total is wrong besides.
            kinds.retain(|fault| *fault != Fault::EmptyPage);
        }
        for fault in kinds {
            simulator.faults().add(Rule::new(fault).chance(each));
        }
    }
    if scenario.totals_low_by > 0 {
        let low = Fault::WrongTotal(-i64::from(scenario.totals_low_by));
        simulator.faults().add(Rule::new(low).chance(0.5));
    }
    simulator
}

fn ometria(scenario: &Scenario, time: &Time) -> OmetriaSimulator {
    let clock = time.clone();
    let now = Arc::new(move || clock.server());
    let mut settings = ometria_simulator::Settings::new(World::OMETRIA_KEY, now);
    settings.seed = scenario.seed;
    settings.latency = scenario.latency / 2;
    settings.error_shape = ErrorShape::Long;
    settings.drain_rate = scenario.drain_rate;
    if scenario.older_rules {
        settings.rules = Rules::Older;
    }
    let simulator = OmetriaSimulator::new(settings);
    if scenario.sink_faults > 0.0 {
        let mut rng = stream(scenario.seed, "ometria faults");
        let mut kinds = vec![
            OmetriaFault::status(429),
            OmetriaFault::status(500),
            OmetriaFault::status(503),
            OmetriaFault::html(502),
            OmetriaFault::QueueFull,
            OmetriaFault::Reset,
            OmetriaFault::Hang,
            OmetriaFault::ReplyLost,
            OmetriaFault::CutBody { sent: 9 },
            OmetriaFault::Slow(Duration::from_secs(20)),
        ];
        rng.shuffle(&mut kinds);
        kinds.truncate(rng.usize(1..4));
        let each = scenario.sink_faults / kinds.len() as f64;
        for fault in kinds {
            simulator.inject(FaultRule::new(fault, OmetriaWhen::Randomly(each)));
        }
    }
    simulator
}
