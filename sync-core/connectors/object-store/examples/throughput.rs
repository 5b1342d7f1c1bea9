//! What it costs to write a million members into files, and to compact them: records a second, bytes, and the most memory
//! that the process ever held. Run with
//! `cargo run --release -p sync-object-store --example throughput -- FORMAT [RECORDS] [PLACE]`, where `FORMAT` is `parquet`,
//! `jsonl`, `jsonl.gz`, `jsonl.zst`, or `core` for the sink of JSON lines that `sync-core` has.

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use sync_core::{FieldType, JsonRecord, JsonlSink, JsonlTarget, Key, Sink, Stream, SystemClock};
use sync_object_store::{Compactor, FileSettings, FileSink, Place, StoreSettings};

/// Records a flush, as many as the engine takes by default.
const INTERVAL: u64 = 20_000;
/// Records a write, as many as a page of the source has.
const PAGE: u64 = 1_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let format = arguments.next().unwrap_or_else(|| "parquet".to_owned());
    let records: u64 = arguments
        .next()
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let scratch = tempfile::tempdir_in(".")?;
    let url = arguments
        .next()
        .unwrap_or_else(|| format!("files:{}", scratch.path().display()));
    let stream = Arc::new(stream());
    let clock = Arc::new(SystemClock);
    if format == "core" {
        let target = JsonlTarget::Directory(scratch.path().to_owned());
        return write(JsonlSink::new(target), &stream, records).await;
    }
    let settings = FileSettings {
        format: format.parse()?,
        keep_replaced: Duration::ZERO,
        ..FileSettings::default()
    };
    let place = Place::open(&url, &StoreSettings::default())?;
    let sink = FileSink::new(place.clone(), settings.clone(), clock.clone());
    write(sink, &stream, records).await?;
    println!("{} MiB of files", size(scratch.path())? >> 20);
    let started = Instant::now();
    let done = Compactor::new(place, settings, clock)
        .compact(&stream)
        .await?;
    report("compacted", done.rows_read, started);
    println!("{} MiB in one file", size(scratch.path())? >> 20);
    Ok(())
}

async fn write(
    mut sink: impl Sink<JsonRecord>,
    stream: &Arc<Stream>,
    records: u64,
) -> Result<(), Box<dyn Error>> {
    let mut spent = Duration::ZERO;
    let mut bytes = 0;
    for first in (0..records).step_by(usize::try_from(PAGE)?) {
        let page: Vec<_> = (first..records.min(first + PAGE))
            .map(|n| member(stream, n))
            .collect();
        bytes += page.iter().map(|record| record.data.len()).sum::<usize>();
        let started = Instant::now();
        sink.write(page).await?;
        if (first + PAGE).is_multiple_of(INTERVAL) {
            sink.flush().await?;
        }
        spent += started.elapsed();
    }
    let started = Instant::now();
    sink.flush().await?;
    spent += started.elapsed();
    println!("{} MiB of records", bytes >> 20);
    report(
        "written",
        records,
        Instant::now().checked_sub(spent).unwrap_or(started),
    );
    Ok(())
}

fn report(what: &str, records: u64, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{records} {what} in {seconds:.1} s, {:.0} a second",
        records as f64 / seconds
    );
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        for line in status.lines().filter(|line| line.starts_with("VmHWM")) {
            println!("{line}");
        }
    }
}

fn size(directory: &std::path::Path) -> std::io::Result<u64> {
    let mut size = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        size += if entry.file_type()?.is_dir() {
            self::size(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(size)
}

/// The fields that a member has in every record.
fn stream() -> Stream {
    Stream::new("members")
        .with("id", FieldType::Text)
        .with("email_address", FieldType::Text)
        .with("web_id", FieldType::Integer)
        .with("status", FieldType::Text)
        .with("stats.avg_open_rate", FieldType::Number)
        .with("stats.avg_click_rate", FieldType::Number)
        .with("timestamp_opt", FieldType::Timestamp)
        .with("last_changed", FieldType::Timestamp)
        .with("vip", FieldType::Boolean)
        .with("location.latitude", FieldType::Number)
        .with("location.longitude", FieldType::Number)
        .with("tags", FieldType::Json)
}

/// A member as the API shapes it, of about one KiB.
fn member(stream: &Arc<Stream>, n: u64) -> JsonRecord {
    let id = format!("{:016x}{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n);
    let data = json!({
        "id": id,
        "email_address": format!("person{n}@example.com"),
        "unique_email_id": format!("{:010x}", n.wrapping_mul(2_654_435_761)),
        "contact_id": id,
        "full_name": format!("Person {n}"),
        "web_id": n,
        "email_type": "html",
        "status": if n.is_multiple_of(9) { "unsubscribed" } else { "subscribed" },
        "consents_to_one_to_one_messaging": true,
        "merge_fields": {
            "FNAME": format!("First{}", n % 5_000), "LNAME": format!("Last{}", n % 20_000),
            "ADDRESS": {"addr1": format!("{} Main Street", n % 300), "addr2": "", "city": "London",
                "state": "", "zip": format!("N{} 1AA", n % 99), "country": "GB"},
            "PHONE": "", "BIRTHDAY": format!("{:02}/{:02}", n % 12 + 1, n % 28 + 1),
        },
        "interests": {"9143cf3bd1": n.is_multiple_of(2), "3a2a927344": n.is_multiple_of(3), "f9c8f5f0ff": false},
        "stats": {"avg_open_rate": (n % 100) as f64 / 100.0, "avg_click_rate": (n % 10) as f64 / 100.0,
            "ecommerce_data": {"total_revenue": (n % 1_000) as f64 * 1.25, "number_of_orders": n % 7, "currency_code": "GBP"}},
        "ip_signup": "", "timestamp_signup": "", "ip_opt": format!("198.51.100.{}", n % 255),
        "timestamp_opt": format!("2024-{:02}-{:02}T10:00:00+00:00", n % 12 + 1, n % 28 + 1),
        "member_rating": n % 5 + 1,
        "last_changed": format!("2026-{:02}-{:02}T{:02}:00:00+00:00", n % 11 + 1, n % 28 + 1, n % 24),
        "language": "en", "vip": false, "email_client": "Gmail",
        "location": {"latitude": 51.5, "longitude": -0.12, "gmtoff": 0, "dstoff": 1,
            "country_code": "GB", "timezone": "Europe/London", "region": "ENG"},
        "source": "Import", "tags_count": 1,
        "tags": [{"id": n % 50, "name": format!("Tag {}", n % 50)}],
        "list_id": "a1b2c3d4e5",
    });
    JsonRecord {
        stream: stream.clone(),
        key: Key::new(id),
        data: Bytes::from(data.to_string()),
        removed: false,
    }
}
