//! What a record holds, which listing it is for, and what is no record at all.

use chrono::NaiveDate;
use ometria_client::{Consent, Gender, Record, SmsCollection};
use serde_json::json;
use sync_core::{Action, Change, ImportId, Key};
use sync_ometria::{
    ConsentSettings, ContactMapping, ContactSettings, Delivery, FactsMapping, Notice,
    OMETRIA_AUDIENCE, RecordDelivery, RecordMapping, Sms, SmsPolicy, SmsStatus,
};

use crate::ledger::{Ledger, at, consent, contact, json, mapping, mapping_with, member, one};

#[test]
fn a_subscribed_member_is_a_full_unforced_opt_in() {
    let mut member = member("subscribed", 100);
    member.firstname = Some(" Some ".into());
    member.lastname = Some("  ".into());
    member.phone = Some("+44 20 7946 0958".into());
    member.country = Some("gb".into());
    member.timezone = Some("Europe/London".into());
    member.date_of_birth = NaiveDate::from_ymd_opt(1980, 2, 29);
    member.gender = Some(Gender::Female);
    member.customer_id = Some("c7".into());
    member.acquired_at = Some(at(10));
    member.properties = vec![("vip".into(), true.into()), ("OM_LTV".into(), 5.into())];
    member.add_to_lists = vec![4];
    member.remove_from_lists = vec![5];
    let settings = ContactSettings {
        status_property: Some("mailchimp_status".into()),
        ..Default::default()
    };
    let mapping = mapping_with("a", settings, ConsentSettings::default());
    let sent = one(Ledger::default().deliver(&mapping, Change::Present(member)));
    assert_eq!(
        json(&sent),
        json!({
            "@type": "contact", "@collection": "mailchimp:a", "@merge": true, "id": "k",
            "email": "Someone@Example.com", "marketing_optin": "EXPLICITLY_OPTEDIN",
            "firstname": "Some", "phone_number": "+442079460958", "country_id": "GB",
            "timezone": "Europe/London", "date_of_birth": "1980-02-29", "gender": "f",
            "customer_id": "c7", "timestamp_acquired": "1970-01-01T00:00:10Z",
            "timestamp_subscribed": "1970-01-01T00:00:50Z",
            "properties": {"mailchimp_status": "subscribed", "vip": true},
            "@add_to_lists": [4],
        })
    );
    assert_eq!(sent.notices(), []);
}

#[test]
fn a_first_load_may_leave_out_the_time_of_the_opt_in() {
    let settings = ContactSettings {
        send_subscribed_time: false,
        ..Default::default()
    };
    let mapping = mapping_with("a", settings, ConsentSettings::default());
    let sent = one(Ledger::default().deliver(&mapping, Change::Present(member("subscribed", 100))));
    assert_eq!(contact(&sent).consent, Some(Consent::OptIn));
    assert_eq!(contact(&sent).timestamp_subscribed, None);
}

#[test]
fn only_segments_that_were_joined_because_of_us_are_left_and_once() {
    let mut ledger = Ledger::default();
    let mapping = mapping("a");
    let mut deliver = |joins: &[u64], leaves: &[u64]| {
        let mut member = member("subscribed", 100);
        member.add_to_lists = joins.to_vec();
        member.remove_from_lists = leaves.to_vec();
        let sent = ledger.deliver(&mapping, Change::Present(member));
        let lists = |d: &Delivery| {
            let sent = contact(d);
            (sent.add_to_lists.clone(), sent.remove_from_lists.clone())
        };
        sent.iter().map(lists).collect::<Vec<_>>()
    };
    assert_eq!(deliver(&[4], &[5, 6]), [(vec![4], vec![])]);
    assert_eq!(deliver(&[4], &[5, 6]), []);
    assert_eq!(deliver(&[4, 5], &[6]), [(vec![4, 5], vec![])]);
    assert_eq!(deliver(&[4], &[5, 6]), [(vec![4], vec![5])]);
    assert_eq!(deliver(&[4], &[5, 6]), []);
    // Not spoken of for a while, which changes what is sent but not whose the segment is.
    assert_eq!(deliver(&[], &[]), [(vec![], vec![])]);
    assert_eq!(deliver(&[], &[4]), [(vec![], vec![4])]);
    assert_eq!(deliver(&[], &[4]), []);
}

#[test]
fn in_doubt_a_row_is_sent_again() {
    let mut ledger = Ledger::default();
    let mapping = RecordMapping::new(ImportId::new("r").scope());
    let rows = |ledger: &mut Ledger| -> Vec<RecordDelivery> {
        ledger.deliver(&mapping, Change::Present(member("subscribed", 100)))
    };
    let first = rows(&mut ledger);
    assert_eq!((first.len(), rows(&mut ledger).len()), (1, 0));
    // As the engine shows what it does not trust.
    for entry in ledger.0.values_mut().flatten() {
        entry.fingerprint = 0;
    }
    assert_eq!(rows(&mut ledger), first);
    assert_eq!(rows(&mut ledger), []);
}

#[test]
fn a_member_that_is_gone_is_opted_out_without_its_address() {
    let mut ledger = Ledger::default();
    let mapping = mapping("a");
    ledger.deliver(&mapping, Change::Present(member("subscribed", 100)));
    let sent = one(ledger.deliver(&mapping, Change::Removed(Key::new("k"))));
    assert_eq!(
        json(&sent),
        json!({
            "@type": "contact", "@collection": "mailchimp:a", "@merge": true, "id": "k",
            "marketing_optin": "EXPLICITLY_OPTEDOUT",
        })
    );
    assert_eq!(ledger.entries(), 0);
    assert_eq!(ledger.deliver(&mapping, Change::Removed(Key::new("k"))), []);
}

#[test]
fn a_member_that_is_gone_and_out_already_is_opted_out_once_more() {
    let mut ledger = Ledger::default();
    let mapping = mapping("a");
    ledger.deliver(&mapping, Change::Present(member("unsubscribed", 100)));
    let sent = ledger.deliver(&mapping, Change::Removed(Key::new("k")));
    assert_eq!(consent(&sent), Some(Consent::ForcedOptOut));
    assert_eq!(ledger.deliver(&mapping, Change::Removed(Key::new("k"))), []);
    // The opt-out itself stays.
    assert_eq!(ledger.entries(), 1);
    let fresh = ledger.deliver(&mapping, Change::Present(member("subscribed", 200)));
    assert_eq!(consent(&fresh), None);
}

#[test]
fn an_address_change_that_changes_the_listing_withdraws_the_old_one() {
    let mut ledger = Ledger::default();
    let mapping = mapping("a");
    let mut before = member("subscribed", 100);
    before.listing_id = "md5-old".into();
    ledger.deliver(&mapping, Change::Present(before));
    let mut after = member("subscribed", 200);
    after.listing_id = "md5-new".into();
    after.email = "other@example.com".into();
    let sent = ledger.deliver(&mapping, Change::Present(after.clone()));
    let [old, new] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    assert_eq!(
        (contact(old).id.as_str(), old.consent()),
        ("md5-old", Some(Consent::OptOut))
    );
    assert_eq!(contact(old).email, None);
    assert_eq!(
        (contact(new).id.as_str(), new.consent()),
        ("md5-new", Some(Consent::OptIn))
    );
    assert_eq!(ledger.deliver(&mapping, Change::Present(after)), []);
    let gone = one(ledger.deliver(&mapping, Change::Removed(Key::new("k"))));
    assert_eq!(contact(&gone).id, "md5-new");
}

#[test]
fn a_listing_follows_the_address_unless_it_is_opted_out() {
    for (status, id) in [
        ("subscribed", "k"),
        ("pending", "k"),
        ("unsubscribed", "k~1"),
    ] {
        let mut ledger = Ledger::default();
        let mapping = mapping("a");
        ledger.deliver(&mapping, Change::Present(member(status, 100)));
        let mut moved = member(status, 200);
        moved.email = "other@example.com".into();
        let sent = one(ledger.deliver(&mapping, Change::Present(moved.clone())));
        assert_eq!(contact(&sent).id, id, "{status}");
        assert_eq!(contact(&sent).email.as_deref(), Some("other@example.com"));
        assert_eq!(
            ledger.deliver(&mapping, Change::Present(moved)),
            [],
            "{status}"
        );
    }
}

#[test]
fn impossible_addresses_and_ids_are_rejected_without_showing_them() {
    for (email, listing_id, field) in [
        ("", "k", "email"),
        ("secret", "k", "email"),
        ("a@b", "", "listing id"),
        ("a@b", "secret@b", "listing id"),
    ] {
        let mut member = member("subscribed", 100);
        member.email = email.into();
        member.listing_id = listing_id.into();
        let prepared = Ledger::default().prepare(&mapping("a"), Change::Present(member));
        let Action::Reject(reason) = prepared.action else {
            panic!("not rejected")
        };
        assert!(
            reason.starts_with(field) && !reason.contains("secret"),
            "{reason}"
        );
        assert!(prepared.on_accept.is_empty());
    }
}

#[test]
fn fields_that_do_not_fit_are_left_out_and_reported() {
    let mut member = member("subscribed", 100);
    member.phone = Some("020 7946 0958".into());
    member.country = Some("United Kingdom".into());
    member.properties = vec![
        ("a".into(), "x".repeat(900).into()),
        ("b".into(), "x".repeat(200).into()),
    ];
    let sent = one(Ledger::default().deliver(&mapping("a"), Change::Present(member)));
    assert_eq!(contact(&sent).phone_number, None);
    assert_eq!(contact(&sent).country_id, None);
    assert_eq!(contact(&sent).properties.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(
        sent.notices(),
        [Notice::PhoneLeftOut, Notice::PropertiesLeftOut]
    );
}

#[test]
fn sms_travels_in_a_record_of_its_own_and_only_when_asked() {
    let mut member = member("unsubscribed", 100);
    member.sms = Some(Sms {
        phone: "+44 20 7946 0958".into(),
        status: SmsStatus::Subscribed,
        decided_at: Some(at(70)),
    });
    let sent = Ledger::default().deliver(&mapping("a"), Change::Present(member.clone()));
    assert_eq!(sent.len(), 1);

    let settings = ContactSettings {
        sms: SmsPolicy::AlreadyConfirmed,
        ..Default::default()
    };
    let mapping = mapping_with("a", settings, ConsentSettings::default());
    let mut ledger = Ledger::default();
    let sent = ledger.deliver(&mapping, Change::Present(member.clone()));
    let [email, sms] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    assert_eq!(email.consent(), Some(Consent::ForcedOptOut));
    let Record::SmsConsent(consent) = sms.record() else {
        panic!("{sms:?}")
    };
    assert_eq!(consent.collection, SmsCollection::AlreadyConfirmed);
    assert!(consent.allow_marketing && !sms.is_opt_out());
    assert_eq!(json(sms).get("marketing_optin"), None);
    assert_eq!(
        ledger.deliver(&mapping, Change::Present(member.clone())),
        []
    );

    if let Some(sms) = &mut member.sms {
        sms.status = SmsStatus::Unsubscribed;
    }
    let sent = ledger.deliver(&mapping, Change::Present(member.clone()));
    assert!(sent.last().unwrap().is_opt_out());

    for undecided in [
        Sms {
            phone: "+442079460958".into(),
            status: SmsStatus::Undecided,
            decided_at: Some(at(1)),
        },
        Sms {
            phone: "+442079460958".into(),
            status: SmsStatus::Subscribed,
            decided_at: None,
        },
        Sms {
            phone: "020".into(),
            status: SmsStatus::Subscribed,
            decided_at: Some(at(1)),
        },
    ] {
        member.sms = Some(undecided);
        let sent = Ledger::default().deliver(&mapping, Change::Present(member.clone()));
        assert_eq!(sent.len(), 1);
    }
}

#[test]
fn settings_that_cannot_work_are_refused_when_the_mapping_is_made() {
    let scope = ImportId::new("a").scope();
    let new = |audience: &str, collection: &str| {
        ContactMapping::new(
            scope.clone(),
            audience,
            collection,
            ContactSettings::default(),
            ConsentSettings::default(),
        )
    };
    assert!(new("a", "mailchimp:a").is_ok());
    assert!(new("a/b", "mailchimp:a").is_err());
    assert!(new(OMETRIA_AUDIENCE, "mailchimp:a").is_err());
    assert!(new("a", "optin:sms").is_err());
    assert!(FactsMapping::new("", &ConsentSettings::default()).is_err());
}

#[test]
fn the_record_profile_gets_every_status_as_it_is_once() {
    let mapping = RecordMapping::new(ImportId::new("a").scope());
    let mut ledger = Ledger::default();
    for status in [
        "subscribed",
        "unsubscribed",
        "cleaned",
        "pending",
        "archived",
        "new-word",
    ] {
        let mut member = member(status, 100);
        member.firstname = Some("Some".into());
        let sent: RecordDelivery = one(ledger.deliver(&mapping, Change::Present(member.clone())));
        let row = sent.row();
        assert_eq!(
            [
                &row.id,
                &row.firstname,
                &row.lastname,
                &row.email,
                &row.status
            ],
            ["k", "Some", "", "Someone@Example.com", status]
        );
        assert_eq!(ledger.deliver(&mapping, Change::Present(member)), []);
    }
    assert_eq!(ledger.deliver(&mapping, Change::Removed(Key::new("k"))), []);
    assert_eq!(ledger.entries(), 0);
}
