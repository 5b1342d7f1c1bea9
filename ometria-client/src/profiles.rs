//! Profiles: what Ometria makes of all listings of a person. They can be read, never written.

use chrono::NaiveDate;
use futures::Stream;
use serde_json::Value;

use crate::client::{Allowance, Client};
use crate::document::{document, text};
use crate::error::{Result, decode_error};
use crate::paging::{self, Page, PageRequest};

document! {
    /// One person as Ometria sees them, read from all their listings.
    Profile
}

impl Profile {
    /// Ometria's id of the profile.
    pub fn id(&self) -> Option<&str> {
        text(&self.object, "id")
    }

    /// Address.
    pub fn email(&self) -> Option<&str> {
        text(&self.object, "email")
    }

    /// The shop's key of the person.
    pub fn customer_id(&self) -> Option<&str> {
        text(&self.object, "customer_id")
    }

    /// Whether Ometria may send marketing e-mail to the person.
    pub fn marketing_optin(&self) -> MarketingOptin {
        MarketingOptin::read(self.object.get("marketing_optin"))
    }
}

/// Consent as Ometria reports it.
///
/// Only [`OptedIn`](Self::OptedIn) means yes. A value this client does not understand stays apart from "nothing known",
/// so that nobody takes it for the absence of an opt-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MarketingOptin {
    /// `true` or `EXPLICITLY_OPTEDIN`.
    OptedIn,
    /// `false` or `EXPLICITLY_OPTEDOUT`.
    OptedOut,
    /// `null` or `NOT_SPECIFIED`.
    NotSpecified,
    /// The answer has no such field.
    Absent,
    /// The answer has something else there.
    Unrecognised,
}

impl MarketingOptin {
    pub(crate) fn read(value: Option<&Value>) -> Self {
        match value {
            None => Self::Absent,
            Some(Value::Null) => Self::NotSpecified,
            Some(Value::Bool(true)) => Self::OptedIn,
            Some(Value::Bool(false)) => Self::OptedOut,
            Some(Value::String(word)) => match word.as_str() {
                "EXPLICITLY_OPTEDIN" => Self::OptedIn,
                "EXPLICITLY_OPTEDOUT" => Self::OptedOut,
                "NOT_SPECIFIED" => Self::NotSpecified,
                _ => Self::Unrecognised,
            },
            Some(_) => Self::Unrecognised,
        }
    }
}

/// Which profiles to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListProfiles {
    /// Which page. Ometria allows at most 250 profiles in one.
    pub page: PageRequest,
    /// Only profiles updated since this day. Moves between dynamic segments do not count as updates.
    pub updated_since: Option<NaiveDate>,
}

const LIST: &str = "GET /profiles";

impl Client {
    /// `GET /profiles`: one page.
    ///
    /// # Errors
    ///
    /// Those of any read.
    pub async fn profiles(&self, query: &ListProfiles) -> Result<Page<Profile>> {
        let mut pairs = query.page.query().to_vec();
        pairs.extend(
            query
                .updated_since
                .map(|day| ("updateSince", day.to_string())),
        );
        let answer = self
            .get(LIST, Allowance::Read, &["profiles"], &pairs)
            .await?;
        paging::read_page(LIST, &answer, query.page.offset)
    }

    /// All profiles from the asked page on. An error ends the stream.
    pub fn profiles_stream(
        &self,
        query: ListProfiles,
    ) -> impl Stream<Item = Result<Profile>> + Send + use<> {
        let client = self.clone();
        paging::walk(LIST, query.page, move |page| {
            let client = client.clone();
            async move { client.profiles(&ListProfiles { page, ..query }).await }
        })
    }

    /// `GET /profiles/{profile_id}`: one profile, or `None` when there is none of this id.
    ///
    /// # Errors
    ///
    /// Those of any read.
    pub async fn profile(&self, profile_id: &str) -> Result<Option<Profile>> {
        const ENDPOINT: &str = "GET /profiles/{profile_id}";
        match self
            .get(ENDPOINT, Allowance::Read, &["profiles", profile_id], &[])
            .await
        {
            Ok(answer) => paging::read_object(ENDPOINT, &answer).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `GET /profiles?email=`: the profile with this address, or `None`.
    ///
    /// Ometria documents an object and is used as if it sent an array; both are read, and 404, `null`, `{}` and an empty
    /// array all mean that there is none.
    ///
    /// # Errors
    ///
    /// Those of any read.
    pub async fn profile_by_email(&self, email: &str) -> Result<Option<Profile>> {
        const ENDPOINT: &str = "GET /profiles?email=";
        let query = [("email", email.to_owned())];
        let answer = match self
            .get(ENDPOINT, Allowance::Read, &["profiles"], &query)
            .await
        {
            Ok(answer) => answer,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let unexpected = |path| decode_error(ENDPOINT, answer.response.status(), path, "a profile");
        match serde_json::from_slice(answer.response.body()) {
            Ok(Value::Null) => Ok(None),
            Ok(Value::Object(object)) if object.is_empty() => Ok(None),
            Ok(Value::Object(object)) => Ok(Some(Profile { object })),
            Ok(Value::Array(items)) => match items.into_iter().next() {
                None => Ok(None),
                Some(Value::Object(object)) => Ok(Some(Profile { object })),
                Some(_) => Err(unexpected("$[0]")),
            },
            _ => Err(unexpected("$")),
        }
    }
}
