//! Requests to anonymise a person, as the GDPR grants them.

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::Stream;
use serde_json::{Map, Value};

use crate::client::{Allowance, Client};
use crate::document::{document, text, time};
use crate::error::{Error, Result};
use crate::paging::{self, Page, PageRequest};

document! {
    /// A request to anonymise a person, and how far it is. Ometria completes one within 14 days.
    DataDeletionRequest
}

impl DataDeletionRequest {
    /// Its id.
    pub fn id(&self) -> Option<&str> {
        text(&self.object, "id")
    }

    /// What was asked for, such as `anonymise`.
    pub fn action(&self) -> Option<&str> {
        text(&self.object, "action")
    }

    /// What was done.
    pub fn summary(&self) -> Option<&str> {
        text(&self.object, "summary")
    }

    /// When it was made.
    pub fn created_at(&self) -> Option<DateTime<Utc>> {
        time(&self.object, "timestamp_created")
    }

    /// When it was completed; `None` while it waits.
    pub fn completed_at(&self) -> Option<DateTime<Utc>> {
        time(&self.object, "timestamp_completed")
    }
}

/// A new request. It acts on the whole person, in all collections, and cannot be undone.
#[derive(Clone, PartialEq, Eq)]
pub struct NewDataDeletion {
    /// Address of the person.
    pub email: String,
    /// A note for whoever reads the request later.
    pub comment: Option<String>,
}

impl fmt::Debug for NewDataDeletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewDataDeletion").finish_non_exhaustive()
    }
}

const LIST: &str = "GET /data-deletion-requests";

impl Client {
    /// `GET /data-deletion-requests`: one page. All calls for data deletion share six requests a minute.
    ///
    /// # Errors
    ///
    /// Those of any read.
    pub async fn data_deletion_requests(
        &self,
        page: PageRequest,
    ) -> Result<Page<DataDeletionRequest>> {
        let path = ["data-deletion-requests"];
        let answer = self
            .get(LIST, Allowance::DataDeletion, &path, &page.query())
            .await?;
        paging::read_page(LIST, &answer, page.offset)
    }

    /// All requests. An error ends the stream.
    pub fn data_deletion_requests_stream(
        &self,
    ) -> impl Stream<Item = Result<DataDeletionRequest>> + Send + use<> {
        let client = self.clone();
        paging::walk(LIST, PageRequest::default(), move |page| {
            let client = client.clone();
            async move { client.data_deletion_requests(page).await }
        })
    }

    /// `GET /data-deletion-requests/{id}`: one request, or `None`.
    ///
    /// # Errors
    ///
    /// Those of any read.
    pub async fn data_deletion_request(&self, id: &str) -> Result<Option<DataDeletionRequest>> {
        const ENDPOINT: &str = "GET /data-deletion-requests/{id}";
        let path = ["data-deletion-requests", id];
        match self
            .get(ENDPOINT, Allowance::DataDeletion, &path, &[])
            .await
        {
            Ok(answer) => paging::read_object(ENDPOINT, &answer).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `POST /data-deletion-requests`: asks Ometria to anonymise a person.
    ///
    /// Not an upsert, so it is repeated only when the server cannot have acted. After a time-out or a 5xx, look at the
    /// list before asking again. Ometria made this for single objections, not for bulk deletion.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for an empty address, and those of any request.
    pub async fn create_data_deletion_request(
        &self,
        new: &NewDataDeletion,
    ) -> Result<DataDeletionRequest> {
        const ENDPOINT: &str = "POST /data-deletion-requests";
        if new.email.trim().is_empty() {
            return Err(Error::Configuration(
                "a data deletion request needs an address",
            ));
        }
        let mut body = Map::new();
        body.insert("email".to_owned(), new.email.trim().into());
        body.extend(
            new.comment
                .iter()
                .map(|comment| ("comment".to_owned(), comment.clone().into())),
        );
        let body = Bytes::from(Value::Object(body).to_string());
        let path = ["data-deletion-requests"];
        let answer = self
            .post_once(ENDPOINT, Allowance::DataDeletion, &path, body)
            .await?;
        paging::read_object(ENDPOINT, &answer)
    }
}
