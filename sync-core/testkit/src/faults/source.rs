//! A source that fails on purpose.

use async_trait::async_trait;
use sync_core::{Batch, BatchReader, Change, ErrorKind, Key, Position, Result, Source};

use super::FaultPlan;

/// Wraps a source. `check`, `next_batch` (of both readers) and `fetch` count as calls; `read` and `keys` do no I/O and do
/// not.
#[derive(Clone, Debug)]
pub struct FaultySource<S> {
    inner: S,
    plan: FaultPlan,
}

impl<S> FaultySource<S> {
    /// `inner`, failing as planned.
    pub fn new(inner: S, plan: FaultPlan) -> Self {
        Self { inner, plan }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Source> Source for FaultySource<S> {
    type Record = S::Record;

    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn check(&self) -> Result<()> {
        self.plan
            .call("source.check", ErrorKind::Unavailable, self.inner.check())
            .await
    }

    fn read(&self, from: Position) -> Result<Box<dyn BatchReader<Change<S::Record>>>> {
        let inner = self.inner.read(from)?;
        Ok(Box::new(FaultyReader {
            inner,
            plan: self.plan.clone(),
            call: "source.next_batch",
        }))
    }

    async fn fetch(&self, keys: &[Key]) -> Result<Vec<Option<S::Record>>> {
        self.plan
            .call(
                "source.fetch",
                ErrorKind::Unavailable,
                self.inner.fetch(keys),
            )
            .await
    }

    fn keys(&self) -> Result<Option<Box<dyn BatchReader<Key>>>> {
        let Some(inner) = self.inner.keys()? else {
            return Ok(None);
        };
        let call = "source.keys.next_batch";
        Ok(Some(Box::new(FaultyReader {
            inner,
            plan: self.plan.clone(),
            call,
        })))
    }
}

struct FaultyReader<T> {
    inner: Box<dyn BatchReader<T>>,
    plan: FaultPlan,
    call: &'static str,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: Send + 'static> BatchReader<T> for FaultyReader<T> {
    async fn next_batch(&mut self) -> Result<Option<Batch<T>>> {
        self.plan
            .call(self.call, ErrorKind::Unavailable, self.inner.next_batch())
            .await
    }
}
