//! The open file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use sync_core::{Clock, Error, ErrorKind, Result};
use tokio::sync::oneshot;

use crate::readback::SqliteReadback;
use crate::sink::SqliteSink;
use crate::writer::Writer;

type Job = Box<dyn FnOnce(&mut Writer) + Send>;

/// One `SQLite` file that sinks write to. Clones are the same open file; one process opens a file once.
///
/// Dropping the last clone and the last sink closes the file, once what was handed over is stored.
#[derive(Clone)]
pub struct SqliteWarehouse {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    /// Bytes of records that sinks and writer keep.
    held: Arc<AtomicUsize>,
    /// `None`: closed.
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteWarehouse {
    /// Opens a file, and makes it, for this user's eyes only, if it is not there. `clock` says when rows were written.
    ///
    /// Blocks on the disk.
    ///
    /// # Errors
    /// `Config` when the file is no `SQLite` database, or one of another program or of a later version; nothing is changed
    /// then. `State` when the disk or its permissions do not let us.
    pub fn open(path: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Result<Self> {
        let path = path.into();
        let mut writer = Writer::open(path.clone(), clock)?;
        let (jobs, todo) = mpsc::channel::<Job>();
        let work = move || {
            for job in todo {
                job(&mut writer);
            }
        };
        let thread = thread::Builder::new()
            .name("sqlite warehouse".to_owned())
            .spawn(work)
            .map_err(|cause| crate::error::from_io("open warehouse", &path, cause))?;
        Ok(Self {
            inner: Arc::new(Inner {
                path,
                held: Arc::default(),
                jobs: Mutex::new(Some(jobs)),
                thread: Mutex::new(Some(thread)),
            }),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// A sink into this file. Any number of them may write at once, to the same tables, too.
    pub fn sink(&self) -> SqliteSink {
        SqliteSink::new(self.clone())
    }

    /// Reads back what is stored. It sees what was flushed, also while sinks write.
    pub fn readback(&self) -> SqliteReadback {
        SqliteReadback::new(&self.inner.path)
    }

    /// Makes the views for analytics, for those tables that are there, and says which there are now.
    ///
    /// A view shows the columns that there are when it is made: call this again after a run. A view that is up to date is
    /// left as it is; one of the same name that somebody else made, too.
    ///
    /// # Errors
    /// As those of a flush.
    pub async fn create_views(&self) -> Result<Vec<String>> {
        self.on_writer("make views", Writer::create_views).await
    }

    /// Stores what was handed over, closes the file and removes the two files that `SQLite` keeps beside it, also while
    /// clones and sinks are still around: what they ask from then on is an error.
    pub async fn close(&self) {
        drop(lock(&self.inner.jobs).take());
        let thread = lock(&self.inner.thread).take();
        if let Some(thread) = thread {
            // What panicked has told its caller.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// Counts nothing yet.
    pub(crate) fn hold_nothing(&self) -> Held {
        Held {
            bytes: 0,
            of_all: self.inner.held.clone(),
        }
    }

    /// Has the writer do something after everything that it was asked before. It is done also if nobody waits for it.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Writer) -> Result<T> + Send + 'static,
    ) -> Answer<T> {
        let (tell, answer) = oneshot::channel();
        let job: Job = Box::new(move |writer| {
            // Nobody may be waiting any more.
            let _ = tell.send(act(writer));
        });
        if let Some(jobs) = &*lock(&self.inner.jobs) {
            // If the thread is gone the answer says so.
            let _ = jobs.send(job);
        }
        Answer(answer)
    }

    async fn on_writer<T: Send + 'static>(
        &self,
        operation: &'static str,
        act: impl FnOnce(&mut Writer) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.submit(act).wait(operation).await
    }
}

/// Bytes that somebody keeps, counted with those of all others until this is dropped.
pub(crate) struct Held {
    bytes: usize,
    of_all: Arc<AtomicUsize>,
}

impl Held {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.of_all.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn bytes_of_all(&self) -> usize {
        self.of_all.load(Ordering::Relaxed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of_all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What the writer will say.
pub(crate) struct Answer<T>(oneshot::Receiver<Result<T>>);

impl<T> Answer<T> {
    pub(crate) async fn wait(self, operation: &'static str) -> Result<T> {
        self.0.await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::State,
                operation,
                "the warehouse was closed",
            ))
        })
    }
}

impl fmt::Debug for SqliteWarehouse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteWarehouse")
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing that can panic happens under it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
