//! `status`, `history`, `failures`: looking, also while a service runs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
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

/// As many runs as a store keeps.
const EVERY_RUN: usize = 10_000;

/// Imports of streams that ever ran. They do not stand in state.json; a slash in the id tells them from audiences.
pub(super) async fn streams(state: &LocalState) -> Result<BTreeSet<ImportId>> {
    let runs = state.runs(None, EVERY_RUN).await?;
    let ids = runs.into_iter().map(|run| run.import);
    Ok(ids.filter(|id| id.as_str().contains('/')).collect())
}

/// What `status` says about one import.
struct Standing {
    id: ImportId,
    /// `None`: a stream.
    entry: Option<ImportEntry>,
    complete_until: Option<DateTime<Utc>>,
    /// The sink that a stream went to last.
    bound: Option<String>,
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
        let until = entry.latest_timestamp;
        standings.push(Standing::of(&state, entry.id.clone(), Some(entry), until).await?);
    }
    for id in streams(&state).await? {
        let stored = state.load(&id).await?.map(|stored| stored.checkpoint);
        let until = stored
            .as_ref()
            .and_then(|checkpoint| checkpoint.position.complete_until());
        let mut standing = Standing::of(&state, id, None, until).await?;
        let bound = stored.and_then(|checkpoint| checkpoint.binding);
        standing.bound = bound.map(|bound| bound.trim_start_matches("sink ").to_owned());
        standings.push(standing);
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
        "reads",
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
        let behind = standing.complete_until.map_or_else(
            || "-".to_owned(),
            |until| super::output::took((now - until).to_std().unwrap_or_default()),
        );
        table.row(vec![
            standing.id.to_string(),
            standing.reads().to_owned(),
            standing.sink(settings),
            standing.every(settings),
            grouped(standing.known),
            grouped(standing.rejected),
            time(standing.last.as_ref().map(|run| run.started)),
            standing.outcome().to_owned(),
            time(standing.complete_until),
            behind,
        ]);
    }
    print(Stream::Stdout, &table.render());
    Ok(Exit::Good)
}

impl Standing {
    async fn of(
        state: &LocalState,
        id: ImportId,
        entry: Option<ImportEntry>,
        complete_until: Option<DateTime<Utc>>,
    ) -> Result<Self> {
        Ok(Self {
            known: state.ledger_len(&id.scope()).await?,
            rejected: state.rejected_len(&id).await?,
            last: state.runs(Some(&id), 1).await?.into_iter().next(),
            complete_until,
            bound: None,
            entry,
            id,
        })
    }

    /// The audience or the stream.
    fn reads(&self) -> &str {
        match &self.entry {
            Some(entry) => &entry.list_id,
            None => self.id.as_str().split('/').nth(1).unwrap_or_default(),
        }
    }

    fn sink(&self, settings: &Settings) -> String {
        let own = self.entry.as_ref().and_then(|entry| entry.sink.clone());
        own.or_else(|| self.bound.clone())
            .unwrap_or_else(|| settings.config.sink.to_string())
    }

    fn every(&self, settings: &Settings) -> String {
        if self.paused() {
            return "paused".to_owned();
        }
        self.schedule(settings)
    }

    fn paused(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.paused)
    }

    fn schedule(&self, settings: &Settings) -> String {
        let own = self.entry.as_ref().and_then(|entry| entry.schedule);
        format_interval(own.unwrap_or(settings.config.schedule.interval()))
    }

    fn outcome(&self) -> &'static str {
        match &self.last {
            None => "never ran",
            Some(run) => run.outcome.map_or("running", Outcome::as_str),
        }
    }

    fn json(&self, settings: &Settings) -> serde_json::Value {
        let entry = self.entry.as_ref();
        let account = match entry {
            Some(entry) => entry.account.as_deref(),
            None => self.id.as_str().split('/').next(),
        };
        json!({
            "import": self.id,
            "list_id": entry.map(|entry| &entry.list_id),
            "stream": entry.is_none().then(|| self.reads()),
            "account": account,
            "sink": self.sink(settings),
            "schedule": self.schedule(settings),
            "paused": self.paused(),
            "records": self.known,
            "rejected": self.rejected,
            "complete_until": self.complete_until,
            "last_run": self.last,
        })
    }
}

/// The import that an operator means by its id or by the id of its only audience.
pub(super) async fn meant(state: &LocalState, name: &str) -> Result<ImportId> {
    let entries = state.imports();
    if let Some(entry) = entries.iter().find(|entry| entry.id.as_str() == name) {
        return Ok(entry.id.clone());
    }
    if let Some(stream) = streams(state)
        .await?
        .into_iter()
        .find(|id| id.as_str() == name)
    {
        return Ok(stream);
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
            "there is no import with this id or list id; sync-cli status lists them",
        )),
    }
}

pub(super) async fn history(
    settings: &Settings,
    arguments: &HistoryArguments,
) -> Result<Exit, Failure> {
    let state = open(settings).await?;
    let import = match &arguments.import {
        Some(name) => Some(meant(&state, name).await?),
        None => None,
    };
    let mut runs = state.runs(import.as_ref(), EVERY_RUN).await?;
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
    let imports = if let Some(name) = &arguments.import {
        vec![meant(&state, name).await?]
    } else {
        let audiences = state.imports().into_iter().map(|entry| entry.id);
        audiences.chain(streams(&state).await?).collect()
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
