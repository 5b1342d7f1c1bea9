//! Sums over a campaign: places, domains, products, advice, and its short address.

use serde_json::Number;

use crate::field::Timestamp;
use crate::open_enum::open_enum;
use crate::record::record;

record! {
    /// A region a campaign was opened in.
    ReportLocation {
        /// ISO 3166 code of the country.
        country_code: String,
        /// Code of the region; blank when only the country is known.
        region: String,
        /// Name of the region.
        region_name: String,
        /// People who opened.
        opens: u64,
        /// People who opened, without machines.
        proxy_excluded_opens: u64,
    }
}

record! {
    /// How a campaign fared at one mail domain. The scale of the shares is not documented.
    DomainPerformance {
        /// The domain.
        domain: String,
        /// Mails sent.
        emails_sent: u64,
        /// Bounces.
        bounces: u64,
        /// Opens.
        opens: u64,
        /// Clicks.
        clicks: u64,
        /// Opt-outs.
        unsubs: u64,
        /// Mails delivered.
        delivered: u64,
        /// Share of all mails.
        emails_pct: Number,
        /// Share of bounces.
        bounces_pct: Number,
        /// Share of opens.
        opens_pct: Number,
        /// Share of clicks.
        clicks_pct: Number,
        /// Share of opt-outs.
        unsubs_pct: Number,
    }
}

open_enum! {
    /// Whether advice praises.
    AdviceKind {
        /// It does not.
        Negative = "negative",
        /// It does.
        Positive = "positive",
        /// Neither.
        Neutral = "neutral",
    }
}

record! {
    /// What Mailchimp says about a campaign.
    Advice {
        /// Whether it praises.
        #[serde(rename = "type")]
        kind: AdviceKind,
        /// The words, as HTML.
        message: String,
    }
}

record! {
    /// A product bought through a campaign.
    ProductActivity {
        /// Title.
        title: String,
        /// Stock-keeping unit.
        sku: String,
        /// Address of its picture.
        image_url: String,
        /// Revenue.
        total_revenue: Number,
        /// Pieces sold.
        total_purchased: Number,
        /// ISO 4217 code.
        currency_code: String,
        /// How often it was recommended.
        recommendation_total: u64,
        /// How often it was bought after that.
        recommendation_purchased: u64,
    }
}

record! {
    /// What became of the short address of a campaign.
    EepurlReport {
        /// On Twitter.
        twitter: EepurlTwitter,
        /// Clicks.
        clicks: EepurlClicks,
        /// Where clicks came from.
        referrers: Vec<EepurlReferrer>,
        /// The short address.
        eepurl: String,
        /// The campaign.
        campaign_id: String,
        /// Number of `referrers`.
        total_items: u64,
    }
}

record! {
    /// A short address on Twitter.
    EepurlTwitter {
        /// Tweets.
        tweets: u64,
        /// When the first one was; blank without any.
        first_tweet: Timestamp,
        /// When the last one was; blank without any.
        last_tweet: Timestamp,
        /// Retweets.
        retweets: u64,
        /// Some of them.
        statuses: Vec<EepurlTweet>,
    }
}

record! {
    /// A tweet.
    EepurlTweet {
        /// Its text.
        status: String,
        /// Who wrote it.
        screen_name: String,
        /// Id of the tweet.
        status_id: String,
        /// When it was written.
        datetime: Timestamp,
        /// Whether it is a retweet.
        is_retweet: bool,
    }
}

record! {
    /// Clicks on a short address.
    EepurlClicks {
        /// Clicks.
        clicks: u64,
        /// When the first one was; blank without any.
        first_click: Timestamp,
        /// When the last one was; blank without any.
        last_click: Timestamp,
        /// From where.
        locations: Vec<EepurlPlace>,
    }
}

record! {
    /// A place clicks came from.
    EepurlPlace {
        /// ISO 3166 code of the country.
        country: String,
        /// Region.
        region: String,
    }
}

record! {
    /// A page clicks came from.
    EepurlReferrer {
        /// Address of the page; blank when unknown.
        referrer: String,
        /// Clicks.
        clicks: u64,
        /// When the first one was.
        first_click: Timestamp,
        /// When the last one was.
        last_click: Timestamp,
    }
}
