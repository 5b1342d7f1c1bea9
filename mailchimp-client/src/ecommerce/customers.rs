//! Customers as the API gives them.

use serde_json::Number;

use crate::field::Timestamp;
use crate::record::record;

record! {
    /// A customer of a store.
    Customer {
        /// Id of the customer, unique in the store.
        id: String,
        /// The address.
        email_address: String,
        /// Telephone number for SMS.
        sms_phone_number: String,
        /// Whether the customer opted in. Says nothing about a member who was there before: it
        /// never changes that one's status.
        opt_in_status: bool,
        /// Company.
        company: String,
        /// First name.
        first_name: String,
        /// Last name.
        last_name: String,
        /// Number of orders.
        orders_count: u64,
        /// What was spent.
        total_spent: Number,
        /// Postal address.
        address: StoreAddress,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
}

record! {
    /// Postal address of a customer.
    StoreAddress {
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
    }
}
