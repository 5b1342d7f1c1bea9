//! Which imports there are, before any of them is built: pure data that can be compared.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{ErrorKind, ImportId, Result, Schedule};
use sync_local::ImportEntry;
use sync_mailchimp::catalogue::{self, StreamDefinition};

use crate::config::{Config, ConfigError, DEFAULT_ACCOUNT, Profile, SinkChoice};

/// One import, with everything that decides how it is built. Equal plans build equal imports.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) id: ImportId,
    /// Name of the Mailchimp account.
    pub(crate) account: String,
    pub(crate) sink: SinkChoice,
    pub(crate) schedule: Schedule,
    pub(crate) paused: bool,
    /// Whether other imports write to the same place and must take turns.
    pub(crate) shares_sink: bool,
    pub(crate) content: Content,
}

/// What an import reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// The members of one audience.
    Audience(AudiencePlan),
    /// A stream of the catalogue. `members` stands for the members of every audience that the account has when it runs.
    Stream(&'static StreamDefinition),
}

/// What an import of an audience reads, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AudiencePlan {
    pub(crate) list_id: String,
    pub(crate) items_per_request: Option<u32>,
    pub(crate) worker_count: Option<u32>,
    pub(crate) start_offset: u64,
    /// All audiences whose members go to the same Ometria account with consent, this one included; in order. Empty where
    /// consent plays no part.
    pub(crate) audiences: Vec<AudienceRef>,
}

/// An audience and the account it is read with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AudienceRef {
    pub(crate) list_id: String,
    pub(crate) account: String,
}

impl Plan {
    /// Whether it stands for the imports of all audiences.
    pub(crate) fn is_every_audience(&self) -> bool {
        matches!(&self.content, Content::Stream(stream) if stream.name == catalogue::members().name)
    }

    /// The audience whose members are read; `None` for a stream of the account.
    pub(crate) fn list_id(&self) -> Option<&str> {
        match &self.content {
            Content::Audience(audience) => Some(&audience.list_id),
            Content::Stream(_) => None,
        }
    }
}

impl AudiencePlan {
    fn of(list_id: &str) -> Self {
        Self {
            list_id: list_id.to_owned(),
            items_per_request: None,
            worker_count: None,
            start_offset: 0,
            audiences: Vec::new(),
        }
    }

    /// Whether people of other audiences may be the same, so that all opt-outs must be known first.
    pub(crate) fn needs_opt_outs_first(&self) -> bool {
        self.audiences.len() > 1
    }
}

/// The imports of these entries, one for each other audience named, and one for each stream and account.
///
/// # Errors
/// Names the first entry that cannot be built, and the setting to correct.
pub(crate) fn plans(
    entries: &[ImportEntry],
    others: &[String],
    config: &Config,
) -> Result<Vec<Plan>> {
    let mut plans = Vec::with_capacity(entries.len() + others.len());
    for entry in entries {
        plans.push(plan(entry, config)?);
    }
    for list_id in others {
        plans.push(plan_of_audience(list_id, config)?);
    }
    for definition in config.streams.definitions() {
        for account in config.mailchimp.keys() {
            plans.push(plan_of_stream(definition, account, config)?);
        }
    }
    let mut audiences: BTreeMap<String, BTreeSet<AudienceRef>> = BTreeMap::new();
    let mut writers: BTreeMap<String, usize> = BTreeMap::new();
    for plan in &plans {
        *writers.entry(plan.sink.to_string()).or_default() += 1;
        if let Some(ometria) = consent_account(&plan.sink, config)
            && let Content::Audience(audience) = &plan.content
        {
            audiences
                .entry(ometria.to_owned())
                .or_default()
                .insert(AudienceRef {
                    list_id: audience.list_id.clone(),
                    account: plan.account.clone(),
                });
        }
    }
    for plan in &mut plans {
        plan.shares_sink = writers
            .get(&plan.sink.to_string())
            .is_some_and(|count| *count > 1);
        if let Some(ometria) = consent_account(&plan.sink, config)
            && let Content::Audience(audience) = &mut plan.content
        {
            audience.audiences = audiences
                .get(ometria)
                .map(|set| set.iter().cloned().collect())
                .unwrap_or_default();
        }
    }
    Ok(plans)
}

fn plan(entry: &ImportEntry, config: &Config) -> Result<Plan> {
    let wrong = |field: &str, problem: &str, remedy: String| {
        ConfigError::new(
            format!("{field} of import {} in state.json", entry.id),
            problem,
            remedy,
        )
    };
    let mut plan = Plan {
        id: entry.id.clone(),
        account: DEFAULT_ACCOUNT.to_owned(),
        sink: config.sink.clone(),
        schedule: entry.schedule.map_or(config.schedule, Schedule::every),
        paused: entry.paused,
        shares_sink: false,
        content: Content::Audience(AudiencePlan {
            items_per_request: entry.items_per_request,
            worker_count: entry.worker_count,
            start_offset: entry.start_offset,
            ..AudiencePlan::of(&entry.list_id)
        }),
    };
    if let Some(account) = &entry.account {
        plan.account.clone_from(account);
        if !config.mailchimp.contains_key(account) {
            let remedy = format!("set MAILCHIMP_API_KEY_{}", account.to_ascii_uppercase());
            return Err(wrong("account", "there is no such Mailchimp account", remedy).into());
        }
    }
    if let Some(sink) = &entry.sink {
        plan.sink = sink
            .parse()
            .map_err(|problem: String| wrong("sink", &problem, "choose one of these".to_owned()))?;
    }
    with_known_accounts(plan, config)
}

fn plan_of_audience(list_id: &str, config: &Config) -> Result<Plan> {
    let plan = Plan {
        id: ImportId::new(list_id),
        account: DEFAULT_ACCOUNT.to_owned(),
        sink: config.sink.clone(),
        schedule: config.schedule,
        paused: false,
        shares_sink: false,
        content: Content::Audience(AudiencePlan::of(list_id)),
    };
    with_known_accounts(plan, config)
}

fn plan_of_stream(
    definition: &'static StreamDefinition,
    account: &str,
    config: &Config,
) -> Result<Plan> {
    if matches!(config.sink, SinkChoice::Ometria { .. }) {
        return Err(ConfigError::new(
            "streams",
            "Ometria takes the members of audiences only",
            "name another sink, such as sqlite:mailchimp.db, or no streams",
        )
        .into());
    }
    let plan = Plan {
        // A slash cannot stand in a list id, so this is no audience's.
        id: ImportId::new(format!("{account}/{}", definition.name)),
        account: account.to_owned(),
        sink: config.sink.clone(),
        schedule: config.schedule,
        paused: false,
        shares_sink: false,
        content: Content::Stream(definition),
    };
    with_known_accounts(plan, config)
}

fn with_known_accounts(plan: Plan, config: &Config) -> Result<Plan> {
    if !config.mailchimp.contains_key(&plan.account) {
        return Err(missing_key(
            &variable_of("MAILCHIMP_API_KEY", &plan.account),
            "Mailchimp",
        ));
    }
    if let SinkChoice::Ometria { account } = &plan.sink
        && !config.ometria.contains_key(account)
    {
        return Err(missing_key(
            &variable_of("OMETRIA_API_KEY", account),
            "Ometria",
        ));
    }
    let unknown = |variable: &str, account: &str, system: &str| {
        let message = format!("no {system} of this name is set up");
        ConfigError::new(variable_of(variable, account), message, "set it")
    };
    match &plan.sink {
        SinkChoice::Postgres { account } if !config.postgres.contains_key(account) => {
            Err(unknown("POSTGRES_URL", account, "Postgres database").into())
        }
        SinkChoice::Snowflake { account } if !config.snowflake.contains_key(account) => {
            Err(unknown("SNOWFLAKE_ACCOUNT", account, "Snowflake account").into())
        }
        _ => Ok(plan),
    }
}

/// The variable that an account of this name is set up with.
fn variable_of(name: &str, account: &str) -> String {
    if account == DEFAULT_ACCOUNT {
        name.to_owned()
    } else {
        format!("{name}_{}", account.to_ascii_uppercase())
    }
}

/// The error for a key that nobody gave.
pub(crate) fn missing_key(variable: &str, system: &str) -> sync_core::Error {
    ConfigError::new(
        variable,
        format!("no {system} key is set"),
        "put it into the environment or into .env",
    )
    .into()
}

/// The Ometria account whose consent an import changes.
fn consent_account<'a>(sink: &'a SinkChoice, config: &Config) -> Option<&'a str> {
    let SinkChoice::Ometria { account } = sink else {
        return None;
    };
    let configured = config.ometria.get(account)?;
    (configured.profile == Profile::PushV2).then_some(account)
}

/// Picks the imports that the operator named.
///
/// # Errors
/// When none is meant by the name.
pub(crate) fn named(plans: Vec<Plan>, name: &str) -> Result<Vec<Plan>> {
    let exact: Vec<Plan> = plans
        .iter()
        .filter(|plan| plan.id.as_str() == name)
        .cloned()
        .collect();
    if !exact.is_empty() {
        return Ok(exact);
    }
    let of_list: Vec<Plan> = plans
        .into_iter()
        .filter(|plan| {
            let stream = match &plan.content {
                Content::Stream(definition) => Some(definition.name),
                Content::Audience(_) => None,
            };
            plan.list_id() == Some(name) || stream == Some(name)
        })
        .collect();
    if of_list.is_empty() {
        return Err(sync_core::Error::new(
            ErrorKind::Config,
            "choose import",
            "state.json has no import with this id or list id; sync-cli status lists them",
        )
        .with("import", name));
    }
    Ok(of_list)
}
