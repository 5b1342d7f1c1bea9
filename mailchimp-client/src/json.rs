//! From bytes to values, with the place of a fault and without quoting what stands there.

use std::borrow::Cow;
use std::fmt::Write;

use bytes::Bytes;
use json_scan::{Broken, Scanner, Token};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use serde_json::{Map, Value};

use crate::error::{DecodeError, DecodeProblem, Error, Operation, Result};
use crate::fetched::{Meta, RawPage};

/// Reads a whole body as a `T`.
///
/// `serde_json` refuses nesting deeper than 128 levels wherever values are built.
pub(crate) fn decode<T: DeserializeOwned>(
    body: &[u8],
    operation: &Operation,
    meta: &Meta,
) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| fault(&error, body, "", operation, meta))
}

/// Reads one row of a page.
pub(crate) fn decode_row<T: DeserializeOwned>(
    row: &[u8],
    items_key: &str,
    index: usize,
    operation: &Operation,
    meta: &Meta,
) -> Result<T> {
    serde_json::from_slice(row).map_err(|error| {
        fault(
            &error,
            row,
            &format!("{items_key}[{index}]"),
            operation,
            meta,
        )
    })
}

/// Reads a collection's envelope and cuts the body into rows, without copying them. Each row goes through `row` together with
/// the text of the values of its fields `names`.
///
/// Rows are checked to be valid JSON objects, and not recursively, so deep nesting cannot overflow the stack. What `row` made
/// of the rows is given back only if all of the body is in order.
pub(crate) fn raw_page<R, const N: usize>(
    body: &Bytes,
    items_key: &'static str,
    names: [&str; N],
    mut row: impl FnMut(Bytes, [Option<&str>; N]) -> R,
    operation: &Operation,
    meta: Meta,
) -> Result<RawPage<R>> {
    let fail = |problem, path: String| {
        let request_id = meta.request_id.clone();
        let operation = operation.clone();
        Err(Error::Decode(Box::new(DecodeError {
            operation,
            path,
            problem,
            request_id,
        })))
    };
    // One check for the whole body.
    let Ok(text) = std::str::from_utf8(body) else {
        return fail(DecodeProblem::Syntax, "$".to_owned());
    };
    let taken = envelope(text, items_key, names, |text, values| {
        row(body.slice_ref(text.as_bytes()), values)
    });
    let Ok(envelope) = taken else {
        // Where it is broken, a parser knows that keeps account of it.
        return match serde_json::from_str::<IgnoredAny>(text) {
            Err(error) => Err(fault(&error, body, "", operation, &meta)),
            Ok(_) => fail(DecodeProblem::Shape, "$".to_owned()),
        };
    };
    let rows = match envelope.rows {
        Rows::These(rows) => rows,
        Rows::Absent => return fail(DecodeProblem::MissingItems, items_key.to_owned()),
        Rows::NoArray => return fail(DecodeProblem::Shape, items_key.to_owned()),
        Rows::NoObject(index) => {
            return fail(DecodeProblem::Shape, format!("{items_key}[{index}]"));
        }
    };
    let extra = envelope
        .extra
        .into_iter()
        .map(|(name, value)| (name.into_owned(), body.slice_ref(value.as_bytes())))
        .collect();
    Ok(RawPage {
        rows,
        total_items: envelope.total_items,
        extra,
        meta,
    })
}

/// Reads what a page's envelope holds besides its rows.
pub(crate) fn envelope_extra(page: &RawPage, operation: &Operation) -> Result<Map<String, Value>> {
    page.extra
        .iter()
        .map(|(name, text)| {
            serde_json::from_slice(text)
                .map(|value| (name.clone(), value))
                .map_err(|error| fault(&error, text, name, operation, &page.meta))
        })
        .collect()
}

struct Envelope<'a, R> {
    rows: Rows<R>,
    total_items: Option<u64>,
    extra: Vec<(Cow<'a, str>, &'a str)>,
}

enum Rows<R> {
    These(Vec<R>),
    Absent,
    NoArray,
    /// The place of the first row that is none.
    NoObject(usize),
}

/// Takes a whole body. Of a name that is there twice, the last holds.
fn envelope<'a, R, const N: usize>(
    text: &'a str,
    items_key: &str,
    names: [&str; N],
    mut row: impl FnMut(&'a str, [Option<&'a str>; N]) -> R,
) -> Result<Envelope<'a, R>, Broken> {
    let mut envelope = Envelope {
        rows: Rows::Absent,
        total_items: None,
        extra: Vec::new(),
    };
    let mut body = Scanner::new(text);
    let mut next = if body.take(b'{') {
        !body.take(b'}')
    } else {
        return Err(Broken);
    };
    while next {
        let name = json_scan::text(body.name()?).ok_or(Broken)?;
        if name == items_key {
            envelope.rows = rows(&mut body, names, &mut row)?;
        } else {
            body.peek();
            let start = body.position();
            body.value()?;
            let value = body.since(start);
            if name == "total_items" {
                envelope.total_items = value.parse().ok();
            } else {
                envelope.extra.push((name, value));
            }
        }
        next = body.take(b',');
        if !next && !body.take(b'}') {
            return Err(Broken);
        }
    }
    if body.ended() {
        Ok(envelope)
    } else {
        Err(Broken)
    }
}

fn rows<'a, R, const N: usize>(
    body: &mut Scanner<'a>,
    names: [&str; N],
    row: &mut impl FnMut(&'a str, [Option<&'a str>; N]) -> R,
) -> Result<Rows<R>, Broken> {
    if !body.take(b'[') {
        return Ok(match body.value()? {
            Token::Null => Rows::Absent,
            _ => Rows::NoArray,
        });
    }
    let mut rows = Vec::new();
    let mut no_object = None;
    let mut next = !body.take(b']');
    while next {
        if body.peek() == b'{' {
            let start = body.position();
            let mut values = [None; N];
            body.object(names, &mut values)?;
            rows.push(row(body.since(start), values));
        } else {
            body.value()?;
            no_object.get_or_insert(rows.len());
        }
        next = body.take(b',');
        if !next && !body.take(b']') {
            return Err(Broken);
        }
    }
    Ok(no_object.map_or(Rows::These(rows), Rows::NoObject))
}

fn fault(
    error: &serde_json::Error,
    text: &[u8],
    prefix: &str,
    operation: &Operation,
    meta: &Meta,
) -> Error {
    // The error's own message may quote a value. Its class and place may not.
    let problem = match error.classify() {
        Category::Eof => DecodeProblem::Truncated,
        Category::Data => DecodeProblem::Shape,
        Category::Syntax | Category::Io => DecodeProblem::Syntax,
    };
    let inner = path_at(text, offset_of(text, error.line(), error.column()));
    let mut path = prefix.to_owned();
    if !prefix.is_empty() && !inner.is_empty() && !inner.starts_with('[') {
        path.push('.');
    }
    path.push_str(&inner);
    if path.is_empty() {
        path.push('$');
    }
    Error::Decode(Box::new(DecodeError {
        operation: operation.clone(),
        path,
        problem,
        request_id: meta.request_id.clone(),
    }))
}

/// The byte that `serde_json` calls line and column, both counted from 1.
fn offset_of(text: &[u8], line: usize, column: usize) -> usize {
    let start: usize = text
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    (start + column).min(text.len())
}

/// A place inside a container.
enum Step {
    Key(String),
    Index(usize),
}

/// Deepest place that is spelled out.
const LONGEST_PATH: usize = 12;

/// The path of the value that ends at, or spans, byte `offset`.
fn path_at(text: &[u8], offset: usize) -> String {
    let mut stack: Vec<Step> = Vec::new();
    let mut expects_key = false;
    let mut at = 0;
    while at < offset {
        match text.get(at) {
            None => break,
            Some(b'{') => {
                stack.push(Step::Key(String::new()));
                expects_key = true;
            }
            Some(b'[') => stack.push(Step::Index(0)),
            Some(b'}' | b']') => {
                stack.pop();
                expects_key = false;
            }
            Some(b',') => match stack.last_mut() {
                Some(Step::Index(index)) => *index += 1,
                Some(Step::Key(_)) => expects_key = true,
                None => {}
            },
            Some(b'"') => {
                let end = end_of_string(text, at + 1);
                if expects_key && let Some(Step::Key(key)) = stack.last_mut() {
                    *key = printable_key(text.get(at + 1..end).unwrap_or_default());
                    expects_key = false;
                }
                at = end;
            }
            Some(_) => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for step in stack.iter().take(LONGEST_PATH) {
        match step {
            Step::Key(key) if key.is_empty() => {}
            Step::Key(key) if path.is_empty() => path.push_str(key),
            Step::Key(key) => {
                path.push('.');
                path.push_str(key);
            }
            Step::Index(index) => {
                // Writing to a String cannot fail.
                let _ = write!(path, "[{index}]");
            }
        }
    }
    path
}

/// The closing quote of the string that begins at `from`, or the end of the text.
fn end_of_string(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// A key that is a plain word; any other could be data.
fn printable_key(key: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if !key.is_empty() && key.len() <= 40 && key.iter().all(plain) {
        String::from_utf8_lossy(key).into_owned()
    } else {
        "?".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::path_at;

    fn path_of(text: &str, needle: &str) -> String {
        let offset = text.find(needle).unwrap() + needle.len();
        path_at(text.as_bytes(), offset)
    }

    #[test]
    fn the_path_names_the_value_at_an_offset() {
        let text = r#"{"a":1,"members":[{"id":"x"},{"tags":[{"id":1},{"id":true}]}],"b,{":[2]}"#;
        assert_eq!(path_of(text, "1"), "a");
        assert_eq!(path_of(text, "true"), "members[1].tags[1].id");
        assert_eq!(path_of(text, "2"), "?[0]");
    }

    #[test]
    fn keys_that_could_be_data_are_not_shown() {
        assert_eq!(path_of(r#"{"ann@corp.invalid":7}"#, "7"), "?");
    }

    #[test]
    fn broken_text_still_has_a_path() {
        for text in ["", "{", "}", "[,,", "{\"a", "{\"a\\", "]]]]", "{\"a\":\"\\"] {
            let _ = path_at(text.as_bytes(), text.len() + 3);
        }
    }
}
