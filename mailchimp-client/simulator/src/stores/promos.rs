//! Promo rules, each with two codes.

use serde_json::{Value, json};

use super::{Store, find, id, page, store};
use crate::endpoint::Asked;
use crate::links::link;
use crate::problem::Problem;
use crate::render::Answer;
use crate::roster::Entry;
use crate::timestamp;

const KIND: &str = "promo";

/// Codes of each rule.
const CODES: u32 = 2;

/// `GET /ecommerce/stores/{store_id}/promo-rules`.
pub(super) fn rules(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    page(asked, "promo_rules", &store.promo_rules, |entry| {
        rule_json(asked, store, entry)
    })
}

/// `GET /ecommerce/stores/{store_id}/promo-rules/{promo_rule_id}`.
pub(super) fn rule(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    let entry = find(asked, KIND, &store.promo_rules)?;
    asked.one(rule_json(asked, store, entry))
}

fn rule_json(asked: &Asked<'_>, store: &Store, entry: Entry) -> Value {
    let rule = id(KIND, entry.number);
    let path = format!("ecommerce/stores/{}/promo-rules/{rule}", store.id);
    let percentage = entry.number.is_multiple_of(2);
    json!({
        "id": rule,
        "title": format!("10% \"off\" {}", entry.number),
        "description": "",
        "starts_at": timestamp::text(entry.created_at),
        "ends_at": "",
        "amount": if percentage { 0.1 } else { 5.0 },
        "type": if percentage { "percentage" } else { "fixed" },
        "target": "total",
        "enabled": percentage,
        "created_at_foreign": timestamp::text(entry.created_at),
        "updated_at_foreign": timestamp::text(if percentage { 0 } else { entry.updated_at }),
        "_links": [link(asked.context, "self", &path, "GET")],
    })
}

/// `GET /ecommerce/stores/{store_id}/promo-rules/{promo_rule_id}/promo-codes`.
pub(super) fn codes(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    let entry = find(asked, KIND, &store.promo_rules)?;
    let codes: Vec<u32> = (0..CODES).collect();
    let rows = asked
        .all("promo_codes", &codes, |&code| code_json(entry, code))
        .with("store_id", store.id.clone().into());
    asked.answer(rows)
}

/// `GET /ecommerce/stores/{store_id}/promo-rules/{promo_rule_id}/promo-codes/{promo_code_id}`.
pub(super) fn code(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    let entry = find(asked, KIND, &store.promo_rules)?;
    let found = (0..CODES).find(|&code| code_id(code) == asked.id(2));
    asked.one_of(found, |code| code_json(entry, code))
}

/// Unique in its rule only.
fn code_id(code: u32) -> String {
    format!("code-{code}")
}

fn code_json(entry: Entry, code: u32) -> Value {
    json!({
        "id": code_id(code),
        "code": format!("TEE%{}-{code}", entry.number),
        "redemption_url": "https://shop.test/cart?code=\"x\"",
        "usage_count": code,
        "enabled": true,
        "created_at_foreign": timestamp::text(entry.created_at),
        "updated_at_foreign": "",
    })
}
