//! Whole runs of the importer against simulated APIs: how long, how many requests, how much memory.
//!
//!     cargo build --release -p sync-cli && cargo run --release -p sync-examples --example bench -- --help
//!     cargo run --release -p sync-examples --example bench -- --members 1000000 --latency-ms 200
//!     cargo run --release -p sync-examples --example bench -- --members 1000000 --sink jsonl,sqlite,files
//!     cargo run --release -p sync-examples --example bench -- --campaigns 5000 --recipients 2000 --again
//!
//! The simulators run in this process and the importer in its own (`sync-cli run --once`, from the same target folder), so
//! that time, memory and processor time of the importer are its own. Every time is a ratio to something taken in the same
//! process on the same machine: to the ideal (requests × latency ÷ connections), to the same members written as JSON lines in
//! the same round, and to bare downloads of the same members by offset: one connection with its pages back to back and ten
//! at once, which do nothing with what they get, and one connection whose rows are written to a file as they are.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod bare;
mod campaigns;
mod child;
mod members;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Parser, ValueEnum};
use mailchimp_simulator::MailchimpSimulator;

use self::child::{Importer, Taken};

const MAILCHIMP_KEY: &str = "simulated-us6";
const OMETRIA_KEY: &str = "simulated";
const LIST: &str = "57afe96172";

/// Rows of the largest page that Mailchimp gives.
const PAGE: u64 = 1000;
/// Connections that Mailchimp allows to a user.
const CONNECTIONS: usize = 10;

#[derive(Debug, Parser)]
struct Arguments {
    /// Members of the audience.
    #[arg(long, default_value_t = 100_000)]
    members: u32,
    /// Read what recipients of so many campaigns did, and not the members.
    #[arg(long, conflicts_with_all = ["members", "shape", "bare"])]
    campaigns: Option<u32>,
    /// Recipients of each campaign.
    #[arg(long, default_value_t = 2000, requires = "campaigns")]
    recipients: u32,
    /// Streams to read with --campaigns.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "campaigns,reports,email_activity",
        requires = "campaigns"
    )]
    streams: Vec<String>,
    /// Time the simulated Mailchimp takes for each answer.
    #[arg(long, default_value_t = 200)]
    latency_ms: u64,
    /// How the members' times of change are spread.
    #[arg(long, value_enum, default_value_t = Shape::Even)]
    shape: Shape,
    /// Where the records go. Several are taken in turn, each from nothing.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "jsonl")]
    sink: Vec<Target>,
    /// How often each sink has its turn.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Also take a second run, with nothing changed.
    #[arg(long)]
    again: bool,
    /// Also take bare downloads, for the ratios to them: over one connection, over ten, and over one into a file.
    #[arg(long)]
    bare: bool,
    /// The importer's binary. Default: `sync-cli` in the folder this benchmark was built into.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Where the importers write. Default: the directory for temporary files.
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// Print one line of JSON for each run instead of the table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// Evenly over a year.
    Even,
    /// In ten bursts of one second each.
    Bursts,
    /// All in one second.
    Second,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// JSON lines in a directory.
    Jsonl,
    /// An `SQLite` file.
    Sqlite,
    /// Parquet files in a directory.
    Files,
    /// The simulated Ometria, push API.
    Ometria,
    /// The simulated Ometria, record endpoint.
    Record,
}

impl Target {
    /// Whether it is a warehouse, with tables or files for every stream.
    fn is_warehouse(self) -> bool {
        matches!(self, Self::Sqlite | Self::Files)
    }

    /// What `--sink` takes.
    fn argument(self, directory: &Path) -> String {
        let at = |name: &str| directory.join(name).display().to_string();
        match self {
            Self::Jsonl => format!("jsonl:{}", at("lines")),
            Self::Sqlite => format!("sqlite:{}", at("warehouse.db")),
            Self::Files => format!("files:{}", at("files")),
            Self::Ometria | Self::Record => "ometria".to_owned(),
        }
    }

    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match arguments.campaigns {
            Some(campaigns) => campaigns::measure(&arguments, campaigns).await,
            None => members::measure(&arguments).await,
        }
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulated servers keep real time"
)]
fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// The year in which everything happened: it ended yesterday.
fn history() -> (DateTime<Utc>, DateTime<Utc>) {
    let year_ago = now() - TimeDelta::days(366);
    (year_ago, year_ago + TimeDelta::days(365))
}

impl Arguments {
    fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }

    fn mailchimp(&self) -> MailchimpSimulator {
        MailchimpSimulator::new(mailchimp_simulator::Settings {
            latency: self.latency(),
            ..mailchimp_simulator::Settings::new(MAILCHIMP_KEY, Arc::new(now))
        })
    }

    /// An empty directory for what an importer writes.
    fn directory(&self) -> anyhow::Result<tempfile::TempDir> {
        Ok(match &self.scratch {
            Some(scratch) => tempfile::tempdir_in(scratch)?,
            None => tempfile::tempdir()?,
        })
    }

    fn binary(&self) -> anyhow::Result<PathBuf> {
        self.binary.clone().map_or_else(beside_this, Ok)
    }

    /// Prints the figures of a run, which must have succeeded.
    fn report(&self, figures: &serde_json::Value, taken: &Taken) -> anyhow::Result<()> {
        if self.json {
            println!("{figures}");
        } else {
            for (name, value) in figures.as_object().into_iter().flatten() {
                println!("{name:<26} {value}");
            }
            println!();
        }
        ensure!(taken.success, "the importer failed: {}", taken.last_words);
        Ok(())
    }
}

/// The time that so many answers take over all connections.
fn ideal(latency: Duration, requests: u64) -> Duration {
    latency.mul_f64(requests as f64 / CONNECTIONS as f64)
}

fn beside_this() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folder = this.parent().and_then(|examples| examples.parent());
    let binary = folder
        .context("this benchmark runs from cargo's target folder")?
        .join("sync-cli");
    ensure!(
        binary.exists(),
        "build the importer first: cargo build --release -p sync-cli"
    );
    Ok(binary)
}

fn megabytes(bytes: u64) -> f64 {
    round(bytes as f64 / 1e6)
}

fn ratio(of: Duration, to: Duration) -> f64 {
    round(of.as_secs_f64() / to.as_secs_f64())
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
