//! A reader whose work runs in a task of its own, ahead of the engine.

use std::fmt;

use async_trait::async_trait;
use futures::future::BoxFuture;
use sync_core::{Batch, BatchReader, Error, Result};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::error::stopped;

/// Takes batches while somebody wants them.
pub(crate) struct Batches<T> {
    sender: mpsc::Sender<Message<T>>,
}

impl<T> Batches<T> {
    /// Hands over a batch, when there is room. Says whether anybody takes it.
    pub(crate) async fn send(&self, batch: Batch<T>) -> bool {
        self.sender.send(Message::Batch(batch)).await.is_ok()
    }
}

type Work<T> = Box<dyn FnOnce(Batches<T>) -> BoxFuture<'static, Result<()>> + Send>;

/// Gives the batches of a work that is started by the first call and ends with the reader.
pub(crate) struct Background<T> {
    state: State<T>,
    ahead: usize,
}

enum State<T> {
    Waiting(Work<T>),
    Running(mpsc::Receiver<Message<T>>, JoinHandle<()>),
    Ended,
}

enum Message<T> {
    Batch(Batch<T>),
    Failed(Error),
    End,
}

impl<T: Send + 'static> Background<T> {
    /// The work may be `ahead` batches ahead of who takes them.
    pub(crate) fn new(
        ahead: usize,
        work: impl FnOnce(Batches<T>) -> BoxFuture<'static, Result<()>> + Send + 'static,
    ) -> Self {
        Self {
            state: State::Waiting(Box::new(work)),
            ahead,
        }
    }

    fn start(&mut self) {
        if let State::Waiting(_) = &self.state
            && let State::Waiting(work) = std::mem::replace(&mut self.state, State::Ended)
        {
            let (sender, receiver) = mpsc::channel(self.ahead);
            let batches = Batches {
                sender: sender.clone(),
            };
            let task = tokio::spawn(async move {
                let last = match work(batches).await {
                    Ok(()) => Message::End,
                    Err(error) => Message::Failed(error),
                };
                // Nobody listens any more: then nobody misses it.
                let _ = sender.send(last).await;
            });
            self.state = State::Running(receiver, task);
        }
    }
}

#[async_trait]
impl<T: Send + 'static> BatchReader<T> for Background<T> {
    async fn next_batch(&mut self) -> Result<Option<Batch<T>>> {
        self.start();
        let State::Running(messages, _) = &mut self.state else {
            return Ok(None);
        };
        match messages.recv().await {
            Some(Message::Batch(batch)) => Ok(Some(batch)),
            Some(Message::End) => {
                self.state = State::Ended;
                Ok(None)
            }
            Some(Message::Failed(error)) => Err(error),
            // The channel closes without a word after a failure was told, or when the task died.
            None => Err(stopped()),
        }
    }
}

impl<T> Drop for Background<T> {
    fn drop(&mut self) {
        if let State::Running(_, task) = &self.state {
            task.abort();
        }
    }
}

impl<T> fmt::Debug for Background<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").finish_non_exhaustive()
    }
}
