//! People edit `state.json` while the process runs.

use std::time::Duration;

use sync_core::{ErrorKind, ImportId, Position, StateStore};
use sync_testkit::time;

use super::{Bench, commit, up_to};

#[tokio::test(start_paused = true)]
async fn an_edit_is_told_within_a_minute_and_our_own_writing_is_not() {
    let bench = Bench::with(r#"[{"list_id":"a"}]"#);
    let state = bench.opened();
    let heard = tokio::spawn({
        let state = state.clone();
        async move { state.changed().await }
    });
    commit(&state, "a", 20).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!heard.is_finished(), "publishing is no edit");

    bench.edit(r#"[{"list_id":"a"},{"list_id":"b","worker_count":3}]"#);
    let entries = tokio::time::timeout(Duration::from_secs(60), heard)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(entries, state.imports());
    assert_eq!(entries[1].worker_count, Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_broken_file_is_told_and_the_last_good_one_stays_in_force() {
    let bench = Bench::with(r#"[{"list_id":"a"}]"#);
    let state = bench.opened();
    for (broken, word) in [
        (r#"[{"list_id":"a""#, "line 1"),
        (r#"{"list_id":"a"}"#, "JSON array"),
        (
            r#"[{"list_id":"a","items_per_request":0}]"#,
            "items_per_request",
        ),
        (r#"[{"list_id":"../lists"}]"#, "list_id"),
        (r"[5]", "entry 1"),
    ] {
        bench.edit(broken);
        let problem = state.changed().await.unwrap_err();
        assert_eq!(problem.kind(), ErrorKind::Config);
        assert!(problem.to_string().contains(word), "{problem}");
        assert_eq!(state.imports().len(), 1);
        commit(&state, "a", 20)
            .await
            .expect("a broken file stops no commit");
        assert_eq!(bench.text(), broken, "a broken file is never overwritten");
    }
    bench.edit(r#"[{"list_id":"a"},{"list_id":"b"}]"#);
    assert_eq!(state.changed().await.unwrap().len(), 2);
    assert!(
        bench.text().contains("1970-01-01T00:00:20Z"),
        "what was committed meanwhile is published"
    );
}

#[tokio::test(start_paused = true)]
async fn putting_a_broken_file_back_as_it_was_is_told_too() {
    let good = r#"[{"list_id":"a"}]"#;
    let bench = Bench::with(good);
    let state = bench.opened();
    bench.edit("[");
    state.changed().await.unwrap_err();
    bench.edit(good);
    assert_eq!(state.changed().await.unwrap(), state.imports());
}

#[test]
fn a_file_that_is_broken_at_the_start_is_an_error() {
    let bench = Bench::with("[{");
    let error = bench.open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    bench.edit("[]");
    bench
        .open()
        .expect("and the directory is free for the next attempt");
}

#[test]
fn a_file_saved_in_another_encoding_is_a_clear_error() {
    let bench = Bench::empty();
    let utf16: Vec<u8> = "[]"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .chain([0xff])
        .collect();
    std::fs::write(bench.path("state.json"), utf16).unwrap();
    assert!(bench.open().unwrap_err().to_string().contains("UTF-8"));
}

#[tokio::test]
async fn moving_the_timestamp_back_during_a_run_wins() {
    let bench = Bench::with(r#"[{"list_id":"a"}]"#);
    let state = bench.opened();
    let import = ImportId::new("a");
    commit(&state, "a", 20).await.unwrap();
    let running = state.load(&import).await.unwrap().unwrap();
    bench.edit(&bench.text().replace("00:00:20Z", "00:00:05Z"));
    let late = state
        .commit(&import, Some(running.revision), up_to(30))
        .await
        .unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict);
    let stored = state.load(&import).await.unwrap().unwrap();
    assert_eq!(stored.checkpoint.position, Position::Since(time(5)));
    state
        .commit(&import, Some(stored.revision), up_to(30))
        .await
        .unwrap();
}

#[tokio::test]
async fn removing_the_timestamp_is_a_full_load() {
    let bench = Bench::with(r#"[{"list_id":"a","latest_timestamp":"2024-05-01"}]"#);
    let state = bench.opened();
    let import = ImportId::new("a");
    let since = state
        .load(&import)
        .await
        .unwrap()
        .unwrap()
        .checkpoint
        .position;
    assert_eq!(
        since.complete_until().unwrap().to_rfc3339(),
        "2024-05-01T00:00:00+00:00"
    );
    bench.edit(r#"[{"list_id":"a"}]"#);
    let stored = state.load(&import).await.unwrap().unwrap();
    assert_eq!(stored.checkpoint.position, Position::Start);
}

#[tokio::test]
async fn fields_order_and_style_survive_everything_we_write() {
    let text = "[\r\n\t{\"zeta\": {\"b\":1, \"a\":[ ]}, \"latest_timestamp\": null,\r\n\t \"list_id\": \"a\", \"alpha\": 1.50}\r\n]";
    let bench = Bench::with(text);
    let state = bench.opened();
    commit(&state, "a", 20).await.unwrap();
    state
        .record_run(&super::history::run("a", 1))
        .await
        .unwrap();
    let expected = text.replace("null", "\"1970-01-01T00:00:20Z\"").replace(
        "1.50",
        "1.50, \"elapsed_seconds\": 2.5, \"total_updates\": 7",
    );
    assert_eq!(bench.text(), expected);
    assert_eq!(state.imports()[0].extra.len(), 2);
}

#[tokio::test]
async fn a_named_audience_is_added_once() {
    let bench = Bench::empty();
    let state = bench.opened();
    let entry = state.ensure_import("a").await.unwrap();
    assert_eq!(entry.id, ImportId::new("a"));
    assert_eq!(state.ensure_import("a").await.unwrap(), entry);
    state.ensure_import("b").await.unwrap();
    assert_eq!(
        bench.text(),
        "[\n  {\n    \"list_id\": \"a\"\n  },\n  {\n    \"list_id\": \"b\"\n  }\n]\n"
    );
    assert_eq!(state.imports().len(), 2);
    for wrong in ["", "a/b", "a b", "../x"] {
        assert_eq!(
            state.ensure_import(wrong).await.unwrap_err().kind(),
            ErrorKind::Config
        );
    }
    bench.edit("[{]");
    let broken = state.ensure_import("c").await.unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::Config);
    assert_eq!(bench.text(), "[{]", "a broken file is never overwritten");
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_in_a_storm_of_commits_are_kept() {
    let bench = Bench::with(r#"[{"list_id":"a", "edits": 0}, {"list_id":"b"}]"#);
    let state = bench.opened();
    let committing = tokio::spawn({
        let state = state.clone();
        async move {
            for second in 10..60 {
                // The editor may put back the timestamp it read: an edit like any other.
                if let Err(error) = commit(&state, "b", second).await {
                    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
                }
            }
        }
    });
    let mut edits = 0;
    while !committing.is_finished() {
        // An editor reads, thinks, and saves by exchanging files, if the file is still what it read.
        let before = bench.text();
        let next = before.replace(
            &format!("\"edits\": {edits}"),
            &format!("\"edits\": {}", edits + 1),
        );
        if next == before {
            // Our text stands there for the moment before we notice the edit and put it back.
            continue;
        }
        let temporary = bench.path("editor~");
        std::fs::write(&temporary, next).unwrap();
        if bench.text() == before {
            std::fs::rename(&temporary, bench.path("state.json")).unwrap();
            edits += 1;
        }
        tokio::task::yield_now().await;
    }
    committing.await.unwrap();
    assert!(edits > 0, "there was an edit");
    assert!(
        bench.text().contains(&format!("\"edits\": {edits}")),
        "the last edit was lost"
    );
}
