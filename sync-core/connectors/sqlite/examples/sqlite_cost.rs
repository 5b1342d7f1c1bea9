//! What a warehouse of a million members costs beside the sink of JSON lines: time, processor, bytes written, disk. Run with
//! `cargo run --release -p sync-sqlite --example sqlite_cost [MEMBERS]`. Processor and bytes are Linux's count.

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sync_core::{FieldType, JsonRecord, JsonlSink, JsonlTarget, Key, Sink, Stream, SystemClock};
use sync_sqlite::SqliteWarehouse;

/// Records an interval, as many as the engine takes by default.
const INTERVAL: u64 = 20_000;
/// Records a write, as many as a page of the source has.
const PAGE: u64 = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let members: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let dir = tempfile::tempdir_in(".")?;
    let stream = stream();
    println!(
        "{members} members, {} bytes each, {} declared columns",
        member(&stream, 0, 0).data.len(),
        stream.fields().len()
    );

    let before = Cost::now();
    for n in 0..members {
        std::hint::black_box(member(&stream, n, 0));
    }
    let making = before.since();

    let lines = dir.path().join("lines");
    let mut sink = JsonlSink::new(JsonlTarget::Directory(lines.clone()));
    let before = Cost::now();
    fill(&mut sink, &stream, members, 0).await?;
    let of_lines = report("JSON lines", members, &before.since().less(&making), &lines);

    let file = dir.path().join("warehouse");
    fs::create_dir(&file)?;
    let warehouse = SqliteWarehouse::open(file.join("warehouse.db"), Arc::new(SystemClock))?;
    for (pass, version) in [("first load", 0), ("all changed", 1)] {
        let mut sink = warehouse.sink();
        let before = Cost::now();
        fill(&mut sink, &stream, members, version).await?;
        let rate = report(pass, members, &before.since().less(&making), &file);
        println!("  {:.2} of the rate of JSON lines", rate / of_lines);
    }
    let started = Instant::now();
    warehouse.create_views().await?;
    warehouse.close().await;
    println!("closed after {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

async fn fill(
    sink: &mut impl Sink<JsonRecord>,
    stream: &Arc<Stream>,
    members: u64,
    version: u64,
) -> Result<(), Box<dyn Error>> {
    for page in (0..members).step_by(usize::try_from(PAGE)?) {
        let records = page..members.min(page + PAGE);
        sink.write(records.map(|n| member(stream, n, version)).collect())
            .await?;
        if (page + PAGE).is_multiple_of(INTERVAL) {
            sink.flush().await?;
        }
    }
    sink.flush().await?;
    Ok(())
}

/// What was spent, since the process began or between two moments.
struct Cost {
    at: Instant,
    seconds: f64,
    processor: f64,
    written: f64,
}

impl Cost {
    fn now() -> Self {
        // Fields 14 and 15: hundredths of a second in the program and in the system.
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let ticks = stat.rsplit(')').next().unwrap_or_default();
        let ticks = ticks.split_whitespace().skip(11).take(2);
        let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        Self {
            at: Instant::now(),
            seconds: 0.0,
            processor: ticks
                .filter_map(|text| text.parse::<f64>().ok())
                .sum::<f64>()
                / 100.0,
            written: written
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
        }
    }

    fn since(&self) -> Self {
        let now = Self::now();
        Self {
            at: now.at,
            seconds: (now.at - self.at).as_secs_f64(),
            processor: now.processor - self.processor,
            written: now.written - self.written,
        }
    }

    fn less(mut self, other: &Self) -> Self {
        self.seconds -= other.seconds;
        self.processor -= other.processor;
        self
    }
}

fn report(what: &str, members: u64, cost: &Cost, dir: &Path) -> f64 {
    let bytes: u64 = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|file| Some(file.ok()?.metadata().ok()?.len()))
        .sum();
    let rate = members as f64 / cost.seconds;
    println!(
        "{what}: {:.1} s, {rate:.0} records/s, {:.1} µs of processor a record, {:.0} MB written, {} MB on disk",
        cost.seconds,
        cost.processor / members as f64 * 1e6,
        cost.written / 1e6,
        bytes / 1_000_000
    );
    rate
}

fn stream() -> Arc<Stream> {
    let texts = [
        "account_id",
        "list_id",
        "id",
        "email_address",
        "unique_email_id",
        "contact_id",
        "full_name",
        "email_type",
        "status",
        "sms_phone_number",
        "sms_subscription_status",
        "ip_signup",
        "ip_opt",
        "language",
        "email_client",
        "location.country_code",
        "location.timezone",
        "location.region",
        "source",
        "unsubscribe_reason",
    ];
    let mut stream = Stream::new("members");
    for text in texts {
        stream = stream.with(text, FieldType::Text);
    }
    for (path, holds) in [
        ("web_id", FieldType::Integer),
        ("consents_to_one_to_one_messaging", FieldType::Boolean),
        ("stats.avg_open_rate", FieldType::Number),
        ("stats.avg_click_rate", FieldType::Number),
        ("timestamp_signup", FieldType::Timestamp),
        ("timestamp_opt", FieldType::Timestamp),
        ("sms_subscription_last_updated", FieldType::Timestamp),
        ("member_rating", FieldType::Integer),
        ("last_changed", FieldType::Timestamp),
        ("vip", FieldType::Boolean),
        ("location.latitude", FieldType::Number),
        ("location.longitude", FieldType::Number),
        ("location.gmtoff", FieldType::Integer),
        ("location.dstoff", FieldType::Integer),
        ("marketing_permissions", FieldType::Json),
        ("tags_count", FieldType::Integer),
        ("tags", FieldType::Json),
    ] {
        stream = stream.with(path, holds);
    }
    Arc::new(stream)
}

fn member(stream: &Arc<Stream>, n: u64, version: u64) -> JsonRecord {
    let (id, contact) = (digest(n), digest(n ^ 0x5555_5555));
    let second = n % 60;
    let merge = format!(
        r#"{{"FNAME":"Anna{n}","LNAME":"Müller-{n}","ADDRESS":{{"addr1":"Main street {n}","addr2":"","city":"Berlin","state":"BE","zip":"10115","country":"DE"}},"PHONE":"+49 30 {n}","BIRTHDAY":"11/21","COMPANY":"","POINTS":{n},"SIZE":"M","STORE":"Mitte","NOTE":""}}"#
    );
    let by_id = format!(
        r#"{{"1":"Anna{n}","2":"Müller-{n}","3":{{"addr1":"Main street {n}","addr2":"","city":"Berlin","state":"BE","zip":"10115","country":"DE"}},"4":"+49 30 {n}","5":"11/21","6":"","7":{n},"8":"M","9":"Mitte","10":""}}"#
    );
    let data = format!(
        r#"{{"account_id":"8d3a3db4d97663a9074efcc16","id":"{id}","email_address":"anna.mueller.{n}@mail{second}.net","unique_email_id":"{short}","contact_id":"{contact}","full_name":"Anna{n} Müller-{n}","web_id":{web},"email_type":"html","status":"subscribed","consents_to_one_to_one_messaging":true,"sms_phone_number":"","sms_subscription_status":"","sms_subscription_last_updated":"","merge_fields":{merge},"interests":{{"a1b2c3d4e5":true,"b2c3d4e5f6":false,"c3d4e5f6a7":{odd},"d4e5f6a7b8":false}},"stats":{{"avg_open_rate":0.{second:02}5,"avg_click_rate":0.0{second:02}}},"ip_signup":"","timestamp_signup":"","ip_opt":"203.0.113.{second}","timestamp_opt":"2024-03-0{day}T10:{second:02}:00+00:00","member_rating":{rating},"last_changed":"2026-11-2{day}T10:{second:02}:0{version}+00:00","language":"de","vip":false,"email_client":"Apple Mail","location":{{"latitude":52.{second:02},"longitude":13.{second:02},"gmtoff":1,"dstoff":2,"country_code":"DE","timezone":"Europe/Berlin","region":"BE"}},"source":"API - Generic","tags_count":2,"tags":[{{"id":11{second},"name":"customer"}},{{"id":12,"name":"newsletter"}}],"list_id":"57afe96172","merge":{by_id}}}"#,
        short = &id[..10],
        web = 400_000_000 + n,
        odd = n.is_multiple_of(2),
        day = n % 9 + 1,
        rating = n % 5 + 1,
    );
    JsonRecord {
        stream: stream.clone(),
        key: Key::new(format!("8d3a3db4d97663a9074efcc16:57afe96172:{contact}")),
        data: Bytes::from(data),
        removed: false,
    }
}

/// 32 hex digits that look like those of a digest.
fn digest(n: u64) -> String {
    let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let high = x ^ (x >> 27);
    let low = high.wrapping_mul(0x94d0_49bb_1331_11eb);
    format!("{high:016x}{low:016x}")
}
