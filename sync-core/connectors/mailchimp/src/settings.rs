//! How an audience is read.

use chrono::{DateTime, Utc};
use mailchimp_client::Query;
use serde::{Deserialize, Serialize};
use sync_core::{Error, ErrorKind, Result};

/// The largest page the API gives, as documented.
pub(crate) const LARGEST_PAGE: u32 = 1000;

/// The smallest page asked for: below this, overlaps would eat most of a page.
pub(crate) const SMALLEST_PAGE: u32 = 10;

/// Connections one Mailchimp user may have open at once, as documented.
pub(crate) const MOST_WORKERS: usize = 10;

/// Settings of an [`AudienceSource`](crate::AudienceSource).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AudienceSettings {
    /// Members asked for in one request. Default and maximum 1000. At least 10 are asked for, whatever stands here. A page
    /// that keeps timing out is asked for in halves without changing this.
    pub items_per_request: u32,
    /// Requests in flight at once. Default and maximum 10, which is all that Mailchimp allows one user; imports of the
    /// same account share them in the client.
    pub worker_count: usize,
    /// Seconds before the last checkpoint that each run reads again, for changes that became visible late. Default 600.
    pub lookback_seconds: u32,
    /// Seconds by which a run stays behind the server's clock, so that the second it ends with is over. Default 2, at
    /// least 1.
    pub safety_lag_seconds: u32,
    /// Members to skip at the start of a full load, in order of last change. Default 0. Without effect on later runs and
    /// on archived members. Fewer are skipped where more members than fit a page changed in the same second.
    pub start_offset: u64,
    /// What to ask of each member, as paths below the envelope (`members.status`). Empty, the default, asks for all but
    /// [`exclude_fields`](Self::exclude_fields). What the source itself needs is always asked for.
    pub fields: Vec<String>,
    /// What to leave out, as paths below the envelope. Default: the links, which are half of each page. Without effect
    /// when [`fields`](Self::fields) are given, because the API takes only one of the two.
    pub exclude_fields: Vec<String>,
    /// Which members to read. Default: all.
    pub status: StatusFilter,
    /// Upper bound of the run, taken instead of the server's time. For reading several audiences up to one moment: the
    /// caller answers for it being in the past at the server. Default: none.
    pub until: Option<DateTime<Utc>>,
}

/// Which members a source gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusFilter {
    /// Everyone, archived members included.
    #[default]
    All,
    /// Only who is unsubscribed now: for knowing opt-outs before anything else. Read up to the newest that shows, whatever
    /// the clocks say.
    Unsubscribed,
}

impl Default for AudienceSettings {
    fn default() -> Self {
        Self {
            items_per_request: LARGEST_PAGE,
            worker_count: MOST_WORKERS,
            lookback_seconds: 600,
            safety_lag_seconds: 2,
            start_offset: 0,
            fields: Vec::new(),
            exclude_fields: vec!["members._links".to_owned(), "_links".to_owned()],
            status: StatusFilter::All,
            until: None,
        }
    }
}

impl AudienceSettings {
    /// Checks every field.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the field and what it may be.
    pub fn validate(&self) -> Result<()> {
        let invalid = |field: &'static str, message: &'static str| {
            Err(Error::new(ErrorKind::Config, "check settings", message).with("field", field))
        };
        if !(1..=LARGEST_PAGE).contains(&self.items_per_request) {
            return invalid("items_per_request", "must be 1 to 1000");
        }
        if !(1..=MOST_WORKERS).contains(&self.worker_count) {
            return invalid("worker_count", "must be 1 to 10");
        }
        if self.safety_lag_seconds == 0 {
            return invalid("safety_lag_seconds", "must be at least 1");
        }
        if self.fields.iter().any(|path| !is_path(path)) {
            return invalid("fields", "must be dotted paths such as members.status");
        }
        if self.exclude_fields.iter().any(|path| !is_path(path)) {
            return invalid(
                "exclude_fields",
                "must be dotted paths such as members.tags",
            );
        }
        let needed = |path: &String| NEEDED.contains(&path.as_str()) || path == "members";
        if self.fields.is_empty() && self.exclude_fields.iter().any(needed) {
            return invalid(
                "exclude_fields",
                "must leave in members.id, members.contact_id, members.last_changed and total_items",
            );
        }
        Ok(())
    }

    /// The `fields` to send: what the source needs, and what was asked for.
    pub(crate) fn fields_to_ask(&self) -> Vec<String> {
        if self.fields.is_empty() {
            return Vec::new();
        }
        let mut fields = key_fields();
        for field in &self.fields {
            if !fields.contains(field) {
                fields.push(field.clone());
            }
        }
        fields
    }

    /// The `exclude_fields` to send.
    pub(crate) fn fields_to_exclude(&self) -> Vec<String> {
        if self.fields.is_empty() {
            self.exclude_fields.clone()
        } else {
            Vec::new()
        }
    }
}

impl AudienceSettings {
    /// The same selection for a single member, whose paths have no envelope.
    pub(crate) fn member_query(&self) -> Query {
        let below = |paths: Vec<String>| {
            let paths = paths
                .iter()
                .filter_map(|path| path.strip_prefix("members."));
            paths.collect::<Vec<_>>().join(",")
        };
        let (fields, excluded) = (self.fields_to_ask(), self.fields_to_exclude());
        if fields.iter().any(|path| path == "members") {
            return Query::new();
        }
        match (below(fields), below(excluded)) {
            (fields, _) if !fields.is_empty() => Query::new().with("fields", fields),
            (_, excluded) if !excluded.is_empty() => Query::new().with("exclude_fields", excluded),
            _ => Query::new(),
        }
    }
}

/// What the source itself needs of each page.
const NEEDED: [&str; 4] = [
    "members.id",
    "members.contact_id",
    "members.last_changed",
    "total_items",
];

/// The `fields` of a page that only tells who exists.
pub(crate) fn key_fields() -> Vec<String> {
    NEEDED.map(str::to_owned).to_vec()
}

fn is_path(path: &str) -> bool {
    !path.is_empty()
        && path.split('.').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        assert!(AudienceSettings::default().validate().is_ok());
    }

    #[test]
    fn each_wrong_field_is_named() {
        let good = AudienceSettings::default;
        let paths = |path: &str| vec![path.to_owned()];
        let cases = [
            (
                "items_per_request",
                AudienceSettings {
                    items_per_request: 0,
                    ..good()
                },
            ),
            (
                "items_per_request",
                AudienceSettings {
                    items_per_request: 1001,
                    ..good()
                },
            ),
            (
                "safety_lag_seconds",
                AudienceSettings {
                    safety_lag_seconds: 0,
                    ..good()
                },
            ),
            (
                "worker_count",
                AudienceSettings {
                    worker_count: 0,
                    ..good()
                },
            ),
            (
                "worker_count",
                AudienceSettings {
                    worker_count: 11,
                    ..good()
                },
            ),
            (
                "fields",
                AudienceSettings {
                    fields: paths("members..id"),
                    ..good()
                },
            ),
            (
                "exclude_fields",
                AudienceSettings {
                    exclude_fields: paths("a&b"),
                    ..good()
                },
            ),
            (
                "exclude_fields",
                AudienceSettings {
                    exclude_fields: paths("members.id"),
                    ..good()
                },
            ),
        ];
        for (field, settings) in cases {
            let error = settings.validate().expect_err(field);
            assert!(
                error.context().any(|pair| pair == ("field", field)),
                "{field}: {error}"
            );
        }
    }

    #[test]
    fn asking_for_a_field_still_asks_for_what_the_source_needs() {
        let settings = AudienceSettings {
            fields: vec!["members.status".to_owned()],
            ..Default::default()
        };
        let asked = settings.fields_to_ask();
        for field in NEEDED.iter().chain(&["members.status"]) {
            assert!(asked.iter().any(|path| path == field), "{field}");
        }
        assert!(settings.fields_to_exclude().is_empty());
    }
}
