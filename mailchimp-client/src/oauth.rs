//! Where an OAuth token belongs.

use std::fmt;

use serde::Deserialize;

use crate::client::Client;
use crate::credential::DataCenter;
use crate::error::{Error, OAuthError, Result, plain_word};
use crate::field::Field;
use crate::path::Path;
use crate::query::Query;

/// The OAuth service, below which `metadata` is.
pub(crate) const OAUTH_BASE: &str = "https://login.mailchimp.com/oauth2";

/// What Mailchimp's OAuth service says about a token. `Debug` leaves names out.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OAuthMetadata {
    /// The data centre of the account: give it to [`crate::ClientBuilder::data_center`].
    pub data_center: DataCenter,
    /// The role of the user the token acts for.
    pub role: Option<String>,
    /// The account's name.
    pub account_name: Option<String>,
    /// The user's id.
    pub user_id: Option<u64>,
}

impl fmt::Debug for OAuthMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthMetadata")
            .field("data_center", &self.data_center)
            .finish_non_exhaustive()
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    dc: Field<String>,
    role: Field<String>,
    accountname: Field<String>,
    user_id: Field<u64>,
    error: Field<String>,
}

/// Asks the service through a client whose base URL is [`OAUTH_BASE`].
///
/// The answer's `api_endpoint` is not used: a host is made from the checked data centre alone.
pub(crate) async fn metadata(client: &Client) -> Result<OAuthMetadata> {
    let path = Path::new("/metadata", &[])?;
    let answer: Answer = client.get(&path, &Query::new()).await?.into_value();
    // A dead token is answered with 200, an `error` and no data centre.
    match (answer.error, answer.dc.into_value()) {
        (Field::Absent | Field::Null, Some(dc)) => Ok(OAuthMetadata {
            data_center: dc.parse()?,
            role: answer.role.into_value(),
            account_name: answer.accountname.into_value(),
            user_id: answer.user_id.into_value(),
        }),
        (error, _) => Err(Error::OAuth(Box::new(OAuthError {
            error: error.as_str().and_then(plain_word),
        }))),
    }
}
