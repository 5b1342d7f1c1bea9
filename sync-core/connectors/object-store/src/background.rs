//! A thread of a sink's own, for what takes the processor.

use std::fmt;
use std::sync::mpsc;
use std::thread;

use sync_core::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

use crate::error::from_io;

type Job = Box<dyn FnOnce() + Send>;

/// Does one thing after the other, on one thread that starts with the first of them and ends with this.
///
/// Not on the runtime's pool: there each interval would be encoded by another thread, and the C library's allocator keeps for
/// each thread what encoding took.
#[derive(Default)]
pub(crate) struct Background {
    jobs: Option<mpsc::Sender<Job>>,
}

/// What will come of a job.
pub(crate) struct Outcome<T>(oneshot::Receiver<Result<T>>);

impl Background {
    /// Has something done after everything that was asked for before.
    ///
    /// # Errors
    /// `State` when the system has no thread to give.
    pub(crate) fn begin<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<Outcome<T>> {
        let (tell, outcome) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Nobody may be waiting any more.
            let _ = tell.send(work());
        });
        let unsent = match &self.jobs {
            // A thread that panicked is gone, and the job comes back.
            Some(jobs) => jobs.send(job).err().map(|refused| refused.0),
            None => Some(job),
        };
        if let Some(job) = unsent {
            let (jobs, todo) = mpsc::channel::<Job>();
            thread::Builder::new()
                .name("encode files".to_owned())
                .spawn(move || todo.into_iter().for_each(|job| job()))
                .map_err(|error| from_io("start a thread for encoding", &error))?;
            // The thread was just started and waits.
            let _ = jobs.send(job);
            self.jobs = Some(jobs);
        }
        Ok(Outcome(outcome))
    }
}

impl<T> Outcome<T> {
    /// # Errors
    /// Those of the work, and `Invalid` when it panicked.
    pub(crate) async fn wait(self) -> Result<T> {
        self.0.await.unwrap_or_else(|_| Err(cut_short()))
    }
}

/// The work panicked, or an earlier part of it failed.
pub(crate) fn cut_short() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "encode records",
        "the work was cut short",
    )
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background")
            .field("started", &self.jobs.is_some())
            .finish()
    }
}
