//! A state directory that processes open one after the other, and somebody who edits its file.

use std::fmt;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::Value;
use sync_core::{Clock, Error, ErrorKind, Result};
use sync_local::{DiskStep, DiskWatch, LocalState};
use tempfile::TempDir;

use crate::mortal::{Death, Switch};
use crate::process::import_id;
use crate::scenario::Scenario;
use crate::time::Time;
use crate::world::{World, audience_id, lock};

/// One directory after the other: a process that is killed at a step on the disk goes on, for as long as its call takes, in
/// a directory that nobody looks at any more, and what it left at that moment is the next one.
#[derive(Debug)]
pub(crate) struct Directory {
    home: TempDir,
    /// Counts the directories in `home`; the last is the one in use.
    current: AtomicU32,
    time: Time,
    /// What an editor has yet to save of the file.
    unsaved: Mutex<Option<String>>,
}

impl Directory {
    /// A new directory with one entry for each import.
    pub(crate) fn new(world: &World) -> Result<Self> {
        let named = "simulation-";
        // In memory where the system has such a place: what a kill leaves does not depend on what was synced.
        let home = TempDir::with_prefix_in(named, "/dev/shm");
        let home = home.or_else(|_| TempDir::with_prefix(named));
        let entries: Vec<Value> = entries(&world.scenario);
        let this = Self {
            home: home.map_err(failed)?,
            current: AtomicU32::new(0),
            time: world.time.clone(),
            unsaved: Mutex::default(),
        };
        fs::create_dir(this.path()).map_err(failed)?;
        fs::write(this.file(), Value::from(entries).to_string()).map_err(failed)?;
        Ok(this)
    }

    fn path(&self) -> PathBuf {
        self.numbered(self.current.load(Ordering::Relaxed))
    }

    fn numbered(&self, number: u32) -> PathBuf {
        self.home.path().join(number.to_string())
    }

    fn file(&self) -> PathBuf {
        self.path().join("state.json")
    }

    /// Opens it as a new process does, which may die at a step on the disk.
    pub(crate) fn open(
        self: &Arc<Self>,
        death: Option<Death>,
        switch: &Switch,
    ) -> Result<LocalState> {
        // A process does not start on a file that is broken, so whoever broke it saves the rest first.
        self.save();
        let clock: Arc<dyn Clock> = Arc::new(self.time.clone());
        let reaper = Reaper {
            directory: self.clone(),
            at: match death {
                Some(Death::DiskStep(number)) => Some(number),
                _ => None,
            },
            taken: AtomicU64::new(0),
            switch: switch.clone(),
        };
        LocalState::open_watched(self.path(), &clock, Arc::new(reaper))
    }

    /// Puts a copy in use, with so many bytes of what is being written.
    fn move_to_copy(&self, step: DiskStep<'_>, written: u64) -> io::Result<()> {
        let from = self.path();
        let number = self.current.load(Ordering::Relaxed) + 1;
        let to = self.numbered(number);
        fs::create_dir(&to)?;
        for file in fs::read_dir(from)? {
            let file = file?;
            fs::copy(file.path(), to.join(file.file_name()))?;
        }
        if let DiskStep::Write { path, bytes } = step
            && let Some(name) = path.file_name()
        {
            let written = usize::try_from(written).unwrap_or(0) % (bytes.len() + 1);
            fs::write(to.join(name), &bytes[..written])?;
        }
        self.current.store(number, Ordering::Relaxed);
        Ok(())
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
            let aside = self.path().join("state.json.edited");
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

/// Waits at one step on the disk for the process to come by.
struct Reaper {
    directory: Arc<Directory>,
    at: Option<u64>,
    taken: AtomicU64,
    switch: Switch,
}

impl DiskWatch for Reaper {
    fn before(&self, step: DiskStep<'_>) -> ControlFlow<()> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        if self.at != Some(number) {
            return ControlFlow::Continue(());
        }
        // Without a copy the process lives on.
        if self.directory.move_to_copy(step, number).is_err() {
            return ControlFlow::Continue(());
        }
        self.switch.throw();
        ControlFlow::Break(())
    }
}

impl fmt::Debug for Reaper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reaper")
            .field("at", &self.at)
            .finish_non_exhaustive()
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

fn failed(cause: io::Error) -> Error {
    Error::new(
        ErrorKind::State,
        "prepare directory",
        "the disk does not allow it",
    )
    .caused_by(cause)
}
