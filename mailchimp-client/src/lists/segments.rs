//! `/lists/{list_id}/segments` and `/tag-search`: parts of an audience. Tags are static segments.

use chrono::{DateTime, Utc};
use futures::Stream;
use serde_json::Value;

use crate::client::Client;
use crate::error::Result;
use crate::fetched::{Fetched, RawPage};
use crate::field::Timestamp;
use crate::members::Member;
use crate::open_enum::open_enum;
use crate::paging::{Collection, Page, Selection};
use crate::path::Path;
use crate::query::Query;
use crate::record::record;

/// The segments of one audience; made by [`crate::ListHandle::segments`].
#[derive(Debug, Clone)]
pub struct Segments {
    client: Client,
    list_id: String,
}

impl Segments {
    pub(super) fn new(client: Client, list_id: String) -> Self {
        Self { client, list_id }
    }

    fn collection(&self) -> Result<Collection> {
        let path = Path::new("/lists/{list_id}/segments", &[&self.list_id])?;
        Ok(Collection {
            client: self.client.clone(),
            path,
            items_key: "segments",
        })
    }

    fn members_of(&self, segment_id: u64) -> Result<Collection> {
        const MEMBERS: &str = "/lists/{list_id}/segments/{segment_id}/members";
        let path = Path::new(MEMBERS, &[&self.list_id, &segment_id.to_string()])?;
        Ok(Collection {
            client: self.client.clone(),
            path,
            items_key: "members",
        })
    }

    /// One page of segments.
    pub async fn list(&self, request: &ListSegments) -> Result<Fetched<Page<Segment>>> {
        self.collection()?.page(request.selection()?).await
    }

    /// All segments that match.
    pub fn stream(
        &self,
        request: &ListSegments,
    ) -> Result<impl Stream<Item = Result<Segment>> + Send + 'static + use<>> {
        Ok(self.collection()?.stream(request.selection()?))
    }

    /// One segment.
    pub async fn get(&self, segment_id: u64, request: &GetSegment) -> Result<Fetched<Segment>> {
        const SEGMENT: &str = "/lists/{list_id}/segments/{segment_id}";
        let path = Path::new(SEGMENT, &[&self.list_id, &segment_id.to_string()])?;
        let mut query = Query::new();
        query.selection(&request.fields, &request.exclude_fields)?;
        request.include.add_to(&mut query);
        self.client.get(&path, &query).await
    }

    /// One page of a segment's members, which are a smaller shape of [`Member`].
    ///
    /// With [`SegmentInclude`], `total_items` was seen to count fewer rows than there are.
    pub async fn members(
        &self,
        segment_id: u64,
        request: &ListSegmentMembers,
    ) -> Result<Fetched<Page<Member>>> {
        self.members_of(segment_id)?
            .page(request.selection()?)
            .await
    }

    /// One page of a segment's members, left as JSON.
    pub async fn members_raw(
        &self,
        segment_id: u64,
        request: &ListSegmentMembers,
    ) -> Result<RawPage> {
        self.members_of(segment_id)?
            .rows(request.selection()?)
            .await
    }

    /// All members of a segment.
    pub fn members_stream(
        &self,
        segment_id: u64,
        request: &ListSegmentMembers,
    ) -> Result<impl Stream<Item = Result<Member>> + Send + 'static + use<>> {
        Ok(self.members_of(segment_id)?.stream(request.selection()?))
    }
}

/// Members that segments leave out unless asked for: by default neither counts nor lists have
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SegmentInclude {
    /// Cleaned members.
    pub cleaned: Option<bool>,
    /// Transactional members.
    pub transactional: Option<bool>,
    /// Unsubscribed members.
    pub unsubscribed: Option<bool>,
}

impl SegmentInclude {
    /// All of them.
    pub fn all() -> Self {
        Self {
            cleaned: Some(true),
            transactional: Some(true),
            unsubscribed: Some(true),
        }
    }

    fn add_to(self, query: &mut Query) {
        query.flag("include_cleaned", self.cleaned);
        query.flag("include_transactional", self.transactional);
        query.flag("include_unsubscribed", self.unsubscribed);
    }
}

/// Filters and page of [`Segments::list`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListSegments {
    /// Rows per page; the server's default is 10, its documented maximum 1000.
    pub count: Option<u32>,
    /// Rows to skip.
    pub offset: Option<u64>,
    /// Members of the answer to send, as paths below the envelope: `segments.id`.
    pub fields: Vec<String>,
    /// Members of the answer to leave out.
    pub exclude_fields: Vec<String>,
    /// Only this type. The server answers an unknown word with an empty page, not an error.
    pub kind: Option<SegmentType>,
    /// Created after this second.
    pub since_created_at: Option<DateTime<Utc>>,
    /// Created in this second or before.
    pub before_created_at: Option<DateTime<Utc>>,
    /// Updated after this second.
    pub since_updated_at: Option<DateTime<Utc>>,
    /// Updated in this second or before.
    pub before_updated_at: Option<DateTime<Utc>>,
    /// Members to count besides the active ones.
    pub include: SegmentInclude,
}

impl ListSegments {
    fn selection(&self) -> Result<Selection> {
        let mut query = Query::new();
        query.selection(&self.fields, &self.exclude_fields)?;
        query.text("type", self.kind.as_ref().map(SegmentType::as_str));
        query.time("since_created_at", self.since_created_at);
        query.time("before_created_at", self.before_created_at);
        query.time("since_updated_at", self.since_updated_at);
        query.time("before_updated_at", self.before_updated_at);
        self.include.add_to(&mut query);
        Ok(Selection {
            filters: query,
            count: self.count,
            offset: self.offset,
        })
    }
}

/// What [`Segments::get`] sends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GetSegment {
    /// Members of the answer to send, without a prefix.
    pub fields: Vec<String>,
    /// Members of the answer to leave out.
    pub exclude_fields: Vec<String>,
    /// Members to count besides the active ones.
    pub include: SegmentInclude,
}

/// Filters and page of [`Segments::members`]. There is no order and no filter by time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListSegmentMembers {
    /// Rows per page; the server's default is 10, its documented maximum 1000.
    pub count: Option<u32>,
    /// Rows to skip.
    pub offset: Option<u64>,
    /// Members of the answer to send, as paths below the envelope: `members.id`.
    pub fields: Vec<String>,
    /// Members of the answer to leave out.
    pub exclude_fields: Vec<String>,
    /// Members to give besides the active ones.
    pub include: SegmentInclude,
}

impl ListSegmentMembers {
    fn selection(&self) -> Result<Selection> {
        let mut query = Query::new();
        query.selection(&self.fields, &self.exclude_fields)?;
        self.include.add_to(&mut query);
        Ok(Selection {
            filters: query,
            count: self.count,
            offset: self.offset,
        })
    }
}

open_enum! {
    /// The type of a segment.
    SegmentType {
        /// Defined by conditions.
        Saved = "saved",
        /// A tag.
        Static = "static",
        /// Found by Mailchimp.
        Fuzzy = "fuzzy",
    }
}

record! {
    /// A segment.
    Segment {
        /// Id of the segment, and of the tag it may be.
        id: u64,
        /// Name.
        name: String,
        /// Number of active members, and of others asked for.
        member_count: u64,
        /// Type.
        #[serde(rename = "type")]
        kind: SegmentType,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed, for instance renamed.
        updated_at: Timestamp,
        /// Conditions; absent or empty for tags.
        options: SegmentOptions,
        /// The audience.
        list_id: String,
    }
}

record! {
    /// The conditions of a segment.
    SegmentOptions {
        /// Whether `any` or `all` conditions must hold.
        #[serde(rename = "match")]
        match_kind: String,
        /// Conditions, of many shapes.
        conditions: Vec<Value>,
    }
}
