//! `status`, `history`, `failures`: looking, also while a service runs.

use serde::Serialize;
use serde_json::json;
use std::fmt::Write as _;
use sync_core::{
    Clock, Error, ErrorKind, ImportId, Outcome, Result, RunRecord, StateStore, SystemClock,
};
use sync_local::{ImportEntry, LocalState};

use super::args::{FailuresArguments, HistoryArguments, ListingArguments};
use super::exit::{Exit, Failure};
use super::output::{Stream, Table, grouped, print, runs_table, time};
use crate::config::{Settings, format_interval};
use crate::importer::{OPT_OUTS, look_at};

/// Pretty JSON and a line break.
pub(super) fn json_text<T: Serialize>(value: &T) -> Result<String> {
    let mut text = serde_json::to_string_pretty(value).map_err(|cause| {
        Error::new(ErrorKind::Invalid, "print JSON", "it cannot be written").caused_by(cause)
    })?;
    text.push('\n');
    Ok(text)
}

pub(super) async fn open(settings: &Settings) -> Result<LocalState, Failure> {
    look_at(&settings.config.state)
        .await
        .map_err(Failure::before_start)
}

/// What `status` says about one import.
struct Standing {
    entry: ImportEntry,
    known: u64,
    rejected: u64,
    last: Option<RunRecord>,
}

pub(super) async fn status(
    settings: &Settings,
    arguments: &ListingArguments,
) -> Result<Exit, Failure> {
    let state = open(settings).await?;
    let mut standings = Vec::new();
    for entry in state.imports() {
        standings.push(Standing {
            known: state.ledger_len(&entry.id.scope()).await?,
            rejected: state.rejected_len(&entry.id).await?,
            last: state.runs(Some(&entry.id), 1).await?.into_iter().next(),
            entry,
        });
    }
    if arguments.json {
        let imports: Vec<_> = standings
            .iter()
            .map(|standing| standing.json(settings))
            .collect();
        print(Stream::Stdout, &json_text(&imports)?);
        return Ok(Exit::Good);
    }
    if standings.is_empty() {
        let text = format!(
            "no imports in {}; sync-cli run LIST_ID adds one\n",
            settings.config.state.display()
        );
        print(Stream::Stdout, &text);
        return Ok(Exit::Good);
    }
    let now = SystemClock.now();
    let mut table = Table::new(&[
        "import",
        "audience",
        "sink",
        "every",
        "records",
        "rejected",
        "last run",
        "outcome",
        "complete until",
        "behind",
    ]);
    for standing in &standings {
        let entry = &standing.entry;
        let behind = entry.latest_timestamp.map_or_else(
            || "-".to_owned(),
            |until| super::output::took((now - until).to_std().unwrap_or_default()),
        );
        table.row(vec![
            entry.id.to_string(),
            entry.list_id.clone(),
            standing.sink(settings),
            standing.every(settings),
            grouped(standing.known),
            grouped(standing.rejected),
            time(standing.last.as_ref().map(|run| run.started)),
            standing.outcome().to_owned(),
            time(entry.latest_timestamp),
            behind,
        ]);
    }
    print(Stream::Stdout, &table.render());
    Ok(Exit::Good)
}

impl Standing {
    fn sink(&self, settings: &Settings) -> String {
        self.entry
            .sink
            .clone()
            .unwrap_or_else(|| settings.config.sink.to_string())
    }

    fn every(&self, settings: &Settings) -> String {
        if self.entry.paused {
            return "paused".to_owned();
        }
        format_interval(
            self.entry
                .schedule
                .unwrap_or(settings.config.schedule.interval()),
        )
    }

    fn outcome(&self) -> &'static str {
        match &self.last {
            None => "never ran",
            Some(run) => run.outcome.map_or("running", Outcome::as_str),
        }
    }

    fn json(&self, settings: &Settings) -> serde_json::Value {
        let entry = &self.entry;
        json!({
            "import": entry.id,
            "list_id": entry.list_id,
            "account": entry.account,
            "sink": self.sink(settings),
            "schedule": format_interval(
                entry.schedule.unwrap_or(settings.config.schedule.interval())
            ),
            "paused": entry.paused,
            "records": self.known,
            "rejected": self.rejected,
            "complete_until": entry.latest_timestamp,
            "last_run": self.last,
        })
    }
}

/// The import that an operator means by its id or by the id of its only audience.
pub(super) fn meant(state: &LocalState, name: &str) -> Result<ImportId> {
    let entries = state.imports();
    if let Some(entry) = entries.iter().find(|entry| entry.id.as_str() == name) {
        return Ok(entry.id.clone());
    }
    let problem = |message: &'static str| {
        Error::new(ErrorKind::Config, "choose import", message).with("import", name)
    };
    let mut of_list = entries.iter().filter(|entry| entry.list_id == name);
    match (of_list.next(), of_list.next()) {
        (Some(entry), None) => Ok(entry.id.clone()),
        (Some(_), Some(_)) => Err(problem(
            "several imports read this audience; name one by the id that sync-cli status shows",
        )),
        _ => Err(problem(
            "state.json has no import with this id or list id; sync-cli status lists them",
        )),
    }
}

pub(super) async fn history(
    settings: &Settings,
    arguments: &HistoryArguments,
) -> Result<Exit, Failure> {
    /// As many as a store keeps.
    const ALL: usize = 10_000;
    let state = open(settings).await?;
    let import = match &arguments.import {
        Some(name) => Some(meant(&state, name)?),
        None => None,
    };
    let mut runs = state.runs(import.as_ref(), ALL).await?;
    if !arguments.all {
        runs.retain(|run| {
            !run.import.as_str().ends_with(OPT_OUTS) || run.outcome == Some(Outcome::Failed)
        });
    }
    runs.truncate(arguments.last);
    let text = if arguments.json {
        json_text(&runs)?
    } else if runs.is_empty() {
        "nothing ran yet\n".to_owned()
    } else {
        runs_table(&runs)
    };
    print(Stream::Stdout, &text);
    Ok(Exit::Good)
}

pub(super) async fn failures(
    settings: &Settings,
    arguments: &FailuresArguments,
) -> Result<Exit, Failure> {
    let state = open(settings).await?;
    let imports = match &arguments.import {
        Some(name) => vec![meant(&state, name)?],
        None => state.imports().into_iter().map(|entry| entry.id).collect(),
    };
    let mut table = Table::new(&["import", "key", "refused at", "reason"]);
    let mut rows = Vec::new();
    let mut waiting = 0;
    for import in imports {
        waiting += state.rejected_len(&import).await?;
        for record in state.rejected(&import, None, arguments.last).await? {
            table.row(vec![
                import.to_string(),
                record.key.to_string(),
                time(Some(record.at)),
                record.reason.clone(),
            ]);
            rows.push(json!({
                "import": import,
                "key": record.key,
                "at": record.at,
                "reason": record.reason,
            }));
        }
    }
    if arguments.json {
        print(Stream::Stdout, &json_text(&rows)?);
    } else if rows.is_empty() {
        print(Stream::Stdout, "no rejected records\n");
    } else {
        let shown = rows.len() as u64;
        let mut text = table.render();
        if shown < waiting {
            let _ = writeln!(text, "{} of {}", grouped(shown), grouped(waiting));
        }
        text.push_str("sync-cli replay sends them again once the reason is gone\n");
        print(Stream::Stdout, &text);
    }
    Ok(Exit::Good)
}
