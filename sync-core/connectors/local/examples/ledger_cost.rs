//! What a ledger of a million members costs: disk while and after it is written, entries a second, and a search for
//! removals. Run with `cargo run --release -p sync-local --example ledger_cost [ENTRIES]`.

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sync_core::{
    Checkpoint, Clock, Commit, ImportId, Key, LedgerChange, LedgerEntry, LedgerKey, StateStore,
    SystemClock,
};
use sync_local::LocalState;

/// Changes a commit, as many as the engine takes by default.
const COMMIT: u64 = 20_000;
/// Keys a call, as many as a page of the source has.
const PAGE: u64 = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let entries: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let dir = tempfile::tempdir_in(".")?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let state = LocalState::open(dir.path(), &clock)?;
    let import = ImportId::new("cost");
    let scope = import.scope();

    let peak = Arc::new(AtomicU64::new(0));
    let watched = watch(dir.path().to_owned(), peak.clone());
    let mut revision = None;
    for pass in ["first load", "all changed"] {
        let started = Instant::now();
        for first in (0..entries).step_by(usize::try_from(COMMIT)?) {
            let ledger = (first..entries.min(first + COMMIT))
                .map(|n| LedgerChange {
                    at: LedgerKey {
                        scope: scope.clone(),
                        key: key(n),
                    },
                    entry: Some(LedgerEntry {
                        fingerprint: mix(n),
                        note: [7; 10].into(),
                    }),
                })
                .collect();
            let commit = Commit {
                ledger,
                checkpoint: Checkpoint::default(),
                ..Commit::default()
            };
            revision = Some(state.commit(&import, revision, commit).await?);
        }
        report(pass, entries, started);
    }
    drop(watched);
    let most = peak.load(Ordering::Relaxed);
    println!(
        "disk: {:.1} MB at most, {:.1} MB now",
        megabytes(most),
        megabytes(size(dir.path())?)
    );

    let started = Instant::now();
    for first in (0..entries).step_by(usize::try_from(PAGE)?) {
        let keys: Vec<_> = (first..entries.min(first + PAGE))
            .map(|n| LedgerKey {
                scope: scope.clone(),
                key: key(n),
            })
            .collect();
        state.ledger(&keys).await?;
    }
    report("look up", entries, started);

    let started = Instant::now();
    state.begin_sweep(&scope).await?;
    for first in (0..entries).step_by(usize::try_from(PAGE)?) {
        // One in a hundred is gone.
        let present = (first..entries.min(first + PAGE)).filter(|n| n % 100 != 0);
        state
            .mark_seen(&scope, &present.map(key).collect::<Vec<_>>())
            .await?;
    }
    report("mark", entries, started);
    let started = Instant::now();
    let unseen = state.unseen_len(&scope).await?;
    report("find unseen", entries, started);
    println!(
        "unseen: {unseen}; disk with marks: {:.1} MB",
        megabytes(size(dir.path())?)
    );
    state.end_sweep(&scope).await?;
    println!(
        "disk after the sweep: {:.1} MB",
        megabytes(size(dir.path())?)
    );
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let memory = status.lines().filter(|line| line.starts_with("VmHWM"));
        memory.for_each(|line| println!("{line}"));
    }
    Ok(())
}

/// A key like a digest: spread without any order.
fn key(n: u64) -> Key {
    let high = mix(n.wrapping_add(0x9e37_79b9_7f4a_7c15));
    Key::new(format!("{high:016x}{:016x}", mix(high)))
}

/// Spreads numbers without any order (the finalizer of splitmix64).
fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Keeps the largest size of a directory, until what it returns is dropped.
fn watch(dir: PathBuf, peak: Arc<AtomicU64>) -> Arc<()> {
    let wanted = Arc::new(());
    let alive = Arc::downgrade(&wanted);
    std::thread::spawn(move || {
        while alive.strong_count() > 0 {
            // A file may vanish between listing and looking; the next look counts.
            peak.fetch_max(size(&dir).unwrap_or(0), Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    wanted
}

fn size(dir: &Path) -> std::io::Result<u64> {
    fs::read_dir(dir)?
        .map(|file| Ok(file?.metadata()?.len()))
        .sum()
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn report(what: &str, entries: u64, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{what}: {seconds:.1} s, {:.0} entries/s",
        entries as f64 / seconds
    );
}
