//! `/lists/{list_id}/members`.

mod activity;
mod history;
mod member;
mod requests;
mod search;
mod write;

use std::borrow::Cow;

use bytes::Bytes;
use futures::Stream;
use http::Method;
use md5::{Digest, Md5};

use crate::client::Client;
use crate::error::Result;
use crate::fetched::{Fetched, RawPage};
use crate::paging::{Collection, Page, PageRequest};
use crate::path::Path;
use crate::query::{FieldSelection, Query};

pub use activity::{Activity, ActivityAction, FeedItem, FeedKind};
pub use history::{ListNotes, MemberEvent, MemberGoal, MemberNote, NoteSort};
pub use member::{
    EcommerceData, EmailType, Location, MarketingPermission, Member, MemberStats, MemberStatus,
    MergeValue, Note, SmsStatus, Tag,
};
pub use requests::{InterestMatch, ListActivity, ListFeed, ListMembers, MemberSort};
pub use search::{FoundMembers, MemberSearch, SearchMembers};
pub use write::{Coordinates, MemberWrite, PermissionWrite, TagWrite};

const MEMBERS: &str = "/lists/{list_id}/members";
const MEMBER: &str = "/lists/{list_id}/members/{subscriber_hash}";
const TAGS: &str = "/lists/{list_id}/members/{subscriber_hash}/tags";
const FEED: &str = "/lists/{list_id}/members/{subscriber_hash}/activity-feed";
const EVENTS: &str = "/lists/{list_id}/members/{subscriber_hash}/events";
const NOTES: &str = "/lists/{list_id}/members/{subscriber_hash}/notes";

/// The id Mailchimp gives to an address: MD5 of its lower-cased UTF-8 form, in hex. White space
/// around the address is left out.
pub fn subscriber_hash(email_address: &str) -> String {
    use std::fmt::Write;
    let digest = Md5::digest(email_address.trim().to_lowercase());
    digest
        .iter()
        .fold(String::with_capacity(32), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// A member's key as a part of a path: an address as its hash, anything else as it is.
pub(crate) fn segment(key: &str) -> Cow<'_, str> {
    if key.contains('@') {
        Cow::Owned(subscriber_hash(key))
    } else {
        Cow::Borrowed(key)
    }
}

/// The members of one audience; made by [`crate::ListHandle::members`].
///
/// Where a method takes a `key`, that is the subscriber hash, the contact id or the address of a
/// member. An address is sent as its hash, which all endpoints accept and which keeps it out of
/// URLs and their logs.
#[derive(Debug, Clone)]
pub struct Members {
    client: Client,
    list_id: String,
}

impl Members {
    pub(crate) fn new(client: Client, list_id: String) -> Self {
        Self { client, list_id }
    }

    fn path(&self, template: &'static str, key: &str) -> Result<Path> {
        Path::new(template, &[&self.list_id, &segment(key)])
    }

    /// A collection that belongs to one member.
    fn of(&self, template: &'static str, items_key: &'static str, key: &str) -> Result<Collection> {
        Ok(Collection {
            client: self.client.clone(),
            path: self.path(template, key)?,
            items_key,
        })
    }

    fn collection(&self) -> Result<Collection> {
        let path = Path::new(MEMBERS, &[&self.list_id])?;
        Ok(Collection {
            client: self.client.clone(),
            path,
            items_key: "members",
        })
    }

    /// One page of members. Archived members are left out unless asked for by status.
    pub async fn list(&self, request: &ListMembers) -> Result<Fetched<Page<Member>>> {
        self.collection()?.page(request.selection()?).await
    }

    /// One page of members, left as JSON.
    pub async fn list_raw(&self, request: &ListMembers) -> Result<RawPage> {
        self.collection()?.rows(request.selection()?).await
    }

    /// One page of members, left as JSON, with each put through `row` together with the text of the values of its fields
    /// `names`; see [`Client::get_rows_with`].
    pub async fn list_raw_with<R, const N: usize>(
        &self,
        request: &ListMembers,
        names: [&str; N],
        row: impl FnMut(Bytes, [Option<&str>; N]) -> R,
    ) -> Result<RawPage<R>> {
        let Collection {
            client,
            path,
            items_key,
        } = self.collection()?;
        let query = request.selection()?.into_query();
        client
            .get_rows_with(&path, items_key, &query, names, row)
            .await
    }

    /// All members that match, page after page by offset.
    ///
    /// The audience may change meanwhile: such a walk can miss members and see others twice.
    /// To read an audience completely, read closed windows of `last_changed` instead.
    pub fn stream(
        &self,
        request: &ListMembers,
    ) -> Result<impl Stream<Item = Result<Member>> + Send + 'static + use<>> {
        Ok(self.collection()?.stream(request.selection()?))
    }

    /// One member. An archived one is found; a deleted or re-addressed one is not.
    pub async fn get(&self, key: &str, request: &FieldSelection) -> Result<Fetched<Member>> {
        self.client
            .get(&self.path(MEMBER, key)?, &request.query()?)
            .await
    }

    /// One member, as the body's bytes.
    pub async fn get_raw(&self, key: &str) -> Result<Fetched<Bytes>> {
        self.client
            .get_bytes(&self.path(MEMBER, key)?, &Query::new())
            .await
    }

    /// Creates or changes a member (`PUT`). Revives an archived one when a status is given.
    pub async fn upsert(&self, key: &str, body: &MemberWrite) -> Result<Fetched<Member>> {
        self.write(Method::PUT, key, body).await
    }

    /// Changes an existing member (`PATCH`). Refused for archived members.
    pub async fn update(&self, key: &str, body: &MemberWrite) -> Result<Fetched<Member>> {
        self.write(Method::PATCH, key, body).await
    }

    async fn write(
        &self,
        method: Method,
        key: &str,
        body: &MemberWrite,
    ) -> Result<Fetched<Member>> {
        let mut query = Query::new();
        query.flag(
            "skip_merge_validation",
            body.skip_merge_validation.then_some(true),
        );
        self.client
            .write(method, &self.path(MEMBER, key)?, &query, Some(body), true)
            .await
    }

    /// Archives a member (`DELETE`). A second time is refused with 405, which after a repeated
    /// request can also mean that the first try went through.
    pub async fn archive(&self, key: &str) -> Result<Fetched<()>> {
        self.client
            .change(Method::DELETE, &self.path(MEMBER, key)?, None::<&()>, true)
            .await
    }

    /// Erases a member and its personal data. The address cannot be added again by API or import.
    pub async fn delete_permanently(&self, key: &str) -> Result<Fetched<()>> {
        const DELETE: &str = "/lists/{list_id}/members/{subscriber_hash}/actions/delete-permanent";
        self.client
            .change(Method::POST, &self.path(DELETE, key)?, None::<&()>, false)
            .await
    }

    /// One page of a member's tags, which are not limited to the 50 inside a member.
    pub async fn tags(&self, key: &str, request: &PageRequest) -> Result<Fetched<Page<Tag>>> {
        self.of(TAGS, "tags", key)?.page(request.selection()?).await
    }

    /// All tags of a member.
    pub fn tags_stream(
        &self,
        key: &str,
        request: &PageRequest,
    ) -> Result<impl Stream<Item = Result<Tag>> + Send + 'static + use<>> {
        Ok(self.of(TAGS, "tags", key)?.stream(request.selection()?))
    }

    /// Puts tags on a member and takes others off; tags not named stay. Setting what is set
    /// changes nothing, so this is repeated like a `PUT`.
    ///
    /// `is_syncing` keeps automations that wait for these tags from starting.
    pub async fn set_tags(
        &self,
        key: &str,
        tags: &[TagWrite],
        is_syncing: bool,
    ) -> Result<Fetched<()>> {
        let body = write::TagsWrite { tags, is_syncing };
        self.client
            .change(Method::POST, &self.path(TAGS, key)?, Some(&body), true)
            .await
    }

    /// The last 50 events of a member.
    pub async fn activity(
        &self,
        key: &str,
        request: &ListActivity,
    ) -> Result<Fetched<Page<Activity>>> {
        const ACTIVITY: &str = "/lists/{list_id}/members/{subscriber_hash}/activity";
        self.of(ACTIVITY, "activity", key)?
            .page(request.selection()?)
            .await
    }

    /// One page of a member's activity feed. Its envelope has no `total_items`.
    pub async fn activity_feed(
        &self,
        key: &str,
        request: &ListFeed,
    ) -> Result<Fetched<Page<FeedItem>>> {
        self.of(FEED, "activity", key)?
            .page(request.selection()?)
            .await
    }

    /// All of a member's activity feed.
    pub fn activity_feed_stream(
        &self,
        key: &str,
        request: &ListFeed,
    ) -> Result<impl Stream<Item = Result<FeedItem>> + Send + 'static + use<>> {
        Ok(self.of(FEED, "activity", key)?.stream(request.selection()?))
    }

    /// One page of the events the account wrote to a member.
    pub async fn events(
        &self,
        key: &str,
        request: &PageRequest,
    ) -> Result<Fetched<Page<MemberEvent>>> {
        self.of(EVENTS, "events", key)?
            .page(request.selection()?)
            .await
    }

    /// All events the account wrote to a member.
    pub fn events_stream(
        &self,
        key: &str,
        request: &PageRequest,
    ) -> Result<impl Stream<Item = Result<MemberEvent>> + Send + 'static + use<>> {
        Ok(self.of(EVENTS, "events", key)?.stream(request.selection()?))
    }

    /// One page of the notes about a member.
    pub async fn notes(&self, key: &str, request: &ListNotes) -> Result<Fetched<Page<MemberNote>>> {
        self.of(NOTES, "notes", key)?
            .page(request.selection()?)
            .await
    }

    /// All notes about a member.
    pub fn notes_stream(
        &self,
        key: &str,
        request: &ListNotes,
    ) -> Result<impl Stream<Item = Result<MemberNote>> + Send + 'static + use<>> {
        Ok(self.of(NOTES, "notes", key)?.stream(request.selection()?))
    }

    /// One note.
    pub async fn note(
        &self,
        key: &str,
        note_id: u64,
        request: &FieldSelection,
    ) -> Result<Fetched<MemberNote>> {
        const NOTE: &str = "/lists/{list_id}/members/{subscriber_hash}/notes/{note_id}";
        let note_id = note_id.to_string();
        let path = Path::new(NOTE, &[&self.list_id, &segment(key), &note_id])?;
        self.client.get(&path, &request.query()?).await
    }

    /// The last 50 goals a member reached. Pages are not documented here.
    pub async fn goals(
        &self,
        key: &str,
        request: &PageRequest,
    ) -> Result<Fetched<Page<MemberGoal>>> {
        const GOALS: &str = "/lists/{list_id}/members/{subscriber_hash}/goals";
        self.of(GOALS, "goals", key)?
            .page(request.selection()?)
            .await
    }
}
