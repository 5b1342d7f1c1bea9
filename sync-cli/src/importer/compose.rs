//! The composition root: from plans to running parts.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use mailchimp_client::Client as Mailchimp;
use ometria_client::{ApiKey, Client as Ometria, RecordClient};
use secrecy::ExposeSecret;
use sync_core::{
    Clock, Error, ErrorKind, Import, ImportId, JsonMapping, JsonlSink, Limit, Mapping, Observer,
    Pipeline, PipelineSettings, Result, Sink, StateStore, Stream, Turn,
};
use sync_mailchimp::{AudienceSettings, AudienceSource, MemberRow, RecentCheck, StatusFilter};
use sync_ometria::{ContactMapping, FactsMapping, OmetriaSink, RecordMapping, RecordSink};

use super::consent_first::{ConsentFirst, NoRecord, NoSink, OptOutPass};
use super::plan::{AudienceRef, Plan};
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
pub(crate) struct Composer {
    config: Config,
    mailchimp: HashMap<String, Mailchimp>,
    ometria: HashMap<String, OmetriaApi>,
    limit: Option<Limit>,
    turns: Mutex<HashMap<String, Turn>>,
    passes: Mutex<HashMap<(String, AudienceRef), Arc<OptOutPass>>>,
    /// Checks that a pass hands to the import that follows it.
    checks: Mutex<HashMap<AudienceRef, RecentCheck>>,
    observer: Arc<dyn Observer>,
    hooks: Arc<WireHooks>,
    clock: Arc<dyn Clock>,
}

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
        Ok(Self {
            limit: config.limit.map(Limit::new),
            config,
            mailchimp,
            ometria,
            turns: Mutex::default(),
            passes: Mutex::default(),
            checks: Mutex::default(),
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
        match &plan.sink {
            SinkChoice::Jsonl(target) => {
                let stream = Stream::new(format!("members-{}", plan.id));
                let mapping = JsonMapping::new(plan.id.scope(), stream);
                let sink = JsonlSink::new(target.clone());
                let source = self.source(plan, Vec::new())?;
                let binding = format!("sink {}", plan.sink);
                Ok(self.pipeline(
                    plan,
                    source,
                    Arc::new(mapping),
                    Box::new(sink),
                    state,
                    &binding,
                ))
            }
            SinkChoice::Ometria { account } => self.ometria_import(plan, account, state),
        }
    }

    fn ometria_import(
        &self,
        plan: &Plan,
        account: &str,
        state: &Arc<dyn StateStore>,
    ) -> Result<Box<dyn Import>> {
        let (Some(settings), Some(api)) =
            (self.config.ometria.get(account), self.ometria.get(account))
        else {
            return Err(unknown_account("ometria", account));
        };
        let fields = FieldMapping::new(self.config.mapping.clone())?;
        let mut source = self.source(plan, asked(&fields))?;
        if plan.needs_opt_outs_first() {
            let audience = AudienceRef {
                list_id: plan.list_id.clone(),
                account: plan.account.clone(),
            };
            source = source.takes_check_from(self.recent_check(&audience));
        }
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
                let consent = self.consent(account, &plan.audiences);
                if plan.needs_opt_outs_first() && !self.config.mapping.separates_audiences() {
                    return Err(Error::new(
                        ErrorKind::Config,
                        "read settings",
                        "several audiences need a collection each; put {list_id} into it",
                    )
                    .with("field", "mapping.collection"));
                }
                let collection = self.config.mapping.collection_of(&plan.list_id);
                let contacts = ContactMapping::new(
                    plan.id.scope(),
                    &plan.list_id,
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
                if !plan.needs_opt_outs_first() {
                    return Ok(main);
                }
                let passes = plan
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

    fn source(&self, plan: &Plan, fields: Vec<String>) -> Result<AudienceSource> {
        let default = self.reading();
        let settings = AudienceSettings {
            items_per_request: plan.items_per_request.unwrap_or(default.items_per_request),
            // The file's tradition allows more workers than there are connections.
            worker_count: plan.worker_count.map_or(default.worker_count, |workers| {
                usize::try_from(workers).map_or(default.worker_count, |workers| {
                    workers.min(default.worker_count)
                })
            }),
            start_offset: plan.start_offset,
            fields,
            ..default
        };
        let client = self.mailchimp(&plan.account)?;
        let source =
            AudienceSource::new(client, plan.list_id.as_str(), settings, self.clock.clone())?;
        Ok(source.hooks(self.hooks.clone()))
    }

    fn mailchimp(&self, account: &str) -> Result<Mailchimp> {
        let client = self.mailchimp.get(account).cloned();
        client.ok_or_else(|| unknown_account("mailchimp", account))
    }

    fn recent_check(&self, audience: &AudienceRef) -> RecentCheck {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.entry(audience.clone()).or_default().clone()
    }

    fn turn(&self, sink: &str) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(sink.to_owned()).or_default().clone()
    }

    fn pipeline<O: sync_core::Keyed + Send + 'static>(
        &self,
        plan: &Plan,
        source: AudienceSource,
        mapping: Arc<dyn Mapping<MemberRow, O>>,
        sink: Box<dyn Sink<O>>,
        state: &Arc<dyn StateStore>,
        binding: &str,
    ) -> Box<dyn Import + Sync> {
        let mut builder = Pipeline::builder(
            plan.id.clone(),
            Arc::new(source),
            mapping,
            sink,
            state.clone(),
        )
        .observer(self.observer.clone())
        .clock(self.clock.clone())
        .settings(self.config.delivery.clone())
        .binding(binding);
        if let Some(limit) = &self.limit {
            builder = builder.limit(limit.clone());
        }
        if plan.shares_sink {
            let name = match &plan.sink {
                SinkChoice::Ometria { account } => format!("ometria:{account}"),
                sink @ SinkChoice::Jsonl(_) => sink.to_string(),
            };
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
