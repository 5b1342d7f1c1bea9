//! Who unsubscribed in Ometria itself.

use chrono::{DateTime, Utc};
use futures::Stream;

use crate::client::{Allowance, Client};
use crate::document::{document, text, time};
use crate::error::Result;
use crate::paging::{self, Page, PageRequest};

document! {
    /// One person leaving, by a way other than the API.
    Unsubscribe
}

impl Unsubscribe {
    /// The profile that left.
    pub fn profile_id(&self) -> Option<&str> {
        text(&self.object, "profile_id")
    }

    /// Its address.
    pub fn email_address(&self) -> Option<&str> {
        text(&self.object, "email_address")
    }

    /// How it left.
    pub fn unsubscribe_type(&self) -> Option<UnsubscribeType> {
        text(&self.object, "type").map(UnsubscribeType::from)
    }

    /// When it left.
    pub fn timestamp(&self) -> Option<DateTime<Utc>> {
        time(&self.object, "timestamp")
    }
}

/// How someone unsubscribed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnsubscribeType {
    /// In the preference centre.
    PreferencesCentre,
    /// By a user of the Ometria application.
    App,
    /// By the mail program's unsubscribe button.
    ListUnsubscribe,
    /// By the link in a mail.
    LinkUnsubscribe,
    /// By an SMS stop word to a toll-free number.
    StopwordTollFree,
    /// By an SMS stop word to a number of its own.
    StopwordDedicated,
    /// In a way this crate does not know.
    Other(String),
}

impl UnsubscribeType {
    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::PreferencesCentre => "preferences_centre",
            Self::App => "app",
            Self::ListUnsubscribe => "list_unsubscribe",
            Self::LinkUnsubscribe => "link_unsubscribe",
            Self::StopwordTollFree => "stopword_unsubscribe_TF",
            Self::StopwordDedicated => "stopword_unsubscribe_DO",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for UnsubscribeType {
    fn from(word: &str) -> Self {
        match word {
            "preferences_centre" => Self::PreferencesCentre,
            "app" => Self::App,
            "list_unsubscribe" => Self::ListUnsubscribe,
            "link_unsubscribe" => Self::LinkUnsubscribe,
            "stopword_unsubscribe_TF" => Self::StopwordTollFree,
            "stopword_unsubscribe_DO" => Self::StopwordDedicated,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// Which unsubscribes to list; times are sent as whole seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListUnsubscribes {
    /// Only those since this time.
    pub since: Option<DateTime<Utc>>,
    /// Only those before this time.
    pub before: Option<DateTime<Utc>>,
    /// Only those of this type.
    pub unsubscribe_type: Option<UnsubscribeType>,
    /// Which page.
    pub page: PageRequest,
}

const ENDPOINT: &str = "GET /unsubscribes";

impl Client {
    /// `GET /unsubscribes`: one page. Unsubscribes that were pushed through the API are not in it.
    ///
    /// # Errors
    ///
    /// Those of any read.
    pub async fn unsubscribes(&self, query: &ListUnsubscribes) -> Result<Page<Unsubscribe>> {
        let time = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%S").to_string();
        let mut pairs = query.page.query().to_vec();
        pairs.extend(query.since.map(|since| ("since", time(since))));
        pairs.extend(query.before.map(|before| ("before", time(before))));
        pairs.extend(
            query
                .unsubscribe_type
                .iter()
                .map(|way| ("type", way.as_str().to_owned())),
        );
        let answer = self
            .get(ENDPOINT, Allowance::Read, &["unsubscribes"], &pairs)
            .await?;
        paging::read_page(ENDPOINT, &answer, query.page.offset)
    }

    /// All unsubscribes from the asked page on. An error ends the stream.
    pub fn unsubscribes_stream(
        &self,
        query: ListUnsubscribes,
    ) -> impl Stream<Item = Result<Unsubscribe>> + Send + use<> {
        let client = self.clone();
        paging::walk(ENDPOINT, query.page, move |page| {
            let (client, query) = (
                client.clone(),
                ListUnsubscribes {
                    page,
                    ..query.clone()
                },
            );
            async move { client.unsubscribes(&query).await }
        })
    }
}
