//! JSON text, taken apart in one pass and without building anything.
//!
//! Rows pass through the importer by the million, and most of it needs only where they end and what few of their fields are.
//! A parser that hands each value over twice, once to find its end and once to read it, took a third of a read's time.
//!
//! A [`Scanner`] takes one token after the other and is strict: what it takes is valid JSON (RFC 8259), however deep, and what
//! is none is [`Broken`]. It does not recurse. [`fields`] finds a few fields of an object, [`each_field`] gives all.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// The text is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text is no JSON")
    }
}

impl Error for Broken {}

/// A place in a text of which everything before is valid JSON.
#[derive(Debug)]
pub struct Scanner<'r> {
    text: &'r str,
    at: usize,
    /// The brackets that a nested value must still close.
    open: Vec<u8>,
}

/// A JSON value that is neither taken apart nor copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'r> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// As written.
    Number(&'r str),
    /// As written, with its quotes.
    Text {
        /// The string as written.
        written: &'r str,
        /// Whether there are escapes in it.
        escaped: bool,
    },
    /// An array or an object, as written.
    Nested(&'r str),
}

impl<'r> Scanner<'r> {
    /// The beginning of a text.
    pub fn new(text: &'r str) -> Self {
        Self {
            text,
            at: 0,
            open: Vec::new(),
        }
    }

    /// The next byte that is no white space; 0 at the end.
    pub fn peek(&mut self) -> u8 {
        loop {
            match self.byte() {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// Takes this byte if it comes next.
    pub fn take(&mut self, byte: u8) -> bool {
        let comes = self.peek() == byte;
        self.at += usize::from(comes);
        comes
    }

    /// Takes a field's name and the colon behind it if they come next as `quoted`, without white space.
    pub fn take_name(&mut self, quoted: &str) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        let comes = rest.starts_with(quoted.as_bytes()) && rest.get(quoted.len()) == Some(&b':');
        if comes {
            self.at += quoted.len() + 1;
        }
        comes
    }

    /// Takes a field's name, with its quotes, and the colon behind it.
    ///
    /// # Errors
    /// When no name comes.
    pub fn name(&mut self) -> Result<&'r str, Broken> {
        self.name_and_whether_escaped().map(|(name, _)| name)
    }

    fn name_and_whether_escaped(&mut self) -> Result<(&'r str, bool), Broken> {
        if self.peek() != b'"' {
            return Err(Broken);
        }
        let start = self.at;
        let escaped = self.string()?;
        let name = self.since(start);
        if self.take(b':') {
            Ok((name, escaped))
        } else {
            Err(Broken)
        }
    }

    /// How many bytes were taken.
    pub fn position(&self) -> usize {
        self.at
    }

    /// What was taken since there were this many bytes.
    pub fn since(&self, position: usize) -> &'r str {
        self.text.get(position..self.at).unwrap_or_default()
    }

    /// Takes an object and puts the text of these fields' values into `found`; of a field that is there twice, the last,
    /// as other readers of JSON have it.
    ///
    /// # Errors
    /// When no object comes, or it is broken.
    pub fn object<const N: usize>(
        &mut self,
        names: [&str; N],
        found: &mut [Option<&'r str>; N],
    ) -> Result<(), Broken> {
        self.each_field(|name, escaped, value| {
            let wanted = if escaped {
                let name = text(name);
                names
                    .iter()
                    .position(|wanted| name.as_deref() == Some(wanted))
            } else {
                let name = name.get(1..name.len() - 1).unwrap_or_default();
                names.iter().position(|wanted| name == *wanted)
            };
            if let Some(wanted) = wanted {
                found[wanted] = Some(value);
            }
            Ok(())
        })
    }

    /// Takes an object. `field` gets each name with its quotes, whether there are escapes in it, and the value.
    fn each_field(
        &mut self,
        mut field: impl FnMut(&'r str, bool, &'r str) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        if !self.take(b'{') {
            return Err(Broken);
        }
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let (name, escaped) = self.name_and_whether_escaped()?;
            self.peek();
            let start = self.at;
            self.value()?;
            field(name, escaped, self.since(start))?;
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(Broken);
            }
        }
    }

    /// Takes a value.
    ///
    /// # Errors
    /// When none comes, or it is broken.
    pub fn value(&mut self) -> Result<Token<'r>, Broken> {
        let byte = self.peek();
        let start = self.at;
        Ok(match byte {
            b'"' => {
                let escaped = self.string()?;
                let written = &self.text[start..self.at];
                Token::Text { written, escaped }
            }
            b'{' | b'[' => {
                self.nested()?;
                Token::Nested(&self.text[start..self.at])
            }
            b't' => self.word("true", Token::Boolean(true))?,
            b'f' => self.word("false", Token::Boolean(false))?,
            b'n' => self.word("null", Token::Null)?,
            _ => {
                self.number()?;
                Token::Number(&self.text[start..self.at])
            }
        })
    }

    /// Whether nothing but white space is left.
    pub fn ended(&mut self) -> bool {
        self.peek() == 0 && self.at == self.text.len()
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn word(&mut self, word: &str, token: Token<'r>) -> Result<Token<'r>, Broken> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(token)
        } else {
            Err(Broken)
        }
    }

    /// Takes a string and says whether there are escapes in it.
    fn string(&mut self) -> Result<bool, Broken> {
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        let mut at = self.at + 1;
        loop {
            at = next_special(bytes, at);
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    at += match bytes.get(at + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                        Some(b'u') => {
                            let digits = bytes.get(at + 2..at + 6).ok_or(Broken)?;
                            if !digits.iter().all(u8::is_ascii_hexdigit) {
                                return Err(Broken);
                            }
                            6
                        }
                        _ => return Err(Broken),
                    };
                }
                // A control character, or the end.
                _ => return Err(Broken),
            }
        }
    }

    fn number(&mut self) -> Result<(), Broken> {
        if self.byte() == b'-' {
            self.at += 1;
        }
        if self.byte() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.byte(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Takes one digit or more.
    fn digits(&mut self) -> Result<(), Broken> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Broken) }
    }

    /// Takes an array or an object, however deep.
    fn nested(&mut self) -> Result<(), Broken> {
        self.open.clear();
        loop {
            // A value begins here.
            let begun = match self.peek() {
                b'{' => Some(b'}'),
                b'[' => Some(b']'),
                b'"' => {
                    self.string()?;
                    None
                }
                _ => {
                    self.value()?;
                    None
                }
            };
            if let Some(close) = begun {
                self.at += 1;
                if !self.take(close) {
                    self.open.push(close);
                    if close == b'}' {
                        self.name()?;
                    }
                    continue;
                }
            }
            // A value has ended here, and maybe those around it.
            loop {
                let Some(&close) = self.open.last() else {
                    return Ok(());
                };
                if self.take(b',') {
                    if close == b'}' {
                        self.name()?;
                    }
                    break;
                }
                if !self.take(close) {
                    return Err(Broken);
                }
                self.open.pop();
            }
        }
    }
}

/// The text of these fields' values in a JSON object; of a field that is there twice, the last. `None` if the text is not
/// one JSON object.
pub fn fields<'r, const N: usize>(
    object: &'r str,
    names: [&str; N],
) -> Option<[Option<&'r str>; N]> {
    let mut scanner = Scanner::new(object);
    let mut found = [None; N];
    scanner.object(names, &mut found).ok()?;
    scanner.ended().then_some(found)
}

/// Hands out the fields of a JSON object in their order: what the name stands for, and the text of the value.
///
/// # Errors
/// When the text is not one JSON object, or a name stands for nothing (see [`text`]). Fields may have been handed out before.
pub fn each_field<'r>(
    object: &'r str,
    mut field: impl FnMut(Cow<'r, str>, &'r str),
) -> Result<(), Broken> {
    let mut scanner = Scanner::new(object);
    scanner.each_field(|name, _, value| {
        field(text(name).ok_or(Broken)?, value);
        Ok(())
    })?;
    if scanner.ended() { Ok(()) } else { Err(Broken) }
}

/// What a string stands for, from how it is written; `None` for every other value, and for a string with half of a surrogate
/// pair, which stands for nothing.
pub fn text(written: &str) -> Option<Cow<'_, str>> {
    let inside = written.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') {
        serde_json::from_str(written).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inside))
    }
}

/// The place of the next quote, backslash or control character, or the end.
fn next_special(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Eight bytes at once: a byte that is zero, or below 0x20, borrows from its highest bit.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    while let Some(Ok(eight)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(eight);
        let special = zeros(word ^ (ONES * 0x22))
            | zeros(word ^ (ONES * 0x5c))
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let special = special & HIGH;
        if special != 0 {
            // The lowest is right; a borrow can only mark bytes above it.
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter()
        .position(|&byte| byte < 0x20 || matches!(byte, b'"' | b'\\'))
        .map_or(bytes.len(), |found| at + found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;
    use serde_json::{Map, Value};

    use super::*;

    /// The value that the text is, if it is one.
    fn whole(text: &str) -> Option<Token<'_>> {
        let mut scanner = Scanner::new(text);
        let token = scanner.value().ok()?;
        scanner.ended().then_some(token)
    }

    #[track_caller]
    fn agrees_with_serde(text: &str) {
        let reference: Result<&RawValue, _> = serde_json::from_str(text);
        let written = whole(text).map(|token| match token {
            Token::Null => "null",
            Token::Boolean(true) => "true",
            Token::Boolean(false) => "false",
            Token::Number(written) | Token::Text { written, .. } | Token::Nested(written) => {
                written
            }
        });
        assert_eq!(written, reference.ok().map(RawValue::get), "{text:?}");
    }

    #[test]
    fn what_is_json_and_what_is_not() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[",
            "]",
            "{}",
            "[]",
            "[ ]",
            "{ }",
            "[1]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1}",
            "{\"a\":1,}",
            "{\"a\":1,\"b\"}",
            "{a:1}",
            "{1:2}",
            "[[],{},[{}]]",
            "[{\"a\":[{}]}]",
            "[}",
            "{]",
            "[1}",
            "{\"a\":1]",
            "{\"a\" : 1 , \"b\" : [ ] }",
            "0",
            "-0",
            "01",
            "1.",
            ".1",
            "1.5",
            "1e",
            "1e5",
            "1E+5",
            "1e-",
            "-",
            "--1",
            "+1",
            "1a",
            "true",
            "tru",
            "truee",
            "nul",
            "null",
            "falsE",
            "nan",
            "Infinity",
            "\"",
            "\"a",
            "\"\\\"",
            "\"\\q\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\u1234\"",
            "\"\\ud800\"",
            "\"\n\"",
            "\"\u{7f}\"",
            "\"\u{0}\"",
            "null\u{0}",
            "\u{0}",
            " 1 ",
            "\t[\r\n1\n]\n",
            "1 2",
            "{} {}",
            "\u{feff}1",
            "\"ключ\u{10ffff}\"",
            "[\"]\",\"}\",\"\\\"]\"]",
            "12345678\"",
            "\"1234567\u{1}\"",
        ] {
            agrees_with_serde(text);
        }
    }

    #[test]
    fn depth_has_no_end() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(whole(&deep), Some(Token::Nested(&deep)));
        assert_eq!(whole(&deep[1..]), None);
    }

    #[test]
    fn an_escaped_name_is_the_name_and_the_last_value_counts() {
        let object = r#"{ "id":"y", "\u0069d" : "x\n" }"#;
        let [id] = fields(object, ["id"]).unwrap();
        assert_eq!(id, Some(r#""x\n""#));
        assert_eq!(text(id.unwrap()).as_deref(), Some("x\n"));
        let twice = r#"{"id":"x","id":7}"#;
        assert_eq!(fields(twice, ["id"]).unwrap(), [Some("7")]);
        assert!(fields(" [1]", ["id"]).is_none());
        assert!(fields("{} 1", ["id"]).is_none());
    }

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
        fn fields_are_those_a_parser_finds(
            object in proptest::collection::vec((name(), json()), 0..8),
            pretty in any::<bool>(),
        ) {
            let object: Map<String, Value> = object.into_iter().collect();
            let written = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) };
            let written = written.unwrap();
            // Floats are not read back exactly.
            let object: Map<String, Value> = serde_json::from_str(&written).unwrap();
            let names = ["id", "a\"", "status"];
            let found = fields(&written, names).unwrap();
            for (found, name) in found.into_iter().zip(names) {
                let parsed = found.map(|value| serde_json::from_str::<Value>(value).unwrap());
                prop_assert_eq!(parsed.as_ref(), object.get(name));
                let string = found.and_then(text);
                prop_assert_eq!(string.as_deref(), object.get(name).and_then(Value::as_str));
            }
            let mut all = Map::new();
            let whole = each_field(&written, |name, value| {
                all.insert(name.into_owned(), serde_json::from_str(value).unwrap());
            });
            prop_assert_eq!(whole, Ok(()));
            prop_assert_eq!(all, object);
        }

        #[test]
        fn an_object_is_one_where_a_parser_says_so(text in "\\{[{}\\[\\]\",:\\\\ a1]{0,40}") {
            let is_object = serde_json::from_str::<&RawValue>(&text).is_ok();
            prop_assert_eq!(fields(&text, ["a", "1"]).is_some(), is_object);
            // A name is text to the one and only syntax to the other.
            let all = each_field(&text, |_, _| {});
            prop_assert!(all.is_ok() == is_object || text.contains('\\'));
        }

        #[test]
        fn strings_end_where_they_end(text in "[\"\\\\\u{0}-\u{20}a-dü🙂]{0,24}") {
            agrees_with_serde(&text);
            let json = serde_json::to_string(&text).unwrap();
            agrees_with_serde(&json);
            agrees_with_serde(&format!("[{json},{json}]"));
        }

        #[test]
        fn anything_is_judged_as_serde_json_does(text in "[\\[\\]{},:\"0-2.eE+\\- a\\\\ntrulfs]{0,16}") {
            agrees_with_serde(&text);
        }

        #[test]
        fn a_change_of_one_byte_is_judged_alike(at in 0_usize..80, byte in 0_u8..128) {
            let mut json = br#"{"a":[1,-2.5e+10,"t\u00e9\n",true,false,null,{"b":{}},[]],"c":{"d":"e"} , "f":0}"#.to_vec();
            let at = at % json.len();
            json[at] = byte;
            agrees_with_serde(std::str::from_utf8(&json).unwrap());
        }
    }
}
