//! Whole imports, simulated: one seed decides members, changes, faults, kills and clocks.
//!
//! The real source, pipeline, mappings, sinks and clients run against the simulators of both services, in one thread, in
//! virtual time, without sockets. [`Scenario::of_seed`] draws what happens; [`Scenario::play`] lets it happen and says
//! what was wrong. The same seed gives the same history.
//!
//! A process dies between two awaits, at a call of its state, or, where state is kept in a directory, before any step on the
//! disk and in the middle of writing a file: the directory is copied as it is then, and the next process opens the copy.
//! Such a kill leaves what the system holds of the files. A power cut, which leaves what was synced, is not simulated, and
//! neither is a kill within one instruction of the embedded store: that a commit is there as a whole or not at all is its
//! promise, and only the real kills of the program (`SYNC_KILLS`) put it to the test.
//!
//! What must hold: a checkpoint is never ahead of what the sink took; nobody who opted out is opted in at any instant; one
//! process never has more than ten requests in flight; and once the world stands still, one more pass makes the sink
//! equal to the source, after which nothing is sent any more.

mod bug;
mod directory;
mod guard;
mod mortal;
mod oracle;
mod people;
mod process;
mod rows;
mod scenario;
mod shrink;
mod simulate;
mod time;
mod trace;
mod wire;
mod world;

pub use bug::Bug;
pub use scenario::{AudiencePlan, ImportPlan, Scenario, ServerDate, SinkKind, TimeFilters};
pub use simulate::History;
pub use world::{Kind, Violation};
