//! Stores as the API gives them.

use serde_json::Number;

use crate::automations::AutomationStatus;
use crate::field::Timestamp;
use crate::record::record;

record! {
    /// A store. Those that Mailchimp runs itself can only be read.
    Store {
        /// Id of the store, which whoever connected it has chosen.
        id: String,
        /// The audience, which never changes.
        list_id: String,
        /// Name.
        name: String,
        /// Software it runs on.
        platform: String,
        /// Its domain, unique in the account.
        domain: String,
        /// Whether it is being synced, which keeps automations from starting.
        is_syncing: bool,
        /// Address for mail.
        email_address: String,
        /// ISO 4217 code.
        currency_code: String,
        /// How money is written, such as `$`.
        money_format: String,
        /// Language.
        primary_locale: String,
        /// Time zone.
        timezone: String,
        /// Telephone number.
        phone: String,
        /// Postal address.
        address: StorePlace,
        /// The connected web site.
        connected_site: ConnectedSite,
        /// Its automations.
        automations: StoreAutomations,
        /// Whether the audience is there and not disabled.
        list_is_active: bool,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
}

record! {
    /// Postal address of a store.
    StorePlace {
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
    }
}

record! {
    /// A connected web site.
    ConnectedSite {
        /// Id of the site.
        site_foreign_id: String,
        /// What connects it.
        site_script: SiteScript,
    }
}

record! {
    /// What connects a web site.
    SiteScript {
        /// Address of the script.
        url: String,
        /// HTML that loads it.
        fragment: String,
    }
}

record! {
    /// Automations of a store.
    StoreAutomations {
        /// About carts left behind.
        abandoned_cart: StoreAutomation,
        /// About products looked at.
        abandoned_browse: StoreAutomation,
    }
}

record! {
    /// An automation of a store.
    StoreAutomation {
        /// Whether the store can have it.
        is_supported: bool,
        /// Id of the automation; absent without one.
        id: String,
        /// Whether it is at work.
        status: AutomationStatus,
    }
}
