//! What both clients need to know before the first request: the key and where to send it.

use std::fmt;
use std::net::IpAddr;

use ::http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::error::{Error, Result};

/// A key of either API.
///
/// Its memory is wiped when the last clone goes, its `Debug` shows nothing, and it cannot be serialised.
#[derive(Clone)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// Takes a key as the operator pasted it; white space around it is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] when nothing is left, or when a character could not stand in an HTTP header.
    pub fn new(key: impl Into<String>) -> Result<Self> {
        let key = SecretString::from(key.into());
        let trimmed = key.expose_secret().trim();
        if trimmed.is_empty() {
            return Err(Error::Configuration("the api key is empty"));
        }
        if !trimmed.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::Configuration(
                "the api key holds a space or a character outside ascii; copy it again",
            ));
        }
        Ok(Self(SecretString::from(trimmed.to_owned())))
    }

    /// The header value, marked sensitive so that HTTP libraries keep it out of their own logs.
    pub(crate) fn header_value(&self) -> Result<HeaderValue> {
        let mut value = HeaderValue::from_str(self.0.expose_secret())
            .map_err(|_| Error::Configuration("the api key does not fit into a header"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(<redacted>)")
    }
}

/// Accepts https anywhere and plain http to this machine only, since the key travels in a header of every request.
pub(crate) fn checked_base_url(url: Url) -> Result<Url> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::Configuration(
            "the base url must not hold a user name or password",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Error::Configuration(
            "the base url must not hold a query or a fragment",
        ));
    }
    match url.scheme() {
        "https" if url.has_host() => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(Error::Configuration(
            "the base url is plain http to another machine, which would show the key; use https",
        )),
        _ => Err(Error::Configuration(
            "the base url must start with https://",
        )),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

/// Appends path segments, each percent-encoded.
///
/// # Errors
///
/// [`Error::Configuration`] for an empty segment, `.` or `..`, which would name another resource than the caller meant.
pub(crate) fn endpoint_url(base: &Url, segments: &[&str]) -> Result<Url> {
    let mut url = base.clone();
    {
        let mut path = url
            .path_segments_mut()
            .map_err(|()| Error::Configuration("the base url cannot carry a path"))?;
        path.pop_if_empty();
        for segment in segments {
            if matches!(*segment, "" | "." | "..") {
                return Err(Error::Configuration(
                    "an id or collection is empty, \".\" or \"..\", which cannot stand in a path",
                ));
            }
            path.push(segment);
        }
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<Url> {
        checked_base_url(Url::parse(text).unwrap())
    }

    #[test]
    fn plain_http_is_refused_except_to_loopback() {
        for good in [
            "https://api.example.com/v2",
            "http://localhost:8080",
            "http://127.0.0.1:1/v2",
            "http://127.9.9.9/",
            "http://[::1]:3/v2/",
        ] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.example.com/v2",
            "http://localhost.example.com/",
            "http://128.0.0.1/",
            "ftp://localhost/",
            "https://user:word@api.example.com/",
            "https://api.example.com/?a=b",
        ] {
            assert!(
                matches!(checked(bad), Err(Error::Configuration(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_key_is_trimmed_checked_and_never_shown() {
        let key = ApiKey::new(" 0123-secret\n").unwrap();
        assert_eq!(key.header_value().unwrap(), "0123-secret");
        assert!(key.header_value().unwrap().is_sensitive());
        assert!(!format!("{key:?}").contains("0123"));
        for bad in ["", "  \t", "two words", "sch\u{fc}ssel"] {
            let error = ApiKey::new(bad).unwrap_err();
            assert!(matches!(error, Error::Configuration(_)));
        }
    }

    #[test]
    fn path_segments_are_encoded_and_cannot_climb() {
        let base = Url::parse("https://api.example.com/v2/").unwrap();
        let url = endpoint_url(&base, &["contacts", "mailchimp:a/b", "x y?z"]).unwrap();
        assert_eq!(url.path(), "/v2/contacts/mailchimp:a%2Fb/x%20y%3Fz");
        for bad in ["", ".", ".."] {
            assert!(endpoint_url(&base, &["contacts", bad]).is_err());
        }
    }
}
