//! What tests of sources, sinks and state stores share: conformance suites that every implementation passes, wrappers
//! that fail on purpose, and parts a test controls.
//!
//! | to prove | give to | what it needs |
//! | --- | --- | --- |
//! | a [`StateStore`](sync_core::StateStore) | [`state::conformance`], [`state::survives_reopening`] | a way to make an empty one |
//! | a [`Sink`](sync_core::Sink) | [`sink::conformance`] | a [`SinkTrial`]: records to write, and what the place holds |
//! | a sink into a warehouse | [`warehouse::conformance`], too | a [`WarehouseTrial`]: a look at its tables |
//! | a [`Source`](sync_core::Source) | [`source::conformance`] | a way to make one over the same, unchanging data |
//! | that a crash loses nothing | [`FaultPlan`] and the three wrappers | the n-th call to fail, and how |
//!
//! [`MadeUpMembers`] fill a sink to measure what it costs.
//!
//! Everything here is test code: a broken promise is a panic with a message that names the promise.

#![allow(
    clippy::missing_panics_doc,
    reason = "a panic is how a test says that a promise is broken"
)]

mod clock;
mod faults;
mod members;
mod observer;
mod record;
mod scripted;
pub mod sink;
pub mod source;
pub mod state;
pub mod warehouse;

pub use clock::{ManualClock, time};
pub use faults::{Fault, FaultPlan, FaultySink, FaultySource, FaultyState};
pub use members::MadeUpMembers;
pub use observer::{Recorded, RecordingObserver};
pub use record::{TestRecord, present, removed};
pub use scripted::ScriptedSource;
pub use sink::SinkTrial;
pub use warehouse::WarehouseTrial;
