//! What breaks on the way, and what is in the table afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use sync_core::{ErrorKind, JsonRecord, Retry, Sink};
use sync_postgres::{Host, PostgresSink, PostgresWarehouse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::records::{deliver, record, stream};
use crate::server::{Cluster, Place};

fn versions(keys: &[&str], version: u32) -> Vec<JsonRecord> {
    let members = stream("members");
    keys.iter()
        .map(|key| record(&members, key, &json!({ "version": version })))
        .collect()
}

async fn stored(place: &Place) -> String {
    let sql = "SELECT string_agg(_key || version, ' ' ORDER BY _key) FROM {}";
    place.ask("members", sql).await.unwrap()
}

/// A place whose sessions can be told from those of other tests.
async fn marked(name: &str) -> Option<Place> {
    let mut place = Place::fresh().await?;
    place.settings.application_name = format!("{name} {}", place.settings.schema);
    Some(place)
}

#[tokio::test]
async fn a_session_that_is_ended_in_the_middle_of_a_flush_costs_nothing() {
    let Some(place) = marked("ended").await else {
        return;
    };
    let mut sink = place.sink();
    deliver(&mut sink, versions(&["a", "b"], 1)).await;
    let other = place.another().await;
    let lock = format!("BEGIN; LOCK TABLE {}", place.table("members"));
    other.batch_execute(&lock).await.unwrap();
    sink.write(versions(&["b", "c"], 2)).await.unwrap();
    let flush = tokio::spawn(async move { sink.flush().await });
    let session = place.blocked().await;
    place
        .admin
        .execute("SELECT pg_terminate_backend($1)", &[&session])
        .await
        .unwrap();
    other.batch_execute("COMMIT").await.unwrap();
    flush.await.unwrap().unwrap();
    assert_eq!(stored(&place).await, "a1 b2 c2");
}

#[tokio::test]
async fn a_deadlock_is_resolved_by_sending_again() {
    let Some(place) = marked("deadlock").await else {
        return;
    };
    let mut sink = place.sink();
    deliver(&mut sink, versions(&["a", "b"], 1)).await;
    let other = place.another().await;
    let update = |key: &str| {
        let table = place.table("members");
        format!("UPDATE {table} SET version = 7 WHERE _key = '{key}'")
    };
    // The other session never looks for deadlocks itself, so it is the sink that the server stops.
    let begin = format!("BEGIN; SET LOCAL deadlock_timeout = '1h'; {}", update("b"));
    other.batch_execute(&begin).await.unwrap();
    sink.write(versions(&["a", "b"], 2)).await.unwrap();
    let flush = tokio::spawn(async move { sink.flush().await });
    place.blocked().await;
    other
        .batch_execute(&format!("{}; COMMIT", update("a")))
        .await
        .unwrap();
    flush.await.unwrap().unwrap();
    assert_eq!(stored(&place).await, "a2 b2");
}

#[tokio::test]
async fn a_lock_that_nobody_lets_go_of_ends_the_flush_and_not_the_batch() {
    let Some(mut place) = Place::fresh().await else {
        return;
    };
    place.settings.statement_seconds = 1;
    place.settings.retry_seconds = 0;
    let mut sink = place.sink();
    deliver(&mut sink, versions(&["a"], 1)).await;
    let other = place.another().await;
    let lock = format!("BEGIN; LOCK TABLE {}", place.table("members"));
    other.batch_execute(&lock).await.unwrap();
    sink.write(versions(&["b"], 2)).await.unwrap();
    let error = sink.flush().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(error.retry(), Retry::Exhausted);
    assert!(error.to_string().contains("55P03"), "{error}");
    other.batch_execute("COMMIT").await.unwrap();
    sink.flush().await.unwrap();
    assert_eq!(stored(&place).await, "a1 b2");
}

#[tokio::test]
async fn a_server_that_is_started_again_gets_what_was_not_flushed() {
    let Some(mut cluster) = Cluster::start() else {
        println!("skipped: no programs of a server");
        return;
    };
    let mut place = Place::at(&cluster.url()).await;
    place.settings.batch_records = 10;
    let mut sink = place.sink();
    deliver(&mut sink, versions(&["a", "b"], 1)).await;
    sink.write(versions(&["b", "c"], 2)).await.unwrap();
    cluster.stop_server();
    let flush = tokio::spawn(async move {
        sink.flush().await.unwrap();
        sink
    });
    let cluster = tokio::task::spawn_blocking(move || {
        cluster.start_server();
        cluster
    })
    .await
    .unwrap();
    let mut sink = flush.await.unwrap();
    let place = Place {
        admin: Place::at(&cluster.url()).await.admin,
        ..place
    };
    assert_eq!(stored(&place).await, "a1 b2 c2");
    deliver(&mut sink, versions(&["d"], 3)).await;
    assert_eq!(stored(&place).await, "a1 b2 c2 d3");
}

#[tokio::test]
async fn a_server_that_stays_away_is_an_error_and_nothing_is_forgotten() {
    let Some(mut cluster) = Cluster::start() else {
        println!("skipped: no programs of a server");
        return;
    };
    let mut place = Place::at(&cluster.url()).await;
    place.settings.retry_seconds = 0;
    let mut sink = place.sink();
    deliver(&mut sink, versions(&["a"], 1)).await;
    sink.write(versions(&["b"], 2)).await.unwrap();
    cluster.stop_server();
    // The first finds the session broken, the second finds nobody to talk to.
    for _ in 0..2 {
        let error = sink.flush().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert_eq!(error.retry(), Retry::Exhausted);
    }
    cluster.start_server();
    sink.flush().await.unwrap();
    let place = Place {
        admin: Place::at(&cluster.url()).await.admin,
        ..place
    };
    assert_eq!(stored(&place).await, "a1 b2");
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_sent_again() {
    let Some(place) = marked("answer").await else {
        return;
    };
    let cutter = Cutter::before(&place, When::CommitIsAnswered).await;
    let mut sink = cutter.sink(&place);
    deliver(&mut sink, versions(&["a", "b"], 1)).await;
    cutter.arm();
    deliver(&mut sink, versions(&["b", "c"], 2)).await;
    assert_eq!(cutter.cuts(), 1, "the connection was cut");
    assert_eq!(stored(&place).await, "a1 b2 c2");
}

#[tokio::test]
async fn a_table_whose_making_got_no_answer_is_found_again() {
    let Some(place) = marked("making").await else {
        return;
    };
    let cutter = Cutter::before(&place, When::CommitIsAnswered).await;
    let mut sink = cutter.sink(&place);
    cutter.arm();
    deliver(&mut sink, versions(&["a"], 1)).await;
    assert_eq!(cutter.cuts(), 1);
    assert_eq!(stored(&place).await, "a1");
}

#[tokio::test]
async fn a_commit_that_never_arrives_is_sent_again() {
    let Some(place) = marked("commit").await else {
        return;
    };
    let cutter = Cutter::before(&place, When::CommitArrives).await;
    let mut sink = cutter.sink(&place);
    cutter.arm();
    deliver(&mut sink, versions(&["a", "b"], 1)).await;
    assert_eq!(cutter.cuts(), 1);
    assert_eq!(stored(&place).await, "a1 b1");
}

#[tokio::test]
async fn the_next_host_takes_over_from_one_that_is_gone() {
    let Some(place) = marked("hosts").await else {
        return;
    };
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let mut settings = place.settings.clone();
    settings.hosts.insert(0, Host::new("127.0.0.1", port));
    let mut sink = PostgresWarehouse::new(settings).unwrap().sink();
    sink.check().await.unwrap();
    deliver(&mut sink, versions(&["a"], 1)).await;
    assert_eq!(stored(&place).await, "a1");
}

#[tokio::test]
async fn a_standby_gets_the_rows_once_it_is_promoted() {
    let Some(mut primary) = Cluster::start() else {
        println!("skipped: no programs of a server");
        return;
    };
    let mut standby = primary.standby();
    let mut place = Place::at(&primary.url()).await;
    place.settings.hosts = vec![standby.host(), primary.host()];
    let mut sink = place.sink();
    // The standby comes first and is passed over.
    deliver(&mut sink, versions(&["a", "b"], 1)).await;
    assert_eq!(stored(&place).await, "a1 b1");
    let written = place.ask("", "SELECT pg_current_wal_lsn()").await.unwrap();
    let place = Place {
        admin: Place::at(&standby.url()).await.admin,
        ..place
    };
    let repeated = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
    while place.ask("", &repeated).await.as_deref() != Some("true") {}

    primary.stop_server();
    sink.write(versions(&["b", "c"], 2)).await.unwrap();
    let flush = tokio::spawn(async move { sink.flush().await });
    // Kept until the end: the server ends with it.
    let _standby = tokio::task::spawn_blocking(move || {
        standby.promote();
        standby
    })
    .await
    .unwrap();
    flush.await.unwrap().unwrap();
    assert_eq!(stored(&place).await, "a1 b2 c2");
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_not_written_to() {
    let Some(mut cluster) = Cluster::start() else {
        println!("skipped: no programs of a server");
        return;
    };
    let mut place = Place::at(&cluster.url()).await;
    place.settings.retry_seconds = 0;
    let mut sink = place.sink();
    deliver(&mut sink, versions(&["a"], 1)).await;
    place
        .admin
        .batch_execute("ALTER SYSTEM SET default_transaction_read_only = on")
        .await
        .unwrap();
    cluster.stop_server();
    cluster.start_server();
    let error = place.sink().check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("takes writes"), "{error}");
}

#[tokio::test]
async fn what_a_flush_reported_outlives_a_crash_also_where_commits_are_not_waited_for() {
    let Some(place) = Place::fresh().await else {
        return;
    };
    let mut sink = place.sink();
    deliver(&mut sink, versions(&["a"], 1)).await;
    // What the transaction that writes a row has chosen.
    let role = place.settings.schema.replace(' ', "_");
    let sql = format!(
        "CREATE FUNCTION \"{schema}\".seen() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN NEW._seen = current_setting('synchronous_commit'); RETURN NEW; END $$; \
         ALTER TABLE {{}} ADD COLUMN _seen text; \
         CREATE TRIGGER seen BEFORE INSERT OR UPDATE ON {{}} FOR EACH ROW EXECUTE FUNCTION \"{schema}\".seen(); \
         CREATE ROLE {role} LOGIN SUPERUSER; ALTER ROLE {role} SET synchronous_commit = off",
        schema = place.settings.schema
    );
    place.run("members", &sql).await;
    let mut settings = place.settings.clone();
    settings.user = role;
    let mut sink = PostgresWarehouse::new(settings).unwrap().sink();
    deliver(&mut sink, versions(&["a"], 2)).await;
    assert_eq!(
        place
            .ask("members", "SELECT _seen FROM {}")
            .await
            .as_deref(),
        Some("on")
    );
}

/// Where a connection is cut.
#[derive(Clone, Copy)]
enum When {
    /// The server never sees the `COMMIT`.
    CommitArrives,
    /// The server did it, and its answer is lost.
    CommitIsAnswered,
}

/// Stands between a sink and its server. Once [armed](Cutter::arm), it cuts one connection.
struct Cutter {
    port: u16,
    armed: Arc<AtomicBool>,
    cuts: Arc<AtomicUsize>,
}

impl Cutter {
    async fn before(place: &Place, when: When) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let cutter = Self {
            port: listener.local_addr().unwrap().port(),
            armed: Arc::default(),
            cuts: Arc::default(),
        };
        let host = place.settings.hosts[0].clone();
        let (armed, cuts) = (cutter.armed.clone(), cutter.cuts.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect((&*host.name, host.port)).await.unwrap();
                tokio::spawn(carry(client, server, when, armed.clone(), cuts.clone()));
            }
        });
        cutter
    }

    fn sink(&self, place: &Place) -> PostgresSink {
        let mut settings = place.settings.clone();
        settings.hosts = vec![Host::new("127.0.0.1", self.port)];
        PostgresWarehouse::new(settings).unwrap().sink()
    }

    fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

/// Carries bytes both ways until a side ends or the connection is cut.
async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    when: When,
    armed: Arc<AtomicBool>,
    cuts: Arc<AtomicUsize>,
) {
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
                let sent = &up[..length];
                let commits = sent.windows(7).any(|part| part == b"COMMIT\0");
                let cut = commits && armed.swap(false, Ordering::SeqCst);
                if cut {
                    cuts.fetch_add(1, Ordering::SeqCst);
                    if matches!(when, When::CommitIsAnswered) {
                        server.write_all(sent).await.unwrap();
                        // All that the server still had to say was this answer.
                        let answer = server.read(&mut down).await.unwrap();
                        assert!(down[..answer].windows(7).any(|part| part == b"COMMIT\0"));
                    }
                    return;
                }
                if server.write_all(sent).await.is_err() { return }
            }
            read = server.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&down[..length]).await.is_err() { return }
            }
        }
    }
}
