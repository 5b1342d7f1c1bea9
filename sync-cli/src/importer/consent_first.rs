//! Opt-outs of all audiences are known before any of them opts somebody in.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use sync_core::{
    Clock, Counts, Event, Import, ImportId, Key, Keyed, Observer, Outcome, Report, Result,
    RunContext, RunId, RunRecord, Shutdown, Sink, StateStore, Verification,
};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A pass that began so recently need not be repeated. Several imports of one account start at the same moment; without
/// this each of them would read every audience's opt-outs. Longer would leave out who opted out just before a run.
const FRESH: Duration = Duration::from_secs(10);

/// The pass over one audience that learns who opted out and sends nothing. Imports that need it share it.
pub(super) struct OptOutPass {
    audience: String,
    work: Mutex<Work>,
}

struct Work {
    import: Box<dyn Import>,
    succeeded: Option<Instant>,
}

impl OptOutPass {
    pub(super) fn new(audience: String, import: Box<dyn Import>) -> Self {
        Self {
            audience,
            work: Mutex::new(Work {
                import,
                succeeded: None,
            }),
        }
    }

    /// Runs the pass unless it just ran. After `Ok` every opt-out of the audience is in the ledger; an error is the run
    /// that did not get there.
    async fn ensure(&self, shutdown: &Shutdown) -> Result<(), Box<RunRecord>> {
        let mut work = self.work.lock().await;
        if work.succeeded.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        let begun = Instant::now();
        let record = work.import.run(shutdown).await;
        if record.outcome != Some(Outcome::Complete) {
            return Err(Box::new(record));
        }
        work.succeeded = Some(begun);
        Ok(())
    }
}

/// An import that runs only after the opt-outs of all audiences of its Ometria account are known. If they cannot be, it
/// does not run: a person who opted out in one audience must not be opted in by another.
pub(super) struct ConsentFirst {
    pub(super) passes: Vec<Arc<OptOutPass>>,
    pub(super) main: Box<dyn Import + Sync>,
    pub(super) state: Arc<dyn StateStore>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) clock: Arc<dyn Clock>,
}

impl ConsentFirst {
    /// `Some`: the run that failed because opt-outs are not known.
    async fn refuse(&self, shutdown: &Shutdown) -> Option<RunRecord> {
        let passes = self.passes.iter();
        let ensured = join_all(passes.map(|pass| pass.ensure(shutdown))).await;
        if shutdown.is_requested() {
            // The main import notices by itself, moves nothing, and records that it was stopped.
            return None;
        }
        for (pass, ensured) in self.passes.iter().zip(ensured) {
            if let Err(record) = ensured {
                return Some(self.failed(&pass.audience, &record).await);
            }
        }
        None
    }

    async fn failed(&self, audience: &str, pass: &RunRecord) -> RunRecord {
        let started = self.clock.now();
        let import = self.main.id().clone();
        let cause = pass
            .error
            .as_deref()
            .unwrap_or("some windows could not be read");
        let record = RunRecord {
            id: RunId::starting_at(started),
            import: import.clone(),
            started,
            elapsed: pass.elapsed,
            outcome: Some(Outcome::Failed),
            counts: Counts::default(),
            complete_until: None,
            error: Some(format!(
                "opt-outs of audience {audience} are not known, so nobody is opted in: {cause}"
            )),
            error_kind: pass.error_kind.clone(),
        };
        let context = RunContext {
            import,
            run: record.id.clone(),
        };
        self.observer.on_event(&context, &Event::Started);
        // If even this fails, the observer still hears of the run.
        let _ = self.state.record_run(&record).await;
        self.observer.on_event(&context, &Event::Finished(&record));
        record
    }
}

#[async_trait]
impl Import for ConsentFirst {
    fn id(&self) -> &ImportId {
        self.main.id()
    }

    async fn check(&self) -> Result<()> {
        self.main.check().await
    }

    async fn run(&mut self, shutdown: &Shutdown) -> RunRecord {
        match self.refuse(shutdown).await {
            Some(record) => record,
            None => self.main.run(shutdown).await,
        }
    }

    async fn replay(&mut self, keys: Option<Vec<Key>>, shutdown: &Shutdown) -> RunRecord {
        match self.refuse(shutdown).await {
            Some(record) => record,
            None => self.main.replay(keys, shutdown).await,
        }
    }

    async fn verify(&mut self, shutdown: &Shutdown) -> Result<Verification> {
        self.main.verify(shutdown).await
    }
}

/// The sink of a pass that sends nothing.
pub(super) struct NoSink;

/// What goes there: there is no such record.
pub(super) enum NoRecord {}

impl Keyed for NoRecord {
    fn key(&self) -> Key {
        match *self {}
    }
}

#[async_trait]
impl Sink<NoRecord> for NoSink {
    fn name(&self) -> &'static str {
        "none"
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn write(&mut self, _records: Vec<NoRecord>) -> Result<Report> {
        Ok(Report::default())
    }

    async fn flush(&mut self) -> Result<Report> {
        Ok(Report::default())
    }

    async fn abort(&mut self) {}
}
