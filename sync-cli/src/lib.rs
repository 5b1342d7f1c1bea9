//! Keeps Mailchimp audiences true in Ometria, hour by hour: the program's parts, for embedding.
//!
//! The command line is described by `sync-cli --help`; the pages under [`docs`] describe settings, metrics and what to do
//! when something goes wrong. A program of your own needs this much:
//!
//! ```no_run
//! use sync_cli::{Config, Importer, MailchimpAccount, OmetriaAccount};
//!
//! # async fn example() -> sync_core::Result<()> {
//! let config = Config::new("./state")
//!     .with_mailchimp(MailchimpAccount::new("0123456789abcdef-us6"))
//!     .with_ometria(OmetriaAccount::new("0123456789abcdef"))
//!     .with_audiences(["57afe96172"]);
//! let importer = Importer::from_config(config).await?;
//! let (stop, stopped) = sync_core::shutdown();
//! let service = tokio::spawn(async move { importer.serve(&stopped).await });
//! // … until the program ends:
//! stop.request();
//! # let _ = service.await;
//! # Ok(())
//! # }
//! ```
//!
//! Nothing in here is global. Two importers in one process are independent, except that they should not share a Mailchimp
//! credential: each would use its ten connections.

pub mod command_line;
mod config;
pub mod docs;
mod importer;
pub mod mapping;
pub mod telemetry;

pub use config::{
    Config, ConfigError, DEFAULT_ACCOUNT, Environment, FilesAccount, Flags, LogFormat, LogLevel,
    MailchimpAccount, MetricsAddress, OmetriaAccount, Profile, Reading, Settings, SinkChoice,
    SnowflakeAccount, StreamChoice, check_list_id, format_interval, parse_base_url, parse_interval,
};
pub use importer::{Importer, ImporterBuilder, Served, check, compact, create_views};
