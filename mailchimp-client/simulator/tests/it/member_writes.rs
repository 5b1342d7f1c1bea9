//! Creating, changing, archiving and deleting members.

use mailchimp_simulator::{MergeFieldKind, MergeFieldSpec, Refused, Status};
use serde_json::{Value, json};

use crate::api::{Api, LIST, at};

fn members() -> String {
    format!("/lists/{LIST}/members")
}

fn member(key: &str) -> String {
    format!("/lists/{LIST}/members/{key}")
}

#[test]
fn a_posted_member_can_be_read_by_id_contact_id_and_address() {
    let api = Api::new();
    api.audience(0);
    let body = json!({
        "email_address": "Ann@mail.test", "status": "subscribed",
        "merge_fields": {"FNAME": "Ann", "NOSUCH": "x"}, "tags": ["new"], "language": "fr",
    });
    let made = api.post(&members(), &body);
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!(made.body["full_name"], "Ann");
    assert_eq!(made.body["source"], "API - Generic");
    assert_eq!(made.body["tags"][0]["name"], "new");
    assert!(made.body["merge_fields"].get("NOSUCH").is_none());
    for key in ["id", "contact_id", "email_address"] {
        let key = made.body[key].as_str().unwrap();
        assert_eq!(api.read(&member(key)), made.body, "{key}");
        assert_eq!(
            api.read(&member(&key.to_uppercase())),
            made.body,
            "{key} in upper case"
        );
    }
}

#[test]
fn an_address_is_added_once() {
    let api = Api::new();
    api.audience(0).subscribe("ann@mail.test").unwrap();
    let body = json!({"email_address": "ANN@mail.test", "status": "subscribed"});
    let again = api.post(&members(), &body);
    assert_eq!((again.status, again.title()), (400, "Member Exists"));
}

#[test]
fn what_cannot_be_a_member_is_refused_with_the_reason() {
    let api = Api::with(|settings| settings.refuse_example_com = true);
    api.audience(0);
    let refused = |body: &Value| {
        let answer = api.post(&members(), body);
        assert_eq!(answer.status, 400, "{}", answer.body);
        answer
    };
    let fake = refused(&json!({"email_address": "foo@example.com", "status": "subscribed"}));
    assert_eq!(
        fake.body["detail"],
        "foo@example.com looks fake or invalid, please enter a real email address."
    );
    let invalid = refused(&json!({"email_address": "nonsense", "status": "subscribed"}));
    assert_eq!(
        invalid.body["detail"],
        "Please provide a valid email address."
    );
    let blank = refused(&json!({"email_address": "a@mail.test"}));
    assert_eq!(blank.body["errors"][0]["field"], "status");
    let archived = refused(&json!({"email_address": "a@mail.test", "status": "archived"}));
    assert_eq!(archived.body["errors"][0]["field"], "status");
    let broken = api.ask(&http::Method::POST, &members(), "{\"email_address\":");
    assert_eq!(broken.status, 400);
    assert!(api.simulator.audience(LIST).is_empty());
}

#[test]
fn example_com_is_a_domain_like_others_unless_refused() {
    let api = Api::new();
    api.audience(0);
    let body = json!({"email_address": "foo@example.com", "status": "subscribed"});
    assert_eq!(api.post(&members(), &body).status, 200);
}

#[test]
fn a_change_of_any_kind_moves_last_changed_and_a_repetition_does_not() {
    let api = Api::new();
    let audience = api.audience(0);
    let id = audience.subscribe("ann@mail.test").unwrap();
    let changed = || {
        api.read(&member(&id))["last_changed"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let mut before = changed();
    let email = "ann@mail.test";
    for (what, body) in [
        (
            "status",
            json!({"email_address": email, "status": "unsubscribed"}),
        ),
        (
            "merge field",
            json!({"email_address": email, "merge_fields": {"FNAME": "Ann"}}),
        ),
        (
            "language",
            json!({"email_address": email, "language": "de"}),
        ),
        ("spelling", json!({"email_address": "Ann@mail.test"})),
    ] {
        api.pass(1);
        assert_eq!(api.put(&member(&id), &body).status, 200);
        let after = changed();
        assert!(after > before, "{what} did not move it");
        api.pass(1);
        assert_eq!(api.put(&member(&id), &body).status, 200);
        assert_eq!(changed(), after, "the same {what} again moved it");
        before = after;
    }
}

#[test]
fn tags_move_last_changed_only_when_they_change() {
    let api = Api::new();
    let id = api.audience(0).subscribe("ann@mail.test").unwrap();
    let tags = format!("{}/tags", member(&id));
    let post = |list: Value| {
        api.pass(1);
        let answer = api.post(&tags, &json!({"tags": list}));
        assert_eq!((answer.status, &answer.body), (204, &Value::Null));
        assert_eq!(
            answer.header("content-type"),
            Some("application/json; charset=utf-8")
        );
        api.read(&member(&id))["last_changed"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let added = post(json!([{"name": "VIP", "status": "active"}]));
    assert_eq!(post(json!([])), added);
    assert_eq!(post(json!([{"name": "VIP", "status": "active"}])), added);
    let removed = post(json!([{"name": "VIP", "status": "inactive"}]));
    assert!(removed > added);
    assert_eq!(api.read(&member(&id))["tags"], json!([]));
    assert_eq!(
        api.post(&tags, &json!({"tags": [{"name": "x"}]})).status,
        400
    );
}

#[test]
fn only_the_hash_is_a_key_where_only_the_hash_is_promised() {
    let api = Api::new();
    api.audience(0).subscribe("ann@mail.test").unwrap();
    let body = json!({"tags": []});
    assert_eq!(api.post(&member("ann@mail.test/tags"), &body).status, 404);
    assert_eq!(
        api.post(&member("ann@mail.test/actions/delete-permanent"), &body)
            .status,
        404
    );
}

#[test]
fn an_address_change_keeps_the_contact_and_gives_a_new_id() {
    let api = Api::new();
    let audience = api.audience(0);
    let old_id = audience.subscribe("old@mail.test").unwrap();
    audience.add_tag(&old_id, "kept").unwrap();
    let before = api.read(&member(&old_id));
    api.pass(5);
    let after = api
        .patch(&member(&old_id), &json!({"email_address": "new@mail.test"}))
        .body;
    for same in ["contact_id", "web_id", "tags"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    for new in ["id", "unique_email_id", "last_changed"] {
        assert_ne!(before[new], after[new], "{new}");
    }
    assert_eq!(api.get(&member(&old_id)).status, 404);
    assert_eq!(api.get(&member("old@mail.test")).status, 404);
    let contact = before["contact_id"].as_str().unwrap();
    assert_eq!(api.read(&member(contact))["email_address"], "new@mail.test");
    assert_eq!(api.addresses(""), ["new@mail.test"]);
}

#[test]
fn an_address_change_to_a_taken_address_is_refused() {
    let api = Api::new();
    let audience = api.audience(0);
    let id = audience.subscribe("a@mail.test").unwrap();
    audience.subscribe("b@mail.test").unwrap();
    let answer = api.patch(&member(&id), &json!({"email_address": "b@mail.test"}));
    assert_eq!((answer.status, answer.title()), (400, "Member Exists"));
    assert_eq!(
        audience.change_address(&id, "b@mail.test"),
        Err(Refused::Taken)
    );
}

#[test]
fn a_put_on_an_unknown_hash_makes_a_member_under_the_address_of_its_body() {
    let api = Api::new();
    let audience = api.audience(0);
    let nowhere = "00000000000000000000000000000000";
    let body = json!({"email_address": "ann@mail.test", "status_if_new": "pending"});
    let made = api.put(&member(nowhere), &body);
    assert_eq!(
        (made.status, &made.body["status"]),
        (200, &json!("pending"))
    );
    assert_eq!(api.get(&member(nowhere)).status, 404);
    let again = api.put(&member(nowhere), &body);
    assert_eq!((again.status, again.title()), (400, "Member Exists"));
    assert_eq!(audience.len(), 1);
    let body = json!({"email_address": "bob@mail.test"});
    assert_eq!(
        api.put(&member(nowhere), &body).status,
        400,
        "status_if_new is required"
    );
}

#[test]
fn status_if_new_leaves_an_existing_status_alone() {
    let api = Api::new();
    let audience = api.audience(0);
    let id = audience.subscribe("ann@mail.test").unwrap();
    audience.unsubscribe(&id).unwrap();
    let body = json!({"email_address": "ann@mail.test", "status_if_new": "subscribed"});
    assert_eq!(api.put(&member(&id), &body).body["status"], "unsubscribed");
}

#[test]
fn the_opt_in_time_is_that_of_the_change_unless_given() {
    let api = Api::new();
    let id = api.audience(0).subscribe("ann@mail.test").unwrap();
    let opted_in = |body: &Value| api.patch(&member(&id), body).body["timestamp_opt"].clone();
    api.pass(5);
    assert_eq!(
        opted_in(&json!({"status": "pending"})),
        "2026-03-01T12:00:00+00:00"
    );
    assert_eq!(
        opted_in(&json!({"status": "subscribed"})),
        "2026-03-01T12:00:05+00:00"
    );
    opted_in(&json!({"status": "pending"}));
    let given = json!({"status": "subscribed", "timestamp_opt": "2020-01-01T00:00:00Z"});
    assert_eq!(opted_in(&given), "2020-01-01T00:00:00+00:00");
}

#[test]
fn who_left_cannot_be_subscribed_again_by_the_api() {
    let api = Api::new();
    let audience = api.audience(0);
    let id = audience.subscribe("ann@mail.test").unwrap();
    for status in [Status::Unsubscribed, Status::Cleaned] {
        audience.set_status(&id, status).unwrap();
        let answer = api.patch(&member(&id), &json!({"status": "subscribed"}));
        assert_eq!(
            (answer.status, answer.title()),
            (400, "Member In Compliance State")
        );
    }
    assert_eq!(
        api.patch(&member(&id), &json!({"status": "pending"}))
            .status,
        200
    );
}

#[test]
fn archiving_keeps_the_record_and_hides_the_status_it_had() {
    let api = Api::new();
    let audience = api.audience(0);
    let id = audience.subscribe("ann@mail.test").unwrap();
    audience.add_tag(&id, "kept").unwrap();
    audience.unsubscribe(&id).unwrap();
    api.pass(5);
    let archived = api.delete(&member(&id));
    assert_eq!((archived.status, &archived.body), (204, &Value::Null));
    let row = api.read(&member(&id));
    assert_eq!(
        (&row["status"], &row["tags_count"]),
        (&json!("archived"), &json!(1))
    );
    assert_eq!(row["last_changed"], "2026-03-01T12:00:05+00:00");
    assert!(row.get("unsubscribe_reason").is_none());
    let again = api.delete(&member(&id));
    assert_eq!(again.status, 405);
    assert_eq!(
        again.body["detail"],
        "This list member cannot be removed. Can not archive a contact that is bounced, pending \
         or archived"
    );
    assert_eq!(
        api.patch(&member(&id), &json!({"language": "de"})).status,
        400
    );
    let body = json!({"email_address": "ann@mail.test", "status": "subscribed"});
    assert_eq!(api.put(&member(&id), &body).body["status"], "subscribed");
}

#[test]
fn a_post_brings_an_archived_member_back() {
    let api = Api::new();
    let audience = api.audience(0);
    let id = audience.subscribe("ann@mail.test").unwrap();
    audience.archive(&id).unwrap();
    let body = json!({"email_address": "ann@mail.test", "status": "subscribed"});
    assert_eq!(api.post(&members(), &body).body["status"], "subscribed");
    assert_eq!(audience.len(), 1);
}

#[test]
fn bounced_and_pending_members_cannot_be_archived() {
    let api = Api::new();
    let audience = api.audience(0);
    let id = audience.subscribe("ann@mail.test").unwrap();
    for status in [Status::Cleaned, Status::Pending] {
        audience.set_status(&id, status).unwrap();
        assert_eq!(api.delete(&member(&id)).status, 405);
    }
}

#[test]
fn a_permanently_deleted_address_comes_back_through_a_form_only() {
    let api = Api::new();
    let audience = api.audience(0);
    let id = audience.subscribe("ann@mail.test").unwrap();
    let path = format!("{}/actions/delete-permanent", member(&id));
    assert_eq!(api.post(&path, &json!({})).status, 204);
    assert_eq!(api.get(&member(&id)).status, 404);
    assert_eq!(api.post(&path, &json!({})).status, 404);
    assert!(api.addresses("").is_empty() && api.addresses("status=archived").is_empty());
    let body = json!({"email_address": "ann@mail.test", "status": "subscribed"});
    let refused = api.post(&members(), &body);
    assert_eq!(
        (refused.status, refused.title()),
        (400, "Forgotten Email Not Subscribed")
    );
    audience.subscribe("ann@mail.test").unwrap();
    assert_eq!(api.addresses(""), ["ann@mail.test"]);
}

#[test]
fn merge_values_read_back_as_the_live_api_gives_them() {
    let api = Api::new();
    api.audience_of(0, |spec| {
        for (tag, kind) in [
            ("LTV", MergeFieldKind::Number),
            ("SINCE", MergeFieldKind::Date),
            ("NOTE", MergeFieldKind::Text),
        ] {
            spec.merge_fields.push(MergeFieldSpec::new(tag, tag, kind));
        }
    });
    let address = json!({"addr1": "1 Test Street", "city": "London", "state": "", "zip": "N1"});
    let put = |fields: &Value| {
        let body = json!({
            "email_address": "ann@mail.test", "status_if_new": "subscribed", "merge_fields": fields,
        });
        api.put(&member("ann@mail.test"), &body)
    };
    let set = put(&json!({"LTV": "668.3", "SINCE": "12/31/2025", "NOTE": "é".repeat(200)})).body;
    assert_eq!(set["merge_fields"]["LTV"], 668.3);
    assert_eq!(set["merge_fields"]["SINCE"], "2025-12-31");
    assert_eq!(
        set["merge_fields"]["NOTE"],
        "é".repeat(127),
        "cut at 255 bytes, between letters"
    );
    let kept = put(&json!({"LTV": 3})).body;
    assert_eq!(
        (&kept["merge_fields"]["LTV"], &kept["merge_fields"]["SINCE"]),
        (&json!(3), &json!("2025-12-31"))
    );
    let cleared = put(&json!({"LTV": "", "SINCE": null})).body;
    assert_eq!(
        (
            &cleared["merge_fields"]["LTV"],
            &cleared["merge_fields"]["SINCE"]
        ),
        (&json!(""), &json!(""))
    );
    let wrong = put(&json!({"LTV": "plenty", "ADDRESS": address}));
    assert_eq!(wrong.body["detail"], "Your merge fields were invalid.");
    let errors = wrong.body["errors"].as_array().unwrap();
    assert!(errors.contains(&json!({"field": "LTV", "message": "Please enter a number"})));
    assert_eq!(
        errors.len(),
        2,
        "an address needs addr1, city, state and zip"
    );
}

#[test]
fn required_merge_fields_are_asked_for_unless_skipped() {
    let api = Api::new();
    api.audience_of(0, |spec| spec.merge_fields[0].required = true);
    let body = json!({"email_address": "ann@mail.test", "status": "subscribed"});
    let refused = api.post(&members(), &body);
    assert_eq!(
        (refused.status, &refused.body["errors"][0]["field"]),
        (400, &json!("FNAME"))
    );
    assert_eq!(
        api.post(&format!("{}?skip_merge_validation=true", members()), &body)
            .status,
        200
    );
}

#[test]
fn changes_outside_the_api_are_stamped_with_the_time_they_are_given() {
    let api = Api::new();
    let audience = api.audience(0);
    let id = audience.at(at(-50)).subscribe("ann@mail.test").unwrap();
    assert_eq!(
        audience.member(&id).unwrap()["last_changed"],
        "2026-03-01T11:59:10+00:00"
    );
    audience.set_language(&id, "de").unwrap();
    assert_eq!(audience.members()[0].last_changed, at(0));
    assert_eq!(
        audience.unsubscribe("nobody@mail.test"),
        Err(Refused::UnknownMember)
    );
    assert_eq!(
        audience.set_merge_field(&id, "NOSUCH", "x"),
        Err(Refused::UnknownDefinition)
    );
    let nowhere = api.simulator.audience("none");
    assert_eq!(
        nowhere.subscribe("a@mail.test"),
        Err(Refused::UnknownAudience)
    );
}
