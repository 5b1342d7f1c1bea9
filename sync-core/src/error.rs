//! The one error of the engine and of every connector.
//!
//! A caller decides by [`Error::kind`] what to tell the operator, and by [`Error::retry`] whether to try again. Messages
//! name an operation and ids; they never hold a key, an address or a body. The cause stays reachable through
//! [`std::error::Error::source`] and is not repeated in the message.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// Result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What went wrong, coarsely: one kind for each thing an operator would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting is wrong or missing: correct it and start again.
    Config,
    /// The other side does not accept the credential, or its role is too low: correct the key.
    Denied,
    /// Something named in the settings does not exist at the other side: correct the name.
    Missing,
    /// The other side could not be reached, timed out, throttles or fails: the next run tries again.
    Unavailable,
    /// The other side answered something that cannot be right: look at it, the next run tries again.
    Invalid,
    /// Somebody else moved the stored state meanwhile: start over from what is stored now.
    Conflict,
    /// The state could not be read or written: look at disk space and permissions.
    State,
}

impl ErrorKind {
    /// One lower-case word, for logs, metrics and stored runs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Denied => "denied",
            Self::Missing => "missing",
            Self::Unavailable => "unavailable",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::State => "state",
        }
    }

    /// What an operator does about it, as one imperative sentence without a full stop.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Config => "correct the setting and start again",
            Self::Denied => "check that the key is right, active and allowed to do this",
            Self::Missing => "check that the id is right and belongs to this account",
            Self::Unavailable => "nothing to do now: the next run goes on where this one stopped",
            Self::Invalid => {
                "look at the answer named here; the next run goes on where this one stopped"
            }
            Self::Conflict => "nothing to do: the next run starts from what is stored now",
            Self::State => "check free space, permissions and the state directory",
        }
    }
}

/// Whether the same call may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same call gives the same answer.
    Never,
    /// It may work later; `after` is the other side's own wish, if it gave one.
    Later {
        /// How long the other side asked to wait.
        after: Option<Duration>,
    },
    /// It was retried as often as is reasonable; only the next run tries again.
    Exhausted,
}

/// What failed, where, and what may be done about it.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    retry: Retry,
    operation: &'static str,
    message: Cow<'static, str>,
    context: Vec<(&'static str, String)>,
    source: Option<Cause>,
}

impl Error {
    /// An error that is not retried. `operation` says what was being done (`"read window"`), `message` what happened;
    /// both lower case, without full stop and without anything personal or secret.
    pub fn new(
        kind: ErrorKind,
        operation: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                retry: Retry::Never,
                operation,
                message: message.into(),
                context: Vec::new(),
                source: None,
            }),
        }
    }

    /// Adds an id or count that helps to find the place. Never a key, an address or a body.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.inner.context.push((name, value.to_string()));
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Cause>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// Says whether the call may be tried again.
    #[must_use]
    pub fn retry_as(mut self, retry: Retry) -> Self {
        self.inner.retry = retry;
        self
    }

    /// What went wrong, coarsely.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Whether the same call may be tried again.
    pub fn retry(&self) -> Retry {
        self.inner.retry
    }

    /// What was being done.
    pub fn operation(&self) -> &'static str {
        self.inner.operation
    }

    /// The ids and counts given by [`Error::with`].
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.inner
            .context
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// The message and all causes, joined by `": "`, for a place that shows one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(next) = cause {
            text.push_str(": ");
            text.push_str(&next.to_string());
            cause = next.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.inner.operation, self.inner.message)?;
        if !self.inner.context.is_empty() {
            f.write_str(" (")?;
            for (i, (name, value)) in self.inner.context.iter().enumerate() {
                let comma = if i == 0 { "" } else { ", " };
                write!(f, "{comma}{name} {value}")?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("retry", &self.inner.retry)
            .field("message", &format_args!("{self}"))
            .field("source", &self.inner.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner
            .source
            .as_ref()
            .map(|cause| &**cause as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_operation_context_and_not_the_cause() {
        let error = Error::new(ErrorKind::Missing, "check audience", "no such audience")
            .with("list_id", "abc")
            .caused_by("status 404");
        assert_eq!(
            error.to_string(),
            "check audience: no such audience (list_id abc)"
        );
        assert_eq!(
            error.chain(),
            "check audience: no such audience (list_id abc): status 404"
        );
    }
}
