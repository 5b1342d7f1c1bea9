//! The composition root: from plans to running parts.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mailchimp_client::Client as Mailchimp;
use ometria_client::{ApiKey, Client as Ometria, RecordClient};
use secrecy::ExposeSecret;
use sync_core::{
    Clock, Error, ErrorKind, EventMapping, Import, ImportId, JsonMapping, JsonRecord, JsonlSink,
    JsonlTarget, Keyed, Limit, Mapping, Observer, Pipeline, PipelineSettings, Result, Sink, Source,
    StateStore, Stream, Turn,
};
use sync_mailchimp::catalogue::{
    self, ActivityBy, CatalogueAccount, MembersSource, RemovedAudience, StreamDefinition,
    StreamRecord, StreamSource,
};
use sync_mailchimp::{AudienceSettings, AudienceSource, MemberRow, RecentCheck, StatusFilter};
use sync_ometria::{ContactMapping, FactsMapping, OmetriaSink, RecordMapping, RecordSink};

use super::consent_first::{ConsentFirst, NoRecord, NoSink, OptOutPass};
use super::plan::{AudiencePlan, AudienceRef, Content, Plan};
use super::reconcile::{Prefix, Reconciled};
use super::stored_files::{CopiedFiles, FilesOf};
use super::streams::{Audience, EveryAudience, InTurn, StreamSlots, no_warehouse};
use super::warehouses::Warehouses;
use crate::config::{Config, MailchimpAccount, OmetriaAccount, Profile, SinkChoice};
use crate::mapping::{AudienceMapping, FieldMapping};
use crate::telemetry::hooks::WireHooks;
use crate::telemetry::metrics::Metrics;

/// Follows an audience's id in the id of the pass that only looks for opt-outs.
pub(crate) const OPT_OUTS: &str = ":optouts";

/// How long to put up with failing requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as a run should: an outage of half a minute is ridden out.
    Run,
    /// Two attempts: somebody waits for the answer.
    Check,
}

/// Attempts of a request that somebody waits for.
const BRIEF: u32 = 2;

/// Builds imports. Whatever imports share lives here: one client for each account with its limits, one turn for each sink
/// that several write to, one pass for each audience whose opt-outs must be known first.
#[derive(Clone)]
pub(crate) struct Composer {
    config: Config,
    mailchimp: HashMap<String, Mailchimp>,
    ometria: HashMap<String, OmetriaApi>,
    catalogues: HashMap<String, CatalogueAccount>,
    warehouses: Arc<Warehouses>,
    /// Lets a few streams be read at a time.
    slots: StreamSlots,
    limit: Option<Limit>,
    delivery: PipelineSettings,
    turns: Arc<Mutex<HashMap<String, Turn>>>,
    passes: Arc<Mutex<Passes>>,
    /// Checks that a pass hands to the import that follows it.
    checks: Arc<Mutex<HashMap<AudienceRef, RecentCheck>>>,
    observer: Arc<dyn Observer>,
    hooks: Arc<WireHooks>,
    clock: Arc<dyn Clock>,
}

/// One pass for each Ometria account and audience.
type Passes = HashMap<(String, AudienceRef), Arc<OptOutPass>>;

#[derive(Clone)]
enum OmetriaApi {
    PushV2(Ometria),
    Record(RecordClient),
}

impl Composer {
    /// Makes the clients. No request is made.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when an account's settings cannot work.
    pub(crate) fn new(
        config: Config,
        observer: Arc<dyn Observer>,
        metrics: Option<&Arc<Metrics>>,
        clock: Arc<dyn Clock>,
        patience: Patience,
    ) -> Result<Self> {
        let hooks = Arc::new(WireHooks::new(metrics.cloned()));
        let mut mailchimp: HashMap<String, Mailchimp> = HashMap::new();
        for (name, account) in &config.mailchimp {
            // Two names for one key are one Mailchimp user with ten connections in all.
            let twin = config
                .mailchimp
                .iter()
                .find(|(_, other)| same_user(account, other))
                .and_then(|(first, _)| mailchimp.get(first))
                .cloned();
            let client = match twin {
                Some(client) => client,
                None => mailchimp_client(name, account, &hooks, patience)?,
            };
            if let Some(metrics) = metrics {
                let gauge = client.clone();
                metrics.watch_connections(name, move || (gauge.in_flight(), gauge.limit()));
            }
            mailchimp.insert(name.clone(), client);
        }
        let mut ometria = HashMap::new();
        for (name, account) in &config.ometria {
            ometria.insert(
                name.clone(),
                ometria_client(name, account, &hooks, patience)?,
            );
        }
        // Names for one key are one account here, too.
        let catalogues = mailchimp
            .iter()
            .map(|(name, client)| (name.clone(), CatalogueAccount::new(client.clone())))
            .collect();
        let warehouses = Arc::new(Warehouses::new(&config, clock.clone()));
        Ok(Self {
            limit: config.limit.map(Limit::new),
            delivery: config.delivery.clone(),
            config,
            mailchimp,
            ometria,
            catalogues,
            warehouses,
            slots: StreamSlots::default(),
            turns: Arc::default(),
            passes: Arc::default(),
            checks: Arc::default(),
            observer,
            hooks,
            clock,
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The import of a plan.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when its settings cannot work.
    pub(crate) fn import(
        &self,
        plan: &Plan,
        state: &Arc<dyn StateStore>,
    ) -> Result<Box<dyn Import>> {
        let audience = match &plan.content {
            Content::Stream(definition) => return self.stream_import(plan, definition, state),
            Content::Audience(audience) => audience,
        };
        match &plan.sink {
            SinkChoice::Jsonl(target) => {
                let stream = Stream::new(format!("members-{}", plan.id));
                let mapping = JsonMapping::new(plan.id.scope(), stream);
                let sink = JsonlSink::new(target.clone());
                let source = self.source(plan, audience, Vec::new())?;
                let binding = format!("sink {}", plan.sink);
                Ok(self.pipeline(
                    plan,
                    Arc::new(source),
                    Arc::new(mapping),
                    Box::new(sink),
                    state,
                    &binding,
                ))
            }
            SinkChoice::Ometria { account } => self.ometria_import(plan, audience, account, state),
            SinkChoice::Sqlite(_)
            | SinkChoice::Postgres { .. }
            | SinkChoice::Snowflake { .. }
            | SinkChoice::Files { .. } => {
                let list_id = &audience.list_id;
                Ok(self.members_import(plan, &plan.id, list_id, Audience::Present, state)?)
            }
        }
    }

    /// The import of a stream of the catalogue.
    fn stream_import(
        &self,
        plan: &Plan,
        definition: &'static StreamDefinition,
        state: &Arc<dyn StateStore>,
    ) -> Result<Box<dyn Import>> {
        let account = self.catalogue(&plan.account)?;
        if definition.name == catalogue::members().name {
            let (composer, of) = (self.clone(), plan.clone());
            let store = state.clone();
            let make = move |list_id: &str, audience| {
                let id = ImportId::new(format!("{}/{list_id}", of.id));
                composer.members_import(&of, &id, list_id, audience, &store)
            };
            return Ok(Box::new(EveryAudience::new(
                plan.id.clone(),
                account,
                Box::new(make),
                self.delivery.sweep_interval.is_some(),
                state.clone(),
                self.clock.clone(),
            )));
        }
        let mut reading = self.config.streams_reading.clone();
        if self.limit.is_some() && reading.email_activity_by == ActivityBy::Auto {
            // A trial wants a few records soon, not all of them for few calls.
            reading.email_activity_by = ActivityBy::Pages;
        }
        let clock = self.clock.clone();
        let source = StreamSource::new(account.clone(), definition, reading, clock)?
            .hooks(self.hooks.clone());
        let copied = self.config.copy_files.as_ref();
        let copied = copied.zip(FilesOf::stream(definition.name));
        let source: Arc<dyn Source<Record = StreamRecord>> = match copied {
            Some((url, of)) => {
                let store = self.warehouses.file_store(url)?;
                let client = self.mailchimp(&plan.account)?;
                Arc::new(CopiedFiles::new(source, client, store, of))
            }
            None => Arc::new(source),
        };
        let prefix = Prefix::Account(account);
        Ok(self.warehouse_import(plan, &plan.id, definition, source, prefix, state)?)
    }

    /// The import of one audience's members into a warehouse.
    fn members_import(
        &self,
        plan: &Plan,
        id: &ImportId,
        list_id: &str,
        audience: Audience,
        state: &Arc<dyn StateStore>,
    ) -> Result<Box<dyn Import + Sync>> {
        let account = self.catalogue(&plan.account)?;
        let mut composer = self.clone();
        let source: Arc<dyn Source<Record = StreamRecord>> = match audience {
            Audience::Present => {
                let (reading, clock) = (self.reading(), self.clock.clone());
                let source = MembersSource::new(account.clone(), list_id, reading, clock)?;
                Arc::new(source.hooks(self.hooks.clone()))
            }
            Audience::Removed => {
                // The source proves that all of them are gone, and is not asked for them again.
                composer.delivery.sweep_interval = Some(Duration::ZERO);
                composer.delivery.max_removed_share = 1.0;
                Arc::new(RemovedAudience::new(account.clone(), list_id))
            }
        };
        let prefix = Prefix::Audience(account, list_id.to_owned());
        let members = catalogue::members();
        composer.warehouse_import(plan, id, members, source, prefix, state)
    }

    /// An import of JSON records into a sink that takes any stream.
    fn warehouse_import(
        &self,
        plan: &Plan,
        id: &ImportId,
        definition: &'static StreamDefinition,
        source: Arc<dyn Source<Record = StreamRecord>>,
        prefix: Prefix,
        state: &Arc<dyn StateStore>,
    ) -> Result<Box<dyn Import + Sync>> {
        let place = self.warehouses.sink(&plan.sink, id, definition.stream())?;
        let (sink, stream) = place.ok_or_else(|| no_warehouse(definition.name))?;
        let stream = Arc::new(stream);
        let mapping: Arc<dyn Mapping<StreamRecord, JsonRecord>> = if definition.remembered {
            Arc::new(JsonMapping::new(id.scope(), stream.clone()))
        } else {
            Arc::new(EventMapping::new(stream.clone()))
        };
        let of = Plan {
            id: id.clone(),
            ..plan.clone()
        };
        let binding = format!("sink {}", plan.sink);
        let inner = self.pipeline(&of, source.clone(), mapping, sink, state, &binding);
        let (warehouses, choice) = (self.warehouses.clone(), plan.sink.clone());
        let reconciled = Reconciled {
            inner,
            source,
            stream,
            remembered: definition.remembered,
            readback: Box::new(move || warehouses.readback(&choice)),
            prefix,
        };
        Ok(Box::new(InTurn::new(
            Box::new(reconciled),
            self.slots.clone(),
        )))
    }

    fn ometria_import(
        &self,
        plan: &Plan,
        audience: &AudiencePlan,
        account: &str,
        state: &Arc<dyn StateStore>,
    ) -> Result<Box<dyn Import>> {
        let (Some(settings), Some(api)) =
            (self.config.ometria.get(account), self.ometria.get(account))
        else {
            return Err(unknown_account("ometria", account));
        };
        let fields = FieldMapping::new(self.config.mapping.clone())?;
        let mut source = self.source(plan, audience, asked(&fields))?;
        if audience.needs_opt_outs_first() {
            let this = AudienceRef {
                list_id: audience.list_id.clone(),
                account: plan.account.clone(),
            };
            source = source.takes_check_from(self.recent_check(&this));
        }
        let source: Arc<dyn Source<Record = MemberRow>> = Arc::new(source);
        let ids = self.config.mapping.id.as_str();
        match api {
            OmetriaApi::Record(client) => {
                let mapping = AudienceMapping::new(fields, RecordMapping::new(plan.id.scope()));
                let sink = RecordSink::new(client.clone(), &settings.record, self.hooks.clone())?;
                let binding = format!("sink {} profile record id {ids}", plan.sink);
                Ok(self.pipeline(
                    plan,
                    source,
                    Arc::new(mapping),
                    Box::new(sink),
                    state,
                    &binding,
                ))
            }
            OmetriaApi::PushV2(client) => {
                let consent = self.consent(account, &audience.audiences);
                if audience.needs_opt_outs_first() && !self.config.mapping.separates_audiences() {
                    return Err(Error::new(
                        ErrorKind::Config,
                        "read settings",
                        "several audiences need a collection each; put {list_id} into it",
                    )
                    .with("field", "mapping.collection"));
                }
                let collection = self.config.mapping.collection_of(&audience.list_id);
                let contacts = ContactMapping::new(
                    plan.id.scope(),
                    &audience.list_id,
                    &collection,
                    self.config.contact.clone(),
                    consent,
                )?;
                let mapping = AudienceMapping::new(fields, contacts);
                let sink = OmetriaSink::new(client.clone(), &settings.push, self.hooks.clone())?;
                let binding = format!(
                    "sink {} profile push-v2 id {ids} collection {collection}",
                    plan.sink
                );
                let main = self.pipeline(
                    plan,
                    source,
                    Arc::new(mapping),
                    Box::new(sink),
                    state,
                    &binding,
                );
                if !audience.needs_opt_outs_first() {
                    return Ok(main);
                }
                let passes = audience
                    .audiences
                    .iter()
                    .map(|audience| self.pass(account, audience, state))
                    .collect::<Result<Vec<_>>>()?;
                Ok(Box::new(ConsentFirst {
                    passes,
                    main,
                    state: state.clone(),
                    observer: self.observer.clone(),
                    clock: self.clock.clone(),
                }))
            }
        }
    }

    /// The rules of consent of one Ometria account.
    fn consent(&self, account: &str, audiences: &[AudienceRef]) -> sync_ometria::ConsentSettings {
        let mut consent = self.config.consent.clone();
        account.clone_into(&mut consent.account);
        consent
            .audiences
            .extend(audiences.iter().map(|audience| audience.list_id.clone()));
        consent
    }

    /// The pass over an audience's opt-outs; one for all imports that need it.
    fn pass(
        &self,
        ometria: &str,
        audience: &AudienceRef,
        state: &Arc<dyn StateStore>,
    ) -> Result<Arc<OptOutPass>> {
        let key = (ometria.to_owned(), audience.clone());
        let mut passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pass) = passes.get(&key) {
            return Ok(pass.clone());
        }
        let fields = FieldMapping::new(self.config.mapping.clone())?;
        let settings = AudienceSettings {
            status: StatusFilter::Unsubscribed,
            fields: asked(&fields),
            ..self.reading()
        };
        let source = AudienceSource::new(
            self.mailchimp(&audience.account)?,
            audience.list_id.as_str(),
            settings,
            self.clock.clone(),
        )?
        .leaves_check_in(self.recent_check(audience))
        .hooks(self.hooks.clone());
        let consent = self.consent(ometria, &[]);
        let mapping = AudienceMapping::new(fields, FactsMapping::new(&audience.list_id, &consent)?);
        // A colon cannot stand in a list id, so this is nobody else's.
        let id = format!("{}:{ometria}{OPT_OUTS}", audience.list_id);
        let pipeline = Pipeline::<MemberRow, NoRecord>::builder(
            ImportId::new(id),
            Arc::new(source),
            Arc::new(mapping),
            Box::new(NoSink),
            state.clone(),
        )
        .observer(self.observer.clone())
        .clock(self.clock.clone())
        .settings(PipelineSettings {
            sweep_interval: None,
            ..self.config.delivery.clone()
        })
        .turn(self.turn(&format!("ometria:{ometria}")))
        .build();
        let pass = Arc::new(OptOutPass::new(
            audience.list_id.clone(),
            Box::new(pipeline),
        ));
        passes.insert(key, pass.clone());
        Ok(pass)
    }

    fn reading(&self) -> AudienceSettings {
        let seconds =
            |duration: std::time::Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
        AudienceSettings {
            lookback_seconds: seconds(self.config.reading.lookback),
            safety_lag_seconds: seconds(self.config.reading.safety_lag),
            ..AudienceSettings::default()
        }
    }

    fn source(
        &self,
        plan: &Plan,
        audience: &AudiencePlan,
        fields: Vec<String>,
    ) -> Result<AudienceSource> {
        let default = self.reading();
        let settings = AudienceSettings {
            items_per_request: audience
                .items_per_request
                .unwrap_or(default.items_per_request),
            // The file's tradition allows more workers than there are connections.
            worker_count: audience
                .worker_count
                .map_or(default.worker_count, |workers| {
                    usize::try_from(workers).map_or(default.worker_count, |workers| {
                        workers.min(default.worker_count)
                    })
                }),
            start_offset: audience.start_offset,
            fields,
            ..default
        };
        let client = self.mailchimp(&plan.account)?;
        let source = AudienceSource::new(
            client,
            audience.list_id.as_str(),
            settings,
            self.clock.clone(),
        )?;
        Ok(source.hooks(self.hooks.clone()))
    }

    fn mailchimp(&self, account: &str) -> Result<Mailchimp> {
        let client = self.mailchimp.get(account).cloned();
        client.ok_or_else(|| unknown_account("mailchimp", account))
    }

    fn catalogue(&self, account: &str) -> Result<CatalogueAccount> {
        let known = self.catalogues.get(account).cloned();
        known.ok_or_else(|| unknown_account("mailchimp", account))
    }

    fn recent_check(&self, audience: &AudienceRef) -> RecentCheck {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.entry(audience.clone()).or_default().clone()
    }

    fn turn(&self, sink: &str) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(sink.to_owned()).or_default().clone()
    }

    fn pipeline<R, O>(
        &self,
        plan: &Plan,
        source: Arc<dyn Source<Record = R>>,
        mapping: Arc<dyn Mapping<R, O>>,
        sink: Box<dyn Sink<O>>,
        state: &Arc<dyn StateStore>,
        binding: &str,
    ) -> Box<dyn Import + Sync>
    where
        R: Keyed + Send + Sync + 'static,
        O: Keyed + Send + 'static,
    {
        let mut builder = Pipeline::builder(plan.id.clone(), source, mapping, sink, state.clone())
            .observer(self.observer.clone())
            .clock(self.clock.clone())
            .settings(self.delivery.clone())
            .binding(binding);
        if let Some(limit) = &self.limit {
            builder = builder.limit(limit.clone());
        }
        if let Some(name) = turn_of(plan) {
            builder = builder.turn(self.turn(&name));
        }
        Box::new(builder.build())
    }
}

impl fmt::Debug for Composer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Composer")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Who must take turns with whom: imports that write to one place which takes one writer at a time. Warehouses take many.
fn turn_of(plan: &Plan) -> Option<String> {
    match &plan.sink {
        SinkChoice::Ometria { account } => plan.shares_sink.then(|| format!("ometria:{account}")),
        SinkChoice::Jsonl(target) => {
            // Streams have a file each.
            let one = plan.list_id().is_some() || *target == JsonlTarget::Stdout;
            (plan.shares_sink && one).then(|| plan.sink.to_string())
        }
        _ => None,
    }
}

fn same_user(one: &MailchimpAccount, other: &MailchimpAccount) -> bool {
    one.api_key.expose_secret() == other.api_key.expose_secret() && one.base_url == other.base_url
}

fn mailchimp_client(
    name: &str,
    account: &MailchimpAccount,
    hooks: &Arc<WireHooks>,
    patience: Patience,
) -> Result<Mailchimp> {
    let mut builder = Mailchimp::builder(account.api_key.expose_secret())
        .max_concurrency(account.max_connections)
        .hooks(hooks.clone())
        .user_agent(concat!("sync-cli/", env!("CARGO_PKG_VERSION")));
    if let Some(url) = &account.base_url {
        builder = builder.base_url(url.clone());
    }
    if patience == Patience::Check {
        builder = builder.retry(mailchimp_client::RetryPolicy::default().max_attempts(BRIEF));
    }
    builder
        .build()
        .map_err(|error| unusable("mailchimp", name).caused_by(error))
}

fn ometria_client(
    name: &str,
    account: &OmetriaAccount,
    hooks: &Arc<WireHooks>,
    patience: Patience,
) -> Result<OmetriaApi> {
    let key = ApiKey::new(account.api_key.expose_secret())
        .map_err(|error| unusable("ometria", name).caused_by(error))?;
    let mut retry = ometria_client::RetryPolicy::default();
    if patience == Patience::Check {
        retry = retry.max_attempts(BRIEF);
    }
    match account.profile {
        Profile::PushV2 => {
            let mut builder = Ometria::builder(key)
                .push_rate(account.push_rate)
                .retry(retry)
                .hooks(hooks.clone());
            if let Some(url) = &account.base_url {
                builder = builder.base_url(url.clone());
            }
            builder.build().map(OmetriaApi::PushV2)
        }
        Profile::Record => {
            let mut builder = RecordClient::builder(key)
                .header(account.header)
                .retry(retry)
                .hooks(hooks.clone());
            if let Some(url) = &account.base_url {
                builder = builder.base_url(url.clone());
            }
            builder.build().map(OmetriaApi::Record)
        }
    }
    .map_err(|error| unusable("ometria", name).caused_by(error))
}

/// What a mapping needs of each member, as the API names it.
fn asked(fields: &FieldMapping) -> Vec<String> {
    fields
        .fields()
        .into_iter()
        .map(|name| format!("members.{name}"))
        .collect()
}

fn unusable(system: &'static str, account: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        "set up account",
        "its settings cannot work",
    )
    .with("system", system)
    .with("account", account)
}

fn unknown_account(system: &'static str, account: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        "set up import",
        "there is no such account",
    )
    .with("system", system)
    .with("account", account)
}
