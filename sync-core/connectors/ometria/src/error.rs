//! The client's errors in the engine's words.

use ometria_client::Error as ClientError;
use sync_core::{Error, ErrorKind, Retry};

/// What the engine is told when `operation` met `error`.
pub(crate) fn translate(operation: &'static str, error: ClientError) -> Error {
    let (kind, message) = classify(&error);
    let retry = match kind {
        ErrorKind::Unavailable if error.retries_spent() => Retry::Exhausted,
        ErrorKind::Unavailable => Retry::Later { after: None },
        _ => Retry::Never,
    };
    let status = error.status();
    let translated = Error::new(kind, operation, message).retry_as(retry);
    match status {
        Some(status) => translated.with("status", status).caused_by(error),
        None => translated.caused_by(error),
    }
}

fn classify(error: &ClientError) -> (ErrorKind, &'static str) {
    match error {
        ClientError::Configuration(_) => (ErrorKind::Config, "the client cannot work like this"),
        ClientError::Transport { .. } if error.is_temporary() => {
            (ErrorKind::Unavailable, "no connection to ometria")
        }
        ClientError::Transport { .. } => (
            ErrorKind::Invalid,
            "the request or its answer does not fit the transport",
        ),
        ClientError::TimedOut { .. } => (ErrorKind::Unavailable, "ometria did not answer in time"),
        ClientError::Api(api) => match api.status {
            401 | 403 => (ErrorKind::Denied, "ometria does not accept the api key"),
            404 => (
                ErrorKind::Missing,
                "no such address at ometria; check the base url",
            ),
            408 | 429 => (ErrorKind::Unavailable, "ometria asks for fewer requests"),
            500.. => (ErrorKind::Unavailable, "ometria fails"),
            300..=399 => (
                ErrorKind::Config,
                "ometria answers from elsewhere; check the base url",
            ),
            _ => (ErrorKind::Invalid, "ometria does not accept the request"),
        },
        ClientError::Decode { .. } => (
            ErrorKind::Invalid,
            "the answer is not what ometria documents",
        ),
        ClientError::CountMismatch { .. } | ClientError::NotConfirmed { .. } => (
            ErrorKind::Invalid,
            "the answer does not confirm the records",
        ),
        ClientError::PagesRepeat { .. } => (ErrorKind::Invalid, "the list does not end"),
        _ => (ErrorKind::Invalid, "the request could not be made"),
    }
}

/// Whether the server refused the content of a request, so that a smaller one may pass.
pub(crate) fn is_about_content(error: &ClientError) -> bool {
    matches!(error.status(), Some(400 | 409 | 413 | 422))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ometria_client::{TransportError, TransportErrorKind};

    use super::*;

    fn transport(kind: TransportErrorKind, retries_spent: bool) -> ClientError {
        let source = TransportError::new(kind);
        ClientError::Transport {
            endpoint: "POST /push",
            attempts: 1,
            retries_spent,
            source,
        }
    }

    #[test]
    fn every_error_has_a_kind_and_a_retry() {
        use TransportErrorKind::{BodyTooLarge, Connect, Interrupted, Unsendable};
        let timed_out = ClientError::TimedOut {
            endpoint: "POST /push",
            after: Duration::from_secs(1),
            attempts: 3,
            retries_spent: true,
        };
        let decode = ClientError::Decode {
            endpoint: "POST /push",
            status: 200,
            path: "$".to_owned(),
            expected: "an object",
        };
        let later = Retry::Later { after: None };
        let table = [
            (
                ClientError::Configuration("x"),
                ErrorKind::Config,
                Retry::Never,
            ),
            (transport(Connect, false), ErrorKind::Unavailable, later),
            (
                transport(Interrupted, true),
                ErrorKind::Unavailable,
                Retry::Exhausted,
            ),
            (
                transport(BodyTooLarge, false),
                ErrorKind::Invalid,
                Retry::Never,
            ),
            (
                transport(Unsendable, false),
                ErrorKind::Invalid,
                Retry::Never,
            ),
            (timed_out, ErrorKind::Unavailable, Retry::Exhausted),
            (decode, ErrorKind::Invalid, Retry::Never),
            (
                ClientError::CountMismatch {
                    sent: 2,
                    taken: Some(1),
                },
                ErrorKind::Invalid,
                Retry::Never,
            ),
            (
                ClientError::NotConfirmed { status: 200 },
                ErrorKind::Invalid,
                Retry::Never,
            ),
            (
                ClientError::TooManyRows { rows: 2, cap: 1 },
                ErrorKind::Invalid,
                Retry::Never,
            ),
        ];
        for (error, kind, retry) in table {
            let shown = format!("{error:?}");
            let translated = translate("push", error);
            assert_eq!(
                (translated.kind(), translated.retry()),
                (kind, retry),
                "{shown}"
            );
            assert_eq!(translated.operation(), "push");
            assert!(std::error::Error::source(&translated).is_some());
        }
    }
}
