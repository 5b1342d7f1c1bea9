//! The service: every import on its schedule, and edits of `state.json` while it runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sync_core::{
    Error, ErrorKind, Import, ImportId, Outcome, Position, Result, RunRecord, Shutdown,
    ShutdownHandle, StateStore, run_on_schedule,
};
use sync_local::ImportEntry;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

use super::Importer;
use super::plan::{Plan, plans};

/// What a service did until it was stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Runs that ended.
    pub runs: u64,
    /// Of these, runs that failed.
    pub failed: u64,
    /// Changes the sinks took.
    pub accepted: u64,
    /// Changes refused by mapping or sink.
    pub rejected: u64,
}

impl Served {
    fn add(&mut self, record: &RunRecord) {
        self.runs += 1;
        self.failed += u64::from(record.outcome == Some(Outcome::Failed));
        self.accepted += record.counts.accepted;
        self.rejected += record.counts.rejected;
    }
}

/// An import that has a task.
struct Running {
    plan: Plan,
    stop: ShutdownHandle,
    wake: Arc<Notify>,
    /// Resolves when the task is over, so that its successor never overlaps it.
    over: oneshot::Receiver<()>,
}

struct Service<'a> {
    importer: &'a Importer,
    running: HashMap<ImportId, Running>,
    tasks: JoinSet<()>,
    served: Arc<Mutex<Served>>,
}

pub(super) async fn serve(
    importer: &Importer,
    plans: &[Plan],
    shutdown: &Shutdown,
) -> Result<Served> {
    let mut service = Service {
        importer,
        running: HashMap::new(),
        tasks: JoinSet::new(),
        served: Arc::default(),
    };
    service.adopt(plans)?;
    let ended = loop {
        tokio::select! {
            biased;
            () = shutdown.requested() => break Ok(()),
            Some(result) = service.tasks.join_next() => {
                if let Err(cause) = result {
                    break Err(Error::new(ErrorKind::State, "serve", "an import's task broke off")
                        .caused_by(cause));
                }
            }
            edited = importer.state.changed() => service.edited(edited).await,
        }
    };
    service.stop_all().await;
    let served = service
        .served
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    ended.map(|()| served)
}

impl Service<'_> {
    async fn edited(&mut self, edited: Result<Vec<ImportEntry>>) {
        let entries = match edited {
            Ok(entries) => entries,
            Err(error) => {
                tracing::error!(
                    error = error.chain(),
                    "state.json: {}",
                    error.kind().remedy()
                );
                return;
            }
        };
        let config = self.importer.composer.config();
        let adopted = plans(&entries, &[], config)
            .and_then(|plans| self.adopt(&super::active(plans, config)));
        match adopted {
            Ok(()) => tracing::info!(imports = self.running.len(), "state.json was edited"),
            Err(error) => tracing::error!(
                error = error.chain(),
                "state.json was edited and cannot be followed; what it said before stays in force"
            ),
        }
        self.wake_moved().await;
    }

    /// Makes the running tasks those of `plans`. Nothing changes when one of them cannot be built.
    fn adopt(&mut self, plans: &[Plan]) -> Result<()> {
        let state: Arc<dyn StateStore> = Arc::new(self.importer.state.clone());
        let mut fresh = Vec::new();
        for plan in plans {
            if self
                .running
                .get(&plan.id)
                .is_none_or(|running| running.plan != *plan)
            {
                fresh.push((plan.clone(), self.importer.composer.import(plan, &state)?));
            }
        }
        self.running.retain(|id, running| {
            let kept = plans.iter().any(|plan| plan.id == *id);
            if !kept {
                running.stop.request();
            }
            kept
        });
        self.importer
            .report_only(|id| plans.iter().any(|plan| plan.id == *id));
        for (plan, import) in fresh {
            let before = self.running.remove(&plan.id);
            self.start(plan, import, before);
        }
        Ok(())
    }

    fn start(&mut self, plan: Plan, mut import: Box<dyn Import>, before: Option<Running>) {
        let (stop, shutdown) = sync_core::shutdown();
        let wake = Arc::new(Notify::new());
        let (ended, over) = oneshot::channel::<()>();
        let (schedule, waker) = (plan.schedule, wake.clone());
        let clock = self.importer.composer.clock().clone();
        let served = self.served.clone();
        self.tasks.spawn(async move {
            if let Some(before) = before {
                before.stop.request();
                // An error says that its task is gone, which is what we wait for.
                let _ = before.over.await;
            }
            run_on_schedule(
                &mut *import,
                schedule,
                &*clock,
                &waker,
                &shutdown,
                |record| {
                    served
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .add(record);
                },
            )
            .await;
            drop(ended);
        });
        self.running.insert(
            plan.id.clone(),
            Running {
                plan,
                stop,
                wake,
                over,
            },
        );
    }

    /// Whoever moves an import to another time does not want to wait for the next tick.
    async fn wake_moved(&self) {
        for (id, running) in &self.running {
            let stored = self.importer.state.load(id).await.ok().flatten();
            let moved = stored.is_some_and(|stored| {
                matches!(
                    stored.checkpoint.position,
                    Position::Since(_) | Position::Start
                )
            });
            if moved {
                running.wake.notify_one();
            }
        }
    }

    async fn stop_all(&mut self) {
        for running in self.running.values() {
            running.stop.request();
        }
        // Imports that were taken out before are in here too.
        while self.tasks.join_next().await.is_some() {}
    }
}
