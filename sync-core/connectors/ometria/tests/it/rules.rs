//! What one change becomes, given what the ledger remembers.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use ometria_client::{Consent, Contact, Gender, Record, SmsCollection};
use serde_json::{Value, json};
use sync_core::{
    Action, Change, ImportId, Key, LedgerChange, LedgerEntry, LedgerKey, LedgerView, Mapping,
    Prepared,
};
use sync_ometria::{
    ConsentSettings, ContactMapping, ContactSettings, Delivery, FactsMapping, Notice,
    OMETRIA_AUDIENCE, RecordDelivery, RecordMapping, Sms, SmsPolicy, SmsStatus, Status, Subscriber,
    Withheld,
};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

/// A member of key `k` that changed last at `seconds` and opted in at 50.
fn member(status: &str, seconds: i64) -> Subscriber {
    let key = Key::new("k");
    let mut member = Subscriber::new(
        key,
        "k",
        "Someone@Example.com",
        Status::from(status),
        at(seconds),
    );
    member.opted_in_at = Some(at(50));
    member
}

/// The ledger alone, as the engine keeps it.
#[derive(Default)]
struct Ledger(HashMap<LedgerKey, Option<LedgerEntry>>);

impl Ledger {
    fn prepare<Out>(
        &mut self,
        mapping: &impl Mapping<Subscriber, Out>,
        change: Change<Subscriber>,
    ) -> Prepared<Out> {
        let wanted = mapping.lookups(&change);
        let seen: HashMap<_, _> = wanted
            .into_iter()
            .map(|at| (at.clone(), self.0.get(&at).cloned().flatten()))
            .collect();
        let prepared = mapping.prepare(change, &LedgerView::new(&seen));
        self.apply(&prepared.learned);
        prepared
    }

    fn apply(&mut self, changes: &[LedgerChange]) {
        for change in changes {
            self.0.insert(change.at.clone(), change.entry.clone());
        }
    }

    /// Prepares a change and lets the sink accept it.
    fn deliver<Out: Clone>(
        &mut self,
        mapping: &impl Mapping<Subscriber, Out>,
        change: Change<Subscriber>,
    ) -> Vec<Out> {
        let prepared = self.prepare(mapping, change);
        self.apply(&prepared.on_accept);
        match prepared.action {
            Action::Send(records) => records,
            Action::Skip => Vec::new(),
            Action::Reject(reason) => panic!("rejected: {reason}"),
        }
    }

    fn entries(&self) -> usize {
        self.0.values().flatten().count()
    }
}

fn mapping_with(
    audience: &str,
    contact: ContactSettings,
    consent: ConsentSettings,
) -> ContactMapping {
    let collection = format!("mailchimp:{audience}");
    ContactMapping::new(
        ImportId::new(audience).scope(),
        audience,
        &collection,
        contact,
        consent,
    )
    .unwrap()
}

fn mapping(audience: &str) -> ContactMapping {
    let consent = ConsentSettings {
        audiences: vec!["a".into(), "b".into()],
        ..ConsentSettings::default()
    };
    mapping_with(audience, ContactSettings::default(), consent)
}

fn contact(delivery: &Delivery) -> &Contact {
    match delivery.record() {
        Record::Contact(contact) => contact,
        other => panic!("not a contact: {other:?}"),
    }
}

fn json(delivery: &Delivery) -> Value {
    serde_json::to_value(delivery.record()).unwrap()
}

fn one<T>(mut records: Vec<T>) -> T {
    assert_eq!(records.len(), 1);
    records.remove(0)
}

fn consent(records: &[Delivery]) -> Option<Consent> {
    records.last().and_then(Delivery::consent)
}

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
            "@add_to_lists": [4], "@remove_from_lists": [5],
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
fn an_unsubscribed_member_is_a_forced_opt_out_with_its_first_time() {
    let mut ledger = Ledger::default();
    let mapping = mapping("a");
    let sent = one(ledger.deliver(&mapping, Change::Present(member("unsubscribed", 100))));
    let sent = json(&sent);
    assert_eq!(sent["marketing_optin"], "EXPLICITLY_OPTEDOUT");
    assert_eq!(sent["@force_optin"], true);
    assert_eq!(sent["timestamp_unsubscribed"], "1970-01-01T00:01:40Z");
    assert_eq!(sent.get("timestamp_subscribed"), None);

    let mut edited = member("unsubscribed", 200);
    edited.firstname = Some("Some".into());
    let sent = json(&one(ledger.deliver(&mapping, Change::Present(edited))));
    assert_eq!(sent["timestamp_unsubscribed"], "1970-01-01T00:01:40Z");
}

#[test]
fn the_first_time_of_an_opt_out_survives_a_record_that_was_refused() {
    let mut ledger = Ledger::default();
    let mapping = mapping("a");
    // Prepared and refused by the sink: nothing but the fact stays.
    ledger.prepare(&mapping, Change::Present(member("unsubscribed", 100)));
    let sent = one(ledger.deliver(&mapping, Change::Present(member("unsubscribed", 200))));
    assert_eq!(contact(&sent).timestamp_unsubscribed, Some(at(100)));
}

#[test]
fn an_unchanged_member_is_sent_once_whatever_its_status() {
    for status in [
        "subscribed",
        "unsubscribed",
        "cleaned",
        "pending",
        "transactional",
        "archived",
        "new-word",
    ] {
        for before in ["subscribed", "unsubscribed", "pending"] {
            let mut ledger = Ledger::default();
            let mapping = mapping("a");
            ledger.deliver(&mapping, Change::Present(member(before, 100)));
            let mut next = member(status, 200);
            next.opted_in_at = Some(at(150));
            ledger.deliver(&mapping, Change::Present(next.clone()));
            let again = ledger.deliver(&mapping, Change::Present(next.clone()));
            assert_eq!(again, [], "{before} then {status}");
            // Touched without a difference that is sent.
            next.last_changed = at(300);
            let touched = ledger.deliver(&mapping, Change::Present(next));
            assert_eq!(touched, [], "{before} then {status}, touched");
        }
    }
}

#[test]
fn an_opt_in_is_withdrawn_only_when_it_was_ours() {
    let mapping = mapping("a");
    for status in ["pending", "transactional", "archived", "new-word"] {
        let mut ledger = Ledger::default();
        let first = ledger.deliver(&mapping, Change::Present(member(status, 100)));
        assert_eq!(consent(&first), None, "{status}");

        let mut ledger = Ledger::default();
        ledger.deliver(&mapping, Change::Present(member("subscribed", 100)));
        let then = ledger.deliver(&mapping, Change::Present(member(status, 200)));
        assert_eq!(consent(&then), Some(Consent::NotSpecified), "{status}");

        let mut ledger = Ledger::default();
        ledger.deliver(&mapping, Change::Present(member("unsubscribed", 100)));
        let then = ledger.deliver(&mapping, Change::Present(member(status, 200)));
        assert_eq!(consent(&then), None, "{status}");
    }
}

#[test]
fn an_unknown_status_is_reported_and_claims_nothing() {
    let sent =
        one(Ledger::default().deliver(&mapping("a"), Change::Present(member("Subscribed", 100))));
    assert_eq!(sent.consent(), None);
    assert_eq!(sent.notices(), [Notice::UnknownStatus]);
}

#[test]
fn a_permission_that_is_not_given_counts_as_no_consent() {
    let mut ledger = Ledger::default();
    let mut member = member("subscribed", 100);
    member.permission_granted = Some(true);
    let mapping = mapping("a");
    let sent = ledger.deliver(&mapping, Change::Present(member.clone()));
    assert_eq!(consent(&sent), Some(Consent::OptIn));
    member.permission_granted = Some(false);
    let sent = one(ledger.deliver(&mapping, Change::Present(member)));
    assert_eq!(sent.consent(), Some(Consent::NotSpecified));
    assert_eq!(
        sent.notices(),
        [Notice::OptInWithheld(Withheld::NoPermission)]
    );
}

#[test]
fn coming_back_needs_a_provably_newer_opt_in() {
    for (opted_in_at, expected) in [
        (Some(at(150)), Ok(Notice::MayNeedConfirmation)),
        (Some(at(100)), Err(Withheld::NotNewerThanOptOut)),
        (Some(at(50)), Err(Withheld::NotNewerThanOptOut)),
        (None, Err(Withheld::NoOptInTime)),
    ] {
        let mut ledger = Ledger::default();
        let mapping = mapping("a");
        ledger.deliver(&mapping, Change::Present(member("unsubscribed", 100)));
        let mut back = member("subscribed", 200);
        back.opted_in_at = opted_in_at;
        back.firstname = Some("New".into());
        let sent = one(ledger.deliver(&mapping, Change::Present(back)));
        let (consent, notice) = match expected {
            Ok(notice) => (Some(Consent::OptIn), notice),
            Err(reason) => (None, Notice::OptInWithheld(reason)),
        };
        assert_eq!(sent.consent(), consent, "{opted_in_at:?}");
        assert_eq!(sent.notices(), [notice]);
    }
}

#[test]
fn an_opt_out_in_one_audience_holds_back_opt_ins_from_the_others() {
    let mut ledger = Ledger::default();
    let (a, b) = (mapping("a"), mapping("b"));
    ledger.deliver(&b, Change::Present(member("unsubscribed", 100)));
    let mut newer = member("subscribed", 200);
    newer.opted_in_at = Some(at(150));
    newer.email = " SOMEONE@example.com".into();
    let sent = one(ledger.deliver(&a, Change::Present(newer.clone())));
    assert_eq!(sent.consent(), None);
    assert_eq!(
        sent.notices(),
        [Notice::OptInWithheld(Withheld::UnsubscribedElsewhere)]
    );

    // The opt-out ends in b; the opt-in in a is newer than it.
    let mut back = member("subscribed", 300);
    back.opted_in_at = Some(at(250));
    assert_eq!(
        consent(&ledger.deliver(&b, Change::Present(back))),
        Some(Consent::OptIn)
    );
    assert_eq!(
        consent(&ledger.deliver(&a, Change::Present(newer))),
        Some(Consent::OptIn)
    );
    // And one that is not.
    let old = ledger.deliver(&a, Change::Present(member("subscribed", 400)));
    assert_eq!(consent(&old), Some(Consent::NotSpecified));
}

#[test]
fn the_pass_over_opt_outs_teaches_without_sending() {
    let mut ledger = Ledger::default();
    let facts = FactsMapping::new("b", &ConsentSettings::default()).unwrap();
    let sent: Vec<Delivery> = ledger.deliver(&facts, Change::Present(member("unsubscribed", 100)));
    assert_eq!(sent, []);
    let again: Prepared<Delivery> =
        ledger.prepare(&facts, Change::Present(member("unsubscribed", 100)));
    assert_eq!(again, Prepared::skip());
    let withheld = ledger.deliver(&mapping("a"), Change::Present(member("subscribed", 200)));
    assert_eq!(consent(&withheld), None);
}

#[test]
fn an_opt_out_at_ometria_counts_until_a_newer_opt_in() {
    // The ledger entry that a reader of Ometria's own unsubscribes writes: same form, the reserved audience.
    let mut ledger = Ledger::default();
    let b = mapping("b");
    ledger.deliver(&b, Change::Present(member("unsubscribed", 100)));
    let mut back = member("subscribed", 110);
    back.opted_in_at = Some(at(105));
    ledger.deliver(&b, Change::Present(back));
    let moved: Vec<_> = ledger
        .0
        .iter()
        .filter_map(|(at, entry)| {
            let key = at.key.as_str().strip_suffix("/b")?;
            let key = Key::new(format!("{key}/{OMETRIA_AUDIENCE}"));
            Some(LedgerChange {
                at: LedgerKey {
                    scope: at.scope.clone(),
                    key,
                },
                entry: entry.clone(),
            })
        })
        .collect();
    assert_eq!(moved.len(), 1);
    let mut only_ometria = Ledger::default();
    only_ometria.apply(&moved);
    for (opted_in, expected) in [(100, None), (101, Some(Consent::OptIn))] {
        let mut member = member("subscribed", 200);
        member.opted_in_at = Some(at(opted_in));
        let sent = only_ometria.deliver(&mapping("a"), Change::Present(member));
        assert_eq!(consent(&sent), expected);
    }
}

#[test]
fn a_declared_audience_decides_alone() {
    let consent_of = |audience: &str, holder: &str, ledger: &mut Ledger, status: &str| {
        let settings = ConsentSettings {
            audiences: vec!["a".into(), "b".into()],
            consent_audience: Some(holder.into()),
            ..ConsentSettings::default()
        };
        let mapping = mapping_with(audience, ContactSettings::default(), settings);
        let mut member = member(status, 200);
        member.opted_in_at = Some(at(150));
        consent(&ledger.deliver(&mapping, Change::Present(member)))
    };
    let mut ledger = Ledger::default();
    assert_eq!(consent_of("b", "a", &mut ledger, "unsubscribed"), None);
    assert_eq!(
        consent_of("a", "a", &mut ledger, "subscribed"),
        Some(Consent::OptIn)
    );
    assert_eq!(
        consent_of("a", "b", &mut ledger, "subscribed"),
        Some(Consent::NotSpecified)
    );
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
fn a_member_that_is_gone_and_out_already_is_only_forgotten() {
    let mut ledger = Ledger::default();
    let mapping = mapping("a");
    ledger.deliver(&mapping, Change::Present(member("unsubscribed", 100)));
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
fn an_opt_out_is_the_persons_and_survives_a_change_of_address() {
    let mut ledger = Ledger::default();
    let mapping = mapping("a");
    ledger.deliver(&mapping, Change::Present(member("unsubscribed", 100)));
    let mut moved = member("subscribed", 200);
    moved.email = "other@example.com".into();
    let sent = one(ledger.deliver(&mapping, Change::Present(moved)));
    assert_eq!(sent.consent(), None);
    assert_eq!(
        sent.notices(),
        [Notice::OptInWithheld(Withheld::NotNewerThanOptOut)]
    );
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
fn a_note_that_cannot_be_read_opts_nobody_in() {
    let mut ledger = Ledger::default();
    let mapping = mapping("a");
    ledger.deliver(&mapping, Change::Present(member("pending", 100)));
    for entry in ledger.0.values_mut().flatten() {
        entry.note = vec![2, 1, 1].into();
        entry.fingerprint = 0;
    }
    let sent = one(ledger.deliver(&mapping, Change::Present(member("subscribed", 200))));
    assert_eq!(sent.consent(), None);
    assert_eq!(
        sent.notices(),
        [Notice::OptInWithheld(Withheld::UnreadableState)]
    );
    // Still so after the note was written anew.
    let mut edited = member("subscribed", 300);
    edited.firstname = Some("x".into());
    assert_eq!(
        consent(&ledger.deliver(&mapping, Change::Present(edited))),
        None
    );
    let out = ledger.deliver(&mapping, Change::Present(member("unsubscribed", 400)));
    assert_eq!(consent(&out), Some(Consent::ForcedOptOut));
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
