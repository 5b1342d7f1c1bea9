//! Loads made-up members and tells what it took: how many statements, how many bytes, how long.
//!
//!     .ci/services/fakesnow 18099
//!     cargo run --release -p sync-snowflake --example load -- http://127.0.0.1:18099 100000
//!
//! A counting gateway stands between sink and server. Against the server for tests the time says what our side costs and
//! nothing about Snowflake; statements and bytes are the same there.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use secrecy::SecretString;
use serde_json::json;
use sync_core::{JsonRecord, Key, Sink, Stream, SystemClock};
use sync_snowflake::{Credential, SnowflakeSettings, SnowflakeWarehouse};

type Failure = Box<dyn std::error::Error>;

/// What the engine commits after, unless it is told otherwise.
const FLUSH_AFTER: u32 = 20_000;
/// What a page of the API holds.
const PAGE: u32 = 1000;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(members)) = (arguments.next(), arguments.next()) else {
        return Err("usage: load URL MEMBERS".into());
    };
    let members: u32 = members.parse()?;
    let counted = Arc::new(Counted::default());
    let mut settings = SnowflakeSettings::new("acc", "loader", "load");
    settings.url = Some(counted.clone().serve(&url)?.parse()?);
    let password = Credential::Password(SecretString::from(""));
    let warehouse = SnowflakeWarehouse::new(settings, password, Arc::new(SystemClock))?;
    let mut sink = warehouse.sink();
    let stream = Arc::new(Stream::new("members"));
    let started = Instant::now();
    let mut json = 0;
    for first in (0..members).step_by(PAGE as usize) {
        let page: Vec<JsonRecord> = (first..members.min(first + PAGE))
            .map(|n| member(&stream, n))
            .collect();
        json += page.iter().map(|record| record.data.len()).sum::<usize>();
        sink.write(page).await?;
        if (first + PAGE).is_multiple_of(FLUSH_AFTER) {
            sink.flush().await?;
        }
    }
    sink.flush().await?;
    let megabytes = |bytes: f64| bytes / 1e6;
    println!(
        "{members} members, {:.1} MB of JSON: {} statements, {:.1} MB sent, largest {:.2} MB, {:.1} s",
        megabytes(json as f64),
        counted.requests.load(Ordering::Relaxed),
        megabytes(counted.bytes.load(Ordering::Relaxed) as f64),
        megabytes(counted.largest.load(Ordering::Relaxed) as f64),
        started.elapsed().as_secs_f64(),
    );
    Ok(())
}

/// A member with the fields and about the size that the API gives.
fn member(stream: &Arc<Stream>, n: u32) -> JsonRecord {
    let id = format!(
        "{:032x}",
        u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    );
    let word = |of: u32| format!("{:x}", n.wrapping_mul(of) ^ of);
    let data = json!({
        "id": id, "email_address": format!("{}.{n}@example.com", word(0x9e37_79b1)),
        "unique_email_id": word(0x85eb_ca6b), "contact_id": id, "full_name": format!("Ada {}", word(0xc2b2_ae35)),
        "web_id": n, "email_type": "html", "status": "subscribed", "consents_to_one_to_one_messaging": true,
        "sms_phone_number": "", "sms_subscription_status": "", "sms_subscription_last_updated": "",
        "merge_fields": {
            "FNAME": "Ada", "LNAME": word(0x27d4_eb2f), "PHONE": "", "BIRTHDAY": "01/02",
            "ADDRESS": {"addr1": format!("{} Long Street", n % 900), "addr2": "", "city": "London", "state": "",
                        "zip": word(0x1656_67b1), "country": "GB"},
        },
        "interests": {"9143cf3bd1": true, "3a2a927344": false, "f9c8f5f0ff": n.is_multiple_of(3)},
        "stats": {"avg_open_rate": f64::from(n % 100) / 100.0, "avg_click_rate": f64::from(n % 17) / 100.0,
                  "ecommerce_data": {"total_revenue": 0, "number_of_orders": 0, "currency_code": "GBP"}},
        "ip_signup": "", "timestamp_signup": "", "ip_opt": format!("198.51.100.{}", n % 250),
        "timestamp_opt": "2023-04-05T06:07:08+00:00", "member_rating": n % 5, "last_changed": "2024-01-02T03:04:05+00:00",
        "language": "en", "vip": false, "email_client": "",
        "location": {"latitude": 51.5, "longitude": -0.1, "gmtoff": 0, "dstoff": 0, "country_code": "GB",
                     "timezone": "Europe/London", "region": "eng"},
        "marketing_permissions": [{"marketing_permission_id": "46a0b9d3c1", "text": "Email", "enabled": true}],
        "source": "API - Generic", "tags_count": 2, "tags": [{"id": 1, "name": "vip"}, {"id": n % 7, "name": "shop"}],
        "list_id": "57afe96172",
    });
    JsonRecord {
        stream: stream.clone(),
        key: Key::new(id),
        data: Bytes::from(data.to_string()),
        removed: false,
    }
}

/// Counts requests with statements, and what their bodies hold.
#[derive(Default)]
struct Counted {
    requests: AtomicU64,
    bytes: AtomicU64,
    largest: AtomicU64,
}

impl Counted {
    /// Passes everything on to `target`, from the address it returns.
    fn serve(self: Arc<Self>, target: &str) -> Result<String, Failure> {
        let target = target
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = format!("http://{}", listener.local_addr()?);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A client that goes away in the middle is seen on its own side.
                let _ = self.pass(client, &target);
            }
        });
        Ok(address)
    }

    /// One request a connection.
    fn pass(&self, mut client: TcpStream, target: &str) -> std::io::Result<()> {
        let mut request = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        let (head, length) = loop {
            let read = client.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            request.extend_from_slice(&buffer[..read]);
            let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            break (end, length);
        };
        while request.len() < head + 4 + length {
            let read = client.read(&mut buffer)?;
            request.extend_from_slice(&buffer[..read]);
        }
        if request.starts_with(b"POST /queries/") {
            self.requests.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(length as u64, Ordering::Relaxed);
            self.largest.fetch_max(length as u64, Ordering::Relaxed);
        }
        let mut server = TcpStream::connect(target)?;
        let text = String::from_utf8_lossy(&request[..head]).into_owned();
        server.write_all(format!("{text}\r\nconnection: close\r\n\r\n").as_bytes())?;
        server.write_all(&request[head + 4..])?;
        std::io::copy(&mut server, &mut client)?;
        Ok(())
    }
}
