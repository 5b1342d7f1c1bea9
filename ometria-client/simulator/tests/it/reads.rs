use std::time::Duration;

use ometria_simulator::LookUp;
use serde_json::{Value, json};

use crate::account::{Account, contact};

fn filled(count: usize) -> Account {
    let account = Account::new();
    for start in (0..count).step_by(100) {
        let records: Vec<Value> = (start..count.min(start + 100))
            .map(|i| contact(&i.to_string(), &json!({"email": format!("{i}@x.example")})))
            .collect();
        account.push(&records.into());
    }
    account
}

fn len(answer: &Value) -> usize {
    answer.as_array().unwrap().len()
}

#[test]
fn lists_come_in_pages_of_ten_unless_asked_and_never_over_250() {
    let account = filled(260);
    for path in ["/v2/profiles", "/v2/contacts/shop"] {
        assert_eq!(len(&account.get(path).json()), 10);
        assert_eq!(len(&account.get(&format!("{path}?limit=1000")).json()), 250);
        assert_eq!(
            len(&account.get(&format!("{path}?limit=250&offset=250")).json()),
            10
        );
        assert_eq!(
            len(&account.get(&format!("{path}?limit=250&offset=260")).json()),
            0
        );
    }
    let collections = account.get("/v2/contacts").json();
    assert_eq!(collections, json!([{"collection": "shop", "count": 260}]));
}

#[test]
fn a_listing_is_read_back_without_instructions() {
    let account = Account::new();
    account.push_contact(
        "a b/c",
        &json!({"email": "a@x.example", "@force_optin": false}),
    );
    let listing = account.get("/v2/contacts/shop/a%20b%2Fc").json();
    assert_eq!(
        (&listing["id"], &listing["collection"]),
        (&json!("a b/c"), &json!("shop"))
    );
    assert!(listing.get("@merge").is_none() && listing.get("@force_optin").is_none());
    let profile = account.get(&format!(
        "/v2/profiles/{}",
        listing["profile_id"].as_str().unwrap()
    ));
    assert_eq!(profile.json()["email"], "a@x.example");
}

#[test]
fn a_single_listing_can_be_written_by_its_path() {
    let account = Account::new();
    account.post("/v2/contacts/shop/1", &json!({"email": "a@x.example"}));
    assert_eq!(
        account.simulator.listing("shop", "1").unwrap().fields["email"],
        "a@x.example"
    );
}

#[test]
fn a_profile_takes_the_latest_value_of_each_field_but_both_names_from_one_listing() {
    let account = Account::new();
    account.push_contact(
        "1",
        &json!({"email": "a@x.example", "firstname": "Ann",
        "lastname": "Lee", "country_id": "GB", "gender": "f"}),
    );
    account.push_contact(
        "2",
        &json!({"email": "A@x.example", "firstname": "Anna",
        "country_id": "FR"}),
    );
    let fields = account.simulator.profile("a@x.example").unwrap().fields;
    assert_eq!(
        (&fields["firstname"], fields.get("lastname")),
        (&json!("Anna"), None)
    );
    assert_eq!(
        (&fields["country_id"], &fields["gender"]),
        (&json!("FR"), &json!("f"))
    );
}

#[test]
fn a_profile_is_looked_up_as_array_or_object() {
    for (look_up, found, missing) in [
        (LookUp::Array, "/0/email", 200),
        (LookUp::Object, "/email", 404),
    ] {
        let account = Account::with(|settings| settings.look_up = look_up);
        account.push_contact("1", &json!({"email": "a+b@x.example"}));
        let answer = account.get("/v2/profiles?email=a%2Bb%40x.example").json();
        assert_eq!(answer.pointer(found), Some(&json!("a+b@x.example")));
        assert_eq!(
            account.get("/v2/profiles?email=nobody@x.example").status,
            missing
        );
    }
}

#[test]
fn profiles_can_be_listed_since_a_day() {
    let account = Account::new();
    account.push_contact("1", &json!({"email": "a@x.example"}));
    account.clock.advance(Duration::from_secs(86_400));
    account.push_contact("2", &json!({"email": "b@x.example"}));
    assert_eq!(
        len(&account.get("/v2/profiles?updateSince=2024-05-02").json()),
        1
    );
    assert_eq!(
        len(&account.get("/v2/profiles?updateSince=2024-05-01").json()),
        2
    );
}

#[test]
fn unsubscribes_are_filtered_by_a_half_open_time() {
    let account = Account::new();
    account.simulator.set_preference("a@x.example", false);
    account.clock.advance(Duration::from_secs(60));
    account.simulator.set_preference("b@x.example", false);
    let asked = |query: &str| len(&account.get(&format!("/v2/unsubscribes?{query}")).json());
    assert_eq!(asked("since=2024-05-01T12:00:00"), 2);
    assert_eq!(asked("since=2024-05-01T12:00:01"), 1);
    assert_eq!(asked("before=2024-05-01T12:01:00"), 1);
    assert_eq!(asked("type=app"), 0);
}

#[test]
fn a_data_deletion_is_done_after_fourteen_days() {
    let account = Account::new();
    account.push_contact("1", &json!({"email": "a@x.example", "firstname": "Ann"}));
    let path = "/v2/data-deletion-requests";
    let made = account
        .post(path, &json!({"email": "A@x.example", "comment": "asked"}))
        .json();
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    assert_eq!(account.get(&one).json()["timestamp_completed"], Value::Null);
    account.clock.advance(Duration::from_secs(14 * 86_400));
    assert_eq!(
        account.get(&one).json()["timestamp_completed"],
        "2024-05-15 12:00:00.000000+00"
    );
    assert!(account.simulator.profile("a@x.example").is_none());
    assert!(
        !account
            .simulator
            .listing("shop", "1")
            .unwrap()
            .fields
            .contains_key("firstname")
    );
    assert_eq!(len(&account.get(path).json()), 1);
}

#[test]
fn six_data_deletion_calls_are_allowed_in_a_minute() {
    let account = Account::new();
    let ask = || account.get("/v2/data-deletion-requests").status;
    assert!((0..6).all(|_| ask() == 200));
    assert_eq!(ask(), 429);
    account.clock.advance(Duration::from_secs(60));
    assert_eq!(ask(), 200);
}

#[test]
fn unknown_paths_and_methods_are_named_as_such() {
    let account = Account::new();
    assert_eq!(account.get("/v2/nothing").status, 404);
    assert_eq!(account.get("/v2/push").status, 405);
    assert_eq!(account.get("/v2/contacts/none").status, 404);
}

#[test]
fn a_profile_of_several_listings_is_listed_once_and_one_without_address_not_at_all() {
    let account = Account::new();
    account.push_contact("1", &json!({"email": "a@x.example"}));
    account.push_contact("2", &json!({"email": "A@x.example"}));
    account.push_contact("3", &json!({"email": "b@x.example", "customer_id": "c"}));
    account.push_contact("4", &json!({"customer_id": "c"}));
    account.push_contact("5", &json!({"customer_id": "d"}));
    let profiles = account.get("/v2/profiles").json();
    let emails: Vec<_> = profiles
        .as_array()
        .unwrap()
        .iter()
        .map(|profile| profile["email"].as_str())
        .collect();
    assert_eq!(emails, [Some("A@x.example"), Some("b@x.example")]);
}
