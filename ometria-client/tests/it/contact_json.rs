use chrono::{DateTime, NaiveDate, Utc};
use ometria_client::{
    Consent, Contact, CustomEvent, Gender, OperatorForcedOptIn, Optin, Order, Product, RawRecord,
    Record, SmsCollection, SmsConsent,
};
use serde_json::{Map, Value, json};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn sent(record: impl Into<Record>) -> Value {
    serde_json::to_value(record.into()).unwrap()
}

#[test]
fn a_bare_contact_has_type_collection_merge_and_id_and_nothing_else() {
    assert_eq!(
        sent(Contact::new("mailchimp:a1", "c1")),
        json!({"@type": "contact", "@collection": "mailchimp:a1", "@merge": true, "id": "c1"})
    );
}

#[test]
fn every_field_has_its_documented_name_and_form() {
    let contact = Contact::new("c", "1")
        .email(" a@x.example ")
        .customer_id("77")
        .phone_number("+441632960001")
        .consent(Consent::OptIn)
        .prefix("Dr")
        .firstname("Ann")
        .middlename("B")
        .lastname("Lee")
        .gender(Gender::Female)
        .date_of_birth(NaiveDate::from_ymd_opt(1990, 2, 3).unwrap())
        .country_id("GB")
        .timezone("Europe/London")
        .timestamp_acquired(time("2024-01-02T03:04:05.678Z"))
        .timestamp_subscribed(time("2024-01-02T05:04:05+02:00"))
        .timestamp_unsubscribed(time("2024-01-02T03:04:05Z"))
        .property("plan", "gold")
        .property("unknown", Value::Null)
        .extra_identifier("loyalty", "L-1")
        .add_to_list(3)
        .remove_from_list(4);
    let contact = {
        let mut contact = contact;
        contact.store_ids.push("uk".into());
        contact
    };
    assert_eq!(
        sent(contact),
        json!({
            "@type": "contact", "@collection": "c", "@merge": true, "id": "1",
            "email": "a@x.example", "customer_id": "77", "phone_number": "+441632960001",
            "marketing_optin": "EXPLICITLY_OPTEDIN", "@add_to_lists": [3], "@remove_from_lists": [4],
            "prefix": "Dr", "firstname": "Ann", "middlename": "B", "lastname": "Lee",
            "gender": "f", "date_of_birth": "1990-02-03", "country_id": "GB",
            "timezone": "Europe/London", "store_ids": ["uk"],
            "timestamp_acquired": "2024-01-02T03:04:05Z",
            "timestamp_subscribed": "2024-01-02T03:04:05Z",
            "timestamp_unsubscribed": "2024-01-02T03:04:05Z",
            "properties": {"plan": "gold"}, "extra_identifiers": {"loyalty": "L-1"},
        })
    );
}

#[test]
fn blanks_are_left_out() {
    let contact = Contact::new("c", "1")
        .email("")
        .firstname("  ")
        .property("gone", Value::Null);
    let sent = sent(contact);
    assert_eq!(sent.as_object().unwrap().len(), 4, "{sent}");
}

#[test]
fn consent_is_spelled_exactly_and_forces_opt_outs_only() {
    for (consent, word, forced) in [
        (Consent::OptIn, "EXPLICITLY_OPTEDIN", None),
        (Consent::OptOut, "EXPLICITLY_OPTEDOUT", None),
        (Consent::ForcedOptOut, "EXPLICITLY_OPTEDOUT", Some(true)),
        (Consent::NotSpecified, "NOT_SPECIFIED", None),
    ] {
        let sent = sent(Contact::new("c", "1").consent(consent));
        assert_eq!(sent["marketing_optin"], word);
        assert_eq!(sent.get("@force_optin").and_then(Value::as_bool), forced);
        assert_eq!(consent.optin().as_str(), word);
    }
    assert_eq!(
        serde_json::to_value(Optin::NotSpecified).unwrap(),
        "NOT_SPECIFIED"
    );
}

#[test]
fn only_the_operators_own_type_forces_an_opt_in() {
    let contact = Contact::new("c", "1").consent(Consent::ForcedOptOut);
    let sent = sent(OperatorForcedOptIn::overriding_every_opt_out(contact));
    assert_eq!(
        (&sent["marketing_optin"], &sent["@force_optin"]),
        (&json!("EXPLICITLY_OPTEDIN"), &json!(true))
    );
}

#[test]
fn a_raw_record_cannot_be_a_contact() {
    for word in ["contact", "Contact", " contact "] {
        let fields = json!({"@type": word, "id": "1"});
        assert!(
            RawRecord::new(fields.as_object().unwrap().clone()).is_err(),
            "{word}"
        );
    }
    assert!(RawRecord::new(Map::new()).is_err());
    let fields = json!({"@type": "listing", "id": "1"});
    let raw = RawRecord::new(fields.as_object().unwrap().clone()).unwrap();
    assert_eq!(sent(raw), fields);
}

#[test]
fn an_sms_decision_holds_identifiers_and_the_decision_only() {
    let mut sms = SmsConsent::new(
        SmsCollection::AskToConfirm,
        "1",
        "+441632960001",
        false,
        time("2024-01-02T03:04:05.9Z"),
    );
    sms.email = Some("a@x.example".into());
    assert_eq!(
        sent(sms),
        json!({
            "@type": "contact", "@collection": "optin:sms", "@merge": true, "id": "1",
            "email": "a@x.example", "phone_number": "+441632960001",
            "channels": {"sms": {
                "allow_marketing": false, "dt_updated_marketing": "2024-01-02T03:04:05Z",
            }},
        })
    );
}

#[test]
fn other_records_carry_their_type_whatever_their_fields_say() {
    let fields = json!({"@type": "contact", "@merge": false, "id": "no", "price": 3, "note": null});
    let fields = fields.as_object().unwrap().clone();
    let expected = |kind| json!({"@type": kind, "@merge": true, "id": "1", "price": 3});
    assert_eq!(
        sent(Order {
            id: "1".into(),
            fields: fields.clone()
        }),
        expected("order")
    );
    assert_eq!(
        sent(Product {
            id: "1".into(),
            fields
        }),
        expected("product")
    );
    let event = CustomEvent {
        id: "1".into(),
        event_type: "visit".into(),
        timestamp: time("2024-01-02T03:04:05Z"),
        identity_email: "a@x.example".into(),
        properties: Map::new(),
    };
    assert_eq!(
        sent(event),
        json!({"@type": "custom_event", "@merge": true, "id": "1", "event_type": "visit",
            "timestamp": "2024-01-02T03:04:05Z", "identity_email": "a@x.example"})
    );
}
