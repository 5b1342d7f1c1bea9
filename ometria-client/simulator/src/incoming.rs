//! A pushed record: how it is read and what can be wrong with it.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde_json::{Map, Value};

use crate::consent::Claim;

/// What Ometria says about a field it does not like.
pub(crate) const NOT_VALID: &str = "not a valid value";
/// What Ometria says about a record of more than 60 kB.
pub(crate) const TOO_LARGE: &str = "Payload invalid: Record is too large";

/// Bytes of one record.
pub(crate) const RECORD_BYTES: usize = 60_000;
/// Characters of a record's `properties` as JSON.
const PROPERTIES_CHARS: usize = 1_000;

/// What is wrong with a record and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) message: &'static str,
    pub(crate) path: String,
}

impl Flaw {
    pub(crate) fn at(field: &str) -> Self {
        Self {
            message: NOT_VALID,
            path: format!("root > {field}"),
        }
    }
}

/// The first thing wrong with a record, as Ometria would find it some time after the push.
pub(crate) fn flaw(record: &Map<String, Value>) -> Option<Flaw> {
    match text(record, "@type") {
        Some("contact") => contact_flaw(record),
        Some("order" | "product" | "custom_event") => text(record, "id")
            .is_none_or(str::is_empty)
            .then(|| Flaw::at("id")),
        _ => Some(Flaw::at("@type")),
    }
}

fn contact_flaw(record: &Map<String, Value>) -> Option<Flaw> {
    for required in ["id", "@collection"] {
        if text(record, required).is_none_or(|value| value.trim().is_empty()) {
            return Some(Flaw::at(required));
        }
    }
    let bad = record
        .iter()
        .find(|(name, value)| !value.is_null() && !is_valid(name, value));
    bad.map(|(name, _)| Flaw::at(name))
}

fn is_valid(name: &str, value: &Value) -> bool {
    match name {
        "email" => value.as_str().is_some_and(is_address),
        "customer_id" | "prefix" | "firstname" | "middlename" | "lastname" | "timezone" => {
            value.is_string()
        }
        "phone_number" => value.as_str().is_some_and(is_e164),
        "country_id" => value
            .as_str()
            .is_some_and(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())),
        "marketing_optin" => Claim::read(value).is_some(),
        "@force_optin" | "@merge" => value.is_boolean(),
        "gender" => matches!(value.as_str(), Some("m" | "f" | "o")),
        "date_of_birth" => value
            .as_str()
            .is_some_and(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok()),
        "timestamp_acquired" | "timestamp_subscribed" | "timestamp_unsubscribed" => {
            value.as_str().is_some_and(is_timestamp)
        }
        "@add_to_lists" | "@remove_from_lists" => value
            .as_array()
            .is_some_and(|ids| ids.iter().all(Value::is_u64)),
        "store_ids" => value
            .as_array()
            .is_some_and(|ids| ids.iter().all(Value::is_string)),
        "properties" => value.is_object() && value.to_string().chars().count() <= PROPERTIES_CHARS,
        "channels" | "extra_identifiers" => value.is_object(),
        _ => true,
    }
}

fn is_address(text: &str) -> bool {
    text.trim().split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains(['@', ' '])
    })
}

fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (10..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// An ISO date or date-time with `Z` or without a zone; at least one validator refuses numeric offsets.
fn is_timestamp(text: &str) -> bool {
    let utc = text.ends_with('Z') && DateTime::parse_from_rfc3339(text).is_ok();
    utc || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").is_ok()
        || NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

/// A text field.
pub(crate) fn text<'a>(record: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    record.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(change: &Value) -> Option<String> {
        let mut record = json!({"@type": "contact", "@collection": "c", "id": "1"});
        let (record, change) = (record.as_object_mut().unwrap(), change.as_object().unwrap());
        record.extend(change.clone());
        flaw(record).map(|flaw| flaw.path)
    }

    #[test]
    fn good_values_pass() {
        for good in [
            json!({}),
            json!({"email": "a@b.example", "marketing_optin": "EXPLICITLY_OPTEDOUT"}),
            json!({"timestamp_subscribed": "2024-01-02T03:04:05Z", "gender": "o"}),
            json!({"timestamp_acquired": "2024-01-02", "date_of_birth": "1999-12-31"}),
            json!({"phone_number": "+441632960001", "country_id": "GB", "lastname": null}),
        ] {
            assert_eq!(path(&good), None, "{good}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        for (bad, field) in [
            (json!({"@type": "listing"}), "@type"),
            (json!({"id": ""}), "id"),
            (json!({"id": 7}), "id"),
            (json!({"@collection": " "}), "@collection"),
            (json!({"email": "nobody"}), "email"),
            (
                json!({"marketing_optin": "EXPLICITYLY_OPTEDOUT"}),
                "marketing_optin",
            ),
            (json!({"marketing_optin": "subscribed"}), "marketing_optin"),
            (json!({"@force_optin": "true"}), "@force_optin"),
            (
                json!({"timestamp_subscribed": "2024-01-02T03:04:05+01:00"}),
                "timestamp_subscribed",
            ),
            (json!({"timestamp_subscribed": ""}), "timestamp_subscribed"),
            (json!({"phone_number": "0163 2960001"}), "phone_number"),
            (json!({"gender": "x"}), "gender"),
            (json!({"country_id": "gb"}), "country_id"),
            (
                json!({"properties": {"long": "x".repeat(1_000)}}),
                "properties",
            ),
        ] {
            assert_eq!(path(&bad), Some(format!("root > {field}")), "{bad}");
        }
    }
}
