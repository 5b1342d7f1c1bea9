//! Log lines: what happened in which run, with ids and counts, never a key, an address or a body.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::MultiProgress;
use sync_core::{Event, ImportId, Observer, Outcome, RunContext, RunRecord};
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{ConfigError, LogFormat, LogLevel};

/// At most one progress line of a run in this time.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// How and where log lines appear.
#[derive(Debug)]
pub struct LogSettings<'a> {
    /// How they look.
    pub format: LogFormat,
    /// Which appear.
    pub level: LogLevel,
    /// Into this file instead of standard error. It is appended to.
    pub file: Option<&'a Path>,
    /// Whether standard error takes colour.
    pub colour: bool,
    /// Progress bars that a line must not tear.
    pub bars: Option<MultiProgress>,
}

/// Starts logging for the whole process. Only the program calls it; a second call changes nothing.
///
/// The level is that of this workspace. Dependencies show warnings at most: what they write at finer levels is not under
/// our control, and might hold an address.
///
/// # Errors
/// When the log file cannot be opened.
pub fn start(settings: LogSettings<'_>) -> Result<(), ConfigError> {
    let own = match settings.level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let filter = Targets::new()
        .with_default(own.min(LevelFilter::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), own);
    let destination = match settings.file {
        Some(path) => {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .map_err(|error| {
                    ConfigError::new(
                        "log file",
                        format!("{} cannot be opened ({})", path.display(), error.kind()),
                        "choose a file in a directory that exists and is writable",
                    )
                })?;
            Destination::File(Arc::new(Mutex::new(file)))
        }
        None => Destination::Stderr(settings.bars),
    };
    let colour = settings.colour && settings.file.is_none();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(destination)
        .with_ansi(colour);
    let registry = tracing_subscriber::registry().with(filter);
    // Fails only where something else listens already, as in a test binary.
    let _ = match settings.format {
        LogFormat::Text => registry.with(lines.with_target(false)).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    Ok(())
}

/// Where lines go.
enum Destination {
    Stderr(Option<MultiProgress>),
    File(Arc<Mutex<File>>),
}

/// Writes one line.
struct LineWriter<'a>(&'a Destination);

impl Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.0 {
            Destination::Stderr(None) => io::stderr().write(line),
            Destination::Stderr(Some(bars)) => bars.suspend(|| io::stderr().write(line)),
            Destination::File(file) => file
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Destination {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter(self)
    }
}

/// Logs what happens in runs.
#[derive(Debug, Default)]
pub struct LogObserver {
    /// Progress of runs that go on; `None` where bars show it.
    progress: Option<Mutex<Vec<RunProgress>>>,
}

#[derive(Debug)]
struct RunProgress {
    import: ImportId,
    said: Instant,
    read: u64,
    expected: Option<u64>,
}

impl LogObserver {
    /// Logs runs and what goes wrong in them; with `progress` also how far a run is, every few seconds.
    pub fn new(progress: bool) -> Self {
        Self {
            progress: progress.then(Mutex::default),
        }
    }

    fn progress(&self, run: &RunContext, records: u64, expected: Option<u64>) {
        let Some(progress) = &self.progress else {
            return;
        };
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of_run) = progress
            .iter_mut()
            .find(|of_run| of_run.import == run.import)
        else {
            return;
        };
        of_run.read += records;
        of_run.expected = expected.or(of_run.expected);
        if of_run.said.elapsed() < PROGRESS_EVERY {
            return;
        }
        of_run.said = Instant::now();
        tracing::info!(
            import = %run.import,
            run = %run.run,
            read = of_run.read,
            expected = of_run.expected,
            "reading"
        );
    }

    fn begin(&self, run: &RunContext) {
        let Some(progress) = &self.progress else {
            return;
        };
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.retain(|of_run| of_run.import != run.import);
        progress.push(RunProgress {
            import: run.import.clone(),
            said: Instant::now(),
            read: 0,
            expected: None,
        });
    }
}

impl Observer for LogObserver {
    fn on_event(&self, run: &RunContext, event: &Event<'_>) {
        let (import, id) = (&run.import, &run.run);
        match event {
            Event::Started => {
                self.begin(run);
                tracing::info!(%import, run = %id, "run started");
            }
            Event::PreflightPassed => tracing::debug!(%import, run = %id, "both ends answer"),
            Event::BatchRead {
                records,
                expected_total,
            } => {
                tracing::trace!(%import, run = %id, records, expected = expected_total, "batch read");
                self.progress(run, *records, *expected_total);
            }
            Event::BatchWritten { sent, unchanged } => {
                tracing::trace!(%import, run = %id, sent, unchanged, "batch written");
            }
            Event::Rejected { key, reason } => {
                tracing::warn!(%import, run = %id, %key, reason, "record rejected");
            }
            Event::PartFailed { part, error } => {
                tracing::warn!(
                    %import,
                    run = %id,
                    part,
                    error = error.chain(),
                    kind = error.kind().as_str(),
                    "window could not be read; the next run reads it first"
                );
            }
            Event::Committed {
                accepted,
                took,
                complete_until,
            } => {
                tracing::debug!(
                    %import,
                    run = %id,
                    accepted,
                    milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                    complete_until = complete_until.map(|until| until.to_rfc3339()),
                    "committed"
                );
            }
            Event::SweepStarted => tracing::info!(%import, run = %id, "looking for removals"),
            Event::SweepFinished { present, removed } => {
                tracing::info!(%import, run = %id, present, removed, "looked for removals");
            }
            Event::Finished(record) => finished(run, record),
            _ => {}
        }
    }
}

fn finished(run: &RunContext, record: &RunRecord) {
    let counts = record.counts;
    macro_rules! line {
        ($level:ident, $text:literal) => {
            tracing::$level!(
                import = %run.import,
                run = %run.run,
                outcome = record.outcome.map(Outcome::as_str),
                read = counts.read,
                accepted = counts.accepted,
                unchanged = counts.unchanged,
                rejected = counts.rejected,
                removed = counts.removed,
                failed_windows = counts.failed_parts,
                seconds = record.elapsed.as_secs_f64(),
                complete_until = record.complete_until.map(|until| until.to_rfc3339()),
                error = record.error,
                $text
            )
        };
    }
    match record.outcome {
        Some(Outcome::Failed | Outcome::Interrupted) => line!(error, "run failed"),
        Some(Outcome::Partial) => line!(warn, "run finished with something left over"),
        _ => line!(info, "run finished"),
    }
}
