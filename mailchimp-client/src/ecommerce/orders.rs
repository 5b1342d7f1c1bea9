//! Orders as the API gives them.

use serde_json::Number;

use super::customers::Customer;
use super::promos::PromoKind;
use crate::field::Timestamp;
use crate::record::record;

record! {
    /// An order. Times whose names end in `foreign` are told by the store.
    Order {
        /// Id of the order, unique in the store.
        id: String,
        /// Who ordered.
        customer: Customer,
        /// The store.
        store_id: String,
        /// The campaign it came of; blank or absent without one.
        campaign_id: String,
        /// The cart it was.
        cart_id: String,
        /// Page on which the customer came.
        landing_site: String,
        /// State of the payment, in the store's words.
        financial_status: String,
        /// State of the delivery, in the store's words.
        fulfillment_status: String,
        /// ISO 4217 code.
        currency_code: String,
        /// Sum.
        order_total: Number,
        /// Where the order can be seen.
        order_url: String,
        /// Discounts.
        discount_total: Number,
        /// Taxes.
        tax_total: Number,
        /// Shipping.
        shipping_total: Number,
        /// Mailchimp's code of the visit.
        tracking_code: String,
        /// When it was made.
        processed_at_foreign: Timestamp,
        /// When it was cancelled; blank when it was not.
        cancelled_at_foreign: Timestamp,
        /// When it was last changed.
        updated_at_foreign: Timestamp,
        /// Where it goes.
        shipping_address: OrderAddress,
        /// Who pays.
        billing_address: OrderAddress,
        /// Promo codes used.
        promos: Vec<OrderPromo>,
        /// Its lines.
        lines: Vec<OrderLine>,
        /// The mailing or advertisement it came of.
        outreach: OrderOutreach,
        /// Number of the parcel.
        tracking_number: String,
        /// Who carries it.
        tracking_carrier: String,
        /// Where it can be followed.
        tracking_url: String,
    }
}

record! {
    /// Postal address of an order.
    OrderAddress {
        /// Name.
        name: String,
        /// First line.
        address1: String,
        /// Second line.
        address2: String,
        /// City.
        city: String,
        /// State or province.
        province: String,
        /// Its code.
        province_code: String,
        /// Postal code.
        postal_code: String,
        /// Country.
        country: String,
        /// Its ISO 3166 code.
        country_code: String,
        /// Degrees east.
        longitude: Number,
        /// Degrees north.
        latitude: Number,
        /// Telephone number.
        phone: String,
        /// Company.
        company: String,
    }
}

record! {
    /// A promo code used in an order.
    OrderPromo {
        /// The code.
        code: String,
        /// What it took off.
        amount_discounted: Number,
        /// How it counts.
        #[serde(rename = "type")]
        kind: PromoKind,
    }
}

record! {
    /// A line of an order.
    OrderLine {
        /// Id of the line, unique in the order.
        id: String,
        /// The product.
        product_id: String,
        /// Its title.
        product_title: String,
        /// The variant.
        product_variant_id: String,
        /// Its title.
        product_variant_title: String,
        /// Address of its picture.
        image_url: String,
        /// Pieces.
        quantity: i64,
        /// Price.
        price: Number,
        /// Discount on the line.
        discount: Number,
    }
}

record! {
    /// The mailing or advertisement an order came of.
    OrderOutreach {
        /// Its id; a campaign id for one.
        id: String,
        /// Its name.
        name: String,
        /// Its kind.
        #[serde(rename = "type")]
        kind: String,
        /// When it was published.
        published_time: Timestamp,
    }
}
