//! Query parameters.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use url::form_urlencoded;

use crate::error::{Error, Result};

/// The parameters of a request. `Debug` shows their names: values may name people.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(Cow<'static, str>, String)>,
}

impl Query {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `name=value`. The value is percent-encoded on the wire.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.add(name, value);
        self
    }

    /// Names and values, in their order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (&**name, value.as_str()))
    }

    fn add(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.pairs.push((name.into(), value.into()));
    }

    pub(crate) fn text(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    pub(crate) fn number(&mut self, name: &'static str, value: Option<impl Into<u64>>) {
        if let Some(value) = value {
            self.add(name, value.into().to_string());
        }
    }

    /// Mailchimp reads anything but `true` and `1` as false, so exactly these words are sent.
    pub(crate) fn flag(&mut self, name: &'static str, value: Option<bool>) {
        if let Some(value) = value {
            self.add(name, if value { "true" } else { "false" });
        }
    }

    /// Whole seconds with `Z`. Fractions made some endpoints fail and others ignore the filter;
    /// as all of Mailchimp's times are whole seconds and its windows are `(since, before]`,
    /// cutting the fraction changes no result.
    pub(crate) fn time(&mut self, name: &'static str, value: Option<DateTime<Utc>>) {
        if let Some(value) = value {
            self.add(name, value.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        }
    }

    /// A filter of any kind.
    pub(crate) fn filter(&mut self, name: &'static str, value: Option<&impl Filter>) {
        if let Some(value) = value {
            value.add_to(self, name);
        }
    }

    /// Whether `fields` names members and this is none of them.
    pub(crate) fn leaves_out(&self, member: &str) -> bool {
        self.pairs
            .iter()
            .filter(|(name, _)| name == "fields")
            .any(|(_, words)| !words.split(',').any(|word| word == member))
    }

    pub(crate) fn words<T: AsRef<str>>(&mut self, name: &'static str, values: &[T]) {
        if !values.is_empty() {
            let list: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
            self.add(name, list.join(","));
        }
    }

    /// `fields` and `exclude_fields`, which exclude each other.
    pub(crate) fn selection(&mut self, fields: &[String], exclude_fields: &[String]) -> Result<()> {
        if !fields.is_empty() && !exclude_fields.is_empty() {
            return Err(Error::request(
                "exclude_fields",
                "cannot be combined with fields",
            ));
        }
        self.words("fields", fields);
        self.words("exclude_fields", exclude_fields);
        Ok(())
    }

    /// The encoded form, without the question mark; empty when there are no parameters.
    pub(crate) fn encoded(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.pairs)
            .finish()
    }
}

/// The value of a filter, which knows how it is written.
pub(crate) trait Filter {
    fn add_to(&self, query: &mut Query, name: &'static str);
}

impl Filter for String {
    fn add_to(&self, query: &mut Query, name: &'static str) {
        query.text(name, Some(self));
    }
}

impl Filter for u64 {
    fn add_to(&self, query: &mut Query, name: &'static str) {
        query.number(name, Some(*self));
    }
}

impl Filter for bool {
    fn add_to(&self, query: &mut Query, name: &'static str) {
        query.flag(name, Some(*self));
    }
}

impl Filter for DateTime<Utc> {
    fn add_to(&self, query: &mut Query, name: &'static str) {
        query.time(name, Some(*self));
    }
}

/// Which members of an answer are sent, for resources that take no other parameters.
///
/// Paths have no prefix: `stats.member_count`. Only one of the two may be given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldSelection {
    /// Members to send; empty for all.
    pub fields: Vec<String>,
    /// Members to leave out. What matches nothing is ignored by the server.
    pub exclude_fields: Vec<String>,
}

impl FieldSelection {
    pub(crate) fn query(&self) -> Result<Query> {
        let mut query = Query::new();
        query.selection(&self.fields, &self.exclude_fields)?;
        Ok(query)
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.pairs.iter().map(|(name, _)| name.as_ref()).collect();
        f.debug_struct("Query")
            .field("names", &names)
            .finish_non_exhaustive()
    }
}
