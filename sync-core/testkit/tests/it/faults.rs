use std::sync::Arc;

use sync_core::{Commit, ErrorKind, ImportId, MemorySink, MemoryStateStore, Sink, StateStore};
use sync_testkit::{Fault, FaultPlan, FaultySink, FaultyState, TestRecord};

#[tokio::test]
async fn the_chosen_call_fails_and_no_other() {
    let plan = FaultPlan::nth(1, Fault::Before);
    let (sink, handle) = MemorySink::new();
    let mut sink = FaultySink::new(sink, plan.clone());
    sink.write(vec![TestRecord::new("a", "1")]).await.unwrap();
    assert!(!plan.struck());
    assert_eq!(
        sink.flush().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    assert!(plan.struck());
    assert_eq!(handle.records().len(), 0, "it failed before it acted");
    sink.flush().await.unwrap();
    assert_eq!(handle.records().len(), 1);
    assert_eq!(plan.log(), ["sink.write", "sink.flush", "sink.flush"]);
}

#[tokio::test]
async fn a_lost_reply_is_an_error_of_a_call_that_acted() {
    let inner: Arc<dyn StateStore> = Arc::new(MemoryStateStore::new());
    let plan = FaultPlan::nth(0, Fault::After);
    let state = FaultyState::new(inner.clone(), plan);
    let import = ImportId::new("a");
    let error = state
        .commit(&import, None, Commit::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(inner.load(&import).await.unwrap().is_some());
}

#[tokio::test]
async fn a_call_that_never_answers_can_be_waited_for_and_dropped() {
    for (fault, acted) in [(Fault::Never, false), (Fault::AfterNever, true)] {
        let inner: Arc<dyn StateStore> = Arc::new(MemoryStateStore::new());
        let plan = FaultPlan::nth(0, fault);
        let state = FaultyState::new(inner.clone(), plan.clone());
        let import = ImportId::new("a");
        tokio::select! {
            answer = state.commit(&import, None, Commit::default()) => {
                panic!("a call that never answers answered {answer:?}")
            }
            () = plan.strikes() => {}
        }
        assert_eq!(inner.load(&import).await.unwrap().is_some(), acted);
    }
}
