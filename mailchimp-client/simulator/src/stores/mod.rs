//! Connected stores and everything in them. No row is kept: each is made from the store's seed, its number and how often
//! it was changed.

pub(crate) mod catalogue;
pub(crate) mod customers;
pub(crate) mod orders;
mod promos;

use serde_json::{Value, json};

use crate::account_spec::{History, StoreSpec};
use crate::endpoint::{Asked, Endpoint};
use crate::links::link;
use crate::member::mix;
use crate::problem::Problem;
use crate::render::Answer;
use crate::roster::{Entry, Roster};
use crate::timestamp;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::paged("/ecommerce/orders", orders::everywhere),
    Endpoint::paged("/ecommerce/stores", list),
    Endpoint::whole("/ecommerce/stores/{store_id}", get),
    Endpoint::paged("/ecommerce/stores/{store_id}/customers", customers::list),
    Endpoint::whole(
        "/ecommerce/stores/{store_id}/customers/{customer_id}",
        customers::get,
    ),
    Endpoint::paged("/ecommerce/stores/{store_id}/products", catalogue::list),
    Endpoint::whole(
        "/ecommerce/stores/{store_id}/products/{product_id}",
        catalogue::get,
    ),
    Endpoint::paged(
        "/ecommerce/stores/{store_id}/products/{product_id}/variants",
        catalogue::variants,
    ),
    Endpoint::whole(
        "/ecommerce/stores/{store_id}/products/{product_id}/variants/{variant_id}",
        catalogue::one_variant,
    ),
    Endpoint::paged(
        "/ecommerce/stores/{store_id}/products/{product_id}/images",
        catalogue::images,
    ),
    Endpoint::whole(
        "/ecommerce/stores/{store_id}/products/{product_id}/images/{image_id}",
        catalogue::one_image,
    ),
    Endpoint::paged("/ecommerce/stores/{store_id}/orders", orders::list),
    Endpoint::whole(
        "/ecommerce/stores/{store_id}/orders/{order_id}",
        orders::get,
    ),
    Endpoint::paged(
        "/ecommerce/stores/{store_id}/orders/{order_id}/lines",
        orders::lines,
    ),
    Endpoint::whole(
        "/ecommerce/stores/{store_id}/orders/{order_id}/lines/{line_id}",
        orders::one_line,
    ),
    Endpoint::paged("/ecommerce/stores/{store_id}/carts", orders::carts),
    Endpoint::whole("/ecommerce/stores/{store_id}/carts/{cart_id}", orders::cart),
    Endpoint::paged(
        "/ecommerce/stores/{store_id}/carts/{cart_id}/lines",
        orders::cart_lines,
    ),
    Endpoint::whole(
        "/ecommerce/stores/{store_id}/carts/{cart_id}/lines/{line_id}",
        orders::one_cart_line,
    ),
    Endpoint::paged("/ecommerce/stores/{store_id}/promo-rules", promos::rules),
    Endpoint::whole(
        "/ecommerce/stores/{store_id}/promo-rules/{promo_rule_id}",
        promos::rule,
    ),
    Endpoint::paged(
        "/ecommerce/stores/{store_id}/promo-rules/{promo_rule_id}/promo-codes",
        promos::codes,
    ),
    Endpoint::whole(
        "/ecommerce/stores/{store_id}/promo-rules/{promo_rule_id}/promo-codes/{promo_code_id}",
        promos::code,
    ),
];

/// One store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) id: String,
    /// Its audience, which never changes.
    pub(crate) list: String,
    number: u32,
    seed: u64,
    created_at: u32,
    pub(crate) customers: Roster,
    pub(crate) products: Roster,
    pub(crate) orders: Roster,
    pub(crate) carts: Roster,
    promo_rules: Roster,
}

impl Store {
    /// Store number `number` of the account.
    pub(crate) fn new(
        spec: StoreSpec,
        number: u32,
        list: String,
        history: History,
        seed: u64,
        now: u32,
    ) -> Self {
        Self {
            id: spec.id,
            list,
            number,
            seed: mix(seed ^ 0x57_0e ^ (u64::from(number) << 24)),
            created_at: timestamp::seconds(history.from).min(now),
            customers: Roster::new(spec.customers, history, now),
            products: Roster::new(spec.products, history, now),
            orders: Roster::new(spec.orders, history, now),
            carts: Roster::new(spec.carts, history, now),
            promo_rules: Roster::new(spec.promo_rules, history, now),
        }
    }
}

/// The id of a thing in a store: the client chose it, so that every fifth is one that needs care.
pub(crate) fn id(kind: &str, number: u32) -> String {
    if number % 5 == 4 {
        format!("{kind}/№ \"ü\" 100%-{number}")
    } else {
        format!("{kind}-{number:06}")
    }
}

/// The number behind an id.
pub(crate) fn number(kind: &str, text: &str) -> Option<u32> {
    let (_, digits) = text.rsplit_once('-')?;
    let number = digits.parse().ok()?;
    (id(kind, number) == text).then_some(number)
}

/// The store in the path.
fn store<'a>(asked: &Asked<'a>) -> Result<&'a Store, Problem> {
    let mut stores = asked.account.stores.iter();
    stores
        .find(|store| store.id == asked.id(0))
        .ok_or_else(Problem::not_found)
}

/// The thing of a roster whose id stands at the second place of the path.
fn find(asked: &Asked<'_>, kind: &str, roster: &Roster) -> Result<Entry, Problem> {
    let number = number(kind, asked.id(1));
    number
        .and_then(|number| roster.get(number))
        .ok_or_else(Problem::not_found)
}

/// A page of one roster.
fn page(
    asked: &Asked<'_>,
    key: &'static str,
    roster: &Roster,
    json: impl Fn(Entry) -> Value,
) -> Result<Answer, Problem> {
    let rows = asked.rows(key, roster.len(), |position| {
        roster.nth(position).map(&json)
    });
    asked.answer(rows.with("store_id", asked.id(0).into()))
}

/// `GET /ecommerce/stores`.
fn list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.answer(asked.all("stores", &asked.account.stores, |store| {
        store_json(asked, store)
    }))
}

/// `GET /ecommerce/stores/{store_id}`.
fn get(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.one(store_json(asked, store(asked)?))
}

fn address(number: u32) -> Value {
    if number % 4 == 3 {
        return json!({});
    }
    json!({
        "address1": "1 \"High\" Street", "address2": "", "city": "Zürich", "province": "",
        "province_code": "", "postal_code": "01234", "country": "Switzerland",
        "country_code": "CH",
    })
}

fn store_json(asked: &Asked<'_>, store: &Store) -> Value {
    let mut address = address(store.number);
    address["longitude"] = 0.into();
    address["latitude"] = 0.into();
    let path = format!("ecommerce/stores/{}", store.id);
    let mut value = json!({
        "id": store.id,
        "list_id": store.list,
        "name": format!("Shop \"{}\" – Tee & mehr", store.number),
        "platform": if store.number == 0 { "Custom" } else { "" },
        "domain": "shop.test",
        "is_syncing": false,
        "email_address": "shop@mail.test",
        "currency_code": "USD",
        "money_format": "$",
        "primary_locale": "en",
        "timezone": "",
        "phone": "",
        "address": address,
        "automations": {
            "abandoned_cart": {"is_supported": true, "id": "", "status": "save"},
            "abandoned_browse": {"is_supported": false},
        },
        "list_is_active": asked.account.audience(&store.list).is_some(),
        "created_at": timestamp::text(store.created_at),
        "updated_at": timestamp::text(store.created_at),
        "_links": [link(asked.context, "self", &path, "GET")],
    });
    if store.number == 0 {
        value["connected_site"] = json!({
            "site_foreign_id": "site-0",
            "site_script": {"url": "", "fragment": "<script>'\"'</script>"},
        });
    }
    value
}
