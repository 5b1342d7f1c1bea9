use serde_json::{Value, json};

use crate::account::{Account, contact};

#[test]
fn twenty_thousand_contacts_twice_are_twenty_thousand_listings() {
    let account = Account::new();
    for word in ["EXPLICITLY_OPTEDIN", "EXPLICITLY_OPTEDOUT"] {
        for call in 0..200 {
            let records: Vec<Value> = (call * 100..(call + 1) * 100)
                .map(|i| {
                    let fields =
                        json!({"email": format!("{i}@x.example"), "marketing_optin": word});
                    contact(&i.to_string(), &fields)
                })
                .collect();
            account.push(&records.into());
        }
    }
    assert_eq!(account.simulator.listing_count(), 20_000);
    assert_eq!(account.simulator.emails().len(), 20_000);
    let opted_out = |i: usize| account.optin(&format!("{i}@x.example")) == Some(false);
    assert!((0..20_000).step_by(997).all(opted_out));
    assert_eq!(account.simulator.stats().accepted, 40_000);
}
