//! What a warehouse of a million members costs: time at this computer and at the server. Run with
//! `cargo run --release -p sync-postgres --example postgres_cost URL [MEMBERS]`. It fills the schema that the URL names, and
//! leaves it there.

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sync_core::{FieldType, JsonRecord, Key, Sink, Stream};
use sync_postgres::{PostgresSettings, PostgresWarehouse};

/// Records an interval, as many as the engine takes by default.
const INTERVAL: u64 = 20_000;
/// Records a write, as many as a page of the source has.
const PAGE: u64 = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("the URL of a database is missing")?;
    let members: u64 = arguments
        .next()
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let warehouse = PostgresWarehouse::new(PostgresSettings::from_url(&url)?)?;
    let stream = stream();
    println!(
        "{members} members, {} bytes each, {} declared columns",
        member(&stream, 0, 0).data.len(),
        stream.fields().len()
    );
    warehouse.sink().check().await?;
    for (pass, version) in [("first load", 0), ("all changed", 1)] {
        let mut sink = warehouse.sink();
        let started = Instant::now();
        for page in (0..members).step_by(usize::try_from(PAGE)?) {
            let records = page..members.min(page + PAGE);
            sink.write(records.map(|n| member(&stream, n, version)).collect())
                .await?;
            if (page + PAGE).is_multiple_of(INTERVAL) {
                sink.flush().await?;
            }
        }
        sink.flush().await?;
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{pass}: {seconds:.1} s, {:.0} records/s",
            members as f64 / seconds
        );
    }
    Ok(())
}

fn stream() -> Arc<Stream> {
    let mut stream = Stream::new("members");
    for text in [
        "account_id",
        "list_id",
        "id",
        "email_address",
        "unique_email_id",
        "contact_id",
        "full_name",
        "email_type",
        "status",
        "ip_signup",
        "ip_opt",
        "language",
        "email_client",
        "source",
        "location.country_code",
        "location.timezone",
    ] {
        stream = stream.with(text, FieldType::Text);
    }
    for (path, holds) in [
        ("web_id", FieldType::Integer),
        ("vip", FieldType::Boolean),
        ("member_rating", FieldType::Integer),
        ("stats.avg_open_rate", FieldType::Number),
        ("stats.avg_click_rate", FieldType::Number),
        ("timestamp_signup", FieldType::Timestamp),
        ("timestamp_opt", FieldType::Timestamp),
        ("last_changed", FieldType::Timestamp),
        ("location.latitude", FieldType::Number),
        ("location.longitude", FieldType::Number),
        ("tags_count", FieldType::Integer),
        ("tags", FieldType::Json),
    ] {
        stream = stream.with(path, holds);
    }
    Arc::new(stream)
}

fn member(stream: &Arc<Stream>, n: u64, version: u64) -> JsonRecord {
    let (id, contact) = (digest(n), digest(n ^ 0x5555_5555));
    let (second, day) = (n % 60, n % 9 + 1);
    let merge_fields = format!(
        r#"{{"FNAME":"Anna{n}","LNAME":"Müller-{n}","ADDRESS":{{"addr1":"Main street {n}","addr2":"","city":"Berlin","zip":"10115","country":"DE"}},"PHONE":"+49 30 {n}","BIRTHDAY":"11/21","COMPANY":"","POINTS":{n},"SIZE":"M","STORE":"Mitte"}}"#
    );
    let data = format!(
        r#"{{"account_id":"8d3a3db4d97663a9074efcc16","list_id":"57afe96172","id":"{id}","email_address":"anna.{n}@mail{second}.example.net","unique_email_id":"{short}","contact_id":"{contact}","full_name":"Anna{n} Müller-{n}","web_id":{web},"email_type":"html","status":"subscribed","merge_fields":{merge_fields},"interests":{{"a1b2c3d4e5":true,"b2c3d4e5f6":false,"c3d4e5f6a7":{odd}}},"stats":{{"avg_open_rate":0.{second:02}5,"avg_click_rate":0.0{second:02}}},"ip_signup":"","timestamp_signup":"","ip_opt":"203.0.113.{second}","timestamp_opt":"2024-03-0{day}T10:{second:02}:00+00:00","member_rating":{rating},"last_changed":"2026-11-2{day}T10:{second:02}:0{version}+00:00","language":"de","vip":false,"email_client":"Apple Mail","location":{{"latitude":52.{second:02},"longitude":13.{second:02},"country_code":"DE","timezone":"Europe/Berlin"}},"source":"API - Generic","tags_count":2,"tags":[{{"id":11{second},"name":"customer"}},{{"id":12,"name":"newsletter"}}]}}"#,
        short = &id[..10],
        web = 400_000_000 + n,
        odd = n.is_multiple_of(2),
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
