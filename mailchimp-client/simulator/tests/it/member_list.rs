//! `GET /lists/{list_id}/members`: windows, orders, filters, parts.

use mailchimp_simulator::{AudienceHandle, GroupSpec, Spread, Status, StatusMix};
use serde_json::{Value, json};

use crate::api::{Api, LIST, at, noon};

/// An audience in which members a to e changed one second after another, from noon on.
fn five(api: &Api) -> AudienceHandle {
    let audience = api.audience(0);
    for (second, name) in (0..).zip(["a", "b", "c", "d", "e"]) {
        audience
            .at(at(second))
            .subscribe(&format!("{name}@mail.test"))
            .unwrap();
    }
    audience
}

fn names(addresses: &[String]) -> String {
    addresses
        .iter()
        .filter_map(|address| address.chars().next())
        .collect()
}

#[test]
fn since_excludes_its_second_and_before_includes_it() {
    let api = Api::new();
    five(&api);
    let window = "since_last_changed=2026-03-01T12:00:01Z&before_last_changed=2026-03-01T12:00:03Z";
    assert_eq!(names(&api.addresses(window)), "cd");
    assert_eq!(
        api.read(&format!("/lists/{LIST}/members?count=1&{window}"))["total_items"],
        2
    );
}

#[test]
fn the_bounds_of_windows_can_be_switched() {
    let api = Api::with(|settings| {
        settings.since_inclusive = true;
        settings.before_inclusive = false;
    });
    five(&api);
    let window = "since_last_changed=2026-03-01T12:00:01Z&before_last_changed=2026-03-01T12:00:03Z";
    assert_eq!(names(&api.addresses(window)), "bc");
}

#[test]
fn windows_that_meet_share_no_member_and_leave_none_out() {
    let api = Api::new();
    five(&api);
    let first = api.addresses("before_last_changed=2026-03-01T12:00:02Z");
    let second = api.addresses("since_last_changed=2026-03-01T12:00:02Z");
    assert_eq!(
        (names(&first).as_str(), names(&second).as_str()),
        ("abc", "de")
    );
}

#[test]
fn fractions_of_a_second_are_read_and_change_nothing() {
    let api = Api::new();
    five(&api);
    assert_eq!(
        names(&api.addresses("since_last_changed=2026-03-01T12:00:01.999Z")),
        "cde"
    );
    assert_eq!(
        names(&api.addresses("before_last_changed=2026-03-01T12:00:01.001Z")),
        "ab"
    );
}

#[test]
fn an_offset_is_understood_when_its_plus_is_encoded() {
    let api = Api::new();
    five(&api);
    assert_eq!(
        names(&api.addresses("since_last_changed=2026-03-01T13:00:02%2B01:00")),
        "de"
    );
    // A raw plus is a space, the time cannot be read, and everybody comes back.
    assert_eq!(
        names(&api.addresses("since_last_changed=2026-03-01T13:00:02+01:00")),
        "abcde"
    );
}

#[test]
fn a_window_that_ends_before_it_starts_is_empty() {
    let api = Api::new();
    five(&api);
    let window = "since_last_changed=2026-03-01T12:00:03Z&before_last_changed=2026-03-01T12:00:01Z";
    assert!(
        api.addresses(&format!("{window}&sort_field=last_changed"))
            .is_empty()
    );
}

#[test]
fn ties_come_in_order_of_web_id_and_exactly_reversed_when_descending() {
    let api = Api::new();
    api.audience(10);
    let walk = |direction: &str| -> Vec<Value> {
        (0..10)
            .step_by(4)
            .flat_map(|offset| {
                let sort = format!("sort_field=last_changed&sort_dir={direction}");
                let path = format!("/lists/{LIST}/members?{sort}&count=4&offset={offset}");
                api.column(&path, "members", "web_id")
            })
            .collect()
    };
    let ascending = walk("ASC");
    assert_eq!(ascending.len(), 10);
    assert!(ascending.is_sorted_by_key(Value::as_u64));
    let mut descending = walk("DESC");
    descending.reverse();
    assert_eq!(descending, ascending);
}

#[test]
fn descending_pages_of_a_window_start_at_its_end() {
    let api = Api::new();
    five(&api);
    let window = "since_last_changed=2026-03-01T12:00:00Z&before_last_changed=2026-03-01T12:00:03Z";
    let sort = "sort_field=last_changed&sort_dir=DESC";
    let page = |offset| {
        let path = format!("/lists/{LIST}/members?{window}&{sort}&count=2&offset={offset}");
        api.column(&path, "members", "email_address")
    };
    assert_eq!(page(0), ["d@mail.test", "c@mail.test"]);
    assert_eq!(page(2), ["b@mail.test"]);
    assert!(page(4).is_empty());
}

#[test]
fn every_order_gives_every_member_once() {
    let api = Api::new();
    api.audience_of(300, |spec| {
        spec.spread = Spread::Scattered {
            from: at(-1000),
            to: noon(),
        };
    });
    for (field, key) in [
        ("last_changed", "last_changed"),
        ("timestamp_opt", "timestamp_opt"),
        ("timestamp_signup", "timestamp_signup"),
    ] {
        let mut walked: Vec<(String, u64)> = Vec::new();
        for offset in (0..300).step_by(70) {
            let path = format!("/lists/{LIST}/members?sort_field={field}&count=70&offset={offset}");
            for row in api.read(&path)["members"].as_array().unwrap() {
                walked.push((
                    row[key].as_str().unwrap().to_owned(),
                    row["web_id"].as_u64().unwrap(),
                ));
            }
        }
        assert_eq!(walked.len(), 300);
        assert!(walked.is_sorted(), "{field}");
    }
}

#[test]
fn archived_members_are_hidden_unless_asked_for() {
    let api = Api::new();
    let audience = five(&api);
    audience.archive("b@mail.test").unwrap();
    audience.unsubscribe("c@mail.test").unwrap();
    assert_eq!(names(&api.addresses("")), "acde");
    assert_eq!(names(&api.addresses("status=archived")), "b");
    assert_eq!(names(&api.addresses("status=unsubscribed")), "c");
    assert_eq!(names(&api.addresses("status=subscribed")), "ade");
    assert_eq!(
        names(&api.addresses("status=archived&since_last_changed=2026-03-01T12:00:00Z")),
        "",
        "archived at noon, which the window excludes"
    );
}

#[test]
fn more_statuses_can_be_hidden() {
    let api = Api::with(|settings| {
        settings.hidden_statuses = vec![Status::Archived, Status::Cleaned, Status::Pending];
    });
    let audience = five(&api);
    audience.set_status("a@mail.test", Status::Cleaned).unwrap();
    assert_eq!(names(&api.addresses("")), "bcde");
    assert_eq!(names(&api.addresses("status=cleaned")), "a");
}

#[test]
fn a_status_that_does_not_exist_finds_nobody_without_a_word() {
    let api = Api::new();
    five(&api);
    let body = api.read(&format!("/lists/{LIST}/members?status=subcribed"));
    assert_eq!(
        (&body["members"], &body["total_items"]),
        (&json!([]), &json!(0))
    );
}

#[test]
fn filters_compose_with_each_other() {
    let api = Api::new();
    let audience = five(&api);
    audience.set_vip("c@mail.test", true).unwrap();
    audience.set_vip("e@mail.test", true).unwrap();
    assert_eq!(names(&api.addresses("vip_only=TRUE")), "ce");
    assert_eq!(
        names(&api.addresses("vip_only=yes")),
        "abcde",
        "anything else is false"
    );
    assert_eq!(names(&api.addresses("email_type=text")), "");
    let opted_in =
        "since_timestamp_opt=2026-03-01T12:00:02Z&before_timestamp_opt=2026-03-01T12:00:04Z";
    assert_eq!(
        names(&api.addresses(&format!("vip_only=1&{opted_in}"))),
        "e"
    );
    let row = api.read(&format!("/lists/{LIST}/members/d@mail.test"));
    let unique = row["unique_email_id"].as_str().unwrap();
    assert_eq!(unique.len(), 10);
    assert_eq!(
        names(&api.addresses(&format!("unique_email_id={unique}"))),
        "d"
    );
}

#[test]
fn unsubscribed_since_goes_with_its_status_only() {
    let api = Api::new();
    let audience = five(&api);
    audience.at(at(10)).unsubscribe("a@mail.test").unwrap();
    audience.at(at(20)).unsubscribe("b@mail.test").unwrap();
    let since = "unsubscribed_since=2026-03-01T12:00:10Z";
    assert_eq!(
        names(&api.addresses(&format!("status=unsubscribed&{since}"))),
        "b"
    );
    assert_eq!(
        api.get(&format!("/lists/{LIST}/members?{since}")).status,
        400
    );
    let since = "since_last_campaign=true";
    assert_eq!(
        api.get(&format!("/lists/{LIST}/members?{since}")).status,
        400
    );
}

#[test]
fn members_are_found_by_their_interests() {
    let api = Api::new();
    let audience = api.audience_of(0, |spec| {
        spec.groups = vec![GroupSpec::new("Topics", ["Tea", "Cake"])];
    });
    for (name, topics) in [("a", &["Tea"][..]), ("b", &["Tea", "Cake"]), ("c", &[])] {
        let id = audience.subscribe(&format!("{name}@mail.test")).unwrap();
        for topic in topics {
            audience.set_interest(&id, topic, true).unwrap();
        }
    }
    let categories = api.read(&format!("/lists/{LIST}/interest-categories"));
    let category = categories["categories"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/lists/{LIST}/interest-categories/{category}/interests");
    let ids = api.column(&path, "interests", "id");
    let ids: Vec<&str> = ids.iter().filter_map(Value::as_str).collect();
    let find = |mode: &str| {
        let ids = ids.join(",");
        names(&api.addresses(&format!(
            "interest_category_id={category}&interest_ids={ids}&interest_match={mode}"
        )))
    };
    assert_eq!(
        (find("any"), find("all"), find("none")),
        ("ab".into(), "b".into(), "c".into())
    );
    assert_eq!(
        api.get(&format!("/lists/{LIST}/members?interest_match=any"))
            .status,
        400
    );
}

#[test]
fn fields_keep_only_what_they_name_rooted_at_the_envelope() {
    let api = Api::new();
    api.audience(1);
    let path = format!("/lists/{LIST}/members?fields=members.id,members.merge_fields.FNAME");
    let body = api.read(&path);
    let row = body["members"][0].as_object().unwrap();
    assert_eq!(row.keys().collect::<Vec<_>>(), ["id", "merge_fields"]);
    assert_eq!(
        row["merge_fields"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        ["FNAME"]
    );
    assert_eq!(
        body.as_object().unwrap().len(),
        1,
        "total_items has to be named to be kept"
    );
    let body = api.read(&format!(
        "/lists/{LIST}/members?fields=members.id,total_items,list_id"
    ));
    assert_eq!(
        (&body["total_items"], &body["list_id"]),
        (&json!(1), &json!(LIST))
    );
}

#[test]
fn excluded_fields_are_left_out_and_unmatched_ones_are_ignored() {
    let api = Api::new();
    api.audience(1);
    let whole = api.read(&format!("/lists/{LIST}/members"));
    assert!(whole["_links"].is_array() && whole["members"][0]["_links"].is_array());
    let path = format!("/lists/{LIST}/members?exclude_fields=members._links,_links,email_address");
    let lean = api.read(&path);
    assert!(lean.get("_links").is_none() && lean["members"][0].get("_links").is_none());
    assert!(
        lean["members"][0]["email_address"].is_string(),
        "the prefix was missing"
    );
    assert_eq!(lean["total_items"], 1);
    let path = format!("/lists/{LIST}/members?exclude_fields=members.location.latitude");
    let location = &api.read(&path)["members"][0]["location"];
    assert!(location.get("latitude").is_none() && location["longitude"].is_number());
}

#[test]
fn fields_and_exclude_fields_do_not_go_together() {
    let api = Api::new();
    api.audience(1);
    let path = format!("/lists/{LIST}/members?fields=members.id&exclude_fields=_links");
    assert_eq!(api.get(&path).status, 400);
}

#[test]
fn a_row_has_every_documented_key_and_is_empty_in_the_live_way() {
    let api = Api::new();
    let audience = api.audience(0);
    audience.subscribe("Reader@Mail.test").unwrap();
    let body = api.read(&format!(
        "/lists/{LIST}/members?exclude_fields=members._links"
    ));
    let row = &body["members"][0];
    assert_eq!(
        row["id"], "91b1d560fc68b5e0ae99dbdc8f03fc91",
        "MD5 of the lower-cased address"
    );
    assert_eq!(row["email_address"], "Reader@Mail.test");
    let contact = row["contact_id"].as_str().unwrap();
    assert!(contact.len() == 32 && contact.bytes().all(|digit| digit.is_ascii_hexdigit()));
    for key in [
        "full_name",
        "sms_phone_number",
        "sms_subscription_status",
        "sms_subscription_last_updated",
        "ip_signup",
        "ip_opt",
        "language",
        "email_client",
    ] {
        assert_eq!(row[key], "", "{key}");
    }
    for tag in ["FNAME", "LNAME", "ADDRESS", "PHONE", "BIRTHDAY"] {
        assert_eq!(row["merge_fields"][tag], "", "{tag}");
    }
    assert_eq!(
        row["location"],
        json!({
            "latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0,
            "country_code": "", "timezone": "", "region": "",
        })
    );
    for key in [
        "interests",
        "unsubscribe_reason",
        "last_note",
        "marketing_permissions",
    ] {
        assert!(row.get(key).is_none(), "{key} is absent, not empty");
    }
    assert_eq!(row["last_changed"], "2026-03-01T12:00:00+00:00");
    assert_eq!((&row["tags_count"], &row["tags"]), (&json!(0), &json!([])));
    assert_eq!(
        (&row["status"], &row["list_id"]),
        (&json!("subscribed"), &json!(LIST))
    );
}

#[test]
fn keys_that_come_and_go_are_there_when_there_is_something_to_say() {
    let api = Api::new();
    let audience = api.audience_of(0, |spec| {
        spec.groups = vec![GroupSpec::new("Topics", ["Tea"])];
        spec.marketing_permissions = true;
    });
    let id = audience.subscribe("a@mail.test").unwrap();
    audience.set_note(&id, "called").unwrap();
    audience.unsubscribe(&id).unwrap();
    let row = api.read(&format!("/lists/{LIST}/members/{id}"));
    assert_eq!(row["interests"].as_object().unwrap().len(), 1);
    assert_eq!(row["last_note"]["note"], "called");
    assert_eq!(
        row["unsubscribe_reason"],
        "N/A (Unsubscribed by the contact)"
    );
    assert_eq!(row["marketing_permissions"][0]["enabled"], false);
    audience.subscribe("a@mail.test").unwrap();
    let row = api.read(&format!("/lists/{LIST}/members/{id}"));
    assert!(row.get("unsubscribe_reason").is_none());
}

#[test]
fn a_row_shows_fifty_tags_and_counts_them_all() {
    let api = Api::new();
    let audience = api.audience(0);
    let id = audience.subscribe("a@mail.test").unwrap();
    for number in 0..53 {
        audience.add_tag(&id, &format!("tag {number}")).unwrap();
    }
    let row = api.read(&format!("/lists/{LIST}/members/{id}"));
    assert_eq!(
        (row["tags"].as_array().unwrap().len(), &row["tags_count"]),
        (50, &json!(53))
    );
    let all = api.read(&format!("/lists/{LIST}/members/{id}/tags?count=1000"));
    assert_eq!(
        (all["tags"].as_array().unwrap().len(), &all["total_items"]),
        (53, &json!(53))
    );
}

#[test]
fn a_list_and_a_single_member_say_the_same() {
    let api = Api::new();
    api.audience_of(40, |spec| {
        spec.statuses = StatusMix::SHOP;
        spec.groups = vec![GroupSpec::new("Topics", ["Tea", "Cake"])];
    });
    for row in api.read(&format!("/lists/{LIST}/members?count=40"))["members"]
        .as_array()
        .unwrap()
    {
        let id = row["id"].as_str().unwrap();
        assert_eq!(api.read(&format!("/lists/{LIST}/members/{id}")), *row);
    }
}
