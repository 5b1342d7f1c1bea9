use std::sync::Arc;

use sync_core::{Clock, MemoryStateStore, StateStore};
use sync_local::LocalState;
use sync_testkit::{FaultPlan, FaultyState, ManualClock, state};
use tempfile::TempDir;

/// A local state in a directory of its own.
fn open(dir: &TempDir) -> LocalState {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at_seconds(1_700_000_000));
    LocalState::open(dir.path(), &clock).expect("a fresh directory opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_memory_keeps_its_promises() {
    state::conformance(async || MemoryStateStore::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_a_directory_keeps_its_promises() {
    let dirs = std::sync::Mutex::new(Vec::new());
    state::conformance(async || {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        dirs.lock().unwrap().push(dir);
        store
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_store_in_a_directory_works_on_one_thread_with_paused_time() {
    let dirs = std::sync::Mutex::new(Vec::new());
    state::conformance(async || {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        dirs.lock().unwrap().push(dir);
        store
    })
    .await;
}

#[tokio::test]
async fn the_store_in_a_directory_survives_reopening() {
    let dir = tempfile::tempdir().unwrap();
    state::survives_reopening(open(&dir), async |store| {
        drop(store);
        open(&dir)
    })
    .await;
}

#[tokio::test]
async fn a_wrapper_that_never_fails_keeps_the_promises() {
    state::conformance(async || {
        let inner: Arc<dyn StateStore> = Arc::new(MemoryStateStore::new());
        FaultyState::new(inner, FaultPlan::none())
    })
    .await;
}
