//! What every [`StateStore`] promises.
//!
//! ```no_run
//! # async fn example() {
//! sync_testkit::state::conformance(async || sync_core::MemoryStateStore::new()).await;
//! # }
//! ```

mod history;
mod ledger;
mod progress;

use sync_core::{
    Checkpoint, Commit, Cursor, ImportId, Key, LedgerChange, LedgerEntry, LedgerKey, Position,
    Scope, StateStore,
};

use crate::clock::time;

/// Checks every promise of a state store. `make` gives a fresh, empty store each time it is called.
///
/// # Panics
/// When the store breaks a promise; the message says which.
pub async fn conformance<S: StateStore + 'static>(make: impl AsyncFn() -> S) {
    progress::an_unknown_import_has_no_checkpoint(&make().await).await;
    progress::a_commit_is_what_the_next_load_gives(&make().await).await;
    progress::a_stale_revision_is_refused_and_stores_nothing(&make().await).await;
    progress::of_racing_commits_exactly_one_wins(make().await).await;
    progress::imports_do_not_disturb_each_other(&make().await).await;
    progress::a_rewind_moves_the_position_and_conflicts_with_a_run(&make().await).await;
    progress::a_rewind_works_before_the_first_commit(&make().await).await;
    progress::forgetting_fingerprints_keeps_notes_and_progress(&make().await).await;
    progress::a_full_reset_forgets_the_import_and_keeps_shared_scopes(&make().await).await;
    progress::a_revision_is_never_used_twice(&make().await).await;
    ledger::entries_come_back_in_the_order_asked(&make().await).await;
    ledger::the_last_change_of_a_key_holds(&make().await).await;
    ledger::every_kind_of_key_is_kept(&make().await).await;
    ledger::scopes_are_separate(&make().await).await;
    ledger::a_large_commit_is_whole(&make().await).await;
    ledger::a_sweep_finds_what_was_not_seen(&make().await).await;
    ledger::a_sweep_is_separate_for_each_scope(&make().await).await;
    ledger::unseen_keys_come_in_pages(&make().await).await;
    history::rejected_records_are_replaced_and_cleared(&make().await).await;
    history::rejected_records_come_in_pages(&make().await).await;
    history::runs_come_newest_first_and_are_replaced_by_id(&make().await).await;
    history::runs_keep_every_field(&make().await).await;
}

/// Checks that a store brings everything back after it was closed. `reopen` gets the open store, closes it and opens the
/// same one again.
///
/// # Panics
/// When something is gone or changed; the message says what.
pub async fn survives_reopening<S: StateStore>(store: S, reopen: impl AsyncFn(S) -> S) {
    let import = ImportId::new("durable");
    let filled = progress::fill(&store, &import).await;
    let store = reopen(store).await;
    filled.assert_in(&store, &import, "after reopening").await;
    let stored = store.load(&import).await.expect("load after reopening");
    let revision = stored.map(|stored| stored.revision);
    let next = store
        .commit(&import, revision, commit_at(9))
        .await
        .expect("a commit on the reopened store works");
    assert!(Some(next) > revision, "revisions go on after reopening");
    let stale = store.commit(&import, revision, commit_at(10)).await;
    assert_conflict(stale, "a stale revision is refused after reopening");
}

/// A commit of a checkpoint at this second and nothing else.
fn commit_at(seconds: i64) -> Commit {
    Commit {
        checkpoint: checkpoint(seconds),
        ..Commit::default()
    }
}

fn checkpoint(seconds: i64) -> Checkpoint {
    Checkpoint {
        position: Position::Cursor(Cursor {
            state: serde_json::json!({ "windows": [[seconds, seconds + 1]], "text": "é \" \\ \u{1f980}" }),
            complete_until: Some(time(seconds)),
        }),
        binding: Some("source/sink/1".to_owned()),
        swept_at: Some(time(seconds - 1)),
        in_doubt: seconds % 2 == 1,
    }
}

fn put(scope: &Scope, key: &str, fingerprint: u64, note: &[u8]) -> LedgerChange {
    let entry = Some(LedgerEntry {
        fingerprint,
        note: note.into(),
    });
    LedgerChange {
        at: at(scope, key),
        entry,
    }
}

fn delete(scope: &Scope, key: &str) -> LedgerChange {
    LedgerChange {
        at: at(scope, key),
        entry: None,
    }
}

fn at(scope: &Scope, key: &str) -> LedgerKey {
    LedgerKey {
        scope: scope.clone(),
        key: Key::new(key),
    }
}

/// Commits ledger changes on top of whatever is stored.
async fn change_ledger(store: &dyn StateStore, import: &ImportId, ledger: Vec<LedgerChange>) {
    let expected = store
        .load(import)
        .await
        .expect("load")
        .map(|stored| stored.revision);
    let commit = Commit {
        ledger,
        ..commit_at(1)
    };
    store
        .commit(import, expected, commit)
        .await
        .expect("a commit on the stored revision works");
}

async fn entry(store: &dyn StateStore, scope: &Scope, key: &str) -> Option<LedgerEntry> {
    let mut found = store.ledger(&[at(scope, key)]).await.expect("ledger");
    assert_eq!(found.len(), 1, "one answer for one key");
    found.remove(0)
}

#[track_caller]
fn assert_conflict<T: std::fmt::Debug>(result: sync_core::Result<T>, promise: &str) {
    match result {
        Err(error) if error.kind() == sync_core::ErrorKind::Conflict => {}
        Err(error) => panic!("{promise}: expected a conflict, got {}", error.chain()),
        Ok(value) => panic!("{promise}: expected a conflict, got {value:?}"),
    }
}
