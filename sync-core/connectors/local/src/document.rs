//! `state.json` as text: where each field stands, and how to change some fields without touching another byte.
//!
//! People edit this file. So nothing is parsed and printed again: a change replaces the characters of one value, and
//! matters of style (key order, indentation, line ends, how a number is written) stay as they were.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Windows editors put one before JSON; it is not part of it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text with the places of everything in it.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    text: String,
    entries: Vec<EntryPlace>,
    /// From the opening to the closing bracket.
    array: Range<usize>,
}

/// Where an entry stands.
#[derive(Clone, Debug)]
struct EntryPlace {
    /// From the opening to the closing brace.
    object: Range<usize>,
    fields: Vec<FieldPlace>,
}

#[derive(Clone, Debug)]
struct FieldPlace {
    name: String,
    value: Range<usize>,
}

/// One field of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Its value as JSON text.
    pub(crate) value: &'a str,
}

/// Why a text is no document.
#[derive(Debug)]
pub(crate) enum Malformed {
    /// It is not JSON, or not an array.
    Syntax(serde_json::Error),
    /// This entry, counted from 1, is not an object.
    NotAnObject(usize),
    /// This entry has a field twice.
    Twice(usize),
}

impl Document {
    /// Finds everything in a text.
    pub(crate) fn parse(text: String) -> Result<Self, Malformed> {
        let json = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
        let array: &RawValue = serde_json::from_str(json).map_err(Malformed::Syntax)?;
        let raw: Vec<&RawValue> = serde_json::from_str(array.get()).map_err(Malformed::Syntax)?;
        let mut entries = Vec::with_capacity(raw.len());
        for (index, raw) in raw.into_iter().enumerate() {
            let number = index + 1;
            if !raw.get().starts_with('{') {
                return Err(Malformed::NotAnObject(number));
            }
            let Fields(raw_fields) = serde_json::from_str(raw.get()).map_err(Malformed::Syntax)?;
            let mut fields: Vec<FieldPlace> = Vec::with_capacity(raw_fields.len());
            for (name, value) in raw_fields {
                if fields.iter().any(|field| field.name == name) {
                    return Err(Malformed::Twice(number));
                }
                fields.push(FieldPlace {
                    name,
                    value: place(&text, value),
                });
            }
            entries.push(EntryPlace {
                object: place(&text, raw),
                fields,
            });
        }
        let array = place(&text, array);
        Ok(Self {
            text,
            entries,
            array,
        })
    }

    /// A document without entries.
    pub(crate) fn empty() -> Self {
        Self {
            text: "[]\n".to_owned(),
            entries: Vec::new(),
            array: 0..2,
        }
    }

    /// The fields of each entry, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Vec<Field<'_>>> {
        self.entries.iter().map(|entry| {
            let field = |place| self.field(place);
            entry.fields.iter().map(field).collect()
        })
    }

    fn field<'a>(&'a self, place: &'a FieldPlace) -> Field<'a> {
        Field {
            name: &place.name,
            value: self.slice(place.value.clone()),
        }
    }

    /// The text with fields of some entries set to new JSON values. Entries are counted from 0. A field that is not there
    /// is added at the end of its entry, except with the value `null`, which says the same as no field.
    pub(crate) fn with_fields(&self, changes: &[(usize, &str, String)]) -> String {
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        for (index, name, value) in changes {
            let Some(entry) = self.entries.get(*index) else {
                continue;
            };
            match entry.fields.iter().find(|field| field.name == *name) {
                Some(field) => edits.push((field.value.clone(), value.clone())),
                None if value == "null" => {}
                None => edits.extend(self.addition(entry, name, value)),
            }
        }
        // Stable: several additions at one place keep their order when applied from the front.
        edits.sort_by_key(|(range, _)| range.start);
        self.apply(&edits)
    }

    /// The text with one more entry of one field at the end.
    pub(crate) fn with_entry(&self, name: &str, value: &str) -> String {
        let field = format!("{}: {value}", quoted(name));
        let Some(last) = self.entries.last() else {
            let line = if self.text.contains("\r\n") {
                "\r\n"
            } else {
                "\n"
            };
            let entries = format!("[{line}  {{{line}    {field}{line}  }}{line}]");
            return self.apply(&[(self.array.clone(), entries)]);
        };
        // Between entries as between the bracket and the first one; inside as inside the last one.
        let first = self.entries.first().map_or(0, |entry| entry.object.start);
        let before = self.space(self.array.start + 1, first);
        let (inside, end) = (self.inside(last), self.trailing_space(last));
        let at = last.object.end;
        self.apply(&[(at..at, format!(",{before}{{{inside}{field}{end}}}"))])
    }

    /// How to add a field behind the last one. `None` for an entry without fields, which no decoder lets pass.
    fn addition(
        &self,
        entry: &EntryPlace,
        name: &str,
        value: &str,
    ) -> Option<(Range<usize>, String)> {
        let at = entry.fields.last()?.value.end;
        // `{"a":1,"b":2}` goes on with a space, so that the line can still be broken and read.
        let separator = match self.inside(entry) {
            "" => " ",
            separator => separator,
        };
        Some((at..at, format!(",{separator}{}: {value}", quoted(name))))
    }

    /// The space between an entry's brace and its first field.
    fn inside(&self, entry: &EntryPlace) -> &str {
        self.space(entry.object.start + 1, entry.object.end)
    }

    /// The space between an entry's last field and its closing brace.
    fn trailing_space(&self, entry: &EntryPlace) -> &str {
        let from = entry
            .fields
            .last()
            .map_or(entry.object.start + 1, |field| field.value.end);
        self.space(from, entry.object.end)
    }

    /// The white space that starts at `from`, at most up to `to`.
    fn space(&self, from: usize, to: usize) -> &str {
        let text = self.slice(from..to);
        let end = text
            .find(|c: char| !c.is_ascii_whitespace())
            .unwrap_or(text.len());
        text.get(..end).unwrap_or_default()
    }

    fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }

    /// Applies edits that are sorted by place and do not overlap.
    fn apply(&self, edits: &[(Range<usize>, String)]) -> String {
        let mut text = String::with_capacity(self.text.len() + 64 * edits.len());
        let mut copied = 0;
        for (range, value) in edits {
            text.push_str(self.slice(copied..range.start));
            text.push_str(value);
            copied = range.end;
        }
        text.push_str(self.slice(copied..self.text.len()));
        text
    }
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Where a borrowed part stands in the text it was borrowed from.
fn place(text: &str, part: &RawValue) -> Range<usize> {
    let start = part.get().as_ptr().addr() - text.as_ptr().addr();
    start..start + part.get().len()
}

/// An object's fields in the order written, each value as its text.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }

        from.deserialize_map(InOrder).map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Document {
        Document::parse(text.to_owned()).unwrap()
    }

    #[test]
    fn setting_a_value_leaves_every_other_byte() {
        let text = "\u{feff}[\r\n\t{ \"z\": 1e2,\"list_id\" :\"a\",  \"t\": null , \"x\": {\"b\":[1,  2]} }\r\n]\r\n";
        let set = parse(text).with_fields(&[(0, "t", "\"now\"".into())]);
        assert_eq!(set, text.replace("null", "\"now\""));
    }

    #[test]
    fn fields_are_added_in_the_style_of_the_entry() {
        let cases = [
            (
                "[\n  {\n    \"list_id\": \"a\"\n  }\n]\n",
                "[\n  {\n    \"list_id\": \"a\",\n    \"n\": 1,\n    \"m\": 2\n  }\n]\n",
            ),
            (
                "[{\"list_id\":\"a\"}]",
                "[{\"list_id\":\"a\", \"n\": 1, \"m\": 2}]",
            ),
        ];
        for (before, after) in cases {
            let one = parse(before).with_fields(&[(0, "n", "1".into())]);
            assert_eq!(parse(&one).with_fields(&[(0, "m", "2".into())]), after);
        }
        let both = parse(cases[0].0).with_fields(&[(0, "n", "1".into()), (0, "m", "2".into())]);
        assert_eq!(both, cases[0].1);
    }

    #[test]
    fn null_adds_no_field() {
        let text = "[{\"list_id\":\"a\"}]";
        assert_eq!(
            parse(text).with_fields(&[(0, "latest_timestamp", "null".into())]),
            text
        );
    }

    #[test]
    fn an_entry_is_added_in_the_style_of_the_others() {
        assert_eq!(
            Document::empty().with_entry("list_id", "\"a\""),
            "[\n  {\n    \"list_id\": \"a\"\n  }\n]\n"
        );
        let two =
            parse("[\n    {\n        \"list_id\": \"a\"\n    }\n]").with_entry("list_id", "\"b\"");
        assert_eq!(
            two,
            "[\n    {\n        \"list_id\": \"a\"\n    },\n    {\n        \"list_id\": \"b\"\n    }\n]"
        );
    }

    #[test]
    fn a_field_that_stands_twice_is_refused() {
        let twice = Document::parse("[{\"a\": 1, \"\\u0061\": 2}]".to_owned());
        assert!(matches!(twice, Err(Malformed::Twice(1))));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "\\PC{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                proptest::collection::vec(("\\PC{0,6}", inner), 0..4).prop_map(|fields| {
                    fields.into_iter().collect::<serde_json::Map<_, _>>().into()
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_bytes_panic(text in "\\PC{0,60}|[\\[\\]{}\",:a1 \\\\]{0,60}") {
            let _ = Document::parse(text);
        }

        #[test]
        fn a_change_keeps_names_order_and_other_values(
            fields in proptest::collection::vec(("\\PC{0,6}", json()), 1..6),
            pretty: bool,
            target in 0_usize..8,
        ) {
            let mut names = std::collections::HashSet::new();
            let fields: Vec<_> = fields.into_iter().filter(|(name, _)| names.insert(name.clone())).collect();
            let gap = if pretty { "\n    " } else { "" };
            let body: Vec<String> =
                fields.iter().map(|(name, value)| format!("{gap}{}: {value}", quoted(name))).collect();
            let text = format!("[{{{}{gap}}}]", body.join(","));
            let document = parse(&text);
            let name = fields.get(target).map_or("brand new", |(name, _)| name.as_str());
            let changed = parse(&document.with_fields(&[(0, name, "42".into())]));

            let mut expected: Vec<(String, String)> =
                fields.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
            match expected.iter_mut().find(|(known, _)| known == name) {
                Some((_, value)) => *value = "42".to_owned(),
                None => expected.push((name.to_owned(), "42".to_owned())),
            }
            let found: Vec<(String, String)> = changed
                .entries()
                .next()
                .unwrap()
                .iter()
                .map(|field| (field.name.to_owned(), field.value.to_owned()))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
