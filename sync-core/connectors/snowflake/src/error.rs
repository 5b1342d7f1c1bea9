//! What can go wrong on the way to Snowflake, and the same in the engine's words.
//!
//! Snowflake's own messages quote values of the statement ("numeric value '…' is not recognized"), so none of them is
//! kept: the code names what happened, and the query id finds the message in `QUERY_HISTORY`.

use sync_core::{Error, ErrorKind, Retry};
use thiserror::Error;

pub(crate) type Result<T, E = ClientError> = std::result::Result<T, E>;

/// What became of a request.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    /// It cannot be made.
    #[error("{0}")]
    Configuration(&'static str),
    /// The connection failed, after all repetitions.
    #[error("no answer after {attempts} attempts")]
    Transport {
        attempts: u32,
        #[source]
        source: reqwest::Error,
    },
    /// An answer without Snowflake's JSON.
    #[error("http status {status} after {attempts} attempts")]
    Status { status: u16, attempts: u32 },
    /// The login was refused.
    #[error("the login was refused with code {code}")]
    Login { code: String },
    /// The statement was refused or failed.
    #[error("the statement ended with code {code}")]
    Sql {
        code: String,
        /// `SQLSTATE`, or empty.
        state: String,
        /// Finds the statement in `QUERY_HISTORY`; empty if it never ran.
        query_id: String,
    },
    /// The session is gone, and with it everything temporary. The next request makes a new one.
    #[error("the session was ended")]
    SessionLost,
    /// The answer is not what a client of Snowflake gets.
    #[error("the answer cannot be read: {0}")]
    Answer(&'static str),
}

impl ClientError {
    /// Whether fewer rows, or other rows, may pass: values that cannot be read, or too many of them.
    pub(crate) fn is_about_rows(&self) -> bool {
        match self {
            Self::Status { status, .. } => *status == 413,
            // The codes that begin so tell of values: no number, no date, JSON that cannot be parsed, too large. `SQLSTATE`
            // would not do: its class 22 also stands at a session without a database.
            Self::Sql { code, .. } => code.len() == 6 && code.starts_with("100"),
            _ => false,
        }
    }
}

/// What the engine is told when `operation` met `error`.
pub(crate) fn translate(operation: &'static str, error: ClientError) -> Error {
    let (kind, message) = classify(&error);
    let retry = match kind {
        ErrorKind::Unavailable => Retry::Exhausted,
        _ => Retry::Never,
    };
    let mut translated = Error::new(kind, operation, message).retry_as(retry);
    match &error {
        ClientError::Status { status, .. } => translated = translated.with("status", status),
        ClientError::Login { code } => translated = translated.with("code", code),
        ClientError::Sql { code, query_id, .. } => {
            translated = translated.with("code", code);
            if !query_id.is_empty() {
                translated = translated.with("query_id", query_id);
            }
        }
        _ => {}
    }
    translated.caused_by(error)
}

fn classify(error: &ClientError) -> (ErrorKind, &'static str) {
    match error {
        ClientError::Configuration(message) => (ErrorKind::Config, message),
        ClientError::Transport { .. } => (ErrorKind::Unavailable, "no connection to snowflake"),
        ClientError::Status { status, .. } => match status {
            403 | 404 => (
                ErrorKind::Missing,
                "no snowflake account answers there; check account and url",
            ),
            401 => (
                ErrorKind::Denied,
                "snowflake does not accept the credential",
            ),
            300..=399 => (
                ErrorKind::Config,
                "snowflake answers from elsewhere; check account and url",
            ),
            408 | 429 | 500.. => (ErrorKind::Unavailable, "snowflake fails or is busy"),
            413 => (
                ErrorKind::Invalid,
                "snowflake does not take a statement of this size; lower statement_bytes",
            ),
            _ => (ErrorKind::Invalid, "snowflake does not accept the request"),
        },
        ClientError::Login { code } => match code.as_str() {
            "390189" | "390186" => (
                ErrorKind::Denied,
                "the role does not exist or is not granted to the user",
            ),
            "390144" | "394300" | "394301" | "394302" | "394303" | "394304" | "394305"
            | "394306" => (
                ErrorKind::Denied,
                "snowflake does not accept the key pair; check account, user and the user's public key, and the clock",
            ),
            "390422" | "390420" => (ErrorKind::Denied, "a network policy keeps this address out"),
            _ => (
                ErrorKind::Denied,
                "snowflake does not accept user and credential",
            ),
        },
        ClientError::Sql { code, state, .. } => classify_sql(code, state),
        ClientError::SessionLost => (
            ErrorKind::Unavailable,
            "snowflake ends each session at once",
        ),
        ClientError::Answer(_) => (
            ErrorKind::Invalid,
            "the answer is not what snowflake gives; check url",
        ),
    }
}

fn classify_sql(code: &str, state: &str) -> (ErrorKind, &'static str) {
    match code {
        "000606" => {
            return (
                ErrorKind::Config,
                "no warehouse runs the statement; set one that the role may use",
            );
        }
        "090105" | "090106" => {
            return (
                ErrorKind::Missing,
                "the database or schema does not exist, or the role may not use it",
            );
        }
        "000604" | "000630" | "000603" => {
            return (
                ErrorKind::Unavailable,
                "snowflake ended the statement before it was done",
            );
        }
        "003001" => {
            return (
                ErrorKind::Denied,
                "the role may not do this; grant it what the documentation of this package lists",
            );
        }
        "002003" | "002043" => {
            return (
                ErrorKind::Missing,
                "something the statement names does not exist, or the role may not use it",
            );
        }
        _ => {}
    }
    match state.get(..2).unwrap_or_default() {
        "08" | "53" | "57" => (ErrorKind::Unavailable, "snowflake cannot run it now"),
        "28" => (ErrorKind::Denied, "snowflake does not accept the login"),
        "22" => (
            ErrorKind::Invalid,
            "a value does not fit its column; see the statement in snowflake's query history",
        ),
        _ => (
            ErrorKind::Invalid,
            "snowflake does not accept the statement; see it in snowflake's query history",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(code: &str, state: &str) -> ClientError {
        ClientError::Sql {
            code: code.to_owned(),
            state: state.to_owned(),
            query_id: "01a".to_owned(),
        }
    }

    fn status(status: u16) -> ClientError {
        ClientError::Status {
            status,
            attempts: 2,
        }
    }

    fn login(code: &str) -> ClientError {
        ClientError::Login {
            code: code.to_owned(),
        }
    }

    #[test]
    fn every_error_has_a_kind() {
        let table = [
            (ClientError::Configuration("x"), ErrorKind::Config),
            (status(302), ErrorKind::Config),
            (status(401), ErrorKind::Denied),
            (status(403), ErrorKind::Missing),
            (status(404), ErrorKind::Missing),
            (status(413), ErrorKind::Invalid),
            (status(400), ErrorKind::Invalid),
            (status(429), ErrorKind::Unavailable),
            (status(503), ErrorKind::Unavailable),
            (login("390100"), ErrorKind::Denied),
            (login("390189"), ErrorKind::Denied),
            (login("394304"), ErrorKind::Denied),
            (login("390422"), ErrorKind::Denied),
            (sql("000606", "57P03"), ErrorKind::Config),
            (sql("000604", "57014"), ErrorKind::Unavailable),
            (sql("000630", "57014"), ErrorKind::Unavailable),
            (sql("003001", "42501"), ErrorKind::Denied),
            (sql("002003", "02000"), ErrorKind::Missing),
            (sql("002043", "02000"), ErrorKind::Missing),
            (sql("090105", "22000"), ErrorKind::Missing),
            (sql("100035", "22007"), ErrorKind::Invalid),
            (sql("001003", "42000"), ErrorKind::Invalid),
            (sql("", ""), ErrorKind::Invalid),
            (sql("x", "08006"), ErrorKind::Unavailable),
            (sql("x", "28000"), ErrorKind::Denied),
            (ClientError::SessionLost, ErrorKind::Unavailable),
            (ClientError::Answer("x"), ErrorKind::Invalid),
        ];
        for (error, kind) in table {
            let shown = format!("{error:?}");
            let translated = translate("merge rows", error);
            assert_eq!(translated.kind(), kind, "{shown}");
            let retry = if kind == ErrorKind::Unavailable {
                Retry::Exhausted
            } else {
                Retry::Never
            };
            assert_eq!(translated.retry(), retry, "{shown}");
            assert!(std::error::Error::source(&translated).is_some());
        }
    }

    #[test]
    fn errors_about_rows_are_told_from_others() {
        for error in [
            status(413),
            sql("100069", "22P02"),
            sql("100035", "22007"),
            sql("100078", ""),
        ] {
            assert!(error.is_about_rows(), "{error:?}");
        }
        for error in [
            status(500),
            sql("001003", "42000"),
            sql("000606", "57P03"),
            sql("090105", "22000"),
            ClientError::SessionLost,
        ] {
            assert!(!error.is_about_rows(), "{error:?}");
        }
    }
}
