//! Merge fields and interest groups.

use mailchimp_simulator::{GroupSpec, MergeFieldKind, MergeFieldSpec, Refused};
use serde_json::json;

use crate::api::{Api, LIST};

#[test]
fn merge_fields_are_listed_by_tag_without_the_address() {
    let api = Api::new();
    api.audience(0);
    let path = format!("/lists/{LIST}/merge-fields");
    assert_eq!(
        api.column(&path, "merge_fields", "tag"),
        ["ADDRESS", "BIRTHDAY", "FNAME", "LNAME", "PHONE"]
    );
    assert_eq!(
        api.column(&format!("{path}?type=birthday"), "merge_fields", "tag"),
        ["BIRTHDAY"]
    );
    assert!(
        api.column(&format!("{path}?required=true"), "merge_fields", "tag")
            .is_empty()
    );
    let field = api.read(&format!("{path}/1"));
    assert_eq!(
        (&field["tag"], &field["type"]),
        (&json!("FNAME"), &json!("text"))
    );
    assert_eq!(api.get(&format!("{path}/99")).status, 404);
}

#[test]
fn changing_definitions_moves_no_members_last_changed() {
    let api = Api::new();
    let audience = api.audience(1);
    let id = audience.nth_id(0).unwrap();
    let before = audience.member(&id).unwrap();
    api.pass(60);
    audience
        .add_merge_field(MergeFieldSpec::new("LTV", "Value", MergeFieldKind::Number))
        .unwrap();
    audience.rename_merge_field("FNAME", "FIRST").unwrap();
    audience.delete_merge_field("PHONE").unwrap();
    let after = audience.member(&id).unwrap();
    assert_eq!(before["last_changed"], after["last_changed"]);
    assert_eq!(
        before["merge_fields"]["FNAME"],
        after["merge_fields"]["FIRST"]
    );
    assert_eq!(after["merge_fields"]["LTV"], "");
    assert!(after["merge_fields"].get("PHONE").is_none());
    assert_eq!(
        audience.delete_merge_field("PHONE"),
        Err(Refused::UnknownDefinition)
    );
    assert_eq!(
        audience.rename_merge_field("LNAME", "LTV"),
        Err(Refused::Taken)
    );
}

#[test]
fn a_deleted_tag_can_come_back_with_another_type_and_id() {
    let api = Api::new();
    let audience = api.audience(1);
    let field = || {
        let path = format!("/lists/{LIST}/merge-fields?count=100");
        let fields = api.read(&path)["merge_fields"].clone();
        fields
            .as_array()
            .unwrap()
            .iter()
            .find(|field| field["tag"] == "FNAME")
            .unwrap()
            .clone()
    };
    let before = field();
    audience.delete_merge_field("FNAME").unwrap();
    audience
        .add_merge_field(MergeFieldSpec::new("FNAME", "Age", MergeFieldKind::Number))
        .unwrap();
    let after = field();
    assert_ne!(before["merge_id"], after["merge_id"]);
    assert_eq!(after["type"], "number");
    let row = audience.member(&audience.nth_id(0).unwrap()).unwrap();
    assert_eq!(
        row["merge_fields"]["FNAME"], "",
        "no value of the old field"
    );
}

#[test]
fn groups_have_ids_that_members_use_and_counts_that_are_strings() {
    let api = Api::new();
    let audience = api.audience_of(0, |spec| {
        spec.groups = vec![
            GroupSpec::new("Topics", ["Tea", "Cake"]),
            GroupSpec::new("Pace", ["Slow"]),
        ];
    });
    let id = audience.subscribe("a@mail.test").unwrap();
    let categories = format!("/lists/{LIST}/interest-categories");
    assert_eq!(
        api.column(&categories, "categories", "title"),
        ["Topics", "Pace"]
    );
    let category = api.column(&categories, "categories", "id")[0].clone();
    let category = category.as_str().unwrap();
    let interests = format!("{categories}/{category}/interests");
    assert_eq!(
        api.column(&interests, "interests", "subscriber_count"),
        ["0", "0"]
    );
    audience.set_interest(&id, "Cake", true).unwrap();
    assert_eq!(
        api.column(&interests, "interests", "subscriber_count"),
        ["0", "1"]
    );
    let cake = api.column(&interests, "interests", "id")[1].clone();
    let row = audience.member(&id).unwrap();
    assert_eq!(row["interests"][cake.as_str().unwrap()], true);
    assert_eq!(row["interests"].as_object().unwrap().len(), 3);
    assert_eq!(
        api.read(&format!("{categories}/{category}"))["type"],
        "checkboxes"
    );
    assert_eq!(
        api.read(&format!("{interests}/{}", cake.as_str().unwrap()))["name"],
        "Cake"
    );
    assert_eq!(api.get(&format!("{categories}/none/interests")).status, 404);
}

#[test]
fn fields_are_rooted_at_the_envelope_key_not_at_the_path() {
    let api = Api::new();
    api.audience_of(0, |spec| {
        spec.groups = vec![GroupSpec::new("Topics", ["Tea"])];
    });
    let body = api.read(&format!(
        "/lists/{LIST}/interest-categories?fields=categories.title"
    ));
    assert_eq!(body, json!({"categories": [{"title": "Topics"}]}));
}
