//! Names: where a file of a stream lies and what its name says.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use object_store::path::{Path, PathPart};

use crate::settings::Format;

/// The folders of a stream's days begin with this. Readers make a column of it, which would hide a field of that name: no
/// column of a field ends in an underscore ([`sync_core::table::column_name`]).
pub(crate) const DAY: &str = "date_=";

/// Folder of a stream's manifests.
pub(crate) const MANIFESTS: &str = "_manifests";

const TIME: &str = "%Y%m%dT%H%M%S%.3fZ";

/// Length of what [`TIME`] gives.
const TIME_LEN: usize = "20261121T110445.123Z".len();

/// Names an interval or a compaction. Later ones of a stream sort behind earlier ones as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct IntervalId(String);

impl IntervalId {
    /// An id that sorts behind `after`, also when the clock was set back: the later of `now` and a millisecond after it.
    pub(crate) fn next(now: DateTime<Utc>, after: Option<&Self>) -> Self {
        let floor = after
            .and_then(Self::time)
            .and_then(|time| time.checked_add_signed(TimeDelta::milliseconds(1)));
        let time = floor.map_or(now, |floor| floor.max(now));
        Self(format!(
            "{}-{:05x}",
            time.format(TIME),
            fastrand::u32(..1 << 20)
        ))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let id = Self(text.to_owned());
        let digits = text.get(TIME_LEN..)?.strip_prefix('-')?;
        let hex = digits.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        (hex && id.time().is_some()).then_some(id)
    }

    fn time(&self) -> Option<DateTime<Utc>> {
        let time = self.0.get(..TIME_LEN)?;
        let time = NaiveDateTime::parse_from_str(time, TIME).ok()?;
        Some(time.and_utc())
    }

    /// The folder that files of this id lie in: `date_=2026-11-21`.
    fn partition(&self) -> String {
        let digits = |range: std::ops::Range<usize>| self.0.get(range).unwrap_or_default();
        format!("{DAY}{}-{}-{}", digits(0..4), digits(4..6), digits(6..8))
    }

    /// What the paths of its files begin with, below the stream's folder.
    pub(crate) fn path(&self) -> String {
        format!("{}/{self}", self.partition())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IntervalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A data file of a stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DataFile {
    /// Of the interval, or of the compaction.
    pub(crate) id: IntervalId,
    /// For a compacted file, the sequence number of the manifest it was written for.
    pub(crate) compaction: Option<u64>,
    pub(crate) format: Format,
}

impl DataFile {
    /// Its path below the stream's folder: `date_=2026-11-21/20261121T110445.123Z-0a1b2.parquet`.
    pub(crate) fn relative(&self) -> String {
        let (path, extension) = (self.id.path(), self.format.extension());
        match self.compaction {
            None => format!("{path}.{extension}"),
            Some(sequence) => format!("{path}.compact-{sequence:08}.{extension}"),
        }
    }

    /// Reads the path below the stream's folder; `None` for a file that is none of ours.
    pub(crate) fn parse(relative: &str) -> Option<Self> {
        let (folder, name) = relative.split_once('/')?;
        let id = name.get(..TIME_LEN + 6)?;
        let rest = name.get(TIME_LEN + 6..)?.strip_prefix('.')?;
        let (compaction, extension) = match rest.strip_prefix("compact-") {
            Some(rest) => {
                let (sequence, extension) = rest.split_once('.')?;
                (Some(sequence.parse().ok()?), extension)
            }
            None => (None, rest),
        };
        let file = Self {
            id: IntervalId::parse(id)?,
            compaction,
            format: Format::of_extension(extension)?,
        };
        (file.id.partition() == folder).then_some(file)
    }
}

/// The name of a manifest.
pub(crate) fn manifest_name(sequence: u64) -> String {
    format!("{sequence:08}.json")
}

/// The sequence number in a manifest's name.
pub(crate) fn manifest_sequence(name: &str) -> Option<u64> {
    name.strip_suffix(".json")?.parse().ok()
}

/// `path` below `root`, both with `/` between their parts.
pub(crate) fn below(root: &Path, path: &str) -> Path {
    path.split('/')
        .fold(root.clone(), |at, part| at.join(PathPart::from(part)))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;
    use crate::settings::Compression;

    #[test]
    fn later_ids_sort_behind_earlier_ones_whatever_the_clock_says() {
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 11, 4, 45).unwrap();
        let mut last = IntervalId::next(now, None);
        for back in [0, 1, 3_600, 86_400, -1] {
            let next = IntervalId::next(now - TimeDelta::seconds(back), Some(&last));
            assert!(next > last, "{next} comes after {last}");
            last = next;
        }
    }

    #[test]
    fn the_column_of_days_hides_no_field() {
        for field in [
            "date", "date_", "Date_", "date ", "date__", "date.", "date_=",
        ] {
            assert_ne!(format!("{}=", sync_core::table::column_name([field])), DAY);
        }
    }

    #[test]
    fn names_come_back() {
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 11, 4, 45).unwrap();
        for format in [
            Format::Parquet,
            Format::Jsonl(Compression::None),
            Format::Jsonl(Compression::Gzip),
            Format::Jsonl(Compression::Zstd),
        ] {
            for compaction in [None, Some(7)] {
                let file = DataFile {
                    id: IntervalId::next(now, None),
                    compaction,
                    format,
                };
                let path = file.relative();
                assert!(
                    path.starts_with("date_=2026-11-21/20261121T110445.000Z-"),
                    "{path}"
                );
                assert_eq!(DataFile::parse(&path), Some(file));
            }
        }
    }

    #[test]
    fn files_of_others_are_none_of_ours() {
        for path in [
            "",
            "a/b",
            "date_=2026-11-21/part-0.parquet",
            "date_=2026-11-21/20261121T110445.000Z-0a1b2.csv",
            "date_=2026-11-21/20261121T110445.000Z-0a1b2.parquet#1",
            "date_=2026-11-21/20261121T110445.000Z-0a1b2.compact-x.parquet",
            "date_=2026-11-20/20261121T110445.000Z-0a1b2.parquet",
            "date_=2026-11-21/2026112ßT110445.000Z-0a1b.parquet",
            "_manifests/00000001.json",
        ] {
            assert_eq!(DataFile::parse(path), None, "{path}");
        }
    }
}
