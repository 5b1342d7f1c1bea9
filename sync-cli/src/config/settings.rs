//! Flag over environment over `.env` over `sync.toml` over default.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sync_core::Schedule;
use sync_ometria::ConsentSettings;

use super::environment::Environment;
use super::error::ConfigError;
use super::file::{DeliveryTable, SettingsFile};
use super::interval::parse_interval;
use super::layers::{Found, Layers, parse_or_default, whole_number};
use super::{Config, SinkChoice, StreamChoice, accounts, check_list_id, warehouses};

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
    /// `--streams`.
    pub streams: Vec<String>,
    /// `--exclude`.
    pub exclude: Vec<String>,
    /// `--copy-files`.
    pub copy_files: Option<String>,
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
        config.streams = streams(
            &layers,
            (flags.streams, flags.exclude),
            (file.streams, file.exclude),
            &config,
        )?;
        let copies = ("copy_files", file.copy_files);
        if let Some(found) = layers.word(
            ("--copy-files", flags.copy_files),
            "SYNC_COPY_FILES",
            copies,
        ) {
            let Ok(SinkChoice::Files { url }) = found.text.parse() else {
                let remedy =
                    "name a directory, as in files:./copies, or a bucket, as in s3://bucket/copies";
                return Err(found.wrong("files cannot be copied there", remedy));
            };
            config.copy_files = Some(url);
        }
        config.mailchimp = accounts::mailchimp(&layers, file.mailchimp, file.mailchimp_accounts)?;
        config.ometria = accounts::ometria(&layers, file.ometria, file.ometria_accounts)?;
        config.postgres = warehouses::postgres(&layers, file.postgres, file.postgres_accounts)?;
        config.snowflake = warehouses::snowflake(&layers, file.snowflake, file.snowflake_accounts)?;
        config.files = warehouses::files(&layers, file.files)?;
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
        if file.consent.account != ConsentSettings::default().account {
            return Err(ConfigError::new(
                layers.entry("consent.account"),
                "the account's own name is taken for it",
                "remove the line",
            ));
        }
        file.streams_reading
            .validate()
            .map_err(|error| invalid("streams_reading", error))?;
        config.streams_reading = file.streams_reading;
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

/// Streams of the highest layer that names any; everything if none does, the sink is a warehouse and no audience is named.
fn streams(
    layers: &Layers<'_>,
    flags: (Vec<String>, Vec<String>),
    entries: (Vec<String>, Vec<String>),
    config: &Config,
) -> Result<StreamChoice, ConfigError> {
    let words = |flag: Vec<String>, name: &str, variable: &str, entry: Vec<String>, key: &str| {
        if !flag.is_empty() {
            return (flag, name.to_owned());
        }
        match layers.variable(variable) {
            Some(found) => (
                found
                    .text
                    .split(',')
                    .map(|word| word.trim().to_owned())
                    .filter(|word| !word.is_empty())
                    .collect(),
                found.from,
            ),
            None => (entry, layers.entry(key)),
        }
    };
    let (mut names, from) = words(flags.0, "--streams", "SYNC_STREAMS", entries.0, "streams");
    let (excluded, without) = words(flags.1, "--exclude", "SYNC_EXCLUDE", entries.1, "exclude");
    if names.is_empty() && config.sink.is_warehouse() && config.audiences.is_empty() {
        names.push("all".to_owned());
    }
    let wrong = |from: String| {
        move |problem| ConfigError::new(from, problem, "name streams, separated by commas, or all")
    };
    StreamChoice::new(&[], &excluded).map_err(wrong(without))?;
    StreamChoice::new(&names, &excluded).map_err(wrong(from))
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
