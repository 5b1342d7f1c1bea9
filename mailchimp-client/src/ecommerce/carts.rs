//! Carts as the API gives them.

use serde_json::Number;

use super::customers::Customer;
use crate::field::Timestamp;
use crate::record::record;

record! {
    /// A cart.
    Cart {
        /// Id of the cart, unique in the store.
        id: String,
        /// Whose it is.
        customer: Customer,
        /// The campaign it came of; blank or absent without one.
        campaign_id: String,
        /// Where it can be paid.
        checkout_url: String,
        /// ISO 4217 code.
        currency_code: String,
        /// Sum.
        order_total: Number,
        /// Taxes.
        tax_total: Number,
        /// Its lines.
        lines: Vec<CartLine>,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
}

record! {
    /// A line of a cart.
    CartLine {
        /// Id of the line, unique in the cart.
        id: String,
        /// The product.
        product_id: String,
        /// Its title.
        product_title: String,
        /// The variant.
        product_variant_id: String,
        /// Its title.
        product_variant_title: String,
        /// Pieces.
        quantity: i64,
        /// Price.
        price: Number,
    }
}
