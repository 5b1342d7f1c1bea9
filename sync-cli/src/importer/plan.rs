//! Which imports there are, before any of them is built: pure data that can be compared.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{ErrorKind, ImportId, Result, Schedule};
use sync_local::ImportEntry;

use crate::config::{Config, ConfigError, DEFAULT_ACCOUNT, Profile, SinkChoice};

/// One import, with everything that decides how it is built. Equal plans build equal imports.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) id: ImportId,
    pub(crate) list_id: String,
    /// Name of the Mailchimp account.
    pub(crate) account: String,
    pub(crate) sink: SinkChoice,
    pub(crate) items_per_request: Option<u32>,
    pub(crate) worker_count: Option<u32>,
    pub(crate) start_offset: u64,
    pub(crate) schedule: Schedule,
    pub(crate) paused: bool,
    /// All audiences whose members go to the same Ometria account with consent, this one included; in order. Empty where
    /// consent plays no part.
    pub(crate) audiences: Vec<AudienceRef>,
    /// Whether other imports write to the same place and must take turns.
    pub(crate) shares_sink: bool,
}

/// An audience and the account it is read with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AudienceRef {
    pub(crate) list_id: String,
    pub(crate) account: String,
}

impl Plan {
    /// Whether people of other audiences may be the same, so that all opt-outs must be known first.
    pub(crate) fn needs_opt_outs_first(&self) -> bool {
        self.audiences.len() > 1
    }
}

/// The imports of these entries, and one for each other audience named.
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
    let mut audiences: BTreeMap<String, BTreeSet<AudienceRef>> = BTreeMap::new();
    let mut writers: BTreeMap<String, usize> = BTreeMap::new();
    for plan in &plans {
        *writers.entry(plan.sink.to_string()).or_default() += 1;
        if let Some(ometria) = consent_account(&plan.sink, config) {
            audiences
                .entry(ometria.to_owned())
                .or_default()
                .insert(AudienceRef {
                    list_id: plan.list_id.clone(),
                    account: plan.account.clone(),
                });
        }
    }
    for plan in &mut plans {
        plan.shares_sink = writers
            .get(&plan.sink.to_string())
            .is_some_and(|count| *count > 1);
        if let Some(ometria) = consent_account(&plan.sink, config) {
            plan.audiences = audiences
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
        list_id: entry.list_id.clone(),
        account: DEFAULT_ACCOUNT.to_owned(),
        sink: config.sink.clone(),
        items_per_request: entry.items_per_request,
        worker_count: entry.worker_count,
        start_offset: entry.start_offset,
        schedule: entry.schedule.map_or(config.schedule, Schedule::every),
        paused: entry.paused,
        audiences: Vec::new(),
        shares_sink: false,
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
        list_id: list_id.to_owned(),
        account: DEFAULT_ACCOUNT.to_owned(),
        sink: config.sink.clone(),
        items_per_request: None,
        worker_count: None,
        start_offset: 0,
        schedule: config.schedule,
        paused: false,
        audiences: Vec::new(),
        shares_sink: false,
    };
    with_known_accounts(plan, config)
}

fn with_known_accounts(plan: Plan, config: &Config) -> Result<Plan> {
    let variable = |name: &str, account: &str| {
        if account == DEFAULT_ACCOUNT {
            name.to_owned()
        } else {
            format!("{name}_{}", account.to_ascii_uppercase())
        }
    };
    if !config.mailchimp.contains_key(&plan.account) {
        return Err(missing_key(
            &variable("MAILCHIMP_API_KEY", &plan.account),
            "Mailchimp",
        ));
    }
    if let SinkChoice::Ometria { account } = &plan.sink
        && !config.ometria.contains_key(account)
    {
        return Err(missing_key(
            &variable("OMETRIA_API_KEY", account),
            "Ometria",
        ));
    }
    Ok(plan)
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
        .filter(|plan| plan.list_id == name)
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
