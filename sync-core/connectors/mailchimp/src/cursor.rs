//! What a run leaves for the next one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sync_core::{Cursor, Error, ErrorKind, Position as Start, Result};

use crate::plan::{MOST_WINDOWS, OVERLAP, Open, Position, Sweep};
use crate::settings::StatusFilter;

/// The form of cursors written now.
const VERSION: u32 = 1;

/// How far an audience is read: everything that changed until `until`, but for what is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) until: i64,
    pub(crate) open: Vec<Open>,
}

/// More windows than this were never written.
const LARGEST_CURSOR: usize = 1_000;

/// No second and no audience has more members.
const MOST_MEMBERS: u64 = 1 << 40;

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
            Self::Progress(progress) => {
                let since = progress.until.min(bound) - lookback;
                // Nothing changed before 1970, and times before it are no times to the API.
                let since = Some(since).filter(|&since| since > 0);
                (since, 0, progress.open.as_slice())
            }
        };
        let mut windows = Vec::new();
        for &sweep in sweeps(status) {
            let mut open: Vec<Open> = open
                .iter()
                .filter(|open| open.sweep == sweep)
                .cloned()
                .collect();
            // What the new window covers needs no other.
            for open in &mut open {
                open.before = open.before.min(since.unwrap_or(i64::MIN));
            }
            open.retain(|open| open.position.since.unwrap_or(0) < open.before);
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
        let open =
            open.filter(|open| open.len() <= LARGEST_CURSOR && to_time(stored.until).is_some());
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
    /// `None` if this cannot have been written.
    fn into_open(self) -> Option<Open> {
        let tail: Result<Vec<u64>, _> = self
            .tail
            .iter()
            .map(|id| u64::from_str_radix(id, 16))
            .collect();
        let times = self.since.into_iter().chain([self.before]);
        let plausible = times.map(to_time).all(|time| time.is_some())
            && self.tail.len() <= OVERLAP
            && self.taken.max(self.skip) <= MOST_MEMBERS;
        let position = Position {
            since: self.since,
            taken: self.taken,
            tail: tail.ok()?,
        };
        let sweep = Sweep::parse(&self.sweep)?;
        plausible.then_some(Open {
            sweep,
            position,
            before: self.before,
            skip: self.skip,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn open(since: Option<i64>, before: i64) -> Open {
        let position = Position {
            since,
            ..Position::default()
        };
        Open {
            sweep: Sweep::Listed,
            position,
            before,
            skip: 0,
        }
    }

    fn bounds(windows: &[Open]) -> Vec<(Sweep, Option<i64>, i64)> {
        windows
            .iter()
            .map(|open| (open.sweep, open.position.since, open.before))
            .collect()
    }

    #[test]
    fn a_first_run_reads_everything_up_to_the_bound() {
        let windows = From::Nothing { skip: 7 }.windows(StatusFilter::All, 600, 5_000);
        let expected = [(Sweep::Listed, None, 5_000), (Sweep::Archived, None, 5_000)];
        assert_eq!(bounds(&windows), expected);
        assert_eq!(
            windows.iter().map(|open| open.skip).collect::<Vec<_>>(),
            [7, 0]
        );
    }

    #[test]
    fn a_later_run_reads_what_is_open_and_what_came_since() {
        let progress = Progress {
            until: 5_000,
            open: vec![
                open(Some(100), 200),
                open(Some(4_000), 5_000),
                open(Some(4_700), 5_000),
            ],
        };
        let windows = From::Progress(progress).windows(StatusFilter::Unsubscribed, 600, 9_000);
        assert_eq!(
            bounds(&windows),
            [(Sweep::Unsubscribed, Some(4_400), 9_000)]
        );
        let progress = Progress {
            until: 5_000,
            open: vec![
                open(Some(100), 200),
                open(Some(4_000), 5_000),
                open(Some(4_700), 5_000),
            ],
        };
        let windows = From::Progress(progress).windows(StatusFilter::All, 600, 9_000);
        let expected = [
            (Sweep::Listed, Some(100), 200),
            (Sweep::Listed, Some(4_000), 4_400),
            (Sweep::Listed, Some(4_400), 9_000),
            (Sweep::Archived, Some(4_400), 9_000),
        ];
        assert_eq!(bounds(&windows), expected);
    }

    #[test]
    fn a_bound_before_the_last_one_reads_again_what_lies_before_it() {
        let progress = Progress {
            until: 9_000,
            open: Vec::new(),
        };
        let windows = From::Progress(progress).windows(StatusFilter::Unsubscribed, 600, 5_000);
        assert_eq!(
            bounds(&windows),
            [(Sweep::Unsubscribed, Some(4_400), 5_000)]
        );
    }

    #[test]
    fn nothing_is_complete_beyond_the_earliest_open_window() {
        let until = |open| Progress { until: 500, open }.complete_until();
        assert_eq!(until(vec![]), Some(500));
        assert_eq!(
            until(vec![open(Some(400), 450), open(Some(300), 350)]),
            Some(300)
        );
        assert_eq!(until(vec![open(Some(400), 450), open(None, 350)]), None);
    }

    #[test]
    fn the_first_form_is_still_read() {
        let state = json!({
            "version": 1, "list_id": "a1", "status": "all", "until": 1_772_366_398,
            "open": [
                {"sweep": "listed", "since": null, "before": 1_772_366_398, "skip": 40},
                {"sweep": "archived", "since": 1_700_000_000, "before": 1_700_000_001,
                 "taken": 2_000, "tail": ["00000000000000ff", "ffffffffffffffff"]},
            ],
        });
        let cursor = Cursor {
            state: state.clone(),
            complete_until: None,
        };
        let progress = Stored::decode(&cursor, "a1", StatusFilter::All).expect("version 1");
        let position = Position {
            since: Some(1_700_000_000),
            taken: 2_000,
            tail: vec![255, u64::MAX],
        };
        let archived = Open {
            sweep: Sweep::Archived,
            position,
            before: 1_700_000_001,
            skip: 0,
        };
        let listed = Open {
            skip: 40,
            ..open(None, 1_772_366_398)
        };
        assert_eq!(progress.open, [listed, archived]);
        let written = progress
            .encode("a1", StatusFilter::All)
            .expect("it can be written");
        assert_eq!(written.state, state);
    }

    fn window() -> impl Strategy<Value = Open> {
        let tail = proptest::collection::vec(any::<u64>(), 0..=OVERLAP);
        (any::<bool>(), 0..2_000_i64, 1..500_i64, 0..5_000_u64, tail).prop_map(
            |(archived, since, length, taken, tail)| Open {
                sweep: if archived {
                    Sweep::Archived
                } else {
                    Sweep::Listed
                },
                position: Position {
                    since: Some(since),
                    taken,
                    tail,
                },
                before: since + length,
                skip: 0,
            },
        )
    }

    proptest! {
        #[test]
        fn a_cursor_comes_back(open in proptest::collection::vec(window(), 0..MOST_WINDOWS)) {
            let mut progress = Progress { until: 3_000, open };
            progress.open.sort_by_key(|open| (open.sweep, open.position.since, open.before));
            let cursor = progress.clone().encode("a1", StatusFilter::All).expect("encodes");
            let back = Stored::decode(&cursor, "a1", StatusFilter::All).expect("decodes");
            prop_assert_eq!(back, progress);
        }

        #[test]
        fn merged_windows_are_few_and_cover_all(
            open in proptest::collection::vec(window(), 0..100),
            limit in 2..20_usize,
        ) {
            let merged = merge(open.clone(), limit);
            prop_assert!(merged.len() <= limit);
            for open in open {
                let covered = merged.iter().any(|merged| {
                    merged.sweep == open.sweep
                        && merged.position.since <= open.position.since
                        && merged.before >= open.before
                });
                prop_assert!(covered, "{:?}", open);
            }
        }

        #[test]
        fn any_json_is_a_cursor_or_an_error(
            field in "version|list_id|status|until|open|since|before|taken|tail|skip|sweep|other",
            value in prop_oneof![
                Just(Value::Null), any::<i64>().prop_map(Value::from), any::<u64>().prop_map(Value::from),
                ".{0,5}".prop_map(Value::from), Just(json!([])), Just(json!([{}])), Just(json!({})),
            ],
        ) {
            let mut window = json!({"sweep": "listed", "since": 5, "before": 9});
            let mut state = json!({
                "version": 1, "list_id": "a1", "status": "all", "until": 90, "open": [],
            });
            if state.get(&field).is_some() {
                state[&field] = value;
            } else {
                window[&field] = value;
                state["open"] = json!([window]);
            }
            let start = Start::Cursor(Cursor { state, complete_until: None });
            if let Ok(from) = From::read(&start, "a1", StatusFilter::All, 0) {
                let windows = from.windows(StatusFilter::All, 600, 5_000);
                prop_assert!(windows.iter().all(|open| open.before <= 5_000));
            }
        }
    }
}
