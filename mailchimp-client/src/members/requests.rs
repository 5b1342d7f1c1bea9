//! Parameters of calls that read members.

use chrono::{DateTime, Utc};

use super::activity::{ActivityAction, FeedKind};
use super::member::{EmailType, MemberStatus};
use crate::error::{Error, Result};
use crate::open_enum::{SortDir, open_enum};
use crate::paging::Selection;
use crate::query::Query;

open_enum! {
    /// What members can be sorted by.
    MemberSort {
        /// Time of confirmation.
        TimestampOpt = "timestamp_opt",
        /// Time of sign-up.
        TimestampSignup = "timestamp_signup",
        /// Time of last change. Members of the same second come in ascending order of `web_id`,
        /// as far as seen on the live API.
        LastChanged = "last_changed",
    }
}

open_enum! {
    /// How a filter by several interests combines them.
    InterestMatch {
        /// At least one.
        Any = "any",
        /// Every one.
        All = "all",
        /// Not one.
        None = "none",
    }
}

/// Filters, order and page of [`super::Members::list`].
///
/// Times are sent in whole seconds. `since_*` leaves out its own second and `before_*` includes
/// it, as seen on the live API, so adjoining windows share a bound without sharing a member.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListMembers {
    /// Rows per page; the server's default is 10, its documented maximum 1000.
    pub count: Option<u32>,
    /// Rows to skip.
    pub offset: Option<u64>,
    /// Members of the answer to send, as paths below the envelope: `members.id`, `total_items`.
    pub fields: Vec<String>,
    /// Members of the answer to leave out: `members._links`. What matches nothing is ignored.
    pub exclude_fields: Vec<String>,
    /// Only this kind of mail.
    pub email_type: Option<EmailType>,
    /// Only this status. Without it, archived members are left out.
    pub status: Option<MemberStatus>,
    /// Confirmed after this second.
    pub since_timestamp_opt: Option<DateTime<Utc>>,
    /// Confirmed in this second or before.
    pub before_timestamp_opt: Option<DateTime<Utc>>,
    /// Changed after this second.
    pub since_last_changed: Option<DateTime<Utc>>,
    /// Changed in this second or before.
    pub before_last_changed: Option<DateTime<Utc>>,
    /// Only the member with this `unique_email_id`.
    pub unique_email_id: Option<String>,
    /// Only very important members. `Some(false)` is the same as `None`.
    pub vip_only: Option<bool>,
    /// The category of `interest_ids`; needed with it.
    pub interest_category_id: Option<String>,
    /// Only members of these interests; needs `interest_category_id` and `interest_match`.
    pub interest_ids: Vec<String>,
    /// How `interest_ids` are combined; needed with it.
    pub interest_match: Option<InterestMatch>,
    /// Order. Without it the order is not documented.
    pub sort_field: Option<MemberSort>,
    /// Direction of the order.
    pub sort_dir: Option<SortDir>,
    /// Only members who got this status since the last campaign; needs `status`.
    pub since_last_campaign: Option<bool>,
    /// Unsubscribed after this second; needs `status` to be `unsubscribed`.
    pub unsubscribed_since: Option<DateTime<Utc>>,
}

impl ListMembers {
    pub(super) fn selection(&self) -> Result<Selection> {
        if self.since_last_campaign == Some(true) && self.status.is_none() {
            return Err(Error::request("since_last_campaign", "needs a status"));
        }
        if self.unsubscribed_since.is_some() && self.status != Some(MemberStatus::Unsubscribed) {
            return Err(Error::request(
                "unsubscribed_since",
                "needs the status unsubscribed",
            ));
        }
        let interests = [
            !self.interest_ids.is_empty(),
            self.interest_category_id.is_some(),
            self.interest_match.is_some(),
        ];
        if interests.contains(&true) && interests.contains(&false) {
            return Err(Error::request(
                "interest_ids",
                "needs interest_category_id and interest_match, and they need it",
            ));
        }
        let mut query = Query::new();
        query.selection(&self.fields, &self.exclude_fields)?;
        query.text(
            "email_type",
            self.email_type.as_ref().map(EmailType::as_str),
        );
        query.text("status", self.status.as_ref().map(MemberStatus::as_str));
        query.time("since_timestamp_opt", self.since_timestamp_opt);
        query.time("before_timestamp_opt", self.before_timestamp_opt);
        query.time("since_last_changed", self.since_last_changed);
        query.time("before_last_changed", self.before_last_changed);
        query.text("unique_email_id", self.unique_email_id.as_deref());
        query.flag("vip_only", self.vip_only);
        query.text("interest_category_id", self.interest_category_id.as_deref());
        query.words("interest_ids", &self.interest_ids);
        query.text(
            "interest_match",
            self.interest_match.as_ref().map(InterestMatch::as_str),
        );
        query.text(
            "sort_field",
            self.sort_field.as_ref().map(MemberSort::as_str),
        );
        query.text("sort_dir", self.sort_dir.as_ref().map(SortDir::as_str));
        query.flag("since_last_campaign", self.since_last_campaign);
        query.time("unsubscribed_since", self.unsubscribed_since);
        Ok(Selection {
            filters: query,
            count: self.count,
            offset: self.offset,
        })
    }
}

/// Filters of [`super::Members::activity`], which has no pages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListActivity {
    /// Only these kinds of events.
    pub action: Vec<ActivityAction>,
    /// Members of the answer to send.
    pub fields: Vec<String>,
    /// Members of the answer to leave out.
    pub exclude_fields: Vec<String>,
}

impl ListActivity {
    pub(super) fn selection(&self) -> Result<Selection> {
        let mut query = Query::new();
        query.selection(&self.fields, &self.exclude_fields)?;
        query.words("action", &self.action);
        Ok(Selection {
            filters: query,
            count: None,
            offset: None,
        })
    }
}

/// Filters and page of [`super::Members::activity_feed`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListFeed {
    /// Rows per page.
    pub count: Option<u32>,
    /// Rows to skip.
    pub offset: Option<u64>,
    /// Only these kinds of items.
    pub activity_filters: Vec<FeedKind>,
    /// Members of the answer to send.
    pub fields: Vec<String>,
    /// Members of the answer to leave out.
    pub exclude_fields: Vec<String>,
}

impl ListFeed {
    pub(super) fn selection(&self) -> Result<Selection> {
        let mut query = Query::new();
        query.selection(&self.fields, &self.exclude_fields)?;
        query.words("activity_filters", &self.activity_filters);
        Ok(Selection {
            filters: query,
            count: self.count,
            offset: self.offset,
        })
    }
}
