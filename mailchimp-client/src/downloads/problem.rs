//! Why a file did not come.

use std::fmt;

use crate::transport::{TransportError, TransportErrorKind};

/// A download that did not give the whole file. What came until then is good.
///
/// Does not show the link: who has it has the file.
#[derive(Debug, thiserror::Error)]
#[error(
    "download ended at byte {position}: {problem}{}",
    if *retries_spent { ", retries spent" } else { "" }
)]
#[non_exhaustive]
pub struct DownloadError {
    /// What happened.
    pub problem: DownloadProblem,
    /// How many bytes of the file there are until here, those of earlier downloads included.
    pub position: u64,
    /// Whether the download was tried as often as the retry policy allows.
    pub retries_spent: bool,
    /// What the transport reported, if it was the connection.
    #[source]
    pub source: Option<TransportError>,
}

/// What keeps a file from coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownloadProblem {
    /// The address, or one it redirects to, is not an https URL, or holds a user name.
    Link,
    /// The host is not on the public internet: its address, or all that its name stands for, are
    /// private, loopback, link-local or otherwise special.
    PrivateAddress,
    /// The host redirects more often than is allowed, or nowhere.
    Redirect,
    /// The host answered with this status.
    Status(u16),
    /// The connection failed; [`TransportErrorKind::Timeout`] when nothing came for too long.
    Transport(TransportErrorKind),
    /// The file has another size than it should.
    Size {
        /// The size it should have, in bytes.
        expected: u64,
        /// The size the host announced, or what came of it.
        actual: u64,
    },
    /// The file is larger than is allowed.
    TooLarge {
        /// What is allowed, in bytes.
        limit: u64,
    },
    /// The host answered with another part of the file than it was asked for.
    Range,
    /// The file changed while it was read. Begin again.
    Changed,
    /// The transfer broke off, and the host never told what the file is known by, so nothing
    /// would tell whether the rest is of the same file. Begin again.
    NotResumable,
    /// The host packed the file although it was asked not to.
    Encoded,
}

impl fmt::Display for DownloadProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link => f.write_str("its address is not an https address"),
            Self::PrivateAddress => f.write_str("its host is not on the public internet"),
            Self::Redirect => f.write_str("its host redirects more than is allowed"),
            Self::Status(status) => write!(f, "its host answered {status}"),
            Self::Transport(kind) => write!(f, "the transfer {}", kind.as_message()),
            Self::Size { expected, actual } => {
                write!(f, "it has {actual} bytes and should have {expected}")
            }
            Self::TooLarge { limit } => write!(f, "it has more than {limit} bytes"),
            Self::Range => f.write_str("its host sent another part than was asked for"),
            Self::Changed => f.write_str("it changed meanwhile"),
            Self::NotResumable => f.write_str("its host gives nothing to go on by"),
            Self::Encoded => f.write_str("its host packed it unasked"),
        }
    }
}
