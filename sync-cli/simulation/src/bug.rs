//! Known bugs, built in on purpose: the net that catches none of them has holes.
//!
//! Each is a double at one of the seams, around or instead of the real part.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use mailchimp_client::{Client, Path, Query};
use sync_core::{
    Batch, BatchReader, Change, Cursor, Error, ErrorKind, Key, Keyed, Position, Report, Result,
    Sink, Source,
};
use sync_mailchimp::MemberRow;
use tokio::sync::Mutex;

use crate::guard::Afterwards;

/// A bug that importers of audiences have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bug {
    /// Members are read by offset while they change, so that some move past the reader.
    OffsetPaging,
    /// The checkpoint is stored before the sink made its records durable.
    CommitBeforeFlush,
    /// A run starts exactly where the last one ended, although changes show late.
    NoLookBack,
    /// Archived members are not read.
    ArchivedIgnored,
    /// Nobody looks for members that were deleted.
    DeletionsIgnored,
    /// A key that the search for removals did not see counts as removed.
    RemovalsUnconfirmed,
    /// Each import has its own connections, though both use one account.
    ConnectionsNotShared,
    /// An audience knows nothing of opt-outs in another.
    OptOutsNotShared,
    /// Audiences share their opt-outs, but one opts people in before the other was asked.
    OptOutsLate,
    /// The server's `Date` is believed, whatever our own clock says.
    DateBelieved,
    /// Reading ends when as many rows came as the server counts.
    TotalBelieved,
    /// The next run begins at the newest change that was seen.
    NewestBelieved,
    /// A checkpoint and the rejected records that it passes are stored one after the other.
    CommitInTwo,
}

impl Bug {
    /// Every bug.
    pub const ALL: [Self; 13] = [
        Self::OffsetPaging,
        Self::CommitBeforeFlush,
        Self::NoLookBack,
        Self::ArchivedIgnored,
        Self::DeletionsIgnored,
        Self::RemovalsUnconfirmed,
        Self::ConnectionsNotShared,
        Self::OptOutsNotShared,
        Self::OptOutsLate,
        Self::DateBelieved,
        Self::TotalBelieved,
        Self::NewestBelieved,
        Self::CommitInTwo,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::OffsetPaging => "offset-paging",
            Self::CommitBeforeFlush => "commit-before-flush",
            Self::NoLookBack => "no-look-back",
            Self::ArchivedIgnored => "archived-ignored",
            Self::DeletionsIgnored => "deletions-ignored",
            Self::RemovalsUnconfirmed => "removals-unconfirmed",
            Self::ConnectionsNotShared => "connections-not-shared",
            Self::OptOutsNotShared => "opt-outs-not-shared",
            Self::OptOutsLate => "opt-outs-late",
            Self::DateBelieved => "date-believed",
            Self::TotalBelieved => "total-believed",
            Self::NewestBelieved => "newest-believed",
            Self::CommitInTwo => "commit-in-two",
        }
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Bug {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|bug| bug.name() == name)
            .ok_or_else(|| {
                let names: Vec<&str> = Self::ALL.into_iter().map(Self::name).collect();
                format!("known are {}", names.join(", "))
            })
    }
}

/// The audience, read with a bug in it.
pub(crate) struct BuggySource<S> {
    pub(crate) bug: Bug,
    pub(crate) inner: S,
    pub(crate) client: Client,
    pub(crate) list_id: Arc<str>,
    pub(crate) page: u32,
    pub(crate) lookback_seconds: u32,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Source<Record = MemberRow>> Source for BuggySource<S> {
    type Record = MemberRow;

    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }

    fn read(&self, from: Position) -> Result<Box<dyn BatchReader<Change<MemberRow>>>> {
        let walks = matches!(
            self.bug,
            Bug::OffsetPaging | Bug::DateBelieved | Bug::TotalBelieved | Bug::NewestBelieved
        );
        if walks {
            let lookback = TimeDelta::seconds(i64::from(self.lookback_seconds));
            // In one page nobody moves.
            let page = match self.bug {
                Bug::DateBelieved | Bug::NewestBelieved => 1000,
                _ => self.page,
            };
            return Ok(Box::new(OffsetReader {
                bug: self.bug,
                client: self.client.clone(),
                list_id: self.list_id.clone(),
                page,
                since: from.complete_until().map(|until| until - lookback),
                until: None,
                newest: None,
                archived: false,
                offset: 0,
                is_last: false,
                over: false,
            }));
        }
        let inner = self.inner.read(from)?;
        Ok(Box::new(BuggyReader {
            bug: self.bug,
            inner,
        }))
    }

    async fn fetch(&self, keys: &[Key]) -> Result<Vec<Option<MemberRow>>> {
        if self.bug == Bug::RemovalsUnconfirmed {
            return Ok(keys.iter().map(|_| None).collect());
        }
        self.inner.fetch(keys).await
    }

    fn keys(&self) -> Result<Option<Box<dyn BatchReader<Key>>>> {
        if self.bug == Bug::DeletionsIgnored {
            Ok(None)
        } else {
            self.inner.keys()
        }
    }
}

struct BuggyReader {
    bug: Bug,
    inner: Box<dyn BatchReader<Change<MemberRow>>>,
}

#[async_trait]
impl BatchReader<Change<MemberRow>> for BuggyReader {
    async fn next_batch(&mut self) -> Result<Option<Batch<Change<MemberRow>>>> {
        let mut batch = self.inner.next_batch().await?;
        if let Some(batch) = &mut batch
            && self.bug == Bug::ArchivedIgnored
        {
            let archived = |change: &Change<MemberRow>| match change {
                Change::Present(row) => row.is_archived(),
                Change::Removed(_) => false,
            };
            batch.items.retain(|change| !archived(change));
        }
        Ok(batch)
    }
}

/// The walk that everybody writes first.
struct OffsetReader {
    bug: Bug,
    client: Client,
    list_id: Arc<str>,
    page: u32,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    newest: Option<DateTime<Utc>>,
    archived: bool,
    offset: u64,
    is_last: bool,
    over: bool,
}

impl OffsetReader {
    async fn page(&mut self) -> Result<Vec<Change<MemberRow>>> {
        let failed =
            |cause| Error::new(ErrorKind::Unavailable, "read page", "could not").caused_by(cause);
        let path = Path::new("/lists/{list_id}/members", &[&self.list_id]).map_err(failed)?;
        let time = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut query = Query::new()
            .with("count", self.page.to_string())
            .with("offset", self.offset.to_string())
            .with("sort_field", "last_changed")
            .with("sort_dir", "ASC")
            .with("exclude_fields", "members._links,_links");
        if let Some(since) = self.since {
            query = query.with("since_last_changed", time(since));
        }
        if let Some(until) = self.until.filter(|_| self.bug != Bug::NewestBelieved) {
            query = query.with("before_last_changed", time(until));
        }
        if self.archived {
            query = query.with("status", "archived");
        }
        let answer = self
            .client
            .get_rows(&path, "members", &query)
            .await
            .map_err(failed)?;
        let reached = self.offset + answer.rows.len() as u64;
        let is_all = self.bug == Bug::TotalBelieved && answer.total_items <= Some(reached);
        self.is_last = is_all || answer.rows.len() < self.page as usize;
        let behind = TimeDelta::seconds(2);
        self.until = self
            .until
            .or(answer.meta.server_time.map(|now| now - behind));
        let invalid = || Error::new(ErrorKind::Invalid, "read page", "a row is no member");
        answer
            .rows
            .into_iter()
            .map(|row| MemberRow::from_json(&self.list_id, row).map(Change::Present))
            .map(|row| row.ok_or_else(invalid))
            .collect()
    }
}

#[async_trait]
impl BatchReader<Change<MemberRow>> for OffsetReader {
    async fn next_batch(&mut self) -> Result<Option<Batch<Change<MemberRow>>>> {
        if self.over {
            return Ok(None);
        }
        let items = self.page().await?;
        self.offset += u64::from(self.page);
        for change in &items {
            if let Change::Present(row) = change {
                self.newest = self.newest.max(row.last_changed());
            }
        }
        if !self.is_last {
            return Ok(Some(Batch::of(items)));
        }
        self.over = self.archived;
        self.archived = true;
        self.offset = 0;
        let complete_until = match self.bug {
            Bug::NewestBelieved => self.newest.max(self.since),
            _ => self.until,
        };
        let resume = self.over.then(|| Cursor {
            state: serde_json::Value::Null,
            complete_until,
        });
        Ok(Some(Batch {
            resume,
            ..Batch::of(items)
        }))
    }
}

/// A sink that says it is durable before it is.
pub(crate) struct HastySink<O> {
    inner: Arc<Mutex<Box<dyn Sink<O>>>>,
}

impl<O: Keyed + Send + 'static> HastySink<O> {
    /// The sink, and what makes its records durable in the end.
    pub(crate) fn new(inner: Box<dyn Sink<O>>) -> (Self, Afterwards) {
        let inner = Arc::new(Mutex::new(inner));
        let later = inner.clone();
        let afterwards: Afterwards = Arc::new(move || {
            let later = later.clone();
            Box::pin(async move {
                // Nobody is left to hear what goes wrong now: that is the bug.
                let _ = later.lock().await.flush().await;
            })
        });
        (Self { inner }, afterwards)
    }
}

#[async_trait]
impl<O: Keyed + Send + 'static> Sink<O> for HastySink<O> {
    fn name(&self) -> &'static str {
        "hasty"
    }

    async fn check(&self) -> Result<()> {
        self.inner.lock().await.check().await
    }

    async fn write(&mut self, records: Vec<O>) -> Result<Report> {
        self.inner.lock().await.write(records).await
    }

    async fn flush(&mut self) -> Result<Report> {
        Ok(Report::default())
    }

    async fn abort(&mut self) {
        self.inner.lock().await.abort().await;
    }
}
