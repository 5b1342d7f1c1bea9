//! `fields` and `exclude_fields`: which parts of an answer are wanted.
//!
//! Paths are dotted and rooted at the answer itself, so a row's field is `members.email_address`. A path that matches
//! nothing is ignored without a word, as seen on the live API.

use std::collections::BTreeMap;

use serde_json::Value;

/// Deeper than any answer. A tree is dropped level by level on the stack, so a path of a whole URL must not make one.
const DEEPEST: usize = 32;

/// What one request asks for.
#[derive(Debug, Default)]
pub(crate) enum Selection {
    #[default]
    Everything,
    Only(Tree),
    Except(Tree),
}

/// Paths by their first part. `whole` ends a path.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    children: BTreeMap<String, Tree>,
    whole: bool,
}

/// What is wanted of one node of the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum View<'a> {
    All,
    Nothing,
    Only(&'a Tree),
    Except(&'a Tree),
}

impl Selection {
    pub(crate) fn only(list: &str) -> Self {
        Self::Only(Tree::parse(list))
    }

    pub(crate) fn except(list: &str) -> Self {
        Self::Except(Tree::parse(list))
    }

    /// The view of the whole answer.
    pub(crate) fn root(&self) -> View<'_> {
        match self {
            Self::Everything => View::All,
            Self::Only(tree) => View::Only(tree),
            Self::Except(tree) => View::Except(tree),
        }
    }
}

impl Tree {
    fn parse(list: &str) -> Self {
        let mut root = Self::default();
        for path in list
            .split(',')
            .map(str::trim)
            .filter(|path| !path.is_empty())
        {
            let mut node = &mut root;
            let mut parts = path.split('.');
            for part in parts.by_ref().take(DEEPEST) {
                node = node.children.entry(part.to_owned()).or_default();
            }
            // What is left of the path leads to nothing.
            node.whole |= parts.next().is_none();
        }
        root
    }
}

impl<'a> View<'a> {
    /// The view of a named part.
    pub(crate) fn child(self, name: &str) -> View<'a> {
        match self {
            Self::All | Self::Nothing => self,
            Self::Only(tree) => match tree.children.get(name) {
                None => View::Nothing,
                Some(child) if child.whole => View::All,
                Some(child) => View::Only(child),
            },
            Self::Except(tree) => match tree.children.get(name) {
                None => View::All,
                Some(child) if child.whole => View::Nothing,
                Some(child) => View::Except(child),
            },
        }
    }

    /// The wanted part of a value; `None` when nothing of it is wanted. A list passes its view on to its items.
    pub(crate) fn prune(self, value: Value) -> Option<Value> {
        match (self, value) {
            (Self::All, value) => Some(value),
            (Self::Nothing, _) => None,
            (_, Value::Object(map)) => Some(Value::Object(
                map.into_iter()
                    .filter_map(|(name, part)| {
                        let part = self.child(&name).prune(part)?;
                        Some((name, part))
                    })
                    .collect(),
            )),
            (_, Value::Array(items)) => Some(Value::Array(
                items
                    .into_iter()
                    .filter_map(|item| self.prune(item))
                    .collect(),
            )),
            (Self::Only(_), _) => None,
            (Self::Except(_), value) => Some(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Value {
        json!({
            "members": [{"id": "1", "stats": {"open": 1, "click": 2}, "_links": []}],
            "total_items": 1,
            "_links": [],
        })
    }

    #[test]
    fn fields_keep_only_what_they_name() {
        let selection = Selection::only("members.id,members.stats.open");
        assert_eq!(
            selection.root().prune(answer()),
            Some(json!({"members": [{"id": "1", "stats": {"open": 1}}]}))
        );
    }

    #[test]
    fn exclude_fields_drop_what_they_name() {
        let selection = Selection::except("members._links,_links,members.stats.click");
        assert_eq!(
            selection.root().prune(answer()),
            Some(json!({"members": [{"id": "1", "stats": {"open": 1}}], "total_items": 1}))
        );
    }

    #[test]
    fn a_path_as_long_as_a_url_needs_no_more_stack_than_another() {
        let path = vec!["a"; 32_000].join(".");
        let look = move || Selection::only(&path).root().prune(answer());
        let thread = std::thread::Builder::new().stack_size(256 * 1024);
        let pruned = thread.spawn(look).unwrap().join().unwrap();
        assert_eq!(pruned, Some(json!({})));
    }

    #[test]
    fn a_path_without_the_envelope_key_does_nothing() {
        let selection = Selection::except("stats,id");
        assert_eq!(selection.root().prune(answer()), Some(answer()));
    }
}
