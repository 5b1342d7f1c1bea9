//! What can go wrong on the wire, and what a caller may conclude from it.
//!
//! No message, `Debug` output or source in here holds a credential, an e-mail address or a body:
//! Mailchimp's problem details quote addresses, and `serde_json` and `reqwest` quote the values
//! and URLs they choke on. What is dangerous to print is reachable through methods instead.

use std::borrow::Cow;
use std::fmt;

use http::Method;

use crate::downloads::DownloadError;
use crate::problem::Problem;
use crate::transport::{TransportError, TransportErrorKind};

/// A result whose error is [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call did not give what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting of the client is wrong; no request was made.
    #[error(transparent)]
    Configuration(#[from] Box<ConfigurationError>),
    /// An argument cannot be turned into a request; no request was made.
    #[error(transparent)]
    Request(#[from] Box<RequestError>),
    /// No complete answer arrived.
    #[error(transparent)]
    Transport(#[from] Box<TransportFailure>),
    /// An answer arrived and its status says no.
    #[error(transparent)]
    Api(#[from] Box<ApiError>),
    /// The answer said yes, but its body is not what is documented.
    #[error(transparent)]
    Decode(#[from] Box<DecodeError>),
    /// The answer is larger than the client was told to accept.
    #[error(transparent)]
    TooLarge(#[from] Box<TooLarge>),
    /// A collection did not end: the server gave the same full page twice, or too many pages.
    #[error(transparent)]
    EndlessPages(#[from] Box<EndlessPages>),
    /// The OAuth metadata service did not accept the token.
    #[error(transparent)]
    OAuth(#[from] Box<OAuthError>),
    /// The result archive of a batch is broken, hostile or too large.
    #[error(transparent)]
    Archive(#[from] Box<ArchiveError>),
    /// A file on another host did not come, or not as it should.
    #[error(transparent)]
    Download(#[from] Box<DownloadError>),
    /// A batch did not finish, or had no results to fetch, in the time allowed.
    #[error(transparent)]
    BatchNotReady(#[from] Box<BatchNotReady>),
}

impl Error {
    /// The HTTP status, when the server gave one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api(error) => Some(error.status),
            _ => None,
        }
    }

    /// The id Mailchimp's support asks for, when an answer carried one.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Api(error) => error.request_id.as_deref(),
            Self::Decode(error) => error.request_id.as_deref(),
            _ => None,
        }
    }

    /// The parsed problem document, when the answer was one. Its detail may quote an address.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Api(error) => error.problem.as_ref(),
            _ => None,
        }
    }

    /// The server asked us to slow down: a 429, or a 403 without a problem document, which is
    /// Mailchimp's throttle at very high volume or its firewall.
    ///
    /// See <https://mailchimp.com/developer/marketing/docs/fundamentals/#throttling>.
    pub fn is_throttle(&self) -> bool {
        match self {
            Self::Api(error) => is_throttle(error.status, error.problem.is_some()),
            _ => false,
        }
    }

    /// The request timed out or the server failed (5xx): a smaller request may succeed.
    pub fn is_timeout_or_server(&self) -> bool {
        match self {
            Self::Api(error) => error.status >= 500,
            Self::Transport(failure) => failure.is_timeout(),
            _ => false,
        }
    }

    /// The thing asked for does not exist (404).
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// The credential was refused (401), or the OAuth service says the token is dead.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::OAuth(_)) || self.status() == Some(401)
    }

    /// The request may have had its effect although no answer says so.
    pub fn may_have_been_sent(&self) -> bool {
        match self {
            Self::Transport(failure) => failure.may_have_been_sent,
            Self::Api(error) => error.may_have_been_sent,
            Self::Decode(_) | Self::TooLarge(_) => true,
            _ => false,
        }
    }

    /// The client repeated the request as often as its policy allows. Repeating it at once from
    /// outside multiplies the load without raising the chance of success.
    pub fn retries_spent(&self) -> bool {
        match self {
            Self::Api(error) => error.retries_spent,
            Self::Transport(failure) => failure.retries_spent,
            Self::Download(error) => error.retries_spent,
            _ => false,
        }
    }

    pub(crate) fn configuration(
        setting: &'static str,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Configuration(Box::new(ConfigurationError {
            setting,
            reason: reason.into(),
        }))
    }

    pub(crate) fn request(argument: &'static str, reason: &'static str) -> Self {
        Self::Request(Box::new(RequestError { argument, reason }))
    }
}

/// Whether an answer asks us to slow down; see [`Error::is_throttle`].
pub(crate) fn is_throttle(status: u16, has_problem: bool) -> bool {
    status == 429 || (status == 403 && !has_problem)
}

/// Method and path template of a request, such as `GET /lists/{list_id}`: names what was
/// attempted without naming whom it concerned.
#[derive(Clone, PartialEq, Eq)]
pub struct Operation {
    method: Method,
    template: Cow<'static, str>,
}

impl Operation {
    pub(crate) fn new(method: Method, template: Cow<'static, str>) -> Self {
        Self { method, template }
    }

    /// The HTTP method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path with placeholders, such as `/lists/{list_id}/members`.
    pub fn template(&self) -> &str {
        &self.template
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.template)
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A setting of the client that cannot work.
#[derive(Debug, thiserror::Error)]
#[error("invalid {setting}: {reason}")]
#[non_exhaustive]
pub struct ConfigurationError {
    /// The setting at fault, by its name in [`crate::ClientBuilder`].
    pub setting: &'static str,
    /// What is wrong with it and what would be right.
    pub reason: Cow<'static, str>,
}

/// An argument that cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("request not sent: {argument} {reason}")]
#[non_exhaustive]
pub struct RequestError {
    /// The argument at fault.
    pub argument: &'static str,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// A request without a complete answer.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}, attempt {attempts}{}", kind.as_message(), spent(*retries_spent))]
#[non_exhaustive]
pub struct TransportFailure {
    /// What was attempted.
    pub operation: Operation,
    /// How it failed.
    pub kind: TransportErrorKind,
    /// `false` only when the request certainly never left this machine.
    pub may_have_been_sent: bool,
    /// How many times the request was tried.
    pub attempts: u32,
    /// Whether the retry policy allowed no further try.
    pub retries_spent: bool,
    /// What the transport reported.
    #[source]
    pub source: TransportError,
}

impl TransportFailure {
    /// Whether time ran out, on our side or the transport's.
    pub fn is_timeout(&self) -> bool {
        self.kind == TransportErrorKind::Timeout
    }
}

/// An answer whose status is not a success.
#[derive(Debug, thiserror::Error)]
#[error(
    "{operation} answered {status}{}{}{}",
    problem.as_ref().map(Problem::printable_title).unwrap_or_default(),
    printable_id(request_id.as_deref()),
    spent(*retries_spent)
)]
#[non_exhaustive]
pub struct ApiError {
    /// What was attempted.
    pub operation: Operation,
    /// The HTTP status.
    pub status: u16,
    /// The problem document, when the body was one. CDN and firewall answers are HTML.
    pub problem: Option<Problem>,
    /// `X-Request-Id` of the answer, or the problem's `instance`; `None` if that is no plain word.
    pub request_id: Option<String>,
    /// Whether this or an earlier try may have had its effect. A 404 or 405 after a lost answer
    /// can mean that the first try did what was asked.
    pub may_have_been_sent: bool,
    /// How many times the request was tried.
    pub attempts: u32,
    /// Whether the status was worth repeating and the retry policy allowed no further try.
    pub retries_spent: bool,
}

/// A successful answer with a body of the wrong shape.
#[derive(Debug, thiserror::Error)]
#[error(
    "{operation} answered with unexpected JSON: {problem} at {path}{}",
    printable_id(request_id.as_deref())
)]
#[non_exhaustive]
pub struct DecodeError {
    /// What was attempted.
    pub operation: Operation,
    /// Where in the document, such as `members[3].tags[0].id`; `$` is the whole.
    pub path: String,
    /// What is wrong there.
    pub problem: DecodeProblem,
    /// `X-Request-Id` of the answer.
    pub request_id: Option<String>,
}

/// What is wrong with a JSON document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeProblem {
    /// It ends before it is complete, or is empty.
    Truncated,
    /// It is not JSON, is not UTF-8, or is nested deeper than 128 levels where it is parsed.
    Syntax,
    /// It is JSON of another shape.
    Shape,
    /// A collection lacks its array of items.
    MissingItems,
}

impl fmt::Display for DecodeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the document ends early",
            Self::Syntax => "not valid JSON",
            Self::Shape => "a value of another kind",
            Self::MissingItems => "no array of items",
        })
    }
}

/// An answer above the configured size.
#[derive(Debug, thiserror::Error)]
#[error("{operation} answered with more than {limit} bytes, which is the configured body limit")]
#[non_exhaustive]
pub struct TooLarge {
    /// What was attempted.
    pub operation: Operation,
    /// The limit in decoded bytes.
    pub limit: u64,
}

/// A collection that does not end.
#[derive(Debug, thiserror::Error)]
#[error("{operation} does not end: page at offset {offset} repeats or exceeds the page limit")]
#[non_exhaustive]
pub struct EndlessPages {
    /// What was attempted.
    pub operation: Operation,
    /// Where the walk stopped: the rows before it.
    pub offset: u64,
}

/// A token the OAuth metadata service refuses.
///
/// The service answers a dead token with HTTP 200 and an `error` member.
#[derive(Debug, thiserror::Error)]
#[error("the OAuth token is not accepted: connect the account again")]
#[non_exhaustive]
pub struct OAuthError {
    /// The service's `error`, such as `invalid_token`, when it gave one plain word.
    pub error: Option<String>,
}

/// A result archive that cannot be trusted or read.
#[derive(Debug, thiserror::Error)]
#[error("batch result archive refused: {reason}")]
#[non_exhaustive]
pub struct ArchiveError {
    /// What is wrong with it.
    pub reason: ArchiveProblem,
}

/// What is wrong with a result archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArchiveProblem {
    /// The archive ends in the middle.
    Truncated,
    /// The gzip stream is broken.
    Gzip,
    /// A tar header is broken.
    Header,
    /// An entry's name leaves the archive (`..` or an absolute path).
    PathTraversal,
    /// An entry is neither file nor directory (link, device …).
    EntryKind,
    /// A file is not an array of JSON results.
    Content,
    /// More bytes or files than allowed.
    TooLarge,
    /// The link is not https, not a URL at all, or leads to a host that is not public.
    Link,
}

impl fmt::Display for ArchiveProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "it ends early",
            Self::Gzip => "its compression is broken",
            Self::Header => "a tar header is broken",
            Self::PathTraversal => "an entry's name leaves the archive",
            Self::EntryKind => "an entry is neither a file nor a directory",
            Self::Content => "a file is not an array of results",
            Self::TooLarge => "it unpacks to more than is allowed",
            Self::Link => "its address is not a public https address",
        })
    }
}

/// A batch that is not there yet.
#[derive(Debug, thiserror::Error)]
#[error("the batch is {status} and has no results to fetch yet")]
#[non_exhaustive]
pub struct BatchNotReady {
    /// The status last seen.
    pub status: String,
}

fn spent(retries_spent: bool) -> &'static str {
    if retries_spent { ", retries spent" } else { "" }
}

/// What a server sent as an id or a word of its own, if it looks like one: a proxy may put anything into a header, and
/// errors are printed whole.
pub(crate) fn plain_word(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (!text.is_empty() && text.len() <= 64 && text.bytes().all(plain)).then(|| text.to_owned())
}

/// A request id as ` (request id …)`.
fn printable_id(id: Option<&str>) -> String {
    id.map_or_else(String::new, |id| format!(" (request id {id})"))
}
