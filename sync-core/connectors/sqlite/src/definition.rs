//! The text of a `CREATE TABLE` statement, as `SQLite` keeps it: its column definitions one by one.
//!
//! Somebody may have added columns with defaults, checks or collations of their own; when a table is written anew their
//! definitions are taken over word for word.

/// The definitions between the outer parentheses. `None` if this is no such text.
pub(crate) fn definitions(create: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    let tokens = Tokens {
        text: create,
        at: 0,
    };
    for (at, byte) in tokens {
        match byte {
            b'(' => {
                depth += 1;
                if depth == 1 {
                    start = at + 1;
                }
            }
            b')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    found.push(create[start..at].trim());
                    return Some(found);
                }
            }
            b',' if depth == 1 => {
                found.push(create[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    None
}

/// Whether a definition is of this column. As everywhere in `SQLite`, case does not matter.
pub(crate) fn defines(definition: &str, column: &str) -> bool {
    let mut characters = definition.chars();
    let name: String = match characters.next() {
        Some('"') => quoted(characters, '"'),
        Some('`') => quoted(characters, '`'),
        Some('\'') => quoted(characters, '\''),
        Some('[') => characters.take_while(|&c| c != ']').collect(),
        _ => definition
            .chars()
            .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
            .collect(),
    };
    name.eq_ignore_ascii_case(column)
}

fn quoted(mut characters: std::str::Chars<'_>, quote: char) -> String {
    let mut name = String::new();
    while let Some(character) = characters.next() {
        if character == quote && characters.next() != Some(quote) {
            break;
        }
        name.push(character);
    }
    name
}

/// Bytes of a statement outside of quotes and comments.
struct Tokens<'t> {
    text: &'t str,
    at: usize,
}

impl Tokens<'_> {
    /// Goes on behind the next place where this stands; to the end if it stands nowhere.
    fn skip_past(&mut self, end: &str) {
        self.at = self.text[self.at..]
            .find(end)
            .map_or(self.text.len(), |found| self.at + found + end.len());
    }
}

impl Iterator for Tokens<'_> {
    type Item = (usize, u8);

    fn next(&mut self) -> Option<(usize, u8)> {
        loop {
            let at = self.at;
            let rest = self.text.as_bytes().get(at..)?;
            let byte = *rest.first()?;
            self.at += 1;
            match (byte, rest.get(1)) {
                // A doubled quote ends one string and begins the next: the same.
                (b'"', _) => self.skip_past("\""),
                (b'\'', _) => self.skip_past("'"),
                (b'`', _) => self.skip_past("`"),
                (b'[', _) => self.skip_past("]"),
                (b'-', Some(b'-')) => self.skip_past("\n"),
                (b'/', Some(b'*')) => {
                    self.at += 1;
                    self.skip_past("*/");
                }
                // Inside a character of several bytes no place to cut is found.
                _ => return Some((at, byte)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_found_whatever_stands_in_them() {
        let create = "CREATE TABLE \"a(b,\" (\"_key\" TEXT NOT NULL PRIMARY KEY, \"x\" INTEGER, \
                      note VARCHAR(10, 2) DEFAULT ('a,)' || \"b\") /* , ) */ COLLATE nocase,\
                      [odd, name] ключ -- , )\n, `last` CHECK (\"last\" IN (1, 2)))";
        assert_eq!(
            definitions(create).unwrap(),
            [
                "\"_key\" TEXT NOT NULL PRIMARY KEY",
                "\"x\" INTEGER",
                "note VARCHAR(10, 2) DEFAULT ('a,)' || \"b\") /* , ) */ COLLATE nocase",
                "[odd, name] ключ -- , )",
                "`last` CHECK (\"last\" IN (1, 2))",
            ]
        );
        assert_eq!(definitions("CREATE TABLE a AS SELECT 1"), None);
        assert_eq!(definitions("CREATE TABLE a (b"), None);
    }

    #[test]
    fn a_definition_names_its_column() {
        for (definition, column) in [
            ("\"_key\" TEXT", "_key"),
            ("note TEXT", "Note"),
            ("Note", "note"),
            ("[odd, name] x", "odd, name"),
            ("`back``tick` x", "back`tick"),
            ("\"quo\"\"ted\" x", "quo\"ted"),
        ] {
            assert!(defines(definition, column), "{definition}");
            assert!(!defines(definition, "other"), "{definition}");
        }
    }
}
