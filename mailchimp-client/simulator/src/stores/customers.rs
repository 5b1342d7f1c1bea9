//! Customers. The first are members of the store's audience.

use serde_json::{Value, json};

use super::{Store, address, find, id, page, store};
use crate::endpoint::Asked;
use crate::generate::write_address;
use crate::links::link;
use crate::problem::Problem;
use crate::render::Answer;
use crate::roster::{Entry, below, money};
use crate::timestamp;

pub(crate) const KIND: &str = "customer";

/// `GET /ecommerce/stores/{store_id}/customers`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    let Some(wanted) = asked.call.query.get("email_address") else {
        return page(asked, "customers", &store.customers, |entry| {
            customer_json(asked, store, entry)
        });
    };
    let all = store.customers.iter();
    let found: Vec<Entry> = all
        .filter(|entry| email_address(entry.number).eq_ignore_ascii_case(wanted))
        .collect();
    let rows = asked.all("customers", &found, |&entry| {
        customer_json(asked, store, entry)
    });
    asked.answer(rows.with("store_id", store.id.clone().into()))
}

/// `GET /ecommerce/stores/{store_id}/customers/{customer_id}`.
pub(super) fn get(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    let entry = find(asked, KIND, &store.customers)?;
    asked.one(customer_json(asked, store, entry))
}

fn email_address(number: u32) -> String {
    let mut address = String::new();
    write_address(&mut address, number);
    address
}

pub(super) fn customer_json(asked: &Asked<'_>, store: &Store, entry: Entry) -> Value {
    let customer = id(KIND, entry.number);
    let path = format!("ecommerce/stores/{}/customers/{customer}", store.id);
    json!({
        "id": customer,
        "email_address": email_address(entry.number),
        "sms_phone_number": "",
        "opt_in_status": entry.number.is_multiple_of(2),
        "company": if entry.number % 3 == 1 { "O'Neill & \"Söhne\"" } else { "" },
        "first_name": if entry.number % 7 == 6 { "" } else { "Zoë" },
        "last_name": format!("Müller {}", entry.revision),
        "orders_count": entry.number % 4,
        "total_spent": money(below(entry.draw(store.seed, 1), 50_000)),
        "address": address(entry.number),
        "created_at": timestamp::text(entry.created_at),
        "updated_at": timestamp::text(entry.updated_at),
        "_links": [link(asked.context, "self", &path, "GET")],
    })
}
