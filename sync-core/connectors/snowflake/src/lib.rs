//! Snowflake as a sink: a table per stream, typed columns, one `MERGE` a batch.

mod answer;
mod client;
mod connector;
mod error;
mod identifier;
mod key_pair;
mod readback;
mod rows;
mod schema;
mod settings;
mod sink;
mod sql;
mod target;
mod transport;
mod warehouse;

pub use readback::SnowflakeReadback;
pub use settings::{Credential, SnowflakeSettings};
pub use sink::SnowflakeSink;
pub use transport::RetryPolicy;
pub use warehouse::SnowflakeWarehouse;
