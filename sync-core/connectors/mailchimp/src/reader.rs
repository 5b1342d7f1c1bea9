//! Carries out a [`Plan`]: requests in parallel, pages in the order their cursors allow.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use mailchimp_client::{
    Client, GetList, ListMembers, MemberSort, MemberStatus, SortDir, TransportErrorKind,
};
use sync_core::{Batch, Clock, Cursor, Error, ErrorKind, PartFailure, Result};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

use crate::background::{Background, Batches};
use crate::cursor::{From, Progress};
use crate::error::{defect, describe, no_page, stopped, translate};
use crate::notice::{Notice, ReadHooks};
use crate::page::{Item, NoPage, Page, Selection, fetch};
use crate::plan::{Event, Failure, Plan, Request};
use crate::settings::{AudienceSettings, StatusFilter};

/// How long the server's time, once seen, may serve as the upper bound of a run.
const TIME_SERVES_FOR: Duration = Duration::from_secs(60);

/// Batches that may wait for the engine: what arrives while it commits, at 200 ms an answer. Each holds a page of about 1 MB.
const READY_BATCHES: usize = 4;

/// Stamps further in the future than these ten years are no times.
const FAR_FUTURE: i64 = 10 * 366 * 24 * 3600;

/// How far the server's clock and ours may be apart, before neither is trusted.
const TRUSTED_SKEW: TimeDelta = TimeDelta::minutes(2);

/// What a read needs to know.
pub(crate) struct Task {
    pub(crate) client: Client,
    pub(crate) list_id: Arc<str>,
    pub(crate) settings: Arc<AudienceSettings>,
    pub(crate) selection: Selection,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hooks: Arc<dyn ReadHooks>,
    /// What the server's clock said, and when we asked.
    pub(crate) server_time: Option<(DateTime<Utc>, Instant)>,
    pub(crate) from: From,
    /// Whether batches carry cursors.
    pub(crate) resumable: bool,
}

/// Gives the batches of a read that runs in a task of its own, ahead of the engine by [`READY_BATCHES`] and the pages that
/// arrive meanwhile, one for each connection.
pub(crate) fn reader<T: Item>(task: Task) -> Background<T> {
    Background::new(READY_BATCHES, |batches| Box::pin(Run::read(task, batches)))
}

/// The audience's existence and the server's time, in one cheap call.
pub(crate) async fn server_time(client: &Client, list_id: &str) -> Result<Option<DateTime<Utc>>> {
    let request = GetList {
        fields: vec!["id".to_owned()],
        ..GetList::default()
    };
    let answer = client.list(list_id).get(&request).await;
    answer
        .map(|fetched| fetched.meta.server_time)
        .map_err(|error| translate(error, "check audience", list_id))
}

/// Up to when a run reads.
#[derive(Clone, Copy)]
struct Bound {
    /// The last second that is read.
    at: i64,
    /// The last second that is certain to be over at the server, so that a run which read it is complete until then.
    over: Option<i64>,
    /// What is past by every clock there is. A member may be stamped later, and others may still change before that.
    past: i64,
}

/// A read under way.
struct Run<T> {
    task: Task,
    bound: Bound,
    plan: Plan,
    selection: Arc<Selection>,
    requests: JoinSet<(Request, Result<Page<T>, NoPage>)>,
    /// The newest `last_changed` delivered.
    newest: Option<i64>,
    /// The cursor of the last batch.
    sent: Option<Cursor>,
}

impl<T: Item> Run<T> {
    async fn read(task: Task, batches: Batches<T>) -> Result<()> {
        let bound = task.bound().await?;
        let lookback = i64::from(task.settings.lookback_seconds);
        let windows = task.from.windows(task.settings.status, lookback, bound.at);
        let plan = Plan::new(
            task.settings.items_per_request,
            task.settings.worker_count,
            windows,
        );
        let selection = Arc::new(task.selection.clone());
        let requests = JoinSet::new();
        let mut run = Self {
            task,
            bound,
            plan,
            selection,
            requests,
            newest: None,
            sent: None,
        };
        loop {
            run.ask();
            let Some(answer) = run.requests.join_next().await else {
                break;
            };
            let (request, page) = answer.map_err(|error| stopped().caused_by(error))?;
            let batch = match page {
                Ok(page) => run.take(&request, page)?,
                Err(reason) => run.failed(&request, reason)?,
            };
            if (!batch.items.is_empty() || !batch.failures.is_empty())
                && !run.send(batch, &batches).await
            {
                return Ok(());
            }
        }
        if !run.plan.is_finished() {
            return Err(stopped());
        }
        let last = run.batch(Vec::new(), Vec::new())?;
        if last.resume.is_some() && last.resume != run.sent {
            run.send(last, &batches).await;
        }
        Ok(())
    }

    /// Says whether anybody takes it.
    async fn send(&mut self, batch: Batch<T>, batches: &Batches<T>) -> bool {
        self.sent.clone_from(&batch.resume);
        batches.send(batch).await
    }

    fn ask(&mut self) {
        while let Some(request) = self.plan.next_request() {
            let client = self.task.client.clone();
            let list_id = self.task.list_id.clone();
            let page = fetch(client, list_id, self.selection.clone(), request);
            self.requests.spawn(async move { (request, page.await) });
        }
    }

    fn take(&mut self, request: &Request, page: Page<T>) -> Result<Batch<T>> {
        let taken = self.plan.on_page(request.id, &page.rows, page.total);
        let mut failures = self.report(taken.events, || {
            taken.defect.map(|found| defect(found, &self.task.list_id))
        });
        let mut items = Vec::with_capacity(page.items.len());
        let mut keyless: Vec<i64> = Vec::new();
        for ((item, row), keep) in page.items.into_iter().zip(&page.rows).zip(taken.keep) {
            match item {
                _ if !keep => {}
                Some(item) => {
                    items.push(item);
                    self.newest = self.newest.max(Some(row.at));
                }
                None => keyless.push(row.at),
            }
        }
        for seconds in keyless.chunk_by(|a, b| a == b) {
            let part = self.plan.leave_open(request.sweep, seconds[0]);
            let error = Error::new(
                ErrorKind::Invalid,
                "read window",
                "members without contact_id and id cannot be delivered",
            );
            failures.push(PartFailure {
                part: describe(&part),
                error: error
                    .with("list_id", &self.task.list_id)
                    .with("members", seconds.len()),
            });
        }
        self.batch(items, failures)
    }

    /// A request failed for good. Some failures end the whole read.
    fn failed(&mut self, request: &Request, reason: NoPage) -> Result<Batch<T>> {
        let failure = match &reason {
            NoPage::Failed(error) if fewer_rows_may_help(error) => Failure::TooMuch,
            _ => Failure::Other,
        };
        let error = no_page(reason, &self.task.list_id);
        if matches!(
            error.kind(),
            ErrorKind::Denied | ErrorKind::Missing | ErrorKind::Config
        ) {
            return Err(error);
        }
        let events = self.plan.on_failure(request.id, failure);
        let mut error = Some(error);
        let failures = self.report(events, || error.take());
        self.batch(Vec::new(), failures)
    }

    /// Tells the hooks what happened and makes failures of the windows that were given up. `cause` gives the error of the
    /// first of them; more than one at once are given up because nothing works.
    fn report(
        &self,
        events: Vec<Event>,
        mut cause: impl FnMut() -> Option<Error>,
    ) -> Vec<PartFailure> {
        let notice = |notice: Notice| self.task.hooks.on_notice(&self.task.list_id, &notice);
        let mut failures = Vec::new();
        for event in events {
            match event {
                Event::Shrunk { count } => notice(Notice::PageShrunk { count }),
                Event::ReadAgain { second } => {
                    notice(Notice::SecondReadAgain {
                        second: crate::cursor::time(second),
                    });
                }
                Event::PutOff { part } => notice(Notice::PartPutOff {
                    part: describe(&part),
                }),
                Event::GivenUp { part } => failures.push(PartFailure {
                    part: describe(&part),
                    error: cause().unwrap_or_else(|| {
                        Error::new(
                            ErrorKind::Unavailable,
                            "read window",
                            "not tried, because requests for other windows kept failing",
                        )
                        .with("list_id", &self.task.list_id)
                    }),
                }),
            }
        }
        failures
    }

    fn batch(&self, items: Vec<T>, failures: Vec<PartFailure>) -> Result<Batch<T>> {
        let resume = if self.task.resumable {
            self.cursor()?
        } else {
            None
        };
        Ok(Batch {
            items,
            resume,
            failures,
            expected_total: self.plan.expected_total(),
        })
    }

    /// Where reading may start again when all that was handed out is durable.
    fn cursor(&self) -> Result<Option<Cursor>> {
        let until = self.bound.over.or_else(|| {
            let lag = i64::from(self.task.settings.safety_lag_seconds);
            let before = match &self.task.from {
                From::Nothing { .. } => None,
                From::Progress(progress) => Some(progress.until),
            };
            self.newest
                .map(|newest| newest.min(self.bound.past) - lag)
                .max(before)
                .map(|at| at.min(self.bound.at))
        });
        let open = self.plan.open_windows();
        until
            .map(|until| {
                Progress { until, open }.encode(&self.task.list_id, self.task.settings.status)
            })
            .transpose()
    }
}

/// Whether the size of the page may be why it failed: the server gave up over it, or it broke off on its way.
pub(crate) fn fewer_rows_may_help(error: &mailchimp_client::Error) -> bool {
    use mailchimp_client::Error as ClientError;
    match error {
        ClientError::TooLarge(_) => true,
        ClientError::Transport(failure) if failure.kind == TransportErrorKind::Body => true,
        error => error.is_timeout_or_server(),
    }
}

impl Task {
    /// Up to the server's time, or ours if that is behind, less the safety lag. If they are too far apart, up to the newest
    /// change that shows, so that everything is read. Then the run is complete only as far as it has seen members, and no
    /// further than the clock that is behind.
    ///
    /// Opt-outs are always read up to the newest that shows: one that is left to the next run may be answered by an opt-in
    /// in this one, and a stamp in the future would leave it to many.
    async fn bound(&self) -> Result<Bound> {
        if let Some(until) = self.settings.until {
            let until = until.timestamp();
            return Ok(Bound {
                at: until,
                over: Some(until),
                past: until,
            });
        }
        let server = match self.server_time {
            Some((time, at)) if at.elapsed() < TIME_SERVES_FOR => Some(time),
            _ => server_time(&self.client, &self.list_id).await?,
        };
        let local = self.clock.now();
        let trusted = server.is_some_and(|server| (server - local).abs() <= TRUSTED_SKEW);
        if !trusted {
            let notice = Notice::ServerTimeDistrusted { server, local };
            self.hooks.on_notice(&self.list_id, &notice);
        }
        // Of two clocks that agree well enough, the one behind costs a few seconds, and the one ahead might cost members.
        let past = server.map_or(local, |server| server.min(local)).timestamp();
        let over = trusted.then_some(past - i64::from(self.settings.safety_lag_seconds));
        let at = match (over, self.settings.status, &self.from) {
            (Some(over), StatusFilter::All, _) => over,
            // Asking for the newest would cost every hour a request. A range that ends far behind it is the same, but is
            // not well split among connections; what came since the last run is seldom worth that.
            (Some(_), StatusFilter::Unsubscribed, From::Progress(_)) => past + FAR_FUTURE,
            (over, ..) => {
                let newest = self.newest_change().await?.map(|time| time.timestamp());
                newest.max(over).unwrap_or(past)
            }
        };
        Ok(Bound { at, over, past })
    }

    /// The newest `last_changed` of all members that the read is about; `None` if there are none.
    async fn newest_change(&self) -> Result<Option<DateTime<Utc>>> {
        let statuses = match self.settings.status {
            StatusFilter::All => vec![None, Some(MemberStatus::Archived)],
            StatusFilter::Unsubscribed => vec![Some(MemberStatus::Unsubscribed)],
        };
        let mut newest = None;
        for status in statuses {
            let request = ListMembers {
                status,
                count: Some(1),
                fields: vec!["members.last_changed".to_owned()],
                sort_field: Some(MemberSort::LastChanged),
                sort_dir: Some(SortDir::Descending),
                ..ListMembers::default()
            };
            let page = self
                .client
                .list(&*self.list_id)
                .members()
                .list(&request)
                .await
                .map_err(|error| translate(error, "find newest change", &self.list_id))?;
            let times = page
                .value
                .items
                .iter()
                .filter_map(|member| member.last_changed.value());
            newest = newest.max(times.map(|time| time.0).max());
        }
        Ok(newest)
    }
}
