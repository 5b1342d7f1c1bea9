//! Arguments, signals, exit code.

mod signals;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use sync_cli::command_line::args::Arguments;
use sync_cli::command_line::{Exit, execute};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(
                std::io::stderr(),
                "error: the runtime could not start: {error}"
            );
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(async {
        let stop = signals::listen();
        execute(arguments, &stop).await
    });
    exit.into()
}

/// Threads beside this one, which runs the engine. What ten connections bring keeps a quarter of a processor busy, and the
/// allocator keeps memory for each thread.
fn workers() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    processors.saturating_sub(1).clamp(1, 3)
}
