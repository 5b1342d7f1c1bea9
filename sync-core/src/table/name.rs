//! Names of columns.

use std::fmt::Write as _;

/// Longest name: what the narrowest warehouse allows.
const LONGEST: usize = 63;

/// The column of a path: its parts in lower case, anything but ASCII letters and digits as `_`, joined by `__`.
///
/// Parts that are in that form already are kept apart by the two underscores. A path with another part, or one that is too
/// long, ends in `___` and eight hex digits of its hash. So a name depends on nothing but its path, and two paths never
/// share one, but for a chance of 2⁻³² between two paths that look alike.
pub fn column_name<'p>(path: impl IntoIterator<Item = &'p str>) -> String {
    let mut name = String::new();
    let mut exact = String::new();
    let mut faithful = true;
    for (place, part) in path.into_iter().enumerate() {
        if place > 0 {
            name.push_str("__");
            exact.push('\u{1f}');
        }
        let start = name.len();
        for character in part.chars() {
            let folded = character.to_ascii_lowercase();
            if folded.is_ascii_alphanumeric() {
                name.push(folded);
            } else if name.len() > start && !name.ends_with('_') {
                name.push('_');
            }
        }
        if name.len() > start && name.ends_with('_') {
            name.pop();
        }
        if name.len() == start {
            // Nothing of it can stand in a name.
            name.push('c');
        }
        faithful &= name[start..] == *part;
        exact.push_str(part);
    }
    if !faithful || name.len() > LONGEST {
        let hash = xxhash_rust::xxh3::xxh3_64(exact.as_bytes()) >> 32;
        // Only ASCII is in it, so every length is a border between characters.
        name.truncate(LONGEST - "___01234567".len());
        while name.ends_with('_') {
            name.pop();
        }
        // Writing into a string cannot fail.
        let _ = write!(name, "___{hash:08x}");
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn of(path: &str) -> String {
        column_name(path.split('.'))
    }

    #[test]
    fn plain_paths_are_readable() {
        assert_eq!(of("email_address"), "email_address");
        assert_eq!(of("stats.open_rate"), "stats__open_rate");
        assert_eq!(of("merge_fields.11"), "merge_fields__11");
    }

    #[test]
    fn paths_that_fold_alike_are_kept_apart() {
        let alike = [
            "name", "Name", "NAME", "na-me", "na_me", "na.me", "na me", "na\"me", "_name", "name_",
            "na__me", "näme", "n.äme",
        ];
        let mut names: Vec<String> = alike.iter().map(|path| of(path)).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), alike.len(), "{names:?}");
    }

    #[test]
    fn nothing_but_dirt_is_a_name_too() {
        assert!(of("").starts_with("c___"));
        assert!(of("…").starts_with("c___"));
    }

    proptest! {
        #[test]
        fn names_fit_everywhere_and_are_never_shared(
            paths in proptest::collection::vec(
                proptest::collection::vec("[aA_é]{0,3}|[a-z0-9_]{1,80}|\\PC{0,30}", 1..4),
                1..40,
            ),
        ) {
            let mut seen: HashMap<String, Vec<String>> = HashMap::new();
            for path in paths {
                let name = column_name(path.iter().map(String::as_str));
                prop_assert!(name.len() <= LONGEST);
                prop_assert!(!name.starts_with('_'));
                prop_assert!(name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{}", name);
                if let Some(other) = seen.insert(name, path.clone()) {
                    prop_assert_eq!(other, path);
                }
            }
        }
    }
}
