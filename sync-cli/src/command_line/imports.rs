//! `run`, `check`, `replay`, `verify`: the commands that talk to the other sides.

use serde_json::json;
use std::fmt::Write as _;
use sync_core::{ErrorKind, Key, Result as CoreResult, Shutdown, Verification};

use super::args::{ReplayArguments, RunArguments, VerifyArguments};
use super::exit::{Exit, Failure};
use super::output::{Stream, Table, grouped, print, runs_table};
use super::watch::Watch;
use crate::config::{Config, Settings, SinkChoice};
use crate::importer::{self, Importer};

pub(super) async fn run(
    settings: Settings,
    arguments: &RunArguments,
    stop: &Shutdown,
) -> Result<Exit, Failure> {
    let watch = Watch::start(&settings, true).await?;
    let importer = open(&watch, settings.config.clone()).await?;
    if arguments.once {
        let records = importer.run_once(stop).await?;
        if records.is_empty() {
            print(
                Stream::Stderr,
                "nothing to run: every import that was meant is paused\n",
            );
        }
        print(
            report_stream(&importer, &settings.config),
            &runs_table(&records),
        );
        return Ok(worst(records.iter().map(Exit::of_run)));
    }
    let served = importer.serve(stop).await?;
    let text = format!(
        "stopped after {} runs ({} failed): {} records sent, {} rejected\n",
        grouped(served.runs),
        grouped(served.failed),
        grouped(served.accepted),
        grouped(served.rejected),
    );
    print(report_stream(&importer, &settings.config), &text);
    Ok(Exit::Good)
}

/// Opens the state; whatever is wrong is for the operator to put right before anything begins.
async fn open(watch: &Watch, config: Config) -> Result<Importer, Failure> {
    let importer = watch
        .attach(Importer::builder(config))
        .build()
        .await
        .map_err(Failure::before_start)?;
    let found = importer.state().found_at_open();
    if found.stale_quit {
        tracing::warn!("removed a controller.quit that was meant for an earlier process");
    }
    if found.interrupted_runs > 0 {
        tracing::warn!(
            runs = found.interrupted_runs,
            "earlier runs were killed; the next ones go on from their last commits"
        );
    }
    Ok(importer)
}

/// Where the report goes: beside the records if these take standard output.
fn report_stream(importer: &Importer, config: &Config) -> Stream {
    let taken = config.sink.writes_to_stdout()
        || importer.state().imports().iter().any(|entry| {
            entry.sink.as_deref().is_some_and(|sink| {
                sink.parse::<SinkChoice>()
                    .is_ok_and(|sink| sink.writes_to_stdout())
            })
        });
    if taken {
        Stream::Stderr
    } else {
        Stream::Stdout
    }
}

fn worst(exits: impl Iterator<Item = Exit>) -> Exit {
    exits.max().unwrap_or(Exit::Good)
}

pub(super) async fn check(settings: Settings) -> Result<Exit, Failure> {
    // Only for what goes wrong: the answers are printed.
    let _watch = Watch::start(&settings, false).await?;
    let answers = importer::check(settings.config)
        .await
        .map_err(Failure::before_start)?;
    let mut text = String::new();
    let mut exits = Vec::new();
    for (import, answer) in &answers {
        match answer {
            Ok(()) => {
                let _ = writeln!(text, "{import}: good");
                exits.push(Exit::Good);
            }
            Err(error) => {
                let remedy = match error.kind() {
                    ErrorKind::Unavailable => {
                        "check the address and the network, or try again later"
                    }
                    kind => kind.remedy(),
                };
                let _ = writeln!(text, "{import}: {}\n    {remedy}", error.chain());
                exits.push(Exit::of(error.kind()));
            }
        }
    }
    print(Stream::Stdout, &text);
    Ok(worst(exits.into_iter()))
}

/// Makes the views of the sink that is set.
pub(super) async fn views(settings: Settings) -> Result<Exit, Failure> {
    let _watch = Watch::start(&settings, false).await?;
    let views = importer::create_views(settings.config)
        .await
        .map_err(Failure::before_start)?;
    let mut text = String::new();
    for view in &views {
        let _ = writeln!(text, "{view}");
    }
    if views.is_empty() {
        text.push_str("no views: the sink has no tables for them\n");
    }
    print(Stream::Stdout, &text);
    Ok(Exit::Good)
}

/// Compacts the files of the sink that is set.
pub(super) async fn compact(settings: Settings) -> Result<Exit, Failure> {
    let _watch = Watch::start(&settings, false).await?;
    let done = importer::compact(settings.config)
        .await
        .map_err(Failure::before_start)?;
    let mut table = Table::new(&[
        "stream",
        "files",
        "rows",
        "kept",
        "removals dropped",
        "deleted",
    ]);
    let mut text = String::new();
    let mut exit = Exit::Good;
    for (stream, compaction) in done {
        match compaction {
            Ok(compaction) => table.row(vec![
                stream,
                grouped(compaction.replaced),
                grouped(compaction.rows_read),
                grouped(compaction.rows_kept),
                grouped(compaction.removals_dropped),
                grouped(compaction.deleted),
            ]),
            Err(error) => {
                exit = Exit::Failed;
                let _ = writeln!(text, "{stream}: {}", error.chain());
            }
        }
    }
    print(Stream::Stdout, &(table.render() + &text));
    Ok(exit)
}

pub(super) async fn replay(
    settings: Settings,
    arguments: &ReplayArguments,
    stop: &Shutdown,
) -> Result<Exit, Failure> {
    let watch = Watch::start(&settings, false).await?;
    let importer = open(&watch, settings.config.clone()).await?;
    let keys: Vec<Key> = arguments
        .keys
        .iter()
        .map(|key| Key::new(key.as_str()))
        .collect();
    let wanted = (!keys.is_empty()).then_some(keys.as_slice());
    let records = importer
        .replay(arguments.import.as_deref(), wanted, stop)
        .await?;
    let stream = report_stream(&importer, &settings.config);
    if records.is_empty() {
        print(
            stream,
            "none of these keys waits; sync-cli failures lists those that do\n",
        );
        return Ok(Exit::Usage);
    }
    print(stream, &runs_table(&records));
    Ok(worst(records.iter().map(Exit::of_run)))
}

pub(super) async fn verify(
    settings: Settings,
    arguments: &VerifyArguments,
    stop: &Shutdown,
) -> Result<Exit, Failure> {
    let watch = Watch::start(&settings, false).await?;
    let importer = open(&watch, settings.config.clone()).await?;
    let found = importer.verify(arguments.import.as_deref(), stop).await?;
    let text = if arguments.json {
        verification_json(&found)?
    } else {
        verification_text(&found)
    };
    print(Stream::Stdout, &text);
    Ok(worst(found.iter().map(|(_, verification)| {
        if verification.agrees() {
            Exit::Good
        } else {
            Exit::Incomplete
        }
    })))
}

fn verification_text(found: &[(sync_core::ImportId, Verification)]) -> String {
    let mut table = Table::new(&[
        "import", "compared", "missing", "stale", "extra", "refused", "verdict",
    ]);
    for (import, verification) in found {
        let verdict = match (verification.complete, verification.agrees()) {
            (false, _) => "not finished",
            (true, true) => "agrees",
            (true, false) => "differs",
        };
        table.row(vec![
            import.to_string(),
            grouped(verification.compared),
            grouped(verification.missing),
            grouped(verification.stale),
            grouped(verification.extra),
            grouped(verification.refused),
            verdict.to_owned(),
        ]);
    }
    let mut text = table.render();
    for (import, verification) in found {
        for (key, difference) in &verification.examples {
            let _ = writeln!(text, "{import}: {} {key}", difference.as_str());
        }
    }
    text
}

fn verification_json(found: &[(sync_core::ImportId, Verification)]) -> CoreResult<String> {
    let imports: Vec<_> = found
        .iter()
        .map(|(import, verification)| {
            let examples: Vec<_> = verification
                .examples
                .iter()
                .map(|(key, difference)| json!({"key": key, "difference": difference.as_str()}))
                .collect();
            json!({
                "import": import,
                "agrees": verification.agrees(),
                "complete": verification.complete,
                "compared": verification.compared,
                "missing": verification.missing,
                "stale": verification.stale,
                "extra": verification.extra,
                "refused": verification.refused,
                "examples": examples,
            })
        })
        .collect();
    super::listing::json_text(&imports)
}
