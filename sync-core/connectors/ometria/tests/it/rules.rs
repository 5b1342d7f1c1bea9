//! What a member's consent becomes, given what the ledger remembers.

use ometria_client::Consent;
use sync_core::{Change, Key, Prepared};
use sync_ometria::{ConsentSettings, ContactSettings, Delivery, FactsMapping, Notice, Withheld};

use crate::ledger::{Ledger, at, consent, contact, json, mapping, mapping_with, member, one};

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

/// Opted out at one address, and since then pushed as opted in at another one by a run that was killed.
fn moved_in_a_killed_run(ledger: &mut Ledger) -> Vec<String> {
    let mapping = mapping("a");
    ledger.deliver(&mapping, Change::Present(member("unsubscribed", 100)));
    let mut moved = member("subscribed", 200);
    moved.email = "elsewhere@example.com".into();
    moved.opted_in_at = Some(at(200));
    moved.add_to_lists = vec![7];
    let sent = ledger.deliver_and_die(&mapping, Change::Present(moved));
    sent.iter()
        .map(|delivery| contact(delivery).id.clone())
        .collect()
}

#[test]
fn a_listing_that_only_a_killed_run_wrote_is_opted_out_when_its_member_is_gone() {
    let mut ledger = Ledger::default();
    assert_eq!(moved_in_a_killed_run(&mut ledger), ["k~1"]);
    let sent = ledger.deliver(&mapping("a"), Change::Removed(Key::new("k")));
    let ids: Vec<&str> = sent.iter().map(|it| contact(it).id.as_str()).collect();
    assert_eq!(ids, ["k", "k~1"]);
    assert_eq!(contact(&sent[1]).consent, Some(Consent::OptOut));
    assert_eq!(
        ledger.deliver(&mapping("a"), Change::Removed(Key::new("k"))),
        []
    );
}

#[test]
fn a_listing_that_only_a_killed_run_wrote_is_remembered_until_its_member_is_gone() {
    let mut ledger = Ledger::default();
    moved_in_a_killed_run(&mut ledger);
    let mut back = member("subscribed", 300);
    back.opted_in_at = Some(at(300));
    back.remove_from_lists = vec![7];
    let sent = one(ledger.deliver(&mapping("a"), Change::Present(back.clone())));
    assert_eq!(contact(&sent).id, "k");
    // A segment that the killed run may have joined is left.
    assert_eq!(contact(&sent).remove_from_lists, [7]);
    assert_eq!(ledger.deliver(&mapping("a"), Change::Present(back)), []);
    let sent = ledger.deliver(&mapping("a"), Change::Removed(Key::new("k")));
    let ids: Vec<&str> = sent.iter().map(|it| contact(it).id.as_str()).collect();
    assert_eq!(ids, ["k", "k~1"]);
}
