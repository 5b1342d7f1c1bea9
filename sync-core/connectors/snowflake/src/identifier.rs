//! Names of Snowflake objects.

use std::fmt;

/// A name as Snowflake stores it. Shown, it stands in double quotes and can go into SQL.
///
/// Snowflake folds names without quotes to upper case. Names of tables and columns are folded here in the same way before
/// they are quoted, so that people can write them without quotes, in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identifier(String);

/// The longest name Snowflake takes, in characters.
const LONGEST: usize = 255;

impl Identifier {
    /// A name that the sink makes: folded to upper case.
    pub(crate) fn folded(name: &str) -> Self {
        Self(name.to_ascii_uppercase())
    }

    /// A name as a person writes it in SQL: within double quotes it is taken as it stands, without them it is folded.
    /// `None` if it is neither.
    pub(crate) fn parse(written: &str) -> Option<Self> {
        let name = if let Some(inside) = written
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
        {
            let name = inside.replace("\"\"", "\"");
            // A quote that is not doubled would end the name.
            if inside.replace("\"\"", "").contains('"') || name.contains('\0') {
                return None;
            }
            name
        } else {
            let mut characters = written.chars();
            let first = characters.next()?;
            let plain = (first.is_ascii_alphabetic() || first == '_')
                && characters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$');
            if !plain {
                return None;
            }
            written.to_ascii_uppercase()
        };
        (!name.is_empty() && name.chars().count() <= LONGEST).then_some(Self(name))
    }

    /// The name, without quotes.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_as_in_sql_unless_they_are_quoted() {
        for (written, stored) in [
            ("mailchimp", Some("MAILCHIMP")),
            ("_a1$", Some("_A1$")),
            ("\"mail chimp\"", Some("mail chimp")),
            ("\"say \"\"hi\"\"\"", Some("say \"hi\"")),
            ("\"\"\"\"", Some("\"")),
            ("", None),
            ("\"\"", None),
            ("\"", None),
            ("\"a\"b\"", None),
            ("1a", None),
            ("a b", None),
            ("a;drop", None),
            ("a.b", None),
            ("naïve", None),
        ] {
            let parsed = Identifier::parse(written);
            assert_eq!(parsed.as_ref().map(Identifier::as_str), stored, "{written}");
        }
        assert_eq!(Identifier::parse(&"a".repeat(256)), None);
    }

    #[test]
    fn a_name_in_sql_cannot_leave_its_quotes() {
        let name = Identifier::folded("x\"; drop table y; --");
        assert_eq!(name.to_string(), "\"X\"\"; DROP TABLE Y; --\"");
        assert_eq!(Identifier::parse(&name.to_string()), Some(name));
    }
}
