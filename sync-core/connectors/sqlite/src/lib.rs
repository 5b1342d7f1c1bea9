//! A warehouse in one `SQLite` file: nothing to install, and everything in one place to look at.
//!
//! [`SqliteWarehouse`] is the open file. It gives any number of [`SqliteSink`]s, and [`SqliteReadback`] to compare what it
//! holds with the source. Each stream has a table of its name with a column for each field
//! ([`sync_core::table`] says which), and beside them
//!
//! | column | what it holds |
//! | --- | --- |
//! | `_key` | the record's key, the primary key |
//! | `_raw` | the record as it came, byte for byte |
//! | `_synced_at` | when the row was written |
//! | `_deleted_at` | when the record was found to be gone; null while it exists |
//!
//! A column's type says what it holds: `BOOLEAN` (0 or 1), `INTEGER`, `REAL`, `DATE` and `TIMESTAMP` (text as ISO 8601 writes
//! them, in UTC, which `SQLite`'s date functions take and which sorts by time), `TEXT`, and `JSON TEXT`. A column that must
//! hold more gets another type; as `SQLite` cannot do that in place, the table is written anew, in the transaction that
//! writes the rows. Indexes, triggers, views and columns that somebody else made for the table survive it.
//!
//! # Views
//!
//! [`SqliteWarehouse::create_views`] makes views for analytics of the tables that are there:
//!
//! | view | one row for | made of |
//! | --- | --- | --- |
//! | `contact` | each member that exists: who, in which state, how engaged, with which tags | `members`, `lists`, `email_activity` |
//! | `campaign` | each campaign that exists: what, when, to whom, and the figures of its report | `campaigns`, `reports` |
//! | `engagement` | each member and campaign: what came of the e-mail | `email_activity`, `sent_to`, `campaigns` |
//! | `audience_growth` | each audience and day, and each audience and month: who came and who left | `list_activity`, `growth_history`, `lists` |
//!
//! A view needs the first of its tables (`audience_growth` one of the first two) and uses the others if they are there. It
//! has the same columns in any case; what is missing is null. Activity is joined to members by the digest of their address:
//! what somebody did under an address that has changed since is in `engagement`, but not in `contact`.
//!
//! # One file, many sinks, other readers
//!
//! One thread owns the connection that writes; sinks hand it their records in order. So ten imports may fill one file at
//! once and none of them ever meets a lock. Other programs read meanwhile as they like (WAL mode). One that writes is waited
//! for, ten seconds at most.
//!
//! # What a flush promises
//!
//! What was flushed survives a crash of the process, of the system, and a power cut: the transaction is synced to the disk
//! before the flush returns (`synchronous=FULL`). A large interval is written in several transactions, so that it need not
//! fit into memory; only the last one waits for the disk (`synchronous=NORMAL` before), which syncs the others with it. A
//! crash in between leaves whole rows that come again.

mod catalog;
mod definition;
mod error;
mod file;
mod readback;
mod retype;
mod rows;
mod sink;
mod views;
mod warehouse;
mod writer;

pub use readback::SqliteReadback;
pub use sink::SqliteSink;
pub use warehouse::SqliteWarehouse;
