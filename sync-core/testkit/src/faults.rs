//! Failing on purpose, at a chosen call.
//!
//! All effects of a run pass the source, the sink and the state. Wrap the three with one [`FaultPlan`], let the n-th call
//! fail, start again without the plan, and compare with a run that never failed; do so for every n up to
//! [`FaultPlan::calls`] of the run that never failed.

mod sink;
mod source;
mod state;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use sync_core::{Error, ErrorKind, Result};
use tokio::sync::watch;

pub use self::sink::FaultySink;
pub use self::source::FaultySource;
pub use self::state::FaultyState;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It returns an error and did nothing.
    Before,
    /// It returns an error although it did its work: a reply that was lost.
    After,
    /// It does nothing and never returns. Drop the run to simulate a process killed before the call.
    Never,
    /// It does its work and never returns. Drop the run to simulate a process killed after the call.
    AfterNever,
}

impl Fault {
    /// Every way to fail.
    pub const ALL: [Self; 4] = [Self::Before, Self::After, Self::Never, Self::AfterNever];
}

/// Which call of the wrapped source, sink and state fails, and how. Clones count together.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    fail: Option<(usize, Fault)>,
    kind: Option<ErrorKind>,
    calls: Mutex<Vec<&'static str>>,
    struck: watch::Sender<bool>,
}

impl FaultPlan {
    /// Nothing fails; calls are counted.
    pub fn none() -> Self {
        Self::of(None, None)
    }

    /// The n-th call, counted from 0, fails like this. All others work.
    ///
    /// Errors are `Unavailable` from sources and sinks and `State` from state stores.
    pub fn nth(n: usize, fault: Fault) -> Self {
        Self::of(Some((n, fault)), None)
    }

    /// The same with errors of this kind.
    pub fn nth_with(n: usize, fault: Fault, kind: ErrorKind) -> Self {
        Self::of(Some((n, fault)), Some(kind))
    }

    fn of(fail: Option<(usize, Fault)>, kind: Option<ErrorKind>) -> Self {
        let (struck, _) = watch::channel(false);
        Self {
            shared: Arc::new(Shared {
                fail,
                kind,
                calls: Mutex::default(),
                struck,
            }),
        }
    }

    /// How many calls were made.
    pub fn calls(&self) -> usize {
        self.log().len()
    }

    /// The calls made, in order, such as `sink.flush`.
    pub fn log(&self) -> Vec<&'static str> {
        self.shared
            .calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether the chosen call was made.
    pub fn struck(&self) -> bool {
        *self.shared.struck.borrow()
    }

    /// Returns once the chosen call fails or hangs: the moment to drop a run that will never end. Cancel-safe.
    pub async fn strikes(&self) {
        let mut struck = self.shared.struck.subscribe();
        // The sender lives in `self`.
        let _ = struck.wait_for(|struck| *struck).await;
    }

    /// Makes one call, or fails in its place.
    async fn call<T>(
        &self,
        name: &'static str,
        kind: ErrorKind,
        act: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let number = {
            let mut calls = self
                .shared
                .calls
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            calls.push(name);
            calls.len() - 1
        };
        let Some((_, fault)) = self.shared.fail.filter(|(at, _)| *at == number) else {
            return act.await;
        };
        let acted = matches!(fault, Fault::After | Fault::AfterNever);
        if acted {
            act.await?;
        }
        self.shared.struck.send_replace(true);
        match fault {
            Fault::Before | Fault::After => {
                let kind = self.shared.kind.unwrap_or(kind);
                Err(Error::new(kind, name, "failed on purpose")
                    .with("call", number)
                    .with("acted", acted))
            }
            Fault::Never | Fault::AfterNever => std::future::pending().await,
        }
    }
}
