//! `/` and `/ping`: the account itself.

use serde_json::Number;

use crate::client::Client;
use crate::error::Result;
use crate::fetched::Fetched;
use crate::field::Timestamp;
use crate::open_enum::open_enum;
use crate::path::Path;
use crate::query::{FieldSelection, Query};
use crate::record::record;

impl Client {
    /// The account (`GET /`): also the cheapest proof that the credential works.
    pub async fn account(&self, request: &FieldSelection) -> Result<Fetched<Account>> {
        self.get(&Path::new("/", &[])?, &request.query()?).await
    }

    /// Whether the API answers (`GET /ping`).
    pub async fn ping(&self) -> Result<Fetched<Ping>> {
        self.get(&Path::new("/ping", &[])?, &Query::new()).await
    }
}

record! {
    /// The answer to a ping.
    Ping {
        /// `Everything's Chimpy!`
        health_status: String,
    }
}

open_enum! {
    /// How an account is paid for.
    PricingPlan {
        /// Every month.
        Monthly = "monthly",
        /// As used.
        PayAsYouGo = "pay_as_you_go",
        /// Free.
        ForeverFree = "forever_free",
    }
}

record! {
    /// An account and the user the credential acts for.
    Account {
        /// Id of the account.
        account_id: String,
        /// Id of the user.
        login_id: String,
        /// Name of the account.
        account_name: String,
        /// Address of the account.
        email: String,
        /// First name.
        first_name: String,
        /// Last name.
        last_name: String,
        /// User name.
        username: String,
        /// Address of the user's picture.
        avatar_url: String,
        /// Role of the user. It can change, and one that is too low gets 403.
        role: String,
        /// When the account was made.
        member_since: Timestamp,
        /// How the account is paid for.
        pricing_plan_type: PricingPlan,
        /// First payment; blank without one.
        first_payment: Timestamp,
        /// Time zone.
        account_timezone: String,
        /// Industry.
        account_industry: String,
        /// Postal address.
        contact: AccountContact,
        /// Whether the retired Mailchimp Pro is included.
        pro_enabled: bool,
        /// Last login of the user.
        last_login: Timestamp,
        /// Subscribers in all audiences.
        total_subscribers: u64,
        /// Averages of the account's industry.
        industry_stats: IndustryStats,
    }
}

record! {
    /// Postal address of an account.
    AccountContact {
        /// Company.
        company: String,
        /// First line.
        addr1: String,
        /// Second line.
        addr2: String,
        /// City.
        city: String,
        /// State.
        state: String,
        /// Postal code.
        zip: String,
        /// Country.
        country: String,
    }
}

record! {
    /// Averages of an industry.
    IndustryStats {
        /// Unique open rate.
        open_rate: Number,
        /// Bounce rate.
        bounce_rate: Number,
        /// Unique click rate.
        click_rate: Number,
    }
}
