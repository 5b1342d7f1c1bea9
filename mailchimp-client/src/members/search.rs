//! `/search-members`: members of all audiences by name or address.

use std::fmt;

use super::member::Member;
use crate::client::Client;
use crate::error::Result;
use crate::fetched::Fetched;
use crate::path::Path;
use crate::query::Query;
use crate::record::record;

impl Client {
    /// Members of all audiences whose name or address matches. There are no pages.
    pub async fn search_members(&self, request: &SearchMembers) -> Result<Fetched<MemberSearch>> {
        let mut query = Query::new();
        query.selection(&request.fields, &request.exclude_fields)?;
        query.text("query", Some(&request.query));
        query.text("list_id", request.list_id.as_deref());
        self.get(&Path::new("/search-members", &[])?, &query).await
    }
}

/// What [`Client::search_members`] sends. `Debug` leaves out what is looked for.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SearchMembers {
    /// What to look for.
    pub query: String,
    /// Only in this audience.
    pub list_id: Option<String>,
    /// Members of the answer to send: `exact_matches.members.id`.
    pub fields: Vec<String>,
    /// Members of the answer to leave out.
    pub exclude_fields: Vec<String>,
}

impl fmt::Debug for SearchMembers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SearchMembers")
            .field("list_id", &self.list_id)
            .finish_non_exhaustive()
    }
}

record! {
    /// What a search found.
    MemberSearch {
        /// Members with exactly this address.
        exact_matches: FoundMembers,
        /// Members of whom a part matches.
        full_search: FoundMembers,
    }
}

record! {
    /// Members a search found.
    FoundMembers {
        /// The members.
        members: Vec<Member>,
        /// How many there are.
        total_items: u64,
    }
}
