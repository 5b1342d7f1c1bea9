//! Progress of imports, and what `state.json` says about it.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use sync_core::{Checkpoint, Commit, ImportId, Position, Reset, Result, Revision, Stored};

use super::{Database, history, json_column, json_text, ledger, time_column, time_text};
use crate::timestamp;

/// The value of that field in the file: `None` for `null` or no field.
pub(crate) type LatestTimestamp = Option<DateTime<Utc>>;

/// What the file should show for an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Publication {
    /// The value the checkpoint stands for.
    pub(crate) value: LatestTimestamp,
    /// While it is not yet known to be in the file: the value it replaces there.
    pub(crate) replaces: Option<LatestTimestamp>,
}

impl Publication {
    /// What follows when `value` becomes true and the file shows `shown` (`None`: it has no entry for the import).
    fn next(self, value: LatestTimestamp, shown: Option<LatestTimestamp>) -> Self {
        let value = value.map(timestamp::whole_seconds);
        if shown == Some(value) {
            return Self {
                value,
                replaces: None,
            };
        }
        // Without an entry in the file, what it showed last: should it come back as it was, nobody moved it.
        let base = shown.unwrap_or_else(|| self.replaces.unwrap_or(self.value));
        Self {
            value,
            replaces: Some(base),
        }
    }
}

#[derive(Debug, Default)]
struct Row {
    revision: u64,
    checkpoint: Option<Checkpoint>,
    publication: Publication,
}

impl Row {
    fn find(connection: &Connection, import: &ImportId) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached(
                "SELECT revision, checkpoint, published, base, pending FROM imports WHERE id = ?1",
            )?
            .query_row([import.as_str()], |row| {
                let replaces = if row.get(4)? {
                    Some(time_column(row, 3)?)
                } else {
                    None
                };
                Ok(Self {
                    revision: row.get::<_, i64>(0)?.cast_unsigned(),
                    checkpoint: json_column(row, 1)?,
                    publication: Publication {
                        value: time_column(row, 2)?,
                        replaces,
                    },
                })
            })
            .optional()
    }

    /// Stores the row under the next revision.
    fn store(mut self, connection: &Connection, import: &ImportId) -> rusqlite::Result<Revision> {
        self.revision += 1;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO imports (id, revision, checkpoint, published, base, pending)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                import.as_str(),
                self.revision.cast_signed(),
                self.checkpoint.as_ref().map(json_text).transpose()?,
                self.publication.value.map(time_text),
                self.publication.replaces.flatten().map(time_text),
                self.publication.replaces.is_some(),
            ])?;
        Ok(Revision(self.revision))
    }

    /// The revision a commit must name.
    fn expected(&self) -> Option<Revision> {
        self.checkpoint.is_some().then_some(Revision(self.revision))
    }
}

impl Database {
    pub(crate) fn load(&mut self, import: &ImportId) -> Result<Option<Stored>> {
        self.run("load checkpoint", |connection| {
            let row = Row::find(connection, import)?;
            Ok(row.and_then(|row| {
                let revision = Revision(row.revision);
                row.checkpoint.map(|checkpoint| Stored {
                    revision,
                    checkpoint,
                })
            }))
        })
    }

    /// Stores a commit, or returns `None` if the stored revision is not the expected one.
    pub(crate) fn commit(
        &mut self,
        import: &ImportId,
        expected: Option<Revision>,
        commit: Commit,
        shown: Option<LatestTimestamp>,
    ) -> Result<Option<Revision>> {
        let revision = self.run_on_ledger("commit", |connection, trees| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut row = Row::find(&transaction, import)?.unwrap_or_default();
            if row.expected() != expected {
                return Ok(None);
            }
            ledger::apply(&transaction, trees, &commit.ledger)?;
            history::clear_rejected(&transaction, import, &commit.cleared)?;
            history::add_rejected(&transaction, import, &commit.rejected)?;
            let complete_until = commit.checkpoint.position.complete_until();
            row.publication = row.publication.next(complete_until, shown);
            row.checkpoint = Some(commit.checkpoint);
            let revision = row.store(&transaction, import)?;
            transaction.commit()?;
            Ok(Some(revision))
        })?;
        // The commit holds, whatever becomes of this: it is tried again after the next one.
        let _ = self.shrink_wal();
        Ok(revision)
    }

    /// Moves an import because an operator asked for it.
    pub(crate) fn rewind(
        &mut self,
        import: &ImportId,
        to: Position,
        shown: Option<LatestTimestamp>,
    ) -> Result<Revision> {
        self.run("rewind", |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut row = Row::find(&transaction, import)?.unwrap_or_default();
            row.publication = row.publication.next(to.complete_until(), shown);
            row.checkpoint.get_or_insert_default().position = to;
            let revision = row.store(&transaction, import)?;
            transaction.commit()?;
            Ok(revision)
        })
    }

    /// Moves an import to where somebody set `latest_timestamp` in the file.
    pub(crate) fn take_edit(
        &mut self,
        import: &ImportId,
        latest_timestamp: LatestTimestamp,
    ) -> Result<()> {
        self.run("take over latest_timestamp", |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut row = Row::find(&transaction, import)?.unwrap_or_default();
            // Exactly what they wrote, not in whole seconds: the file shows it already.
            row.publication = Publication {
                value: latest_timestamp,
                replaces: None,
            };
            row.checkpoint.get_or_insert_default().position =
                latest_timestamp.map_or(Position::Start, Position::Since);
            row.store(&transaction, import)?;
            transaction.commit()
        })
    }

    pub(crate) fn reset(
        &mut self,
        import: &ImportId,
        what: Reset,
        shown: Option<LatestTimestamp>,
    ) -> Result<()> {
        self.run_on_ledger("reset", |connection, trees| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let row = Row::find(&transaction, import)?;
            match what {
                Reset::Fingerprints => {
                    ledger::forget_fingerprints(&transaction, trees, &import.scope())?;
                }
                Reset::Everything => {
                    ledger::forget_scope(&transaction, trees, &import.scope())?;
                    history::forget_rejected(&transaction, import)?;
                }
            }
            if let Some(mut row) = row {
                if what == Reset::Everything {
                    row.publication = row.publication.next(None, shown);
                    row.checkpoint = None;
                }
                row.store(&transaction, import)?;
            }
            transaction.commit()
        })?;
        // As after a commit.
        let _ = self.shrink_wal();
        Ok(())
    }

    /// What the file should show for an import; `None` if nothing was ever stored about it.
    pub(crate) fn publication(&mut self, import: &ImportId) -> Result<Option<Publication>> {
        self.run("load publication", |connection| {
            Ok(Row::find(connection, import)?.map(|row| row.publication))
        })
    }

    /// Notes that the file shows what it should. Changes no revision.
    pub(crate) fn settle(&mut self, imports: &[&ImportId]) -> Result<()> {
        self.run("settle publication", |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for import in imports {
                transaction
                    .prepare_cached("UPDATE imports SET base = NULL, pending = 0 WHERE id = ?1")?
                    .execute([import.as_str()])?;
            }
            transaction.commit()
        })
    }
}
