//! Calls to put into a batch.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::open_enum::open_enum;
use crate::path::Path;
use crate::query::Query;

open_enum! {
    /// The HTTP method of an operation.
    BatchMethod {
        /// Read.
        Get = "GET",
        /// Create.
        Post = "POST",
        /// Create or replace.
        Put = "PUT",
        /// Change.
        Patch = "PATCH",
        /// Delete.
        Delete = "DELETE",
    }
}

/// One call of a batch. `Debug` shows method and path template only.
#[derive(Clone, PartialEq, Serialize)]
pub struct BatchOperation {
    method: BatchMethod,
    #[serde(serialize_with = "filled")]
    path: Path,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    params: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_id: Option<String>,
}

impl BatchOperation {
    /// A call without parameters and body.
    pub fn new(method: BatchMethod, path: Path) -> Self {
        Self {
            method,
            path,
            params: BTreeMap::new(),
            body: None,
            operation_id: None,
        }
    }

    /// Adds a query parameter, for `GET`.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.insert(name.into(), value.into());
        self
    }

    /// Adds the parameters of a query, for `GET`. Of several with one name the last counts.
    #[must_use]
    pub fn query(mut self, query: &Query) -> Self {
        let pairs = query.pairs();
        self.params
            .extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        self
    }

    /// Sets the body, which a batch carries as text within its JSON.
    ///
    /// Fails with [`Error::Request`] when `body` cannot be written as JSON.
    pub fn json<B: Serialize + ?Sized>(mut self, body: &B) -> Result<Self> {
        let text = serde_json::to_string(body)
            .map_err(|_| Error::request("the body", "cannot be written as JSON"))?;
        self.body = Some(text);
        Ok(self)
    }

    /// Sets a name of the caller's own, which comes back with the result.
    #[must_use]
    pub fn operation_id(mut self, id: impl Into<String>) -> Self {
        self.operation_id = Some(id.into());
        self
    }
}

impl fmt::Debug for BatchOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchOperation")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn filled<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(path.filled())
}
