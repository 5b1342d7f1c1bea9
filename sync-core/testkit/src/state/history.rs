//! Rejected records and runs.

use std::time::Duration;

use sync_core::{
    Commit, Counts, ImportId, Key, Outcome, RejectedRecord, RunId, RunRecord, StateStore,
};

use super::commit_at;
use super::progress::rejected;
use crate::clock::time;

pub(super) async fn rejected_records_are_replaced_and_cleared(store: &dyn StateStore) {
    let (import, other) = (ImportId::new("a"), ImportId::new("b"));
    let first = Commit {
        rejected: vec![
            rejected("x", "first", 1),
            rejected("y", "stays", 1),
            rejected("z", "goes", 1),
        ],
        ..commit_at(1)
    };
    let revision = store
        .commit(&import, None, first.clone())
        .await
        .expect("commit");
    store.commit(&other, None, first).await.expect("commit");
    let second = Commit {
        rejected: vec![rejected("x", "second", 2)],
        cleared: vec![Key::new("z"), Key::new("never rejected")],
        ..commit_at(2)
    };
    store
        .commit(&import, Some(revision), second)
        .await
        .expect("commit");
    assert_eq!(
        sorted(store, &import).await,
        [rejected("x", "second", 2), rejected("y", "stays", 1)],
        "one record a key, the last one; cleared ones are gone"
    );
    assert_eq!(store.rejected_len(&import).await.expect("rejected_len"), 2);
    assert_eq!(
        sorted(store, &other).await.len(),
        3,
        "another import keeps its own"
    );
}

async fn sorted(store: &dyn StateStore, import: &ImportId) -> Vec<RejectedRecord> {
    let mut records = store
        .rejected(import, None, usize::MAX)
        .await
        .expect("rejected");
    records.sort_by(|a, b| a.key.cmp(&b.key));
    records
}

pub(super) async fn rejected_records_come_in_pages(store: &dyn StateStore) {
    let import = ImportId::new("a");
    let rejected: Vec<_> = (0..10_u32)
        .map(|n| format!("{:032x}", n * 7919))
        .chain(["", "é", "plain"].map(str::to_owned))
        .map(|key| rejected(&key, "why", 1))
        .collect();
    let total = rejected.len();
    store
        .commit(
            &import,
            None,
            Commit {
                rejected,
                ..commit_at(1)
            },
        )
        .await
        .expect("commit");
    let whole = store
        .rejected(&import, None, usize::MAX)
        .await
        .expect("rejected");
    assert_eq!(whole.len(), total);
    let mut paged: Vec<RejectedRecord> = Vec::new();
    loop {
        let after = paged.last().map(|record| &record.key);
        let page = store.rejected(&import, after, 3).await.expect("rejected");
        assert!(page.len() <= 3, "a page has at most as many as asked");
        if page.is_empty() {
            break;
        }
        paged.extend(page);
        assert!(paged.len() <= total, "paging ends");
    }
    assert_eq!(paged, whole, "pages in order give the whole, once");
}

pub(super) async fn runs_come_newest_first_and_are_replaced_by_id(store: &dyn StateStore) {
    let running = RunRecord {
        outcome: None,
        counts: Counts::default(),
        ..run("a", 1)
    };
    store.record_run(&running).await.expect("record_run");
    store
        .record_run(&run("b", 1))
        .await
        .expect("two imports may start at the same time");
    store.record_run(&run("a", 1)).await.expect("record_run");
    store.record_run(&run("a", 2)).await.expect("record_run");
    let of_a = store
        .runs(Some(&ImportId::new("a")), 10)
        .await
        .expect("runs");
    assert_eq!(
        of_a,
        [run("a", 2), run("a", 1)],
        "newest first; one record a run, the last one"
    );
    let all = store.runs(None, 10).await.expect("runs");
    assert_eq!(
        all,
        [run("a", 2), run("b", 1), run("a", 1)],
        "runs of all imports in one order"
    );
    assert_eq!(
        store.runs(None, 1).await.expect("runs"),
        [run("a", 2)],
        "at most as many as asked"
    );
    assert_eq!(
        store
            .runs(Some(&ImportId::new("c")), 10)
            .await
            .expect("runs"),
        []
    );
}

pub(super) async fn runs_keep_every_field(store: &dyn StateStore) {
    let failed = RunRecord {
        outcome: Some(Outcome::Failed),
        complete_until: None,
        error: Some("read window: timed out, \"é\"".to_owned()),
        error_kind: Some("unavailable".to_owned()),
        ..run("a", 1)
    };
    store.record_run(&failed).await.expect("record_run");
    let running = RunRecord {
        outcome: None,
        ..run("a", 2)
    };
    store.record_run(&running).await.expect("record_run");
    assert_eq!(store.runs(None, 10).await.expect("runs"), [running, failed]);
}

/// A complete run that began at this second.
pub(super) fn run(import: &str, second: i64) -> RunRecord {
    RunRecord {
        id: RunId::new(format!("run-{second:06}")),
        import: ImportId::new(import),
        started: time(second),
        elapsed: Duration::from_millis(1500),
        outcome: Some(Outcome::Complete),
        counts: Counts {
            read: 9,
            accepted: 4,
            unchanged: 5,
            commits: 1,
            ..Counts::default()
        },
        complete_until: Some(time(second - 1)),
        error: None,
        error_kind: None,
    }
}
