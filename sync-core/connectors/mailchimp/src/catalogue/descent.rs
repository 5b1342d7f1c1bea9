//! From the account down to the paths of a stream, parent by parent.

use std::sync::Arc;

use mailchimp_client::Path;
use sync_core::{Error, ErrorKind, Result, fingerprint};

use super::account::CatalogueAccount;
use super::definition::{Changes, Parent, StreamDefinition};
use super::error::{doubted, useless_path};
use super::record::{Fields, Place, text};
use super::stream;

/// A parent and its parents: the ids that fill paths, by the names in braces.
pub(super) type Ids = Vec<(&'static str, String)>;

/// The streams above one, from the account down.
#[derive(Clone, Debug)]
pub(super) struct Lineage {
    /// Each with how the next one, or the stream itself, is below it.
    above: Vec<(&'static StreamDefinition, Parent)>,
    pub(super) definition: &'static StreamDefinition,
}

/// A root of the lineage: a record of its first stream.
#[derive(Clone, Debug)]
pub(super) struct Root {
    pub(super) ids: Ids,
    /// The gate's fingerprint; `None` without a gate.
    pub(super) gate: Option<u64>,
    /// How many rows there are below it, where it says so.
    pub(super) rows: Option<u64>,
}

impl Root {
    /// Names the root in the stored progress.
    pub(super) fn name(&self) -> String {
        name_of(&self.ids)
    }
}

/// A parent's name in the stored progress.
pub(super) fn name_of(ids: &Ids) -> String {
    let ids: Vec<&str> = ids.iter().map(|(_, id)| id.as_str()).collect();
    ids.join(":")
}

impl Lineage {
    /// # Errors
    /// When a stream names a parent that there is not: a defect of the catalogue.
    pub(super) fn of(definition: &'static StreamDefinition) -> Result<Self> {
        let mut above = Vec::new();
        let mut next = definition.parent;
        while let Some(parent) = next {
            let found = stream(parent.stream).filter(|_| above.len() < 4);
            let Some(found) = found else {
                return Err(Error::new(
                    ErrorKind::Config,
                    "read stream",
                    "the catalogue has no such parent",
                )
                .with("stream", definition.name)
                .with("parent", parent.stream));
            };
            above.push((found, parent));
            next = found.parent;
        }
        above.reverse();
        Ok(Self { above, definition })
    }

    /// Whether something tells which roots must be read.
    pub(super) fn has_gate(&self) -> bool {
        self.above
            .first()
            .is_some_and(|(_, parent)| !parent.gate.is_empty())
    }

    /// The roots, in the order of their ids; one without ids if the stream has no parent.
    pub(super) async fn roots(&self, account: &CatalogueAccount) -> Result<Vec<Root>> {
        let Some((root, parent)) = self.above.first() else {
            return Ok(vec![Root {
                ids: Ids::new(),
                gate: None,
                rows: None,
            }]);
        };
        let rows = account.roster(root).await?;
        let mut roots = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            let Some(fields) = Fields::of(row) else {
                continue;
            };
            let Some(ids) = ids_of(&fields, parent, &Ids::new()) else {
                continue;
            };
            let gate = self.has_gate().then(|| gate_of(&fields, parent));
            let rows = match self.definition.changes {
                Changes::EventsSince { rows, .. } => fields.at(rows),
                _ => None,
            };
            let rows = rows.and_then(|rows| text(rows).parse().ok());
            roots.push(Root { ids, gate, rows });
        }
        roots.sort_by(|a, b| a.ids.cmp(&b.ids));
        roots.dedup_by(|a, b| a.ids == b.ids);
        Ok(roots)
    }

    /// What is below, in the order of its ids; `None` if the stream's own path is next.
    pub(super) async fn below(
        &self,
        account: &CatalogueAccount,
        ids: &Ids,
        depth: usize,
    ) -> Result<Option<Vec<Ids>>> {
        let Some((definition, parent)) = self.above.get(depth) else {
            return Ok(None);
        };
        let path = path_of(definition, ids)?;
        let rows = account.parents(definition, path).await;
        let rows =
            rows.map_err(|error| doubted(error, definition.name, ids.iter().map(|(_, id)| id)))?;
        let mut below: Vec<Ids> = rows
            .iter()
            .filter_map(|row| ids_of(&Fields::of(row)?, parent, ids))
            .collect();
        below.sort();
        below.dedup();
        Ok(Some(below))
    }

    /// For each of these places whether all parents above it are there.
    pub(super) async fn has_parents_of(
        &self,
        account: &CatalogueAccount,
        places: &[&Place],
    ) -> Result<Vec<bool>> {
        let above = |ids: &Ids, place: &Place| {
            ids.iter()
                .all(|(name, id)| place.value(name).is_none_or(|value| value == id))
        };
        let above_any = |ids: &Ids| places.iter().any(|place| above(ids, place));
        let roots = self.roots(account).await?.into_iter();
        let mut there: Vec<Ids> = roots.map(|root| root.ids).filter(above_any).collect();
        for depth in 1..self.above.len() {
            let mut below = Vec::new();
            for ids in &there {
                match self.below(account, ids, depth).await {
                    Ok(found) => below.extend(found.unwrap_or_default()),
                    Err(error) if error.kind() == ErrorKind::Missing => {}
                    Err(error) => return Err(error),
                }
            }
            below.retain(above_any);
            there = below;
        }
        let has = |place: &&Place| there.iter().any(|ids| above(ids, place));
        Ok(places.iter().map(has).collect())
    }

    /// The stream's place below these parents.
    pub(super) fn place(&self, account_id: &Arc<str>, ids: &Ids) -> Place {
        let value = |name| {
            let found = ids.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let values = self.definition.variables().map(value).collect();
        Place::new(self.definition, account_id, values)
    }
}

fn path_of(definition: &'static StreamDefinition, ids: &Ids) -> Result<Path> {
    let values: Vec<&str> = definition
        .variables()
        .map(|name| {
            let found = ids.iter().find(|(known, _)| *known == name);
            found.map_or("", |(_, value)| value.as_str())
        })
        .collect();
    Path::new(definition.path, &values).map_err(|error| useless_path(error, definition.name))
}

/// The ids of a parent's row and those of its own parents; `None` if the row lacks one.
fn ids_of(fields: &Fields<'_>, parent: &Parent, above: &Ids) -> Option<Ids> {
    let mut ids = above.clone();
    for (from, to) in parent.ids {
        if ids.iter().any(|(known, _)| known == to) {
            continue;
        }
        let inherited = above.iter().find(|(known, _)| known == from);
        let id = match inherited {
            Some((_, id)) => id.clone(),
            None => fields.id(from).into_owned(),
        };
        if id.is_empty() {
            return None;
        }
        ids.push((to, id));
    }
    Some(ids)
}

fn gate_of(fields: &Fields<'_>, parent: &Parent) -> u64 {
    let mut seen = String::new();
    for path in parent.gate {
        if let Some(value) = fields.at(path) {
            seen.push_str(&text(value));
        }
        seen.push('\u{1f}');
    }
    fingerprint(seen.as_bytes())
}

/// Goes down below all roots of a stream without a gate, in the order of the ids.
#[derive(Debug)]
pub(super) struct Descent {
    /// What is still to be visited, next one last, with its depth.
    waiting: Vec<(Ids, usize)>,
    /// Everything up to and with these ids is left out.
    after: Option<Vec<String>>,
}

impl Descent {
    pub(super) fn new(roots: Vec<Root>, after: Option<Vec<String>>) -> Self {
        let waiting = roots.into_iter().rev().map(|root| (root.ids, 1)).collect();
        Self { waiting, after }
    }

    /// The next parent with a path of the stream; with an error, the ids below which nothing could be found.
    pub(super) async fn next(
        &mut self,
        account: &CatalogueAccount,
        lineage: &Lineage,
    ) -> Option<(Ids, Result<()>)> {
        while let Some((ids, depth)) = self.waiting.pop() {
            if self.is_before(&ids, depth >= lineage.above.len()) {
                continue;
            }
            match lineage.below(account, &ids, depth).await {
                Ok(None) => return Some((ids, Ok(()))),
                Ok(Some(below)) => {
                    let below = below.into_iter().rev();
                    self.waiting.extend(below.map(|ids| (ids, depth + 1)));
                }
                // Gone since its own parent was read: then there is nothing below it.
                Err(error) if error.kind() == ErrorKind::Missing => {}
                Err(error) => return Some((ids, Err(error))),
            }
        }
        None
    }

    /// Whether everything here was read before.
    fn is_before(&self, ids: &Ids, last: bool) -> bool {
        let Some(after) = &self.after else {
            return false;
        };
        let here = ids.iter().map(|(_, id)| id);
        let there = after.iter().take(ids.len());
        match here.cmp(there) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => last,
            std::cmp::Ordering::Greater => false,
        }
    }
}
