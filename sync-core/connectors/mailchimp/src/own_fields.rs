//! Values of an object's own fields, found without building anything of the rest.

use std::borrow::Cow;

/// The text of these fields' values in a JSON object; of a field that is there twice, the first. `None` if it is no object.
///
/// The object must be valid JSON, as rows of a page are: that was checked when the page was cut into rows, and is not
/// checked again. Other bytes give any answer.
pub(crate) fn values<'a, const N: usize>(
    object: &'a [u8],
    names: [&str; N],
) -> Option<[Option<&'a [u8]>; N]> {
    let mut found = [None; N];
    let mut missing = N;
    let mut at = skip_space(object, 0);
    if object.get(at) != Some(&b'{') {
        return None;
    }
    while missing > 0 {
        let key = skip_space(object, at + 1);
        if object.get(key) != Some(&b'"') {
            break;
        }
        let (key_end, escaped) = string_end(object, key);
        let value = skip_space(object, skip_space(object, key_end) + 1);
        let value_end = value_end(object, value);
        let name = object
            .get(key + 1..key_end.saturating_sub(1))
            .unwrap_or_default();
        for (slot, wanted) in found.iter_mut().zip(names) {
            if slot.is_none() && is_name(name, escaped, wanted) {
                *slot = object.get(value..value_end);
                missing -= 1;
            }
        }
        at = skip_space(object, value_end);
        if object.get(at) != Some(&b',') {
            break;
        }
    }
    Some(found)
}

/// A string value that is not empty; `None` for everything else.
pub(crate) fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let text = if memchr::memchr(b'\\', inner).is_some() {
        Cow::Owned(serde_json::from_slice(value).ok()?)
    } else {
        Cow::Borrowed(std::str::from_utf8(inner).ok()?)
    };
    (!text.is_empty()).then_some(text)
}

fn is_name(name: &[u8], escaped: bool, wanted: &str) -> bool {
    if !escaped {
        return name == wanted.as_bytes();
    }
    let quoted = [b"\"", name, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).is_ok_and(|name| name == wanted)
}

fn skip_space(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// Behind the closing quote of the string that begins at `at`, and whether anything in it is escaped.
fn string_end(text: &[u8], at: usize) -> (usize, bool) {
    let mut from = at + 1;
    let mut escaped = false;
    while let Some(rest) = text.get(from..) {
        let found = quote_or_backslash(rest);
        match rest.get(found) {
            Some(b'"') => return (from + found + 1, escaped),
            // What is escaped is no closing quote.
            Some(_) => from += found + 2,
            None => break,
        }
        escaped = true;
    }
    (text.len(), escaped)
}

/// The place of the first of the two, or the length. Eight bytes at a time: most strings are too short for more to pay.
fn quote_or_backslash(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    /// Has the highest bit of the first byte that is 0, and of no byte before it.
    fn zeros(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word & (ONES << 7)
    }
    let (words, _) = text.as_chunks();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found =
            zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return 8 * at + (found.trailing_zeros() / 8) as usize;
        }
    }
    let behind = 8 * words.len();
    let rest = text.get(behind..).unwrap_or_default();
    let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'));
    behind + found.unwrap_or(rest.len())
}

/// Behind the value that begins at `at`.
fn value_end(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                (at, _) = string_end(text, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return at + depth,
            b'}' | b']' => depth -= 1,
            b',' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,8}|[\"\\\\{}\\[\\],: \n]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((name(), inner), 0..4)
                    .prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }

    fn name() -> impl Strategy<Value = String> {
        "id|status|[a-c\"\\\\]{0,3}"
    }

    proptest! {
        #[test]
        fn values_are_those_a_parser_finds(
            fields in proptest::collection::vec((name(), json()), 0..8),
            pretty in any::<bool>(),
        ) {
            let object: Map<String, Value> = fields.into_iter().collect();
            let written = if pretty { serde_json::to_vec_pretty(&object) } else { serde_json::to_vec(&object) };
            let written = written.unwrap();
            // Floats are not read back exactly.
            let object: Map<String, Value> = serde_json::from_slice(&written).unwrap();
            let names = ["id", "a\"", "status"];
            let found = values(&written, names).unwrap();
            for (found, name) in found.into_iter().zip(names) {
                let parsed = found.map(|value| serde_json::from_slice::<Value>(value).unwrap());
                prop_assert_eq!(parsed.as_ref(), object.get(name));
                let string = object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
                let read = found.and_then(text);
                prop_assert_eq!(read.as_deref(), string);
            }
        }

        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in "[{}\\[\\]\",:\\\\ a1]{0,40}") {
            for object in [bytes, text.into_bytes()] {
                if let Some(found) = values(&object, ["a", "1"]) {
                    found.into_iter().flatten().for_each(|value| drop(super::text(value)));
                }
            }
        }
    }

    #[test]
    fn an_escaped_name_is_the_name() {
        let object = br#"{ "\u0069d" : "x" , "id":"y" }"#;
        let [id] = values(object, ["id"]).unwrap();
        assert_eq!(id, Some(&b"\"x\""[..]));
        assert!(values(b" [1]", ["id"]).is_none());
    }
}
