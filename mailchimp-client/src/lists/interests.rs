//! `/lists/{list_id}/interest-categories`: groups of an audience.

use crate::client::Client;
use crate::endpoint::{collection, list_request, object};
use crate::open_enum::open_enum;
use crate::paging::PageRequest;
use crate::record::record;

/// The interest categories of one audience; made by [`crate::ListHandle::interest_categories`].
#[derive(Debug, Clone)]
pub struct InterestCategories {
    client: Client,
    list_id: String,
}

impl InterestCategories {
    pub(super) fn new(client: Client, list_id: String) -> Self {
        Self { client, list_id }
    }

    collection! {
        "/lists/{list_id}/interest-categories" [self.list_id],
        "categories": InterestCategory, ListInterestCategories,
        /// One page of categories.
        page list,
        /// All categories that match.
        stream stream,
    }

    object! {
        "/lists/{list_id}/interest-categories/{interest_category_id}"
            [self.list_id] (category_id: &str): InterestCategory,
        /// One category.
        get
    }

    collection! {
        "/lists/{list_id}/interest-categories/{interest_category_id}/interests"
            [self.list_id] (category_id: &str),
        "interests": Interest, PageRequest,
        /// One page of a category's interests.
        page interests,
        /// All interests of a category.
        stream interests_stream,
    }

    object! {
        "/lists/{list_id}/interest-categories/{interest_category_id}/interests/{interest_id}"
            [self.list_id] (category_id: &str, interest_id: &str): Interest,
        /// One interest.
        interest
    }
}

list_request! {
    /// Filters and page of [`InterestCategories::list`].
    ListInterestCategories {
        /// Only categories of this type.
        kind as "type": InterestCategoryType,
    }
}

open_enum! {
    /// How the interests of a category are shown on forms.
    InterestCategoryType {
        /// Any number of them.
        Checkboxes = "checkboxes",
        /// One, from a list.
        Dropdown = "dropdown",
        /// One, from buttons.
        Radio = "radio",
        /// Not shown.
        Hidden = "hidden",
    }
}

record! {
    /// A category of interests.
    InterestCategory {
        /// The audience.
        list_id: String,
        /// Id of the category.
        id: String,
        /// Title.
        title: String,
        /// Position on forms.
        display_order: i64,
        /// How it is shown.
        #[serde(rename = "type")]
        kind: InterestCategoryType,
    }
}

record! {
    /// An interest: the key of [`crate::Member::interests`].
    Interest {
        /// The category.
        category_id: String,
        /// The audience.
        list_id: String,
        /// Id of the interest.
        id: String,
        /// Name.
        name: String,
        /// Number of subscribers, which the API sends as text.
        subscriber_count: String,
        /// Position in the category.
        display_order: i64,
    }
}
