//! Orders and carts with their lines.

use serde_json::{Value, json};

use super::customers::customer_json;
use super::{Store, address, catalogue, customers, find, id, page, store};
use crate::endpoint::Asked;
use crate::links::link;
use crate::problem::Problem;
use crate::render::Answer;
use crate::roster::{Entry, Roster, below, money};
use crate::timestamp;

pub(crate) const ORDER: &str = "order";
pub(crate) const CART: &str = "cart";

/// `GET /ecommerce/orders`: of all stores.
pub(super) fn everywhere(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let stores = asked.account.stores.iter();
    let found: Vec<(&Store, Entry)> = stores
        .flat_map(|store| store.orders.iter().map(move |entry| (store, entry)))
        .filter(|&(store, entry)| wanted(asked, store, entry))
        .collect();
    asked.answer(asked.all("orders", &found, |&(store, entry)| {
        order_json(asked, store, entry)
    }))
}

/// `GET /ecommerce/stores/{store_id}/orders`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    let filters = ["campaign_id", "outreach_id", "has_outreach", "customer_id"];
    let query = &asked.call.query;
    if filters.iter().all(|filter| query.get(filter).is_none()) {
        return page(asked, "orders", &store.orders, |entry| {
            order_json(asked, store, entry)
        });
    }
    let all = store.orders.iter();
    let found: Vec<Entry> = all.filter(|&entry| wanted(asked, store, entry)).collect();
    let rows = asked.all("orders", &found, |&entry| order_json(asked, store, entry));
    asked.answer(rows.with("store_id", store.id.clone().into()))
}

/// Whether the filters let an order pass.
fn wanted(asked: &Asked<'_>, store: &Store, entry: Entry) -> bool {
    let campaign = campaign_of(asked, entry);
    let outreach = campaign.as_deref().unwrap_or("");
    let has = asked.call.query.get("has_outreach");
    asked.is("campaign_id", outreach)
        && asked.is("outreach_id", outreach)
        && has.is_none_or(|_| asked.call.query.flag("has_outreach") != outreach.is_empty())
        && asked.call.query.get("customer_id").is_none_or(|wanted| {
            customer_of(store, entry)
                .is_some_and(|customer| id(customers::KIND, customer.number) == wanted)
        })
}

/// The campaign that led to an order, for every third.
fn campaign_of(asked: &Asked<'_>, entry: Entry) -> Option<String> {
    if !entry.number.is_multiple_of(3) {
        return None;
    }
    let campaigns = &asked.account.campaigns.held;
    let at = (entry.number as usize / 3).checked_rem(campaigns.len())?;
    let campaign = campaigns.get(at).filter(|campaign| campaign.is_sent())?;
    Some(campaign.id.clone())
}

fn customer_of(store: &Store, entry: Entry) -> Option<Entry> {
    let count = store.customers.len();
    let at = (entry.number as usize).checked_rem(count)?;
    store.customers.nth(at)
}

/// `GET /ecommerce/stores/{store_id}/orders/{order_id}`.
pub(super) fn get(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    let entry = find(asked, ORDER, &store.orders)?;
    asked.one(order_json(asked, store, entry))
}

/// `GET /ecommerce/stores/{store_id}/orders/{order_id}/lines`.
pub(super) fn lines(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    page_of_lines(asked, store, ORDER, &store.orders, "order_id")
}

/// `GET /ecommerce/stores/{store_id}/orders/{order_id}/lines/{line_id}`.
pub(super) fn one_line(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    single_line(asked, store, ORDER, &store.orders)
}

/// `GET /ecommerce/stores/{store_id}/carts`.
pub(super) fn carts(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    page(asked, "carts", &store.carts, |entry| {
        cart_json(asked, store, entry)
    })
}

/// `GET /ecommerce/stores/{store_id}/carts/{cart_id}`.
pub(super) fn cart(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    let entry = find(asked, CART, &store.carts)?;
    asked.one(cart_json(asked, store, entry))
}

/// `GET /ecommerce/stores/{store_id}/carts/{cart_id}/lines`.
pub(super) fn cart_lines(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    page_of_lines(asked, store, CART, &store.carts, "cart_id")
}

/// `GET /ecommerce/stores/{store_id}/carts/{cart_id}/lines/{line_id}`.
pub(super) fn one_cart_line(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    single_line(asked, store, CART, &store.carts)
}

fn page_of_lines(
    asked: &Asked<'_>,
    store: &Store,
    kind: &str,
    roster: &Roster,
    parent: &'static str,
) -> Result<Answer, Problem> {
    let (lines, _) = lines_of(store, kind, find(asked, kind, roster)?);
    let rows = asked
        .all("lines", &lines, Value::clone)
        .with("store_id", store.id.clone().into())
        .with(parent, asked.id(1).into());
    asked.answer(rows)
}

fn single_line(
    asked: &Asked<'_>,
    store: &Store,
    kind: &str,
    roster: &Roster,
) -> Result<Answer, Problem> {
    let (lines, _) = lines_of(store, kind, find(asked, kind, roster)?);
    let found = lines.into_iter().find(|line| line["id"] == asked.id(2));
    asked.one_of(found, |line| line)
}

/// One to three lines, and what they cost together in cents.
fn lines_of(store: &Store, kind: &str, entry: Entry) -> (Vec<Value>, u32) {
    let mut total = 0;
    let lines = (0..=entry.number % 3)
        .filter_map(|line| {
            let drawn = entry.draw(store.seed, u64::from(line) + 0x100);
            let count = u32::try_from(store.products.len()).ok()?;
            let product = store.products.nth(below(drawn, count) as usize)?;
            let (variant, variant_title, price) = catalogue::variant(store, product, drawn << 16);
            let quantity = 1 + below(drawn << 8, 3);
            total += quantity * price;
            let mut value = json!({
                // Unique in its order only.
                "id": format!("L{line}"),
                "product_id": id(catalogue::KIND, product.number),
                "product_title": catalogue::title(product),
                "product_variant_id": variant,
                "product_variant_title": variant_title,
                "quantity": quantity,
                "price": money(price),
            });
            if kind == ORDER {
                value["image_url"] = "".into();
                value["discount"] = 0.into();
            }
            Some(value)
        })
        .collect();
    (lines, total)
}

fn order_json(asked: &Asked<'_>, store: &Store, entry: Entry) -> Value {
    let order = id(ORDER, entry.number);
    let path = format!("ecommerce/stores/{}/orders/{order}", store.id);
    let (lines, total) = lines_of(store, ORDER, entry);
    let mut shipping = address(entry.number);
    shipping["name"] = "Zoë \"Z\" Müller".into();
    shipping["longitude"] = 0.into();
    shipping["latitude"] = 0.into();
    shipping["phone"] = "".into();
    shipping["company"] = "".into();
    let campaign = campaign_of(asked, entry);
    let cancelled = entry.number % 6 == 5;
    let mut value = json!({
        "id": order,
        "customer": customer_of(store, entry).map(|customer| customer_json(asked, store, customer)),
        "store_id": store.id,
        "campaign_id": campaign.clone().unwrap_or_default(),
        "landing_site": "https://shop.test/?a=1&b=\"2\"",
        "financial_status": if entry.revision == 0 { "pending" } else { "paid" },
        "fulfillment_status": "",
        "currency_code": "USD",
        "order_total": money(total),
        "order_url": "",
        "discount_total": 0,
        "tax_total": money(total / 5),
        "shipping_total": 4.9,
        "tracking_code": "",
        "processed_at_foreign": timestamp::text(entry.created_at),
        "cancelled_at_foreign": timestamp::text(if cancelled { entry.updated_at } else { 0 }),
        "updated_at_foreign": timestamp::text(entry.updated_at),
        "shipping_address": shipping,
        "billing_address": if entry.number.is_multiple_of(2) { Value::Null } else { shipping.clone() },
        "promos": [{"code": "TEE%10", "amount_discounted": 0, "type": "fixed"}],
        "lines": lines,
        "tracking_number": "",
        "tracking_carrier": "",
        "tracking_url": "",
        "_links": [link(asked.context, "self", &path, "GET")],
    });
    if let Some(campaign) = campaign {
        value["outreach"] = json!({
            "id": campaign, "name": "“news”", "type": "regular", "published_time": "",
        });
    }
    value
}

fn cart_json(asked: &Asked<'_>, store: &Store, entry: Entry) -> Value {
    let cart = id(CART, entry.number);
    let path = format!("ecommerce/stores/{}/carts/{cart}", store.id);
    let (lines, total) = lines_of(store, CART, entry);
    json!({
        "id": cart,
        "customer": customer_of(store, entry).map(|customer| customer_json(asked, store, customer)),
        "campaign_id": campaign_of(asked, entry).unwrap_or_default(),
        "checkout_url": "",
        "currency_code": "USD",
        "order_total": money(total),
        "tax_total": 0,
        "lines": lines,
        "created_at": timestamp::text(entry.created_at),
        "updated_at": timestamp::text(entry.updated_at),
        "_links": [link(asked.context, "self", &path, "GET")],
    })
}
