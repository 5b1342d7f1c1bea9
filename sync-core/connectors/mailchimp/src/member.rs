//! One member of an audience, as the API gave it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sync_core::{AsJson, Key, Keyed};

/// A member as it was when its row was read.
///
/// It knows its identity and keeps the rest as the JSON that came: what a member means is the mapping's business.
/// `Debug` shows the key and the size, as the row is personal.
#[derive(Clone, PartialEq, Eq)]
pub struct MemberRow {
    list_id: Arc<str>,
    key: Key,
    id: Option<Box<str>>,
    last_changed: Option<DateTime<Utc>>,
    archived: bool,
    /// Where the value of `merge_fields` stands in `raw`.
    merge_fields: Option<Range<usize>>,
    names_list: bool,
    raw: Bytes,
}

impl MemberRow {
    /// A member from its JSON object; `None` if that is no object, not UTF-8 or has neither `contact_id` nor `id`.
    ///
    /// Only identity, `last_changed` and `status` are looked at, and each may be missing or of another type.
    pub fn from_json(list_id: &Arc<str>, raw: Bytes) -> Option<Self> {
        let text = std::str::from_utf8(&raw).ok()?;
        let identity = Identity::of(&raw, json_scan::fields(text, Identity::FIELDS)?);
        let archived = identity.archived;
        Self::new(list_id, identity, archived, raw)
    }

    pub(crate) fn new(
        list_id: &Arc<str>,
        identity: Identity,
        archived: bool,
        raw: Bytes,
    ) -> Option<Self> {
        Some(Self {
            list_id: list_id.clone(),
            key: identity.key?,
            id: identity.id,
            last_changed: identity.last_changed,
            archived,
            merge_fields: identity.merge_fields,
            names_list: identity.names_list,
            raw: on_one_line(raw),
        })
    }

    /// The audience.
    pub fn list_id(&self) -> &Arc<str> {
        &self.list_id
    }

    /// The `id`: MD5 of the lower-cased address, so another one after a change of address. `None` if the row had none.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// When the member last changed, in whole seconds; `None` if the row did not say.
    pub fn last_changed(&self) -> Option<DateTime<Utc>> {
        self.last_changed
    }

    /// Whether the member is archived.
    pub fn is_archived(&self) -> bool {
        self.archived
    }

    /// The member's JSON object as it came, on one line.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The text of the value of `merge_fields`, if the row has it.
    pub(crate) fn merge_fields(&self) -> Option<&str> {
        let text = self.raw.get(self.merge_fields.clone()?)?;
        std::str::from_utf8(text).ok()
    }

    /// Whether the row has a `list_id`.
    pub(crate) fn names_list(&self) -> bool {
        self.names_list
    }
}

/// Keyed by `contact_id`, which survives a change of address; by `id` where there is none.
impl Keyed for MemberRow {
    fn key(&self) -> Key {
        self.key.clone()
    }
}

impl AsJson for MemberRow {
    fn as_json(&self) -> Bytes {
        self.raw.clone()
    }
}

impl fmt::Debug for MemberRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberRow")
            .field("list_id", &self.list_id)
            .field("key", &self.key)
            .field("last_changed", &self.last_changed)
            .field("archived", &self.archived)
            .field("bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}

/// Line breaks can only stand between JSON tokens, where any white space does. Every byte keeps its place.
fn on_one_line(raw: Bytes) -> Bytes {
    if memchr::memchr2(b'\n', b'\r', &raw).is_none() {
        return raw;
    }
    let spaced = raw.iter().map(|&byte| {
        if matches!(byte, b'\n' | b'\r') {
            b' '
        } else {
            byte
        }
    });
    spaced.collect::<Vec<u8>>().into()
}

/// What the source needs of a row, read leniently: a value of another type counts as missing.
pub(crate) struct Identity {
    /// `contact_id`, or else `id`.
    pub(crate) key: Option<Key>,
    id: Option<Box<str>>,
    /// In whole seconds.
    pub(crate) last_changed: Option<DateTime<Utc>>,
    /// Whether `status` says so.
    archived: bool,
    /// Where the value of `merge_fields` stands in the row.
    merge_fields: Option<Range<usize>>,
    names_list: bool,
}

impl Identity {
    /// Where it is found in a row, with what is found in the same scan.
    pub(crate) const FIELDS: [&str; 6] = [
        "contact_id",
        "id",
        "last_changed",
        "status",
        "merge_fields",
        "list_id",
    ];

    /// From the JSON text of the values of [`Identity::FIELDS`], which are parts of `row`.
    pub(crate) fn of(row: &[u8], values: [Option<&str>; Self::FIELDS.len()]) -> Self {
        let [contact_id, id, last_changed, status, merge_fields, list_id] = values;
        let texts = [contact_id, id, last_changed, status]
            .map(|value| json_scan::text(value?).filter(|text| !text.is_empty()));
        let [contact_id, id, last_changed, status] = texts;
        let key = contact_id.as_deref().or(id.as_deref()).map(Key::new);
        Self {
            key,
            id: id.map(|id| Box::from(&*id)),
            last_changed: last_changed.as_deref().and_then(whole_second),
            archived: status.as_deref() == Some("archived"),
            merge_fields: merge_fields.and_then(|part| place(row, part)),
            names_list: list_id.is_some(),
        }
    }
}

/// Where a part of the row stands in it.
fn place(row: &[u8], part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(row.as_ptr().addr())?;
    Some(start..start + part.len())
}

/// Windows are whole seconds; should a fraction ever come, the second it lies in decides.
fn whole_second(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    DateTime::from_timestamp(time.timestamp(), 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(json: &'static str) -> Option<MemberRow> {
        MemberRow::from_json(&Arc::from("a1"), Bytes::from_static(json.as_bytes()))
    }

    #[test]
    fn contact_id_is_the_key_and_id_stands_in() {
        let both = row(r#"{"id":"m","contact_id":"c"}"#).expect("has ids");
        assert_eq!((both.key().as_str(), both.id()), ("c", Some("m")));
        let blank = row(r#"{"id":"m","contact_id":""}"#).expect("has an id");
        assert_eq!(blank.key().as_str(), "m");
        assert!(row(r#"{"contact_id":null,"id":7}"#).is_none());
        assert!(row(r#"["c","m"]"#).is_none());
    }

    #[test]
    fn times_of_any_zone_become_whole_utc_seconds() {
        let row = row(r#"{"id":"m","last_changed":"2026-03-01T13:00:00.9+01:00"}"#).expect("id");
        assert_eq!(row.last_changed(), "2026-03-01T12:00:00Z".parse().ok());
    }

    #[test]
    fn a_row_without_time_is_still_a_row() {
        for json in [
            r#"{"id":"m","last_changed":""}"#,
            r#"{"id":"m","last_changed":{"a":[1]}}"#,
        ] {
            assert_eq!(row(json).expect("id").last_changed(), None);
        }
    }

    #[test]
    fn json_is_given_back_on_one_line() {
        let row = row("{\"id\":\"m\",\r\n\"status\":\"archived\"}").expect("id");
        assert!(row.is_archived());
        assert!(!row.as_json().contains(&b'\n'));
        assert!(serde_json::from_slice::<serde_json::Value>(&row.as_json()).is_ok());
    }

    #[test]
    fn what_is_not_utf8_is_no_member_wherever_it_stands() {
        let json = Bytes::from_static(b"{\"id\":\"m\",\"full_name\":\"\xff\"}");
        assert!(MemberRow::from_json(&Arc::from("a1"), json).is_none());
    }

    #[test]
    fn debug_shows_nothing_personal() {
        let row = row(r#"{"id":"m","email_address":"someone@mail.test"}"#).expect("id");
        assert!(!format!("{row:?}").contains("mail.test"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_row_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = MemberRow::from_json(&Arc::from("a1"), bytes.into());
        }

        #[test]
        fn any_value_of_any_field_keeps_the_row(
            field in "contact_id|last_changed|status",
            value in "null|true|-1|1\\.5|\"[a-z]{0,5}\"|\\[1\\]|\\{\"a\":1\\}",
        ) {
            let json = format!(r#"{{"id":"m","{field}":{value}}}"#);
            prop_assert!(MemberRow::from_json(&Arc::from("a1"), json.into()).is_some());
        }
    }
}
