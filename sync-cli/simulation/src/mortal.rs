//! A process that may be killed at any await.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::sync::Notify;

/// When a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// After so many polls of its future: between any two awaits.
    Polls(u64),
    /// At its n-th call of the state store, before the call does anything.
    BeforeStateCall(u64),
    /// At its n-th call of the state store, after the call did its work and before anybody hears of it.
    AfterStateCall(u64),
    /// Before its n-th step on the disk, or in the middle of it if that writes a file. For state in a directory.
    DiskStep(u64),
}

/// Ends a process from inside: from a call that then never returns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Switch {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    thrown: AtomicBool,
    notify: Notify,
}

impl Switch {
    /// Kills the process. The caller has to see to it that it goes on with nothing.
    pub(crate) fn throw(&self) {
        self.inner.thrown.store(true, Ordering::Relaxed);
        self.inner.notify.notify_one();
    }

    /// Kills the process; never returns.
    pub(crate) async fn throw_and_end(&self) {
        self.throw();
        std::future::pending::<()>().await;
    }

    async fn thrown(&self) {
        while !self.inner.thrown.load(Ordering::Relaxed) {
            self.inner.notify.notified().await;
        }
    }
}

/// Runs a process until it ends or dies; `None` when it died. Dying drops all of it at once.
pub(crate) async fn run<T>(
    process: impl Future<Output = T>,
    death: Option<Death>,
    switch: &Switch,
) -> Option<T> {
    let polls = match death {
        Some(Death::Polls(polls)) => polls,
        _ => u64::MAX,
    };
    tokio::select! {
        biased;
        () = switch.thrown() => None,
        done = (Mortal { process: Box::pin(process), polls }) => done,
    }
}

struct Mortal<F> {
    process: Pin<Box<F>>,
    polls: u64,
}

impl<F: Future> Future for Mortal<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(left) = self.polls.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.polls = left;
        self.process.as_mut().poll(context).map(Some)
    }
}
