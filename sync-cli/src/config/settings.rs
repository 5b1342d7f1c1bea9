//! Flag over environment over `.env` over `sync.toml` over default.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use mailchimp_client::Credential;
use ometria_client::{ApiKey, AuthorizationSpelling};
use secrecy::{ExposeSecret, SecretString};
use sync_core::Schedule;

use super::environment::Environment;
use super::error::ConfigError;
use super::file::{DeliveryTable, MailchimpTable, OmetriaTable, SettingsFile};
use super::interval::parse_interval;
use super::{
    Config, DEFAULT_ACCOUNT, MailchimpAccount, OmetriaAccount, Profile, SinkChoice, check_list_id,
    parse_base_url,
};

/// What a command line may set. `None` leaves the word to the layers beneath. Keys are not among them: other users of
/// the machine see a process's arguments.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--state`.
    pub state: Option<PathBuf>,
    /// `--sink`.
    pub sink: Option<String>,
    /// Audiences named as arguments. When there are any, those of the layers beneath do not count.
    pub list_ids: Vec<String>,
    /// `--limit`.
    pub limit: Option<u64>,
    /// `--log`.
    pub log: Option<String>,
    /// `--log-level`.
    pub log_level: Option<String>,
    /// `--log-file`.
    pub log_file: Option<PathBuf>,
    /// `--metrics`.
    pub metrics: Option<String>,
}

/// Everything the program needs to know before it starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What runs.
    pub config: Config,
    /// How log lines look.
    pub log: LogFormat,
    /// Which log lines appear.
    pub log_level: LogLevel,
    /// Where they go. Default standard error.
    pub log_file: Option<PathBuf>,
    /// Where metrics and health are served.
    pub metrics: MetricsAddress,
    /// Whether `NO_COLOR` is set.
    pub no_color: bool,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("the log format is unknown; there are text and json".to_owned()),
        }
    }
}

/// Which log lines appear: this level and everything graver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Runs that failed.
    Error,
    /// Also what an operator should look at.
    Warn,
    /// Also each run.
    #[default]
    Info,
    /// Also each commit and each retry.
    Debug,
    /// Also each batch and each request.
    Trace,
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "off" => Ok(Self::Off),
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" => Ok(Self::Trace),
            _ => Err(
                "the log level is unknown; there are off, error, warn, info, debug and trace"
                    .to_owned(),
            ),
        }
    }
}

/// Where metrics and health are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsAddress {
    /// Nowhere.
    Off,
    /// Here; if the port is taken, nowhere, with a warning.
    Preferred(SocketAddr),
    /// Here, because the operator said so; if the port is taken, the program does not start.
    Required(SocketAddr),
}

impl MetricsAddress {
    /// `127.0.0.1:8888`.
    pub const DEFAULT: Self = Self::Preferred(SocketAddr::new(
        std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        8888,
    ));
}

impl FromStr for MetricsAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::Required).map_err(|_| {
            "it is neither off nor an address with a port such as 127.0.0.1:8888".to_owned()
        })
    }
}

/// A word and where it was found.
struct Found {
    text: String,
    from: String,
}

impl Found {
    fn parse<T: FromStr<Err: Display>>(&self, remedy: &str) -> Result<T, ConfigError> {
        self.text
            .trim()
            .parse()
            .map_err(|problem: T::Err| self.wrong(problem.to_string(), remedy))
    }

    fn wrong(&self, problem: impl Into<String>, remedy: impl Into<String>) -> ConfigError {
        ConfigError::new(self.from.clone(), problem, remedy)
    }
}

/// The layers, in order.
struct Layers<'a> {
    environment: &'a Environment,
    path: &'a Path,
}

impl Layers<'_> {
    fn word(
        &self,
        flag: (&str, Option<String>),
        variable: &str,
        entry: (&str, Option<String>),
    ) -> Option<Found> {
        let (name, given) = flag;
        if let Some(text) = given {
            return Some(Found {
                text,
                from: name.to_owned(),
            });
        }
        self.variable(variable).or_else(|| {
            let (name, text) = entry;
            text.map(|text| Found {
                text,
                from: self.entry(name),
            })
        })
    }

    fn variable(&self, name: &str) -> Option<Found> {
        let (text, place) = self.environment.get(name)?;
        Some(Found {
            text: text.to_owned(),
            from: format!("{name} {place}"),
        })
    }

    fn entry(&self, name: &str) -> String {
        format!("{name} in {}", self.path.display())
    }

    fn key(
        &self,
        variable: &str,
        entry: &str,
        file: Option<SecretString>,
    ) -> Option<(SecretString, String)> {
        if let Some((text, place)) = self.environment.get(variable) {
            return Some((
                SecretString::from(text.trim().to_owned()),
                format!("{variable} {place}"),
            ));
        }
        file.map(|key| {
            (
                SecretString::from(key.expose_secret().trim().to_owned()),
                self.entry(entry),
            )
        })
    }
}

impl Settings {
    /// Reads all layers. `directory` is where a relative `sync.toml` is looked for: the working directory.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn load(
        flags: Flags,
        environment: &Environment,
        directory: &Path,
    ) -> Result<Self, ConfigError> {
        let named = flags
            .config
            .map(|path| (path, "--config".to_owned()))
            .or_else(|| {
                let (path, place) = environment.get("SYNC_CONFIG")?;
                Some((PathBuf::from(path), format!("SYNC_CONFIG {place}")))
            });
        let (path, file) = if let Some((path, from)) = named {
            let Some(file) = SettingsFile::read(&path)? else {
                return Err(ConfigError::new(
                    from,
                    format!("there is no file {}", path.display()),
                    "name an existing file, or leave the setting out",
                ));
            };
            (path, file)
        } else {
            let file = SettingsFile::read(&directory.join("sync.toml"))?;
            (PathBuf::from("sync.toml"), file.unwrap_or_default())
        };
        let layers = Layers {
            environment,
            path: &path,
        };
        let text = |path: Option<PathBuf>| path.map(|path| path.to_string_lossy().into_owned());

        let mut config = Config::new("state");
        if let Some(state) = layers.word(
            ("--state", text(flags.state)),
            "SYNC_STATE",
            ("state", file.state),
        ) {
            if state.text.trim().is_empty() {
                return Err(state.wrong("the directory's name is empty", "name a directory"));
            }
            config.state = PathBuf::from(state.text);
        }
        if let Some(sink) = layers.word(("--sink", flags.sink), "SYNC_SINK", ("sink", file.sink)) {
            config.sink = sink.parse::<SinkChoice>("choose one of these")?;
        }
        if let Some(schedule) = file.schedule {
            if schedule.is_zero() {
                return Err(ConfigError::new(
                    layers.entry("schedule"),
                    "the interval is zero",
                    "give a length of time such as 1h",
                ));
            }
            config.schedule = Schedule::every(schedule);
        }
        config.limit = flags.limit;
        config.only_these_audiences = !flags.list_ids.is_empty();
        config.audiences = audiences(&layers, flags.list_ids, file.list_ids)?;
        config.mailchimp = mailchimp(&layers, file.mailchimp, file.mailchimp_accounts)?;
        config.ometria = ometria(&layers, file.ometria, file.ometria_accounts)?;
        delivery(&layers, &file.delivery, &mut config)?;
        if let Some(lookback) = file.reading.lookback {
            config.reading.lookback = lookback;
        }
        if let Some(lag) = file.reading.safety_lag {
            config.reading.safety_lag = lag;
        }
        let invalid = |table: &str, error: sync_core::Error| {
            let field = error
                .context()
                .find(|(name, _)| *name == "field")
                .map(|(_, field)| field);
            let setting = format!("{table}.{}", field.unwrap_or("?"));
            ConfigError::new(layers.entry(&setting), error.to_string(), "correct it")
        };
        file.mapping
            .validate()
            .map_err(|error| invalid("mapping", error))?;
        file.contact
            .validate()
            .map_err(|error| invalid("contact", error))?;
        file.consent
            .validate()
            .map_err(|error| invalid("consent", error))?;
        config.mapping = file.mapping;
        config.contact = file.contact;
        config.consent = file.consent;

        let output = Output {
            log: layers.word(("--log", flags.log), "SYNC_LOG_FORMAT", ("log", file.log)),
            log_level: layers.word(
                ("--log-level", flags.log_level),
                "SYNC_LOG",
                ("log_level", file.log_level),
            ),
            log_file: layers.word(
                ("--log-file", text(flags.log_file)),
                "SYNC_LOG_FILE",
                ("log_file", file.log_file),
            ),
            metrics: layers.word(
                ("--metrics", flags.metrics),
                "SYNC_METRICS",
                ("metrics", file.metrics),
            ),
        };
        output.settings(config, environment)
    }

    /// Settings of a command that needs no accounts: what the flags say about output, and `quiet` as default log level.
    ///
    /// # Errors
    /// The first flag that is wrong.
    pub fn without_accounts(
        flags: Flags,
        environment: &Environment,
        quiet: LogLevel,
    ) -> Result<Self, ConfigError> {
        let word = |name: &str, text: Option<String>| {
            text.map(|text| Found {
                text,
                from: name.to_owned(),
            })
        };
        let unset = flags.log_level.is_none();
        let path = flags
            .log_file
            .map(|path| path.to_string_lossy().into_owned());
        let output = Output {
            log: word("--log", flags.log),
            log_level: word("--log-level", flags.log_level),
            log_file: word("--log-file", path),
            metrics: None,
        };
        let mut settings = output.settings(Config::new("state"), environment)?;
        if unset {
            settings.log_level = quiet;
        }
        Ok(settings)
    }
}

/// What the layers say about output.
struct Output {
    log: Option<Found>,
    log_level: Option<Found>,
    log_file: Option<Found>,
    metrics: Option<Found>,
}

impl Output {
    fn settings(self, config: Config, environment: &Environment) -> Result<Settings, ConfigError> {
        Ok(Settings {
            config,
            log: parse_or_default(self.log.as_ref(), "choose one of these")?,
            log_level: parse_or_default(self.log_level.as_ref(), "choose one of these")?,
            log_file: self.log_file.map(|found| PathBuf::from(found.text)),
            metrics: match self.metrics {
                Some(found) => found.parse("give an address, or off")?,
                None => MetricsAddress::DEFAULT,
            },
            no_color: environment.get("NO_COLOR").is_some(),
        })
    }
}

fn parse_or_default<T: FromStr<Err: Display> + Default>(
    found: Option<&Found>,
    remedy: &str,
) -> Result<T, ConfigError> {
    found.map_or_else(|| Ok(T::default()), |found| found.parse(remedy))
}

/// Audiences of the highest layer that names any.
fn audiences(
    layers: &Layers<'_>,
    arguments: Vec<String>,
    entry: Vec<String>,
) -> Result<Vec<String>, ConfigError> {
    let (ids, from) = if !arguments.is_empty() {
        (arguments, "LIST_ID".to_owned())
    } else if let Some(found) = layers.variable("MAILCHIMP_LIST_ID") {
        (
            found.text.split(',').map(str::to_owned).collect(),
            found.from,
        )
    } else {
        (entry, layers.entry("list_ids"))
    };
    let mut seen = BTreeSet::new();
    let mut unique = Vec::with_capacity(ids.len());
    for id in ids {
        let id = id.trim();
        check_list_id(id).map_err(|problem| {
            ConfigError::new(
                from.clone(),
                problem,
                "copy the audience id from Mailchimp under Audience, Settings, Audience name and defaults",
            )
        })?;
        if seen.insert(id.to_owned()) {
            unique.push(id.to_owned());
        }
    }
    Ok(unique)
}

/// An account's table, and how its settings are called in the layers.
struct AccountLayer<T> {
    name: String,
    table: T,
    /// What follows a variable's name, such as `_BRAND`.
    suffix: String,
    /// What precedes an entry's name, such as `ometria_accounts.brand`.
    prefix: String,
}

/// The default account, and those that have a table or a variable such as `MAILCHIMP_API_KEY_BRAND`.
fn account_layers<T: Default>(
    layers: &Layers<'_>,
    system: &str,
    default: T,
    mut tables: BTreeMap<String, T>,
) -> Result<Vec<AccountLayer<T>>, ConfigError> {
    let variable = format!("{}_API_KEY_", system.to_ascii_uppercase());
    let names: BTreeSet<String> = tables
        .keys()
        .cloned()
        .chain(
            layers
                .environment
                .suffixes(&variable)
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

fn mailchimp(
    layers: &Layers<'_>,
    default: MailchimpTable,
    others: BTreeMap<String, MailchimpTable>,
) -> Result<BTreeMap<String, MailchimpAccount>, ConfigError> {
    let mut accounts = BTreeMap::new();
    for account in account_layers(layers, "mailchimp", default, others)? {
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

fn ometria(
    layers: &Layers<'_>,
    default: OmetriaTable,
    others: BTreeMap<String, OmetriaTable>,
) -> Result<BTreeMap<String, OmetriaAccount>, ConfigError> {
    let mut accounts = BTreeMap::new();
    for account in account_layers(layers, "ometria", default, others)? {
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

fn delivery(
    layers: &Layers<'_>,
    table: &DeliveryTable,
    config: &mut Config,
) -> Result<(), ConfigError> {
    let settings = &mut config.delivery;
    settings.commit_records = whole_number(
        table.commit_records,
        (1, 1_000_000),
        settings.commit_records,
        || layers.entry("delivery.commit_records"),
        "give a number from 1 to 1000000",
    )?;
    if let Some(interval) = table.commit_interval {
        settings.commit_interval = interval;
    }
    if let Some(text) = &table.sweep_interval {
        settings.sweep_interval = match text.as_str() {
            "never" => None,
            text => Some(parse_interval(text).map_err(|problem| {
                ConfigError::new(
                    layers.entry("delivery.sweep_interval"),
                    problem,
                    "give a length of time such as 24h, or never",
                )
            })?),
        };
    }
    if let Some(share) = table.max_removed_share {
        if !(0.0..=1.0).contains(&share) {
            return Err(ConfigError::new(
                layers.entry("delivery.max_removed_share"),
                "it is not a share",
                "give a number from 0.0 to 1.0",
            ));
        }
        settings.max_removed_share = share;
    }
    Ok(())
}

/// A number within bounds, or the default.
fn whole_number<T: TryFrom<i64>>(
    given: Option<i64>,
    (least, most): (i64, i64),
    default: T,
    setting: impl FnOnce() -> String,
    remedy: &str,
) -> Result<T, ConfigError> {
    let Some(number) = given else {
        return Ok(default);
    };
    match T::try_from(number) {
        Ok(fitting) if (least..=most).contains(&number) => Ok(fitting),
        _ => Err(ConfigError::new(
            setting(),
            format!("{number} is not from {least} to {most}"),
            remedy,
        )),
    }
}
