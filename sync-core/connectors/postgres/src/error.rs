//! What the server says, in the engine's words.

use std::fmt::{self, Write as _};
use std::io;

use sync_core::{Error, ErrorKind, Retry};
use tokio_postgres::error::DbError;

/// Why something at the server did not happen.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server refused, or the way to it broke.
    Server(tokio_postgres::Error),
    /// The server refused what the rows hold, so that fewer of them may pass.
    Rows(tokio_postgres::Error),
    /// No answer came in time.
    TimedOut,
    /// We refuse.
    Ours(Error),
}

/// What may be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The session is of no use any more; the same on a new one may work.
    Reconnect,
    /// The same again may work: others were in the way.
    Repeat,
    /// Somebody changed the table meanwhile: the same again works, if that is all.
    Look,
    /// The same gives the same.
    Stop,
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl Failure {
    /// The failure of a statement that brings rows.
    pub(crate) fn of_rows(error: tokio_postgres::Error) -> Self {
        match error.code().map(|code| code.code().as_bytes()) {
            // Data, constraints, limits, and what a trigger raises.
            Some([b'2', b'2' | b'3', ..] | [b'5', b'4', ..] | b"P0001") => Self::Rows(error),
            _ => Self::Server(error),
        }
    }

    pub(crate) fn next(&self) -> Next {
        match self {
            Self::Server(error) => classify(error).1,
            Self::TimedOut => Next::Reconnect,
            Self::Rows(_) | Self::Ours(_) => Next::Stop,
        }
    }

    /// Why a single row was refused. Holds names, never what the row holds.
    pub(crate) fn refusal(error: &tokio_postgres::Error) -> String {
        let Some(said) = error.as_db_error() else {
            return "postgres refused the record".to_owned();
        };
        let mut reason = format!(
            "postgres refused the record (sqlstate {}",
            said.code().code()
        );
        for (what, name) in [
            ("table", said.table()),
            ("column", said.column()),
            ("constraint", said.constraint()),
        ] {
            if let Some(name) = name {
                // Writing into a string cannot fail.
                let _ = write!(reason, ", {what} {name}");
            }
        }
        reason.push_str("): ");
        reason.push_str(match said.code().code() {
            "54000" => "it is too large for a row or its key for an index; leave out fields",
            "54001" => "it is nested too deeply",
            code if code.starts_with("23") => "it breaks a constraint that was added to the table",
            _ => "the server cannot hold what it says",
        });
        reason
    }

    /// What the engine is told when `operation` met this. `spent` says that it was tried as often as is reasonable.
    pub(crate) fn translate(self, operation: &'static str, spent: bool) -> Error {
        let (kind, message, error) = match self {
            Self::Ours(error) => return error,
            Self::TimedOut => {
                return Error::new(
                    ErrorKind::Unavailable,
                    operation,
                    "the server did not answer in time",
                )
                .retry_as(retry(ErrorKind::Unavailable, spent));
            }
            Self::Rows(error) => (ErrorKind::Invalid, "the server refuses the rows", error),
            Self::Server(error) => {
                let (kind, _, message) = classify(&error);
                (kind, message, error)
            }
        };
        let translated = Error::new(kind, operation, message).retry_as(retry(kind, spent));
        match Said::of(&error) {
            Some(said) => translated.with("sqlstate", &said.code).caused_by(said),
            None => translated.caused_by(error),
        }
    }
}

fn retry(kind: ErrorKind, spent: bool) -> Retry {
    match kind {
        ErrorKind::Unavailable if spent => Retry::Exhausted,
        ErrorKind::Unavailable => Retry::Later { after: None },
        _ => Retry::Never,
    }
}

/// One line for each thing that an operator would do.
fn classify(error: &tokio_postgres::Error) -> (ErrorKind, Next, &'static str) {
    match error.code() {
        Some(code) => classify_code(code.code()),
        None => classify_transport(error),
    }
}

fn classify_code(code: &str) -> (ErrorKind, Next, &'static str) {
    use ErrorKind::{Config, Denied, Invalid, Missing, Unavailable};
    match code {
        "28P01" => (
            Denied,
            Next::Stop,
            "the server does not accept this password for this user",
        ),
        "28000" => (
            Denied,
            Next::Stop,
            "the server lets this user in nowhere or not like this: check user, sslmode and pg_hba.conf",
        ),
        "3D000" | "57P04" => (
            Missing,
            Next::Stop,
            "there is no such database: create it, or correct its name",
        ),
        "3F000" => (Missing, Next::Look, "the schema is gone"),
        "42501" => (
            Denied,
            Next::Stop,
            "the role may not do this: grant it what the cause names",
        ),
        "53100" => (
            Unavailable,
            Next::Stop,
            "the server's disk is full: free some space and run again, what was committed is kept",
        ),
        "53200" => (Unavailable, Next::Repeat, "the server has no memory left"),
        "53300" => (
            Unavailable,
            Next::Reconnect,
            "the server takes no more connections: close some, or raise max_connections or the role's limit",
        ),
        "53400" => (
            Unavailable,
            Next::Stop,
            "a limit set at the server is reached, such as temp_file_limit",
        ),
        "57014" => (
            Unavailable,
            Next::Stop,
            "a statement was cancelled, or took longer than statement_seconds",
        ),
        "25006" => (
            Unavailable,
            Next::Reconnect,
            "the server takes no writes: it is a standby, or the role is set to read only",
        ),
        "40001" | "40P01" | "55P03" | "55006" => {
            (Unavailable, Next::Repeat, "other sessions were in the way")
        }
        "42P01" | "42P06" | "42P07" | "42701" | "42703" | "42710" | "42804" | "23505" => (
            Invalid,
            Next::Look,
            "the table is not what it was when the statement was made, or something else has its name",
        ),
        "54011" => (
            Config,
            Next::Stop,
            "the table has no room for another column, dropped ones counted: make it anew",
        ),
        "42P10" => (
            Config,
            Next::Stop,
            "the table has no primary key on _key: it is none that this sink made",
        ),
        "42809" => (Config, Next::Stop, "what has the table's name is no table"),
        "0A000" | "2BP01" => (
            Config,
            Next::Stop,
            "a view or something else uses a column that must become wider: drop it, run again, and create it anew",
        ),
        "26000" | "42P05" => (
            Config,
            Next::Stop,
            "a pooler hands out other sessions between statements: use its session mode",
        ),
        _ if code.starts_with("08") || code.starts_with("57P") || code == "25P03" => {
            (Unavailable, Next::Reconnect, "the server ended the session")
        }
        _ if code.starts_with("58") => (
            Unavailable,
            Next::Stop,
            "the server's system fails: look at its log",
        ),
        _ => (
            Invalid,
            Next::Stop,
            "the server does not accept the statement",
        ),
    }
}

fn classify_transport(error: &tokio_postgres::Error) -> (ErrorKind, Next, &'static str) {
    use ErrorKind::{Config, Denied, Invalid, Unavailable};
    let cause =
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    // The driver names its kinds in words only.
    let words = error.to_string();
    if words.contains("TLS") {
        return match cause {
            // The handshake began: the certificates decide. What is no refusal by one of the two broke on the way.
            Some(cause) if cause.get_ref().is_none() => (
                Unavailable,
                Next::Reconnect,
                "the connection broke while it was being encrypted",
            ),
            Some(_) => (
                Config,
                Next::Stop,
                "the server's certificate is not trusted: set root_certificate to the file of its authority, or use the name it was made for",
            ),
            None => (
                Config,
                Next::Stop,
                "the server does not encrypt: set sslmode to disable if that is meant",
            ),
        };
    }
    if words.starts_with("authentication") || words.starts_with("invalid configuration") {
        return (
            Denied,
            Next::Stop,
            "the login does not work like this: the server wants a password, or a method that this client does not know, or does not bind the channel",
        );
    }
    match cause.map(io::Error::kind) {
        Some(io::ErrorKind::PermissionDenied) => (
            Unavailable,
            Next::Reconnect,
            "no server takes writes: they are standbys, or read only",
        ),
        Some(_) => (Unavailable, Next::Reconnect, "no connection to the server"),
        None if error.is_closed() => (Unavailable, Next::Reconnect, "the connection broke"),
        None => (
            Invalid,
            Next::Stop,
            "the answer is not what postgres documents",
        ),
    }
}

/// What the server said, as far as it holds names only. A message about data quotes the data, and the details of any
/// message may.
#[derive(Debug)]
struct Said {
    code: String,
    message: Option<String>,
}

impl Said {
    fn of(error: &tokio_postgres::Error) -> Option<Self> {
        let said: &DbError = error.as_db_error()?;
        let code = said.code().code();
        let about_names = [
            "08", "0A", "25", "28", "2B", "3D", "3F", "40", "42", "53", "55", "57", "58",
        ];
        let mut message = None;
        if about_names.iter().any(|class| code.starts_with(class)) {
            let mut words = said.message().to_owned();
            if let ("0A000" | "2BP01", Some(detail)) = (code, said.detail()) {
                // Which view it is.
                words.push_str(": ");
                words.push_str(detail);
            }
            message = Some(words);
        }
        Some(Self {
            code: code.to_owned(),
            message,
        })
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => f.write_str(message),
            None => write!(f, "sqlstate {}", self.code),
        }
    }
}

impl std::error::Error for Said {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_kind_and_a_next_step() {
        use ErrorKind::{Config, Denied, Invalid, Missing, Unavailable};
        let table = [
            ("28P01", Denied, Next::Stop),
            ("28000", Denied, Next::Stop),
            ("3D000", Missing, Next::Stop),
            ("42501", Denied, Next::Stop),
            ("53100", Unavailable, Next::Stop),
            ("53200", Unavailable, Next::Repeat),
            ("53300", Unavailable, Next::Reconnect),
            ("57014", Unavailable, Next::Stop),
            ("57P01", Unavailable, Next::Reconnect),
            ("57P02", Unavailable, Next::Reconnect),
            ("57P03", Unavailable, Next::Reconnect),
            ("57P04", Missing, Next::Stop),
            ("57P05", Unavailable, Next::Reconnect),
            ("25P03", Unavailable, Next::Reconnect),
            ("25006", Unavailable, Next::Reconnect),
            ("08006", Unavailable, Next::Reconnect),
            ("40001", Unavailable, Next::Repeat),
            ("40P01", Unavailable, Next::Repeat),
            ("55P03", Unavailable, Next::Repeat),
            ("42P01", Invalid, Next::Look),
            ("42804", Invalid, Next::Look),
            ("23505", Invalid, Next::Look),
            ("0A000", Config, Next::Stop),
            ("2BP01", Config, Next::Stop),
            ("42P10", Config, Next::Stop),
            ("54011", Config, Next::Stop),
            ("26000", Config, Next::Stop),
            ("58030", Unavailable, Next::Stop),
            ("XX000", Invalid, Next::Stop),
            ("42601", Invalid, Next::Stop),
        ];
        for (code, kind, next) in table {
            let (found, then, message) = classify_code(code);
            assert_eq!((found, then), (kind, next), "{code}");
            assert!(!message.is_empty() && !message.ends_with('.'));
        }
    }
}
