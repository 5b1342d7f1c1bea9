//! `/lists/{list_id}/interest-categories`: groups of an audience.

use futures::Stream;

use crate::client::Client;
use crate::error::Result;
use crate::fetched::Fetched;
use crate::open_enum::open_enum;
use crate::paging::{Collection, Page, PageRequest, Selection};
use crate::path::Path;
use crate::query::{FieldSelection, Query};
use crate::record::record;

const CATEGORY: &str = "/lists/{list_id}/interest-categories/{interest_category_id}";
const INTERESTS: &str = "/lists/{list_id}/interest-categories/{interest_category_id}/interests";
const INTEREST: &str =
    "/lists/{list_id}/interest-categories/{interest_category_id}/interests/{interest_id}";

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

    fn collection(&self) -> Result<Collection> {
        let path = Path::new("/lists/{list_id}/interest-categories", &[&self.list_id])?;
        Ok(Collection {
            client: self.client.clone(),
            path,
            items_key: "categories",
        })
    }

    fn interests_of(&self, category_id: &str) -> Result<Collection> {
        let path = Path::new(INTERESTS, &[&self.list_id, category_id])?;
        Ok(Collection {
            client: self.client.clone(),
            path,
            items_key: "interests",
        })
    }

    /// One page of categories.
    pub async fn list(
        &self,
        request: &ListInterestCategories,
    ) -> Result<Fetched<Page<InterestCategory>>> {
        self.collection()?.page(request.selection()?).await
    }

    /// All categories that match.
    pub fn stream(
        &self,
        request: &ListInterestCategories,
    ) -> Result<impl Stream<Item = Result<InterestCategory>> + Send + 'static + use<>> {
        Ok(self.collection()?.stream(request.selection()?))
    }

    /// One category.
    pub async fn get(
        &self,
        category_id: &str,
        request: &FieldSelection,
    ) -> Result<Fetched<InterestCategory>> {
        let path = Path::new(CATEGORY, &[&self.list_id, category_id])?;
        self.client.get(&path, &request.query()?).await
    }

    /// One page of a category's interests.
    pub async fn interests(
        &self,
        category_id: &str,
        request: &PageRequest,
    ) -> Result<Fetched<Page<Interest>>> {
        self.interests_of(category_id)?
            .page(request.selection()?)
            .await
    }

    /// All interests of a category.
    pub fn interests_stream(
        &self,
        category_id: &str,
        request: &PageRequest,
    ) -> Result<impl Stream<Item = Result<Interest>> + Send + 'static + use<>> {
        Ok(self.interests_of(category_id)?.stream(request.selection()?))
    }

    /// One interest.
    pub async fn interest(
        &self,
        category_id: &str,
        interest_id: &str,
        request: &FieldSelection,
    ) -> Result<Fetched<Interest>> {
        let path = Path::new(INTEREST, &[&self.list_id, category_id, interest_id])?;
        self.client.get(&path, &request.query()?).await
    }
}

/// Filters and page of [`InterestCategories::list`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListInterestCategories {
    /// Rows per page; the server's default is 10, its documented maximum 1000.
    pub count: Option<u32>,
    /// Rows to skip.
    pub offset: Option<u64>,
    /// Members of the answer to send, as paths below the envelope: `categories.id`.
    pub fields: Vec<String>,
    /// Members of the answer to leave out.
    pub exclude_fields: Vec<String>,
    /// Only categories of this type.
    pub kind: Option<InterestCategoryType>,
}

impl ListInterestCategories {
    fn selection(&self) -> Result<Selection> {
        let mut query = Query::new();
        query.selection(&self.fields, &self.exclude_fields)?;
        query.text("type", self.kind.as_ref().map(InterestCategoryType::as_str));
        Ok(Selection {
            filters: query,
            count: self.count,
            offset: self.offset,
        })
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
