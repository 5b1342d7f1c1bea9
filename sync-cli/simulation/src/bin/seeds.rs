//! Plays many seeds and explains those that go wrong.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use clap::Parser;
use sync_simulation::{Bug, Scenario};

/// Plays seeds of whole imports and explains those that go wrong.
#[derive(Debug, Parser)]
struct Args {
    /// How many seeds to play.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// Only this one.
    #[arg(long, conflicts_with_all = ["seeds", "start"])]
    seed: Option<u64>,
    /// Print everything that happened in a seed that goes wrong, as it is and not made smaller.
    #[arg(long)]
    trace: bool,
    /// Build a bug in, to see whether it is found.
    #[arg(long)]
    bug: Option<Bug>,
    /// Stop after so many failures.
    #[arg(long, default_value_t = 10)]
    failures: usize,
    /// Seeds played at the same time. Default: one for each processor.
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> io::Result<ExitCode> {
    let args = Args::parse();
    let (first, count) = match args.seed {
        Some(seed) => (seed, 1),
        None => (args.start, args.seeds),
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.unwrap_or(processors).max(1);
    let (next, played, requests) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let failures = AtomicUsize::new(0);
    let failed: Mutex<Vec<(u64, String)>> = Mutex::default();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while failures.load(Ordering::Relaxed) < args.failures {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let seed = first + number;
                    let history = Scenario::of_seed(seed).play(args.bug, false);
                    played.fetch_add(1, Ordering::Relaxed);
                    requests.fetch_add(history.requests, Ordering::Relaxed);
                    if let Some(violation) = history.violation {
                        failures.fetch_add(1, Ordering::Relaxed);
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.push((seed, violation.to_string()));
                    }
                }
            });
        }
    });
    let (played, requests) = (played.into_inner(), requests.into_inner());
    let a_minute = played as f64 * 60.0 / begun.elapsed().as_secs_f64();
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort_unstable();
    let mut out = io::stdout().lock();
    for (seed, violation) in &failed {
        writeln!(out, "seed {seed}: {violation}")?;
    }
    if let Some((seed, _)) = failed.first() {
        explain(&mut out, *seed, &args)?;
    }
    let wrong = failed.len();
    writeln!(
        out,
        "{played} seeds, {requests} requests, {a_minute:.0} seeds a minute; {wrong} failed",
    )?;
    Ok(if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Prints the smallest history that goes wrong like this seed.
fn explain(out: &mut impl Write, seed: u64, args: &Args) -> io::Result<()> {
    let drawn = Scenario::of_seed(seed);
    let scenario = if args.trace {
        drawn
    } else {
        drawn.shrunk(args.bug)
    };
    let history = scenario.play(args.bug, true);
    writeln!(
        out,
        "\nseed {seed}, made as small as it gets: {scenario:#?}"
    )?;
    for line in &history.trace {
        writeln!(out, "{line}")?;
    }
    match history.violation {
        Some(violation) => writeln!(out, "\nseed {seed}: {violation}\n"),
        None => writeln!(out, "\nseed {seed}: not seen again\n"),
    }
}
