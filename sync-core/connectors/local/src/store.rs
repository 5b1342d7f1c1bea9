//! The file and the database together, and the order in which they change.
//!
//! Both say how far an import got, and no transaction spans the two. So:
//!
//! 1. [`Store::take_edits`] reads the file. A `latest_timestamp` that is not what we last put there was set by a person:
//!    it becomes the import's position, with a new revision. The file wins.
//! 2. A commit is stored in the database together with the value the file is to show *and the value it replaces*.
//! 3. [`Store::publish`] writes the value into the file.
//! 4. The database notes that the file shows it.
//!
//! A process killed between 2 and 3 finds the replaced value in the file at the next start, and knows that nobody edited
//! it: step 3 is repeated. Killed between 3 and 4 it finds the new value: step 4 is repeated. Anything else is an edit.
//! Each step is a function here, so the tests stop after each.

use std::collections::HashMap;
use std::path::Path;

use sync_core::{
    Commit, Error, ErrorKind, ImportId, Outcome, Position, Reset, Result, Revision, RunRecord,
    Stored,
};

use crate::database::{Database, LatestTimestamp};
use crate::document::{Document, quoted};
use crate::entry::{self, ImportEntry};
use crate::state_file::{Replaced, StateFile};
use crate::steps::Steps;
use crate::timestamp;

/// How often to start over when somebody edits the file while we write it. Then it is left to the next look.
const ATTEMPTS: usize = 5;

/// What a person did to the file, or what is wrong with it, since the last time somebody asked.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// The entries are other ones.
    pub(crate) edited: bool,
    /// The file cannot be used, or not be written.
    pub(crate) problem: Option<Error>,
}

/// The open directory. Everything in it blocks.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) database: Database,
    file: StateFile,
    /// The text we saw last, good or not; `None`: no file.
    seen: Option<String>,
    /// Whether `seen` is in force. If not, `document` and `entries` are the last good ones.
    good: bool,
    /// Whether the positions in `entries` were compared with the database.
    compared: bool,
    /// Counts the changes of `entries`.
    pub(crate) version: u64,
    document: Document,
    entries: Vec<ImportEntry>,
    /// What the last successful run of an import did, as long as it is not in the file.
    results: HashMap<ImportId, (f64, u64)>,
    pub(crate) news: News,
    /// The last problem told, so that each is told once.
    told: Option<String>,
}

impl Store {
    /// Joins the two. Reads the file and takes over what was edited while nobody was running.
    ///
    /// # Errors
    /// When the file is broken: there is no last good one yet.
    pub(crate) fn open(dir: &Path, database: Database, steps: Steps) -> Result<Self> {
        let mut store = Self::empty(dir, database, steps);
        store.look();
        if let Some(problem) = store.news.problem.take() {
            return Err(problem);
        }
        store.news = News::default();
        Ok(store)
    }

    /// Joins the two for reading: nothing is taken over and nothing written. A broken file is a problem in the news.
    pub(crate) fn read_only(dir: &Path, database: Database) -> Self {
        let mut store = Self::empty(dir, database, Steps::default());
        store.look_only();
        store.news.edited = false;
        store
    }

    fn empty(dir: &Path, database: Database, steps: Steps) -> Self {
        Self {
            database,
            file: StateFile::of(dir, steps),
            seen: None,
            good: true,
            compared: true,
            version: 0,
            document: Document::empty(),
            entries: Vec::new(),
            results: HashMap::new(),
            news: News::default(),
            told: None,
        }
    }

    /// The entries in force.
    pub(crate) fn entries(&self) -> &[ImportEntry] {
        &self.entries
    }

    /// Reads the file, takes over edits and publishes what is not in the file yet.
    pub(crate) fn look(&mut self) {
        if let Err(problem) = self.take_edits().and_then(|()| self.publish()) {
            self.tell(problem);
        }
    }

    /// Reads the file for somebody who may not write.
    pub(crate) fn look_only(&mut self) {
        if let Err(problem) = self.read() {
            self.tell(problem);
        }
    }

    /// The stored progress, after taking over edits.
    pub(crate) fn load(&mut self, import: &ImportId) -> Result<Option<Stored>> {
        self.take_edits()?;
        self.publish_or_tell();
        self.database.load(import)
    }

    /// Stores a commit and publishes it.
    pub(crate) fn commit(
        &mut self,
        import: &ImportId,
        expected: Option<Revision>,
        commit: Commit,
    ) -> Result<Revision> {
        self.take_edits()?;
        let revision = self.store(import, expected, commit)?;
        self.publish_or_tell();
        Ok(revision)
    }

    /// Stores a commit in the database.
    fn store(
        &mut self,
        import: &ImportId,
        expected: Option<Revision>,
        commit: Commit,
    ) -> Result<Revision> {
        let shown = self.shown(import);
        self.database.commit(import, expected, commit, shown)?.ok_or_else(|| {
            Error::new(
                ErrorKind::Conflict,
                "commit",
                "the stored state changed since this run loaded it: state.json was edited, or it was rewound or reset",
            )
            .with("import", import)
        })
    }

    pub(crate) fn rewind(&mut self, import: &ImportId, to: Position) -> Result<Revision> {
        self.take_edits()?;
        let revision = self.database.rewind(import, to, self.shown(import))?;
        self.publish_or_tell();
        Ok(revision)
    }

    pub(crate) fn reset(&mut self, import: &ImportId, what: Reset) -> Result<()> {
        self.take_edits()?;
        self.database.reset(import, what, self.shown(import))?;
        self.publish_or_tell();
        Ok(())
    }

    /// Stores a run; of a successful one the figures go to the file too.
    pub(crate) fn record_run(&mut self, run: &RunRecord) -> Result<()> {
        self.database.record_run(run)?;
        if matches!(run.outcome, Some(Outcome::Complete | Outcome::Partial)) {
            let figures = (run.elapsed.as_secs_f64(), run.counts.accepted);
            self.results.insert(run.import.clone(), figures);
            self.look();
        }
        Ok(())
    }

    /// Adds an entry for a list that has none, and returns the list's first entry.
    pub(crate) fn ensure_import(&mut self, list_id: &str) -> Result<ImportEntry> {
        const OPERATION: &str = "add import to state.json";
        if !entry::is_list_id(list_id) {
            return Err(Error::new(
                ErrorKind::Config,
                OPERATION,
                "the list id is no audience id: only letters, digits, - and _ are allowed",
            ));
        }
        for _ in 0..ATTEMPTS {
            self.take_edits()?;
            if let Some(entry) = self.entries.iter().find(|entry| entry.list_id == list_id) {
                return Ok(entry.clone());
            }
            // The problem itself, not that the last good one could not be used.
            self.read()?;
            let next = self.document.with_entry("list_id", &quoted(list_id));
            if self.replace(next)? {
                self.compared = false;
            }
        }
        Err(Error::new(
            ErrorKind::State,
            OPERATION,
            "it is being edited all the time: try again",
        )
        .with("list_id", list_id))
    }

    /// What the file shows for an import; `None` if it has no entry for it.
    fn shown(&self, import: &ImportId) -> Option<LatestTimestamp> {
        let entry = self.entries.iter().find(|entry| entry.id == *import);
        entry.map(|entry| entry.latest_timestamp)
    }

    /// Reads the file and takes over what people changed. A file that cannot be used is told and stops nothing: the last
    /// good one stays in force.
    ///
    /// # Errors
    /// When the database cannot take a position that somebody set. Going on would overwrite it.
    fn take_edits(&mut self) -> Result<()> {
        self.look_only();
        if !self.compared {
            self.take_positions()?;
            self.compared = true;
        }
        Ok(())
    }

    /// Reads the file and puts it in force if it is another one.
    ///
    /// # Errors
    /// When the file cannot be used; the last good one stays in force.
    fn read(&mut self) -> Result<()> {
        let text = match self.file.read() {
            Ok(text) => text,
            Err(problem) => {
                self.good = false;
                return Err(problem);
            }
        };
        if text == self.seen && self.good {
            return Ok(());
        }
        let Some(text) = text else {
            self.good = false;
            return Err(Error::new(
                ErrorKind::Config,
                "read state.json",
                "the file is gone: put it back, what it said last stays in force",
            ));
        };
        let before = self.entries.clone();
        // Whoever heard of a problem hears that it is over, also when nothing else changed.
        let recovered = self.told.is_some();
        self.take_over(text)?;
        self.compared = false;
        self.news.edited |= recovered || before != self.entries;
        Ok(())
    }

    /// Puts a text in force.
    fn take_over(&mut self, text: String) -> Result<()> {
        self.seen = Some(text.clone());
        self.good = false;
        let document = Document::parse(text).map_err(entry::malformed)?;
        self.entries = entry::decode(&document)?;
        self.document = document;
        self.good = true;
        self.version += 1;
        self.told = None;
        Ok(())
    }

    /// Compares what the file shows with what it should show, and takes over what people changed.
    fn take_positions(&mut self) -> Result<()> {
        let mut settled = Vec::new();
        for entry in &self.entries {
            let shown = entry.latest_timestamp;
            match self.database.publication(&entry.id)? {
                None if shown.is_none() => {}
                Some(publication) if publication.value == shown => {
                    if publication.replaces.is_some() {
                        settled.push(&entry.id);
                    }
                }
                Some(publication) if publication.replaces == Some(shown) => {}
                _ => self.database.take_edit(&entry.id, shown)?,
            }
        }
        if !settled.is_empty() {
            self.database.settle(&settled)?;
        }
        Ok(())
    }

    /// Writes into the file what it should show and does not.
    fn publish(&mut self) -> Result<()> {
        for _ in 0..ATTEMPTS {
            if !self.good {
                return Ok(());
            }
            let Some((next, imports)) = self.next_text()? else {
                return Ok(());
            };
            if self.replace(next)? {
                self.results.retain(|import, _| !imports.contains(import));
                return self.database.settle(&imports.iter().collect::<Vec<_>>());
            }
            self.take_edits()?;
        }
        // Somebody writes all the time. What is not in the file now is written after the next commit.
        Ok(())
    }

    /// The text with everything published, and the imports in it; `None` if the file shows everything.
    fn next_text(&mut self) -> Result<Option<(String, Vec<ImportId>)>> {
        let mut changes = Vec::new();
        let mut imports = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let before = changes.len();
            if let Some(publication) = self.database.publication(&entry.id)?
                && publication.replaces == Some(entry.latest_timestamp)
            {
                let value = publication.value.map(timestamp::format);
                let value = value.map_or_else(|| "null".to_owned(), |time| quoted(&time));
                changes.push((index, "latest_timestamp", value));
            }
            if let Some((elapsed, updates)) = self.results.get(&entry.id) {
                // Milliseconds are enough for people.
                let elapsed = (elapsed * 1000.0).round() / 1000.0;
                changes.push((index, "elapsed_seconds", elapsed.to_string()));
                changes.push((index, "total_updates", updates.to_string()));
            }
            if changes.len() > before {
                imports.push(entry.id.clone());
            }
        }
        Ok((!changes.is_empty()).then(|| (self.document.with_fields(&changes), imports)))
    }

    /// Replaces the file if it still is what we saw, and says whether it was.
    fn replace(&mut self, next: String) -> Result<bool> {
        if self.file.replace(self.seen.as_deref(), &next)? == Replaced::Changed {
            return Ok(false);
        }
        self.take_over(next)?;
        Ok(true)
    }

    /// Publishes what is stored. That it could not is told and does not undo it: it is tried again at the next look.
    fn publish_or_tell(&mut self) {
        if let Err(problem) = self.publish() {
            self.tell(problem);
        }
    }

    fn tell(&mut self, problem: Error) {
        let text = problem.chain();
        if self.told.as_ref() != Some(&text) {
            self.told = Some(text);
            self.news.problem = Some(problem);
        }
    }
}

#[cfg(test)]
mod tests;
