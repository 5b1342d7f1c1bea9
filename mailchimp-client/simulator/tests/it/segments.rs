//! Tags, segments and their members.

use mailchimp_simulator::{SavedSegmentSpec, Status};
use serde_json::{Value, json};

use crate::api::{Api, LIST};

/// An audience with a tag on a member of every status, and the tag's id.
fn tagged(api: &Api) -> u64 {
    let audience = api.audience(0);
    for status in Status::ALL {
        let id = audience
            .subscribe(&format!("{}@mail.test", status.as_str()))
            .unwrap();
        audience.add_tag(&id, "Buyer").unwrap();
        audience.set_status(&id, status).unwrap();
    }
    api.read(&format!("/lists/{LIST}/tag-search"))["tags"][0]["id"]
        .as_u64()
        .unwrap()
}

const ALL_FLAGS: &str = "include_cleaned=true&include_transactional=true&include_unsubscribed=true";

#[test]
fn a_segment_shows_everybody_only_when_asked_and_its_total_never_counts_them() {
    let api = Api::new();
    let tag = tagged(&api);
    let path = format!("/lists/{LIST}/segments/{tag}/members");
    assert_eq!(
        api.column(&path, "members", "status"),
        ["subscribed", "pending"]
    );
    let all = api.column(&format!("{path}?{ALL_FLAGS}"), "members", "status");
    assert_eq!(
        all,
        [
            "subscribed",
            "unsubscribed",
            "cleaned",
            "pending",
            "transactional"
        ]
    );
    assert_eq!(api.read(&format!("{path}?{ALL_FLAGS}"))["total_items"], 2);
    let last = api.column(
        &format!("{path}?{ALL_FLAGS}&count=2&offset=4"),
        "members",
        "status",
    );
    assert_eq!(
        last,
        ["transactional"],
        "the offset goes through all of them"
    );
}

#[test]
fn the_member_count_of_a_segment_follows_the_flags() {
    let api = Api::new();
    let tag = tagged(&api);
    let count = |flags: &str| {
        api.read(&format!("/lists/{LIST}/segments/{tag}?{flags}"))["member_count"].clone()
    };
    assert_eq!(count(""), 2);
    assert_eq!(count("include_unsubscribed=1"), 3);
    assert_eq!(count(ALL_FLAGS), 5);
}

#[test]
fn rows_of_a_segment_are_the_smaller_shape() {
    let api = Api::new();
    let tag = tagged(&api);
    let row = &api.read(&format!("/lists/{LIST}/segments/{tag}/members"))["members"][0];
    for absent in [
        "contact_id",
        "web_id",
        "tags",
        "tags_count",
        "source",
        "sms_phone_number",
    ] {
        assert!(row.get(absent).is_none(), "{absent}");
    }
    assert!(row["location"].get("region").is_none());
    for present in [
        "id",
        "email_address",
        "full_name",
        "merge_fields",
        "last_changed",
        "list_id",
    ] {
        assert!(row.get(present).is_some(), "{present}");
    }
}

#[test]
fn tags_are_static_segments_and_found_by_their_beginning() {
    let api = Api::new();
    let tag = tagged(&api);
    let audience = api.simulator.audience(LIST);
    audience.add_tag("subscribed@mail.test", "Vip").unwrap();
    let found = |name: &str| {
        api.column(
            &format!("/lists/{LIST}/tag-search?name={name}"),
            "tags",
            "name",
        )
    };
    assert_eq!(found(""), ["Buyer", "Vip"]);
    assert_eq!(found("bUY"), ["Buyer"]);
    assert!(found("uyer").is_empty());
    let segments = api.read(&format!("/lists/{LIST}/segments?type=static"));
    assert_eq!(
        (&segments["segments"][0]["id"], &segments["total_items"]),
        (&json!(tag), &json!(2))
    );
    assert_eq!(segments["segments"][0]["type"], "static");
    let typo = api.read(&format!("/lists/{LIST}/segments?type=garbage"));
    assert_eq!(
        (&typo["segments"], &typo["total_items"]),
        (&json!([]), &json!(0))
    );
}

#[test]
fn segments_are_filtered_by_their_times() {
    let api = Api::new();
    tagged(&api);
    api.pass(10);
    api.simulator
        .audience(LIST)
        .add_tag("subscribed@mail.test", "Later")
        .unwrap();
    let names = |window: &str| {
        api.column(
            &format!("/lists/{LIST}/segments?{window}"),
            "segments",
            "name",
        )
    };
    assert_eq!(names("since_created_at=2026-03-01T12:00:00Z"), ["Later"]);
    assert_eq!(names("before_updated_at=2026-03-01T12:00:00Z"), ["Buyer"]);
}

#[test]
fn a_saved_segment_holds_who_has_the_value_now() {
    let api = Api::new();
    let audience = api.audience_of(0, |spec| {
        spec.segments = vec![SavedSegmentSpec {
            name: "Anns".to_owned(),
            merge_field: "FNAME".to_owned(),
            value: "Ann".to_owned(),
        }];
    });
    for address in ["a@mail.test", "b@mail.test"] {
        audience.subscribe(address).unwrap();
    }
    let segment = api.column(
        &format!("/lists/{LIST}/segments?type=saved"),
        "segments",
        "id",
    )[0]
    .clone();
    let members = || {
        let path = format!("/lists/{LIST}/segments/{segment}/members");
        api.column(&path, "members", "email_address")
    };
    assert_eq!(members(), [] as [Value; 0]);
    audience
        .set_merge_field("b@mail.test", "FNAME", "ANN")
        .unwrap();
    assert_eq!(members(), ["b@mail.test"]);
    audience.rename_merge_field("FNAME", "FIRST").unwrap();
    assert_eq!(
        members(),
        [] as [Value; 0],
        "the segment still looks for the old tag"
    );
    audience.rename_merge_field("FIRST", "FNAME").unwrap();
    audience
        .set_merge_field("b@mail.test", "FNAME", "")
        .unwrap();
    assert_eq!(members(), [] as [Value; 0]);
}

#[test]
fn a_members_tags_say_when_they_were_added() {
    let api = Api::new();
    tagged(&api);
    let tags = api.read(&format!("/lists/{LIST}/members/archived@mail.test/tags"));
    assert_eq!(tags["tags"][0]["name"], "Buyer");
    assert_eq!(tags["tags"][0]["date_added"], "2026-03-01T12:00:00+00:00");
    assert_eq!(tags["total_items"], 1);
}
