//! A whole account into warehouses.

use std::path::Path;

use mailchimp_client::{ExportStage, NewExport};
use mailchimp_simulator::{AccountSpec, Fault, Rule};
use rusqlite::Connection;

use crate::program::Place;
use crate::simulated::{MAILCHIMP_KEY, Simulated};

/// An account with something of everything.
async fn full() -> Simulated {
    let simulated = Simulated::start().await;
    simulated.mailchimp.fill(AccountSpec::full());
    simulated
}

fn database(place: &Place) -> Connection {
    Connection::open(place.path().join("mailchimp.db")).unwrap()
}

fn count(database: &Connection, table: &str) -> i64 {
    let query = format!("SELECT count(*) FROM {table} WHERE _deleted_at IS NULL");
    database.query_row(&query, [], |row| row.get(0)).unwrap()
}

const SQLITE: &[&str] = &["run", "--once", "--sink", "sqlite:mailchimp.db"];

#[tokio::test(flavor = "multi_thread")]
async fn a_key_alone_brings_everything_and_the_second_run_brings_nothing() {
    let simulated = full().await;
    let place = simulated.place();
    let first = place.run(SQLITE);
    assert!(first.with_code(0).contains("default/email_activity"));
    let tables = database(&place);
    assert!(count(&tables, "members") >= 65);
    assert_eq!(count(&tables, "campaigns"), 12);
    assert_eq!(count(&tables, "reports"), 8);
    assert!(count(&tables, "email_activity") > 0);
    assert!(count(&tables, "order_lines") > 0);
    let typed: String = tables
        .query_row("SELECT typeof(emails_sent) FROM reports", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(typed, "integer");
    let by_id: i64 = tables
        .query_row("SELECT count(merge__1) FROM members", [], |row| row.get(0))
        .unwrap();
    assert!(by_id > 0, "merge fields have columns by their id");

    simulated.mailchimp.reset_stats();
    let second = place.run(SQLITE);
    second.with_code(0);
    let requests = simulated.mailchimp.stats();
    let streams = 75;
    assert!(
        requests.total() <= 3 * streams,
        "{} requests: {:?}",
        requests.total(),
        requests.requests
    );
    assert_eq!(count(&tables, "campaigns"), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_names_what_the_warehouse_lacks() {
    let simulated = full().await;
    let place = simulated.place();
    place.run(SQLITE).with_code(0);
    let verify = |streams: &str| {
        place.run(&[
            "verify",
            "--sink",
            "sqlite:mailchimp.db",
            "--streams",
            streams,
        ])
    };
    verify("campaigns,members,email_activity,orders").with_code(0);

    let tables = database(&place);
    let lost: String = tables
        .query_row(
            "DELETE FROM campaigns WHERE _key = (SELECT min(_key) FROM campaigns) RETURNING _key",
            [],
            |row| row.get(0),
        )
        .unwrap();
    tables
        .execute(
            "INSERT INTO orders (_key, _raw, _synced_at) SELECT _key || 'x', _raw, _synced_at FROM orders LIMIT 1",
            [],
        )
        .unwrap();
    drop(tables);
    let found = verify("campaigns,orders");
    let text = found.with_code(3);
    assert!(text.contains(&format!("missing {lost}")), "{text}");
    assert!(text.contains("extra "), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_forbidden_does_not_hold_up_the_others() {
    let simulated = full().await;
    let forbidden = Rule::new(Fault::Forbidden).on("GET /ecommerce/stores");
    simulated.mailchimp.faults().add(forbidden);
    let place = simulated.place();
    let ended = place.run(SQLITE);
    // As with every key that may not do what it should.
    let text = ended.with_code(2);
    assert!(text.contains("default/stores: "), "{text}");
    assert!(text.contains("role is too low"), "{text}");
    let tables = database(&place);
    assert_eq!(count(&tables, "campaigns"), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_chosen_left_out_and_limited() {
    let simulated = full().await;
    let place = simulated.place();
    place
        .run(&[
            "run",
            "--once",
            "--sink",
            "jsonl:out",
            "--streams",
            "campaigns,reports,lists",
            "--exclude",
            "lists",
        ])
        .with_code(0);
    assert_eq!(
        place.read("out/default-campaigns.jsonl").lines().count(),
        12
    );
    assert_eq!(place.read("out/default-reports.jsonl").lines().count(), 8);
    assert!(!place.path().join("out/default-lists.jsonl").exists());

    let mut trial = simulated.place();
    trial.set("SYNC_STREAMS", "campaigns");
    trial
        .run(&[
            "run",
            "--once",
            "--sink",
            "sqlite:mailchimp.db",
            "--limit",
            "5",
        ])
        .with_code(0);
    assert_eq!(count(&database(&trial), "campaigns"), 5);

    let wrong = place.run(&[
        "run",
        "--once",
        "--sink",
        "jsonl:out",
        "--streams",
        "campain",
    ]);
    assert!(wrong.with_code(2).contains("campain"));
    let ometria = place.run(&["run", "--once", "--streams", "campaigns"]);
    assert!(ometria.with_code(2).contains("another sink"));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_accounts_share_tables_and_no_keys() {
    let (one, other) = (full().await, full().await);
    let mut place = one.place();
    place
        .set("MAILCHIMP_API_KEY_BRAND", MAILCHIMP_KEY)
        .set("MAILCHIMP_BASE_URL_BRAND", other.mailchimp_url())
        .set("SYNC_STREAMS", "campaigns,lists");
    let text = place.run(SQLITE);
    assert!(text.with_code(0).contains("brand/campaigns"));
    assert!(count(&database(&place), "campaigns") >= 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_parquet_by_stream_and_day() {
    let simulated = full().await;
    let place = simulated.place();
    place
        .run(&[
            "run",
            "--once",
            "--sink",
            "files:out",
            "--streams",
            "campaigns,orders",
        ])
        .with_code(0);
    for stream in ["campaigns", "orders"] {
        assert_eq!(files_in(&place.path().join("out").join(stream)), 1);
    }
}

/// Parquet files in the folders of days.
fn files_in(stream: &Path) -> usize {
    let days = std::fs::read_dir(stream).unwrap();
    let files = days.flat_map(|day| std::fs::read_dir(day.unwrap().path()).unwrap());
    files
        .filter(|file| {
            let path = file.as_ref().unwrap().path();
            path.extension()
                .is_some_and(|extension| extension == "parquet")
        })
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn views_and_status_show_what_there_is() {
    let simulated = full().await;
    let place = simulated.place();
    place.run(SQLITE).with_code(0);
    let views = place.run(&["views", "--sink", "sqlite:mailchimp.db"]);
    assert!(views.with_code(0).contains("contact"));
    let contacts: i64 = database(&place)
        .query_row("SELECT count(*) FROM contact", [], |row| row.get(0))
        .unwrap();
    assert!(contacts >= 65);
    let status = place.run(&["status"]);
    assert!(status.with_code(0).contains("default/campaigns"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_files_are_copied_once_and_linked_in_their_table() {
    let simulated = full().await;
    let place = simulated.place();
    let run = || {
        let streams = ["--streams", "files", "--copy-files", "files:copies"];
        place.run(&[SQLITE, &streams].concat()).with_code(0)
    };
    run();
    let links = || -> Vec<(String, i64)> {
        let database = database(&place);
        let mut query = database
            .prepare("SELECT copy_url, size FROM files ORDER BY _key")
            .unwrap();
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    };
    let first = links();
    assert!(!first.is_empty());
    for (url, size) in &first {
        let path = url.strip_prefix("file://").unwrap();
        let copy = std::fs::metadata(path).unwrap();
        assert_eq!(i64::try_from(copy.len()).unwrap(), *size);
    }
    let downloads = |simulated: &Simulated| {
        let stats = simulated.mailchimp.stats();
        let of_files = stats.requests.iter();
        let of_files = of_files.filter(|(request, _)| request.contains("file-host"));
        of_files.map(|(_, count)| *count).sum::<u64>()
    };
    assert_eq!(downloads(&simulated), first.len() as u64);
    run();
    assert_eq!(downloads(&simulated), first.len() as u64, "only new ones");
    assert_eq!(links(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn activity_comes_by_batches_when_the_settings_say_so() {
    let simulated = full().await;
    let streams = ["--streams", "email_activity"];
    let by = |settings: &str| {
        let place = simulated.place();
        place.write("sync.toml", settings);
        simulated.mailchimp.reset_stats();
        place.run(&[SQLITE, &streams].concat()).with_code(0);
        let stats = simulated.mailchimp.stats();
        let asked = stats.of("GET /reports/{campaign_id}/email-activity");
        let held = count(&database(&place), "email_activity");
        (stats.of("POST /batches"), asked, held)
    };
    let pages = by("[streams_reading]\nemail_activity_by = \"pages\"\n");
    let batches = by("[streams_reading]\nemail_activity_by = \"batches\"\n");
    let auto = by("[streams_reading]\nbatch_from = 8\n");
    assert_eq!((pages.0, pages.1), (0, 8));
    assert!(pages.2 > 0);
    assert_eq!(batches, (1, 0, pages.2));
    assert_eq!(auto, batches);
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_of_finished_exports_are_kept() {
    let simulated = full().await;
    let client = mailchimp_client::Client::builder(MAILCHIMP_KEY)
        .base_url(simulated.mailchimp_url().parse().unwrap())
        .build()
        .unwrap();
    let export = NewExport {
        include_stages: vec![ExportStage::Audiences],
        ..NewExport::default()
    };
    client.account_exports().create(&export).await.unwrap();
    let place = simulated.place();
    let streams = [
        "--streams",
        "account_exports",
        "--copy-files",
        "files:copies",
    ];
    for _ in 0..2 {
        place.run(&[SQLITE, &streams].concat()).with_code(0);
    }
    let (url, size): (String, i64) = database(&place)
        .query_row(
            "SELECT copy_url, copy_size FROM account_exports",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let copy = std::fs::read(url.strip_prefix("file://").unwrap()).unwrap();
    assert_eq!(i64::try_from(copy.len()).unwrap(), size);
    assert!(copy.starts_with(b"PK"), "it is a zip");
    let stats = simulated.mailchimp.stats();
    assert_eq!(stats.of("GET /account-export-files/{export_id}"), 1);
}

#[test]
fn discover_tells_what_a_stream_is() {
    let place = Place::new();
    let all = place.run(&["discover"]);
    assert!(all.with_code(0).contains("email_activity"));
    let one = place.run(&["discover", "reports", "--json"]);
    let streams: serde_json::Value = serde_json::from_str(&one.stdout).unwrap();
    let schema = &streams[0]["schema"]["properties"]["emails_sent"]["type"];
    assert_eq!(schema[0], "integer");
    place.run(&["discover", "nothing"]).with_code(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_an_audience_that_is_deleted_are_marked() {
    const MEMBERS: &[&str] = &[
        "run",
        "--once",
        "--sink",
        "sqlite:mailchimp.db",
        "--streams",
        "members",
    ];
    let simulated = full().await;
    let place = simulated.place();
    place.run(MEMBERS).with_code(0);
    let tables = database(&place);
    let of = |list_id: &str| -> i64 {
        let query = "SELECT count(*) FROM members WHERE list_id = ?1 AND _deleted_at IS NULL";
        tables
            .query_row(query, [list_id], |row| row.get(0))
            .unwrap()
    };
    let (doomed, other) = ("f0e1d2c3b4", "0000000001");
    let before = (of(doomed), of(other));
    assert!(before.0 > 0 && before.1 > 0, "{before:?}");

    simulated.mailchimp.delete_audience(doomed);
    // A role that may not look is no proof.
    let faults = simulated.mailchimp.faults();
    faults.add(Rule::new(Fault::Forbidden).below(format!("/lists/{doomed}")));
    place.run(MEMBERS).with_code(2);
    assert_eq!((of(doomed), of(other)), before);

    faults.clear();
    place.run(MEMBERS).with_code(0);
    assert_eq!((of(doomed), of(other)), (0, before.1));
    simulated.mailchimp.reset_stats();
    place.run(MEMBERS).with_code(0);
    let asked = simulated.mailchimp.stats().of("GET /lists/{list_id}");
    assert_eq!(asked, 1, "only the audience that is there");
}
