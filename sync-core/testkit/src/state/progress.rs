//! Checkpoints, revisions, rewinding and resetting.

use std::sync::Arc;

use sync_core::{
    Commit, ErrorKind, ImportId, Key, LedgerEntry, Position, RejectedRecord, Reset, Scope,
    StateStore, Stored,
};

use super::{assert_conflict, change_ledger, checkpoint, commit_at, delete, entry, put};
use crate::clock::time;

pub(super) async fn an_unknown_import_has_no_checkpoint(store: &dyn StateStore) {
    let import = ImportId::new("unknown");
    assert_eq!(
        store.load(&import).await.expect("load"),
        None,
        "nothing is stored before the first commit"
    );
    assert_eq!(store.rejected_len(&import).await.expect("rejected_len"), 0);
    assert_eq!(
        store.ledger_len(&import.scope()).await.expect("ledger_len"),
        0
    );
    assert_eq!(entry(store, &import.scope(), "k").await, None);
}

pub(super) async fn a_commit_is_what_the_next_load_gives(store: &dyn StateStore) {
    let import = ImportId::new("a");
    let mut expected = None;
    for second in [5, 6, 4] {
        let revision = store
            .commit(&import, expected, commit_at(second))
            .await
            .expect("commit");
        let stored = store.load(&import).await.expect("load");
        assert_eq!(
            stored,
            Some(Stored {
                revision,
                checkpoint: checkpoint(second)
            }),
            "load gives the last commit"
        );
        assert_ne!(Some(revision), expected, "each commit has its own revision");
        expected = Some(revision);
    }
}

pub(super) async fn a_stale_revision_is_refused_and_stores_nothing(store: &dyn StateStore) {
    let import = ImportId::new("a");
    let scope = import.scope();
    let full = |second, fingerprint| Commit {
        ledger: vec![
            put(&scope, "k", fingerprint, b"note"),
            delete(&scope, "gone"),
        ],
        rejected: vec![rejected("r", "why", second)],
        cleared: vec![Key::new("c")],
        ..commit_at(second)
    };
    let mut first = full(1, 1);
    first.ledger.push(put(&scope, "gone", 9, b""));
    first.rejected.push(rejected("c", "to be cleared", 1));
    first.cleared.clear();
    let old = store
        .commit(&import, None, first)
        .await
        .expect("first commit");
    let new = store
        .commit(&import, Some(old), commit_at(2))
        .await
        .expect("second commit");

    for stale in [None, Some(old)] {
        let refused = store.commit(&import, stale, full(3, 3)).await;
        assert_conflict(refused, "a stale revision is refused");
        let stored = store.load(&import).await.expect("load").expect("stored");
        assert_eq!(
            stored,
            Stored {
                revision: new,
                checkpoint: checkpoint(2)
            }
        );
        assert_eq!(
            entry(store, &scope, "k")
                .await
                .map(|entry| entry.fingerprint),
            Some(1)
        );
        assert!(
            entry(store, &scope, "gone").await.is_some(),
            "a refused commit deletes nothing"
        );
        let kept = store.rejected(&import, None, 10).await.expect("rejected");
        let mut kept: Vec<_> = kept.iter().map(|record| record.key.as_str()).collect();
        kept.sort_unstable();
        assert_eq!(
            kept,
            ["c", "r"],
            "a refused commit neither rejects nor clears"
        );
    }
    let unknown = store
        .commit(&ImportId::new("other"), Some(new), commit_at(1))
        .await;
    assert_conflict(
        unknown,
        "a revision of an import that was never stored is refused",
    );
}

pub(super) async fn of_racing_commits_exactly_one_wins<S: StateStore + 'static>(store: S) {
    let store = Arc::new(store);
    let import = ImportId::new("raced");
    let mut expected = None;
    for round in 0..5 {
        let racers: Vec<_> = (0..8)
            .map(|racer| {
                let (store, import) = (store.clone(), import.clone());
                tokio::spawn(async move {
                    let scope = import.scope();
                    let ledger = vec![
                        put(&scope, "winner", racer + 1, b""),
                        put(&scope, &format!("{round}/{racer}"), 1, b""),
                    ];
                    let commit = Commit {
                        ledger,
                        ..commit_at(1)
                    };
                    (racer, store.commit(&import, expected, commit).await)
                })
            })
            .collect();
        let mut winners = Vec::new();
        for racer in racers {
            match racer.await.expect("a racing commit does not panic") {
                (racer, Ok(revision)) => winners.push((racer, revision)),
                (_, Err(error)) => assert_eq!(
                    error.kind(),
                    ErrorKind::Conflict,
                    "a lost race is a conflict: {}",
                    error.chain()
                ),
            }
        }
        let [(racer, revision)] = winners[..] else {
            panic!("of racing commits exactly one wins, not {}", winners.len());
        };
        let stored = store.load(&import).await.expect("load").expect("stored");
        assert_eq!(stored.revision, revision, "the winner's revision is stored");
        let winner = entry(&*store, &import.scope(), "winner")
            .await
            .expect("ledger entry");
        assert_eq!(
            winner.fingerprint,
            racer + 1,
            "the winner's ledger changes are stored"
        );
        let len = store.ledger_len(&import.scope()).await.expect("ledger_len");
        assert_eq!(len, round + 2, "the losers' ledger changes are not");
        expected = Some(revision);
    }
}

pub(super) async fn imports_do_not_disturb_each_other(store: &dyn StateStore) {
    let (a, b) = (ImportId::new("a"), ImportId::new("b"));
    let a1 = store
        .commit(&a, None, commit_at(1))
        .await
        .expect("commit a");
    let b1 = store
        .commit(&b, None, commit_at(2))
        .await
        .expect("commit b");
    store
        .commit(&a, Some(a1), commit_at(3))
        .await
        .expect("a is not moved by b");
    store.rewind(&a, Position::Start).await.expect("rewind a");
    store.reset(&a, Reset::Everything).await.expect("reset a");
    store
        .commit(&b, Some(b1), commit_at(4))
        .await
        .expect("b is not moved by a");
}

pub(super) async fn a_rewind_moves_the_position_and_conflicts_with_a_run(store: &dyn StateStore) {
    let import = ImportId::new("a");
    let revision = store
        .commit(&import, None, commit_at(5))
        .await
        .expect("commit");
    change_ledger(store, &import, vec![put(&import.scope(), "k", 1, b"n")]).await;
    let before = store.load(&import).await.expect("load").expect("stored");
    for to in [
        Position::Since(time(3)),
        Position::Start,
        before.checkpoint.position.clone(),
    ] {
        let running = store
            .load(&import)
            .await
            .expect("load")
            .expect("stored")
            .revision;
        let moved = store.rewind(&import, to.clone()).await.expect("rewind");
        let stored = store.load(&import).await.expect("load").expect("stored");
        assert_eq!(stored.revision, moved, "a rewind has its own revision");
        assert_eq!(stored.checkpoint.position, to, "a rewind sets the position");
        assert_eq!(
            stored.checkpoint.binding, before.checkpoint.binding,
            "a rewind keeps the binding"
        );
        let late = store.commit(&import, Some(running), commit_at(6)).await;
        assert_conflict(late, "a run in progress meets a conflict after a rewind");
    }
    assert_conflict(
        store.commit(&import, Some(revision), commit_at(6)).await,
        "and later too",
    );
    assert!(
        entry(store, &import.scope(), "k").await.is_some(),
        "a rewind keeps the ledger"
    );
}

pub(super) async fn a_rewind_works_before_the_first_commit(store: &dyn StateStore) {
    let import = ImportId::new("new");
    let to = Position::Since(time(7));
    let revision = store.rewind(&import, to.clone()).await.expect("rewind");
    let stored = store
        .load(&import)
        .await
        .expect("load")
        .expect("a rewind is stored");
    assert_eq!(
        (stored.revision, &stored.checkpoint.position),
        (revision, &to)
    );
    assert_conflict(
        store.commit(&import, None, commit_at(1)).await,
        "a first run in progress meets a conflict after a rewind",
    );
    store
        .commit(&import, Some(revision), commit_at(8))
        .await
        .expect("a commit after it works");
}

pub(super) async fn forgetting_fingerprints_keeps_notes_and_progress(store: &dyn StateStore) {
    let import = ImportId::new("a");
    let shared = Scope::shared("shared between imports");
    let ledger = vec![
        put(&import.scope(), "k", 7, b"opted out"),
        put(&shared, "k", 8, b"s"),
    ];
    change_ledger(store, &import, ledger).await;
    let before = store.load(&import).await.expect("load").expect("stored");
    store
        .reset(&import, Reset::Fingerprints)
        .await
        .expect("reset");
    assert_eq!(
        entry(store, &import.scope(), "k").await,
        Some(LedgerEntry {
            fingerprint: 0,
            note: b"opted out"[..].into()
        }),
        "only the fingerprint is forgotten"
    );
    assert_eq!(
        entry(store, &shared, "k")
            .await
            .map(|entry| entry.fingerprint),
        Some(8)
    );
    let after = store.load(&import).await.expect("load").expect("stored");
    assert_eq!(after.checkpoint, before.checkpoint, "progress stays");
    assert_conflict(
        store
            .commit(&import, Some(before.revision), commit_at(2))
            .await,
        "a run in progress meets a conflict after a reset",
    );
    store
        .commit(&import, Some(after.revision), commit_at(3))
        .await
        .expect("the next run works");
    store
        .reset(&ImportId::new("unknown"), Reset::Fingerprints)
        .await
        .expect("nothing to forget");
}

pub(super) async fn a_full_reset_forgets_the_import_and_keeps_shared_scopes(
    store: &dyn StateStore,
) {
    let import = ImportId::new("a");
    let shared = Scope::shared("shared between imports");
    let first = Commit {
        ledger: vec![
            put(&import.scope(), "k", 7, b"n"),
            put(&shared, "k", 8, b"s"),
        ],
        rejected: vec![rejected("r", "why", 1)],
        ..commit_at(1)
    };
    let running = store.commit(&import, None, first).await.expect("commit");
    store
        .begin_sweep(&import.scope())
        .await
        .expect("begin_sweep");
    store
        .mark_seen(&import.scope(), &[Key::new("k")])
        .await
        .expect("mark_seen");
    store
        .reset(&import, Reset::Everything)
        .await
        .expect("reset");
    assert_eq!(
        store.load(&import).await.expect("load"),
        None,
        "the checkpoint is gone"
    );
    assert_eq!(
        store.ledger_len(&import.scope()).await.expect("ledger_len"),
        0
    );
    assert_eq!(store.rejected_len(&import).await.expect("rejected_len"), 0);
    assert_eq!(
        entry(store, &shared, "k")
            .await
            .map(|entry| entry.fingerprint),
        Some(8)
    );
    assert_conflict(
        store.commit(&import, Some(running), commit_at(2)).await,
        "a run in progress meets a conflict after a reset",
    );
    store
        .commit(&import, None, commit_at(3))
        .await
        .expect("the import starts over");
    change_ledger(store, &import, vec![put(&import.scope(), "k", 1, b"")]).await;
    assert_eq!(
        store.unseen_len(&import.scope()).await.expect("unseen_len"),
        1,
        "a reset forgets marks too"
    );
    store
        .reset(&ImportId::new("unknown"), Reset::Everything)
        .await
        .expect("nothing to forget");
}

pub(super) async fn a_revision_is_never_used_twice(store: &dyn StateStore) {
    let import = ImportId::new("a");
    let mut seen = Vec::new();
    for round in 0..3 {
        let mut expected = None;
        for _ in 0..3 {
            let revision = store
                .commit(&import, expected, commit_at(round))
                .await
                .expect("commit");
            assert!(
                !seen.contains(&revision),
                "revision {} was used before",
                revision.0
            );
            seen.push(revision);
            expected = Some(revision);
        }
        store
            .reset(&import, Reset::Everything)
            .await
            .expect("reset");
    }
}

/// What [`fill`] stored.
pub(super) struct Filled {
    stored: Stored,
    entries: Vec<(String, LedgerEntry)>,
    rejected: Vec<RejectedRecord>,
}

/// Stores something of everything.
pub(super) async fn fill(store: &dyn StateStore, import: &ImportId) -> Filled {
    let scope = import.scope();
    let entries: Vec<_> = (0..300_u64)
        .map(|n| {
            let entry = LedgerEntry {
                fingerprint: u64::MAX - n,
                note: n.to_le_bytes()[..].into(),
            };
            (format!("{n:032x}"), entry)
        })
        .collect();
    let ledger = entries
        .iter()
        .map(|(key, entry)| put(&scope, key, entry.fingerprint, &entry.note))
        .collect();
    let rejected = vec![
        rejected("r1", "no address", 3),
        rejected("r2", "too old: é", 4),
    ];
    let commit = Commit {
        ledger,
        rejected: rejected.clone(),
        ..commit_at(8)
    };
    store.commit(import, None, commit).await.expect("commit");
    let run = super::history::run("durable", 3);
    store.record_run(&run).await.expect("record_run");
    let stored = store.load(import).await.expect("load").expect("stored");
    Filled {
        stored,
        entries,
        rejected,
    }
}

impl Filled {
    pub(super) async fn assert_in(&self, store: &dyn StateStore, import: &ImportId, when: &str) {
        let stored = store.load(import).await.expect("load");
        assert_eq!(stored.as_ref(), Some(&self.stored), "the checkpoint {when}");
        for (key, expected) in &self.entries {
            let found = entry(store, &import.scope(), key).await;
            assert_eq!(found.as_ref(), Some(expected), "ledger entry {key} {when}");
        }
        let len = store.ledger_len(&import.scope()).await.expect("ledger_len");
        assert_eq!(len, self.entries.len() as u64, "size of the ledger {when}");
        let mut rejected = store.rejected(import, None, 10).await.expect("rejected");
        rejected.sort_by(|a, b| a.key.cmp(&b.key));
        assert_eq!(rejected, self.rejected, "rejected records {when}");
        let runs = store.runs(Some(import), 10).await.expect("runs");
        assert_eq!(runs, [super::history::run("durable", 3)], "runs {when}");
    }
}

pub(super) fn rejected(key: &str, reason: &str, second: i64) -> RejectedRecord {
    RejectedRecord {
        key: Key::new(key),
        reason: reason.to_owned(),
        at: time(second),
    }
}
