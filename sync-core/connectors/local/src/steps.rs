//! The disk, step by step, for tests that ask what a process killed between two steps leaves behind.

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is about to happen on the disk. See [`LocalState::open_watched`](crate::LocalState::open_watched).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum DiskStep<'a> {
    /// These bytes become the content of an empty file. A process killed meanwhile leaves as many of them as it likes.
    Write {
        /// The file.
        path: &'a Path,
        /// What is written.
        bytes: &'a [u8],
    },
    /// Something the system does as a whole or not at all. Says what.
    Whole(&'static str),
    /// The embedded store goes on: within a statement or to the next one, of a transaction or outside of one.
    Store,
}

/// Hears of every step on the disk before it is taken.
pub trait DiskWatch: Send + Sync {
    /// Called before each step, with the store locked. Files of the directory may be read and copied, though not changed:
    /// a copy made here is what the process would leave if it were killed at this moment.
    ///
    /// After [`ControlFlow::Break`] the process counts as killed: the call under way never returns, nor does any later
    /// one. What the call still does, it does to a directory that nobody looks at any more.
    fn before(&self, step: DiskStep<'_>) -> ControlFlow<()>;
}

/// Where steps are told, if anybody listens.
#[derive(Clone, Default)]
pub(crate) struct Steps(Option<Arc<Watched>>);

struct Watched {
    watch: Arc<dyn DiskWatch>,
    killed: AtomicBool,
}

impl Steps {
    pub(crate) fn watched_by(watch: Arc<dyn DiskWatch>) -> Self {
        Self(Some(Arc::new(Watched {
            watch,
            killed: AtomicBool::new(false),
        })))
    }

    pub(crate) fn are_watched(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the watch has killed the process.
    pub(crate) fn are_over(&self) -> bool {
        let watched = self.0.as_ref();
        watched.is_some_and(|watched| watched.killed.load(Ordering::Relaxed))
    }

    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) {
        self.tell(DiskStep::Write { path, bytes });
    }

    pub(crate) fn whole(&self, what: &'static str) {
        self.tell(DiskStep::Whole(what));
    }

    pub(crate) fn tell(&self, step: DiskStep<'_>) {
        if let Some(watched) = &self.0
            && !watched.killed.load(Ordering::Relaxed)
            && watched.watch.before(step).is_break()
        {
            watched.killed.store(true, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps")
            .field("watched", &self.are_watched())
            .finish()
    }
}
