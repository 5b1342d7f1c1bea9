//! State in one directory, for one process: `state.json` that people edit while it runs, and an embedded store for the
//! rest.
//!
//! | file | what it is |
//! | --- | --- |
//! | `state.json` | the imports, one object each; edit it any time |
//! | `state.db` | checkpoints, ledger, rejected records, run history (`SQLite`) |
//! | `state.lock` | held as long as the process lives; says who holds it |
//! | `sweep.db` | marks of a search for removals; thrown away at each start |
//! | `controller.quit` | create it and the process finishes its batch and stops |
//!
//! # The file people edit
//!
//! ```json
//! [
//!   {
//!     "list_id": "a1b2c3d4e5",
//!     "latest_timestamp": "2024-05-01T10:00:00Z",
//!     "items_per_request": 500
//!   }
//! ]
//! ```
//!
//! Only `list_id` is required; [`ImportEntry`] has every field. `latest_timestamp` is moved forward as the import
//! proceeds. Set it back and the import reads from there again; set it to `null` or remove it and everything is read.
//! The file wins over what the process was doing: a run in progress meets a conflict at its next commit and the next run
//! starts from the new place. While a first load is under way the field is still `null`, and writing `null` again says
//! nothing new: a reset ([`StateStore::reset`](sync_core::StateStore::reset)) starts that one over.
//!
//! We change the values of `latest_timestamp`, `elapsed_seconds` and `total_updates` and no other byte: fields we do not
//! know, key order and indentation stay. A file that is broken or half saved is reported, never overwritten, and what it
//! said last stays in force. An edit that crosses one of our writes is kept: we write only over what we have read.

mod database;
mod document;
mod entry;
mod error;
mod local_state;
mod lock;
mod state_file;
mod steps;
mod store;
mod timestamp;

pub use entry::ImportEntry;
pub use local_state::{FoundAtOpen, LocalState};
pub use steps::{DiskStep, DiskWatch};
