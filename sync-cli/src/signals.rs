//! SIGINT and SIGTERM.

use sync_core::{Shutdown, shutdown};

/// The first signal asks for a graceful end. The second ends the process at once, which loses nothing: what was not
/// committed is done again by the next run.
pub(crate) fn listen() -> Shutdown {
    let (handle, stop) = shutdown();
    let Ok(mut signals) = Signals::new() else {
        return stop;
    };
    tokio::spawn(async move {
        let signal = signals.next().await;
        tracing::info!(
            signal = signal.name,
            "stopping after the next commit; a second signal stops at once"
        );
        handle.request();
        let signal = signals.next().await;
        // What a shell expects of a process that a signal ended.
        std::process::exit(128 + signal.number);
    });
    stop
}

struct Signal {
    name: &'static str,
    number: i32,
}

const INTERRUPT: Signal = Signal {
    name: "SIGINT",
    number: 2,
};

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPT,
            _ = self.terminate.recv() => Signal { name: "SIGTERM", number: 15 },
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => INTERRUPT,
            Err(_) => std::future::pending().await,
        }
    }
}
