//! One importing process: clients, pipelines and everything else that is lost when it is killed.
//!
//! The parts are put together as the command line does it: one client for the account, one for Ometria, one turn for all
//! imports of contacts, and, where there are several of these, a pass over all opt-outs before each run. It is done here
//! once more because the command line speaks to real sockets and keeps its state on a disk.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future;
use mailchimp_client::Client;
use ometria_client::{ApiKey, RecordClient};
use sync_cli::mapping::{AudienceMapping, FieldMapping, MappingSettings};
use sync_core::{
    Import, ImportId, JsonMapping, Key, Keyed, Mapping, Outcome, Pipeline, PipelineSettings,
    Report, Result, RunRecord, Shutdown, Sink, Source, StateStore, Stream, Turn,
};
use sync_mailchimp::{AudienceSettings, AudienceSource, MemberRow, StatusFilter};
use sync_ometria::{
    ConsentSettings, ContactMapping, ContactSettings, FactsMapping, OmetriaSink, PushSettings,
    RecordMapping, RecordSettings, RecordSink,
};
use tokio::sync::Mutex;

use crate::bug::{Bug, BuggySource, HastySink};
use crate::guard::Guard;
use crate::scenario::{ImportPlan, Scenario, SinkKind, stream};
use crate::wire::{Flights, MailchimpWire, OmetriaWire};
use crate::world::{World, audience_id};

/// Follows an audience's position, where passes over opt-outs stand among the imports.
pub(crate) const PASSES: usize = 1000;

/// The collection of an audience's contacts.
pub(crate) fn collection(audience: usize) -> String {
    format!("mailchimp:{}", audience_id(audience))
}

/// The id of the import at this position. The first import of an audience is named by the audience alone, as in a
/// directory.
pub(crate) fn import_id(scenario: &Scenario, index: usize) -> ImportId {
    let audience = scenario
        .imports
        .get(index)
        .map_or(0, |import| import.audience);
    let earlier = scenario.imports.iter().take(index);
    let same = earlier.filter(|import| import.audience == audience).count();
    match same {
        0 => ImportId::new(audience_id(audience)),
        more => ImportId::new(format!("{}:{more}", audience_id(audience))),
    }
}

/// The positions of imports by their ids.
pub(crate) fn import_ids(scenario: &Scenario) -> HashMap<ImportId, usize> {
    (0..scenario.imports.len())
        .map(|index| (import_id(scenario, index), index))
        .collect()
}

/// What the wishes of one process are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wishes {
    pub(crate) bug: Option<Bug>,
    /// How long after the last search for removals the next one is due.
    pub(crate) sweep_after: Duration,
    /// Makes the numbers that one process draws differ from those of the next.
    pub(crate) number: u64,
}

pub(crate) struct Process {
    world: Arc<World>,
    imports: Vec<Running>,
}

struct Running {
    index: usize,
    import: Box<dyn Import>,
    passes: Vec<Arc<Pass>>,
}

/// A pass over one audience's opt-outs.
struct Pass {
    audience: usize,
    import: Mutex<Box<dyn Import>>,
}

impl Process {
    /// # Errors
    /// When the parts do not fit, which is a mistake in the simulation.
    pub(crate) fn start(world: &Arc<World>, state: &Arc<Guard>, wishes: Wishes) -> Result<Self> {
        let parts = Parts::new(world, state, wishes)?;
        let scenario = &world.scenario;
        let contacts: Vec<usize> = scenario
            .imports
            .iter()
            .filter(|import| import.sink == SinkKind::Contacts)
            .map(|import| import.audience)
            .collect();
        let mut passes: BTreeMap<usize, Arc<Pass>> = BTreeMap::new();
        let deaf = matches!(wishes.bug, Some(Bug::OptOutsNotShared | Bug::OptOutsLate));
        if contacts.len() > 1 && !deaf {
            for &audience in &contacts {
                let import = Mutex::new(parts.pass(audience, &contacts)?);
                passes.insert(audience, Arc::new(Pass { audience, import }));
            }
        }
        let mut imports = Vec::new();
        for (index, plan) in scenario.imports.iter().enumerate() {
            let import = parts.import(index, *plan, &contacts)?;
            let passes = match plan.sink {
                SinkKind::Contacts => passes.values().cloned().collect(),
                SinkKind::Rows | SinkKind::Records => Vec::new(),
            };
            imports.push(Running {
                index,
                import,
                passes,
            });
        }
        Ok(Self {
            world: world.clone(),
            imports,
        })
    }

    /// Runs every import once, all at the same time.
    pub(crate) async fn run_once(&mut self, shutdown: &Shutdown) -> Vec<RunRecord> {
        let world = &self.world;
        let runs = self
            .imports
            .iter_mut()
            .map(|running| running.run(world, shutdown));
        future::join_all(runs).await.into_iter().flatten().collect()
    }

    /// Sends again what was rejected.
    pub(crate) async fn replay(&mut self) -> Vec<RunRecord> {
        let mut records = Vec::new();
        for running in &mut self.imports {
            records.push(running.import.replay(None, &Shutdown::never()).await);
        }
        records
    }
}

impl Running {
    /// `None`: opt-outs are not known, so nothing was done.
    async fn run(&mut self, world: &World, shutdown: &Shutdown) -> Option<RunRecord> {
        world
            .trace
            .line(format_args!("import {} begins", self.index));
        world.run_began(self.index);
        for pass in &self.passes {
            let mut import = pass.import.lock().await;
            world.run_began(PASSES + pass.audience);
            let record = import.run(shutdown).await;
            world.trace.line(format_args!(
                "import {} passed over the opt-outs of audience {}: {}",
                self.index,
                pass.audience,
                shown(&record),
            ));
            if record.outcome != Some(Outcome::Complete) {
                return None;
            }
            world.run_completed(PASSES + pass.audience);
        }
        let record = self.import.run(shutdown).await;
        world.trace.line(format_args!(
            "import {} ends: {}",
            self.index,
            shown(&record)
        ));
        if record.outcome == Some(Outcome::Complete) {
            world.run_completed(self.index);
        }
        Some(record)
    }
}

fn shown(record: &RunRecord) -> String {
    let outcome = record.outcome.map_or("running", Outcome::as_str);
    format!(
        "{outcome} {:?} {}",
        record.counts,
        record.error.as_deref().unwrap_or("")
    )
}

/// What imports of one process share.
struct Parts<'a> {
    world: &'a Arc<World>,
    state: &'a Arc<Guard>,
    wishes: Wishes,
    flights: Flights,
    mailchimp: Client,
    ometria: ometria_client::Client,
    records: RecordClient,
    turn: Turn,
}

impl<'a> Parts<'a> {
    fn new(world: &'a Arc<World>, state: &'a Arc<Guard>, wishes: Wishes) -> Result<Self> {
        let flights = Flights::default();
        let wire = Arc::new(OmetriaWire {
            world: world.clone(),
        });
        let key = || ApiKey::new(World::OMETRIA_KEY).map_err(unfit);
        let address = url::Url::parse("https://ometria.test").map_err(unfit)?;
        Ok(Self {
            world,
            state,
            wishes,
            mailchimp: mailchimp(world, &flights, wishes.number)?,
            flights,
            ometria: ometria_client::Client::builder(key()?)
                .transport(wire.clone())
                .build()
                .map_err(unfit)?,
            records: RecordClient::builder(key()?)
                .base_url(address)
                .transport(wire)
                .build()
                .map_err(unfit)?,
            turn: Turn::default(),
        })
    }

    fn import(
        &self,
        index: usize,
        plan: ImportPlan,
        contacts: &[usize],
    ) -> Result<Box<dyn Import>> {
        let id = import_id(&self.world.scenario, index);
        let audience = audience_id(plan.audience);
        let fields = FieldMapping::new(MappingSettings::default())?;
        let asked = fields
            .fields()
            .into_iter()
            .map(|name| format!("members.{name}"))
            .collect();
        match plan.sink {
            SinkKind::Rows => {
                let rng = stream(self.world.scenario.seed ^ self.wishes.number, "rows");
                let sink = crate::rows::RowSink::new(self.world.clone(), index, rng);
                let mapping = JsonMapping::new(id.scope(), Stream::new("members"));
                let source = self.source(plan.audience, Vec::new())?;
                Ok(self.pipeline(id, source, Arc::new(mapping), Box::new(sink), false))
            }
            SinkKind::Contacts => {
                let contact = ContactSettings::default();
                let collection = collection(plan.audience);
                let consent = self.consent(contacts);
                let mapping =
                    ContactMapping::new(id.scope(), &audience, &collection, contact, consent)?;
                let mapping = AudienceMapping::new(fields, mapping);
                let push = PushSettings {
                    records_per_push: 7,
                    ..PushSettings::default()
                };
                let sink = OmetriaSink::new(self.ometria.clone(), &push, Arc::new(()))?;
                let source = self.source(plan.audience, asked)?;
                let shares = contacts.len() > 1;
                Ok(self.pipeline(id, source, Arc::new(mapping), Box::new(sink), shares))
            }
            SinkKind::Records => {
                let mapping = AudienceMapping::new(fields, RecordMapping::new(id.scope()));
                let settings = RecordSettings {
                    rows_per_call: 9,
                    ..RecordSettings::default()
                };
                let sink = RecordSink::new(self.records.clone(), &settings, Arc::new(()))?;
                let source = self.source(plan.audience, asked)?;
                Ok(self.pipeline(id, source, Arc::new(mapping), Box::new(sink), false))
            }
        }
    }

    fn pass(&self, audience: usize, contacts: &[usize]) -> Result<Box<dyn Import>> {
        let fields = FieldMapping::new(MappingSettings::default())?;
        let settings = AudienceSettings {
            status: StatusFilter::Unsubscribed,
            fields: fields
                .fields()
                .into_iter()
                .map(|name| format!("members.{name}"))
                .collect(),
            ..self.reading()
        };
        let id = audience_id(audience);
        let facts = FactsMapping::new(&id, &self.consent(contacts))?;
        let clock = Arc::new(self.world.time.clone());
        let source = AudienceSource::new(self.mailchimp.clone(), id.as_str(), settings, clock)?;
        let pipeline = Pipeline::<MemberRow, NoRecord>::builder(
            ImportId::new(format!("{id}:optouts")),
            Arc::new(source),
            Arc::new(AudienceMapping::new(fields, facts)),
            Box::new(NoSink),
            self.state.clone(),
        )
        .clock(Arc::new(self.world.time.clone()))
        .settings(PipelineSettings {
            sweep_interval: None,
            ..self.delivering()
        })
        .turn(self.turn.clone())
        .build();
        Ok(Box::new(pipeline))
    }

    fn consent(&self, contacts: &[usize]) -> ConsentSettings {
        let audiences = match self.wishes.bug {
            Some(Bug::OptOutsNotShared) => Vec::new(),
            _ => contacts
                .iter()
                .map(|&audience| audience_id(audience))
                .collect(),
        };
        ConsentSettings {
            audiences,
            ..ConsentSettings::default()
        }
    }

    fn reading(&self) -> AudienceSettings {
        let scenario = &self.world.scenario;
        let no_look_back = self.wishes.bug == Some(Bug::NoLookBack);
        AudienceSettings {
            items_per_request: scenario.page,
            worker_count: scenario.workers,
            lookback_seconds: if no_look_back {
                0
            } else {
                scenario.lookback_seconds
            },
            ..AudienceSettings::default()
        }
    }

    fn delivering(&self) -> PipelineSettings {
        PipelineSettings {
            commit_records: self.world.scenario.commit_records,
            sweep_interval: Some(self.wishes.sweep_after),
            max_removed_share: 1.0,
            ..PipelineSettings::default()
        }
    }

    fn source(
        &self,
        audience: usize,
        fields: Vec<String>,
    ) -> Result<Arc<dyn Source<Record = MemberRow>>> {
        let client = match self.wishes.bug {
            Some(Bug::ConnectionsNotShared) => {
                mailchimp(self.world, &self.flights, self.wishes.number)?
            }
            _ => self.mailchimp.clone(),
        };
        let settings = AudienceSettings {
            fields,
            ..self.reading()
        };
        let list_id: Arc<str> = audience_id(audience).into();
        let clock = Arc::new(self.world.time.clone());
        let inner = AudienceSource::new(client.clone(), list_id.clone(), settings, clock)?;
        let Some(bug) = self.wishes.bug else {
            return Ok(Arc::new(inner));
        };
        let scenario = &self.world.scenario;
        let (page, lookback_seconds) = (scenario.page, scenario.lookback_seconds);
        Ok(Arc::new(BuggySource {
            bug,
            inner,
            client,
            list_id,
            page,
            lookback_seconds,
        }))
    }

    fn pipeline<O: Keyed + Send + 'static>(
        &self,
        id: ImportId,
        source: Arc<dyn Source<Record = MemberRow>>,
        mapping: Arc<dyn Mapping<MemberRow, O>>,
        sink: Box<dyn Sink<O>>,
        shares_facts: bool,
    ) -> Box<dyn Import> {
        let sink = if self.wishes.bug == Some(Bug::CommitBeforeFlush) {
            let (hasty, afterwards) = HastySink::new(sink);
            self.state.afterwards(id.clone(), afterwards);
            Box::new(hasty)
        } else {
            sink
        };
        let state: Arc<dyn StateStore> = self.state.clone();
        let mut builder = Pipeline::builder(id, source, mapping, sink, state)
            .clock(Arc::new(self.world.time.clone()))
            .settings(self.delivering())
            .binding("simulation");
        if shares_facts {
            builder = builder.turn(self.turn.clone());
        }
        Box::new(builder.build())
    }
}

fn mailchimp(world: &Arc<World>, flights: &Flights, number: u64) -> Result<Client> {
    let wire = MailchimpWire {
        world: world.clone(),
        flights: flights.clone(),
    };
    Client::builder(World::MAILCHIMP_KEY)
        .transport(Arc::new(wire))
        .jitter_seed(world.scenario.seed ^ number)
        .build()
        .map_err(unfit)
}

fn unfit(cause: impl std::error::Error + Send + Sync + 'static) -> sync_core::Error {
    sync_core::Error::new(
        sync_core::ErrorKind::Config,
        "start process",
        "a part does not fit",
    )
    .caused_by(cause)
}

/// The sink of a pass that sends nothing.
struct NoSink;

/// What goes there: there is no such record.
enum NoRecord {}

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

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("imports", &self.imports.len())
            .finish_non_exhaustive()
    }
}
