//! Text as warehouses can hold it.

use std::borrow::Cow;

/// What stands in place of a character that no warehouse holds.
const REPLACEMENT: char = '\u{fffd}';

#[derive(serde::Deserialize)]
struct Text<'r>(#[serde(borrow)] Cow<'r, str>);

/// The text that a JSON string stands for. `written` is one, with its quotes.
///
/// JSON may write what is no text, half of a surrogate pair, and what few warehouses hold, U+0000. Both become U+FFFD.
pub(super) fn unquoted(written: &str) -> Cow<'_, str> {
    let inside = inside(written);
    if !inside.contains('\\') {
        return inside.into();
    }
    let storable = storable_json(written);
    match serde_json::from_str(&storable) {
        Ok(Text(text)) => text.into_owned().into(),
        // No string at all: it stays as it is written.
        Err(_) => inside.into(),
    }
}

/// A JSON string without its quotes.
pub(super) fn inside(written: &str) -> &str {
    written
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(written)
}

/// JSON in which no string holds U+0000 or half of a surrogate pair: they are U+FFFD. For a sink whose raw column is JSON to
/// the warehouse, which would refuse them.
pub fn storable_json(json: &str) -> Cow<'_, str> {
    if !json.contains("\\u") {
        return json.into();
    }
    let mut storable = String::new();
    // Up to here it was copied.
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = json[at..].find('\\') {
        at += found;
        let Some(unit) = escaped_unit(json, at) else {
            // The escape of one character, which may be a backslash.
            at += 1 + json[at + 1..].chars().next().map_or(0, char::len_utf8);
            continue;
        };
        let end = at + ESCAPE;
        let paired = matches!(unit, 0xd800..=0xdbff)
            && matches!(escaped_unit(json, end), Some(0xdc00..=0xdfff));
        if paired {
            at = end + ESCAPE;
            continue;
        }
        if unit == 0 || matches!(unit, 0xd800..=0xdfff) {
            storable.push_str(&json[copied..at]);
            storable.push(REPLACEMENT);
            copied = end;
        }
        at = end;
    }
    if copied == 0 {
        return json.into();
    }
    storable.push_str(&json[copied..]);
    storable.into()
}

/// Length of `\uXXXX`.
const ESCAPE: usize = 6;

/// The UTF-16 unit of the escape that begins here, if one does.
fn escaped_unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + ESCAPE)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_stored_is_replaced_and_nothing_else() {
        for (json, text) in [
            (r#""plain""#, "plain"),
            (r#""a\u0000b""#, "a\u{fffd}b"),
            (r#""a\\u0000b""#, "a\\u0000b"),
            (r#""a\\\u0000b""#, "a\\\u{fffd}b"),
            (r#""\ud83d\ude42""#, "\u{1f642}"),
            (r#""x\ud83dy""#, "x\u{fffd}y"),
            (r#""\ud83d\ud83d\ude42""#, "\u{fffd}\u{1f642}"),
            (r#""\ude42\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\u00e9\n\"""#, "é\n\""),
            (r#""\""#, "\\"),
        ] {
            assert_eq!(unquoted(json), text, "{json}");
        }
        assert_eq!(
            storable_json(r#"{"\u0000":["\\u0000","\ud83d"]}"#),
            "{\"\u{fffd}\":[\"\\\\u0000\",\"\u{fffd}\"]}"
        );
    }

    proptest! {
        #[test]
        fn text_comes_back(text in "\\PC{0,12}|[\\\\u0d8\"a-f]{0,24}") {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(unquoted(&json), text);
            prop_assert_eq!(storable_json(&json), json.as_str());
        }

        /// Whatever escapes stand in it, what is left is JSON that everybody reads, and text without U+0000.
        #[test]
        fn any_escapes_become_storable(
            escapes in proptest::collection::vec(
                prop_oneof![
                    any::<u16>().prop_map(|unit| format!("\\u{unit:04x}")),
                    (0xd700_u16..0xe100).prop_map(|unit| format!("\\u{unit:04X}")),
                    Just("\\\\".to_owned()),
                    Just("\\u0000".to_owned()),
                    Just("é".to_owned()),
                ],
                0..8,
            ),
        ) {
            let json = format!("\"{}\"", escapes.concat());
            let text: String = serde_json::from_str(&storable_json(&json)).unwrap();
            prop_assert!(!text.contains('\0'));
            prop_assert_eq!(unquoted(&json), text);
        }
    }
}
