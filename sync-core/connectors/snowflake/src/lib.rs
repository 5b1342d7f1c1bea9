//! Snowflake as a sink: a table for each stream, with typed columns that follow the records.
//!
//! [`SnowflakeWarehouse`] is the schema that is written to. It gives any number of [`SnowflakeSink`]s, [`SnowflakeReadback`]
//! to compare what it holds with the source, and views for analytics. Each stream has a table of its name with
//!
//! | column | what it holds |
//! | --- | --- |
//! | `_KEY VARCHAR` | the record's key; the primary key, which Snowflake does not enforce but `MERGE` keeps |
//! | one for each field | `BOOLEAN`, `NUMBER(38,0)`, `FLOAT`, `DATE`, `TIMESTAMP_TZ`, `VARCHAR` or `VARIANT` |
//! | `_RAW VARIANT` | the record as it came; a `VARIANT` orders fields and normalises numbers |
//! | `_FINGERPRINT VARCHAR` | of the record's bytes, which `_RAW` does not keep |
//! | `_SYNCED_AT TIMESTAMP_TZ` | when the row was written, by Snowflake's clock |
//! | `_DELETED_AT TIMESTAMP_TZ` | when the record was found to be gone; null while it exists |
//!
//! Columns come and become wider as records need it ([`sync_core::table`] has the rules). Names are stored in upper case, as
//! Snowflake does with names that stand without quotes: `select email_address from members` finds them.
//!
//! # What Snowflake cannot hold
//! - U+0000 and halves of surrogate pairs are U+FFFD, in `_RAW` too.
//! - A day or moment outside the years 1 to 9999 is null in its column.
//! - A record that takes more than 15 MiB with its columns, and one in which Snowflake cannot read a value, is rejected and
//!   named in the report.
//!
//! # What an operator may do to the tables
//! Grant, cluster, tag, set policies, and add columns whose names begin with an underscore, hold lower-case letters, or have a
//! type that is not in the table above: the sink leaves those alone. Other columns count as the stream's, so the next
//! version of a row overwrites them with null.
//!
//! # Several sinks
//! Sinks of one warehouse may write into one table at the same time: they take turns at it. Two processes should not: rows
//! would not get lost, but a value written while the other process widens its column may stay in `_RAW` alone.
//!
//! # Rights
//! The role needs `USAGE` on warehouse, database and schema, `CREATE TABLE` on the schema, or `CREATE SCHEMA` on the database
//! if the schema does not exist, `CREATE VIEW` for views; and it should own the tables, which it does if it made them.
//!
//! # Losing the session
//! Snowflake ends a session after four hours without a statement, and whenever it likes. A token that is merely old is
//! renewed; after that a session is made anew and what depended on the old one is done again.
//!
//! Why it is built so, and what was tested against what, is in [`docs::client`].

mod answer;
mod client;
mod connector;
pub mod docs;
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
mod views;
mod warehouse;

pub use readback::SnowflakeReadback;
pub use settings::{Credential, SnowflakeSettings};
pub use sink::SnowflakeSink;
pub use transport::RetryPolicy;
pub use warehouse::SnowflakeWarehouse;
