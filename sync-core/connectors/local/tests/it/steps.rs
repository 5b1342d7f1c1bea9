//! Whole runs on a directory, killed before each step on the disk.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sync_core::{Clock, Import, Outcome, Shutdown};
use sync_local::{DiskStep, DiskWatch, LocalState};
use sync_testkit::FaultPlan;
use tokio::sync::Notify;

use super::Bench;
use super::crash::World;

/// Kills at the n-th step: copies the directory as it is and ends the process.
struct KillAt {
    at: u64,
    directory: PathBuf,
    copy: PathBuf,
    taken: AtomicU64,
    killed: Notify,
}

impl KillAt {
    fn copy_directory(&self, step: DiskStep<'_>) {
        for file in fs::read_dir(&self.directory).expect("the directory") {
            let file = file.expect("a file");
            fs::copy(file.path(), self.copy.join(file.file_name())).expect("a copy");
        }
        if let DiskStep::Write { path, bytes } = step {
            let half = &bytes[..bytes.len() / 2];
            let name = path.file_name().expect("a name");
            fs::write(self.copy.join(name), half).expect("half a file");
        }
    }
}

impl DiskWatch for KillAt {
    fn before(&self, step: DiskStep<'_>) -> ControlFlow<()> {
        if self.taken.fetch_add(1, Ordering::Relaxed) != self.at {
            return ControlFlow::Continue(());
        }
        self.copy_directory(step);
        self.killed.notify_one();
        ControlFlow::Break(())
    }
}

/// Lets one process live on the world's directory until its end or its n-th step on the disk, and says how many steps it
/// took. After a kill the world's directory is what that process left.
async fn live(world: &mut World, at: u64) -> u64 {
    world.clock.advance(chrono::TimeDelta::minutes(1));
    let left = Bench::in_memory();
    let directory: &Path = world.bench.dir.path();
    let watch = Arc::new(KillAt {
        at,
        directory: directory.to_owned(),
        copy: left.dir.path().to_owned(),
        taken: AtomicU64::new(0),
        killed: Notify::new(),
    });
    let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
    let state = LocalState::open_watched(directory, &clock, watch.clone());
    let state = state.expect("the directory opens");
    let none = FaultPlan::none();
    let never = Shutdown::never();
    let mut pipeline = world.pipeline(&state, &none);
    let killed = tokio::select! {
        biased;
        () = watch.killed.notified() => true,
        _ = pipeline.run(&never) => false,
    };
    drop((pipeline, state));
    if killed {
        world.bench = left;
    }
    world.assert_file_claims_no_more_than_the_sink_took();
    watch.taken.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_kill_before_any_step_on_the_disk_loses_nothing() {
    for dying in 0..2 {
        let mut at = 0;
        loop {
            let mut world = World::new();
            let mut steps = 0;
            for process in 0..2 {
                if process == 1 {
                    world.something_changes();
                }
                let dies = if process == dying { at } else { u64::MAX };
                let taken = live(&mut world, dies).await;
                if process == dying {
                    steps = taken;
                }
            }
            world.clock.advance(chrono::TimeDelta::minutes(1));
            let state = world.bench.opened();
            let none = FaultPlan::none();
            let run = world.pipeline(&state, &none).run(&Shutdown::never()).await;
            assert_eq!(run.outcome, Some(Outcome::Complete), "step {at}: {run:?}");
            assert_eq!(world.delivered(), world.expected(), "step {at}");
            let text = world.bench.text();
            assert!(text.contains(r#""note":"mine""#), "step {at}: {text}");
            assert!(text.contains("1970-01-01T00:00:04Z"), "step {at}: {text}");
            if at >= steps {
                assert!(
                    at > 100,
                    "the story must take every kind of step, it took {at}"
                );
                break;
            }
            at += 1;
        }
    }
}
