//! Which resource a path names.

use http::Method;

use crate::endpoint::{Endpoint, Ids};

/// A resource with the ids in its path.
#[derive(Clone, Copy)]
pub(crate) enum Resource<'a> {
    Root,
    Ping,
    Lists,
    List(&'a str),
    Members(&'a str),
    Member(&'a str, &'a str),
    MemberTags(&'a str, &'a str),
    DeletePermanent(&'a str, &'a str),
    MergeFields(&'a str),
    MergeField(&'a str, &'a str),
    Categories(&'a str),
    Category(&'a str, &'a str),
    Interests(&'a str, &'a str),
    Interest(&'a str, &'a str, &'a str),
    Segments(&'a str),
    Segment(&'a str, &'a str),
    SegmentMembers(&'a str, &'a str),
    TagSearch(&'a str),
    Webhooks(&'a str),
    Webhook(&'a str, &'a str),
    Batches,
    Batch(&'a str),
    SearchMembers,
    /// One of the tables.
    Tabled(&'static Endpoint, Ids<'a>),
}

impl<'a> Resource<'a> {
    /// The resource at a decoded path below `/3.0`.
    pub(crate) fn at(path: &[&'a str]) -> Option<Self> {
        Self::own(path).or_else(|| {
            let (endpoint, ids) = Endpoint::at(path)?;
            Some(Self::Tabled(endpoint, ids))
        })
    }

    /// The resource, unless it stands in a table.
    fn own(path: &[&'a str]) -> Option<Self> {
        Some(match *path {
            [] => Self::Root,
            ["ping"] => Self::Ping,
            ["batches"] => Self::Batches,
            ["batches", id] => Self::Batch(id),
            ["search-members"] => Self::SearchMembers,
            ["lists"] => Self::Lists,
            ["lists", list, ref rest @ ..] => match *rest {
                [] => Self::List(list),
                ["members"] => Self::Members(list),
                ["members", key] => Self::Member(list, key),
                ["members", key, "tags"] => Self::MemberTags(list, key),
                ["members", key, "actions", "delete-permanent"] => Self::DeletePermanent(list, key),
                ["merge-fields"] => Self::MergeFields(list),
                ["merge-fields", id] => Self::MergeField(list, id),
                ["interest-categories"] => Self::Categories(list),
                ["interest-categories", id] => Self::Category(list, id),
                ["interest-categories", id, "interests"] => Self::Interests(list, id),
                ["interest-categories", id, "interests", interest] => {
                    Self::Interest(list, id, interest)
                }
                ["segments"] => Self::Segments(list),
                ["segments", id] => Self::Segment(list, id),
                ["segments", id, "members"] => Self::SegmentMembers(list, id),
                ["tag-search"] => Self::TagSearch(list),
                ["webhooks"] => Self::Webhooks(list),
                ["webhooks", id] => Self::Webhook(list, id),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// The audience it belongs to.
    pub(crate) fn list(self) -> Option<&'a str> {
        match self {
            Self::Root
            | Self::Ping
            | Self::Lists
            | Self::Batches
            | Self::Batch(_)
            | Self::SearchMembers
            | Self::Tabled(..) => None,
            Self::List(list)
            | Self::Members(list)
            | Self::Member(list, _)
            | Self::MemberTags(list, _)
            | Self::DeletePermanent(list, _)
            | Self::MergeFields(list)
            | Self::MergeField(list, _)
            | Self::Categories(list)
            | Self::Category(list, _)
            | Self::Interests(list, _)
            | Self::Interest(list, _, _)
            | Self::Segments(list)
            | Self::Segment(list, _)
            | Self::SegmentMembers(list, _)
            | Self::TagSearch(list)
            | Self::Webhooks(list)
            | Self::Webhook(list, _) => Some(list),
        }
    }

    /// The path with the names of its ids in their place, as the documentation writes it.
    pub(crate) fn template(self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Ping => "/ping",
            Self::Lists => "/lists",
            Self::List(..) => "/lists/{list_id}",
            Self::Members(..) => "/lists/{list_id}/members",
            Self::Member(..) => "/lists/{list_id}/members/{subscriber_hash}",
            Self::MemberTags(..) => "/lists/{list_id}/members/{subscriber_hash}/tags",
            Self::DeletePermanent(..) => {
                "/lists/{list_id}/members/{subscriber_hash}/actions/delete-permanent"
            }
            Self::MergeFields(..) => "/lists/{list_id}/merge-fields",
            Self::MergeField(..) => "/lists/{list_id}/merge-fields/{merge_id}",
            Self::Categories(..) => "/lists/{list_id}/interest-categories",
            Self::Category(..) => "/lists/{list_id}/interest-categories/{interest_category_id}",
            Self::Interests(..) => {
                "/lists/{list_id}/interest-categories/{interest_category_id}/interests"
            }
            Self::Interest(..) => {
                "/lists/{list_id}/interest-categories/{interest_category_id}/interests/{interest_id}"
            }
            Self::Segments(..) => "/lists/{list_id}/segments",
            Self::Segment(..) => "/lists/{list_id}/segments/{segment_id}",
            Self::SegmentMembers(..) => "/lists/{list_id}/segments/{segment_id}/members",
            Self::TagSearch(..) => "/lists/{list_id}/tag-search",
            Self::Webhooks(..) => "/lists/{list_id}/webhooks",
            Self::Webhook(..) => "/lists/{list_id}/webhooks/{webhook_id}",
            Self::Batches => "/batches",
            Self::Batch(..) => "/batches/{batch_id}",
            Self::SearchMembers => "/search-members",
            Self::Tabled(endpoint, _) => endpoint.template,
        }
    }

    /// The methods that are simulated, as the `Allow` header of a 405 lists them.
    pub(crate) fn allowed(self) -> &'static str {
        match self {
            Self::Member(..) => "GET, PUT, PATCH, DELETE",
            Self::Members(..) | Self::MemberTags(..) | Self::Webhooks(..) | Self::Batches => {
                "GET, POST"
            }
            Self::Webhook(..) => "GET, PATCH, DELETE",
            Self::Batch(..) => "GET, DELETE",
            Self::DeletePermanent(..) => "POST",
            Self::Tabled(endpoint, _) => endpoint.allowed,
            _ => "GET",
        }
    }

    pub(crate) fn allows(self, method: &Method) -> bool {
        self.allowed()
            .split(", ")
            .any(|allowed| allowed == method.as_str())
    }

    /// Whether answers are collections that `count` and `offset` page through.
    pub(crate) fn is_paged(self) -> bool {
        if let Self::Tabled(endpoint, _) = self {
            return endpoint.paged;
        }
        matches!(
            self,
            Self::Lists
                | Self::Members(..)
                | Self::MemberTags(..)
                | Self::MergeFields(..)
                | Self::Categories(..)
                | Self::Interests(..)
                | Self::Segments(..)
                | Self::SegmentMembers(..)
                | Self::TagSearch(..)
                | Self::Batches
        )
    }
}
