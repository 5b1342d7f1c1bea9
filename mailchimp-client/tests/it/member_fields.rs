//! Every member of a member object, in every way it comes.

use mailchimp_client::{Field, Member, MemberStatus, MergeValue, Timestamp};
use serde_json::{Value, json};

fn read(value: &Value) -> Member {
    serde_json::from_str(&value.to_string()).unwrap()
}

/// A member with everything, of the documented shape.
fn full() -> Value {
    json!({
        "id": "62eeb292278cc15f5817cb78f7790b08",
        "email_address": "ann@corp.invalid",
        "unique_email_id": "9eb69db8d0",
        "contact_id": "b5a9a3a8f8a64a6c9e9f1c1d2e3f4a5b",
        "full_name": "Ann Example",
        "web_id": 456_198_777,
        "email_type": "html",
        "status": "unsubscribed",
        "unsubscribe_reason": "N/A (Unsubscribed by admin)",
        "consents_to_one_to_one_messaging": true,
        "sms_phone_number": "+15550100",
        "sms_subscription_status": "nonsubscribed",
        "sms_subscription_last_updated": "2026-06-30T12:00:00+00:00",
        "merge_fields": {
            "FNAME": "Ann", "LNAME": "", "LTV": 668.3, "AGE": 3, "BDAY": "05/09",
            "ADDRESS": {"addr1": "1 Road", "addr2": "", "city": "X", "state": "Y",
                        "zip": "1", "country": "US"}
        },
        "interests": {"9143cf3bd1": true, "3a2a927344": false},
        "stats": {"avg_open_rate": 0, "avg_click_rate": 0.25,
                  "ecommerce_data": {"total_revenue": 10.5, "number_of_orders": 2,
                                     "currency_code": "USD"}},
        "ip_signup": "192.0.2.1",
        "timestamp_signup": "2026-06-30T11:00:00+00:00",
        "ip_opt": "192.0.2.1",
        "timestamp_opt": "2026-06-30T11:01:00+00:00",
        "member_rating": 2,
        "last_changed": "2026-06-30T12:00:00+00:00",
        "language": "en",
        "vip": false,
        "email_client": "Gmail",
        "location": {"latitude": 33.7, "longitude": -84.4, "gmtoff": -5, "dstoff": -4,
                     "country_code": "US", "timezone": "America/New_York", "region": "GA"},
        "marketing_permissions": [
            {"marketing_permission_id": "cb8dd8d4f2", "text": "Mail", "enabled": true}],
        "last_note": {"note_id": 42, "created_at": "2026-06-30T12:00:00+00:00",
                      "created_by": "Bo", "note": "Hi"},
        "source": "API - Generic",
        "tags_count": 51,
        "tags": [{"id": 7, "name": "gold"}],
        "list_id": "57afe96172"
    })
}

#[test]
fn a_full_member_is_understood_and_survives_a_round_trip() {
    let member = read(&full());
    assert_eq!(serde_json::to_value(&member).unwrap(), full());
    assert_eq!(member.status.value(), Some(&MemberStatus::Unsubscribed));
    assert_eq!(member.web_id.value(), Some(&456_198_777));
    assert!(member.interests.value().unwrap()["9143cf3bd1"]);
    assert_eq!(member.tags.value().unwrap()[0].name.as_str(), Some("gold"));
    assert!(member.has_more_tags());
    assert!(member.location.value().unwrap().is_known());
    assert!(
        member.extra.is_empty(),
        "every documented member has a field of its own"
    );
}

#[test]
fn every_member_may_be_absent_null_or_blank() {
    let names: Vec<String> = full().as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 32);
    for name in &names {
        for empty in [Some(Value::Null), Some(json!("")), None] {
            let mut value = full();
            match &empty {
                Some(empty) => value[name] = empty.clone(),
                None => drop(value.as_object_mut().unwrap().remove(name)),
            }
            assert_eq!(
                serde_json::to_value(read(&value)).unwrap(),
                value,
                "{name}: {empty:?}"
            );
        }
    }
    let member = read(&json!({ "vip": null, "stats": "" }));
    assert_eq!(member.vip, Field::Null);
    assert_eq!(member.stats, Field::Blank);
    assert!(member.stats.is_empty() && member.vip.is_empty() && member.id.is_absent());
    assert_eq!(member.id, Field::Absent);
}

#[test]
fn a_value_of_another_kind_costs_no_record() {
    let names: Vec<String> = full().as_object().unwrap().keys().cloned().collect();
    for name in &names {
        for odd in [
            json!(true),
            json!(-1),
            json!(1.5),
            json!("odd"),
            json!([1]),
            json!({"a": [1]}),
        ] {
            let mut value = full();
            value[name] = odd;
            let member = read(&value);
            assert_eq!(serde_json::to_value(&member).unwrap(), value, "{name}");
            assert!(!member.list_id.is_absent());
        }
    }
    let member = read(&json!({ "web_id": "12" }));
    assert_eq!(member.web_id.value(), None);
    assert_eq!(member.web_id.unexpected(), Some(&json!("12")));
}

#[test]
fn unknown_members_and_words_survive() {
    let value = json!({
        "status": "hibernating",
        "sms_subscription_status": "blocked",
        "brand_new": {"a": [1, null, "x"]},
        "stats": {"avg_open_rate": 0.1, "brand_new": 1},
        "tags": [{"id": 1, "colour": "red"}],
        "location": {"planet": "Mars"},
    });
    let member = read(&value);
    assert_eq!(serde_json::to_value(&member).unwrap(), value);
    assert_eq!(
        member.status.value(),
        Some(&MemberStatus::Other("hibernating".into()))
    );
}

#[test]
fn merge_values_say_what_they_are() {
    let member = read(&full());
    assert_eq!(member.merge_value("FNAME"), MergeValue::Text("Ann"));
    assert_eq!(member.merge_value("LNAME"), MergeValue::Blank);
    assert_eq!(member.merge_value("NOPE"), MergeValue::Absent);
    assert!(
        matches!(member.merge_value("LTV"), MergeValue::Number(n) if n.as_f64() == Some(668.3))
    );
    assert!(matches!(member.merge_value("ADDRESS"), MergeValue::Json(a) if a["city"] == "X"));
    for absent in [
        json!({}),
        json!({"merge_fields": null}),
        json!({"merge_fields": ""}),
    ] {
        assert_eq!(read(&absent).merge_value("FNAME"), MergeValue::Absent);
    }
}

#[test]
fn an_unknown_place_is_not_in_the_gulf_of_guinea() {
    let nowhere = json!({"location": {"latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0,
        "country_code": "", "timezone": "", "region": ""}});
    assert!(!read(&nowhere).location.value().unwrap().is_known());
    let somewhere = json!({"location": {"latitude": 0, "longitude": 6.6, "country_code": ""}});
    assert!(read(&somewhere).location.value().unwrap().is_known());
}

#[test]
fn times_are_read_in_the_forms_the_api_writes() {
    let noon = Timestamp::parse("2026-06-30T12:00:00+00:00").unwrap();
    for text in [
        "2026-06-30T12:00:00Z",
        "2026-06-30T14:00:00+02:00",
        "2026-06-30 12:00:00",
    ] {
        assert_eq!(Timestamp::parse(text), Some(noon), "{text}");
    }
    for text in [
        "",
        "yesterday",
        "2026-06-30",
        "2026-13-30T12:00:00Z",
        "0000-00-00 00:00:00",
        "-2026-06-30 12:00:00",
        "9999-12-31T23:59:59-01:00",
    ] {
        assert_eq!(Timestamp::parse(text), None, "{text}");
    }
}

#[test]
fn a_member_shows_nothing_about_the_person() {
    let member = read(&full());
    let shown = format!(
        "{member:?} {:?} {:?}",
        member.merge_value("FNAME"),
        member.stats.value()
    );
    for private in [
        "ann", "Ann", "62eeb", "192.0", "gold", "Mail", "Hi", "33.7", "Atlanta",
    ] {
        assert!(!shown.contains(private), "{private} in {shown}");
    }
}
