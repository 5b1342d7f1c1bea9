//! What is known of a stream before anything of it is read.

use sync_core::{FieldType, Stream};

/// One kind of record that an account holds, and how the API gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamDefinition {
    /// Its name, which is also the name of its table: `email_activity`.
    pub name: &'static str,
    /// What a record is, in a sentence.
    pub about: &'static str,
    /// Where its records are, below the API's base: `/reports/{campaign_id}/email-activity`. A name in braces is a field that
    /// each record gets, with the parent's id in it.
    pub path: &'static str,
    /// Parameters that every request for its records carries, beside those of paging: `("include_cleaned", "true")`.
    pub query: &'static [(&'static str, &'static str)],
    /// How an answer holds the records.
    pub rows: Rows,
    /// Objects and arrays inside a row that have `_links` of their own, as rows have. They are left out.
    pub linked: &'static [&'static str],
    /// Where a single record is, with fields of [`key`](Self::key) in braces; `None` if only the whole can be read.
    pub item: Option<&'static str>,
    /// The fields whose values name a record within its account. All names in braces of [`path`](Self::path) are among them.
    /// If there is nothing else in it, the record's content is its name.
    pub key: &'static [&'static str],
    /// The stream whose records have a `path` each; `None` if there is only one path.
    pub parent: Option<Parent>,
    /// How a later run reads less than everything.
    pub changes: Changes,
    /// Whether the ledger remembers its records, so that unchanged ones are not sent again and removals are found. Not for
    /// events and for what every recipient of every campaign has one of.
    pub remembered: bool,
    /// Whether it is read unless somebody excludes it. Streams that cost a call for each member are not.
    pub by_default: bool,
    /// What a full read costs, in calls, in words.
    pub cost: &'static str,
    /// Its documented fields, by dotted path, without those in braces.
    pub fields: &'static [(&'static str, FieldType)],
}

/// How an answer holds the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// In pages by `count` and `offset`, under this name.
    Pages(&'static str),
    /// All in one answer, under this name.
    Whole(&'static str),
    /// In pages that name the next one by `cursor`, under this name.
    Cursor(&'static str),
    /// The answer is the record.
    Single,
    /// Inside the rows of a paged collection.
    Nested {
        /// The name of the collection.
        items: &'static str,
        /// The row's field with the array of records.
        inside: &'static str,
        /// Fields of the row that each record gets, and what they are called there.
        carried: &'static [(&'static str, &'static str)],
    },
}

/// Where the paths of a stream come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The stream.
    pub stream: &'static str,
    /// Fields of its records, and the names in braces that they fill.
    pub ids: &'static [(&'static str, &'static str)],
    /// Fields of the parent that change whenever its records of this stream do. Empty: nothing tells, so every run reads
    /// them all.
    pub gate: &'static [&'static str],
}

/// How a later run reads less than everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// It does not; or the parent's gate tells.
    Untold,
    /// Nothing tells, and each of many parents costs a call: it is read again only when
    /// [`StreamSettings::periodic_hours`](super::StreamSettings::periodic_hours) have passed.
    Periodic,
    /// The API filters by a time that never changes. What was made before the look-back is read again only now and then.
    Since {
        /// The filter, such as `since_create_time`.
        parameter: &'static str,
        /// The field that it looks at.
        field: &'static str,
        /// The `sort_field` that puts new records last, where the API has one.
        sort: Option<&'static str>,
    },
    /// Below a gate: the API leaves out events before this parameter's time, which stands in this field of an event.
    EventsSince {
        /// The filter.
        parameter: &'static str,
        /// The field of an event that it looks at.
        field: &'static str,
        /// The field of the parent, one of its gate's, that says how many rows there are below it.
        rows: &'static str,
    },
}

impl Rows {
    /// The name under which an answer holds the rows; `None` if the answer is the record.
    pub fn items(self) -> Option<&'static str> {
        match self {
            Self::Pages(items)
            | Self::Whole(items)
            | Self::Cursor(items)
            | Self::Nested { items, .. } => Some(items),
            Self::Single => None,
        }
    }
}

impl StreamDefinition {
    /// What a sink needs to know: the name, and the fields with `account_id` and those in braces first.
    pub fn stream(&self) -> Stream {
        let mut stream = Stream::new(self.name).with("account_id", FieldType::Text);
        for name in self.variables() {
            stream = stream.with(name, FieldType::Text);
        }
        for (path, holds) in self.fields {
            stream = stream.with(path, *holds);
        }
        stream
    }

    /// What `exclude_fields` must name so that no record has `_links`.
    pub(super) fn links(&self, items: Option<&str>) -> String {
        let row = items.map(|items| format!("{items}.")).unwrap_or_default();
        let inside = self
            .linked
            .iter()
            .map(|inside| format!("{row}{inside}._links"));
        let mut links: Vec<String> = inside.collect();
        links.extend(items.map(|items| format!("{items}._links")));
        links.push("_links".to_owned());
        links.join(",")
    }

    /// The names in braces of the path, in their order.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> {
        variables(self.path)
    }
}

/// The names in braces of a path.
pub(super) fn variables(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
}
