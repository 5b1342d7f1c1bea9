//! `/data-deletion-requests`: asked for at once, done within fourteen days.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::Response;
use serde_json::{Map, Value, json};

use crate::account::Account;
use crate::incoming::text;
use crate::listings::Listings;
use crate::reads::not_found;
use crate::request::Query;
use crate::response;
use crate::settings::ErrorBody;

const DAYS: i64 = 14;

#[derive(Debug, Default)]
pub(crate) struct Deletions(Vec<Deletion>);

#[derive(Debug)]
struct Deletion {
    id: String,
    email: String,
    comment: Option<String>,
    created_at: DateTime<Utc>,
    done: Option<(DateTime<Utc>, usize)>,
}

impl Deletions {
    /// Carries out what is due.
    pub(crate) fn complete(&mut self, listings: &mut Listings, now: DateTime<Utc>) {
        for deletion in &mut self.0 {
            let due = deletion.created_at + TimeDelta::days(DAYS);
            if deletion.done.is_none() && now >= due {
                deletion.done = Some((due, listings.anonymise(&deletion.email, due)));
            }
        }
    }
}

impl Deletion {
    fn json(&self) -> Value {
        // The documented form: a space instead of the T and a two-digit offset.
        let stamp = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string();
        json!({
            "action": "anonymise",
            "comment": self.comment,
            "id": self.id,
            "identities": [{"hashed_email": format!("{:016x}@anonymous.ometria", hash(&self.email))}],
            "source": {"origin": "api", "api_request_id": self.id, "user": null},
            "summary": self.done.map(|(_, count)| format!("{count} contact records anonymised")),
            "timestamp_created": stamp(self.created_at),
            "timestamp_completed": self.done.map(|(at, _)| stamp(at)),
        })
    }
}

impl Account {
    pub(crate) fn deletions(&self, query: &Query) -> Response<Bytes> {
        let rows: Vec<Value> = query
            .page(self.deletions.0.iter())
            .into_iter()
            .map(Deletion::json)
            .collect();
        response::json(200, &rows.into())
    }

    pub(crate) fn deletion(&self, id: &str) -> Response<Bytes> {
        match self.deletions.0.iter().find(|deletion| deletion.id == id) {
            Some(deletion) => response::json(200, &deletion.json()),
            None => not_found(),
        }
    }

    pub(crate) fn create_deletion(&mut self, body: &Bytes) -> Response<Bytes> {
        let body: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
        let Some(email) = text(&body, "email").filter(|email| email.contains('@')) else {
            let status = self.settings.refuse_status;
            return response::error(status, "an email is needed", ErrorBody::Json);
        };
        let deletion = Deletion {
            id: self.next_id(),
            email: email.to_owned(),
            comment: text(&body, "comment").map(str::to_owned),
            created_at: self.now(),
            done: None,
        };
        let reply = response::json(200, &deletion.json());
        self.deletions.0.push(deletion);
        reply
    }
}

/// FNV-1a: stable over versions and machines, unlike the standard library's.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
