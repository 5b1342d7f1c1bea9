//! Paths: a template for people and metrics, the filled form for the wire.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::{Error, Result};

/// Everything but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The longest id accepted as a segment.
const LONGEST_SEGMENT: usize = 512;

/// The path of a request below the base URL.
///
/// Made from a template such as `/lists/{list_id}/members` and one value per placeholder. The
/// template is what errors and hooks show; `Debug` shows it alone, as values may name people.
#[derive(Clone, PartialEq, Eq)]
pub struct Path {
    template: Cow<'static, str>,
    filled: String,
}

impl Path {
    /// Fills `template` with `values`, each percent-encoded as one segment.
    ///
    /// Slashes in a value are encoded too (`%2F`): ids that clients of the API choose, such as
    /// those of products, may hold them. Whether the server tells such a slash from its own is
    /// not documented, so a 404 for such a path need not mean that the thing is not there.
    ///
    /// Fails with [`Error::Request`] when the counts differ, when a value is empty, longer than
    /// 512 bytes, `.` or `..` or has such a part between its slashes, or holds a control
    /// character, and when the template has anything but words (`A–Z a–z 0–9 _ -`) between its
    /// slashes.
    ///
    /// ```
    /// # use mailchimp_client::Path;
    /// let path = Path::new("/reports/{campaign_id}/sent-to", &["42694e9e57"])?;
    /// assert_eq!(path.template(), "/reports/{campaign_id}/sent-to");
    /// # Ok::<(), mailchimp_client::Error>(())
    /// ```
    pub fn new(template: impl Into<Cow<'static, str>>, values: &[&str]) -> Result<Self> {
        let template = template.into();
        let refused = |reason| Err(Error::request("path template", reason));
        let Some(words) = template.strip_prefix('/') else {
            return refused("does not begin with a slash");
        };
        let mut filled = String::with_capacity(template.len() + 40 * values.len());
        let mut values = values.iter();
        for word in words.split('/') {
            filled.push('/');
            let name = word
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            if !is_word(name.unwrap_or(word)) && !words.is_empty() {
                return refused("has something other than words and placeholders");
            }
            match (name, values.as_slice().first()) {
                (Some(_), Some(value)) => {
                    values.next();
                    check_segment(value)?;
                    filled.extend(utf8_percent_encode(value, SEGMENT));
                }
                (Some(_), None) => return refused("has more placeholders than values"),
                (None, _) => filled.push_str(word),
            }
        }
        if values.next().is_some() {
            return refused("has fewer placeholders than values");
        }
        Ok(Self { template, filled })
    }

    /// The template, for errors and metrics.
    pub fn template(&self) -> &str {
        &self.template
    }

    pub(crate) fn template_owned(&self) -> Cow<'static, str> {
        self.template.clone()
    }

    pub(crate) fn filled(&self) -> &str {
        &self.filled
    }
}

fn is_word(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn check_segment(value: &str) -> Result<()> {
    let reason = if value.is_empty() {
        "is empty"
    } else if value
        .split(['/', '\\'])
        .any(|part| part == "." || part == "..")
    {
        // Whoever decodes the slashes on the way would follow it.
        "is or holds a relative path"
    } else if value.len() > LONGEST_SEGMENT {
        "is longer than 512 bytes"
    } else if value.chars().any(char::is_control) {
        "has a control character"
    } else {
        return Ok(());
    };
    Err(Error::request("an id in the path", reason))
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Path").field(&self.template).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_as_one_segment() {
        let path = Path::new("/lists/{list_id}/x", &["a b?#%é"]).unwrap();
        assert_eq!(path.filled(), "/lists/a%20b%3F%23%25%C3%A9/x");
        assert_eq!(format!("{path:?}"), r#"Path("/lists/{list_id}/x")"#);
    }

    #[test]
    fn a_slash_in_a_value_begins_no_segment() {
        let path = Path::new("/products/{id}/x", &["gid://shop/1\\2..3"]).unwrap();
        assert_eq!(path.filled(), "/products/gid%3A%2F%2Fshop%2F1%5C2..3/x");
    }

    #[test]
    fn the_root_is_a_path() {
        assert_eq!(Path::new("/", &[]).unwrap().filled(), "/");
    }

    #[test]
    fn values_that_change_the_path_are_refused() {
        let long = "x".repeat(513);
        for value in [
            "", ".", "..", "../b", "a/../b", "a\\..", "./a", "a/.", "a\nb", &long,
        ] {
            assert!(
                Path::new("/lists/{list_id}", &[value]).is_err(),
                "{value:?}"
            );
        }
    }

    #[test]
    fn templates_must_match_their_values_and_hold_words_only() {
        assert!(Path::new("/lists/{list_id}", &[]).is_err());
        assert!(Path::new("/lists", &["a"]).is_err());
        for template in [
            "lists",
            "/lists?x=1",
            "/../x",
            "/lists//x",
            "/{}",
            "/a#b",
            "/lists/",
        ] {
            assert!(Path::new(template, &[]).is_err(), "{template}");
        }
    }
}
