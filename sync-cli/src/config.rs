//! What runs: which accounts, which sink, how often, with which safety distances.
//!
//! [`Config`] is plain data that an embedding program may fill in itself. [`Settings::load`] fills it from flags, the
//! environment, `.env` and `sync.toml`, in this order of precedence; every wrong value is refused with the name of the
//! setting, the place where it was found and the remedy.

mod accounts;
mod environment;
mod error;
mod file;
mod interval;
mod layers;
mod settings;
mod sink_choice;
mod stream_choice;
mod warehouses;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ometria_client::AuthorizationSpelling;
use secrecy::SecretString;
use sync_core::{PipelineSettings, Schedule};
use sync_mailchimp::catalogue::StreamSettings;
use sync_ometria::{ConsentSettings, ContactSettings, PushSettings, RecordSettings};
use sync_postgres::PostgresSettings;
use url::{Host, Url};

pub use self::environment::Environment;
pub use self::error::ConfigError;
pub use self::interval::{format_interval, parse_interval};
pub use self::settings::{Flags, LogFormat, LogLevel, MetricsAddress, Settings};
pub use self::sink_choice::SinkChoice;
pub use self::stream_choice::StreamChoice;
pub(crate) use self::stream_choice::everything;
pub use self::warehouses::{FilesAccount, SnowflakeAccount};
use crate::mapping::MappingSettings;

/// The account that is meant where none is named.
pub const DEFAULT_ACCOUNT: &str = "default";

/// Everything an [`Importer`](crate::Importer) is made from.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory that holds `state.json`, the ledger and the history. Default `./state`.
    pub state: PathBuf,
    /// Audiences to import besides those in `state.json`. Each that is missing there is added. Default none.
    pub audiences: Vec<String>,
    /// Whether only [`audiences`](Self::audiences) run and the other imports of `state.json` rest. What is known about
    /// their opt-outs counts all the same. Default false.
    pub only_these_audiences: bool,
    /// Mailchimp accounts by name.
    pub mailchimp: BTreeMap<String, MailchimpAccount>,
    /// Ometria accounts by name.
    pub ometria: BTreeMap<String, OmetriaAccount>,
    /// Postgres databases by name, for the sink `postgres:NAME`.
    pub postgres: BTreeMap<String, PostgresSettings>,
    /// Snowflake accounts by name, for the sink `snowflake:NAME`.
    pub snowflake: BTreeMap<String, SnowflakeAccount>,
    /// How files are written and object stores reached.
    pub files: FilesAccount,
    /// Where imports go that name no sink of their own. Default the Ometria account `default`.
    pub sink: SinkChoice,
    /// Streams to read from every Mailchimp account into [`sink`](Self::sink), which must be one that takes any stream.
    /// Default none.
    pub streams: StreamChoice,
    /// Look-back and full reads of streams.
    pub streams_reading: StreamSettings,
    /// Where the files that the account stores are copied to, when the stream `files` is read: `files:DIR`,
    /// `s3://BUCKET/PREFIX`, `gs://…` or `az://…`, a place of its own. Default nowhere.
    pub copy_files: Option<String>,
    /// How often an import runs that names no schedule of its own. Default every hour.
    pub schedule: Schedule,
    /// When to commit and how to look for removals.
    pub delivery: PipelineSettings,
    /// Safety distances of reading.
    pub reading: Reading,
    /// How a member becomes a subscriber.
    pub mapping: MappingSettings,
    /// What is sent about a contact besides consent.
    pub contact: ContactSettings,
    /// Rules of consent. `account` and `audiences` are filled in for each Ometria account; audiences given here count
    /// too.
    pub consent: ConsentSettings,
    /// Read at most so many records in this process: a trial run. Default no limit.
    pub limit: Option<u64>,
}

impl Config {
    /// Defaults, no accounts, state in `state`.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self {
            state: state.into(),
            audiences: Vec::new(),
            only_these_audiences: false,
            mailchimp: BTreeMap::new(),
            ometria: BTreeMap::new(),
            postgres: BTreeMap::new(),
            snowflake: BTreeMap::new(),
            files: FilesAccount::default(),
            sink: SinkChoice::default(),
            streams: StreamChoice::default(),
            streams_reading: StreamSettings::default(),
            copy_files: None,
            schedule: Schedule::default(),
            delivery: PipelineSettings::default(),
            reading: Reading::default(),
            mapping: MappingSettings::default(),
            contact: ContactSettings::default(),
            consent: ConsentSettings::default(),
            limit: None,
        }
    }

    /// Adds the Mailchimp account that imports use unless they name another.
    #[must_use]
    pub fn with_mailchimp(mut self, account: MailchimpAccount) -> Self {
        self.mailchimp.insert(DEFAULT_ACCOUNT.to_owned(), account);
        self
    }

    /// Adds the Ometria account that imports use unless they name another.
    #[must_use]
    pub fn with_ometria(mut self, account: OmetriaAccount) -> Self {
        self.ometria.insert(DEFAULT_ACCOUNT.to_owned(), account);
        self
    }

    /// Reads these streams into this sink.
    #[must_use]
    pub fn with_streams(mut self, streams: StreamChoice, sink: SinkChoice) -> Self {
        self.streams = streams;
        self.sink = sink;
        self
    }

    /// Adds audiences to import.
    #[must_use]
    pub fn with_audiences<I: Into<String>>(mut self, ids: impl IntoIterator<Item = I>) -> Self {
        self.audiences.extend(ids.into_iter().map(Into::into));
        self
    }
}

/// One Mailchimp user's credential. All audiences read with it share ten connections.
#[derive(Clone, Debug)]
pub struct MailchimpAccount {
    /// The key, with its data centre: `…-us6`.
    pub api_key: SecretString,
    /// Where the API is. Default: made from the data centre.
    pub base_url: Option<Url>,
    /// The most requests at once, 1 to 10. Default 10, all that Mailchimp allows one user.
    pub max_connections: u8,
}

impl MailchimpAccount {
    /// An account with this key and the defaults.
    pub fn new(api_key: impl Into<String>) -> Self {
        Self {
            api_key: SecretString::from(api_key.into()),
            base_url: None,
            max_connections: 10,
        }
    }

    /// Sets where the API is.
    #[must_use]
    pub fn with_base_url(mut self, base_url: Url) -> Self {
        self.base_url = Some(base_url);
        self
    }
}

/// One Ometria account.
#[derive(Clone, Debug)]
pub struct OmetriaAccount {
    /// The key.
    pub api_key: SecretString,
    /// Where the API is. Default the public one for `push-v2`; `record` has none and needs one.
    pub base_url: Option<Url>,
    /// Which contract. Default `push-v2`.
    pub profile: Profile,
    /// Pushes per second of the whole account. Default 8, what Ometria documents.
    pub push_rate: u32,
    /// Spelling of the header that carries the key of the `record` contract.
    pub header: AuthorizationSpelling,
    /// How records are pushed by the `push-v2` contract.
    pub push: PushSettings,
    /// How rows are sent by the `record` contract.
    pub record: RecordSettings,
}

impl OmetriaAccount {
    /// An account with this key and the defaults.
    pub fn new(api_key: impl Into<String>) -> Self {
        Self {
            api_key: SecretString::from(api_key.into()),
            base_url: None,
            profile: Profile::default(),
            push_rate: 8,
            header: AuthorizationSpelling::default(),
            push: PushSettings::default(),
            record: RecordSettings::default(),
        }
    }

    /// Sets where the API is.
    #[must_use]
    pub fn with_base_url(mut self, base_url: Url) -> Self {
        self.base_url = Some(base_url);
        self
    }
}

/// Which Ometria contract an account speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// API v2: contacts with consent.
    #[default]
    PushV2,
    /// The record endpoint: five fields and the raw status word.
    Record,
}

impl Profile {
    /// The word used in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PushV2 => "push-v2",
            Self::Record => "record",
        }
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::PushV2, Self::Record]
            .into_iter()
            .find(|profile| profile.as_str() == text)
            .ok_or_else(|| "the profile is unknown; there are push-v2 and record".to_owned())
    }
}

/// Safety distances of reading an audience, to the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How far before the last bound a run reads again. Default 10 minutes.
    pub lookback: Duration,
    /// How far behind the server's clock a run stops. Default 2 s.
    pub safety_lag: Duration,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            lookback: Duration::from_secs(600),
            safety_lag: Duration::from_secs(2),
        }
    }
}

/// Whether text can be an audience's id.
///
/// # Errors
/// What is wrong, in words.
pub fn check_list_id(id: &str) -> Result<(), &'static str> {
    if id.is_empty() {
        return Err("the list id is empty");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if id.bytes().all(plain) {
        Ok(())
    } else {
        Err("a list id holds letters, digits, - and _ only")
    }
}

/// Reads a base URL: https anywhere, plain http to this machine only, because a key travels with every request.
///
/// # Errors
/// What is wrong, in words.
pub fn parse_base_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text.trim()).map_err(|_| "it is not a URL")?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err("it names no host"),
    };
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => return Err("plain http would show the key to the network"),
        _ => return Err("it is neither https nor http"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it holds a query or a fragment");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_key() {
        let config = Config::new("state")
            .with_mailchimp(MailchimpAccount::new("marker-us6"))
            .with_ometria(OmetriaAccount::new("marker"));
        assert!(!format!("{config:?}").contains("marker"));
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for good in [
            "https://api.example.com/v2",
            "http://127.0.0.1:1/3.0",
            "http://[::1]:2/",
        ] {
            assert!(parse_base_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.example.com",
            "http://localhost.example.com",
            "ftp://localhost",
            "https://u:p@localhost",
            "https://localhost/?k=v",
            "localhost:80",
            "",
        ] {
            assert!(parse_base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn list_ids_cannot_climb_out_of_a_path() {
        for good in ["57afe96172", "a-b_C"] {
            assert!(check_list_id(good).is_ok());
        }
        for bad in ["", "a/b", "..", "a b", "a?b", "ä"] {
            assert!(check_list_id(bad).is_err(), "{bad}");
        }
    }
}
