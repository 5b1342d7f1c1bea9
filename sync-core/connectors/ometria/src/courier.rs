//! Sends what waits, in the background and within bounds, and finds the culprit when a batch is refused.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sync_core::{Error, ErrorKind, Keyed, Rejection, Report, Result};
use tokio::task::JoinSet;

use crate::hooks::{DeliveryEvent, DeliveryHooks};
use crate::outbox::{Outbox, Parcel};

/// Batches that may be halved between two flushes. One bad record among a hundred takes seven; a destination that refuses
/// everything must not be asked about each record.
const HALVINGS: usize = 400;

/// Makes one call for a batch.
#[async_trait]
pub(crate) trait Post<P>: Send + Sync + 'static {
    /// Sends the parcels in one call.
    async fn post(&self, parcels: &[P]) -> Verdict;
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Parcels that were refused for themselves, by index, and why.
    pub(crate) named: Vec<(usize, String)>,
    /// What became of all others.
    pub(crate) others: Fate,
}

#[derive(Debug)]
pub(crate) enum Fate {
    /// Taken.
    Taken,
    /// Some were refused, it is not known which.
    Doubtful {
        /// What is said of a parcel that turns out to be the one.
        reason: String,
        /// What went wrong if this cannot be found out; `None`: then all of them are refused.
        error: Option<Error>,
    },
    /// It did not work, through no fault of the parcels.
    Failed(Error),
}

impl Verdict {
    pub(crate) fn all(others: Fate) -> Self {
        Self {
            named: Vec::new(),
            others,
        }
    }
}

/// See the [module](self).
pub(crate) struct Courier<P> {
    outbox: Outbox<P>,
    /// Parts of refused batches; their places count as under way.
    halves: VecDeque<Vec<P>>,
    halvings_left: usize,
    post: Arc<dyn Post<P>>,
    tasks: JoinSet<(Vec<P>, Verdict)>,
    batch: usize,
    in_flight: usize,
    rejected: Vec<Rejection>,
    posted: bool,
    hooks: Arc<dyn DeliveryHooks>,
}

impl<P> fmt::Debug for Courier<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier")
            .field("batch", &self.batch)
            .field("in_flight", &self.in_flight)
            .field("tasks", &self.tasks.len())
            .finish_non_exhaustive()
    }
}

impl<P: Parcel + Keyed> Courier<P> {
    /// Sends `batch` parcels in a call, and has at most `in_flight` calls under way.
    pub(crate) fn new(
        post: Arc<dyn Post<P>>,
        batch: usize,
        in_flight: usize,
        hooks: Arc<dyn DeliveryHooks>,
    ) -> Self {
        Self {
            outbox: Outbox::default(),
            halves: VecDeque::new(),
            halvings_left: HALVINGS,
            post,
            tasks: JoinSet::new(),
            batch,
            in_flight,
            rejected: Vec::new(),
            posted: false,
            hooks,
        }
    }

    /// Takes parcels. Returns as soon as few enough wait, which is the backpressure.
    pub(crate) async fn take(&mut self, parcels: Vec<P>) -> Result<Report> {
        // All of them first, so that the urgent ones among them leave first.
        for parcel in parcels {
            if self.outbox.push(parcel) {
                self.hooks.on_event(&DeliveryEvent::Replaced);
            }
        }
        self.make_room().await?;
        Ok(self.report())
    }

    /// Waits until less than two batches wait: either order may hold one that is not full yet.
    async fn make_room(&mut self) -> Result<()> {
        while let Some(done) = self.tasks.try_join_next() {
            self.settle(done)?;
        }
        loop {
            self.start(false);
            if self.outbox.len() < 2 * self.batch {
                return Ok(());
            }
            match self.tasks.join_next().await {
                Some(done) => self.settle(done)?,
                None => return Ok(()),
            }
        }
    }

    /// Sends everything and waits for all answers. The report is complete then; the flag says whether anything was sent
    /// since the last time.
    pub(crate) async fn deliver_all(&mut self) -> Result<(Report, bool)> {
        loop {
            self.start(true);
            match self.tasks.join_next().await {
                Some(done) => self.settle(done)?,
                None => break,
            }
        }
        self.halvings_left = HALVINGS;
        Ok((self.report(), std::mem::take(&mut self.posted)))
    }

    /// Forgets everything. Calls under way are broken off; whether they arrived is unknown.
    pub(crate) async fn abort(&mut self) {
        self.tasks.shutdown().await;
        self.outbox = Outbox::default();
        self.halves.clear();
        self.halvings_left = HALVINGS;
        self.rejected.clear();
        self.posted = false;
    }

    fn report(&mut self) -> Report {
        Report {
            rejected: std::mem::take(&mut self.rejected),
        }
    }

    fn start(&mut self, partial: bool) {
        while self.tasks.len() < self.in_flight {
            let Some(parcels) = self.next_batch(partial) else {
                return;
            };
            let post = self.post.clone();
            self.posted = true;
            self.tasks.spawn(async move {
                let verdict = post.post(&parcels).await;
                (parcels, verdict)
            });
        }
    }

    fn next_batch(&mut self, partial: bool) -> Option<Vec<P>> {
        while let Some(half) = self.halves.pop_front() {
            // A stale version is not sent again when a newer one waits.
            let current: Vec<P> = half
                .into_iter()
                .filter_map(|parcel| self.outbox.give_up_for_newer(parcel))
                .collect();
            if !current.is_empty() {
                return Some(current);
            }
        }
        self.outbox.next_batch(self.batch, partial)
    }

    fn settle(&mut self, done: Result<(Vec<P>, Verdict), tokio::task::JoinError>) -> Result<()> {
        let (parcels, Verdict { named, others }) = done.map_err(|error| {
            Error::new(
                ErrorKind::Invalid,
                "deliver",
                "a delivery ended without an answer",
            )
            .caused_by(error)
        })?;
        let mut named = named.into_iter().peekable();
        let mut rest = Vec::with_capacity(parcels.len());
        for (index, parcel) in parcels.into_iter().enumerate() {
            match named.next_if(|(at, _)| *at == index) {
                Some((_, reason)) => self.refuse(&parcel, reason),
                None => rest.push(parcel),
            }
        }
        match others {
            Fate::Taken => {
                for parcel in &rest {
                    self.outbox.arrived(&parcel.place());
                }
            }
            Fate::Doubtful { reason, error } => self.halve(rest, &reason, error)?,
            Fate::Failed(error) => return Err(error),
        }
        Ok(())
    }

    fn halve(&mut self, mut parcels: Vec<P>, reason: &str, error: Option<Error>) -> Result<()> {
        if parcels.len() > 1 && self.halvings_left > 0 {
            self.halvings_left -= 1;
            self.hooks.on_event(&DeliveryEvent::Halved {
                records: parcels.len(),
            });
            let second = parcels.split_off(parcels.len() / 2);
            self.halves.extend([parcels, second]);
            return Ok(());
        }
        match error {
            Some(error) if parcels.len() > 1 => Err(error),
            _ => {
                for parcel in &parcels {
                    self.refuse(parcel, reason.to_owned());
                }
                Ok(())
            }
        }
    }

    fn refuse(&mut self, parcel: &P, reason: String) {
        self.rejected.push(Rejection {
            key: parcel.key(),
            reason,
        });
        self.outbox.arrived(&parcel.place());
    }
}
