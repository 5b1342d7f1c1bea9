use std::collections::BTreeMap;

use ometria_simulator::{Claim, Rules};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::account::{Account, contact};

fn claim(word: &str) -> Value {
    json!({"email": "p@x.example", "marketing_optin": word})
}

#[test]
fn without_force_an_opt_out_of_any_listing_wins() {
    let account = Account::new();
    account.push_contact("1", &claim("EXPLICITLY_OPTEDOUT"));
    account.push_contact("2", &claim("EXPLICITLY_OPTEDIN"));
    assert_eq!(account.optin("P@X.example"), Some(false));
}

#[test]
fn under_the_older_rules_the_latest_claim_wins() {
    let account = Account::with(|settings| settings.rules = Rules::Older);
    account.push_contact("1", &claim("EXPLICITLY_OPTEDOUT"));
    account.push_contact("2", &claim("EXPLICITLY_OPTEDIN"));
    assert_eq!(account.optin("p@x.example"), Some(true));
}

#[test]
fn a_forced_opt_out_survives_a_later_unforced_opt_in() {
    let account = Account::new();
    let mut forced = claim("EXPLICITLY_OPTEDOUT");
    forced["@force_optin"] = true.into();
    account.push_contact("1", &forced);
    account.push_contact("1", &claim("EXPLICITLY_OPTEDIN"));
    account.push_contact("2", &claim("EXPLICITLY_OPTEDIN"));
    let profile = account.simulator.profile("p@x.example").unwrap();
    assert_eq!(
        (profile.marketing_optin, profile.forced),
        (Some(false), true)
    );
}

#[test]
fn the_preference_centre_beats_an_unforced_claim_and_is_listed_when_it_opts_out() {
    let account = Account::new();
    account.push_contact("1", &claim("EXPLICITLY_OPTEDIN"));
    account.simulator.set_preference("P@x.example", false);
    assert_eq!(account.optin("p@x.example"), Some(false));
    account.push_contact("1", &claim("EXPLICITLY_OPTEDIN"));
    assert_eq!(account.optin("p@x.example"), Some(false));
    let rows = account
        .get("/v2/unsubscribes?type=preferences_centre")
        .json();
    assert_eq!(rows.as_array().unwrap().len(), 1);
}

#[test]
fn an_opt_out_by_push_is_not_among_the_unsubscribes() {
    let account = Account::new();
    account.push_contact("1", &claim("EXPLICITLY_OPTEDOUT"));
    assert_eq!(account.get("/v2/unsubscribes").json(), json!([]));
}

#[test]
fn leaving_the_claim_out_keeps_it_and_not_specified_withdraws_it() {
    let account = Account::new();
    account.push_contact("1", &claim("EXPLICITLY_OPTEDOUT"));
    account.push_contact("1", &json!({"firstname": "Ann"}));
    assert_eq!(account.optin("p@x.example"), Some(false));
    account.push_contact("1", &claim("NOT_SPECIFIED"));
    assert_eq!(account.optin("p@x.example"), None);
}

#[test]
fn every_change_is_in_the_history_even_one_that_lasted_a_single_record() {
    let account = Account::new();
    for word in [
        "EXPLICITLY_OPTEDOUT",
        "EXPLICITLY_OPTEDIN",
        "EXPLICITLY_OPTEDOUT",
    ] {
        account.push_contact("1", &claim(word));
    }
    account.push_contact("1", &json!({"firstname": "Ann"}));
    let history = account.simulator.consent_history("p@x.example");
    let outcomes: Vec<_> = history.iter().map(|change| change.profile).collect();
    assert_eq!(outcomes, [Some(false), Some(true), Some(false)]);
    assert_eq!(history[1].claim, Some(Claim::OptedIn));
    assert_eq!(history[1].id.as_deref(), Some("1"));
    assert!(
        history
            .windows(2)
            .all(|pair| pair[0].sequence < pair[1].sequence)
    );
}

#[test]
fn a_shared_customer_id_joins_addresses_into_one_profile() {
    let account = Account::new();
    account.push_contact(
        "1",
        &json!({"email": "a@x.example", "customer_id": "c",
        "marketing_optin": "EXPLICITLY_OPTEDIN"}),
    );
    account.push_contact(
        "2",
        &json!({"email": "b@x.example",
        "marketing_optin": "EXPLICITLY_OPTEDOUT"}),
    );
    assert_eq!(account.optin("a@x.example"), Some(true));
    account.push_contact("2", &json!({"customer_id": "c"}));
    assert_eq!(account.optin("a@x.example"), Some(false));
    let history = account.simulator.consent_history("a@x.example");
    assert_eq!(
        history.last().map(|change| (change.claim, change.profile)),
        Some((None, Some(false)))
    );
}

#[test]
fn an_address_change_takes_the_claim_along_and_the_old_address_loses_it() {
    let account = Account::new();
    account.push_contact(
        "1",
        &json!({"email": "old@x.example", "customer_id": "c",
        "marketing_optin": "EXPLICITLY_OPTEDOUT"}),
    );
    account.push_contact(
        "2",
        &json!({"email": "old@x.example",
        "marketing_optin": "EXPLICITLY_OPTEDIN"}),
    );
    assert_eq!(account.optin("old@x.example"), Some(false));
    account.push_contact("1", &json!({"email": "new@x.example"}));
    assert_eq!(account.optin("new@x.example"), Some(false));
    assert_eq!(account.optin("old@x.example"), Some(true));
    let history = account.simulator.consent_history("old@x.example");
    assert_eq!(
        history.last().map(|change| change.profile),
        Some(Some(true))
    );
}

#[derive(Clone, Debug)]
struct Step {
    id: u8,
    email: Option<u8>,
    customer: Option<u8>,
    claim: Option<Claim>,
    forced: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let claim = prop_oneof![
        Just(Claim::OptedIn),
        Just(Claim::OptedOut),
        Just(Claim::NotSpecified)
    ];
    let step = (
        0..5u8,
        proptest::option::of(0..4u8),
        proptest::option::weighted(0.2, 0..2u8),
        proptest::option::of(claim),
        any::<bool>(),
    );
    let step = step.prop_map(|(id, email, customer, claim, forced)| Step {
        id,
        email,
        customer,
        claim,
        forced,
    });
    proptest::collection::vec(step, 1..30)
}

/// What a listing of the model holds.
#[derive(Clone, Default)]
struct Known {
    email: Option<u8>,
    customer: Option<u8>,
    latest: Option<(usize, Claim)>,
    forced: Option<(usize, Claim)>,
}

/// The rules, written down a second time and without indexes: everyone reachable, then forced, then opt-out.
fn model_optin(listings: &BTreeMap<u8, Known>, email: u8, rules: Rules) -> Option<bool> {
    let (mut emails, mut customers) = (vec![email], Vec::new());
    let mut members = Vec::new();
    loop {
        let found: Vec<u8> = listings
            .iter()
            .filter(|(_, it)| {
                it.email.is_some_and(|email| emails.contains(&email))
                    || it
                        .customer
                        .is_some_and(|customer| customers.contains(&customer))
            })
            .map(|(id, _)| *id)
            .collect();
        if found == members {
            break;
        }
        emails.extend(found.iter().filter_map(|id| listings[id].email));
        customers.extend(found.iter().filter_map(|id| listings[id].customer));
        members = found;
    }
    let value = |claim| match claim {
        Claim::OptedIn => Some(true),
        Claim::OptedOut => Some(false),
        Claim::NotSpecified => None,
    };
    let forced = members
        .iter()
        .filter_map(|id| listings[id].forced)
        .max_by_key(|made| made.0);
    if let Some((_, claim)) = forced {
        return value(claim);
    }
    let latest: Vec<_> = members
        .iter()
        .filter_map(|id| listings[id].latest)
        .filter_map(|(at, claim)| Some((at, value(claim)?)))
        .collect();
    match rules {
        Rules::Newest if latest.iter().any(|(_, optin)| !optin) => Some(false),
        Rules::Newest => latest.first().map(|_| true),
        Rules::Older => latest.iter().max().map(|(_, optin)| *optin),
    }
}

proptest! {
    #[test]
    fn profiles_and_history_agree_with_the_rules_after_every_record(
        steps in steps(),
        older in any::<bool>(),
    ) {
        let rules = if older { Rules::Older } else { Rules::Newest };
        let account = Account::with(|settings| settings.rules = rules);
        let mut model: BTreeMap<u8, Known> = BTreeMap::new();
        for (at, step) in steps.iter().enumerate() {
            let mut fields = Map::new();
            let known = model.entry(step.id).or_default();
            if let Some(email) = step.email {
                fields.insert("email".into(), format!("{email}@x.example").into());
                known.email = step.email;
            }
            if let Some(customer) = step.customer {
                fields.insert("customer_id".into(), customer.to_string().into());
                known.customer = step.customer;
            }
            if let Some(claim) = step.claim {
                let word = match claim {
                    Claim::OptedIn => "EXPLICITLY_OPTEDIN",
                    Claim::OptedOut => "EXPLICITLY_OPTEDOUT",
                    Claim::NotSpecified => "NOT_SPECIFIED",
                };
                fields.insert("marketing_optin".into(), word.into());
                known.latest = Some((at, claim));
                if step.forced {
                    fields.insert("@force_optin".into(), true.into());
                    known.forced = known.latest;
                }
            }
            account.push(&json!([contact(&step.id.to_string(), &fields.into())]));
            for email in 0..4 {
                let held = model.values().any(|known| known.email == Some(email));
                let address = format!("{email}@x.example");
                let profile = account.simulator.profile(&address);
                prop_assert_eq!(profile.is_some(), held);
                let expected = model_optin(&model, email, rules);
                prop_assert_eq!(profile.and_then(|profile| profile.marketing_optin), expected);
                let history = account.simulator.consent_history(&address);
                prop_assert_eq!(history.last().and_then(|change| change.profile), expected);
            }
        }
    }
}
