//! Records as the streams of the catalogue give them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use mailchimp_client::Path;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use sync_core::{AsJson, Error, Key, Keyed, Result, fingerprint};

use super::definition::{Rows, StreamDefinition};
use super::error::{doubted, useless_path};

/// Longest part of a key that is written out; a longer one is replaced by its fingerprint.
const LONGEST_PART: usize = 120;

/// A record of a stream: the JSON object that the API gave, with `account_id` and the parents' ids put in front.
///
/// `Debug` shows the key and the size, as the data may be personal.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamRecord {
    key: Key,
    data: Bytes,
}

impl StreamRecord {
    /// The record with one more field behind its own.
    #[must_use]
    pub fn with(self, name: &str, value: &serde_json::Value) -> Self {
        let inside = self.data.trim_ascii_end();
        let inside = inside.strip_suffix(b"}").unwrap_or(inside).trim_ascii_end();
        let mut data = inside.to_vec();
        if data.last() != Some(&b'{') {
            data.push(b',');
        }
        data.extend_from_slice(json_string(name).as_bytes());
        data.push(b':');
        data.extend_from_slice(value.to_string().as_bytes());
        data.push(b'}');
        Self {
            key: self.key,
            data: data.into(),
        }
    }

    pub(super) fn new(key: Key, data: Bytes) -> Self {
        Self { key, data }
    }

    /// A record of which only the key is wanted.
    pub(super) fn of_key(key: Key) -> Self {
        Self {
            key,
            data: Bytes::new(),
        }
    }

    pub(super) fn data(&self) -> &Bytes {
        &self.data
    }
}

impl Keyed for StreamRecord {
    fn key(&self) -> Key {
        self.key.clone()
    }
}

impl AsJson for StreamRecord {
    fn as_json(&self) -> Bytes {
        self.data.clone()
    }
}

impl fmt::Debug for StreamRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamRecord")
            .field("key", &self.key)
            .field("bytes", &self.data.len())
            .finish()
    }
}

/// The fields of a JSON object, as written.
#[derive(Debug)]
pub(super) struct Fields<'r>(Vec<(Cow<'r, str>, &'r RawValue)>);

impl<'r> Fields<'r> {
    /// `None` if this is no JSON object.
    pub(super) fn of(row: &'r [u8]) -> Option<Self> {
        serde_json::from_slice(row).ok()
    }

    /// The field of this name.
    pub(super) fn get(&self, name: &str) -> Option<&'r RawValue> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| *value)
    }

    /// The field at a dotted path.
    pub(super) fn at(&self, path: &str) -> Option<&'r RawValue> {
        match path.split_once('.') {
            None => self.get(path),
            Some((first, rest)) => Fields::of(self.get(first)?.get().as_bytes())?.at(rest),
        }
    }

    /// The field as the text of an id: a string's content, or a number as written. Empty if there is none.
    pub(super) fn id(&self, name: &str) -> Cow<'r, str> {
        self.get(name).map_or(Cow::Borrowed(""), text)
    }
}

/// A string's content, anything else as written; null is empty.
pub(super) fn text(value: &RawValue) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct Text<'r>(#[serde(borrow)] Cow<'r, str>);

    let written = value.get();
    if written.starts_with('"')
        && let Ok(Text(inside)) = serde_json::from_str(written)
    {
        return inside;
    }
    match written {
        "null" => Cow::Borrowed(""),
        written => Cow::Borrowed(written),
    }
}

impl<'r> Deserialize<'r> for Fields<'r> {
    fn deserialize<D: Deserializer<'r>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Object;

        impl<'r> Visitor<'r> for Object {
            type Value = Fields<'r>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'r>>(
                self,
                mut map: A,
            ) -> std::result::Result<Fields<'r>, A::Error> {
                #[derive(Deserialize)]
                struct Name<'r>(#[serde(borrow)] Cow<'r, str>);

                let mut fields = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// One path of a stream: its definition with the parents' ids.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) definition: &'static StreamDefinition,
    /// Of the path's variables, in their order.
    values: Vec<String>,
    /// Fields that every record begins with: their names, and the fields as JSON.
    front: Vec<(&'static str, String)>,
    prefix: String,
}

/// A row that is no record: not an object, or without an id.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Useless;

impl Place {
    pub(super) fn new(
        definition: &'static StreamDefinition,
        account_id: &Arc<str>,
        values: Vec<String>,
    ) -> Self {
        let mut front = vec![field("account_id", &json_string(account_id))];
        let mut prefix = key_part(account_id).into_owned();
        for (name, value) in definition.variables().zip(&values) {
            front.push(field(name, &json_string(value)));
            prefix.push(':');
            prefix.push_str(&key_part(value));
        }
        Self {
            definition,
            values,
            front,
            prefix,
        }
    }

    /// The place a key belongs to, and the values of the key's fields; `None` if it is not a key of this stream and account.
    pub(super) fn of_key(
        definition: &'static StreamDefinition,
        account_id: &Arc<str>,
        key: &Key,
    ) -> Option<(Self, Vec<(&'static str, String)>)> {
        let mut parts = key.as_str().split(':').map(unescaped);
        if parts.next()?? != **account_id {
            return None;
        }
        let variables: Vec<&'static str> = definition.variables().collect();
        let own = own_key(definition);
        let names = variables.iter().copied().chain(own);
        // A part that stands for a fingerprint has no value; the record can only be found among the others.
        let known: Vec<(&'static str, Option<String>)> = names.zip(parts).collect();
        let values = variables
            .iter()
            .map(|name| known.iter().find(|(known, _)| known == name)?.1.clone())
            .collect::<Option<Vec<String>>>()?;
        let known = known
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        Some((Self::new(definition, account_id, values), known))
    }

    /// The id that stands for a variable of the path.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.definition.variables().zip(&self.values);
        let found = values.find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// What every key here begins with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn path(&self) -> Result<Path> {
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        Path::new(self.definition.path, &values)
            .map_err(|error| useless_path(error, self.definition.name))
    }

    /// What an error says of this place: a 404 for its path only means that it is gone if nobody can take the path for
    /// another one.
    pub(super) fn doubted(&self, error: Error) -> Error {
        doubted(error, self.definition.name, &self.values)
    }

    /// The key of the only record here, if the parents' ids say it all.
    pub(super) fn only_key(&self) -> Option<Key> {
        (self.definition.rows == Rows::Single && own_key(self.definition).next().is_none())
            .then(|| Key::new(self.prefix.clone()))
    }

    /// The record with this key, from its own path. `known` are the values of the key's fields; the record may lack what it
    /// would get from the row around it.
    pub(super) fn record_of(
        &self,
        key: &Key,
        known: &[(&'static str, String)],
        row: &Bytes,
    ) -> Option<StreamRecord> {
        let fields = Fields::of(row)?;
        let mut front = self.front.clone();
        if let Rows::Nested { carried, .. } = self.definition.rows {
            for (_, to) in carried {
                if let Some((_, value)) = known.iter().find(|(name, _)| name == to) {
                    front.push(field(to, &json_string(value)));
                }
            }
        }
        Some(StreamRecord {
            key: key.clone(),
            data: in_front(&front, row, &fields),
        })
    }

    /// Adds the records of a row.
    pub(super) fn records(
        &self,
        row: &Bytes,
        into: &mut Vec<StreamRecord>,
    ) -> std::result::Result<(), Useless> {
        let Rows::Nested {
            inside, carried, ..
        } = self.definition.rows
        else {
            into.push(self.record(row, &self.front, &[])?);
            return Ok(());
        };
        let outer = Fields::of(row).ok_or(Useless)?;
        let mut front = self.front.clone();
        for (from, to) in carried {
            front.push(field(to, outer.get(from).map_or("null", RawValue::get)));
        }
        let Some(array) = outer.get(inside).filter(|value| value.get() != "null") else {
            // Seen where nothing has happened: the field is absent instead of empty.
            return Ok(());
        };
        let inner: Vec<&RawValue> = serde_json::from_str(array.get()).map_err(|_| Useless)?;
        for object in inner {
            into.push(self.record(object.get().as_bytes(), &front, &[&outer])?);
        }
        Ok(())
    }

    fn record(
        &self,
        row: &[u8],
        front: &[(&'static str, String)],
        around: &[&Fields<'_>],
    ) -> std::result::Result<StreamRecord, Useless> {
        let fields = Fields::of(row).ok_or(Useless)?;
        let carried = match self.definition.rows {
            Rows::Nested { carried, .. } => carried,
            _ => &[],
        };
        let mut key = self.prefix.clone();
        let (mut wanted, mut found) = (false, false);
        for name in own_key(self.definition) {
            let outer = carried.iter().find(|(_, to)| *to == name);
            let value = match outer {
                Some((from, _)) => around.first().and_then(|row| row.get(from)),
                None => fields.get(name),
            };
            let part = value.map_or(Cow::Borrowed(""), text);
            wanted = true;
            // An empty id names nothing. Other names may be empty: members whose country nobody knows are in the country "".
            let is_id = name == "id" || name.ends_with("_id");
            found |= !part.is_empty() || !is_id && value.is_some_and(|value| value.get() == "\"\"");
            key.push(':');
            key.push_str(&key_part(&part));
        }
        if wanted && !found {
            return Err(Useless);
        }
        if !wanted && self.definition.rows != Rows::Single {
            key.push(':');
            key.push_str(&hashed(row));
        }
        Ok(StreamRecord {
            key: Key::new(key),
            data: in_front(front, row, &fields),
        })
    }
}

/// The row with these fields before its own, unless it has them itself.
fn in_front(front: &[(&'static str, String)], row: &[u8], fields: &Fields<'_>) -> Bytes {
    let mut data = Vec::with_capacity(row.len() + 40 * front.len());
    data.push(b'{');
    for (name, field) in front {
        if fields.get(name).is_none() {
            if data.len() > 1 {
                data.push(b',');
            }
            data.extend_from_slice(field.as_bytes());
        }
    }
    if !fields.0.is_empty() && data.len() > 1 {
        data.push(b',');
    }
    // `row` is an object: what follows its first brace is its fields.
    let open = row.iter().position(|byte| *byte == b'{');
    data.extend_from_slice(row.get(open.map_or(0, |at| at + 1)..).unwrap_or_default());
    data.into()
}

/// The key's fields that are no variables of the path.
pub(super) fn own_key(definition: &'static StreamDefinition) -> impl Iterator<Item = &'static str> {
    let names = definition.key.iter().copied();
    names.filter(move |name| !definition.variables().any(|variable| variable == *name))
}

/// A field of an object, as JSON.
fn field(name: &'static str, json: &str) -> (&'static str, String) {
    (name, format!("{}:{json}", json_string(name)))
}

pub(super) fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A part of a key. `:` parts them and `~` begins a fingerprint, so both are escaped in what the API calls an id.
pub(super) fn key_part(value: &str) -> Cow<'_, str> {
    if value.len() > LONGEST_PART {
        return hashed(value.as_bytes()).into();
    }
    if !value.contains(['%', ':', '~']) {
        return value.into();
    }
    let mut part = String::with_capacity(value.len() + 8);
    for character in value.chars() {
        match character {
            '%' => part.push_str("%25"),
            ':' => part.push_str("%3A"),
            '~' => part.push_str("%7E"),
            _ => part.push(character),
        }
    }
    part.into()
}

fn hashed(bytes: &[u8]) -> String {
    format!("~{:016x}", fingerprint(bytes))
}

/// What [`key_part`] was given; `None` for a fingerprint.
pub(super) fn unescaped(part: &str) -> Option<String> {
    if part.starts_with('~') {
        return None;
    }
    Some(
        part.replace("%3A", ":")
            .replace("%7E", "~")
            .replace("%25", "%"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalogue::stream;

    /// Any text, and the characters that keys are made with more often than others.
    fn id() -> impl Strategy<Value = String> {
        prop_oneof![
            "[:%~3A5E27a]{1,12}",
            "\\PC{1,30}",
            "[a-z:]{119,130}",
            Just("Größe ½ 🐒".to_owned())
        ]
    }

    proptest! {
        #[test]
        fn a_part_of_a_key_is_what_it_was_or_a_fingerprint(value in id()) {
            let part = key_part(&value);
            prop_assert!(!part.contains(':'));
            let back = unescaped(&part);
            prop_assert_eq!(back, (value.len() <= LONGEST_PART).then_some(value));
        }

        #[test]
        fn a_key_names_the_place_it_came_from(store in id(), product in id(), own in id()) {
            let definition = stream("all_product_variants").expect("the catalogue has it");
            let account: Arc<str> = "acc:1".into();
            let place = Place::new(definition, &account, vec![store.clone(), product.clone()]);
            let row = Bytes::from(format!("{{\"id\":{}}}", json_string(&own)));
            let mut records = Vec::new();
            place.records(&row, &mut records).expect("the row has an id");
            let key = records[0].key();
            let json: serde_json::Value = serde_json::from_slice(records[0].data()).expect("json");
            prop_assert_eq!(&json["store_id"], &store);
            prop_assert_eq!(&json["id"], &own);
            let short = |value: &String| value.len() <= LONGEST_PART;
            match Place::of_key(definition, &account, &key) {
                Some((found, known)) => {
                    prop_assert_eq!(&found.values, &[store, product]);
                    let known = known.into_iter().find(|(name, _)| *name == "id");
                    prop_assert_eq!(known.map(|(_, id)| id), Some(own.clone()).filter(short));
                }
                // A parent's id that is longer stands for itself no more.
                None => prop_assert!(!short(&store) || !short(&product)),
            }
            let other: Arc<str> = "acc".into();
            prop_assert!(Place::of_key(definition, &other, &key).is_none());
        }
    }
}
