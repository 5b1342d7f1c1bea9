//! The ways to give a key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};

use crate::problem::Problem;
use crate::query::Query;

/// The keys that a request gives. Not `Debug`: they may be real.
pub(crate) struct Given {
    header: Option<String>,
    parameter: Option<String>,
}

impl Given {
    /// Reads `Authorization` and, on a GET, the old `apikey` parameter.
    pub(crate) fn read(headers: &HeaderMap, method: &Method, query: &Query) -> Self {
        let header = headers.get(AUTHORIZATION).map(|value| {
            let (scheme, rest) = value
                .to_str()
                .unwrap_or("")
                .split_once(' ')
                .unwrap_or(("", ""));
            match scheme.to_ascii_lowercase().as_str() {
                "bearer" | "oauth" => rest.to_owned(),
                "basic" => basic_password(rest).unwrap_or_default(),
                _ => String::new(),
            }
        });
        let parameter = query
            .get("apikey")
            .filter(|_| *method == Method::GET)
            .map(str::to_owned);
        Self { header, parameter }
    }

    /// Refuses a request without a key, with a wrong one, or with two that differ.
    pub(crate) fn check(&self, key: &str) -> Result<(), Problem> {
        let mut given = self.header.iter().chain(&self.parameter).peekable();
        if given.peek().is_none() {
            return Err(Problem::key_missing());
        }
        if given.all(|given| given == key) {
            Ok(())
        } else {
            Err(Problem::key_invalid())
        }
    }
}

/// The password of Basic credentials; any user name will do.
fn basic_password(encoded: &str) -> Option<String> {
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    decoded
        .split_once(':')
        .map(|(_, password)| password.to_owned())
}
