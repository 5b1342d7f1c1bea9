//! What `jsonb` refuses of valid JSON.

use std::borrow::Cow;

/// The server's parser calls itself for each level; its stack takes several thousand.
const DEEPEST: usize = 1_000;

/// Digits that a number may have, exponent counted as that many. `jsonb` keeps numbers in decimal, at most 131,072 digits
/// before the point and 16,383 after it.
const LONGEST_NUMBER: usize = 16_000;

/// JSON text as `jsonb` takes it: `\u0000` and halves of surrogate pairs become `\ufffd`. `None` if it is nested too deeply, or
/// holds a number beyond the server's. The text is valid JSON.
pub(crate) fn storable(text: &str) -> Option<Cow<'_, str>> {
    let bytes = text.as_bytes();
    let mut clean: Option<String> = None;
    // Up to where `text` is in `clean`.
    let mut copied = 0;
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > DEEPEST {
                    return None;
                }
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..]
                    .iter()
                    .take_while(|byte| {
                        matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
                    })
                    .count();
                if !number_fits(&text[at..at + length]) {
                    return None;
                }
                at += length;
            }
            b'"' => {
                at += 1;
                while let Some(&byte) = bytes.get(at) {
                    match byte {
                        b'"' => break,
                        b'\\' => match escape(bytes, at) {
                            Escape::Fine(length) => at += length,
                            Escape::Refused => {
                                let clean = clean.get_or_insert_with(String::new);
                                clean.push_str(&text[copied..at]);
                                clean.push_str("\\ufffd");
                                at += UNICODE_ESCAPE;
                                copied = at;
                            }
                        },
                        _ => at += 1,
                    }
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    Some(match clean {
        None => text.into(),
        Some(mut clean) => {
            clean.push_str(&text[copied..]);
            clean.into()
        }
    })
}

/// Length of `\u0041`.
const UNICODE_ESCAPE: usize = 6;

enum Escape {
    /// Of this length.
    Fine(usize),
    /// A `\u0000` or half a pair.
    Refused,
}

/// The escape that begins at `at`.
fn escape(bytes: &[u8], at: usize) -> Escape {
    match unit(bytes, at) {
        None => Escape::Fine(2),
        Some(0 | 0xdc00..=0xdfff) => Escape::Refused,
        Some(0xd800..=0xdbff) => match unit(bytes, at + UNICODE_ESCAPE) {
            Some(0xdc00..=0xdfff) => Escape::Fine(2 * UNICODE_ESCAPE),
            _ => Escape::Refused,
        },
        Some(_) => Escape::Fine(UNICODE_ESCAPE),
    }
}

/// The UTF-16 unit that a `\u` escape at `at` stands for.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let escape = bytes.get(at..at + UNICODE_ESCAPE)?;
    let digits = std::str::from_utf8(escape.strip_prefix(b"\\u")?).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

fn number_fits(number: &str) -> bool {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX);
    usize::try_from(exponent.unsigned_abs())
        .is_ok_and(|exponent| digits.len().saturating_add(exponent) <= LONGEST_NUMBER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fine_is_not_touched() {
        for fine in [
            r#"{"a":[1,-2.5e3,true,null,"x"]}"#,
            r#"["\\u0000","\"\\","\u0041\u00e9","\ud83d\ude00","[[[","1e99999"]"#,
            "[]",
            r#""😀""#,
        ] {
            assert!(
                matches!(storable(fine), Some(Cow::Borrowed(same)) if same == fine),
                "{fine}"
            );
        }
    }

    #[test]
    fn what_jsonb_cannot_hold_is_replaced() {
        let table = [
            (r#"["a\u0000b"]"#, r#"["a\ufffdb"]"#),
            (r#"{"\u0000":1}"#, r#"{"\ufffd":1}"#),
            (r#"["\ud800"]"#, r#"["\ufffd"]"#),
            (r#"["\ud800x\udc00"]"#, r#"["\ufffdx\ufffd"]"#),
            (r#"["\ud800\ud83d\ude00"]"#, r#"["\ufffd\ud83d\ude00"]"#),
            (r#"["\\\u0000\\u0000"]"#, r#"["\\\ufffd\\u0000"]"#),
        ];
        for (given, stored) in table {
            assert_eq!(storable(given).as_deref(), Some(stored), "{given}");
        }
    }

    #[test]
    fn too_deep_or_too_large_is_nothing() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(storable(&nested(1_000)).is_some());
        assert!(storable(&nested(1_001)).is_none());
        assert!(storable("[1e999999999999999999999]").is_none());
        assert!(storable("[1e-20000]").is_none());
        assert!(storable("[1e300]").is_some());
    }
}
