//! Sources, sinks, state, and the engine that moves records between them without loss.
//!
//! A [`Source`] gives batches of changes and a [`Cursor`] with each. A [`Mapping`] turns changes into what the sink takes
//! and leaves out what it already has. A [`Sink`] takes records and makes them durable. A [`StateStore`] remembers. A
//! [`Pipeline`] joins the four and runs them in one order only: write, flush, commit.
//!
//! ```text
//! Source ── Batch<Change<R>> ──▶ Mapping ── Vec<O> ──▶ Sink
//!    ▲                             ▲                    │ write … flush
//!    └── Position ── StateStore ───┴── ledger ◀─────────┘ commit
//! ```
//!
//! This crate does no HTTP, opens no database, reads no environment, does not log and asks no clock but the [`Clock`] it is
//! given. Programs hear what happens through an [`Observer`].

mod clock;
pub mod docs;
mod error;
mod mapping;
mod observe;
mod pipeline;
mod record;
mod run;
mod schedule;
mod service;
mod shutdown;
mod sink;
mod source;
mod state;
mod stream;
pub mod table;

pub use clock::{Clock, SystemClock};
pub use error::{Error, ErrorKind, Result, Retry};
pub use mapping::{
    Action, AsJson, EventMapping, JsonMapping, LedgerView, Mapping, Prepared, fingerprint,
};
pub use observe::{Event, Observer, RunContext};
pub use pipeline::{
    Difference, Import, Limit, Pipeline, PipelineBuilder, PipelineSettings, Turn, Verification,
};
pub use record::{Change, JsonRecord, Key, Keyed};
pub use run::{Counts, Outcome, RunId, RunRecord};
pub use schedule::Schedule;
pub use service::run_on_schedule;
pub use shutdown::{Shutdown, ShutdownHandle, shutdown};
pub use sink::{
    JsonlSink, JsonlTarget, MemorySink, MemorySinkHandle, Readback, Rejection, Report, Sink,
};
pub use source::{Batch, BatchReader, Cursor, PartFailure, Position, Source};
pub use state::{
    Checkpoint, Commit, ImportId, LedgerChange, LedgerEntry, LedgerKey, MemoryStateStore,
    RejectedRecord, Reset, Revision, Scope, StateStore, Stored,
};
pub use stream::{Field, FieldType, Stream};
