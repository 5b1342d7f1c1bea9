//! Rejected records and runs.

use rusqlite::{Connection, params};
use sync_core::{ImportId, Key, Outcome, RejectedRecord, Result, RunRecord};

use super::{
    Database, count_column, damaged, json_column, json_text, key_column, sql_limit, time_column,
    time_text,
};

/// Runs kept in the history, of all imports together.
const RUNS_KEPT: i64 = 1000;

pub(super) fn clear_rejected(
    connection: &Connection,
    import: &ImportId,
    keys: &[Key],
) -> rusqlite::Result<()> {
    let mut delete =
        connection.prepare_cached("DELETE FROM rejected WHERE import = ?1 AND key = ?2")?;
    for key in keys {
        delete.execute(params![import.as_str(), key.to_compact()])?;
    }
    Ok(())
}

pub(super) fn add_rejected(
    connection: &Connection,
    import: &ImportId,
    records: &[RejectedRecord],
) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached(
        "INSERT OR REPLACE INTO rejected (import, key, reason, at) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for record in records {
        put.execute(params![
            import.as_str(),
            record.key.to_compact(),
            record.reason,
            time_text(record.at)
        ])?;
    }
    Ok(())
}

pub(super) fn forget_rejected(connection: &Connection, import: &ImportId) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM rejected WHERE import = ?1", [import.as_str()])?;
    Ok(())
}

impl Database {
    pub(crate) fn rejected(
        &mut self,
        import: &ImportId,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<RejectedRecord>> {
        self.run("list rejected records", |connection| {
            let after = after.map(Key::to_compact);
            let behind = if after.is_some() {
                "key > ?2"
            } else {
                "?2 IS NULL"
            };
            connection
                .prepare_cached(&format!(
                    "SELECT key, reason, at FROM rejected WHERE import = ?1 AND {behind}
                     ORDER BY key LIMIT ?3"
                ))?
                .query_map(params![import.as_str(), after, sql_limit(limit)], |row| {
                    Ok(RejectedRecord {
                        key: key_column(row, 0)?,
                        reason: row.get(1)?,
                        at: time_column(row, 2)?.ok_or_else(|| damaged(2, "no time"))?,
                    })
                })?
                .collect()
        })
    }

    pub(crate) fn rejected_len(&mut self, import: &ImportId) -> Result<u64> {
        self.run("count rejected records", |connection| {
            connection
                .prepare_cached("SELECT count(*) FROM rejected WHERE import = ?1")?
                .query_row([import.as_str()], count_column)
        })
    }

    pub(crate) fn record_run(&mut self, run: &RunRecord) -> Result<()> {
        self.run("record run", |connection| {
            let transaction = connection.transaction()?;
            put_run(&transaction, run)?;
            transaction
                .prepare_cached(
                    "DELETE FROM runs WHERE sequence <= (SELECT max(sequence) FROM runs) - ?1",
                )?
                .execute([RUNS_KEPT])?;
            transaction.commit()
        })
    }

    pub(crate) fn runs(
        &mut self,
        import: Option<&ImportId>,
        limit: usize,
    ) -> Result<Vec<RunRecord>> {
        self.run("list runs", |connection| {
            let which = if import.is_some() {
                "import = ?1"
            } else {
                "?1 IS NULL"
            };
            connection
                .prepare_cached(&format!(
                    "SELECT record FROM runs WHERE {which} ORDER BY sequence DESC LIMIT ?2"
                ))?
                .query_map(
                    params![import.map(ImportId::as_str), sql_limit(limit)],
                    run_column,
                )?
                .collect()
        })
    }

    /// Marks runs without an outcome as interrupted and returns how many there were. Only the process that holds the
    /// directory may: nobody else can be running them.
    pub(crate) fn interrupt_runs(&mut self) -> Result<usize> {
        self.run("mark interrupted runs", |connection| {
            let transaction = connection.transaction()?;
            let unfinished = transaction
                .prepare("SELECT record FROM runs WHERE ended = 0")?
                .query_map([], run_column)?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            for run in &unfinished {
                let run = RunRecord {
                    outcome: Some(Outcome::Interrupted),
                    ..run.clone()
                };
                put_run(&transaction, &run)?;
            }
            transaction.commit()?;
            Ok(unfinished.len())
        })
    }
}

fn put_run(connection: &Connection, run: &RunRecord) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO runs (import, id, ended, record) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (import, id) DO UPDATE
             SET ended = excluded.ended, record = excluded.record",
        )?
        .execute(params![
            run.import.as_str(),
            run.id.as_str(),
            run.outcome.is_some(),
            json_text(run)?
        ])?;
    Ok(())
}

fn run_column(row: &rusqlite::Row<'_>) -> rusqlite::Result<RunRecord> {
    json_column(row, 0)?.ok_or_else(|| damaged(0, "no record"))
}
