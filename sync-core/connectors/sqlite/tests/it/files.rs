//! Files that are not as they should be.

use std::fs;
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::json;
use sync_core::{ErrorKind, Readback, Sink, Stream};
use sync_sqlite::{SqliteReadback, SqliteWarehouse};

use crate::bench::{Bench, clock, record};

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_and_its_companions_are_for_their_owner() {
    use std::os::unix::fs::PermissionsExt;

    let bench = Bench::new();
    let things = Arc::new(Stream::new("things"));
    let mut sink = bench.warehouse.sink();
    let records = vec![record(&things, "a", &json!({"id": 1}))];
    sink.write(records).await.expect("write");
    sink.flush().await.expect("flush");
    let mut files = 0;
    for file in fs::read_dir(bench.dir()).expect("a directory") {
        let file = file.expect("a file");
        let mode = file.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.path());
        files += 1;
    }
    assert_eq!(files, 3, "the file, and two that SQLite keeps beside it");
    bench.warehouse.close().await;
    let left = fs::read_dir(bench.dir()).expect("a directory").count();
    assert_eq!(left, 1, "a closed warehouse is one file");
}

#[test]
fn what_is_no_warehouse_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().expect("a directory");
    let open = |name: &str| SqliteWarehouse::open(dir.path().join(name), clock());

    fs::write(dir.path().join("notes.txt"), "not a database ".repeat(100)).expect("write");
    let error = open("notes.txt").expect_err("no database");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("no SQLite database"), "{error}");

    let other = Connection::open(dir.path().join("other.db")).expect("a database");
    other
        .execute_batch("CREATE TABLE imports (id TEXT); PRAGMA user_version = 1;")
        .expect("a schema");
    let before = fs::read(dir.path().join("other.db")).expect("read");
    let error = open("other.db").expect_err("another program's");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(fs::read(dir.path().join("other.db")).expect("read"), before);

    drop(open("later.db").expect("a warehouse"));
    let later = Connection::open(dir.path().join("later.db")).expect("a database");
    later
        .pragma_update(None, "user_version", 99)
        .expect("a version");
    let error = open("later.db").expect_err("a later version");
    assert!(error.to_string().contains("later version"), "{error}");

    let error = open("no/such/directory.db").expect_err("no directory");
    assert_eq!(error.kind(), ErrorKind::State);
    let error = open(".").expect_err("a directory");
    assert!(error.to_string().contains("directory"), "{error}");
}

#[tokio::test]
async fn a_damaged_file_is_an_error_that_says_so() {
    let bench = Bench::new();
    let things = Arc::new(Stream::new("things"));
    let mut sink = bench.warehouse.sink();
    let records = (0..500).map(|n| record(&things, &n.to_string(), &json!({"id": n})));
    sink.write(records.collect()).await.expect("write");
    sink.flush().await.expect("flush");
    bench.warehouse.close().await;
    let mut bytes = fs::read(bench.path()).expect("read");
    let length = bytes.len();
    bytes[16384..length].fill(0x5a);
    fs::write(bench.path(), bytes).expect("write");

    let warehouse = SqliteWarehouse::open(bench.path(), clock()).map(|open| open.sink());
    let error = match warehouse {
        Err(error) => error,
        Ok(mut sink) => {
            let records = vec![record(&things, "a", &json!({"id": 1}))];
            sink.write(records).await.expect("write");
            sink.flush().await.expect_err("damaged")
        }
    };
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.to_string().contains("damaged"), "{error}");
}

#[tokio::test]
async fn a_table_that_no_sink_made_is_left_alone() {
    let bench = Bench::new();
    let look = bench.look();
    look.execute_batch("CREATE TABLE things (id TEXT); INSERT INTO things VALUES ('mine')")
        .expect("a table");
    let (things, others) = (
        Arc::new(Stream::new("things")),
        Arc::new(Stream::new("others")),
    );
    let mut sink = bench.warehouse.sink();
    let both = || {
        vec![
            record(&others, "a", &json!({"id": 1})),
            record(&things, "a", &json!({"id": 1})),
        ]
    };
    sink.write(both()).await.expect("write");
    let error = sink.flush().await.expect_err("a foreign table");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error
            .context()
            .any(|(name, value)| (name, value) == ("table", "things"))
    );
    sink.abort().await;
    let count: i64 = look
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name = 'others'",
            [],
            |row| row.get(0),
        )
        .expect("a count");
    assert_eq!(count, 0, "a transaction that failed leaves nothing");

    look.execute_batch("ALTER TABLE things RENAME TO my_things")
        .expect("a rename");
    sink.write(both()).await.expect("write");
    sink.flush().await.expect("what stood in the way is gone");
}

/// Root may write to what is read-only.
#[cfg(unix)]
#[tokio::test]
async fn a_file_that_may_not_be_written_is_an_error() {
    use std::os::unix::fs::PermissionsExt;

    let bench = Bench::new();
    bench.warehouse.close().await;
    fs::set_permissions(bench.path(), fs::Permissions::from_mode(0o400)).expect("permissions");
    let may_write_all = fs::OpenOptions::new()
        .append(true)
        .open(bench.path())
        .is_ok();
    let opened = SqliteWarehouse::open(bench.path(), clock());
    if !may_write_all {
        let error = opened.expect_err("read-only");
        assert_eq!(error.kind(), ErrorKind::State);
        assert!(error.to_string().contains("access"), "{error}");
    }
}

#[tokio::test]
async fn reading_needs_a_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("none.db");
    let error = SqliteReadback::new(&path)
        .keys(&Stream::new("things"), None, 1)
        .await
        .expect_err("no file");
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(!path.exists(), "reading makes no file");
}

#[tokio::test]
async fn a_closed_warehouse_says_so() {
    let bench = Bench::new();
    let mut sink = bench.warehouse.sink();
    sink.check().await.expect("open");
    bench.warehouse.close().await;
    assert!(sink.check().await.is_err());
    let things = Arc::new(Stream::new("things"));
    sink.write(vec![record(&things, "a", &json!({}))])
        .await
        .expect("gathered only");
    let error = sink.flush().await.expect_err("closed");
    assert!(error.to_string().contains("closed"), "{error}");
    assert!(bench.warehouse.create_views().await.is_err());
}
