//! Stores and what is in them.

use futures::TryStreamExt;
use mailchimp_client::{
    AutomationStatus, Cart, Customer, ListCustomers, ListOrders, Order, Product, PromoCode,
    PromoKind, PromoRule, PromoTarget, Store,
};
use serde_json::{Value, json};
use wiremock::matchers::{query_param, query_param_is_missing};

use super::{ADDRESS, everything, ok, on, page, read, server};

fn customer() -> Value {
    json!({ "id": "cust1", "email_address": ADDRESS, "sms_phone_number": "",
        "opt_in_status": false, "company": "", "first_name": "Urist", "last_name": "McVankab",
        "orders_count": 2, "total_spent": 101.5,
        "address": { "address1": "675 Ponce De Leon Ave NE", "address2": "", "city": "Atlanta",
            "province": "GA", "province_code": "GA", "postal_code": "30308", "country": "",
            "country_code": "US" },
        "created_at": "2026-01-01T00:00:00+00:00", "updated_at": "2026-01-02T00:00:00+00:00" })
}

fn order() -> Value {
    let address = json!({ "name": "Urist", "address1": "", "address2": "", "city": "",
        "province": "", "province_code": "", "postal_code": "", "country": "", "country_code": "",
        "longitude": 0, "latitude": 0, "phone": "", "company": "" });
    json!({ "id": "o1", "customer": customer(), "store_id": "s", "campaign_id": "839488a60b",
        "cart_id": "", "landing_site": "", "financial_status": "paid",
        "fulfillment_status": "", "currency_code": "USD", "order_total": 45.99,
        "order_url": "", "discount_total": 0, "tax_total": 5, "shipping_total": "",
        "tracking_code": "prec", "processed_at_foreign": "2026-01-01T00:00:00+00:00",
        "cancelled_at_foreign": "", "updated_at_foreign": "",
        "shipping_address": address, "billing_address": address,
        "promos": [{ "code": "JULY", "amount_discounted": 4.5, "type": "fixed" }],
        "lines": [{ "id": "l1", "product_id": "p1", "product_title": "Hat",
            "product_variant_id": "v1", "product_variant_title": "Red", "image_url": "",
            "quantity": 1, "price": 45.99, "discount": 0 }],
        "outreach": { "id": "839488a60b", "name": "July", "type": "regular",
            "published_time": "2026-01-01T00:00:00+00:00" },
        "tracking_number": "", "tracking_carrier": "", "tracking_url": "" })
}

#[test]
fn an_order_is_read_and_written_back() {
    let order: Order = read(&order());
    assert!(order.cancelled_at_foreign.is_empty());
    // Blank, although documented as a number.
    assert!(order.shipping_total.is_empty());
    assert_eq!(order.order_total.value().unwrap().as_f64(), Some(45.99));
    let customer = order.customer.value().unwrap();
    assert_eq!(customer.opt_in_status.value(), Some(&false));
    let address = customer.address.value().unwrap();
    assert!(address.country.is_empty());
    assert_eq!(
        order.promos.value().unwrap()[0].kind.value(),
        Some(&PromoKind::Fixed)
    );
    assert_eq!(order.lines.value().unwrap()[0].quantity.value(), Some(&1));
    let outreach = order.outreach.value().unwrap();
    assert!(outreach.published_time.value().is_some());
    assert!(!format!("{order:?}").contains("Urist"));
}

#[tokio::test]
async fn stores_and_orders_of_all_stores() {
    let (server, client) = server().await;
    let store = json!({ "id": "s", "list_id": "a", "name": "Hats", "platform": "Shopify",
        "domain": "hats.example", "is_syncing": false, "email_address": "hats@example.net",
        "currency_code": "USD", "money_format": "$", "primary_locale": "en", "timezone": "",
        "phone": "", "address": { "address1": "", "longitude": -84.39, "latitude": 33.77 },
        "connected_site": { "site_foreign_id": "x",
            "site_script": { "url": "https://example.net/x.js", "fragment": "<script>" } },
        "automations": { "abandoned_cart": { "is_supported": true, "id": "w", "status": "sending" },
            "abandoned_browse": { "is_supported": false } },
        "list_is_active": true, "created_at": "2026-01-01T00:00:00+00:00", "updated_at": "" });
    on("GET", "/ecommerce/stores")
        .and(query_param("offset", "5"))
        .respond_with(ok(json!({ "stores": [store], "total_items": 6 })))
        .mount(&server)
        .await;
    on("GET", "/ecommerce/orders")
        .and(query_param("campaign_id", "c"))
        .and(query_param("outreach_id", "x"))
        .and(query_param("customer_id", "cust1"))
        .and(query_param("has_outreach", "true"))
        .respond_with(ok(json!({ "orders": [order()], "total_items": 1 })))
        .mount(&server)
        .await;
    let stores = client.stores();
    let listed = stores.list(&page(5)).await.unwrap().into_value();
    let automations = listed.items[0].automations.value().unwrap();
    let cart = automations.abandoned_cart.value().unwrap();
    assert_eq!(cart.status.value(), Some(&AutomationStatus::Sending));
    assert!(automations.abandoned_browse.value().unwrap().id.is_absent());
    let place = listed.items[0].address.value().unwrap();
    assert_eq!(place.latitude.value().unwrap().as_f64(), Some(33.77));
    read::<Store>(&store);
    let request = ListOrders {
        campaign_id: Some("c".into()),
        outreach_id: Some("x".into()),
        customer_id: Some("cust1".into()),
        has_outreach: Some(true),
        ..ListOrders::default()
    };
    let orders = stores.orders(&request).await.unwrap().into_value();
    assert_eq!(orders.items[0].store_id.as_str(), Some("s"));
    let all: Vec<_> = stores
        .orders_stream(&request)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(all, orders.items);
}

#[tokio::test]
async fn customers_orders_and_their_lines() {
    let (server, client) = server().await;
    let at = "/ecommerce/stores/s";
    on("GET", &format!("{at}/customers"))
        .and(query_param("email_address", ADDRESS))
        .respond_with(ok(
            json!({ "store_id": "s", "customers": [customer()], "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    on("GET", &format!("{at}/orders"))
        .and(query_param("has_outreach", "false"))
        .and(query_param_is_missing("campaign_id"))
        .respond_with(ok(
            json!({ "store_id": "s", "orders": [order()], "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    on("GET", &format!("{at}/orders/o1/lines"))
        .and(query_param("count", "5"))
        .respond_with(ok(
            json!({ "store_id": "s", "order_id": "o1", "total_items": 1,
            "lines": order()["lines"] }),
        ))
        .mount(&server)
        .await;
    let store = client.store("s");
    let request = ListCustomers {
        email_address: Some(ADDRESS.into()),
        ..ListCustomers::default()
    };
    assert!(!format!("{request:?}").contains("Urist"));
    let customers = store.customers(&request).await.unwrap().into_value();
    assert_eq!(customers.extra.get("store_id"), Some(&json!("s")));
    assert_eq!(customers.items[0].orders_count.value(), Some(&2));
    read::<Customer>(&customer());
    let request = ListOrders {
        has_outreach: Some(false),
        ..ListOrders::default()
    };
    let orders: Vec<_> = store
        .orders_stream(&request)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let lines = store
        .order_lines("o1", &page(0))
        .await
        .unwrap()
        .into_value();
    assert_eq!(lines.extra.get("order_id"), Some(&json!("o1")));
    assert_eq!(&lines.items, orders[0].lines.value().unwrap());
}

#[tokio::test]
async fn products_with_their_variants_and_pictures() {
    let (server, client) = server().await;
    let variant = json!({ "id": "v1", "title": "Red", "url": "", "sku": "", "price": 10,
        "inventory_quantity": -1, "image_url": "", "backorders": "0", "visibility": "visible",
        "created_at": "2026-01-01T00:00:00+00:00", "updated_at": "" });
    let image = json!({ "id": "i1", "url": "https://example.net/hat.png", "variant_ids": ["v1"] });
    let product = json!({ "id": "p1", "currency_code": "USD", "title": "Hat", "handle": "hat",
        "url": "", "description": "", "type": "Headwear", "vendor": "", "image_url": "",
        "variants": [variant], "images": [image], "published_at_foreign": "" });
    let at = "/ecommerce/stores/s/products";
    for (at, key, row) in [
        (at.to_owned(), "products", &product),
        (format!("{at}/p1/variants"), "variants", &variant),
        (format!("{at}/p1/images"), "images", &image),
    ] {
        on("GET", &at)
            .and(query_param("count", "5"))
            .respond_with(ok(json!({ key: [row], "store_id": "s", "total_items": 1 })))
            .mount(&server)
            .await;
    }
    on("GET", &format!("{at}/p1"))
        .respond_with(ok(product.clone()))
        .mount(&server)
        .await;
    let store = client.store("s");
    let products = store.products(&page(0)).await.unwrap().into_value();
    assert_eq!(
        store.product("p1", &everything()).await.unwrap().value,
        products.items[0]
    );
    let variants = store.variants("p1", &page(0)).await.unwrap().into_value();
    assert_eq!(variants.items[0].inventory_quantity.value(), Some(&-1));
    assert_eq!(&variants.items, products.items[0].variants.value().unwrap());
    let images = store.images("p1", &page(0)).await.unwrap().into_value();
    assert_eq!(images.items[0].variant_ids.value().unwrap(), &["v1"]);
    let product: Product = read(&product);
    assert!(product.published_at_foreign.is_empty());
    assert_eq!(product.kind.as_str(), Some("Headwear"));
}

#[tokio::test]
async fn carts_promo_rules_and_codes() {
    let (server, client) = server().await;
    let line = json!({ "id": "l1", "product_id": "p1", "product_title": "Hat",
        "product_variant_id": "v1", "product_variant_title": "Red", "quantity": 2, "price": 5 });
    let cart = json!({ "id": "c1", "customer": customer(), "campaign_id": "",
        "checkout_url": "", "currency_code": "USD", "order_total": 12, "tax_total": 0,
        "lines": [line], "created_at": "2026-01-01T00:00:00+00:00", "updated_at": "" });
    let rule = json!({ "id": "r1", "title": "July", "description": "", "starts_at": "",
        "ends_at": "2026-08-01T00:00:00+00:00", "amount": 0.15, "type": "percentage",
        "target": "per_item", "enabled": true, "created_at_foreign": "",
        "updated_at_foreign": "" });
    let code = json!({ "id": "k1", "code": "JULY", "redemption_url": "https://example.net/",
        "usage_count": 3, "enabled": false, "created_at_foreign": "",
        "updated_at_foreign": "2026-07-01T00:00:00+00:00" });
    let at = "/ecommerce/stores/s";
    for (at, key, row) in [
        (format!("{at}/carts"), "carts", &cart),
        (format!("{at}/carts/c1/lines"), "lines", &line),
        (format!("{at}/promo-rules"), "promo_rules", &rule),
        (
            format!("{at}/promo-rules/r1/promo-codes"),
            "promo_codes",
            &code,
        ),
    ] {
        on("GET", &at)
            .and(query_param("count", "5"))
            .respond_with(ok(json!({ key: [row], "store_id": "s", "total_items": 1 })))
            .mount(&server)
            .await;
    }
    let store = client.store("s");
    let carts = store.carts(&page(0)).await.unwrap().into_value();
    let lines = store.cart_lines("c1", &page(0)).await.unwrap().into_value();
    assert_eq!(&lines.items, carts.items[0].lines.value().unwrap());
    read::<Cart>(&cart);
    let rules = store.promo_rules(&page(0)).await.unwrap().into_value();
    assert!(rules.items[0].starts_at.is_empty());
    assert!(rules.items[0].ends_at.value().is_some());
    let rule: PromoRule = read(&rule);
    assert_eq!(rule.target.value(), Some(&PromoTarget::PerItem));
    assert_eq!(rule.kind.value(), Some(&PromoKind::Percentage));
    let codes = store
        .promo_codes("r1", &page(0))
        .await
        .unwrap()
        .into_value();
    assert_eq!(codes.items[0].usage_count.value(), Some(&3));
    read::<PromoCode>(&code);
}
