//! Promo rules and codes as the API gives them.

use serde_json::Number;

use crate::field::Timestamp;
use crate::open_enum::open_enum;
use crate::record::record;

open_enum! {
    /// How a discount counts.
    PromoKind {
        /// As an amount of money.
        Fixed = "fixed",
        /// As a share of the price, 0 to 1.
        Percentage = "percentage",
    }
}

open_enum! {
    /// What a discount is taken off.
    PromoTarget {
        /// Each piece.
        PerItem = "per_item",
        /// The sum.
        Total = "total",
        /// Shipping.
        Shipping = "shipping",
    }
}

record! {
    /// A promo rule. Times whose names end in `foreign` are told by the store.
    PromoRule {
        /// Id of the rule, unique in the store.
        id: String,
        /// Title.
        title: String,
        /// Description.
        description: String,
        /// When it begins.
        starts_at: Timestamp,
        /// When it ends.
        ends_at: Timestamp,
        /// How much: money, or a share of the price from 0 to 1.
        amount: Number,
        /// How it counts.
        #[serde(rename = "type")]
        kind: PromoKind,
        /// What it is taken off.
        target: PromoTarget,
        /// Whether it is in force.
        enabled: bool,
        /// When it was made.
        created_at_foreign: Timestamp,
        /// When it was last changed.
        updated_at_foreign: Timestamp,
    }
}

record! {
    /// A promo code. Times whose names end in `foreign` are told by the store.
    PromoCode {
        /// Id of the code, unique in the rule.
        id: String,
        /// The code.
        code: String,
        /// Where it can be used.
        redemption_url: String,
        /// How often it was used.
        usage_count: u64,
        /// Whether it is in force.
        enabled: bool,
        /// When it was made.
        created_at_foreign: Timestamp,
        /// When it was last changed.
        updated_at_foreign: Timestamp,
    }
}
