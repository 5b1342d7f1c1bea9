//! A state directory that processes open one after the other, and somebody who edits its file.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::Value;
use sync_core::{Clock, Error, ErrorKind, Result};
use sync_local::LocalState;
use tempfile::TempDir;

use crate::process::import_id;
use crate::scenario::Scenario;
use crate::time::Time;
use crate::world::{World, audience_id, lock};

/// Times to look whether the disk is done with a killed process.
const PATIENCE: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Directory {
    dir: TempDir,
    time: Time,
    /// What an editor has yet to save of the file.
    unsaved: Mutex<Option<String>>,
}

impl Directory {
    /// A new directory with one entry for each import.
    pub(crate) fn new(world: &World) -> Result<Self> {
        let dir = TempDir::with_prefix("simulation-").map_err(failed)?;
        let entries: Vec<Value> = entries(&world.scenario);
        let this = Self {
            dir,
            time: world.time.clone(),
            unsaved: Mutex::default(),
        };
        fs::write(this.file(), Value::from(entries).to_string()).map_err(failed)?;
        Ok(this)
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("state.json")
    }

    /// Opens it as a new process does. What a killed process had begun on the disk is finished first.
    pub(crate) async fn open(&self) -> Result<LocalState> {
        // A process does not start on a file that is broken, so whoever broke it saves the rest first.
        self.save();
        let clock: Arc<dyn Clock> = Arc::new(self.time.clone());
        let mut tries = 0;
        loop {
            match LocalState::open(self.dir.path(), &clock) {
                Err(_) if tries < PATIENCE => tries += 1,
                opened => return opened,
            }
            // The threads that work for the killed process run in real time, which passes while we yield.
            tokio::task::yield_now().await;
        }
    }

    /// Moves an import's time back, or removes it, as an editor does: sometimes all at once, sometimes in two halves.
    pub(crate) async fn edit(&self, rng: &mut Rng, import: &str, back: Option<TimeDelta>) {
        let Ok(text) = fs::read_to_string(self.file()) else {
            return;
        };
        let Ok(Value::Array(mut entries)) = serde_json::from_str::<Value>(&text) else {
            return;
        };
        for entry in &mut entries {
            let named = entry.get("id").or(entry.get("list_id"));
            if named.and_then(Value::as_str) != Some(import) {
                continue;
            }
            let now = entry.get("latest_timestamp").and_then(Value::as_str);
            let now = now.and_then(|time| DateTime::parse_from_rfc3339(time).ok());
            let next = match (now, back) {
                (Some(now), Some(back)) => {
                    let time: DateTime<Utc> = now.to_utc() - back;
                    Value::from(time.to_rfc3339_opts(SecondsFormat::Secs, true))
                }
                _ => Value::Null,
            };
            entry["latest_timestamp"] = next;
        }
        let Ok(next) = serde_json::to_string_pretty(&entries) else {
            return;
        };
        // A disk that refuses an edit changes nothing about what must be true.
        if rng.bool() {
            let aside = self.dir.path().join("state.json.edited");
            let _ = fs::write(&aside, next).and_then(|()| fs::rename(&aside, self.file()));
        } else {
            let half = next.len() / 2;
            let _ = fs::write(self.file(), &next[..half]);
            *lock(&self.unsaved) = Some(next);
            tokio::time::sleep(Duration::from_millis(rng.u64(1..3000))).await;
            self.save();
        }
    }

    fn save(&self) {
        if let Some(text) = lock(&self.unsaved).take() {
            let _ = fs::write(self.file(), text);
        }
    }
}

fn entries(scenario: &Scenario) -> Vec<Value> {
    let of_import = |index: usize| {
        let audience = scenario
            .imports
            .get(index)
            .map_or(0, |import| import.audience);
        let id = import_id(scenario, index);
        serde_json::json!({ "list_id": audience_id(audience), "id": id.as_str() })
    };
    (0..scenario.imports.len()).map(of_import).collect()
}

fn failed(cause: std::io::Error) -> Error {
    Error::new(
        ErrorKind::State,
        "prepare directory",
        "the disk does not allow it",
    )
    .caused_by(cause)
}
