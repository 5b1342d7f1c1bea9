//! What a seed decides, as plain data, so that a failure can be made smaller by changing one number at a time.

use std::time::Duration;

use fastrand::Rng;

/// Everything that makes one simulated history differ from another.
///
/// [`Scenario::of_seed`] draws one; every field may be changed afterwards, and the same scenario always gives the same
/// history.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Seeds everything that is drawn while the history runs.
    pub seed: u64,
    /// The audiences of the one Mailchimp account.
    pub audiences: Vec<AudiencePlan>,
    /// What is imported, at most one import for an audience and sink.
    pub imports: Vec<ImportPlan>,
    /// Members asked for in one request.
    pub page: u32,
    /// Requests one import keeps in flight.
    pub workers: usize,
    /// How far each run looks back, in seconds.
    pub lookback_seconds: u32,
    /// Time until a change shows in Mailchimp's lists. At most the look-back.
    pub visibility_lag: Duration,
    /// How long Mailchimp's answers take.
    pub latency: Duration,
    /// Changes at the source before the world is frozen.
    pub mutations: u32,
    /// How likely a change comes right before a request is carried out.
    pub mutation_chance: f64,
    /// Mean time between the changes that come by themselves.
    pub mutation_gap: Duration,
    /// How likely a request to Mailchimp goes wrong.
    pub mailchimp_faults: f64,
    /// How likely a request to Ometria, or a flush of a sink for rows, goes wrong.
    pub sink_faults: f64,
    /// How likely a call of the state store goes wrong.
    pub state_faults: f64,
    /// Of the members at the start, Ometria rejects every so many-th; 0: none.
    pub reject_every: usize,
    /// Whether a rejection shows only in the list of errors.
    pub reject_late: bool,
    /// Processes that are killed, one after the other, before the one that lives on.
    pub kills: u32,
    /// Runs of every import in the last process before the world is frozen.
    pub rounds: u32,
    /// Mean time between the runs of a process.
    pub round_gap: Duration,
    /// How often the importer's clock jumps.
    pub clock_jumps: u32,
    /// How often somebody moves an import back in time while it runs.
    pub edits: u32,
    /// How long after the last search for removals the next one is due.
    pub sweep_after: Duration,
    /// Commit after so many changes.
    pub commit_records: usize,
    /// Whether state is kept in a directory instead of in memory; then some of the kills strike between two steps on the disk.
    pub directory: bool,
    /// What time Mailchimp's answers say it is.
    pub date: ServerDate,
    /// Whether Mailchimp's filters by time let the second through that they name.
    pub filters: TimeFilters,
    /// By how much some of Mailchimp's totals are too low; 0: they are right.
    pub totals_low_by: u16,
    /// How far in the future some changes are stamped; zero: none are.
    pub future_stamps: Duration,
    /// Records that Ometria works off in a second; `None`: each at once.
    pub drain_rate: Option<u32>,
    /// Whether Ometria joins listings by its older rules.
    pub older_rules: bool,
}

/// What time a server says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerDate {
    /// The time it is.
    Right,
    /// None.
    Missing,
    /// Off by so many seconds.
    Off(i64),
}

/// Whether a filter by time lets the second through that it names. Default: as documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeFilters {
    /// `since_last_changed`.
    pub since_includes: bool,
    /// `before_last_changed`.
    pub before_includes: bool,
}

impl Default for TimeFilters {
    fn default() -> Self {
        Self {
            since_includes: false,
            before_includes: true,
        }
    }
}

/// One audience at the start.
#[derive(Clone, Debug, PartialEq)]
pub struct AudiencePlan {
    /// Generated members.
    pub members: u32,
    /// Number of the first one. Members with the same number in two audiences are the same person.
    pub first: u32,
    /// Into how many tied seconds their last changes fall; 0: they are scattered.
    pub bursts: u32,
}

/// One import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImportPlan {
    /// Position of its audience.
    pub audience: usize,
    /// Where it goes.
    pub sink: SinkKind,
}

/// Where an import goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SinkKind {
    /// A sink for anybody's rows, as they come.
    Rows,
    /// Contacts through Ometria's push API.
    Contacts,
    /// Rows of Ometria's record endpoint.
    Records,
}

impl Scenario {
    /// The scenario of a seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = stream(seed, "scenario");
        let rng = &mut rng;
        let mut audiences = audiences(rng);
        let mut imports = imports(rng, audiences.len());
        let more = &mut stream(seed, "more");
        add_audiences(more, &mut audiences, &mut imports);
        let contacts = imports
            .iter()
            .any(|import| import.sink == SinkKind::Contacts);
        let calm = rng.u8(..100) < 15;
        let often = |rng: &mut Rng, percent: u8| !calm && rng.u8(..100) < percent;
        let lookback_seconds = rng.u32(20..600);
        let lag_ceiling = u64::from(lookback_seconds) * 1000;
        let visibility_lag = match rng.u8(..3) {
            0 => Duration::ZERO,
            1 => Duration::from_millis(rng.u64(..3000)),
            _ => Duration::from_millis(rng.u64(..lag_ceiling)),
        };
        let rejects = contacts && often(rng, 15);
        let mut scenario = Self {
            seed,
            imports,
            page: [10, 10, 11, 13, 20, 50][rng.usize(..6)],
            workers: rng.usize(1..=10),
            lookback_seconds,
            visibility_lag: visibility_lag.min(Duration::from_millis(lag_ceiling)),
            latency: Duration::from_millis(rng.u64(1..800)),
            mutations: if often(rng, 95) { rng.u32(..160) } else { 0 },
            mutation_chance: rng.f64() * rng.f64(),
            mutation_gap: Duration::from_millis(rng.u64(50..60_000)),
            mailchimp_faults: if often(rng, 50) {
                rng.f64() * 0.12
            } else {
                0.0
            },
            sink_faults: if often(rng, 40) {
                rng.f64() * 0.12
            } else {
                0.0
            },
            state_faults: if often(rng, 20) {
                rng.f64() * 0.05
            } else {
                0.0
            },
            reject_every: if rejects { rng.usize(2..30) } else { 0 },
            reject_late: rng.bool(),
            kills: if often(rng, 60) { rng.u32(1..5) } else { 0 },
            rounds: rng.u32(1..5),
            round_gap: Duration::from_millis(rng.u64(100..900_000)),
            clock_jumps: if often(rng, 30) { rng.u32(1..4) } else { 0 },
            edits: if often(rng, 20) { rng.u32(1..4) } else { 0 },
            sweep_after: Duration::from_secs([0, 60, 3600, 86_400][rng.usize(..4)]),
            commit_records: [1, 7, 25, 20_000][rng.usize(..4)],
            directory: rng.u8(..100) < 20,
            date: if rng.u8(..100) < 92 {
                ServerDate::Right
            } else {
                ServerDate::Missing
            },
            older_rules: rng.bool(),
            audiences,
            filters: TimeFilters::default(),
            totals_low_by: 0,
            future_stamps: Duration::ZERO,
            drain_rate: None,
        };
        scenario.draw_more(more);
        let filters = &mut stream(seed, "filters");
        scenario.filters.since_includes = filters.u8(..100) < 20;
        scenario.filters.before_includes = filters.u8(..100) < 80;
        scenario
    }

    /// Draws what came to be simulated later, so that the rest of a seed's scenario stays as it was.
    fn draw_more(&mut self, rng: &mut Rng) {
        if self.date == ServerDate::Right && rng.u8(..100) < 6 {
            self.date = ServerDate::Off([-3600, -90, 90, 3600][rng.usize(..4)]);
        }
        if rng.u8(..100) < 15 {
            self.totals_low_by = [1, 7, 1000][rng.usize(..3)];
        }
        // With clocks that are wrong besides, nothing tells what is yet to come.
        if rng.u8(..100) < 15 && (self.date == ServerDate::Right || self.clock_jumps == 0) {
            self.future_stamps = Duration::from_secs([300, 3600, 100_000][rng.usize(..3)]);
        }
        // What is refused only after it waited is told to nobody but an observer.
        if rng.u8(..100) < 20 && self.reject_every == 0 {
            self.drain_rate = Some([1, 5, 50][rng.usize(..3)]);
        }
    }
}

/// Sometimes there are three or four audiences, all with the same kind of sink.
fn add_audiences(rng: &mut Rng, audiences: &mut Vec<AudiencePlan>, imports: &mut Vec<ImportPlan>) {
    if audiences.len() < 2 || rng.u8(..100) >= 25 {
        return;
    }
    let Some(sink) = imports.first().map(|import| import.sink) else {
        return;
    };
    for _ in 0..rng.u8(1..=2) {
        imports.push(ImportPlan {
            audience: audiences.len(),
            sink,
        });
        audiences.push(AudiencePlan {
            members: rng.u32(..=30),
            first: [0, 10][rng.usize(..2)],
            bursts: 0,
        });
    }
}

fn audiences(rng: &mut Rng) -> Vec<AudiencePlan> {
    let count = if rng.u8(..100) < 45 { 2 } else { 1 };
    (0..count)
        .map(|_| {
            let ceiling = [3, 15, 40, 120, 400][rng.usize(..5)];
            AudiencePlan {
                members: rng.u32(..=ceiling),
                first: [0, 0, 10, 200][rng.usize(..4)],
                bursts: [0, 1, 2, 5][rng.usize(..4)],
            }
        })
        .collect()
}

fn imports(rng: &mut Rng, audiences: usize) -> Vec<ImportPlan> {
    let main = match rng.u8(..100) {
        0..35 => SinkKind::Rows,
        35..88 => SinkKind::Contacts,
        _ => SinkKind::Records,
    };
    let mut imports: Vec<ImportPlan> = (0..audiences)
        .map(|audience| ImportPlan {
            audience,
            sink: main,
        })
        .collect();
    if rng.u8(..100) < 20 {
        let second = if main == SinkKind::Rows {
            SinkKind::Records
        } else {
            SinkKind::Rows
        };
        imports.push(ImportPlan {
            audience: rng.usize(..audiences),
            sink: second,
        });
    }
    imports
}

/// Random numbers for one purpose. Drawing more for one purpose does not change what another draws.
pub(crate) fn stream(seed: u64, purpose: &str) -> Rng {
    let mut mixed = seed ^ 0x9e37_79b9_7f4a_7c15;
    for byte in purpose.bytes() {
        mixed = (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    Rng::with_seed(mixed)
}
