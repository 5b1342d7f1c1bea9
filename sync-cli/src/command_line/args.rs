//! The words of the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::{Flags, parse_interval};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Keeps Mailchimp audiences true in Ometria, hour by hour.
///
/// Give two keys and an audience id; from then on every subscriber, and above all every opt-out, is in Ometria within
/// the hour. Keys come from the environment, from .env or from sync.toml, never from the command line.
#[derive(Debug, Parser)]
#[command(name = "sync-cli", version, styles = STYLES, max_term_width = 110, after_long_help = EXAMPLES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Settings that go with every command.
    #[command(flatten)]
    pub general: General,
}

const EXAMPLES: &str = "\
Examples:
  sync-cli demo
      Look at the whole thing without any account: both APIs are simulated.
  MAILCHIMP_API_KEY=…-us6 OMETRIA_API_KEY=… MAILCHIMP_LIST_ID=57afe96172 sync-cli check
      Prove that keys, audience and Ometria work. Changes nothing.
  sync-cli run 57afe96172 --once --limit 100 --sink jsonl:-
      Read a hundred members and print them as JSON.
  sync-cli run
      The service: every import in state.json on its schedule.

Exit codes: 0 good; 1 a run failed; 2 usage or configuration; 3 finished,
with rejected records, windows that could not be read, or (verify) differences.";

/// Settings that go with every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "General options")]
pub struct General {
    /// Directory that holds state.json, the ledger and the history [default: ./state]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Settings file [default: ./sync.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// How log lines look: text or json
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log: Option<String>,

    /// Which log lines appear: off, error, warn, info, debug or trace [default: info]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,

    /// Append log lines to this file instead of standard error
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import audiences: as a service on a schedule, or once
    Run(RunArguments),
    /// Prove that keys, audiences and sink work; changes nothing
    Check(CheckArguments),
    /// List the streams of an account: what each holds, what it costs, its fields
    Discover(DiscoverArguments),
    /// Make the views for analytics in a warehouse
    Views(WarehouseArguments),
    /// Keep only the newest version of each record in files
    Compact(WarehouseArguments),
    /// Show each import: where it stands, what is left over
    Status(ListingArguments),
    /// Show past runs, newest first
    History(HistoryArguments),
    /// Show records that could not be delivered, with the reason
    Failures(FailuresArguments),
    /// Read records that could not be delivered again and send them
    Replay(ReplayArguments),
    /// Read everything and compare it with what the sink accepted; sends nothing
    Verify(VerifyArguments),
    /// Show or change what is remembered
    #[command(subcommand)]
    State(StateCommand),
    /// Watch both APIs, simulated, being synchronised
    Demo(DemoArguments),
    /// Serve a simulated API until a signal comes
    #[command(subcommand)]
    Simulate(SimulateCommand),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// `run`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sync-cli run                          the service: all of state.json
  sync-cli run 57afe96172 --once        one audience, one pass: for cron
  sync-cli run --once --sink jsonl:out  into files, without Ometria

The service stops on SIGINT, SIGTERM or a file controller.quit in the state
directory: it finishes the batch, commits and exits 0. A second signal stops
it at once; nothing is lost, the next run repeats a little.")]
pub struct RunArguments {
    /// Audiences to import; each that is not in state.json yet is added [default: those in state.json]
    #[arg(value_name = "LIST_ID")]
    pub list_ids: Vec<String>,

    /// Make one pass and exit
    #[arg(long)]
    pub once: bool,

    /// Where records go, how many, and where metrics are served.
    #[command(flatten)]
    pub delivery: DeliveryArguments,

    /// Where /metrics, /healthz and /readyz are served, or off [default: 127.0.0.1:8888]
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<String>,
}

/// Where records go and how many.
#[derive(Args, Debug, Default)]
pub struct DeliveryArguments {
    /// ometria, jsonl:DIR, sqlite:FILE, postgres, snowflake, files:DIR or the URL of a bucket [default: ometria]
    #[arg(long, value_name = "KIND[:TARGET]")]
    pub sink: Option<String>,

    /// Streams to read from the whole account, or all; sync-cli discover lists them [default: all, if the sink is a
    /// warehouse and no audience is named]
    #[arg(long, value_name = "STREAM", value_delimiter = ',')]
    pub streams: Vec<String>,

    /// Streams to leave out
    #[arg(long, value_name = "STREAM", value_delimiter = ',')]
    pub exclude: Vec<String>,

    /// Copy the files that the account stores to a directory, files:DIR, or to the URL of a bucket
    #[arg(long, value_name = "PLACE")]
    pub copy_files: Option<String>,

    /// Read at most so many records: a trial run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

/// `check`
#[derive(Args, Debug)]
pub struct CheckArguments {
    /// Audiences to check besides those in state.json
    #[arg(value_name = "LIST_ID")]
    pub list_ids: Vec<String>,

    /// ometria, jsonl:DIR, sqlite:FILE, postgres, snowflake, files:DIR or the URL of a bucket [default: ometria]
    #[arg(long, value_name = "KIND[:TARGET]")]
    pub sink: Option<String>,
}

/// `discover`
#[derive(Args, Debug)]
pub struct DiscoverArguments {
    /// Only these streams, with all their fields
    #[arg(value_name = "STREAM")]
    pub streams: Vec<String>,

    /// Print JSON, with a JSON Schema for each stream
    #[arg(long)]
    pub json: bool,
}

/// `views` and `compact`
#[derive(Args, Debug)]
pub struct WarehouseArguments {
    /// Which warehouse: a KIND:TARGET as with run
    #[arg(long, value_name = "KIND[:TARGET]")]
    pub sink: Option<String>,
}

/// Output of commands that list things.
#[derive(Args, Debug)]
pub struct ListingArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `history`
#[derive(Args, Debug)]
pub struct HistoryArguments {
    /// Only runs of this import
    #[arg(value_name = "IMPORT")]
    pub import: Option<String>,

    /// How many
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub last: usize,

    /// Also the passes that only look for opt-outs
    #[arg(long)]
    pub all: bool,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `failures`
#[derive(Args, Debug)]
pub struct FailuresArguments {
    /// Only records of this import
    #[arg(value_name = "IMPORT")]
    pub import: Option<String>,

    /// How many of each import at most
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub last: usize,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `replay`
#[derive(Args, Debug)]
pub struct ReplayArguments {
    /// Keys as `failures` shows them; without any, all
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,

    /// Only records of this import
    #[arg(long, value_name = "IMPORT")]
    pub import: Option<String>,

    /// Where records go and how many.
    #[command(flatten)]
    pub delivery: DeliveryArguments,
}

/// `verify`
#[derive(Args, Debug)]
pub struct VerifyArguments {
    /// Only this import
    #[arg(value_name = "IMPORT")]
    pub import: Option<String>,

    /// ometria, jsonl:DIR, sqlite:FILE, postgres, snowflake, files:DIR or the URL of a bucket [default: ometria]
    #[arg(long, value_name = "KIND[:TARGET]")]
    pub sink: Option<String>,

    /// Where stored files were copied to; as with run
    #[arg(long, value_name = "PLACE")]
    pub copy_files: Option<String>,

    /// Streams to compare; as with run
    #[arg(long, value_name = "STREAM", value_delimiter = ',')]
    pub streams: Vec<String>,

    /// Streams to leave out
    #[arg(long, value_name = "STREAM", value_delimiter = ',')]
    pub exclude: Vec<String>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `state …`
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Print each import with its position, ledger and rejected records, as JSON
    Show,
    /// Move an import to another time, so that it reads again from there
    #[command(after_help = "\
Examples:
  sync-cli state rewind 57afe96172 --to 2024-05-01T00:00:00Z
  sync-cli state rewind 57afe96172 --to start --resend")]
    Rewind {
        /// Which import
        #[arg(value_name = "IMPORT")]
        import: String,
        /// A time such as 2024-05-01T00:00:00Z, or start
        #[arg(long, value_name = "TIME")]
        to: String,
        /// Also send again what the sink already has. What is known about opt-outs stays
        #[arg(long)]
        resend: bool,
    },
    /// Forget an import's position, ledger and rejected records
    Reset {
        /// Which import
        #[arg(value_name = "IMPORT")]
        import: String,
        /// Really do it
        #[arg(long)]
        yes: bool,
    },
}

/// `demo`
#[derive(Args, Debug)]
pub struct DemoArguments {
    /// Members of the simulated audience
    #[arg(long, value_name = "N", default_value_t = 20_000,
          value_parser = clap::value_parser!(u32).range(100..=5_000_000))]
    pub members: u32,

    /// How long each simulated answer takes
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = parse_interval)]
    pub latency: Duration,

    /// Keep the state directory, to look at it
    #[arg(long)]
    pub keep: bool,
}

/// `simulate …`
#[derive(Debug, Subcommand)]
pub enum SimulateCommand {
    /// Mailchimp's Marketing API with one audience
    Mailchimp(SimulateMailchimp),
    /// Ometria's API v2 and record endpoint
    Ometria(SimulateOmetria),
}

/// Where a simulator listens and how it misbehaves.
#[derive(Args, Debug)]
pub struct SimulateGeneral {
    /// Port on this machine; 0 for any free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,

    /// How long each answer takes
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = parse_interval)]
    pub latency: Duration,

    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    pub seed: u64,

    /// Share of requests that go wrong, such as 0.05
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = parse_share)]
    pub fault_share: f64,

    /// What goes wrong with them; without any, all of these in turn
    #[arg(long, value_name = "FAULT", value_delimiter = ',')]
    pub faults: Vec<FaultKind>,
}

/// What goes wrong with a request to a simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FaultKind {
    /// 429
    #[value(name = "429")]
    Throttle,
    /// A 403 page that is not the API's own
    #[value(name = "403html")]
    Forbidden,
    /// 503
    #[value(name = "5xx")]
    ServerError,
    /// The answer breaks off half way
    Cut,
    /// The connection closes without an answer
    Reset,
    /// No answer ever comes
    Hang,
    /// An answer that is no JSON
    Garbage,
    /// The request is carried out, its answer is lost
    LostReply,
}

/// `simulate mailchimp`
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  sync-cli simulate mailchimp --members 100000 --latency 200ms > .env
It prints the variables that lead sync-cli run to it.")]
pub struct SimulateMailchimp {
    /// Where it listens and how it misbehaves.
    #[command(flatten)]
    pub general: SimulateGeneral,

    /// Members of the audience
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub members: u32,

    /// Id of the audience; several make several audiences that share half of their people
    #[arg(
        long = "list-id",
        value_name = "LIST_ID",
        default_value = "5a1b2c3d4e",
        value_delimiter = ','
    )]
    pub list_ids: Vec<String>,

    /// Also a handful of everything else that an account holds: campaigns and reports, stores, templates, files …; the
    /// audience is not named then, so that a warehouse gets everything
    #[arg(long)]
    pub full: bool,

    /// With --full: campaigns that were sent
    #[arg(long, value_name = "N", default_value_t = 8, requires = "full")]
    pub campaigns: u32,

    /// With --full: recipients of each campaign
    #[arg(long, value_name = "N", default_value_t = 40, requires = "full")]
    pub recipients: u32,

    /// How the members' last changes are spread over time
    #[arg(long, value_enum, default_value_t = Ties::Even)]
    pub ties: Ties,

    /// Changes to members in a second, while it runs
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub changes: u32,

    /// Time until a change shows in listings
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = parse_interval)]
    pub visibility_lag: Duration,
}

/// How members' last changes are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ties {
    /// At equal distances over a year
    Even,
    /// In ten seconds, each shared by a tenth of the members
    Bursts,
    /// All in one second
    OneSecond,
}

/// `simulate ometria`
#[derive(Args, Debug)]
pub struct SimulateOmetria {
    /// Where it listens and how it misbehaves.
    #[command(flatten)]
    pub general: SimulateGeneral,
}

fn parse_share(text: &str) -> Result<f64, String> {
    let wrong = || "a share is a number from 0.0 to 1.0".to_owned();
    let share: f64 = text.parse().map_err(|_| wrong())?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err(wrong())
    }
}

impl DeliveryArguments {
    fn set(&self, flags: &mut Flags) {
        flags.sink.clone_from(&self.sink);
        flags.streams.clone_from(&self.streams);
        flags.exclude.clone_from(&self.exclude);
        flags.copy_files.clone_from(&self.copy_files);
        flags.limit = self.limit;
    }
}

impl Arguments {
    /// What the command line says about settings.
    pub fn flags(&self) -> Flags {
        let general = &self.general;
        let mut flags = Flags {
            config: general.config.clone(),
            state: general.state.clone(),
            log: general.log.clone(),
            log_level: general.log_level.clone(),
            log_file: general.log_file.clone(),
            ..Flags::default()
        };
        match &self.command {
            Command::Run(run) => {
                flags.list_ids.clone_from(&run.list_ids);
                flags.metrics.clone_from(&run.metrics);
                run.delivery.set(&mut flags);
            }
            Command::Check(check) => {
                flags.list_ids.clone_from(&check.list_ids);
                flags.sink.clone_from(&check.sink);
            }
            Command::Replay(replay) => {
                replay.delivery.set(&mut flags);
            }
            Command::Verify(verify) => {
                flags.sink.clone_from(&verify.sink);
                flags.streams.clone_from(&verify.streams);
                flags.copy_files.clone_from(&verify.copy_files);
                flags.exclude.clone_from(&verify.exclude);
            }
            Command::Views(warehouse) | Command::Compact(warehouse) => {
                flags.sink.clone_from(&warehouse.sink);
            }
            _ => {}
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_flag_takes_a_key() {
        let mut command = Arguments::command();
        command.build();
        let mut stack = vec![&command];
        while let Some(command) = stack.pop() {
            for argument in command.get_arguments() {
                assert!(
                    !argument.get_id().as_str().contains("api_key"),
                    "{argument}"
                );
            }
            stack.extend(command.get_subcommands());
        }
    }
}
