//! What a warehouse of a million members costs beside the sink of JSON lines: time, processor, bytes written, disk. Run with
//! `cargo run --release -p sync-sqlite --example sqlite_cost [MEMBERS]`. Processor and bytes are Linux's count.

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use sync_core::{JsonlSink, JsonlTarget, SystemClock};
use sync_sqlite::SqliteWarehouse;
use sync_testkit::MadeUpMembers;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let members: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let dir = tempfile::tempdir_in(".")?;
    let audience = MadeUpMembers::default();
    println!(
        "{members} members, {} bytes each, {} declared columns",
        audience.record(0, 0).data.len(),
        audience.stream().fields().len()
    );

    let before = Cost::now();
    for n in 0..members {
        std::hint::black_box(audience.record(n, 0));
    }
    let making = before.since();

    let lines = dir.path().join("lines");
    let mut sink = JsonlSink::new(JsonlTarget::Directory(lines.clone()));
    let before = Cost::now();
    audience.fill(&mut sink, members, 0).await?;
    let of_lines = report("JSON lines", members, &before.since().less(&making), &lines);

    let file = dir.path().join("warehouse");
    fs::create_dir(&file)?;
    let warehouse = SqliteWarehouse::open(file.join("warehouse.db"), Arc::new(SystemClock))?;
    for (pass, version) in [("first load", 0), ("all changed", 1)] {
        let mut sink = warehouse.sink();
        let before = Cost::now();
        audience.fill(&mut sink, members, version).await?;
        let rate = report(pass, members, &before.since().less(&making), &file);
        println!("  {:.2} of the rate of JSON lines", rate / of_lines);
    }
    let started = Instant::now();
    warehouse.create_views().await?;
    warehouse.close().await;
    println!("closed after {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// What was spent, since the process began or between two moments.
struct Cost {
    at: Instant,
    seconds: f64,
    processor: f64,
    written: f64,
}

impl Cost {
    fn now() -> Self {
        // Fields 14 and 15: hundredths of a second in the program and in the system.
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let ticks = stat.rsplit(')').next().unwrap_or_default();
        let ticks = ticks.split_whitespace().skip(11).take(2);
        let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        Self {
            at: Instant::now(),
            seconds: 0.0,
            processor: ticks
                .filter_map(|text| text.parse::<f64>().ok())
                .sum::<f64>()
                / 100.0,
            written: written
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
        }
    }

    fn since(&self) -> Self {
        let now = Self::now();
        Self {
            at: now.at,
            seconds: (now.at - self.at).as_secs_f64(),
            processor: now.processor - self.processor,
            written: now.written - self.written,
        }
    }

    fn less(mut self, other: &Self) -> Self {
        self.seconds -= other.seconds;
        self.processor -= other.processor;
        self
    }
}

fn report(what: &str, members: u64, cost: &Cost, dir: &Path) -> f64 {
    let bytes: u64 = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|file| Some(file.ok()?.metadata().ok()?.len()))
        .sum();
    let rate = members as f64 / cost.seconds;
    println!(
        "{what}: {:.1} s, {rate:.0} records/s, {:.1} µs of processor a record, {:.0} MB written, {} MB on disk",
        cost.seconds,
        cost.processor / members as f64 * 1e6,
        cost.written / 1e6,
        bytes / 1_000_000
    );
    rate
}
