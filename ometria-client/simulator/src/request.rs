//! Which resource a request is about.

use http::Uri;
use percent_encoding::percent_decode_str;

/// A path of either API, without `/v2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Push,
    PushErrors,
    Profiles,
    Profile(String),
    Collections,
    Collection(String),
    Listing(String, String),
    Unsubscribes,
    Deletions,
    Deletion(String),
    Record,
    Unknown,
}

impl Resource {
    pub(crate) fn of(uri: &Uri) -> Self {
        let path = uri.path();
        let segments: Vec<String> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["v2", "push"] => Self::Push,
            ["v2", "push", "_errors"] => Self::PushErrors,
            ["v2", "profiles"] => Self::Profiles,
            ["v2", "profiles", id] => Self::Profile((*id).to_owned()),
            ["v2", "contacts"] => Self::Collections,
            ["v2", "contacts", collection] => Self::Collection((*collection).to_owned()),
            ["v2", "contacts", collection, id] => {
                Self::Listing((*collection).to_owned(), (*id).to_owned())
            }
            ["v2", "unsubscribes"] => Self::Unsubscribes,
            ["v2", "data-deletion-requests"] => Self::Deletions,
            ["v2", "data-deletion-requests", id] => Self::Deletion((*id).to_owned()),
            ["record"] => Self::Record,
            _ => Self::Unknown,
        }
    }

    /// The path with names for its ids, for statistics and fault rules.
    pub(crate) fn template(&self) -> &'static str {
        match self {
            Self::Push => "/push",
            Self::PushErrors => "/push/_errors",
            Self::Profiles => "/profiles",
            Self::Profile(_) => "/profiles/{profile_id}",
            Self::Collections => "/contacts",
            Self::Collection(_) => "/contacts/{collection}",
            Self::Listing(..) => "/contacts/{collection}/{id}",
            Self::Unsubscribes => "/unsubscribes",
            Self::Deletions => "/data-deletion-requests",
            Self::Deletion(_) => "/data-deletion-requests/{id}",
            Self::Record => "/record",
            Self::Unknown => "(unknown)",
        }
    }
}

/// The query of a request.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn of(uri: &Uri) -> Self {
        let decode = |text: &str| {
            percent_decode_str(&text.replace('+', " "))
                .decode_utf8_lossy()
                .into_owned()
        };
        let pairs = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_str())
    }

    /// The asked part of `items`; Ometria's limit is 10 unless asked for and never over 250.
    pub(crate) fn page<T>(&self, items: impl Iterator<Item = T>) -> Vec<T> {
        let number = |name| self.get(name).and_then(|text| text.parse::<usize>().ok());
        let limit = number("limit").unwrap_or(10).min(250);
        items
            .skip(number("offset").unwrap_or(0))
            .take(limit)
            .collect()
    }
}
