//! A sink that fails on purpose.

use async_trait::async_trait;
use sync_core::{ErrorKind, Keyed, Report, Result, Sink};

use super::FaultPlan;

/// Wraps a sink. `check`, `write` and `flush` count as calls; `abort` cannot fail and does not.
#[derive(Clone, Debug)]
pub struct FaultySink<S> {
    inner: S,
    plan: FaultPlan,
}

impl<S> FaultySink<S> {
    /// `inner`, failing as planned.
    pub fn new(inner: S, plan: FaultPlan) -> Self {
        Self { inner, plan }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<R: Keyed + Send + 'static, S: Sink<R>> Sink<R> for FaultySink<S> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn check(&self) -> Result<()> {
        self.plan
            .call("sink.check", ErrorKind::Unavailable, self.inner.check())
            .await
    }

    async fn write(&mut self, records: Vec<R>) -> Result<Report> {
        self.plan
            .call(
                "sink.write",
                ErrorKind::Unavailable,
                self.inner.write(records),
            )
            .await
    }

    async fn flush(&mut self) -> Result<Report> {
        self.plan
            .call("sink.flush", ErrorKind::Unavailable, self.inner.flush())
            .await
    }

    async fn abort(&mut self) {
        self.inner.abort().await;
    }
}
