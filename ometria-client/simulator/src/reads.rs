//! Everything that can be read back: profiles, listings, collections, unsubscribes; and writing a single listing.

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use http::Response;
use serde_json::{Map, Value, json};

use crate::account::{Account, Pending};
use crate::consent::Verdict;
use crate::listings::Cluster;
use crate::request::Query;
use crate::response;
use crate::settings::{ErrorBody, LookUp};

impl Account {
    pub(crate) fn profiles(&self, query: &Query) -> Response<Bytes> {
        if let Some(email) = query.get("email") {
            let found = self
                .listings
                .profile(email)
                .map(|(c, v)| self.profile_json(&c, v));
            return match (self.settings.look_up, found) {
                (LookUp::Array, found) => {
                    response::json(200, &found.into_iter().collect::<Vec<_>>().into())
                }
                (LookUp::Object, Some(found)) => response::json(200, &found),
                (LookUp::Object, None) => not_found(),
            };
        }
        let since = query.get("updateSince").and_then(day_or_time);
        let all = (0..self.listings.len()).filter_map(|index| {
            let index = u32::try_from(index).ok()?;
            // Every listing of a profile leads to it; its first one stands for it.
            let stands = self.listings.is_first_of_profile(index);
            (stands && since.is_none_or(|since| self.is_fresh(index, since))).then_some(index)
        });
        let page = query.page(all).into_iter().filter_map(|index| {
            let (cluster, verdict) = self.listings.profile_of(index)?;
            Some(self.profile_json(&cluster, verdict))
        });
        response::json(200, &page.collect::<Vec<_>>().into())
    }

    pub(crate) fn profile(&self, id: &str) -> Response<Bytes> {
        let index = id
            .split('-')
            .next()
            .and_then(|part| u32::from_str_radix(part, 16).ok());
        let found = index.and_then(|index| self.listings.profile_of(index));
        match found.filter(|(cluster, _)| profile_id(cluster) == id) {
            Some((cluster, verdict)) => response::json(200, &self.profile_json(&cluster, verdict)),
            None => not_found(),
        }
    }

    pub(crate) fn collections(&self, query: &Query) -> Response<Bytes> {
        let collections = query.page(self.listings.collections.iter());
        let rows: Vec<Value> = collections
            .iter()
            .map(|found| json!({"collection": found.name, "count": found.members.len()}))
            .collect();
        response::json(200, &rows.into())
    }

    pub(crate) fn collection(&self, name: &str, query: &Query) -> Response<Bytes> {
        let Some(collection) = self.listings.collection(name) else {
            return not_found();
        };
        let page = query.page(collection.members.iter());
        let rows: Vec<Value> = page
            .into_iter()
            .filter_map(|&index| self.listing_json(index))
            .collect();
        response::json(200, &rows.into())
    }

    pub(crate) fn listing(&self, collection: &str, id: &str) -> Response<Bytes> {
        match self
            .listings
            .find(collection, id)
            .and_then(|index| self.listing_json(index))
        {
            Some(listing) => response::json(200, &listing),
            None => not_found(),
        }
    }

    /// One object instead of an array; type, collection and id come from the path.
    pub(crate) fn put_listing(
        &mut self,
        collection: &str,
        id: &str,
        body: &Bytes,
    ) -> Response<Bytes> {
        let Ok(mut record) = serde_json::from_slice::<Map<String, Value>>(body) else {
            let status = self.settings.refuse_status;
            return response::error(status, "the body is not a json object", ErrorBody::Json);
        };
        for (name, value) in [
            ("@type", "contact"),
            ("@collection", collection),
            ("id", id),
        ] {
            record.insert(name.to_owned(), value.into());
        }
        let (request_id, accepted_at) = (self.next_id(), self.now());
        let json = serde_json::to_string(&record).unwrap_or_default().into();
        self.stats.pushed += 1;
        self.stats.accepted += 1;
        self.enqueue(Pending {
            record,
            json,
            request_id: request_id.as_str().into(),
            reject: false,
            accepted_at,
        });
        response::json(
            self.settings.success_status,
            &json!({"status": "OK", "request_id": request_id}),
        )
    }

    pub(crate) fn unsubscribes(&self, query: &Query) -> Response<Bytes> {
        let time = |name| query.get(name).and_then(day_or_time);
        let (since, before, way) = (time("since"), time("before"), query.get("type"));
        let rows = self.unsubscribes.iter().filter(|row| {
            since.is_none_or(|since| row.at >= since)
                && before.is_none_or(|before| row.at < before)
                && way.is_none_or(|way| row.way == way)
        });
        let rows: Vec<Value> = query
            .page(rows)
            .iter()
            .map(|row| {
                let profile = self.listings.profile(&row.email);
                json!({
                    "profile_id": profile.map(|(cluster, _)| profile_id(&cluster)),
                    "email_address": row.email,
                    "type": row.way,
                    "timestamp": row.at.format("%Y-%m-%dT%H:%M:%S").to_string(),
                    "reason": null,
                })
            })
            .collect();
        response::json(200, &rows.into())
    }

    fn profile_json(&self, cluster: &Cluster, verdict: Verdict) -> Value {
        let mut profile = self.listings.profile_fields(cluster);
        for name in [
            "timestamp_acquired",
            "timestamp_subscribed",
            "timestamp_unsubscribed",
        ] {
            profile.remove(name);
        }
        let lists: Vec<Value> = self
            .listings
            .segments_of(cluster)
            .into_iter()
            .map(|id| json!({"id": id, "title": format!("Segment {id}"), "type": "STATIC"}))
            .collect();
        profile.insert("@type".to_owned(), "profile".into());
        profile.insert("id".to_owned(), profile_id(cluster).into());
        profile.insert("marketing_optin".to_owned(), verdict.optin.into());
        profile.insert("lists".to_owned(), lists.into());
        Value::Object(profile)
    }

    fn listing_json(&self, index: u32) -> Option<Value> {
        let listing = self.listings.at(index)?;
        let mut fields = listing.fields();
        fields.remove("@collection");
        let profile = self
            .listings
            .profile_of(index)
            .map(|(cluster, _)| profile_id(&cluster));
        let stamp = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        fields.extend([
            (
                "collection".to_owned(),
                self.listings.collection_name(listing).into(),
            ),
            ("profile_id".to_owned(), profile.into()),
            (
                "dt_object_created".to_owned(),
                stamp(listing.created_at).into(),
            ),
            (
                "dt_object_updated".to_owned(),
                stamp(listing.updated_at).into(),
            ),
        ]);
        Some(Value::Object(fields))
    }

    fn is_fresh(&self, index: u32, since: DateTime<Utc>) -> bool {
        self.listings.profile_of(index).is_some_and(|(cluster, _)| {
            let mut listings = cluster
                .listings
                .iter()
                .filter_map(|&index| self.listings.at(index));
            listings.any(|listing| listing.updated_at >= since)
        })
    }
}

/// Three groups of hexadecimal digits, the first one leading back to the profile's first listing.
fn profile_id(cluster: &Cluster) -> String {
    let first = cluster.listings.first().copied().unwrap_or_default();
    let mixed = u64::from(first)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "{first:08x}-{:04x}-{:08x}",
        mixed >> 48,
        mixed & 0xffff_ffff
    )
}

pub(crate) fn not_found() -> Response<Bytes> {
    response::error(404, "not found", ErrorBody::Json)
}

fn day_or_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim_end_matches('Z');
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok();
    let day = || {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    };
    time.or_else(day).map(|time| time.and_utc())
}
