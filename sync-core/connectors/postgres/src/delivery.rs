//! One transaction: tables made and changed as the records need it, and the records in them.

use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use sync_core::table::{Alteration, Column, DELETED_AT, KEY, RAW, Row, SYNCED_AT, Table};
use sync_core::{JsonRecord, Key, Rejection, Stream};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::catalog::{Place, column_sql, sql_type};
use crate::copy;
use crate::error::Failure;
use crate::link::Task;
use crate::session::Connector;
use crate::views;

/// Orders records for a [`Delivery`]: by stream and key, and of each key only the last.
///
/// All sinks lock tables and rows in this one order, so that two of them rarely wait for each other in a circle.
pub(crate) fn in_order(records: &mut Vec<JsonRecord>) {
    fn place(record: &JsonRecord) -> (&Arc<str>, &Key) {
        (record.stream.name(), &record.key)
    }
    records.sort_by(|one, other| place(one).cmp(&place(other)));
    records.dedup_by(|later, kept| {
        let same = place(later) == place(kept);
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
}

/// Writes records that are [`in_order`], as one transaction. Gives what cannot become a row.
pub(crate) struct Delivery<'r>(pub(crate) &'r [JsonRecord]);

#[async_trait]
impl Task for Delivery<'_> {
    type Answer = Vec<Rejection>;
    const OPERATION: &'static str = "write rows";

    async fn perform(
        &self,
        client: &Client,
        connector: &Connector,
    ) -> Result<Vec<Rejection>, Failure> {
        let Self(records) = self;
        let schema = &connector.settings().schema;
        client.batch_execute(&connector.begin()).await?;
        let mut rejected = Vec::new();
        let mut stages = 0;
        for of_table in records.chunk_by(|one, other| one.stream.name() == other.stream.name()) {
            // Two sources of one stream may declare different fields.
            let mut declarations: Vec<(&Arc<Stream>, Vec<&JsonRecord>)> = Vec::new();
            for record in of_table {
                let known = declarations.iter_mut().rev().find(|(stream, _)| {
                    Arc::ptr_eq(stream, &record.stream) || **stream == record.stream
                });
                match known {
                    Some((_, records)) => records.push(record),
                    None => declarations.push((&record.stream, vec![record])),
                }
            }
            for (stream, records) in declarations {
                stages += 1;
                rejected.extend(put(client, schema, stream, &records, stages).await?);
            }
        }
        client.batch_execute("COMMIT").await?;
        Ok(rejected)
    }
}

/// Puts the records of one stream into its table.
async fn put(
    client: &Client,
    schema: &str,
    stream: &Stream,
    records: &[&JsonRecord],
    stage: usize,
) -> Result<Vec<Rejection>, Failure> {
    let place = Place::new(schema, Table::new(stream).name());
    let mut found = place.find(client).await?;
    let (table, rows, rejected) = loop {
        if found.is_none() && records.iter().all(|record| record.removed) {
            return Ok(Vec::new());
        }
        let mut table = match &found {
            Some(found) => Table::adopt(stream, found.columns.clone()).0,
            None => Table::new(stream),
        };
        let shaped = table.shape(records.iter().copied());
        let alterations = found
            .as_ref()
            .map(|found| found.alterations(table.columns()));
        if alterations.as_ref().is_some_and(Vec::is_empty) {
            place.keep(client).await?;
        } else {
            place.claim(client, found.is_some()).await?;
        }
        // Now nobody else can change it; but somebody may have done so before.
        let now = place.find(client).await?;
        if now != found {
            found = now;
            continue;
        }
        match (&found, alterations) {
            (Some(found), Some(alterations)) if !alterations.is_empty() => {
                let alter = place.alter(&alterations, found)?;
                let widens = alterations
                    .iter()
                    .any(|alteration| matches!(alteration, Alteration::Widen { .. }));
                let detached = if widens {
                    // The server refuses to change a column that a view uses.
                    views::detach(client, &place).await?
                } else {
                    Vec::new()
                };
                client.batch_execute(&alter).await?;
                views::create(client, schema, &detached).await?;
            }
            (Some(_), _) => {}
            (None, _) => {
                place.make_schema(client).await?;
                client.batch_execute(&place.create(table.columns())).await?;
            }
        }
        break (table, shaped.rows, shaped.rejected);
    };
    let (removed, present): (Vec<&Row<'_>>, Vec<&Row<'_>>) =
        rows.iter().partition(|row| row.record.removed);
    if !present.is_empty() {
        upsert(client, &place, table.columns(), &present, stage).await?;
    }
    if !removed.is_empty() {
        remove(client, &place, &removed).await?;
    }
    Ok(rejected)
}

async fn upsert(
    client: &Client,
    place: &Place,
    columns: &[Column],
    rows: &[&Row<'_>],
    stage: usize,
) -> Result<(), Failure> {
    let statements = Upsert::new(place, columns, stage);
    client.batch_execute(&statements.stage).await?;
    let sink = client.copy_in(&statements.copy).await?;
    copy::rows(sink, rows).await.map_err(Failure::of_rows)?;
    client
        .batch_execute(&statements.insert)
        .await
        .map_err(Failure::of_rows)?;
    Ok(())
}

/// Marks rows as removed. A row keeps the time at which it was first found to be gone.
async fn remove(client: &Client, place: &Place, rows: &[&Row<'_>]) -> Result<(), Failure> {
    let keys: Vec<&str> = rows.iter().map(|row| row.record.key.as_str()).collect();
    let table = place.sql();
    let update = format!(
        "UPDATE {table} SET \"{SYNCED_AT}\" = now(), \
         \"{DELETED_AT}\" = coalesce(\"{DELETED_AT}\", now()) WHERE \"{KEY}\" = ANY ($1)"
    );
    client
        .execute_typed(&update, &[(&keys, Type::TEXT_ARRAY)])
        .await
        .map_err(Failure::of_rows)?;
    Ok(())
}

/// The statements that bring rows.
struct Upsert {
    stage: String,
    copy: String,
    insert: String,
}

impl Upsert {
    fn new(place: &Place, columns: &[Column], stage: usize) -> Self {
        // In the transaction only, and then gone: nothing is left to clean up.
        let staged = format!("pg_temp.sync_stage_{stage}");
        let mut definition = format!("\"{KEY}\" text, \"{RAW}\" json");
        let mut names = format!("\"{KEY}\", \"{RAW}\"");
        let mut updates = format!(
            "\"{RAW}\" = excluded.\"{RAW}\", \"{SYNCED_AT}\" = excluded.\"{SYNCED_AT}\", \"{DELETED_AT}\" = NULL"
        );
        for column in columns {
            let name = column_sql(&column.name);
            // Writing into a string cannot fail.
            let _ = write!(definition, ", {name} {}", sql_type(column.holds));
            let _ = write!(names, ", {name}");
            let _ = write!(updates, ", {name} = excluded.{name}");
        }
        Self {
            stage: format!("CREATE TEMPORARY TABLE {staged} ({definition}) ON COMMIT DROP"),
            copy: format!("COPY {staged} FROM STDIN (FORMAT binary)"),
            insert: format!(
                "INSERT INTO {table} ({names}, \"{SYNCED_AT}\") SELECT {names}, now() FROM {staged} \
                 ON CONFLICT (\"{KEY}\") DO UPDATE SET {updates}",
                table = place.sql(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn record(stream: &str, key: &str, data: &'static str) -> JsonRecord {
        JsonRecord {
            stream: Arc::new(Stream::new(stream)),
            key: Key::new(key),
            data: Bytes::from_static(data.as_bytes()),
            removed: false,
        }
    }

    #[test]
    fn the_last_of_a_key_stays_and_all_are_in_order() {
        let mut records = vec![
            record("b", "2", "1"),
            record("b", "1", "2"),
            record("a", "2", "3"),
            record("b", "2", "4"),
            record("b", "2", "5"),
            record("a", "1", "6"),
            record("b", "1", "7"),
        ];
        in_order(&mut records);
        let left: Vec<&[u8]> = records.iter().map(|record| &*record.data).collect();
        assert_eq!(left, [b"6", b"3", b"7", b"5"]);
    }
}
