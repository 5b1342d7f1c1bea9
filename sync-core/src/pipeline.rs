//! Joins source, mapping, sink and state, and keeps their order: write, flush, commit.

mod announcement;
mod delivery;
mod sweep;
mod verify;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future;
use tokio::sync::Mutex;
use tokio::time::Instant;

use self::delivery::Delivery;
pub use self::verify::{Difference, Verification};
use crate::clock::{Clock, SystemClock};
use crate::error::{ErrorKind, Result};
use crate::mapping::Mapping;
use crate::observe::{Event, Observer, RunContext};
use crate::record::{Key, Keyed};
use crate::run::{Counts, Outcome, RunId, RunRecord};
use crate::shutdown::Shutdown;
use crate::sink::Sink;
use crate::source::{Position, Source};
use crate::state::{ImportId, StateStore};

/// One configured job, whatever its record types are.
#[async_trait]
pub trait Import: Send {
    /// Names it in the state.
    fn id(&self) -> &ImportId;

    /// Proves that both ends answer and accept us. Moves nothing.
    async fn check(&self) -> Result<()>;

    /// Delivers everything up to the run's upper bound, or as much as can be until `shutdown`.
    ///
    /// Never fails as a call: what went wrong stands in the record. Everything committed stays committed; the next run goes
    /// on from there. Only reading races against `shutdown`; write, flush and commit are always finished.
    async fn run(&mut self, shutdown: &Shutdown) -> RunRecord;

    /// Reads rejected records again from the source and delivers them: these keys, or all.
    async fn replay(&mut self, keys: Option<Vec<Key>>, shutdown: &Shutdown) -> RunRecord;

    /// Reads everything and compares it with what the sink accepted. Sends nothing.
    async fn verify(&mut self, shutdown: &Shutdown) -> Result<Verification>;
}

/// How a pipeline behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineSettings {
    /// Commit after so many changes. Default 20 000. More means fewer pauses at the sink and more to repeat after a crash.
    pub commit_records: usize,
    /// Commit at the latest so long after the first change since the last commit. Default 30 s.
    pub commit_interval: Duration,
    /// How often to search for removals; `None`: never. Default every 24 hours.
    pub sweep_interval: Option<Duration>,
    /// Refuse removals when more than this share of all known records vanished at once (and more than 100): that is more
    /// often a mistake at the source than a wish. Default 0.2; 1.0 allows everything.
    pub max_removed_share: f64,
}

impl Default for PipelineSettings {
    fn default() -> Self {
        Self {
            commit_records: 20_000,
            commit_interval: Duration::from_secs(30),
            sweep_interval: Some(Duration::from_secs(24 * 3600)),
            max_removed_share: 0.2,
        }
    }
}

/// How many records may still be read. Clones share the number, so one limit can cover all imports of an account.
#[derive(Clone, Debug)]
pub struct Limit {
    left: Arc<AtomicU64>,
}

impl Limit {
    /// At most so many records.
    pub fn new(records: u64) -> Self {
        Self {
            left: Arc::new(AtomicU64::new(records)),
        }
    }

    /// Takes up to `wanted` from what is left and returns how many that are.
    fn take(&self, wanted: u64) -> u64 {
        let mut granted = 0;
        // The closure always gives a value, so the update cannot fail.
        let _ = self
            .left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
                granted = wanted.min(left);
                Some(left - granted)
            });
        granted
    }
}

/// Lets several pipelines that share ledger facts deliver one after the other.
///
/// A pipeline holds the turn from the first change it prepares until the commit, half a minute at most. So whatever one
/// of them learned (a person opted out) is committed before another decides, and an older decision can never overtake a
/// newer one on the way to the sink. Waiting is first come, first served.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    mutex: Arc<Mutex<()>>,
}

/// Moves the records of one source to one sink.
pub struct Pipeline<R, O> {
    import: ImportId,
    binding: Option<String>,
    source: Arc<dyn Source<Record = R>>,
    mapping: Arc<dyn Mapping<R, O>>,
    sink: Box<dyn Sink<O>>,
    state: Arc<dyn StateStore>,
    observer: Arc<dyn Observer>,
    clock: Arc<dyn Clock>,
    settings: PipelineSettings,
    limit: Option<Limit>,
    turn: Option<Turn>,
}

/// Sets up a [`Pipeline`].
pub struct PipelineBuilder<R, O> {
    pipeline: Pipeline<R, O>,
}

impl<R, O> Pipeline<R, O>
where
    R: Keyed + Send + Sync + 'static,
    O: Keyed + Send + 'static,
{
    /// A pipeline for one import. The four parts decide where records come from, what they become, where they go and what
    /// is remembered.
    pub fn builder(
        import: ImportId,
        source: Arc<dyn Source<Record = R>>,
        mapping: Arc<dyn Mapping<R, O>>,
        sink: Box<dyn Sink<O>>,
        state: Arc<dyn StateStore>,
    ) -> PipelineBuilder<R, O> {
        PipelineBuilder {
            pipeline: Self {
                import,
                binding: None,
                source,
                mapping,
                sink,
                state,
                observer: Arc::new(()),
                clock: Arc::new(SystemClock),
                settings: PipelineSettings::default(),
                limit: None,
                turn: None,
            },
        }
    }

    fn emit(&self, context: &RunContext, event: &Event<'_>) {
        self.observer.on_event(context, event);
    }

    /// Runs `work` as one recorded run: history entry at the start, outcome and counts at the end.
    async fn recorded<F>(&mut self, work: F) -> RunRecord
    where
        F: AsyncFnOnce(&mut Delivery<'_, R, O>) -> Result<Outcome>,
    {
        let started = self.clock.now();
        let begun = Instant::now();
        let context = RunContext {
            import: self.import.clone(),
            run: RunId::starting_at(started),
        };
        let mut record = RunRecord {
            id: context.run.clone(),
            import: self.import.clone(),
            started,
            elapsed: Duration::ZERO,
            outcome: None,
            counts: Counts::default(),
            complete_until: None,
            error: None,
            error_kind: None,
        };
        self.emit(&context, &Event::Started);
        let state = self.state.clone();
        let result = match state.record_run(&record).await {
            Err(error) => Err(error),
            Ok(()) => match Delivery::begin(self, context.clone()).await {
                Err(error) => Err(error),
                Ok(mut delivery) => {
                    let result = work(&mut delivery).await;
                    if result.is_err() {
                        // Whatever went wrong: what the sink took and did not flush must not leave with a later run, when it
                        // may no longer be true.
                        delivery.pipeline.sink.abort().await;
                    }
                    record.counts = delivery.counts;
                    record.complete_until = delivery.checkpoint.position.complete_until();
                    if let Some(failure) = delivery.first_failure.take() {
                        record.error_kind = Some(failure.kind().as_str().to_owned());
                        record.error = Some(failure.chain());
                    }
                    result
                }
            },
        };
        record.elapsed = begun.elapsed();
        record.outcome = Some(match result {
            Ok(Outcome::Complete) if record.counts.rejected + record.counts.failed_parts > 0 => {
                Outcome::Partial
            }
            Ok(outcome) => outcome,
            Err(error) => {
                record.error_kind = Some(error.kind().as_str().to_owned());
                record.error = Some(error.chain());
                match error.kind() {
                    ErrorKind::Conflict => Outcome::Superseded,
                    _ => Outcome::Failed,
                }
            }
        });
        if let Err(error) = state.record_run(&record).await {
            // The run itself is committed; only its history entry is lost. Say so in the place that is left.
            record.error.get_or_insert_with(|| error.chain());
        }
        self.emit(&context, &Event::Finished(&record));
        record
    }
}

#[async_trait]
impl<R, O> Import for Pipeline<R, O>
where
    R: Keyed + Send + Sync + 'static,
    O: Keyed + Send + 'static,
{
    fn id(&self) -> &ImportId {
        &self.import
    }

    async fn check(&self) -> Result<()> {
        preflight(&*self.source, &*self.sink).await
    }

    async fn run(&mut self, shutdown: &Shutdown) -> RunRecord {
        self.recorded(async |delivery: &mut Delivery<'_, R, O>| {
            tokio::select! {
                biased;
                () = shutdown.requested() => return Ok(Outcome::Stopped),
                passed = preflight(&*delivery.pipeline.source, &*delivery.pipeline.sink) => passed?,
            }
            delivery.emit(&Event::PreflightPassed);
            let started = delivery.pipeline.clock.now();
            let source = delivery.pipeline.source.clone();
            let first_load = delivery.checkpoint.position == Position::Start
                && delivery
                    .pipeline
                    .state
                    .ledger_len(&delivery.pipeline.import.scope())
                    .await?
                    == 0;
            let mut reader = source.read(delivery.checkpoint.position.clone())?;
            let outcome = delivery
                .drain(&mut *reader, first_load.then_some(started), shutdown)
                .await?;
            drop(reader);
            if first_load || outcome != Outcome::Complete || delivery.counts.failed_parts > 0 {
                return Ok(outcome);
            }
            delivery.sweep_if_due(shutdown).await
        })
        .await
    }

    async fn replay(&mut self, keys: Option<Vec<Key>>, shutdown: &Shutdown) -> RunRecord {
        self.recorded(async |delivery: &mut Delivery<'_, R, O>| {
            preflight(&*delivery.pipeline.source, &*delivery.pipeline.sink).await?;
            delivery.emit(&Event::PreflightPassed);
            delivery.replay(keys, shutdown).await
        })
        .await
    }

    async fn verify(&mut self, shutdown: &Shutdown) -> Result<Verification> {
        verify::verify(self, shutdown).await
    }
}

/// Both ends at once: the slower one decides how long it takes.
async fn preflight<R, O>(source: &dyn Source<Record = R>, sink: &dyn Sink<O>) -> Result<()>
where
    R: Keyed + Send + Sync + 'static,
    O: Keyed + Send + 'static,
{
    let (source, sink) = future::join(source.check(), sink.check()).await;
    source.and(sink)
}

impl<R, O> PipelineBuilder<R, O> {
    /// Hears what happens.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.pipeline.observer = observer;
        self
    }

    /// Tells the time for history and schedules.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.pipeline.clock = clock;
        self
    }

    /// How it behaves.
    #[must_use]
    pub fn settings(mut self, settings: PipelineSettings) -> Self {
        self.pipeline.settings = settings;
        self
    }

    /// What the ledger's contents depend on (source, sink, id strategy). A run is refused when it differs from the stored
    /// one, because the ledger would not fit.
    #[must_use]
    pub fn binding(mut self, binding: impl Into<String>) -> Self {
        self.pipeline.binding = Some(binding.into());
        self
    }

    /// Reads at most so many records: a trial run.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        self.pipeline.limit = Some(limit);
        self
    }

    /// Takes turns with the other pipelines that hold a clone.
    #[must_use]
    pub fn turn(mut self, turn: Turn) -> Self {
        self.pipeline.turn = Some(turn);
        self
    }

    /// The pipeline.
    pub fn build(self) -> Pipeline<R, O> {
        self.pipeline
    }
}

impl<R, O> fmt::Debug for Pipeline<R, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("import", &self.import)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<R, O> fmt::Debug for PipelineBuilder<R, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PipelineBuilder")
            .field(&self.pipeline)
            .finish()
    }
}
