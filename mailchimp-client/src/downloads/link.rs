//! Links out of answers: checked, then opened without the credential.

use std::error::Error as StdError;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request};
use tokio::time::{Instant, timeout};
use url::{Host, Url};

use super::address::{NotPublic, is_allowed};
use super::problem::DownloadProblem;
use crate::config::is_safe_for_secrets;
use crate::error::Operation;
use crate::hooks::{Outcome, RequestEvent};
use crate::http::Wire;
use crate::transport::{TransportError, TransportErrorKind, TransportResponse};

/// A link that may be opened. Not shown by `Debug`: who has it has the file.
#[derive(Clone)]
pub(crate) struct Link(Url);

impl Link {
    /// Checks a link as it stands in an answer. Whether its name leads anywhere it must not is
    /// for the resolver to say, when it is opened.
    pub(crate) fn parse(text: &str, loopback: bool) -> Result<Self, DownloadProblem> {
        Self::check(
            Url::parse(text).map_err(|_| DownloadProblem::Link)?,
            loopback,
        )
    }

    fn check(url: Url, loopback: bool) -> Result<Self, DownloadProblem> {
        let is_loopback_http = loopback && url.scheme() == "http" && is_safe_for_secrets(&url);
        if url.scheme() != "https" && !is_loopback_http {
            return Err(DownloadProblem::Link);
        }
        // The transport would make a header of them.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(DownloadProblem::Link);
        }
        let address = match url.host() {
            None => return Err(DownloadProblem::Link),
            Some(Host::Domain(_)) => return Ok(Self(url)),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
        };
        if is_allowed(address, loopback) {
            Ok(Self(url))
        } else {
            Err(DownloadProblem::PrivateAddress)
        }
    }

    /// Where a redirect from here leads.
    fn follow(&self, headers: &HeaderMap, loopback: bool) -> Result<Self, DownloadProblem> {
        let target = headers
            .get(LOCATION)
            .and_then(|location| location.to_str().ok())
            .and_then(|location| self.0.join(location).ok())
            .ok_or(DownloadProblem::Redirect)?;
        Self::check(target, loopback)
    }
}

/// How a link is opened.
pub(crate) struct Ask<'a> {
    /// What errors and hooks call it.
    pub(crate) operation: &'a Operation,
    /// Headers beside those of every request.
    pub(crate) headers: HeaderMap,
    /// How many redirects may be followed.
    pub(crate) redirects: u8,
    /// How long an answer may take to begin.
    pub(crate) patience: Duration,
}

/// Why a link gave no answer.
#[derive(Debug)]
pub(crate) enum Unopened {
    /// It may not be opened.
    Refused(DownloadProblem),
    /// No answer came.
    Failed(TransportError),
}

impl Wire {
    /// Opens a link that is not Mailchimp's API: without the credential, and without a slot, as
    /// it takes none of Mailchimp's connections. Answers of every status are given back, those
    /// that redirect once no more of them may be followed. The body is left to be read.
    pub(crate) async fn open(
        &self,
        link: &Link,
        ask: &Ask<'_>,
    ) -> Result<TransportResponse, Unopened> {
        let mut link = link.clone();
        let mut redirects = ask.redirects;
        loop {
            let response = self.open_once(&link, ask).await?;
            if !is_redirect(&response) || redirects == 0 {
                return Ok(response);
            }
            redirects -= 1;
            link = link
                .follow(&response.headers, self.loopback_links)
                .map_err(Unopened::Refused)?;
        }
    }

    async fn open_once(&self, link: &Link, ask: &Ask<'_>) -> Result<TransportResponse, Unopened> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = link
            .0
            .as_str()
            .parse()
            .map_err(|_| Unopened::Refused(DownloadProblem::Link))?;
        *request.headers_mut() = ask.headers.clone();
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, self.user_agent.clone());
        // What is stored there is what is wanted, however well it could be packed on the way.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let transport = self.download_transport().map_err(Unopened::Failed)?;
        let started = Instant::now();
        let result = match timeout(ask.patience, transport.send(request)).await {
            Ok(result) => result,
            Err(_) => Err(TransportError::new(TransportErrorKind::Timeout)),
        };
        self.hooks.on_request(&RequestEvent {
            method: ask.operation.method(),
            path: ask.operation.template(),
            attempt: 1,
            outcome: match &result {
                Ok(response) => Outcome::Status(response.status.as_u16()),
                Err(error) => Outcome::Failed(error.kind()),
            },
            elapsed: started.elapsed(),
            response_bytes: 0,
            limit: self.limiter.limit(),
        });
        result.map_err(|error| {
            if is_refused_name(&error) {
                Unopened::Refused(DownloadProblem::PrivateAddress)
            } else {
                Unopened::Failed(error)
            }
        })
    }
}

fn is_redirect(response: &TransportResponse) -> bool {
    matches!(response.status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Whether the resolver refused the name, which is at the end of the chain of causes.
fn is_refused_name(error: &TransportError) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_public_https_addresses_without_a_password() {
        let check = |text, loopback| Link::parse(text, loopback).err();
        for good in [
            "https://gallery.mailchimp.com/a/b.png?x=1",
            "https://files.example:8443/",
            "https://1.1.1.1/x",
            "https://[2606:4700::1]/x",
        ] {
            assert_eq!(check(good, false), None, "{good}");
        }
        for bad in [
            "",
            "files/x",
            "http://files.example/x",
            "ftp://files.example/x",
            "file:///etc/passwd",
            "https://user@files.example/x",
            "https://user:word@files.example/x",
            "http://127.0.0.1/x",
        ] {
            assert_eq!(check(bad, false), Some(DownloadProblem::Link), "{bad}");
        }
        // The parser knows every spelling of an address.
        for private in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.0.0.1/",
            "https://0177.0.0.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[fd00::1]/",
        ] {
            let problem = check(private, false);
            assert_eq!(problem, Some(DownloadProblem::PrivateAddress), "{private}");
        }
    }

    #[test]
    fn loopback_is_allowed_by_setting_alone() {
        let check = |text| Link::parse(text, true).err();
        for good in [
            "http://127.0.0.1:8080/x",
            "http://localhost/x",
            "http://[::1]/x",
            "https://127.0.0.1/x",
        ] {
            assert_eq!(check(good), None, "{good}");
        }
        assert_eq!(check("http://files.example/"), Some(DownloadProblem::Link));
        assert_eq!(check("http://10.0.0.1/"), Some(DownloadProblem::Link));
        let private = Some(DownloadProblem::PrivateAddress);
        assert_eq!(check("https://10.0.0.1/"), private);
    }
}
