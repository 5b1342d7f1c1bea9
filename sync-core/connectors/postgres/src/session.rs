//! Connections to the server.

use std::time::Duration;

use futures::FutureExt;
use secrecy::ExposeSecret;
use sync_core::Result;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{ChannelBinding, SslMode as DriverSslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::Failure;
use crate::settings::{PostgresSettings, SslMode};
use crate::tls;

/// Opens sessions.
pub(crate) struct Connector {
    settings: PostgresSettings,
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

/// One session. Its connection is served by a task of its own, which ends with it.
pub(crate) struct Session {
    client: Client,
    connection: JoinHandle<()>,
}

impl Connector {
    /// Looks whether the settings can work, and reads the certificates if any are named; nothing else is done.
    pub(crate) fn new(settings: PostgresSettings) -> Result<Self> {
        settings.validate()?;
        let mut config = Config::new();
        for host in &settings.hosts {
            config.host(&host.name).port(host.port);
        }
        config
            .user(&settings.user)
            .dbname(&settings.database)
            .application_name(&settings.application_name)
            .ssl_mode(match settings.ssl() {
                SslMode::Disable => DriverSslMode::Disable,
                SslMode::Require | SslMode::VerifyFull => DriverSslMode::Require,
            })
            .channel_binding(if settings.require_channel_binding {
                ChannelBinding::Require
            } else {
                ChannelBinding::Prefer
            })
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            // A server that vanished without a word is noticed within a minute.
            .keepalives_idle(Duration::from_secs(20))
            .keepalives_interval(Duration::from_secs(10))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(60));
        if let Some(password) = &settings.password {
            config.password(password.expose_secret());
        }
        Ok(Self {
            config,
            tls: tls::connector(&settings)?,
            settings,
        })
    }

    pub(crate) fn settings(&self) -> &PostgresSettings {
        &self.settings
    }

    /// In what time a connection must stand.
    pub(crate) fn connect_time(&self) -> Duration {
        Duration::from_secs(self.settings.connect_seconds.into())
    }

    /// Longest time for the statements of one transaction: for a server that keeps the connection and answers nothing.
    pub(crate) fn longest_transaction(&self) -> Duration {
        Duration::from_secs(self.settings.statement_seconds.into()).saturating_mul(2)
    }

    /// A new session with the first server that takes writes.
    pub(crate) async fn open(&self) -> Result<Session, Failure> {
        let each = self.connect_time();
        let mut config = self.config.clone();
        config.connect_timeout(each);
        // The driver's limit is for one address and for its socket only: a server may take the socket and say nothing.
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(u32::MAX);
        let whole = each.saturating_mul(hosts.saturating_add(1));
        let opened = timeout(whole, async {
            if let Some(tls) = &self.tls {
                let (client, connection) = config.connect(tls.clone()).await?;
                Ok((client, tokio::spawn(connection.map(drop))))
            } else {
                let (client, connection) = config.connect(NoTls).await?;
                Ok((client, tokio::spawn(connection.map(drop))))
            }
        })
        .await;
        match opened {
            Ok(Ok((client, connection))) => Ok(Session { client, connection }),
            Ok(Err(error)) => Err(Failure::Server(error)),
            Err(_) => Err(Failure::TimedOut),
        }
    }

    /// What a transaction of ours begins with.
    ///
    /// The settings hold until its end only, so that a pooler may give the connection to somebody else afterwards. Turned-off
    /// `synchronous_commit` is turned on: what a flush reported must outlive the server's crash.
    pub(crate) fn begin(&self) -> String {
        let statement = u64::from(self.settings.statement_seconds) * 1_000;
        // Shorter than the statement's own limit, so that a lock is told from slow work.
        let lock = statement / 2;
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED;\
             SET LOCAL statement_timeout = {statement};\
             SET LOCAL lock_timeout = {lock};\
             SET LOCAL timezone = 'UTC';\
             SET LOCAL datestyle = 'ISO';\
             SELECT pg_catalog.set_config('synchronous_commit', 'on', true) \
             WHERE pg_catalog.current_setting('synchronous_commit') = 'off'"
        )
    }
}

impl Session {
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether the connection is known to be gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Ends the session without a word to a server that may not listen.
    pub(crate) fn cut(self) {
        self.connection.abort();
    }
}
