//! An audience as a [`Source`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use mailchimp_client::{Client, Path};
use sync_core::{BatchReader, Change, Clock, Error, ErrorKind, Key, Position, Result, Source};
use tokio::time::{Duration, Instant};

use crate::cursor::From;
use crate::error::translate;
use crate::member::MemberRow;
use crate::notice::ReadHooks;
use crate::page::Selection;
use crate::reader::{Task, reader, server_time};
use crate::settings::{AudienceSettings, StatusFilter, key_fields};

const MEMBER: &str = "/lists/{list_id}/members/{subscriber_hash}";

/// The members of one audience.
///
/// Reads what changed since a position, archived members included, and delivers everyone whose state was visible at the
/// run's upper bound in that run or a later one, whatever changes meanwhile.
pub struct AudienceSource {
    client: Client,
    list_id: Arc<str>,
    settings: Arc<AudienceSettings>,
    clock: Arc<dyn Clock>,
    hooks: Arc<dyn ReadHooks>,
    /// What the server's clock said, and when, at the last check.
    server_time: Mutex<Option<(DateTime<Utc>, Instant)>>,
    leaves: Option<RecentCheck>,
    takes: Option<RecentCheck>,
}

/// How long a check may serve another source.
const CHECK_SERVES_FOR: Duration = Duration::from_secs(30);

/// Hands a passed check from one source of an audience to another, so that a pass and the read that follows it cost one
/// preflight and not two. A check serves once, and only for half a minute.
#[derive(Clone, Debug, Default)]
pub struct RecentCheck {
    left: Arc<Mutex<Option<Passed>>>,
}

/// What the server's clock said in a check, and when that was.
type Passed = (Option<DateTime<Utc>>, Instant);

impl RecentCheck {
    fn leave(&self, server_time: Option<DateTime<Utc>>, at: Instant) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some((server_time, at));
    }

    fn take(&self) -> Option<Passed> {
        let left = self
            .left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        left.filter(|(_, at)| at.elapsed() < CHECK_SERVES_FOR)
    }
}

impl AudienceSource {
    /// A source for the audience `list_id` of the client's account. `clock` is only compared with the server's.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when a setting or the id cannot be right. Makes no request.
    pub fn new(
        client: Client,
        list_id: impl Into<Arc<str>>,
        settings: AudienceSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        settings.validate()?;
        let list_id = list_id.into();
        let no_id = || {
            Error::new(ErrorKind::Config, "check settings", "not an audience id")
                .with("field", "list_id")
        };
        if list_id.contains(['/', '\\']) {
            return Err(no_id());
        }
        if let Err(error) = Path::new("/lists/{list_id}", &[&list_id]) {
            return Err(no_id().caused_by(error));
        }
        Ok(Self {
            client,
            list_id,
            settings: Arc::new(settings),
            clock,
            hooks: Arc::new(()),
            server_time: Mutex::new(None),
            leaves: None,
            takes: None,
        })
    }

    /// Leaves each check it passes to the source that [takes](AudienceSource::takes_check_from) from there. Both must read
    /// the same audience with the same client.
    #[must_use]
    pub fn leaves_check_in(mut self, recent: RecentCheck) -> Self {
        self.leaves = Some(recent);
        self
    }

    /// Takes over a check that another source has just passed, instead of making its own.
    #[must_use]
    pub fn takes_check_from(mut self, recent: RecentCheck) -> Self {
        self.takes = Some(recent);
        self
    }

    /// Hears what happens while reading.
    #[must_use]
    pub fn hooks(mut self, hooks: Arc<dyn ReadHooks>) -> Self {
        self.hooks = hooks;
        self
    }

    /// The audience's id.
    pub fn list_id(&self) -> &Arc<str> {
        &self.list_id
    }

    fn task(&self, from: From, selection: Selection, resumable: bool) -> Task {
        Task {
            client: self.client.clone(),
            list_id: self.list_id.clone(),
            settings: self.settings.clone(),
            selection,
            clock: self.clock.clone(),
            hooks: self.hooks.clone(),
            server_time: *self
                .server_time
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
            from,
            resumable,
        }
    }

    async fn fetch_one(&self, key: Key) -> Result<Option<MemberRow>> {
        let invalid = |message| {
            Error::new(ErrorKind::Invalid, "fetch member", message)
                .with("list_id", &self.list_id)
                .with("key", &key)
        };
        let path = Path::new(MEMBER, &[&self.list_id, key.as_str()])
            .map_err(|error| translate(error, "fetch member", &self.list_id))?;
        match self
            .client
            .get_bytes(&path, &self.settings.member_query())
            .await
        {
            Ok(fetched) => MemberRow::from_json(&self.list_id, fetched.value)
                .map(Some)
                .ok_or_else(|| invalid("the answer is no member")),
            // Only the API's own word counts: a firewall's 404 page is no proof that somebody is gone.
            Err(error) if error.is_not_found() && error.problem().is_some() => Ok(None),
            Err(error) if error.is_not_found() => {
                Err(invalid("a 404 that is not the API's own").caused_by(error))
            }
            Err(error) => Err(translate(error, "fetch member", &self.list_id)),
        }
    }
}

#[async_trait]
impl Source for AudienceSource {
    type Record = MemberRow;

    fn name(&self) -> &'static str {
        "mailchimp members"
    }

    async fn check(&self) -> Result<()> {
        let taken = self.takes.as_ref().and_then(RecentCheck::take);
        let (time, at) = match taken {
            Some(check) => check,
            None => (
                server_time(&self.client, &self.list_id).await?,
                Instant::now(),
            ),
        };
        if let Some(recent) = &self.leaves {
            recent.leave(time, at);
        }
        let seen = time.map(|time| (time, at));
        *self
            .server_time
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = seen;
        Ok(())
    }

    fn read(&self, from: Position) -> Result<Box<dyn BatchReader<Change<MemberRow>>>> {
        let skip = self.settings.start_offset;
        let from = From::read(&from, &self.list_id, self.settings.status, skip)?;
        let selection = Selection {
            fields: self.settings.fields_to_ask(),
            exclude_fields: self.settings.fields_to_exclude(),
        };
        Ok(Box::new(reader::<Change<MemberRow>>(
            self.task(from, selection, true),
        )))
    }

    async fn fetch(&self, keys: &[Key]) -> Result<Vec<Option<MemberRow>>> {
        stream::iter(keys.to_vec())
            .map(|key| self.fetch_one(key))
            .buffered(self.settings.worker_count)
            .try_collect()
            .await
    }

    fn keys(&self) -> Result<Option<Box<dyn BatchReader<Key>>>> {
        if self.settings.status != StatusFilter::All {
            // Whoever left the filter would look removed.
            return Ok(None);
        }
        let selection = Selection {
            fields: key_fields(),
            exclude_fields: Vec::new(),
        };
        let task = self.task(From::Nothing { skip: 0 }, selection, false);
        Ok(Some(Box::new(reader::<Key>(task))))
    }
}

impl fmt::Debug for AudienceSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudienceSource")
            .field("list_id", &self.list_id)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
