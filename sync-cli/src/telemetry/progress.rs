//! Progress bars on a terminal.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use sync_core::{Event, ImportId, Observer, Outcome, RunContext};

/// Known total: bar, rate and time left.
const BAR: &str =
    "{prefix:>14} {bar:28.green} {human_pos:>11} of {human_len} {rate:>9} {eta:>5} left {msg}";

/// Total not known yet.
const SPINNER: &str = "{prefix:>14} {spinner} {human_pos:>11} {rate:>9} {msg}";

/// One bar for each run that is going on.
pub struct ProgressBars {
    all: MultiProgress,
    runs: Mutex<HashMap<ImportId, ProgressBar>>,
}

impl ProgressBars {
    /// Draws on standard error among `all`.
    pub fn new(all: MultiProgress) -> Self {
        Self {
            all,
            runs: Mutex::default(),
        }
    }

    fn with(&self, import: &ImportId, act: impl FnOnce(&ProgressBar)) {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = runs.get(import) {
            act(bar);
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates above are constant and parse.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, to: &mut dyn fmt::Write| {
            // What cannot be written is drawn again a moment later.
            let _ = write!(to, "{:.0}/s", state.per_sec());
        })
}

impl Observer for ProgressBars {
    fn on_event(&self, run: &RunContext, event: &Event<'_>) {
        match event {
            Event::Started => {
                let bar = ProgressBar::new_spinner()
                    .with_style(style(SPINNER))
                    .with_prefix(run.import.to_string());
                let bar = self.all.add(bar);
                bar.enable_steady_tick(Duration::from_millis(120));
                let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
                runs.insert(run.import.clone(), bar);
            }
            Event::BatchRead {
                records,
                expected_total,
            } => self.with(&run.import, |bar| {
                if let Some(total) = expected_total
                    && bar.length() != Some(*total)
                {
                    if bar.length().is_none() {
                        bar.set_style(style(BAR));
                    }
                    bar.set_length(*total);
                }
                bar.inc(*records);
            }),
            Event::SweepStarted => {
                self.with(&run.import, |bar| bar.set_message("looking for removals"));
            }
            Event::SweepFinished { .. } => self.with(&run.import, |bar| bar.set_message("")),
            Event::Finished(record) => {
                let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(bar) = runs.remove(&run.import) {
                    bar.finish_with_message(record.outcome.map_or("", Outcome::as_str));
                    // What remains is said by the log and the summary.
                    self.all.remove(&bar);
                }
            }
            _ => {}
        }
    }
}

impl fmt::Debug for ProgressBars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressBars").finish_non_exhaustive()
    }
}
