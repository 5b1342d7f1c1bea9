//! Who may use a directory, what is in it, and what happens when it cannot be used.

use std::fs;

use rusqlite::Connection;
use sync_core::{ErrorKind, ImportId, Key, Reset, StateStore};
use sync_local::LocalState;

use super::{Bench, commit};

#[tokio::test]
async fn a_second_process_is_told_who_holds_the_directory() {
    let bench = Bench::empty();
    let first = bench.opened();
    let error = bench.open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    let text = error.to_string();
    assert!(
        text.contains(&format!("pid {}", std::process::id())),
        "{text}"
    );
    assert!(text.contains("since 2023-11-14T22:13:20Z"), "{text}");
    assert!(text.contains("host "), "{text}");
    drop(first);
    bench
        .open()
        .expect("the directory is free once the first is gone");
}

#[tokio::test]
async fn closing_frees_the_directory_also_with_clones_and_abandoned_calls_around() {
    let bench = Bench::empty();
    let state = bench.opened();
    let clone = state.clone();
    // Started and dropped: the work goes on, or never begins.
    tokio::select! {
        biased;
        _ = commit(&clone, "a", 20) => {}
        () = std::future::ready(()) => {}
    }
    state.close().await;
    let again = bench.opened();
    let error = clone.load(&ImportId::new("a")).await.unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
    again.load(&ImportId::new("a")).await.unwrap();
}

#[tokio::test]
async fn a_lock_file_left_by_a_killed_process_locks_nobody_out() {
    let bench = Bench::empty();
    fs::write(
        bench.path("state.lock"),
        r#"{"pid":1,"host":"elsewhere","since":"long ago"}"#,
    )
    .unwrap();
    bench.open().expect("only a held lock counts");
}

#[test]
fn a_directory_that_is_not_there_is_made() {
    let bench = Bench::empty();
    let clock: std::sync::Arc<dyn sync_core::Clock> = std::sync::Arc::new(sync_core::SystemClock);
    let deep = bench.path("some/where");
    let state = LocalState::open(&deep, &clock).unwrap();
    assert_eq!(state.dir(), deep);
    assert_eq!(state.imports(), []);
}

#[cfg(unix)]
#[tokio::test]
async fn others_can_read_neither_the_directory_nor_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let bench = Bench::empty();
    let clock: std::sync::Arc<dyn sync_core::Clock> = std::sync::Arc::new(sync_core::SystemClock);
    let dir = bench.path("state");
    let state = LocalState::open(&dir, &clock).unwrap();
    state.ensure_import("a").await.unwrap();
    commit(&state, "a", 20).await.unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let mut files = 0;
    for file in fs::read_dir(&dir).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files += 1;
    }
    assert!(files >= 4, "there is something to look at");
}

#[cfg(unix)]
#[tokio::test]
async fn whoever_could_edit_the_file_still_can_and_a_link_stays_a_link() {
    use std::os::unix::fs::PermissionsExt;

    let bench = Bench::empty();
    let target = bench.path("shared.json");
    fs::write(&target, r#"[{"list_id":"a"}]"#).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o664)).unwrap();
    std::os::unix::fs::symlink(&target, bench.path("state.json")).unwrap();
    let state = bench.opened();
    commit(&state, "a", 20).await.unwrap();
    assert!(
        fs::symlink_metadata(bench.path("state.json"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(
        fs::metadata(&target).unwrap().permissions().mode() & 0o777,
        0o664
    );
    assert!(
        fs::read_to_string(&target)
            .unwrap()
            .contains("1970-01-01T00:00:20Z")
    );
}

#[test]
fn a_place_that_cannot_be_a_directory_is_named_in_the_error() {
    let bench = Bench::empty();
    let file = bench.path("file");
    fs::write(&file, "").unwrap();
    let clock: std::sync::Arc<dyn sync_core::Clock> = std::sync::Arc::new(sync_core::SystemClock);
    let error = LocalState::open(&file, &clock).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(
        error.to_string().contains(&file.display().to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn a_damaged_database_is_an_error_and_left_as_it_is() {
    let bench = Bench::empty();
    fs::write(bench.path("state.db"), [b'x'; 8192]).unwrap();
    let error = bench.open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.to_string().contains("state.db is damaged"), "{error}");
    assert_eq!(fs::read(bench.path("state.db")).unwrap(), [b'x'; 8192]);
}

#[tokio::test]
async fn a_database_of_a_later_version_or_of_another_program_is_refused_unchanged() {
    for (pragma, word) in [
        ("user_version = 99", "later version"),
        ("application_id = 7", "not made by"),
    ] {
        let bench = Bench::empty();
        drop(bench.opened());
        let connection = Connection::open(bench.path("state.db")).unwrap();
        connection
            .execute_batch(&format!("PRAGMA {pragma}"))
            .unwrap();
        drop(connection);
        for error in [
            bench.open().unwrap_err(),
            LocalState::read_only(bench.dir.path()).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::State);
            assert!(error.to_string().contains(word), "{error}");
        }
        let connection = Connection::open(bench.path("state.db")).unwrap();
        let (name, value) = pragma.split_once(" = ").unwrap();
        let found: i64 = connection
            .query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
            .unwrap();
        assert_eq!(found.to_string(), value);
    }
}

#[tokio::test]
async fn a_reader_sees_what_the_running_process_commits_and_changes_nothing() {
    let bench = Bench::with(r#"[{"list_id":"a"}]"#);
    let writer = bench.opened();
    commit(&writer, "a", 20).await.unwrap();
    let reader = LocalState::read_only(bench.dir.path()).unwrap();
    let import = ImportId::new("a");
    assert_eq!(
        reader.load(&import).await.unwrap(),
        writer.load(&import).await.unwrap()
    );
    assert_eq!(
        reader.imports()[0].latest_timestamp,
        Some(sync_testkit::time(20))
    );

    commit(&writer, "a", 30).await.unwrap();
    assert_eq!(
        reader.load(&import).await.unwrap(),
        writer.load(&import).await.unwrap()
    );
    assert_eq!(reader.rejected_len(&import).await.unwrap(), 0);
    assert_eq!(reader.runs(None, 5).await.unwrap(), []);

    let scope = import.scope();
    let refused = [
        reader
            .commit(&import, None, super::up_to(1))
            .await
            .map(|_| ())
            .unwrap_err(),
        reader.reset(&import, Reset::Everything).await.unwrap_err(),
        reader
            .mark_seen(&scope, &[Key::new("k")])
            .await
            .unwrap_err(),
        reader.ensure_import("b").await.map(|_| ()).unwrap_err(),
    ];
    for error in refused {
        assert!(error.to_string().contains("reading only"), "{error}");
    }
    assert!(!bench.text().contains('b'));
}

#[tokio::test]
async fn a_reader_of_a_directory_that_is_not_there_finds_nothing_and_makes_nothing() {
    let bench = Bench::empty();
    let dir = bench.path("nowhere");
    let reader = LocalState::read_only(&dir).unwrap();
    assert_eq!(reader.imports(), []);
    assert_eq!(reader.runs(None, 5).await.unwrap(), []);
    assert_eq!(reader.load(&ImportId::new("a")).await.unwrap(), None);
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_directory_whose_first_process_died_before_it_wrote_anything_can_be_looked_at() {
    let bench = Bench::empty();
    let connection = Connection::open(bench.path("state.db")).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode = WAL")
        .unwrap();
    drop(connection);
    let reader = LocalState::read_only(bench.dir.path()).unwrap();
    assert_eq!(reader.runs(None, 5).await.unwrap(), []);
    assert_eq!(reader.load(&ImportId::new("a")).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn controller_quit_asks_to_stop_once() {
    let bench = Bench::empty();
    fs::write(bench.path("controller.quit"), "").unwrap();
    let state = bench.opened();
    assert!(
        state.found_at_open().stale_quit,
        "a request to an earlier process is mentioned"
    );
    assert!(!bench.path("controller.quit").exists(), "and stops nobody");

    let waiting = tokio::spawn({
        let state = state.clone();
        async move { state.quit_requested().await }
    });
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(!waiting.is_finished());
    fs::write(bench.path("controller.quit"), "").unwrap();
    waiting.await.unwrap();
    assert!(
        !bench.path("controller.quit").exists(),
        "the request is taken"
    );
    drop(state);
    assert!(!bench.opened().found_at_open().stale_quit);
}

#[cfg(unix)]
#[tokio::test]
async fn a_reader_that_may_make_no_files_reads_what_is_there() {
    let bench = Bench::empty();
    let clock: std::sync::Arc<dyn sync_core::Clock> = std::sync::Arc::new(sync_core::SystemClock);
    let dir = bench.path("100% state? #1");
    let state = LocalState::open(&dir, &clock).unwrap();
    commit(&state, "a", 20).await.unwrap();
    state.close().await;
    // Stands for a file system that is read-only: the reader's own files cannot be made.
    fs::create_dir(dir.join("state.db-wal")).unwrap();
    let reader = LocalState::read_only(&dir).unwrap();
    assert!(reader.load(&ImportId::new("a")).await.unwrap().is_some());
}
