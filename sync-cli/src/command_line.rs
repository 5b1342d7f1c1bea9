//! The program: words in, exit code out.

pub mod args;
mod demo;
mod discover;
mod exit;
mod imports;
mod listing;
mod output;
mod simulate;
mod state;
mod watch;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::CommandFactory;
use sync_core::{ErrorKind, Shutdown};

use self::args::{Arguments, Command};
pub use self::exit::{Exit, Failure};
use self::output::{Stream, print};
use crate::config::{Environment, LogLevel, Settings};

/// Does what the arguments say and tells how it went. Prints errors with what to do about them. `stop` asks a command that
/// runs imports to finish its batch, commit and return.
pub async fn execute(arguments: Arguments, stop: &Shutdown) -> Exit {
    match dispatch(&arguments, stop).await {
        Ok(exit) => exit,
        Err(Failure { error, exit }) => {
            let mut text = format!("error: {}\n", error.chain());
            // A wrong setting says itself what to do.
            if error.kind() != ErrorKind::Config {
                let _ = writeln!(text, "  {}", error.kind().remedy());
            }
            print(Stream::Stderr, &text);
            exit
        }
    }
}

async fn dispatch(arguments: &Arguments, stop: &Shutdown) -> Result<Exit, Failure> {
    // Relative names are relative to the working directory.
    let directory = PathBuf::from(".");
    let environment = Environment::read(&directory)?;
    let settings = || Settings::load(arguments.flags(), &environment, &directory);
    match &arguments.command {
        Command::Run(run) => imports::run(settings()?, run, stop).await,
        Command::Check(_) => imports::check(settings()?).await,
        Command::Replay(replay) => imports::replay(settings()?, replay, stop).await,
        Command::Verify(verify) => imports::verify(settings()?, verify, stop).await,
        Command::Discover(discover) => discover::execute(discover),
        Command::Views(_) => imports::views(settings()?).await,
        Command::Compact(_) => imports::compact(settings()?).await,
        Command::Status(status) => listing::status(&settings()?, status).await,
        Command::History(history) => listing::history(&settings()?, history).await,
        Command::Failures(failures) => listing::failures(&settings()?, failures).await,
        Command::State(command) => state::execute(&settings()?, command).await,
        Command::Demo(demo) => {
            let settings =
                Settings::without_accounts(arguments.flags(), &environment, LogLevel::Warn)?;
            demo::execute(demo, &settings, stop).await
        }
        Command::Simulate(simulate) => simulate::execute(simulate, stop).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "sync-cli", &mut script);
            print(Stream::Stdout, &String::from_utf8_lossy(&script));
            Ok(Exit::Good)
        }
    }
}
