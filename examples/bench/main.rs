//! Whole runs of the importer against simulated APIs: how long, how many requests, how much memory.
//!
//!     cargo build --release -p sync-cli && cargo run --release -p sync-examples --example bench -- --help
//!     cargo run --release -p sync-examples --example bench -- --members 1000000 --latency-ms 200
//!
//! The simulators run in this process and the importer in its own (`sync-cli run --once`, from the same target folder), so
//! that time, memory and processor time of the importer are its own. Every time is a ratio to something taken in the same
//! process on the same machine: to the ideal (requests × latency ÷ connections), and to bare downloads of the same members by
//! offset, which do nothing with what they get: one connection with its pages back to back, and ten at once.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod bare;
mod child;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Parser, ValueEnum};
use loopback::Server;
use mailchimp_simulator::{AudienceSpec, MailchimpSimulator, Spread, StatusMix};
use ometria_simulator::OmetriaSimulator;

use self::child::Importer;

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
    /// Time the simulated Mailchimp takes for each answer.
    #[arg(long, default_value_t = 200)]
    latency_ms: u64,
    /// How the members' times of change are spread.
    #[arg(long, value_enum, default_value_t = Shape::Even)]
    shape: Shape,
    /// Where the members go.
    #[arg(long, value_enum, default_value_t = Target::Jsonl)]
    sink: Target,
    /// Also take a second run, with nothing changed.
    #[arg(long)]
    again: bool,
    /// Also take two bare downloads, for the ratios to them: over one connection, and over ten.
    #[arg(long)]
    bare: bool,
    /// The importer's binary. Default: `sync-cli` in the folder this benchmark was built into.
    #[arg(long)]
    binary: Option<PathBuf>,
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
    /// The simulated Ometria, push API.
    Ometria,
    /// The simulated Ometria, record endpoint.
    Record,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(&arguments))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulated servers keep real time"
)]
fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let latency = Duration::from_millis(arguments.latency_ms);
    let mailchimp = MailchimpSimulator::new(mailchimp_simulator::Settings {
        latency,
        ..mailchimp_simulator::Settings::new(MAILCHIMP_KEY, Arc::new(now))
    });
    let year_ago = now() - TimeDelta::days(366);
    let (from, to) = (year_ago, year_ago + TimeDelta::days(365));
    mailchimp.add_audience(AudienceSpec {
        spread: match arguments.shape {
            Shape::Even => Spread::Even { from, to },
            Shape::Bursts => Spread::Bursts {
                count: 10,
                from,
                to,
            },
            Shape::Second => Spread::OneSecond(from),
        },
        statuses: StatusMix {
            archived: 0,
            ..StatusMix::SHOP
        },
        ..AudienceSpec::new(LIST, arguments.members)
    });
    let ometria =
        OmetriaSimulator::new(ometria_simulator::Settings::new(OMETRIA_KEY, Arc::new(now)));
    let mailchimp_server =
        Server::start(Arc::new(mailchimp.clone()), ([127, 0, 0, 1], 0).into()).await?;
    let ometria_server =
        Server::start(Arc::new(ometria.clone()), ([127, 0, 0, 1], 0).into()).await?;

    let directory = tempfile::tempdir()?;
    let importer = Importer {
        binary: arguments.binary.clone().map_or_else(beside_this, Ok)?,
        state: directory.path().join("state"),
        sink: match arguments.sink {
            Target::Jsonl => format!("jsonl:{}", directory.path().join("out").display()),
            Target::Ometria | Target::Record => "ometria".to_owned(),
        },
        profile: if arguments.sink == Target::Record {
            "record"
        } else {
            "push-v2"
        },
        mailchimp: format!("{}/3.0", mailchimp_server.url()),
        ometria: match arguments.sink {
            Target::Record => ometria_server.url(),
            _ => format!("{}/v2", ometria_server.url()),
        },
    };

    let pages = u64::from(arguments.members).div_ceil(PAGE);
    let ideal = latency.mul_f64(pages as f64 / CONNECTIONS as f64);
    let bare = if arguments.bare {
        let from = &importer.mailchimp;
        Some([
            bare::download(from, pages, 1).await?,
            bare::download(from, pages, CONNECTIONS).await?,
        ])
    } else {
        None
    };
    let runs = if arguments.again { 2 } else { 1 };
    for run in 0..runs {
        mailchimp.reset_stats();
        let pushed_before = ometria.stats().total_requests();
        let taken = importer.run_once().await?;
        let stats = mailchimp.stats();
        let figures = serde_json::json!({
            "run": if run == 0 { "full" } else { "nothing changed" },
            "members": arguments.members,
            "shape": format!("{:?}", arguments.shape).to_lowercase(),
            "sink": format!("{:?}", arguments.sink).to_lowercase(),
            "latency_ms": arguments.latency_ms,
            "seconds": round(taken.elapsed.as_secs_f64()),
            "records_per_second": (f64::from(arguments.members) / taken.elapsed.as_secs_f64()).round(),
            "ideal_over_time": ratio(ideal, taken.elapsed),
            "bare_sequential_over_time": bare.map(|[one, _]| ratio(one, taken.elapsed)),
            "bare_ten_over_time": bare.map(|[_, ten]| ratio(ten, taken.elapsed)),
            "mailchimp_requests": stats.total(),
            "requests_over_pages": round(stats.total() as f64 / pages as f64),
            "throttled": stats.throttled,
            "most_in_flight": stats.max_in_flight,
            "ometria_requests": ometria.stats().total_requests() - pushed_before,
            "peak_memory_mb": round(taken.peak_memory as f64 / 1e6),
            "cpu_seconds_per_million": round(taken.cpu.as_secs_f64() * 1e6 / f64::from(arguments.members)),
            "state_mb": round(taken.state_bytes as f64 / 1e6),
        });
        if arguments.json {
            println!("{figures}");
        } else {
            for (name, value) in figures.as_object().into_iter().flatten() {
                println!("{name:<26} {value}");
            }
            println!();
        }
        ensure!(taken.success, "the importer failed: {}", taken.last_words);
    }
    Ok(())
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

fn ratio(of: Duration, to: Duration) -> f64 {
    round(of.as_secs_f64() / to.as_secs_f64())
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
