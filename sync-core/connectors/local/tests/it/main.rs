//! The state directory as a program uses it.

mod crash;
mod directory;
mod editing;
mod history;
mod steps;
mod versions;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use sync_core::{Checkpoint, Clock, Commit, Cursor, ImportId, Position, StateStore};
use sync_local::LocalState;
use sync_testkit::{ManualClock, time};
use tempfile::TempDir;

/// A state directory of its own.
struct Bench {
    dir: TempDir,
}

impl Bench {
    /// With nothing in it.
    fn empty() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a directory"),
        }
    }

    /// With nothing in it, in memory where the system has such a place: for tests that open it hundreds of times and
    /// would mostly wait for the disk.
    fn in_memory() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self {
            dir: dir.expect("a directory"),
        }
    }

    /// With this `state.json`, in memory where that is possible.
    fn in_memory_with(text: &str) -> Self {
        let bench = Self::in_memory();
        bench.edit(text);
        bench
    }

    /// With this `state.json`.
    fn with(text: &str) -> Self {
        let bench = Self::empty();
        bench.edit(text);
        bench
    }

    fn open(&self) -> sync_core::Result<LocalState> {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at_seconds(1_700_000_000));
        LocalState::open(self.dir.path(), &clock)
    }

    fn opened(&self) -> LocalState {
        self.open().expect("the directory opens")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path("state.json")).expect("state.json")
    }

    fn edit(&self, text: &str) {
        fs::write(self.path("state.json"), text).expect("state.json");
    }
}

/// Commits everything up to this second on top of what is stored.
async fn commit(state: &LocalState, import: &str, second: i64) -> sync_core::Result<()> {
    let import = ImportId::new(import);
    let expected = state.load(&import).await?.map(|stored| stored.revision);
    state
        .commit(&import, expected, up_to(second))
        .await
        .map(|_| ())
}

fn up_to(second: i64) -> Commit {
    let cursor = Cursor {
        state: serde_json::json!({ "at": second }),
        complete_until: Some(time(second)),
    };
    let checkpoint = Checkpoint {
        position: Position::Cursor(cursor),
        ..Checkpoint::default()
    };
    Commit {
        checkpoint,
        ..Commit::default()
    }
}
