//! Snowflake as a sink: a table per stream, typed columns, one `MERGE` a batch.

mod answer;
mod client;
mod error;
mod identifier;
mod key_pair;
mod rows;
mod settings;
mod sink;
mod sql;
mod target;
mod transport;
mod warehouse;

pub use settings::{Credential, SnowflakeSettings};
pub use sink::SnowflakeSink;
pub use transport::RetryPolicy;
