//! Listings as Ometria stores them: what one source said about one person.

use chrono::{DateTime, Utc};
use futures::Stream;

use crate::client::{Allowance, Client};
use crate::document::{count, document, text, time};
use crate::error::Result;
use crate::paging::{self, Page, PageRequest};
use crate::profiles::MarketingOptin;

document! {
    /// A collection and how many listings it holds.
    ContactCollection
}

impl ContactCollection {
    /// Its name.
    pub fn name(&self) -> Option<&str> {
        text(&self.object, "collection")
    }

    /// Number of listings in it.
    pub fn count(&self) -> Option<u64> {
        count(&self.object, "count")
    }
}

document! {
    /// One listing.
    Listing
}

impl Listing {
    /// Its id, unique within the collection.
    pub fn id(&self) -> Option<&str> {
        text(&self.object, "id")
    }

    /// Its collection, with or without the `@` it is pushed with.
    pub fn collection(&self) -> Option<&str> {
        text(&self.object, "collection").or_else(|| text(&self.object, "@collection"))
    }

    /// The profile it belongs to.
    pub fn profile_id(&self) -> Option<&str> {
        text(&self.object, "profile_id")
    }

    /// Address.
    pub fn email(&self) -> Option<&str> {
        text(&self.object, "email")
    }

    /// What this listing claims about consent; the profile decides what holds.
    pub fn marketing_optin(&self) -> MarketingOptin {
        MarketingOptin::read(self.object.get("marketing_optin"))
    }

    /// When Ometria last changed it.
    pub fn updated_at(&self) -> Option<DateTime<Utc>> {
        time(&self.object, "dt_object_updated")
    }
}

const COLLECTIONS: &str = "GET /contacts";
const LISTINGS: &str = "GET /contacts/{collection}";

impl Client {
    /// `GET /contacts`: one page of the account's collections.
    ///
    /// # Errors
    ///
    /// Those of any read.
    pub async fn contact_collections(&self, page: PageRequest) -> Result<Page<ContactCollection>> {
        let answer = self
            .get(COLLECTIONS, Allowance::Read, &["contacts"], &page.query())
            .await?;
        paging::read_page(COLLECTIONS, &answer, page.offset)
    }

    /// `GET /contacts/{collection}`: one page of a collection's listings.
    ///
    /// # Errors
    ///
    /// Those of any read.
    pub async fn listings(&self, collection: &str, page: PageRequest) -> Result<Page<Listing>> {
        let path = ["contacts", collection];
        let answer = self
            .get(LISTINGS, Allowance::Read, &path, &page.query())
            .await?;
        paging::read_page(LISTINGS, &answer, page.offset)
    }

    /// All listings of a collection. An error ends the stream.
    pub fn listings_stream(
        &self,
        collection: &str,
    ) -> impl Stream<Item = Result<Listing>> + Send + use<> {
        let (client, collection) = (self.clone(), collection.to_owned());
        paging::walk(LISTINGS, PageRequest::default(), move |page| {
            let (client, collection) = (client.clone(), collection.clone());
            async move { client.listings(&collection, page).await }
        })
    }

    /// `GET /contacts/{collection}/{id}`: one listing, or `None` when there is none.
    ///
    /// A listing pushed a moment ago may not be there yet.
    ///
    /// # Errors
    ///
    /// Those of any read.
    pub async fn listing(&self, collection: &str, id: &str) -> Result<Option<Listing>> {
        const ENDPOINT: &str = "GET /contacts/{collection}/{id}";
        match self
            .get(
                ENDPOINT,
                Allowance::Read,
                &["contacts", collection, id],
                &[],
            )
            .await
        {
            Ok(answer) => paging::read_object(ENDPOINT, &answer).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
