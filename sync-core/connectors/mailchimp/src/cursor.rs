//! What a run leaves for the next one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sync_core::{Cursor, Error, ErrorKind, Position as Start, Result};

use crate::plan::{MOST_WINDOWS, Open, Position, Sweep};
use crate::settings::StatusFilter;

/// The form of cursors written now.
const VERSION: u32 = 1;

/// How far an audience is read: everything that changed until `until`, but for what is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) until: i64,
    pub(crate) open: Vec<Open>,
}

/// Where the next run begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// Nothing was read; leave out so many members.
    Nothing { skip: u64 },
    /// So much was read.
    Progress(Progress),
}

impl From {
    /// # Errors
    /// [`ErrorKind::State`] when the cursor is not one that this source wrote.
    pub(crate) fn read(
        start: &Start,
        list_id: &str,
        status: StatusFilter,
        skip: u64,
    ) -> Result<Self> {
        match start {
            Start::Start => Ok(Self::Nothing { skip }),
            Start::Since(time) => Ok(Self::Progress(Progress {
                until: time.timestamp(),
                open: Vec::new(),
            })),
            Start::Cursor(cursor) => Ok(Self::Progress(Stored::decode(cursor, list_id, status)?)),
        }
    }

    /// The windows of a run up to `bound`: what is open, and what changed since, `lookback` seconds of overlap included.
    pub(crate) fn windows(&self, status: StatusFilter, lookback: i64, bound: i64) -> Vec<Open> {
        let (since, skip, open) = match self {
            Self::Nothing { skip } => (None, *skip, &[][..]),
            // A bound before the last one (another server's clock) is kept to: then more is read again, and none lost.
            Self::Progress(progress) => (
                Some(progress.until.min(bound) - lookback),
                0,
                progress.open.as_slice(),
            ),
        };
        let mut windows = Vec::new();
        for &sweep in sweeps(status) {
            let mut open: Vec<Open> = open
                .iter()
                .filter(|open| open.sweep == sweep)
                .cloned()
                .collect();
            if let Some(since) = since {
                // What the new window covers needs no other.
                for open in &mut open {
                    open.before = open.before.min(since);
                }
                open.retain(|open| open.position.since.is_none_or(|from| from < open.before));
            }
            let position = Position {
                since,
                ..Position::default()
            };
            let skip = if sweep == Sweep::Archived { 0 } else { skip };
            open.push(Open {
                sweep,
                position,
                before: bound,
                skip,
            });
            windows.extend(open);
        }
        merge(windows, MOST_WINDOWS / 2)
    }
}

/// The listings that show everyone a filter admits.
pub(crate) fn sweeps(status: StatusFilter) -> &'static [Sweep] {
    match status {
        StatusFilter::All => &[Sweep::Listed, Sweep::Archived],
        StatusFilter::Unsubscribed => &[Sweep::Unsubscribed],
    }
}

/// At most `limit` windows that cover these. Joins the ones with the least between them, which then is read again.
/// Below the limit windows stay apart even when they touch: one that fails must not take others with it.
fn merge(mut windows: Vec<Open>, limit: usize) -> Vec<Open> {
    windows.sort_by_key(|open| (open.sweep, open.position.since, open.before));
    let gap = |pair: &[Open]| match pair {
        [a, b] if a.sweep == b.sweep => Some(b.position.since? - a.before),
        _ => None,
    };
    loop {
        let nearest = windows
            .windows(2)
            .enumerate()
            .filter_map(|(at, pair)| gap(pair).map(|gap| (gap, at)))
            .min();
        let Some((_, at)) = nearest.filter(|_| windows.len() > limit) else {
            return windows;
        };
        let later = windows.remove(at + 1);
        windows[at].before = windows[at].before.max(later.before);
    }
}

impl Progress {
    /// The earliest time up to which nothing is missing; `None` if something is open from the beginning of time.
    pub(crate) fn complete_until(&self) -> Option<i64> {
        let edges = self.open.iter().map(|open| open.position.since);
        edges.chain([Some(self.until)]).min().flatten()
    }

    pub(crate) fn encode(self, list_id: &str, status: StatusFilter) -> Result<Cursor> {
        let complete_until = self.complete_until().and_then(to_time);
        let stored = Stored {
            version: VERSION,
            list_id: list_id.to_owned(),
            status,
            until: self.until,
            open: merge(self.open, MOST_WINDOWS)
                .into_iter()
                .map(StoredWindow::from)
                .collect(),
        };
        let state = serde_json::to_value(stored).map_err(|error| {
            Error::new(
                ErrorKind::State,
                "write cursor",
                "cannot be written as json",
            )
            .caused_by(error)
        })?;
        Ok(Cursor {
            state,
            complete_until,
        })
    }
}

/// A Unix second as time.
pub(crate) fn to_time(second: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(second, 0)
}

/// The same for people: a second that no calendar has is shown as the epoch.
pub(crate) fn time(second: i64) -> DateTime<Utc> {
    to_time(second).unwrap_or_default()
}

/// The stored form. Times are Unix seconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    list_id: String,
    status: StatusFilter,
    until: i64,
    open: Vec<StoredWindow>,
}

/// Members that changed after `since`, until `before`, but for the first `taken` ones of the second after `since`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredWindow {
    sweep: String,
    since: Option<i64>,
    before: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    taken: u64,
    /// Fingerprints of the last keys taken, in hex.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tail: Vec<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    skip: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Stored {
    fn decode(cursor: &Cursor, list_id: &str, status: StatusFilter) -> Result<Progress> {
        let wrong =
            |message| Error::new(ErrorKind::State, "read cursor", message).with("list_id", list_id);
        let version = cursor
            .state
            .get("version")
            .and_then(serde_json::Value::as_u64);
        match version {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) if version > u64::from(VERSION) => {
                let message = "written by a newer version of this program";
                return Err(wrong(message).with("version", version));
            }
            _ => return Err(wrong("not a position in an audience; reset the import")),
        }
        // The cause would quote the value.
        let Ok(stored) = Self::deserialize(&cursor.state) else {
            return Err(wrong("damaged; reset the import"));
        };
        if stored.list_id != list_id {
            return Err(wrong("belongs to another audience; reset the import"));
        }
        if stored.status != status {
            return Err(wrong(
                "belongs to a read with another status filter; reset the import",
            ));
        }
        let open: Option<Vec<Open>> = stored
            .open
            .into_iter()
            .map(StoredWindow::into_open)
            .collect();
        let open = open.ok_or_else(|| wrong("damaged; reset the import"))?;
        Ok(Progress {
            until: stored.until,
            open,
        })
    }
}

impl std::convert::From<Open> for StoredWindow {
    fn from(open: Open) -> Self {
        Self {
            sweep: open.sweep.as_str().to_owned(),
            since: open.position.since,
            before: open.before,
            taken: open.position.taken,
            tail: open
                .position
                .tail
                .iter()
                .map(|id| format!("{id:016x}"))
                .collect(),
            skip: open.skip,
        }
    }
}

impl StoredWindow {
    fn into_open(self) -> Option<Open> {
        let tail: Result<Vec<u64>, _> = self
            .tail
            .iter()
            .map(|id| u64::from_str_radix(id, 16))
            .collect();
        Some(Open {
            sweep: Sweep::parse(&self.sweep)?,
            position: Position {
                since: self.since,
                taken: self.taken,
                tail: tail.ok()?,
            },
            before: self.before,
            skip: self.skip,
        })
    }
}
