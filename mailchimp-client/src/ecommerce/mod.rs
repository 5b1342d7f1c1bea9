//! `/ecommerce`: stores and what is sold in them.
//!
//! Nothing in here can be asked for by time, and nothing can be sorted: every read is a full one.

mod carts;
mod customers;
mod orders;
mod products;
mod promos;
mod store;

use crate::client::Client;
use crate::endpoint::{collection, list_request, object};
use crate::paging::PageRequest;

pub use carts::{Cart, CartLine};
pub use customers::{Customer, StoreAddress};
pub use orders::{Order, OrderAddress, OrderLine, OrderOutreach, OrderPromo};
pub use products::{Product, ProductImage, ProductVariant};
pub use promos::{PromoCode, PromoKind, PromoRule, PromoTarget};
pub use store::{ConnectedSite, SiteScript, Store, StoreAutomation, StoreAutomations, StorePlace};

/// The stores of an account; made by [`Client::stores`].
#[derive(Debug, Clone)]
pub struct Stores {
    client: Client,
}

impl Stores {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/ecommerce/stores",
        "stores": Store, PageRequest,
        /// One page of stores.
        page list,
        /// All stores.
        stream stream,
    }

    collection! {
        "/ecommerce/orders",
        "orders": Order, ListOrders,
        /// One page of the orders of all stores. An order's id is unique in its store alone.
        page orders,
        /// All orders of all stores.
        stream orders_stream,
    }
}

/// One store; made by [`Client::store`].
#[derive(Debug, Clone)]
pub struct StoreHandle {
    client: Client,
    store_id: String,
}

impl StoreHandle {
    pub(crate) fn new(client: Client, store_id: String) -> Self {
        Self { client, store_id }
    }

    object! {
        "/ecommerce/stores/{store_id}" [self.store_id]: Store,
        /// The store itself.
        get
    }

    collection! {
        "/ecommerce/stores/{store_id}/customers" [self.store_id],
        "customers": Customer, ListCustomers,
        /// One page of its customers.
        page customers,
        /// All its customers.
        stream customers_stream,
    }

    object! {
        "/ecommerce/stores/{store_id}/customers/{customer_id}"
            [self.store_id] (customer_id: &str): Customer,
        /// One customer.
        customer
    }

    collection! {
        "/ecommerce/stores/{store_id}/products" [self.store_id],
        "products": Product, PageRequest,
        /// One page of its products, each with 50 of its variants at most.
        page products,
        /// All its products.
        stream products_stream,
    }

    object! {
        "/ecommerce/stores/{store_id}/products/{product_id}"
            [self.store_id] (product_id: &str): Product,
        /// One product.
        product
    }

    collection! {
        "/ecommerce/stores/{store_id}/products/{product_id}/variants"
            [self.store_id] (product_id: &str),
        "variants": ProductVariant, PageRequest,
        /// One page of the variants of a product, which are not limited to the 50 inside it.
        page variants,
        /// All variants of a product.
        stream variants_stream,
    }

    object! {
        "/ecommerce/stores/{store_id}/products/{product_id}/variants/{variant_id}"
            [self.store_id] (product_id: &str, variant_id: &str): ProductVariant,
        /// One variant.
        variant
    }

    collection! {
        "/ecommerce/stores/{store_id}/products/{product_id}/images"
            [self.store_id] (product_id: &str),
        "images": ProductImage, PageRequest,
        /// One page of the pictures of a product.
        page images,
        /// All pictures of a product.
        stream images_stream,
    }

    object! {
        "/ecommerce/stores/{store_id}/products/{product_id}/images/{image_id}"
            [self.store_id] (product_id: &str, image_id: &str): ProductImage,
        /// One picture.
        image
    }

    collection! {
        "/ecommerce/stores/{store_id}/orders" [self.store_id],
        "orders": Order, ListOrders,
        /// One page of its orders.
        page orders,
        /// All its orders that match.
        stream orders_stream,
    }

    object! {
        "/ecommerce/stores/{store_id}/orders/{order_id}"
            [self.store_id] (order_id: &str): Order,
        /// One order.
        order
    }

    collection! {
        "/ecommerce/stores/{store_id}/orders/{order_id}/lines" [self.store_id] (order_id: &str),
        "lines": OrderLine, PageRequest,
        /// One page of the lines of an order.
        page order_lines,
        /// All lines of an order.
        stream order_lines_stream,
    }

    object! {
        "/ecommerce/stores/{store_id}/orders/{order_id}/lines/{line_id}"
            [self.store_id] (order_id: &str, line_id: &str): OrderLine,
        /// One line of an order.
        order_line
    }

    collection! {
        "/ecommerce/stores/{store_id}/carts" [self.store_id],
        "carts": Cart, PageRequest,
        /// One page of its carts, which do not expire.
        page carts,
        /// All its carts.
        stream carts_stream,
    }

    object! {
        "/ecommerce/stores/{store_id}/carts/{cart_id}" [self.store_id] (cart_id: &str): Cart,
        /// One cart.
        cart
    }

    collection! {
        "/ecommerce/stores/{store_id}/carts/{cart_id}/lines" [self.store_id] (cart_id: &str),
        "lines": CartLine, PageRequest,
        /// One page of the lines of a cart.
        page cart_lines,
        /// All lines of a cart.
        stream cart_lines_stream,
    }

    object! {
        "/ecommerce/stores/{store_id}/carts/{cart_id}/lines/{line_id}"
            [self.store_id] (cart_id: &str, line_id: &str): CartLine,
        /// One line of a cart.
        cart_line
    }

    collection! {
        "/ecommerce/stores/{store_id}/promo-rules" [self.store_id],
        "promo_rules": PromoRule, PageRequest,
        /// One page of its promo rules.
        page promo_rules,
        /// All its promo rules.
        stream promo_rules_stream,
    }

    object! {
        "/ecommerce/stores/{store_id}/promo-rules/{promo_rule_id}"
            [self.store_id] (promo_rule_id: &str): PromoRule,
        /// One promo rule.
        promo_rule
    }

    collection! {
        "/ecommerce/stores/{store_id}/promo-rules/{promo_rule_id}/promo-codes"
            [self.store_id] (promo_rule_id: &str),
        "promo_codes": PromoCode, PageRequest,
        /// One page of the codes of a promo rule.
        page promo_codes,
        /// All codes of a promo rule.
        stream promo_codes_stream,
    }

    object! {
        "/ecommerce/stores/{store_id}/promo-rules/{promo_rule_id}/promo-codes/{promo_code_id}"
            [self.store_id] (promo_rule_id: &str, promo_code_id: &str): PromoCode,
        /// One promo code.
        promo_code
    }
}

list_request! {
    /// Filters and page of [`StoreHandle::customers`].
    ListCustomers {
        /// Only the customer with this address.
        email_address: String,
    }
}

list_request! {
    /// Filters and page of [`StoreHandle::orders`] and [`Stores::orders`].
    ListOrders {
        /// Only orders of this customer.
        customer_id: String,
        /// Only orders that came of a mailing or an advertisement, or only those that did not.
        has_outreach: bool,
        /// Only orders that came of this campaign.
        campaign_id: String,
        /// Only orders that came of this mailing or advertisement.
        outreach_id: String,
    }
}
