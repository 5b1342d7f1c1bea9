//! Credentials and the data centre they belong to.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};

/// An API key or OAuth token. `Debug` is redacted and there is no `Serialize`.
#[derive(Clone)]
pub struct Credential {
    secret: SecretString,
    kind: Kind,
    scheme: AuthScheme,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    ApiKey,
    OAuthToken,
}

/// How a credential is put into the `Authorization` header. Mailchimp accepts both for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthScheme {
    /// `Basic`, with any user name and the secret as password.
    Basic,
    /// `Bearer`.
    Bearer,
}

impl Credential {
    /// An API key such as `0123…-us6`, sent as `Basic`. White space around it is dropped.
    pub fn api_key(key: impl Into<String>) -> Self {
        Self::new(&key.into(), Kind::ApiKey, AuthScheme::Basic)
    }

    /// An OAuth access token, sent as `Bearer`. It does not name its data centre: give
    /// [`crate::ClientBuilder::data_center`] what [`crate::ClientBuilder::oauth_metadata`] returns.
    pub fn oauth_token(token: impl Into<String>) -> Self {
        Self::new(&token.into(), Kind::OAuthToken, AuthScheme::Bearer)
    }

    fn new(secret: &str, kind: Kind, scheme: AuthScheme) -> Self {
        let secret = SecretString::from(secret.trim().to_owned());
        Self {
            secret,
            kind,
            scheme,
        }
    }

    /// Sends the credential under another scheme.
    #[must_use]
    pub fn scheme(mut self, scheme: AuthScheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// The data centre in an API key: what follows its last `-`.
    ///
    /// Fails with [`Error::Configuration`] for an OAuth token, and for a key whose ending is not
    /// a data centre.
    pub fn data_center(&self) -> Result<DataCenter> {
        if self.kind == Kind::OAuthToken {
            return Err(Error::configuration(
                "data_center",
                "an OAuth token does not name its data centre; set data_center or base_url",
            ));
        }
        let key = self.secret.expose_secret();
        let (_, name) = key.rsplit_once('-').ok_or_else(|| {
            Error::configuration(
                "credential",
                "an API key ends with a data centre, as in `…-us6`; copy the whole key",
            )
        })?;
        name.parse().map_err(|_| {
            Error::configuration(
                "credential",
                "what follows the last `-` of the API key is not a data centre such as us6",
            )
        })
    }

    /// The value of the `Authorization` header, marked sensitive.
    pub(crate) fn authorization(&self) -> Result<HeaderValue> {
        let secret = self.secret.expose_secret();
        if secret.is_empty() {
            return Err(Error::configuration("credential", "it is empty"));
        }
        let text = match self.scheme {
            AuthScheme::Basic => format!("Basic {}", STANDARD.encode(format!("key:{secret}"))),
            AuthScheme::Bearer => format!("Bearer {secret}"),
        };
        sensitive(&text)
    }

    /// The value the OAuth metadata service documents.
    pub(crate) fn oauth_authorization(&self) -> Result<HeaderValue> {
        sensitive(&format!("OAuth {}", self.secret.expose_secret()))
    }
}

fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::configuration("credential", "it holds characters no HTTP header can carry")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("kind", &self.kind)
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

impl From<&str> for Credential {
    /// An API key.
    fn from(key: &str) -> Self {
        Self::api_key(key)
    }
}

impl From<String> for Credential {
    /// An API key.
    fn from(key: String) -> Self {
        Self::api_key(key)
    }
}

/// The name of a Mailchimp data centre, such as `us6`: two to four lower-case letters and one to
/// three digits. It becomes part of a host name, so nothing else is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DataCenter(String);

impl DataCenter {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The API's base URL in this data centre, such as `https://us6.api.mailchimp.com/3.0`.
    pub fn base_url(&self) -> String {
        format!("https://{}.api.mailchimp.com/3.0", self.0)
    }
}

impl FromStr for DataCenter {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let letters = name.bytes().take_while(u8::is_ascii_lowercase).count();
        let digits = name
            .bytes()
            .skip(letters)
            .take_while(u8::is_ascii_digit)
            .count();
        if (2..=4).contains(&letters) && (1..=3).contains(&digits) && letters + digits == name.len()
        {
            Ok(Self(name.to_owned()))
        } else {
            Err(Error::configuration(
                "data_center",
                "a data centre is two to four lower-case letters and one to three digits, as in us6",
            ))
        }
    }
}

impl fmt::Display for DataCenter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
