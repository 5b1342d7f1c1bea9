//! The state directory as a [`StateStore`].

use std::fmt;
use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sync_core::{
    Clock, Commit, Error, ErrorKind, ImportId, Key, LedgerEntry, LedgerKey, Position,
    RejectedRecord, Reset, Result, Revision, RunRecord, Scope, StateStore, Stored,
};
use tokio::task::JoinError;

use crate::database::Database;
use crate::entry::ImportEntry;
use crate::error::from_io;
use crate::lock::DirectoryLock;
use crate::steps::{DiskWatch, Steps};
use crate::store::{News, Store};

const QUIT: &str = "controller.quit";
/// How often to look whether somebody edited the file or asked to stop.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// All state of a process in one directory. Clones are the same store.
///
/// The disk is only touched on tokio's blocking threads, so calls need a tokio runtime. A call whose future is dropped
/// finishes in the background: whatever it was to change changes.
#[derive(Clone)]
pub struct LocalState {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    /// `None`: closed.
    open: Mutex<Option<Open>>,
    view: Mutex<View>,
    found: FoundAtOpen,
    writable: bool,
    steps: Steps,
}

struct Open {
    store: Store,
    /// `None`: opened for reading. Last, so that the directory is free only when the store is closed.
    _lock: Option<DirectoryLock>,
}

/// What is known of the file without waiting for the disk. Never held across an await or a disk access.
struct View {
    /// The version of the store that `entries` are of.
    version: u64,
    entries: Vec<ImportEntry>,
    /// What nobody was told yet.
    news: News,
}

/// What an earlier process left behind, for a program to mention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundAtOpen {
    /// There was a `controller.quit` that nobody had taken. It was removed: it was meant for an earlier process.
    pub stale_quit: bool,
    /// So many runs had no outcome because their process was killed. They are marked as interrupted now.
    pub interrupted_runs: usize,
}

impl LocalState {
    /// Opens a directory for this process alone, and creates it (readable by this user only) if it is not there.
    ///
    /// Blocks on the disk. `clock` says in the lock file since when the directory is held.
    ///
    /// # Errors
    /// `State` when another process holds the directory (the error names it), when the disk does not let us, or when the
    /// store in it is damaged or from a later version. `Config` when `state.json` is broken: there is no earlier version
    /// that could stay in force.
    pub fn open(dir: impl Into<PathBuf>, clock: &Arc<dyn Clock>) -> Result<Self> {
        Self::open_telling(dir.into(), clock, Steps::default())
    }

    /// Opens a directory as [`open`](Self::open) does, for a test that kills its process at some step on the disk: `watch` is
    /// asked before each.
    ///
    /// Work on the disk is done at once, by the task that asks for it and not on a blocking thread, so that the same calls
    /// give the same steps in the same order. Not every instruction of the embedded store is a step of its own, and what it
    /// does inside one instruction, such as appending a commit to its log, is left to its own promises.
    ///
    /// # Errors
    /// As `open`. A watch that ends the process while it opens the directory is heeded by the first call that follows.
    pub fn open_watched(
        dir: impl Into<PathBuf>,
        clock: &Arc<dyn Clock>,
        watch: Arc<dyn DiskWatch>,
    ) -> Result<Self> {
        Self::open_telling(dir.into(), clock, Steps::watched_by(watch))
    }

    fn open_telling(dir: PathBuf, clock: &Arc<dyn Clock>, steps: Steps) -> Result<Self> {
        create_directory(&dir)?;
        let lock = DirectoryLock::take(&dir, clock.now(), &steps)?;
        let stale_quit = take_quit(&dir, &steps)
            .map_err(|cause| from_io("remove stale controller.quit", &dir.join(QUIT), cause))?;
        let mut database = Database::open(&dir, &steps)?;
        let interrupted_runs = database.interrupt_runs()?;
        let store = Store::open(&dir, database, steps.clone())?;
        let found = FoundAtOpen {
            stale_quit,
            interrupted_runs,
        };
        Ok(Self::new(dir, store, found, Some(lock), steps))
    }

    /// Opens a directory for looking into it, also while another process works in it. Changes nothing and needs no lock;
    /// every method that would change something answers with an error.
    ///
    /// A directory that is not there, or in which nothing ran yet, is empty. `SQLite` may leave two empty files of its own
    /// beside `state.db`. Blocks on the disk.
    pub fn read_only(dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = dir.into();
        let store = Store::read_only(&dir, Database::read_only(&dir)?);
        let found = FoundAtOpen::default();
        Ok(Self::new(dir, store, found, None, Steps::default()))
    }

    fn new(
        dir: PathBuf,
        mut store: Store,
        found: FoundAtOpen,
        lock: Option<DirectoryLock>,
        steps: Steps,
    ) -> Self {
        let mut view = View {
            version: 0,
            entries: Vec::new(),
            news: News::default(),
        };
        view.update(&mut store);
        let writable = lock.is_some();
        let open = Mutex::new(Some(Open { store, _lock: lock }));
        Self {
            inner: Arc::new(Inner {
                dir,
                open,
                view: Mutex::new(view),
                found,
                writable,
                steps,
            }),
        }
    }

    /// Waits for the work under way, closes the store and frees the directory, also while clones are still around: what
    /// they ask from then on is an error.
    ///
    /// Dropping the last clone does the same, only that work whose future was dropped may keep the directory for a
    /// moment longer.
    pub async fn close(&self) {
        let inner = self.inner.clone();
        // Closing cannot fail: whatever was committed is on the disk.
        let _ = self.on_disk(move || drop(lock(&inner.open).take())).await;
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// What an earlier process left behind.
    pub fn found_at_open(&self) -> FoundAtOpen {
        self.inner.found
    }

    /// The imports of `state.json`, in its order: the last good version.
    pub fn imports(&self) -> Vec<ImportEntry> {
        lock(&self.inner.view).entries.clone()
    }

    /// Adds an entry for this audience to `state.json` if it has none, and returns the audience's first entry.
    ///
    /// The new entry has no `latest_timestamp`, so it starts with a full load, also if the audience had an entry before.
    ///
    /// # Errors
    /// `Config` when the text is no list id or the file is broken, `State` when it cannot be written.
    pub async fn ensure_import(&self, list_id: &str) -> Result<ImportEntry> {
        let list_id = list_id.to_owned();
        self.change("add import to state.json", move |store| {
            store.ensure_import(&list_id)
        })
        .await
    }

    /// Returns once somebody edited `state.json`: the new entries, or what is wrong with it, or that it could not be
    /// written. Each is told once, to one caller; edits in quick succession may be told as one.
    ///
    /// What we write ourselves is no edit. An edit is noticed within seconds as long as somebody waits here, and in any
    /// case at the next [`load`](StateStore::load) or [`commit`](StateStore::commit). Cancel-safe.
    pub async fn changed(&self) -> Result<Vec<ImportEntry>> {
        loop {
            let writable = self.inner.writable;
            let look = move |store: &mut Store| {
                if writable {
                    store.look();
                } else {
                    store.look_only();
                }
                Ok(())
            };
            self.on_store("watch state.json", look).await?;
            // Taken only here, where the answer is certain to reach the caller.
            if let Some(news) = lock(&self.inner.view).take_news() {
                return news;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Returns once `controller.quit` appears in the directory, and removes it: the request is taken. Cancel-safe.
    ///
    /// One that lay there before the directory was opened was removed then ([`FoundAtOpen::stale_quit`]): it stops a
    /// running process, not the next one.
    pub async fn quit_requested(&self) {
        loop {
            let inner = self.inner.clone();
            let taken = self.on_disk(move || {
                // One that cannot be removed is a request all the same.
                take_quit(&inner.dir, &inner.steps)
                    .unwrap_or_else(|_| inner.dir.join(QUIT).exists())
            });
            if matches!(taken.await, Ok(true)) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Works with the store on a blocking thread.
    async fn on_store<T: Send + 'static>(
        &self,
        operation: &'static str,
        act: impl FnOnce(&mut Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        let work = move || {
            let mut open = lock(&inner.open);
            let Some(Open { store, .. }) = open.as_mut() else {
                return Err(
                    Error::new(ErrorKind::State, operation, "the state was closed")
                        .with("directory", inner.dir.display()),
                );
            };
            let result = act(store);
            lock(&inner.view).update(store);
            result
        };
        self.on_disk(work).await.unwrap_or_else(|cause| {
            Err(Error::new(ErrorKind::State, operation, "the work was stopped").caused_by(cause))
        })
    }

    /// Works on a blocking thread, or right here if somebody watches; never returns once they said that it is over.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let steps = &self.inner.steps;
        if !steps.are_watched() {
            return tokio::task::spawn_blocking(work).await;
        }
        if !steps.are_over() {
            let done = work();
            if !steps.are_over() {
                return Ok(done);
            }
        }
        std::future::pending().await
    }

    /// The same, unless the directory was opened for reading.
    async fn change<T: Send + 'static>(
        &self,
        operation: &'static str,
        act: impl FnOnce(&mut Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if !self.inner.writable {
            return Err(Error::new(
                ErrorKind::State,
                operation,
                "the directory was opened for reading only",
            )
            .with("directory", self.inner.dir.display()));
        }
        self.on_store(operation, act).await
    }
}

impl View {
    fn update(&mut self, store: &mut Store) {
        if self.version != store.version {
            self.version = store.version;
            self.entries = store.entries().to_vec();
        }
        let news = std::mem::take(&mut store.news);
        self.news.edited |= news.edited;
        self.news.problem = news.problem.or(self.news.problem.take());
    }

    fn take_news(&mut self) -> Option<Result<Vec<ImportEntry>>> {
        if let Some(problem) = self.news.problem.take() {
            return Some(Err(problem));
        }
        std::mem::take(&mut self.news.edited).then(|| Ok(self.entries.clone()))
    }
}

impl fmt::Debug for LocalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalState")
            .field("dir", &self.inner.dir)
            .field("writable", &self.inner.writable)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl StateStore for LocalState {
    /// An edit of `latest_timestamp` is taken over first.
    async fn load(&self, import: &ImportId) -> Result<Option<Stored>> {
        let import = import.clone();
        let writable = self.inner.writable;
        self.on_store("load checkpoint", move |store| {
            if writable {
                store.load(&import)
            } else {
                store.database.load(&import)
            }
        })
        .await
    }

    async fn commit(
        &self,
        import: &ImportId,
        expected: Option<Revision>,
        commit: Commit,
    ) -> Result<Revision> {
        let import = import.clone();
        self.change("commit", move |store| {
            store.commit(&import, expected, commit)
        })
        .await
    }

    async fn ledger(&self, at: &[LedgerKey]) -> Result<Vec<Option<LedgerEntry>>> {
        let at = at.to_vec();
        self.on_store("read ledger", move |store| store.database.ledger(&at))
            .await
    }

    async fn ledger_len(&self, scope: &Scope) -> Result<u64> {
        let scope = scope.clone();
        self.on_store("count ledger", move |store| {
            store.database.ledger_len(&scope)
        })
        .await
    }

    async fn begin_sweep(&self, scope: &Scope) -> Result<()> {
        let scope = scope.clone();
        self.change("begin sweep", move |store| {
            store.database.begin_sweep(&scope)
        })
        .await
    }

    async fn mark_seen(&self, scope: &Scope, keys: &[Key]) -> Result<()> {
        let scope = scope.clone();
        let keys = keys.to_vec();
        self.change("mark seen keys", move |store| {
            store.database.mark_seen(&scope, &keys)
        })
        .await
    }

    async fn unseen(&self, scope: &Scope, after: Option<&Key>, limit: usize) -> Result<Vec<Key>> {
        let scope = scope.clone();
        let after = after.cloned();
        self.change("list unseen keys", move |store| {
            store.database.unseen(&scope, after.as_ref(), limit)
        })
        .await
    }

    async fn unseen_len(&self, scope: &Scope) -> Result<u64> {
        let scope = scope.clone();
        self.change("count unseen keys", move |store| {
            store.database.unseen_len(&scope)
        })
        .await
    }

    async fn end_sweep(&self, scope: &Scope) -> Result<()> {
        let scope = scope.clone();
        self.change("end sweep", move |store| store.database.end_sweep(&scope))
            .await
    }

    async fn rejected(
        &self,
        import: &ImportId,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<RejectedRecord>> {
        let import = import.clone();
        let after = after.cloned();
        self.on_store("list rejected records", move |store| {
            store.database.rejected(&import, after.as_ref(), limit)
        })
        .await
    }

    async fn rejected_len(&self, import: &ImportId) -> Result<u64> {
        let import = import.clone();
        self.on_store("count rejected records", move |store| {
            store.database.rejected_len(&import)
        })
        .await
    }

    /// A run that reached the end also writes `elapsed_seconds` and `total_updates` (what the sink took) to the file.
    async fn record_run(&self, run: &RunRecord) -> Result<()> {
        let run = run.clone();
        self.change("record run", move |store| store.record_run(&run))
            .await
    }

    async fn runs(&self, import: Option<&ImportId>, limit: usize) -> Result<Vec<RunRecord>> {
        let import = import.cloned();
        self.on_store("list runs", move |store| {
            store.database.runs(import.as_ref(), limit)
        })
        .await
    }

    /// The file's `latest_timestamp` follows.
    async fn rewind(&self, import: &ImportId, to: Position) -> Result<Revision> {
        let import = import.clone();
        self.change("rewind", move |store| store.rewind(&import, to))
            .await
    }

    /// After [`Reset::Everything`] the file's `latest_timestamp` is `null`.
    async fn reset(&self, import: &ImportId, what: Reset) -> Result<()> {
        let import = import.clone();
        self.change("reset", move |store| store.reset(&import, what))
            .await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic leaves behind is whole: an open transaction is rolled back when it is dropped.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn create_directory(dir: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(dir)
        .map_err(|cause| from_io("create state directory", dir, cause))
}

/// Removes the request to stop and says whether there was one.
fn take_quit(dir: &Path, steps: &Steps) -> io::Result<bool> {
    steps.whole("remove controller.quit");
    match fs::remove_file(dir.join(QUIT)) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(cause),
    }
}
