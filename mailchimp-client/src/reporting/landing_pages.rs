//! Reports of landing pages.

use serde_json::Number;

use crate::field::Timestamp;
use crate::landing_pages::LandingPageStatus;
use crate::record::record;

record! {
    /// The report of a landing page.
    LandingPageReport {
        /// Id of the page.
        id: String,
        /// Name, seen by the account alone.
        name: String,
        /// Title, seen by visitors.
        title: String,
        /// Where it is.
        url: String,
        /// When it was published.
        published_at: Timestamp,
        /// When that ended; blank when it did not.
        unpublished_at: Timestamp,
        /// Whether it can be seen.
        status: LandingPageStatus,
        /// The audience of its form.
        list_id: String,
        /// Visits.
        visits: u64,
        /// Visitors.
        unique_visits: u64,
        /// Sign-ups.
        subscribes: u64,
        /// Clicks.
        clicks: u64,
        /// Share of visitors who signed up. The scale is not documented.
        conversion_rate: Number,
        /// Visits over time.
        timeseries: LandingPageTimeseries,
        /// Purchases.
        ecommerce: LandingPageEcommerce,
        /// Id in the web application.
        web_id: u64,
        /// Name of the audience.
        list_name: String,
        /// Tags given to those who sign up.
        signup_tags: Vec<SignupTag>,
    }
}

record! {
    /// Visits over time.
    LandingPageTimeseries {
        /// The last seven days.
        daily_stats: VisitCounts,
        /// The last five weeks.
        weekly_stats: VisitCounts,
    }
}

record! {
    /// Visits of several days or weeks.
    VisitCounts {
        /// Clicks.
        clicks: Vec<DayCount>,
        /// Visits.
        visits: Vec<DayCount>,
        /// Visitors.
        unique_visits: Vec<DayCount>,
    }
}

record! {
    /// A count of one day or week.
    DayCount {
        /// The day, or the week.
        date: String,
        /// The count.
        val: u64,
    }
}

record! {
    /// Purchases that came of a landing page.
    LandingPageEcommerce {
        /// Revenue.
        total_revenue: Number,
        /// ISO 4217 code.
        currency_code: String,
        /// Orders.
        total_orders: u64,
        /// Revenue of an order.
        average_order_revenue: Number,
    }
}

record! {
    /// A tag given to those who sign up.
    SignupTag {
        /// Id of the tag.
        tag_id: u64,
        /// Name of the tag.
        tag_name: String,
    }
}
