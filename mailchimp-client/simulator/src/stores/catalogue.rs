//! Products with their variants and images.

use serde_json::{Value, json};

use super::{Store, find, id, page, store};
use crate::endpoint::Asked;
use crate::links::link;
use crate::problem::Problem;
use crate::render::Answer;
use crate::roster::{Entry, below, money};
use crate::timestamp;

pub(crate) const KIND: &str = "product";

/// `GET /ecommerce/stores/{store_id}/products`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let store = store(asked)?;
    page(asked, "products", &store.products, |entry| {
        product_json(asked, store, entry)
    })
}

fn product(asked: &Asked<'_>) -> Result<(Entry, Value), Problem> {
    let store = store(asked)?;
    let entry = find(asked, KIND, &store.products)?;
    Ok((entry, product_json(asked, store, entry)))
}

/// `GET /ecommerce/stores/{store_id}/products/{product_id}`.
pub(super) fn get(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.one(product(asked)?.1)
}

/// `GET /ecommerce/stores/{store_id}/products/{product_id}/variants`.
pub(super) fn variants(asked: &Asked<'_>) -> Result<Answer, Problem> {
    part(asked, "variants")
}

/// `GET /ecommerce/stores/{store_id}/products/{product_id}/variants/{variant_id}`.
pub(super) fn one_variant(asked: &Asked<'_>) -> Result<Answer, Problem> {
    one_part(asked, "variants")
}

/// `GET /ecommerce/stores/{store_id}/products/{product_id}/images`.
pub(super) fn images(asked: &Asked<'_>) -> Result<Answer, Problem> {
    part(asked, "images")
}

/// `GET /ecommerce/stores/{store_id}/products/{product_id}/images/{image_id}`.
pub(super) fn one_image(asked: &Asked<'_>) -> Result<Answer, Problem> {
    one_part(asked, "images")
}

fn part(asked: &Asked<'_>, key: &'static str) -> Result<Answer, Problem> {
    let (_, product) = product(asked)?;
    let rows = product[key].as_array().cloned().unwrap_or_default();
    let rows = asked
        .all(key, &rows, Value::clone)
        .with("store_id", asked.id(0).into())
        .with("product_id", asked.id(1).into());
    asked.answer(rows)
}

fn one_part(asked: &Asked<'_>, key: &str) -> Result<Answer, Problem> {
    let (_, product) = product(asked)?;
    let mut rows = product[key].as_array().into_iter().flatten();
    asked.one_of(rows.find(|row| row["id"] == asked.id(2)), Value::clone)
}

/// How many variants a product has: one to three.
fn variants_of(entry: Entry) -> u32 {
    entry.number % 3 + 1
}

/// A variant of a product, its title and its price in cents.
pub(super) fn variant(store: &Store, product: Entry, drawn: u64) -> (String, String, u32) {
    let variant = below(drawn, variants_of(product));
    let price = 500 + below(product.draw(store.seed, u64::from(variant)), 9500);
    (
        format!("{}-v{variant}", id(KIND, product.number)),
        format!("Größe {variant}"),
        price,
    )
}

pub(super) fn title(entry: Entry) -> String {
    match entry.number % 3 {
        0 => format!("Tea no. {}", entry.number),
        1 => format!("27\" \"Display\", {} – 'größer'; --", entry.number),
        _ => format!("🍵 お茶 {}", entry.number),
    }
}

fn product_json(asked: &Asked<'_>, store: &Store, entry: Entry) -> Value {
    let product = id(KIND, entry.number);
    let path = format!("ecommerce/stores/{}/products/{product}", store.id);
    let variants: Vec<Value> = (0..variants_of(entry))
        .map(|variant| {
            let price = 500 + below(entry.draw(store.seed, u64::from(variant)), 9500);
            json!({
                "id": format!("{product}-v{variant}"),
                "title": format!("Größe {variant}"),
                "url": "",
                "sku": if variant == 1 { String::new() } else { format!("00{variant}") },
                "price": money(price),
                "inventory_quantity": below(entry.draw(store.seed, 9), 50),
                "image_url": "",
                // A number as text, as documented.
                "backorders": "0",
                "visibility": "visible",
                "created_at": timestamp::text(entry.created_at),
                "updated_at": timestamp::text(entry.updated_at),
            })
        })
        .collect();
    let images = if entry.number.is_multiple_of(2) {
        json!([{
            "id": format!("{product}-i0"),
            "url": "https://shop.test/a.png?w=1&h=\"2\"",
            "variant_ids": [format!("{product}-v0")],
        }])
    } else {
        json!([])
    };
    json!({
        "id": product,
        "currency_code": "USD",
        "title": title(entry),
        "handle": format!("tea-{}", entry.number),
        "url": format!("https://shop.test/products/{}", entry.number),
        "description": "<p class=\"d\">It's \"good\"\n&amp; hot</p>",
        "type": "",
        "vendor": if entry.revision == 0 { "Freddie".to_owned() } else { format!("Freddie {}", entry.revision) },
        "image_url": "",
        "variants": variants,
        "images": images,
        "published_at_foreign": timestamp::text(if entry.number % 3 == 2 { 0 } else { entry.created_at }),
        "_links": [link(asked.context, "self", &path, "GET")],
    })
}
