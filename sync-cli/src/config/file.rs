//! `sync.toml`: what it may hold, and saying what is wrong with one.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use sync_mailchimp::catalogue::StreamSettings;
use sync_ometria::{ConsentSettings, ContactSettings, PushSettings, RecordSettings};

use super::error::ConfigError;
use super::interval::parse_interval;
use super::warehouses::{FilesTable, PostgresTable, SnowflakeTable};
use crate::mapping::MappingSettings;

/// The whole file. Absent tables and keys keep their defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SettingsFile {
    pub(super) state: Option<String>,
    pub(super) sink: Option<String>,
    #[serde(deserialize_with = "interval")]
    pub(super) schedule: Option<Duration>,
    pub(super) list_ids: Vec<String>,
    pub(super) streams: Vec<String>,
    pub(super) exclude: Vec<String>,
    pub(super) copy_files: Option<String>,
    pub(super) log: Option<String>,
    pub(super) log_level: Option<String>,
    pub(super) log_file: Option<String>,
    pub(super) metrics: Option<String>,
    pub(super) mailchimp: MailchimpTable,
    pub(super) mailchimp_accounts: BTreeMap<String, MailchimpTable>,
    pub(super) ometria: OmetriaTable,
    pub(super) ometria_accounts: BTreeMap<String, OmetriaTable>,
    pub(super) postgres: PostgresTable,
    pub(super) postgres_accounts: BTreeMap<String, PostgresTable>,
    pub(super) snowflake: SnowflakeTable,
    pub(super) snowflake_accounts: BTreeMap<String, SnowflakeTable>,
    pub(super) files: FilesTable,
    pub(super) delivery: DeliveryTable,
    pub(super) reading: ReadingTable,
    pub(super) streams_reading: StreamSettings,
    pub(super) mapping: MappingSettings,
    pub(super) contact: ContactSettings,
    pub(super) consent: ConsentSettings,
}

/// `[mailchimp]` and `[mailchimp_accounts.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MailchimpTable {
    #[serde(deserialize_with = "secret")]
    pub(super) api_key: Option<SecretString>,
    pub(super) base_url: Option<String>,
    pub(super) max_connections: Option<i64>,
}

/// `[ometria]` and `[ometria_accounts.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OmetriaTable {
    #[serde(deserialize_with = "secret")]
    pub(super) api_key: Option<SecretString>,
    pub(super) base_url: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) push_rate: Option<i64>,
    pub(super) header: Option<String>,
    pub(super) push: PushSettings,
    pub(super) record: RecordSettings,
}

/// `[delivery]`: how often to commit, and how to look for removals.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DeliveryTable {
    pub(super) commit_records: Option<i64>,
    #[serde(deserialize_with = "interval")]
    pub(super) commit_interval: Option<Duration>,
    /// A length of time, or `never`.
    pub(super) sweep_interval: Option<String>,
    pub(super) max_removed_share: Option<f64>,
}

/// `[reading]`: safety distances of reading an audience.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ReadingTable {
    #[serde(deserialize_with = "interval")]
    pub(super) lookback: Option<Duration>,
    #[serde(deserialize_with = "interval")]
    pub(super) safety_lag: Option<Duration>,
}

fn interval<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    parse_interval(&text)
        .map(Some)
        .map_err(serde::de::Error::custom)
}

pub(super) fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    // The error of a wrong type would quote the value.
    String::deserialize(from)
        .map(|text| Some(SecretString::from(text)))
        .map_err(|_| serde::de::Error::custom("a key is text in quotes"))
}

impl SettingsFile {
    /// The file at `path`; `None` where there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, ConfigError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(ConfigError::new(
                    path.display().to_string(),
                    format!("the file cannot be read ({})", error.kind()),
                    "check its permissions and that it is UTF-8 text",
                ));
            }
        };
        Self::parse(&text, path).map(Some)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            // The error's own display quotes the line, and its message may quote the value: either may be a key.
            let place = match error.span() {
                Some(span) => format!("{} line {}", path.display(), line_at(text, span.start)),
                None => path.display().to_string(),
            };
            let setting = match error.span().and_then(|span| setting_at(text, span.start)) {
                Some(name) => format!("{name} in {place}"),
                None => place,
            };
            ConfigError::new(
                setting,
                without_values(error.message()),
                "correct the line; the settings reference lists every name and what it takes",
            )
        })
    }
}

fn line_at(text: &str, position: usize) -> usize {
    text.bytes()
        .take(position)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

/// The name left of `=` on the line at `position`, if it reads like the name of a setting.
fn setting_at(text: &str, position: usize) -> Option<&str> {
    let start = text
        .get(..position)?
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next()?;
    let name = line.split_once('=')?.0.trim();
    let plain = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

/// The message's first line without what was found in the file: only what was expected there, and the name of an unknown
/// setting if it reads like one.
fn without_values(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let (found, expected) = line
        .find("expected")
        .map_or((line, ""), |at| line.split_at(at));
    let name = |quoted: &str| {
        found.starts_with("unknown field")
            && quoted
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let mut parts = found.split(['"', '`']);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    while let Some(quoted) = parts.next() {
        kept.push_str(if name(quoted) { quoted } else { "…" });
        kept.push_str(parts.next().unwrap_or_default());
    }
    kept + expected
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn refused(text: &str) -> String {
        SettingsFile::parse(text, Path::new("sync.toml"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn tables_and_defaults_are_read() {
        let file = SettingsFile::parse(
            "schedule = \"30m\"\n[mailchimp]\napi_key = \"k-us6\"\n[ometria_accounts.brand]\npush_rate = 4\n",
            Path::new("sync.toml"),
        )
        .unwrap();
        assert_eq!(file.schedule, Some(Duration::from_secs(1_800)));
        assert_eq!(file.mailchimp.api_key.unwrap().expose_secret(), "k-us6");
        assert_eq!(file.ometria_accounts["brand"].push_rate, Some(4));
        assert_eq!(file.state, None);
    }

    #[test]
    fn an_unknown_name_is_named_with_file_and_line() {
        let error = refused("state = \"x\"\n[mailchimp]\napikey = \"secret-us6\"\n");
        assert!(error.contains("sync.toml line 3"), "{error}");
        assert!(error.contains("apikey"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn values_are_never_quoted() {
        for text in [
            "[mailchimp]\napi_key = [\"secret-us6\"]\n",
            "[mailchimp]\nmax_connections = \"secret-us6\"\n",
            "[mapping]\nid = \"secret-us6\"\n",
            "[mailchimp]\napi_key = \"secret-us6\n",
            "metrics = 5\napi_key = secret-us6\n",
        ] {
            assert!(!refused(text).contains("secret"), "{}", refused(text));
        }
    }

    proptest! {
        /// A key that was put in the wrong place is in no message.
        #[test]
        fn no_message_quotes_a_value(
            table in "|\\[mailchimp\\]|\\[ometria\\]|\\[delivery\\]|\\[mapping\\]|\\[consent\\]|\\[\\[x\\]\\]|\\[\\[mapping.properties\\]\\]\nname = \"x\"",
            name in "api_key|base_url|max_connections|push_rate|schedule|list_ids|sweep_interval|id|from|[a-z]{1,5}",
            value in "\"MARKER\"|\"marker-\"|\"MARKER|MARKER|'MARKER'|\\[\"MARKER\"\\]|\\{ a = \"MARKER\" \\}|\"\"\"\nMARKER",
        ) {
            let text = format!("{table}\n{name} = {value}\n");
            if let Err(error) = SettingsFile::parse(&text, Path::new("sync.toml")) {
                let shown = format!("{error} {error:?}");
                prop_assert!(!shown.to_lowercase().contains("marker"), "{}", shown);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,80}|([a-z_]{1,9} ?= ?[\"0-9a-z\\[\\]]{0,9}\n){0,5}") {
            let _ = SettingsFile::parse(&text, Path::new("sync.toml"));
        }
    }
}
