//! Accounts, from tables and variables.

use std::collections::{BTreeMap, BTreeSet};

use mailchimp_client::Credential;
use ometria_client::{ApiKey, AuthorizationSpelling};
use secrecy::ExposeSecret;

use super::error::ConfigError;
use super::file::{MailchimpTable, OmetriaTable};
use super::layers::{Layers, parse_or_default, whole_number};
use super::{DEFAULT_ACCOUNT, MailchimpAccount, OmetriaAccount, Profile, parse_base_url};

/// An account's table, and how its settings are called in the layers.
pub(super) struct AccountLayer<T> {
    pub(super) name: String,
    pub(super) table: T,
    /// What follows a variable's name, such as `_BRAND`.
    pub(super) suffix: String,
    /// What precedes an entry's name, such as `ometria_accounts.brand`.
    pub(super) prefix: String,
}

/// The default account, and those that have a table or a variable such as `MAILCHIMP_API_KEY_BRAND`.
pub(super) fn account_layers<T: Default>(
    layers: &Layers<'_>,
    system: &str,
    variable: &str,
    default: T,
    mut tables: BTreeMap<String, T>,
) -> Result<Vec<AccountLayer<T>>, ConfigError> {
    let names: BTreeSet<String> = tables
        .keys()
        .cloned()
        .chain(
            layers
                .environment
                .suffixes(variable)
                .map(str::to_ascii_lowercase),
        )
        .collect();
    let mut accounts = vec![AccountLayer {
        name: DEFAULT_ACCOUNT.to_owned(),
        table: default,
        suffix: String::new(),
        prefix: system.to_owned(),
    }];
    for name in names {
        let prefix = format!("{system}_accounts.{name}");
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name == DEFAULT_ACCOUNT || !name.bytes().all(plain) {
            return Err(ConfigError::new(
                layers.entry(&prefix),
                "this cannot be the name of an account",
                "use lower-case letters, digits and _, and another word than default",
            ));
        }
        accounts.push(AccountLayer {
            table: tables.remove(&name).unwrap_or_default(),
            suffix: format!("_{}", name.to_ascii_uppercase()),
            prefix,
            name,
        });
    }
    Ok(accounts)
}

pub(super) fn mailchimp(
    layers: &Layers<'_>,
    default: MailchimpTable,
    others: BTreeMap<String, MailchimpTable>,
) -> Result<BTreeMap<String, MailchimpAccount>, ConfigError> {
    let mut accounts = BTreeMap::new();
    for account in account_layers(layers, "mailchimp", "MAILCHIMP_API_KEY_", default, others)? {
        let AccountLayer {
            name,
            table,
            suffix,
            prefix,
        } = account;
        let key = layers.key(
            &format!("MAILCHIMP_API_KEY{suffix}"),
            &format!("{prefix}.api_key"),
            table.api_key,
        );
        let Some((api_key, from)) = key else { continue };
        let base_url = base_url(
            layers,
            &format!("MAILCHIMP_BASE_URL{suffix}"),
            &format!("{prefix}.base_url"),
            table.base_url,
        )?;
        let data_center = Credential::api_key(api_key.expose_secret()).data_center();
        if api_key.expose_secret().is_empty() || (base_url.is_none() && data_center.is_err()) {
            return Err(ConfigError::new(
                from,
                "the key does not end with a data centre such as -us6",
                "copy the whole key from Mailchimp under Account, Extras, API keys",
            ));
        }
        let max_connections = whole_number(
            table.max_connections,
            (1, 10),
            10,
            || layers.entry(&format!("{prefix}.max_connections")),
            "give a number from 1 to 10",
        )?;
        accounts.insert(
            name,
            MailchimpAccount {
                api_key,
                base_url,
                max_connections,
            },
        );
    }
    Ok(accounts)
}

pub(super) fn ometria(
    layers: &Layers<'_>,
    default: OmetriaTable,
    others: BTreeMap<String, OmetriaTable>,
) -> Result<BTreeMap<String, OmetriaAccount>, ConfigError> {
    let mut accounts = BTreeMap::new();
    for account in account_layers(layers, "ometria", "OMETRIA_API_KEY_", default, others)? {
        let AccountLayer {
            name,
            table,
            suffix,
            prefix,
        } = account;
        let variable = |name: &str| format!("{name}{suffix}");
        let entry = |name: &str| format!("{prefix}.{name}");
        let profile: Profile = parse_or_default(
            layers
                .word(
                    ("", None),
                    &variable("OMETRIA_PROFILE"),
                    (&entry("profile"), table.profile),
                )
                .as_ref(),
            "choose one of these",
        )?;
        let base_url = base_url(
            layers,
            &variable("OMETRIA_BASE_URL"),
            &entry("base_url"),
            table.base_url,
        )?;
        let key = layers.key(
            &variable("OMETRIA_API_KEY"),
            &entry("api_key"),
            table.api_key,
        );
        let Some((api_key, from)) = key else { continue };
        if ApiKey::new(api_key.expose_secret()).is_err() {
            return Err(ConfigError::new(
                from,
                "the key is empty, or holds a space or a character outside ASCII",
                "copy the whole key from Ometria under Settings, API keys",
            ));
        }
        if profile == Profile::Record && base_url.is_none() {
            return Err(ConfigError::new(
                variable("OMETRIA_BASE_URL"),
                "the profile record has no public address",
                "set the address of your record endpoint",
            ));
        }
        let push_rate = whole_number(
            table.push_rate,
            (1, 1_000),
            8,
            || layers.entry(&entry("push_rate")),
            "give a number of requests a second, at least 1",
        )?;
        let header = match table.header.as_deref() {
            None | Some("Authorization") => AuthorizationSpelling::Authorization,
            Some("Authorisation") => AuthorizationSpelling::Authorisation,
            Some(_) => {
                return Err(ConfigError::new(
                    layers.entry(&entry("header")),
                    "the header is unknown; there are Authorization and Authorisation",
                    "choose one of these",
                ));
            }
        };
        let (push, record) = (table.push, table.record);
        push.validate().map_err(|error| {
            ConfigError::new(
                layers.entry(&entry("push")),
                error.to_string(),
                "correct it",
            )
        })?;
        let account = OmetriaAccount {
            api_key,
            base_url,
            profile,
            push_rate,
            header,
            push,
            record,
        };
        accounts.insert(name, account);
    }
    Ok(accounts)
}

fn base_url(
    layers: &Layers<'_>,
    variable: &str,
    entry: &str,
    file: Option<String>,
) -> Result<Option<url::Url>, ConfigError> {
    let Some(found) = layers.word(("", None), variable, (entry, file)) else {
        return Ok(None);
    };
    parse_base_url(&found.text).map(Some).map_err(|problem| {
        found.wrong(
            problem,
            "give an https address; plain http is for this machine only",
        )
    })
}
