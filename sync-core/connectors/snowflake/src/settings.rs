//! What an operator chooses.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sync_core::{Error, ErrorKind, Result};
use url::{Host, Url};

use crate::identifier::Identifier;

/// Where the tables are, and how statements run.
///
/// Names of databases, schemas, warehouses and roles are written as in SQL: `analytics` is `ANALYTICS`, and a name in
/// double quotes is taken as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnowflakeSettings {
    /// The account's identifier: `myorg-account123`, or a locator with its region such as `xy12345.eu-central-1`.
    pub account: String,
    /// The login name.
    pub user: String,
    /// The database. It must exist.
    pub database: String,
    /// The schema of the tables. Default `MAILCHIMP`. Created when it is missing.
    #[serde(default = "default_schema")]
    pub schema: String,
    /// The warehouse that runs the statements. Default: the user's own.
    #[serde(default)]
    pub warehouse: Option<String>,
    /// The role. Default: the user's own.
    #[serde(default)]
    pub role: Option<String>,
    /// Where the API is. Default `https://<account>.snowflakecomputing.com`; a private link has another. Plain http is
    /// refused except to a loopback host.
    #[serde(default)]
    pub url: Option<Url>,
    /// `QUERY_TAG` of every statement, for `QUERY_HISTORY` and for the bill. Default `sync-snowflake`; name the import here.
    #[serde(default = "default_tag")]
    pub query_tag: String,
    /// Bytes of JSON that one statement carries at most, before compression; 64 KiB to 15 MiB. Default 6 MiB. Snowflake
    /// advises to keep a statement with its bound values below 1 MB compressed, which six or seven times as much JSON is.
    #[serde(default = "default_statement_bytes")]
    pub statement_bytes: usize,
    /// Seconds after which Snowflake ends a statement, 1 to 604800. Default 3600.
    #[serde(default = "default_statement_seconds")]
    pub statement_seconds: u32,
}

/// A `VARIANT` holds 16 MiB, and so does the text that `PARSE_JSON` takes; a little room is left for what we add.
pub(crate) const MOST_STATEMENT_BYTES: usize = 15 * 1024 * 1024;

fn default_schema() -> String {
    "MAILCHIMP".to_owned()
}

fn default_tag() -> String {
    "sync-snowflake".to_owned()
}

fn default_statement_bytes() -> usize {
    6 * 1024 * 1024
}

fn default_statement_seconds() -> u32 {
    3600
}

/// What the login is proved with. `Debug` shows the kind only.
#[derive(Clone)]
pub enum Credential {
    /// A key pair, for service users.
    KeyPair {
        /// The RSA private key as PKCS#8 in PEM: what begins with `BEGIN PRIVATE KEY` or `BEGIN ENCRYPTED PRIVATE KEY`.
        private_key: SecretString,
        /// Opens an encrypted key.
        passphrase: Option<SecretString>,
    },
    /// A programmatic access token.
    AccessToken(SecretString),
    /// A password. Snowflake wants a second factor from people; this is for users of type `LEGACY_SERVICE`.
    Password(SecretString),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyPair { .. } => "KeyPair",
            Self::AccessToken(_) => "AccessToken",
            Self::Password(_) => "Password",
        })
    }
}

fn wrong(field: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "read settings", message).with("field", field)
}

fn identifier(field: &'static str, written: &str) -> Result<Identifier> {
    Identifier::parse(written).ok_or_else(|| {
        wrong(
            field,
            "it is no name as in sql; put double quotes around one with special characters",
        )
    })
}

impl SnowflakeSettings {
    /// Settings with the defaults for everything else.
    pub fn new(
        account: impl Into<String>,
        user: impl Into<String>,
        database: impl Into<String>,
    ) -> Self {
        Self {
            account: account.into(),
            user: user.into(),
            database: database.into(),
            schema: default_schema(),
            warehouse: None,
            role: None,
            url: None,
            query_tag: default_tag(),
            statement_bytes: default_statement_bytes(),
            statement_seconds: default_statement_seconds(),
        }
    }

    /// Whether these settings can work.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the field.
    pub fn validate(&self) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !self
            .account
            .starts_with(|c: char| c.is_ascii_alphanumeric())
            || !self.account.chars().all(plain)
            || self.account.ends_with(['.', '-'])
        {
            return Err(wrong(
                "account",
                "an account identifier looks like myorg-account123 or xy12345.eu-central-1",
            ));
        }
        if self.user.trim().is_empty() {
            return Err(wrong("user", "the login name must not be empty"));
        }
        self.names()?;
        self.base_url()?;
        if self.query_tag.chars().count() > 2000 {
            return Err(wrong(
                "query_tag",
                "a query tag has 2000 characters at most",
            ));
        }
        if !(64 * 1024..=MOST_STATEMENT_BYTES).contains(&self.statement_bytes) {
            return Err(wrong(
                "statement_bytes",
                "it must be 65536 to 15728640 bytes",
            ));
        }
        if !(1..=604_800).contains(&self.statement_seconds) {
            return Err(wrong("statement_seconds", "it must be 1 to 604800"));
        }
        Ok(())
    }

    /// Where the API is: scheme, host and port, without a path.
    pub(crate) fn base_url(&self) -> Result<Url> {
        let url = if let Some(url) = &self.url {
            url.clone()
        } else {
            // Organisation and account names may hold underscores, host names may not.
            let host = self.account.replace('_', "-").to_ascii_lowercase();
            Url::parse(&format!("https://{host}.snowflakecomputing.com"))
                .map_err(|_| wrong("account", "no host name can be made of it"))?
        };
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if !(url.scheme() == "https" || url.scheme() == "http" && loopback) {
            return Err(wrong(
                "url",
                "it must be https; plain http goes to a loopback host only",
            ));
        }
        if url.path() != "/" || url.query().is_some() || !url.username().is_empty() {
            return Err(wrong(
                "url",
                "it must be scheme and host, without path, query and user",
            ));
        }
        Ok(url)
    }

    /// The names in these settings.
    pub(crate) fn names(&self) -> Result<Names> {
        let optional = |field, written: &Option<String>| {
            written
                .as_deref()
                .map(|written| identifier(field, written))
                .transpose()
        };
        Ok(Names {
            database: identifier("database", &self.database)?,
            schema: identifier("schema", &self.schema)?,
            warehouse: optional("warehouse", &self.warehouse)?,
            role: optional("role", &self.role)?,
        })
    }
}

/// The names of the settings, parsed.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) database: Identifier,
    pub(crate) schema: Identifier,
    pub(crate) warehouse: Option<Identifier>,
    pub(crate) role: Option<Identifier>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> SnowflakeSettings {
        SnowflakeSettings::new("my_org-acc1", "loader", "analytics")
    }

    #[test]
    fn three_settings_are_enough() {
        let read: SnowflakeSettings = serde_json::from_str(
            r#"{"account":"my_org-acc1","user":"loader","database":"analytics"}"#,
        )
        .unwrap();
        assert_eq!(read, settings());
        read.validate().unwrap();
        assert_eq!(
            read.base_url().unwrap().as_str(),
            "https://my-org-acc1.snowflakecomputing.com/"
        );
        assert!(serde_json::from_str::<SnowflakeSettings>(r#"{"acount":""}"#).is_err());
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let wrong = |field: &str, change: fn(&mut SnowflakeSettings)| {
            let mut settings = settings();
            change(&mut settings);
            let error = settings.validate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(
                error.context().any(|pair| pair == ("field", field)),
                "{error}"
            );
        };
        wrong("account", |s| s.account = String::new());
        wrong("account", |s| s.account = "evil.example/".into());
        wrong("account", |s| s.account = "a@b".into());
        wrong("account", |s| s.account = "acc.".into());
        wrong("user", |s| s.user = " ".into());
        wrong("database", |s| s.database = "my db".into());
        wrong("schema", |s| s.schema = "\"".into());
        wrong("warehouse", |s| s.warehouse = Some(String::new()));
        wrong("role", |s| s.role = Some("a-b".into()));
        wrong("url", |s| s.url = "http://example.com".parse().ok());
        wrong("url", |s| s.url = "https://example.com/x".parse().ok());
        wrong("url", |s| s.url = "https://u@example.com/".parse().ok());
        wrong("query_tag", |s| s.query_tag = "x".repeat(2001));
        wrong("statement_bytes", |s| s.statement_bytes = 0);
        wrong("statement_bytes", |s| s.statement_bytes = usize::MAX);
        wrong("statement_seconds", |s| s.statement_seconds = 0);
    }

    #[test]
    fn plain_http_is_for_loopback() {
        for good in [
            "http://127.0.0.1:8080",
            "http://localhost:1",
            "http://[::1]:9",
        ] {
            let mut settings = settings();
            settings.url = good.parse().ok();
            settings.validate().unwrap();
        }
    }

    #[test]
    fn a_credential_shows_its_kind_only() {
        let secret = || SecretString::from("hush");
        let shown = format!(
            "{:?} {:?}",
            Credential::Password(secret()),
            Credential::KeyPair {
                private_key: secret(),
                passphrase: Some(secret())
            }
        );
        assert_eq!(shown, "Password KeyPair");
    }
}
