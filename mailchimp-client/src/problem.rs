//! Mailchimp's problem documents (`application/problem+json`).

use std::fmt;

use serde::Deserialize;

use crate::field::Field;

/// An error body, as documented at
/// <https://mailchimp.com/developer/marketing/docs/errors/>.
///
/// `Debug` shows title and status only: detail and field messages may quote an e-mail address.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    title: String,
    status: Option<u16>,
    kind: Option<String>,
    detail: Option<String>,
    instance: Option<String>,
    errors: Vec<FieldProblem>,
}

/// One refused field of a request. Its `Debug` shows neither member.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldProblem {
    /// The field's name; live answers also have the empty string.
    pub field: String,
    /// Why it was refused. May quote the value: do not print it.
    pub message: String,
}

/// The document as it comes. One odd member must not turn a permission that is missing into a
/// throttle, which is what a 403 without a problem document is.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    title: Field<String>,
    status: Field<u16>,
    #[serde(rename = "type")]
    kind: Field<String>,
    detail: Field<String>,
    instance: Field<String>,
    errors: Field<Vec<Entry>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    field: Field<String>,
    message: Field<String>,
}

impl Problem {
    /// Reads a body, if it is a problem document. A gateway's own JSON is not one: `title` and
    /// one more documented member are required.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(body).ok()?;
        let title = document.title.into_value()?;
        if document.status.is_absent() && document.detail.is_absent() && document.kind.is_absent() {
            return None;
        }
        let entries = document.errors.into_value().unwrap_or_default();
        let errors = entries.into_iter().map(|entry| FieldProblem {
            field: entry.field.into_value().unwrap_or_default(),
            message: entry.message.into_value().unwrap_or_default(),
        });
        Some(Self {
            title,
            status: document.status.into_value(),
            kind: document.kind.into_value(),
            detail: document.detail.into_value(),
            instance: document.instance.into_value(),
            errors: errors.collect(),
        })
    }

    /// The error's name in Mailchimp's glossary, such as `Resource Not Found`.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The status repeated in the body.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The URI that describes the kind of problem; in practice the same for all.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The explanation. May quote an e-mail address: do not print it.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The id of this occurrence; equals the `X-Request-Id` header. Old answers leave it blank.
    pub fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// The refused fields of a validation failure.
    pub fn errors(&self) -> &[FieldProblem] {
        &self.errors
    }

    /// The title with a leading space, unless it is not one of the short plain phrases of the
    /// glossary: then it could hold anything, and nothing is printed.
    pub(crate) fn printable_title(&self) -> String {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'\'' | b'_');
        if !self.title.is_empty() && self.title.len() <= 60 && self.title.bytes().all(plain) {
            format!(" {}", self.title)
        } else {
            String::new()
        }
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem")
            .field("title", &self.printable_title().trim_start())
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldProblem").finish_non_exhaustive()
    }
}
