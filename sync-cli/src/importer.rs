//! From a [`Config`] to imports that run.

mod compose;
mod consent_first;
mod plan;
mod reconcile;
mod service;
mod stored_files;
mod streams;
mod warehouses;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future;
use sync_core::{
    Clock, Import, ImportId, Key, MemoryStateStore, Observer, Outcome, Result, RunRecord, Shutdown,
    StateStore, SystemClock, Verification,
};
use sync_local::LocalState;
use sync_object_store::Compaction;
use tokio::time::timeout;

pub(crate) use self::compose::OPT_OUTS;
use self::compose::{Composer, Patience};
use self::plan::{Plan, missing_key, plans};
pub use self::service::Served;
use crate::config::{Config, ConfigError, check_list_id};
use crate::telemetry::Observers;
use crate::telemetry::health::Health;
use crate::telemetry::metrics::Metrics;

/// The whole importer: imports of `state.json`, their accounts, their state. Holds the state directory until it is
/// dropped.
#[derive(Debug)]
pub struct Importer {
    composer: Composer,
    state: LocalState,
    metrics: Option<Arc<Metrics>>,
    health: Option<Arc<Health>>,
}

/// Collects the parts that are not plain data.
pub struct ImporterBuilder {
    config: Config,
    observers: Observers,
    metrics: Option<Arc<Metrics>>,
    health: Option<Arc<Health>>,
    clock: Arc<dyn Clock>,
}

impl Importer {
    /// Opens the state directory, adds the audiences that are missing there, and checks every setting. Makes no request.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](sync_core::ErrorKind::Config) for a setting that is wrong, `State` when the directory cannot
    /// be used or another process holds it.
    pub async fn from_config(config: Config) -> Result<Self> {
        Self::builder(config).build().await
    }

    /// Starts an importer with parts of your own.
    pub fn builder(config: Config) -> ImporterBuilder {
        ImporterBuilder {
            config,
            observers: Observers::default(),
            metrics: None,
            health: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// The state directory.
    pub fn state(&self) -> &LocalState {
        &self.state
    }

    /// Runs every import once, all at the same time, and returns how each ended. Paused imports rest.
    ///
    /// Stops early, after a commit, on `shutdown` and when `controller.quit` appears in the state directory. Dropping the
    /// future is like a kill: nothing is lost, and what was not committed is repeated by the next run.
    ///
    /// # Errors
    /// When `state.json` names something that does not exist. What goes wrong in a run stands in its record.
    pub async fn run_once(&self, shutdown: &Shutdown) -> Result<Vec<RunRecord>> {
        let plans = self.active_plans()?;
        self.with_quit(shutdown, async |stop: &Shutdown| {
            let mut imports = self.imports(&plans)?;
            let runs = imports
                .iter_mut()
                .map(|import| run_through(&mut **import, stop));
            Ok(future::join_all(runs).await)
        })
        .await
    }

    /// Runs every import on its schedule until `shutdown`, or until `controller.quit` appears in the state directory.
    /// Edits of `state.json` are taken up while it runs. Dropping the future is like a kill.
    ///
    /// # Errors
    /// When `state.json` names something that does not exist at the start. Later mistakes in it are logged, and what it
    /// said before stays in force.
    pub async fn serve(&self, shutdown: &Shutdown) -> Result<Served> {
        let plans = self.active_plans()?;
        self.with_quit(shutdown, async |stop: &Shutdown| {
            service::serve(self, &plans, stop).await
        })
        .await
    }

    /// Reads records that could not be delivered again and sends them: of one import or of all, these keys or all.
    ///
    /// # Errors
    /// When no import has this name.
    pub async fn replay(
        &self,
        import: Option<&str>,
        keys: Option<&[Key]>,
        shutdown: &Shutdown,
    ) -> Result<Vec<RunRecord>> {
        let mut records = Vec::new();
        for plan in self.named_plans(import)? {
            let waiting = match keys {
                None => None,
                // It asks each of its audiences' imports.
                Some(keys) if plan.is_every_audience() => Some(keys.to_vec()),
                Some(keys) => {
                    let mine = rejected_among(&self.state, &plan.id, keys).await?;
                    if mine.is_empty() {
                        continue;
                    }
                    Some(mine)
                }
            };
            let state: Arc<dyn StateStore> = Arc::new(self.state.clone());
            let mut import = self.composer.import(&plan, &state)?;
            records.push(import.replay(waiting, shutdown).await);
        }
        Ok(records)
    }

    /// Reads one import's audience, or all, and compares with what the sink accepted. Sends nothing.
    ///
    /// # Errors
    /// When no import has this name, or an audience cannot be read at all.
    pub async fn verify(
        &self,
        import: Option<&str>,
        shutdown: &Shutdown,
    ) -> Result<Vec<(ImportId, Verification)>> {
        let mut found = Vec::new();
        for plan in self.named_plans(import)? {
            let state: Arc<dyn StateStore> = Arc::new(self.state.clone());
            let mut import = self.composer.import(&plan, &state)?;
            found.push((plan.id.clone(), import.verify(shutdown).await?));
        }
        Ok(found)
    }

    /// Lets metrics and health forget imports that are not among these any more.
    fn report_only(&self, configured: impl Fn(&ImportId) -> bool) {
        if let Some(metrics) = &self.metrics {
            metrics.keep_only(&configured);
        }
        if let Some(health) = &self.health {
            health.keep_only(&configured);
        }
    }

    fn active_plans(&self) -> Result<Vec<Plan>> {
        let entries = self.state.imports();
        let config = self.composer.config();
        if entries.is_empty() && config.streams.is_empty() {
            return Err(no_audience());
        }
        Ok(active(plans(&entries, &[], config)?, config))
    }

    fn named_plans(&self, import: Option<&str>) -> Result<Vec<Plan>> {
        let plans = plans(&self.state.imports(), &[], self.composer.config())?;
        match import {
            Some(name) => plan::named(plans, name),
            None => Ok(plans),
        }
    }

    fn imports(&self, plans: &[Plan]) -> Result<Vec<Box<dyn Import>>> {
        let state: Arc<dyn StateStore> = Arc::new(self.state.clone());
        plans
            .iter()
            .map(|plan| self.composer.import(plan, &state))
            .collect()
    }

    /// Works with a stop signal that also `controller.quit` gives.
    async fn with_quit<T>(
        &self,
        shutdown: &Shutdown,
        work: impl AsyncFnOnce(&Shutdown) -> Result<T>,
    ) -> Result<T> {
        let (handle, stop) = sync_core::shutdown();
        let signal = async {
            tokio::select! {
                () = shutdown.requested() => {}
                () = self.state.quit_requested() => {
                    tracing::info!("controller.quit found; stopping after the next commit");
                }
            }
            handle.request();
            future::pending::<Infallible>().await
        };
        tokio::select! {
            biased;
            result = work(&stop) => result,
            never = signal => match never {},
        }
    }
}

/// Those of these keys that wait in the rejected store of an import.
async fn rejected_among(
    state: &dyn StateStore,
    import: &ImportId,
    keys: &[Key],
) -> Result<Vec<Key>> {
    const PAGE: usize = 1_000;
    let mut mine = Vec::new();
    let mut after: Option<Key> = None;
    loop {
        let page = state.rejected(import, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(mine);
        };
        after = Some(last.key.clone());
        mine.extend(
            page.into_iter()
                .map(|record| record.key)
                .filter(|key| keys.contains(key)),
        );
    }
}

/// Runs an import; again if somebody edited its state meanwhile, as the edit wants to be followed now. Only a few times:
/// whoever edits faster than a run is in a loop.
async fn run_through(import: &mut dyn Import, stop: &Shutdown) -> RunRecord {
    const TIMES: usize = 3;
    let mut record = import.run(stop).await;
    for _ in 1..TIMES {
        if record.outcome != Some(Outcome::Superseded) || stop.is_requested() {
            break;
        }
        record = import.run(stop).await;
    }
    record
}

/// Imports that are to run.
fn active(plans: Vec<Plan>, config: &Config) -> Vec<Plan> {
    let named = |plan: &Plan| {
        !config.only_these_audiences
            || config
                .audiences
                .iter()
                .any(|id| Some(id.as_str()) == plan.list_id() || id.as_str() == plan.id.as_str())
            // Streams are not audiences: they were asked for by name.
            || plan.list_id().is_none()
    };
    plans
        .into_iter()
        .filter(|plan| !plan.paused && named(plan))
        .collect()
}

fn no_audience() -> sync_core::Error {
    ConfigError::new(
        "MAILCHIMP_LIST_ID",
        "no audience is named",
        "set it, name an audience on the command line, or add one to state.json",
    )
    .into()
}

/// Opens a state directory for looking, also while a service works in it.
///
/// # Errors
/// When it cannot be read, or its `state.json` cannot be understood: it would look as if there were no imports.
pub(crate) async fn look_at(directory: &Path) -> Result<LocalState> {
    /// The state tells a mistake in the file at once; only a file that holds no import takes so long.
    const PATIENCE: Duration = Duration::from_secs(1);
    let state = LocalState::read_only(directory)?;
    if state.imports().is_empty()
        && directory.join("state.json").exists()
        && let Ok(told) = timeout(PATIENCE, state.changed()).await
    {
        told?;
    }
    Ok(state)
}

/// Proves that both ends of every import answer and accept us. Opens the state directory for looking only, so it also
/// works while a service runs, and changes nothing.
///
/// # Errors
/// When a setting is wrong. What the other sides answer stands beside each import.
pub async fn check(config: Config) -> Result<Vec<(ImportId, Result<()>)>> {
    let state = look_at(&config.state).await?;
    let entries = state.imports();
    let mut others = config.audiences.clone();
    others.retain(|id| entries.iter().all(|entry| entry.list_id != *id));
    if config.mailchimp.is_empty() {
        return Err(missing_key("MAILCHIMP_API_KEY", "Mailchimp"));
    }
    if entries.is_empty() && others.is_empty() && config.streams.is_empty() {
        return Err(no_audience());
    }
    let plans = active(plans(&entries, &others, &config)?, &config);
    let composer = Composer::new(
        config,
        Arc::new(()),
        None,
        Arc::new(SystemClock),
        Patience::Check,
    )?;
    // Nothing is remembered of a check.
    let store: Arc<dyn StateStore> = Arc::new(MemoryStateStore::new());
    let imports = plans
        .iter()
        .map(|plan| composer.import(plan, &store))
        .collect::<Result<Vec<_>>>()?;
    let answers = future::join_all(imports.iter().map(|import| import.check())).await;
    Ok(plans.into_iter().map(|plan| plan.id).zip(answers).collect())
}

/// Makes the views for analytics in the warehouse that is the sink, and names them.
///
/// # Errors
/// When the warehouse cannot be opened or refuses.
pub async fn create_views(config: Config) -> Result<Vec<String>> {
    let sink = config.sink.clone();
    let warehouses = warehouses::Warehouses::new(&config, Arc::new(SystemClock));
    warehouses.create_views(&sink).await
}

/// Keeps only the newest version of each record in the files that are the sink, stream by stream.
///
/// # Errors
/// When the sink is none of files, or the streams cannot be listed.
pub async fn compact(config: Config) -> Result<BTreeMap<String, Result<Compaction>>> {
    let sink = config.sink.clone();
    let warehouses = warehouses::Warehouses::new(&config, Arc::new(SystemClock));
    warehouses.compact(&sink).await
}

impl ImporterBuilder {
    /// Hears what happens in every run. May be called several times.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Counts runs, records and requests.
    #[must_use]
    pub fn metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.observers.push(metrics.clone());
        self.metrics = Some(metrics);
        self
    }

    /// Keeps account of which imports fail.
    #[must_use]
    pub fn health(mut self, health: Arc<Health>) -> Self {
        self.observers.push(health.clone());
        self.health = Some(health);
        self
    }

    /// Tells the time. Default the computer's clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The importer.
    ///
    /// # Errors
    /// Those of [`Importer::from_config`].
    pub async fn build(self) -> Result<Importer> {
        let Self {
            config,
            observers,
            metrics,
            health,
            clock,
        } = self;
        if config.mailchimp.is_empty() {
            return Err(missing_key("MAILCHIMP_API_KEY", "Mailchimp"));
        }
        for id in &config.audiences {
            check_list_id(id)
                .map_err(|problem| ConfigError::new("list id", problem, "correct it"))?;
        }
        let directory = config.state.clone();
        let audiences = config.audiences.clone();
        let composer = Composer::new(
            config,
            Arc::new(observers),
            metrics.as_ref(),
            clock.clone(),
            Patience::Run,
        )?;
        let state = tokio::task::spawn_blocking(move || LocalState::open(directory, &clock))
            .await
            .map_err(|cause| {
                sync_core::Error::new(
                    sync_core::ErrorKind::State,
                    "open state directory",
                    "the work was stopped",
                )
                .caused_by(cause)
            })??;
        // Before anything is written: whether all of them can be built.
        let entries = state.imports();
        let mut missing = audiences;
        missing.retain(|id| entries.iter().all(|entry| entry.list_id != *id));
        plans(&entries, &missing, composer.config())?;
        for list_id in &missing {
            state.ensure_import(list_id).await?;
        }
        if let Some(metrics) = &metrics {
            for entry in state.imports() {
                if let Some(until) = entry.latest_timestamp {
                    metrics.delivered_until(&entry.id, until);
                }
            }
        }
        let importer = Importer {
            composer,
            state,
            metrics,
            health,
        };
        importer.active_plans()?;
        Ok(importer)
    }
}

impl fmt::Debug for ImporterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImporterBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
