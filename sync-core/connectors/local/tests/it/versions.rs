//! State that earlier versions wrote.

use rusqlite::Connection;
use sync_core::{
    Checkpoint, Cursor, ImportId, Key, LedgerEntry, LedgerKey, Position, RejectedRecord, Revision,
    StateStore, Stored,
};
use sync_local::LocalState;
use sync_testkit::time;

use super::{Bench, commit, history};

/// A directory as that version left it.
fn left_by(version: &str) -> Bench {
    let bench = Bench::with(
        r#"[{"list_id":"a","latest_timestamp":"1970-01-01T00:00:20Z"},
            {"list_id":"b","latest_timestamp":"1970-01-01T00:00:01Z"},{"list_id":"c"}]"#,
    );
    let connection = Connection::open(bench.path("state.db")).expect("the fixture is SQL");
    connection
        .execute_batch(version)
        .expect("the fixture is SQL");
    bench
}

#[tokio::test]
async fn a_directory_of_version_1_is_read_and_goes_on() {
    assert_goes_on(left_by(include_str!("../fixtures/state-v1.sql"))).await;
}

#[tokio::test]
async fn a_directory_of_version_2_is_read_and_goes_on() {
    assert_goes_on(left_by(include_str!("../fixtures/state-v2.sql"))).await;
}

#[tokio::test]
async fn a_directory_of_version_3_is_read_and_goes_on() {
    assert_goes_on(left_by(include_str!("../fixtures/state-v3.sql"))).await;
}

#[tokio::test]
async fn a_directory_of_version_1_can_be_looked_at_before_it_is_converted() {
    let bench = left_by(include_str!("../fixtures/state-v1.sql"));
    let before = std::fs::read(bench.path("state.db")).unwrap();
    let state = LocalState::read_only(bench.dir.path()).unwrap();
    assert_ledger(&state).await;
    assert_eq!(
        state.ledger_len(&ImportId::new("a").scope()).await.unwrap(),
        2
    );
    assert_eq!(std::fs::read(bench.path("state.db")).unwrap(), before);
}

async fn assert_ledger(state: &LocalState) {
    let at = |key: &str| LedgerKey {
        scope: ImportId::new("a").scope(),
        key: Key::new(key),
    };
    let found = state
        .ledger(&[at("0123456789abcdef0123456789abcdef"), at("plain")])
        .await
        .expect("it answers");
    let entry = |fingerprint, note: &[u8]| {
        Some(LedgerEntry {
            fingerprint,
            note: note.into(),
        })
    };
    assert_eq!(found, [entry(u64::MAX, &[1, 2]), entry(5, &[])]);
}

async fn assert_goes_on(bench: Bench) {
    let state = bench.opened();
    let a = ImportId::new("a");
    let cursor = Cursor {
        state: serde_json::json!({ "open": [[10, 20]] }),
        complete_until: Some(time(20)),
    };
    let checkpoint = Checkpoint {
        position: Position::Cursor(cursor),
        binding: Some("x".to_owned()),
        swept_at: Some(time(10)),
        in_doubt: false,
    };
    assert_eq!(
        state.load(&a).await.expect("it answers"),
        Some(Stored {
            revision: Revision(7),
            checkpoint
        })
    );
    let b = state
        .load(&ImportId::new("b"))
        .await
        .expect("it answers")
        .expect("it is there");
    let half = time(5) + chrono::TimeDelta::milliseconds(500);
    assert_eq!(
        (b.revision, b.checkpoint.position),
        (Revision(2), Position::Since(half))
    );
    assert!(
        bench.text().contains("1970-01-01T00:00:05Z"),
        "what was under way is published"
    );
    let c = state
        .load(&ImportId::new("c"))
        .await
        .expect("it answers")
        .expect("it is there");
    assert_eq!(c.checkpoint.position, Position::Start);

    assert_ledger(&state).await;
    let rejected = RejectedRecord {
        key: Key::new("plain"),
        reason: "no address".to_owned(),
        at: time(3),
    };
    assert_eq!(
        state.rejected(&a, None, 9).await.expect("it answers"),
        [rejected]
    );
    assert_eq!(
        state.runs(None, 9).await.expect("it answers"),
        [history::run("a", 1)]
    );
    commit(&state, "a", 30).await.expect("it answers");
}
