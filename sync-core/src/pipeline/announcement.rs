//! What is written down before the sink sees a record, so that nothing is forgotten if this is the last thing we do.
//!
//! An entry of a record that is on its way does not tell what the sink has: it stands without a fingerprint, and with what
//! the mapping wants to know of it meanwhile. A record that the ledger does not know, and of which nothing but its key is
//! worth knowing, would double what a first load writes to the ledger. The keys of a batch of them are one entry in a scope
//! of their own: a list, which goes with the commit that makes it needless, or becomes entries when the next run begins.

use std::collections::HashMap;

use super::delivery::Delivery;
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Key, Keyed};
use crate::state::{Commit, ImportId, LedgerChange, LedgerEntry, LedgerKey, Scope};

/// What one batch is about to change at the sink.
#[derive(Default)]
pub(super) struct Announcement {
    entries: Vec<LedgerChange>,
    /// Of new records: each key's compact form with its length in front.
    keys: Vec<u8>,
}

impl Announcement {
    /// The entry that was announced for this place already.
    pub(super) fn find(&self, at: &LedgerKey) -> Option<&LedgerEntry> {
        let newest = self.entries.iter().rfind(|change| change.at == *at)?;
        newest.entry.as_ref()
    }

    /// What a place holds is `known` and, once the sink has the record, `next`; `meanwhile` is what the mapping wants to be
    /// remembered until then.
    pub(super) fn add(
        &mut self,
        own: &Scope,
        next: &LedgerChange,
        known: Option<&LedgerEntry>,
        meanwhile: Option<Box<[u8]>>,
    ) {
        let note = match (known, meanwhile) {
            (Some(known), None) => known.note.clone(),
            (None, None) => return,
            (None, Some(note)) if note.is_empty() && next.at.scope == *own => {
                let key = next.at.key.to_compact();
                let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
                self.keys.extend_from_slice(&length.to_le_bytes());
                self.keys.extend_from_slice(&key);
                return;
            }
            (_, Some(note)) => note,
        };
        self.entries.push(LedgerChange {
            at: next.at.clone(),
            entry: Some(LedgerEntry {
                fingerprint: 0,
                note,
            }),
        });
    }
}

/// Where an import's lists of keys are, one after the other from 0.
fn list_at(import: &ImportId, number: u64) -> LedgerKey {
    LedgerKey {
        scope: Scope::shared(format!("announced:{import}")),
        key: Key::new(number.to_string()),
    }
}

/// The changes that remove an import's first lists.
pub(super) fn without_lists(
    import: &ImportId,
    lists: u64,
) -> impl Iterator<Item = LedgerChange> + use<> {
    let import = import.clone();
    (0..lists).map(move |number| LedgerChange {
        at: list_at(&import, number),
        entry: None,
    })
}

fn keys_of(mut list: &[u8]) -> Option<Vec<Key>> {
    let mut keys = Vec::new();
    while let Some((length, rest)) = list.split_first_chunk() {
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (key, rest) = rest.split_at_checked(length)?;
        keys.push(Key::from_compact(key)?);
        list = rest;
    }
    list.is_empty().then_some(keys)
}

impl<R, O> Delivery<'_, R, O>
where
    R: Keyed + Send + Sync + 'static,
    O: Keyed + Send + 'static,
{
    /// Makes durable, before the sink sees a record, what must not be forgotten: that the sink may know more than the
    /// ledger, which entries no longer say what the sink has, new records, and facts shared with other imports.
    pub(super) async fn announce(&mut self, announcement: Announcement) -> Result<()> {
        let Announcement { entries, keys } = announcement;
        let mut ledger = self.take_shared_facts();
        ledger.extend(entries);
        if !keys.is_empty() {
            ledger.push(LedgerChange {
                at: list_at(&self.pipeline.import, self.lists),
                entry: Some(LedgerEntry {
                    fingerprint: 0,
                    note: keys.into(),
                }),
            });
            self.lists += 1;
        }
        if self.checkpoint.in_doubt && ledger.is_empty() {
            return Ok(());
        }
        self.checkpoint.in_doubt = true;
        self.store(ledger).await
    }

    /// Gives each new record that a run which was cut short announced its entry, so that the search for removals finds it.
    pub(super) async fn take_over_lists(&mut self) -> Result<()> {
        let scope = self.pipeline.import.scope();
        loop {
            let at = list_at(&self.pipeline.import, self.lists);
            let Some(list) = self.pipeline.state.ledger(&[at]).await?.pop().flatten() else {
                break;
            };
            self.lists += 1;
            let keys = keys_of(&list.note).ok_or_else(|| {
                let message =
                    "what a run that was cut short announced cannot be read; reset the import";
                Error::new(ErrorKind::State, "take over announced keys", message)
                    .with("import", &self.pipeline.import)
            })?;
            let places: Vec<LedgerKey> = keys
                .into_iter()
                .map(|key| LedgerKey {
                    scope: scope.clone(),
                    key,
                })
                .collect();
            let known = self.pipeline.state.ledger(&places).await?;
            let unknown = places.into_iter().zip(known);
            let ledger = unknown
                .filter(|(_, known)| known.is_none())
                .map(|(at, _)| LedgerChange {
                    at,
                    entry: Some(LedgerEntry::default()),
                })
                .collect();
            self.store(ledger).await?;
        }
        if self.lists > 0 {
            let lists = std::mem::take(&mut self.lists);
            let gone = without_lists(&self.pipeline.import, lists).collect();
            self.store(gone).await?;
        }
        Ok(())
    }

    /// Changes the ledger, and nothing about how far the import got.
    async fn store(&mut self, ledger: Vec<LedgerChange>) -> Result<()> {
        let commit = Commit {
            checkpoint: self.checkpoint.clone(),
            ledger,
            ..Commit::default()
        };
        let import = &self.pipeline.import;
        let state = &self.pipeline.state;
        self.revision = Some(state.commit(import, self.revision, commit).await?);
        Ok(())
    }
}

/// What the ledger holds of a change's records, as a batch sees it.
#[derive(Default)]
pub(super) struct Known {
    /// With the interval's changes on top.
    pub(super) entries: HashMap<LedgerKey, Option<LedgerEntry>>,
    /// What the store itself has of places that the interval changes.
    pub(super) stored: HashMap<LedgerKey, Option<LedgerEntry>>,
}
