//! What an operator chooses.

mod url;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;
use sync_core::{Error, ErrorKind, Result};

/// Where the tables are, who writes them, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresSettings {
    /// The servers, tried in this order until one takes writes: the members of a cluster that fails over. Default
    /// `localhost:5432`.
    pub hosts: Vec<Host>,
    /// The role that logs in. Default `postgres`.
    pub user: String,
    /// Its password, for servers that ask for one. Default none.
    pub password: Option<SecretString>,
    /// The database. It must exist, with the encoding UTF8. Default `postgres`.
    pub database: String,
    /// The schema of the tables. Created when it is missing. Default `mailchimp`.
    pub schema: String,
    /// Whether the connection is encrypted. Default: as [`SslMode`] says.
    pub sslmode: Option<SslMode>,
    /// Whether the login must be bound to the encrypted connection (SCRAM-SHA-256-PLUS), so that nobody in between can pass it
    /// on. Default no: it is bound whenever the server can do that.
    pub require_channel_binding: bool,
    /// A file with the certificates, in PEM, that the server's certificate must come from. Default: what the system trusts.
    pub root_certificate: Option<PathBuf>,
    /// What the sessions are called in `pg_stat_activity` and in the server's log; at most 63 bytes. Default
    /// `sync-postgres`; name the import here.
    pub application_name: String,
    /// Seconds in which a connection must stand. Default 10.
    pub connect_seconds: u32,
    /// Seconds after which the server ends a statement, 1 to 86400. Default 600.
    pub statement_seconds: u32,
    /// Seconds for which a batch is tried again after a lost session, a restart of the server or a deadlock, before the run
    /// fails. Default 60.
    pub retry_seconds: u32,
    /// Records kept in memory before they are sent. Default 20,000.
    pub batch_records: usize,
    /// Bytes of records kept in memory before they are sent. Default 32 MiB.
    pub batch_bytes: usize,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// A name, an address, or the directory of a Unix socket, which begins with a slash.
    pub name: String,
    /// The port. Default 5432.
    #[serde(default = "default_port")]
    pub port: u16,
}

/// How a connection is protected. When it is not set, it is [`VerifyFull`](SslMode::VerifyFull), but
/// [`Disable`](SslMode::Disable) if every host is this computer.
///
/// The modes `allow` and `prefer` of other clients do not exist here: they let anybody on the way switch encryption off.
/// Nor does `verify-ca`, which takes any server that the authority ever certified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// Not at all: password and records can be read on the way.
    Disable,
    /// Encrypted, but with whoever answers. Protects from listeners, not from somebody who stands in between.
    Require,
    /// Encrypted, with the server named in the settings and no other.
    VerifyFull,
}

fn default_port() -> u16 {
    5432
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            hosts: vec![Host::new("localhost", default_port())],
            user: "postgres".to_owned(),
            password: None,
            database: "postgres".to_owned(),
            schema: "mailchimp".to_owned(),
            sslmode: None,
            require_channel_binding: false,
            root_certificate: None,
            application_name: "sync-postgres".to_owned(),
            connect_seconds: 10,
            statement_seconds: 600,
            retry_seconds: 60,
            batch_records: 20_000,
            batch_bytes: 32 * 1024 * 1024,
        }
    }
}

impl Host {
    /// A server.
    pub fn new(name: impl Into<String>, port: u16) -> Self {
        Self {
            name: name.into(),
            port,
        }
    }

    fn is_socket(&self) -> bool {
        self.name.starts_with('/')
    }

    /// Whether a connection to it stays on this computer.
    fn is_local(&self) -> bool {
        self.is_socket()
            || self.name.eq_ignore_ascii_case("localhost")
            || self
                .name
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

fn wrong(field: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "read settings", message).with("field", field)
}

impl PostgresSettings {
    /// Settings from a URL as other Postgres clients take it, such as
    /// `postgres://user:password@db.example.com:5432/analytics?schema=mailchimp`. What it does not say has its default.
    ///
    /// Several hosts are separated by commas, a socket's directory is given percent-encoded or as `?host=/run/postgresql`.
    /// Parameters: `host`, `port`, `user`, `password`, `dbname`, `sslmode`, `sslrootcert`, `channel_binding`,
    /// `application_name`, `connect_timeout`, and our own `schema`, `statement_seconds` and `retry_seconds`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the part but never what it holds.
    pub fn from_url(text: &str) -> Result<Self> {
        let settings = url::parse(text)?;
        settings.validate()?;
        Ok(settings)
    }

    /// Whether these settings can work.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the field.
    pub fn validate(&self) -> Result<()> {
        if self.hosts.is_empty()
            || self
                .hosts
                .iter()
                .any(|host| host.name.is_empty() || host.name.contains('\0') || host.port == 0)
        {
            return Err(wrong("hosts", "a server needs a name and a port"));
        }
        for (field, name) in [
            ("user", &self.user),
            ("database", &self.database),
            ("schema", &self.schema),
        ] {
            // A longer name is cut by the server, and would then be another one.
            if name.is_empty() || name.len() > LONGEST_NAME || name.contains('\0') {
                return Err(wrong(field, "a name has 1 to 63 bytes, and no zero byte"));
            }
        }
        if self.schema.starts_with("pg_") {
            return Err(wrong("schema", "names with pg_ belong to the server"));
        }
        let application = &self.application_name;
        if application.len() > LONGEST_NAME || application.contains('\0') {
            return Err(wrong(
                "application_name",
                "it has at most 63 bytes, and no zero byte",
            ));
        }
        if self.ssl() != SslMode::Disable && self.hosts.iter().any(Host::is_socket) {
            return Err(wrong("sslmode", "a socket is never encrypted: set disable"));
        }
        if self.require_channel_binding && self.ssl() == SslMode::Disable {
            return Err(wrong(
                "require_channel_binding",
                "there is nothing to bind to without encryption: set sslmode",
            ));
        }
        if self.root_certificate.is_some() && self.ssl() != SslMode::VerifyFull {
            return Err(wrong(
                "root_certificate",
                "it is only looked at with sslmode verify-full",
            ));
        }
        if !(1..=86_400).contains(&self.statement_seconds) {
            return Err(wrong("statement_seconds", "it must be between 1 and 86400"));
        }
        if self.connect_seconds == 0 {
            return Err(wrong("connect_seconds", "it must not be 0"));
        }
        if self.batch_records == 0 {
            return Err(wrong("batch_records", "it must not be 0"));
        }
        Ok(())
    }

    /// The mode that is in force.
    pub(crate) fn ssl(&self) -> SslMode {
        match self.sslmode {
            Some(chosen) => chosen,
            None if self.hosts.iter().all(Host::is_local) => SslMode::Disable,
            None => SslMode::VerifyFull,
        }
    }
}

/// Bytes that the server keeps of a name.
const LONGEST_NAME: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn named(settings: &PostgresSettings, field: &str) {
        let error = settings.validate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.context().any(|pair| pair == ("field", field)),
            "{error}"
        );
    }

    #[test]
    fn defaults_hold_and_an_empty_object_means_them() {
        let settings: PostgresSettings = serde_json::from_str("{}").unwrap();
        settings.validate().unwrap();
        assert_eq!(settings.hosts, [Host::new("localhost", 5432)]);
        assert_eq!(settings.schema, "mailchimp");
        assert!(serde_json::from_str::<PostgresSettings>(r#"{"hostname":"x"}"#).is_err());
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let good = PostgresSettings::default;
        named(
            &PostgresSettings {
                hosts: Vec::new(),
                ..good()
            },
            "hosts",
        );
        named(
            &PostgresSettings {
                hosts: vec![Host::new("", 1)],
                ..good()
            },
            "hosts",
        );
        named(
            &PostgresSettings {
                user: String::new(),
                ..good()
            },
            "user",
        );
        named(
            &PostgresSettings {
                database: "a\0b".into(),
                ..good()
            },
            "database",
        );
        named(
            &PostgresSettings {
                schema: "s".repeat(64),
                ..good()
            },
            "schema",
        );
        named(
            &PostgresSettings {
                schema: "pg_mine".into(),
                ..good()
            },
            "schema",
        );
        named(
            &PostgresSettings {
                application_name: "x".repeat(64),
                ..good()
            },
            "application_name",
        );
        named(
            &PostgresSettings {
                hosts: vec![Host::new("/run", 1)],
                sslmode: Some(SslMode::Require),
                ..good()
            },
            "sslmode",
        );
        named(
            &PostgresSettings {
                require_channel_binding: true,
                ..good()
            },
            "require_channel_binding",
        );
        named(
            &PostgresSettings {
                root_certificate: Some("ca.pem".into()),
                ..good()
            },
            "root_certificate",
        );
        named(
            &PostgresSettings {
                statement_seconds: 0,
                ..good()
            },
            "statement_seconds",
        );
        named(
            &PostgresSettings {
                connect_seconds: 0,
                ..good()
            },
            "connect_seconds",
        );
        named(
            &PostgresSettings {
                batch_records: 0,
                ..good()
            },
            "batch_records",
        );
    }

    #[test]
    fn only_this_computer_is_reached_in_the_clear_unasked() {
        let mode = |names: &[&str]| {
            PostgresSettings {
                hosts: names.iter().map(|name| Host::new(*name, 5432)).collect(),
                ..PostgresSettings::default()
            }
            .ssl()
        };
        for local in ["localhost", "127.0.0.1", "::1", "/run/postgresql"] {
            assert_eq!(mode(&[local]), SslMode::Disable, "{local}");
        }
        for remote in ["db.example.com", "10.0.0.1", "localhost.example.com"] {
            assert_eq!(mode(&[remote]), SslMode::VerifyFull, "{remote}");
            assert_eq!(mode(&["localhost", remote]), SslMode::VerifyFull);
        }
    }

    #[test]
    fn the_password_is_not_shown() {
        let settings: PostgresSettings = serde_json::from_str(r#"{"password":"hunter2"}"#).unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
