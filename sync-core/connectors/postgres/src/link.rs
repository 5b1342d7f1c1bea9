//! A session that is opened when it is needed, and opened again when it breaks.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sync_core::Result;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Client;

use crate::error::{Failure, Next};
use crate::session::{Connector, Session};

/// Something to do at the server that may be done twice.
#[async_trait]
pub(crate) trait Task: Send + Sync {
    /// What comes of it.
    type Answer: Send;
    /// What it is called in errors.
    const OPERATION: &'static str;

    /// Does it. A transaction that it began is rolled back after an error.
    async fn perform(
        &self,
        client: &Client,
        connector: &Connector,
    ) -> Result<Self::Answer, Failure>;
}

/// The way to the server.
pub(crate) struct Link {
    connector: Arc<Connector>,
    session: Option<Session>,
}

impl Link {
    pub(crate) fn new(connector: Arc<Connector>) -> Self {
        Self {
            connector,
            session: None,
        }
    }

    pub(crate) fn connector(&self) -> &Arc<Connector> {
        &self.connector
    }

    /// Performs a task, again if that may help: over a new session when the old one broke.
    pub(crate) async fn perform<T: Task>(&mut self, task: &T) -> Result<T::Answer> {
        let performed = self.try_to(task).await;
        performed.map_err(|failure| self.failed(T::OPERATION, failure))
    }

    /// As [`perform`](Link::perform), but once and in the time that a connection has.
    pub(crate) async fn perform_once<T: Task>(&mut self, task: &T) -> Result<T::Answer> {
        let connector = self.connector.clone();
        let once = async {
            let session = self.session().await?;
            let work = task.perform(session.client(), &connector);
            match timeout(connector.connect_time(), work).await {
                Ok(performed) => performed,
                Err(_) => Err(Failure::TimedOut),
            }
        };
        let performed = once.await;
        performed.map_err(|failure| self.failed(T::OPERATION, failure))
    }

    /// As [`perform`](Link::perform), for a caller who can do something about [`Failure::Rows`].
    pub(crate) async fn try_to<T: Task>(&mut self, task: &T) -> Result<T::Answer, Failure> {
        let connector = self.connector.clone();
        let mut patience = Patience::new(T::OPERATION, connector.settings().retry_seconds);
        loop {
            let performed = match self.session().await {
                Ok(session) => {
                    let work = task.perform(session.client(), &connector);
                    match timeout(connector.longest_transaction(), work).await {
                        Ok(performed) => performed,
                        Err(_) => Err(Failure::TimedOut),
                    }
                }
                Err(failure) => Err(failure),
            };
            let failure = match performed {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            self.recover(&failure).await;
            patience.after(failure).await?;
        }
    }

    /// What the engine is told.
    pub(crate) fn failed(&self, operation: &'static str, failure: Failure) -> sync_core::Error {
        let hosts: Vec<String> = self
            .connector
            .settings()
            .hosts
            .iter()
            .map(ToString::to_string)
            .collect();
        failure
            .translate(operation, false)
            .with("server", hosts.join(","))
    }

    /// The session, opened if there is none.
    async fn session(&mut self) -> Result<&Session, Failure> {
        let session = match self.session.take() {
            Some(session) if !session.is_closed() => session,
            _ => self.connector.open().await?,
        };
        Ok(self.session.insert(session))
    }

    /// Makes the session usable again after a failure, or gives it up.
    async fn recover(&mut self, failure: &Failure) {
        let Some(session) = self.session.take() else {
            return;
        };
        if failure.next() == Next::Reconnect {
            session.cut();
            return;
        }
        let rollback = session.client().batch_execute("ROLLBACK");
        match timeout(self.connector.connect_time(), rollback).await {
            Ok(Ok(())) => self.session = Some(session),
            _ => session.cut(),
        }
    }
}

/// How long something is tried again.
struct Patience {
    operation: &'static str,
    longest: Duration,
    /// Since when it fails.
    failing: Option<Instant>,
    tries: u32,
    looks: u32,
}

/// Times that a statement is made anew because the table changed.
const MOST_LOOKS: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

impl Patience {
    fn new(operation: &'static str, seconds: u32) -> Self {
        Self {
            operation,
            longest: Duration::from_secs(seconds.into()),
            failing: None,
            tries: 0,
            looks: 0,
        }
    }

    /// Waits until the next try, or gives the failure back if there is none.
    async fn after(&mut self, failure: Failure) -> Result<(), Failure> {
        let next = failure.next();
        if next == Next::Look {
            self.looks += 1;
        }
        if next == Next::Stop || self.looks > MOST_LOOKS {
            return Err(failure);
        }
        let wait = FIRST_WAIT
            .saturating_mul(1 << self.tries.min(16))
            .min(LONGEST_WAIT)
            .mul_f64(0.5 + fastrand::f64() / 2.0);
        let failing = *self.failing.get_or_insert_with(Instant::now);
        if failing.elapsed() + wait > self.longest {
            return Err(Failure::Ours(failure.translate(self.operation, true)));
        }
        self.tries += 1;
        sleep(wait).await;
        Ok(())
    }
}
