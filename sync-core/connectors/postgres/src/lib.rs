//! Postgres as a sink: a table for each stream, with typed columns that follow the records.
//!
//! [`PostgresWarehouse`] is the schema that is written to. It gives any number of [`PostgresSink`]s, [`PostgresReadback`] to
//! compare what it holds with the source, and views for analytics. Each stream has a table of its name with
//!
//! | column | what it holds |
//! | --- | --- |
//! | `_key text` | the record's key; the primary key, in byte order |
//! | `_raw json` | the record as it came, byte for byte |
//! | `_synced_at timestamptz` | when the row was written, by the server's clock |
//! | `_deleted_at timestamptz` | when the record was found to be gone; null while it exists |
//! | one for each field | `boolean`, `bigint`, `double precision`, `date`, `timestamptz`, `text` or `jsonb` |
//!
//! ```no_run
//! use sync_postgres::{PostgresSettings, PostgresWarehouse};
//!
//! # fn main() -> sync_core::Result<()> {
//! let url = "postgres://importer:secret@db.example.com/analytics?schema=mailchimp";
//! let warehouse = PostgresWarehouse::new(PostgresSettings::from_url(url)?)?;
//! let sink = warehouse.sink();
//! # Ok(())
//! # }
//! ```
//!
//! Columns come and become wider as records need it ([`sync_core::table`] has the rules), in the transaction that brings these
//! records. A batch goes by binary `COPY` into a temporary table and from there by one `INSERT … ON CONFLICT (_key) DO UPDATE`;
//! so a batch that comes twice changes nothing. A removal keeps the row and sets `_deleted_at`; a record that returns clears it.
//!
//! # What a flush promises
//! What was flushed survives a crash of the server: also where `synchronous_commit` is off, it is on in our transactions. A
//! standby that follows asynchronously may lack the last commits when it takes over; list it in the server's
//! `synchronous_standby_names` if it must not. The run goes on with it if it is among the settings' hosts.
//!
//! # What Postgres cannot hold
//! No row is lost for these, and `_raw` keeps what came, where a query finds it with `_raw::text`:
//! - U+0000 in text, and U+0000 and halves of surrogate pairs in `jsonb`, are U+FFFD in their column.
//! - A day or moment before 4712 BC, JSON nested deeper than 1,000 levels, and in JSON a number of more than 16,000 digits, is
//!   null in its column.
//! - A key with U+0000, or of more than 2,704 bytes that do not compress, and a row that is too wide for a page of 8 kB: the
//!   record is rejected, and named in the report.
//!
//! # What an operator may do to the tables
//! Grant, index, and add columns whose names begin with an underscore, are computed (`GENERATED`), or have a type that is not
//! in the table above: the sink leaves those alone. Other columns count as the stream's, so the next version of a row
//! overwrites them with null. Widening a column that a view uses fails until that view is dropped; Postgres allows nothing else. Our own views
//! step aside by themselves.
//! A field called like one of the server's own columns, such as `ctid`, has an underscore behind its name.
//!
//! # Several sinks
//! Any number of sinks may write into one schema and one table. Who must make or change a table takes an advisory lock for it
//! first; all take tables and rows in one order. A deadlock that happens nevertheless is resolved by sending the batch again.
//! A table that somebody reads for minutes cannot get a new column meanwhile: the sink tries for `retry_seconds`, never holding
//! up other readers for more than ten seconds, and then leaves it to the next run.
//!
//! # Views for analytics
//! [`PostgresWarehouse::create_views`] makes those whose tables are there:
//!
//! | view | one row for |
//! | --- | --- |
//! | `contact` | each member that exists: who, in which state, how engaged, with which tags |
//! | `campaign` | each campaign that exists: what, when, to whom, and the figures of its report |
//! | `engagement` | each member and campaign: what came of the e-mail |
//! | `audience_growth` | each audience and day, and each audience and month: who came and who left |
//!
//! They have the same columns of the same types whatever the tables have; what is missing is null.
//!
//! # Rights
//! The role needs `TEMPORARY` on the database, and `USAGE` and `CREATE` on the schema, or `CREATE` on the database if the
//! schema does not exist. It should own the tables, which it does if it made them. Servers from Postgres 12 on, in UTF8. Through a
//! pooler only in session mode, since a prepared statement belongs to a session.

mod catalog;
mod check;
mod copy;
mod delivery;
mod error;
mod json;
mod link;
mod readback;
mod session;
mod settings;
mod sink;
mod tls;
mod views;
mod warehouse;

pub use readback::PostgresReadback;
pub use settings::{Host, PostgresSettings, SslMode};
pub use sink::PostgresSink;
pub use warehouse::PostgresWarehouse;
