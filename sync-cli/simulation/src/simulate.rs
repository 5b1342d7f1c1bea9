//! One history from its beginning to the last comparison.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use fastrand::Rng;
use sync_core::{
    Clock, Error, MemoryStateStore, Outcome, Position, RunRecord, Shutdown, StateStore,
};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::bug::Bug;
use crate::directory::Directory;
use crate::guard::Guard;
use crate::mortal::{self, Death, Switch};
use crate::oracle;
use crate::process::{Process, Wishes, import_id, import_ids};
use crate::scenario::{Scenario, stream};
use crate::world::{Kind, Violation, World, drawn_around};

/// Virtual time after which a run counts as one that never ends. Everything that may go wrong is over long before.
const RUN_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// What a history came to.
#[derive(Clone, Debug)]
pub struct History {
    /// What must never be and was; `None`: all was well.
    pub violation: Option<Violation>,
    /// What happened, if it was asked for.
    pub trace: Vec<String>,
    /// Requests to both services.
    pub requests: u64,
}

impl Scenario {
    /// Lets the scenario happen, with a bug built in or none.
    ///
    /// Blocks until it is over: a few milliseconds, as its time is virtual.
    pub fn play(&self, bug: Option<Bug>, keep_trace: bool) -> History {
        // Waits of clients draw from the thread's own numbers.
        fastrand::seed(self.seed);
        let runtime = match Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
        {
            Ok(runtime) => runtime,
            Err(cause) => {
                return History {
                    violation: Some(Violation {
                        kind: Kind::Simulation,
                        what: format!("no runtime: {cause}"),
                    }),
                    trace: Vec::new(),
                    requests: 0,
                };
            }
        };
        runtime.block_on(async {
            let world = World::new(self.clone(), keep_trace);
            if let Err(error) = history(&world, bug).await {
                world.fail(
                    Kind::Simulation,
                    format!("the simulation itself failed: {}", error.chain()),
                );
            }
            History {
                violation: world.violation(),
                trace: world.trace.lines(),
                requests: world.mailchimp.stats().total() + world.ometria.stats().total_requests(),
            }
        })
    }
}

async fn history(world: &Arc<World>, bug: Option<Bug>) -> Result<(), Error> {
    let scenario = &world.scenario;
    let mut rng = stream(scenario.seed, "processes");
    let mut life = JoinSet::new();
    life.spawn(world.clone().live());
    life.spawn(jump_clocks(world.clone()));
    let mut disk = Disk::new(world)?;
    for number in 0..=scenario.kills {
        let dies = number < scenario.kills;
        let wishes = Wishes {
            bug,
            sweep_after: scenario.sweep_after,
            number: number.into(),
        };
        let death = dies.then(|| drawn_death(&mut rng, scenario.directory));
        let rounds = if dies { 3 } else { scenario.rounds };
        let switch = Switch::default();
        let state = disk.open(death, &switch)?;
        let edits = tokio::spawn(edit(
            world.clone(),
            state.clone(),
            disk.directory.clone(),
            number,
        ));
        let lived = live_once(world, state, wishes, (death, switch), rounds, &mut rng).await;
        edits.abort();
        // Its part of the state has to be dropped before the next process opens the directory.
        let _ = edits.await;
        lived?;
        if world.violation().is_some() {
            return Ok(());
        }
    }
    life.shutdown().await;
    world.freeze();
    end(world, &mut disk, bug).await
}

/// Lets one process run its rounds, or die.
async fn live_once(
    world: &Arc<World>,
    state: Arc<dyn StateStore>,
    wishes: Wishes,
    (death, switch): (Option<Death>, Switch),
    rounds: u32,
    rng: &mut Rng,
) -> Result<(), Error> {
    let failing = stream(world.scenario.seed ^ wishes.number, "state");
    let ids = import_ids(&world.scenario);
    let guard = Guard::new(world.clone(), state, ids, death, switch.clone(), failing);
    let guard = Arc::new(guard.with(wishes.bug));
    world.trace.line(format_args!(
        "process {} begins, to die {death:?}",
        wishes.number
    ));
    let process = async {
        let mut process = Process::start(world, &guard, wishes)?;
        for _ in 0..rounds {
            let (stop, shutdown) = sync_core::shutdown();
            let stopping = (rng.u8(..100) < 10).then(|| Duration::from_millis(rng.u64(1..20_000)));
            let run = process.run_once(&shutdown);
            let stopped = async {
                match stopping {
                    Some(after) => tokio::time::sleep(after).await,
                    None => std::future::pending().await,
                }
                stop.request();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                _ = run => {}
                () = stopped => {}
                () = tokio::time::sleep(RUN_LIMIT) => world.fail(Kind::Progress, "a run never ends".to_owned()),
            }
            if world.violation().is_some() {
                return Ok(());
            }
            tokio::time::sleep(drawn_around(rng, world.scenario.round_gap)).await;
        }
        Ok(())
    };
    if let Some(result) = mortal::run(process, death, &switch).await {
        return result;
    }
    world
        .trace
        .line(format_args!("process {} is killed", wishes.number));
    Ok(())
}

/// The world stands still: one more pass, and nothing is left to do.
async fn end(world: &Arc<World>, disk: &mut Disk, bug: Option<Bug>) -> Result<(), Error> {
    // Everything shows, the last second is over, and connections of the dead are free.
    let latest = (world.people().latest - world.time.server()).to_std();
    let until = world
        .scenario
        .visibility_lag
        .max(latest.unwrap_or_default());
    tokio::time::sleep(until + Duration::from_secs(300)).await;
    let wishes = Wishes {
        bug,
        sweep_after: Duration::ZERO,
        number: u64::from(u32::MAX),
    };
    let state = disk.open(None, &Switch::default())?;
    let ids = import_ids(&world.scenario);
    let rng = stream(world.scenario.seed, "state in the end");
    let guard = Guard::new(world.clone(), state, ids, None, Switch::default(), rng);
    let mut process = Process::start(world, &Arc::new(guard), wishes)?;
    let passes = async {
        let records = process.run_once(&Shutdown::never()).await;
        must_be_complete(world, &records, "the last pass");
        let records = process.replay().await;
        must_be_complete(world, &records, "the last replay");
    };
    if tokio::time::timeout(RUN_LIMIT, passes).await.is_err() {
        world.fail(Kind::Progress, "the last pass never ends".to_owned());
    }
    world.ometria.drain();
    oracle::sink_equals_source(world);
    oracle::nobody_was_opted_in_again(world);
    if world.violation().is_none() {
        // Opt-outs that one audience took back in the last pass free members of another, in the next.
        process.run_once(&Shutdown::never()).await;
        let idle = process.run_once(&Shutdown::never()).await;
        must_be_complete(world, &idle, "an idle run");
        if let Some(record) = idle.iter().find(|record| record.counts.accepted > 0) {
            let sent = record.counts.accepted;
            world.fail(
                Kind::Idle,
                format!("nothing changed, and {} sent {sent} records", record.import),
            );
        }
    }
    Ok(())
}

fn must_be_complete(world: &World, records: &[RunRecord], what: &str) {
    let imports = world.scenario.imports.len();
    if records.len() != imports {
        world.fail(
            Kind::Progress,
            format!("{what}: {} of {imports} imports ran", records.len()),
        );
    }
    for record in records {
        if record.outcome != Some(Outcome::Complete) {
            world.fail(
                Kind::Progress,
                format!(
                    "{what} of {} was {:?}: {}",
                    record.import,
                    record.outcome,
                    record.error.as_deref().unwrap_or("no error"),
                ),
            );
        }
    }
}

fn drawn_death(rng: &mut Rng, directory: bool) -> Death {
    let far = [30, 300, 3000][rng.usize(..3)];
    if directory && rng.bool() {
        return Death::DiskStep(rng.u64(..far));
    }
    match rng.u8(..4) {
        0 => Death::BeforeStateCall(rng.u64(..80)),
        1 => Death::AfterStateCall(rng.u64(..80)),
        _ => Death::Polls(rng.u64(..far)),
    }
}

/// The importer's clock jumps, up to two days either way.
async fn jump_clocks(world: Arc<World>) {
    let mut rng = stream(world.scenario.seed, "clock");
    for _ in 0..world.scenario.clock_jumps {
        let gap = world.scenario.round_gap + Duration::from_secs(5);
        tokio::time::sleep(drawn_around(&mut rng, gap)).await;
        let by = TimeDelta::seconds(rng.i64(-172_800..172_800));
        world.time.jump(by);
        world.trace.line(format_args!(
            "the importer's clock jumps by {by}: {}",
            world.time.now()
        ));
    }
}

/// Somebody moves an import back, or to its beginning.
async fn edit(
    world: Arc<World>,
    state: Arc<dyn StateStore>,
    directory: Option<Arc<Directory>>,
    process: u32,
) {
    let scenario = &world.scenario;
    let mut rng = stream(scenario.seed ^ u64::from(process), "edits");
    for _ in 0..scenario.edits {
        tokio::time::sleep(drawn_around(&mut rng, scenario.round_gap / 2)).await;
        let back = TimeDelta::seconds(rng.i64(1..100_000));
        let to_start = rng.u8(..3) == 0;
        let index = rng.usize(..scenario.imports.len());
        let id = import_id(scenario, index);
        world.trace.line(format_args!("somebody moves {id} back"));
        if let Some(directory) = &directory {
            directory
                .edit(&mut rng, id.as_str(), (!to_start).then_some(back))
                .await;
            continue;
        }
        let Ok(Some(stored)) = state.load(&id).await else {
            continue;
        };
        let until = stored.checkpoint.position.complete_until();
        let to = match until {
            Some(until) if !to_start => Position::Since(until - back),
            _ => Position::Start,
        };
        // A store in memory does not fail.
        let _ = state.rewind(&id, to).await;
    }
}

/// Where state outlives a process.
struct Disk {
    memory: Arc<MemoryStateStore>,
    directory: Option<Arc<Directory>>,
}

impl Disk {
    fn new(world: &World) -> Result<Self, Error> {
        let directory = world
            .scenario
            .directory
            .then(|| Directory::new(world))
            .transpose()?;
        Ok(Self {
            memory: Arc::default(),
            directory: directory.map(Arc::new),
        })
    }

    fn open(
        &mut self,
        death: Option<Death>,
        switch: &Switch,
    ) -> Result<Arc<dyn StateStore>, Error> {
        match &self.directory {
            None => Ok(self.memory.clone()),
            Some(directory) => Ok(Arc::new(directory.open(death, switch)?)),
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}
