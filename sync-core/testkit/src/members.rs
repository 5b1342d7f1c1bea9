//! Members of an audience, made up as fast as they are asked for: to measure what a sink costs.

use std::sync::Arc;

use bytes::Bytes;
use sync_core::{FieldType, JsonRecord, Key, Result, Sink, Stream};

/// Records an interval, as many as the engine takes by default.
const INTERVAL: u64 = 20_000;
/// Records a write, as many as a page of the source has.
const PAGE: u64 = 1_000;

/// An audience of any size. Its records are of the size and shape of those of the catalogue's stream `members`.
#[derive(Clone, Debug)]
pub struct MadeUpMembers {
    stream: Arc<Stream>,
}

impl Default for MadeUpMembers {
    fn default() -> Self {
        Self { stream: stream() }
    }
}

impl MadeUpMembers {
    /// The stream, with the fields it declares.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// The `n`th member. Another version of it has changed at another time.
    pub fn record(&self, n: u64, version: u64) -> JsonRecord {
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
            stream: self.stream.clone(),
            key: Key::new(format!("8d3a3db4d97663a9074efcc16:57afe96172:{contact}")),
            data: Bytes::from(data),
            removed: false,
        }
    }

    /// Writes the first `members` and flushes, in pages and intervals of the sizes that the engine takes.
    ///
    /// # Errors
    /// What the sink says.
    pub async fn fill(
        &self,
        sink: &mut impl Sink<JsonRecord>,
        members: u64,
        version: u64,
    ) -> Result<()> {
        let mut from = 0;
        while from < members {
            let to = members.min(from + PAGE);
            let page = (from..to).map(|n| self.record(n, version)).collect();
            sink.write(page).await?;
            if to.is_multiple_of(INTERVAL) {
                sink.flush().await?;
            }
            from = to;
        }
        sink.flush().await?;
        Ok(())
    }
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

/// 32 hex digits that look like those of a digest.
fn digest(n: u64) -> String {
    let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let high = x ^ (x >> 27);
    let low = high.wrapping_mul(0x94d0_49bb_1331_11eb);
    format!("{high:016x}{low:016x}")
}
