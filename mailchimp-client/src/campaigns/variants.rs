//! Campaigns that are more than one mailing: combinations, halves and feeds.

use serde_json::Number;

use crate::field::Timestamp;
use crate::open_enum::open_enum;
use crate::record::record;

open_enum! {
    /// What decides which version wins.
    WinnerCriteria {
        /// Opens.
        Opens = "opens",
        /// Clicks.
        Clicks = "clicks",
        /// A person.
        Manual = "manual",
        /// Revenue.
        TotalRevenue = "total_revenue",
    }
}

record! {
    /// The combinations of a `variate` campaign.
    VariateSettings {
        /// The combination that won.
        winning_combination_id: String,
        /// The campaign sent with it.
        winning_campaign_id: String,
        /// What decides.
        winner_criteria: WinnerCriteria,
        /// Minutes until the decision.
        wait_time: u64,
        /// Percent of the recipients who get a test, 10 to 100.
        test_size: u64,
        /// Subjects.
        subject_lines: Vec<String>,
        /// Times of sending.
        send_times: Vec<Timestamp>,
        /// Senders' names.
        from_names: Vec<String>,
        /// Addresses for replies.
        reply_to_addresses: Vec<String>,
        /// Descriptions of the texts.
        contents: Vec<String>,
        /// What was combined.
        combinations: Vec<VariateCombination>,
    }
}

record! {
    /// One combination. Its members are positions in the lists of [`VariateSettings`].
    VariateCombination {
        /// Id of the combination.
        id: String,
        /// Subject.
        subject_line: u64,
        /// Time of sending.
        send_time: u64,
        /// Sender's name.
        from_name: u64,
        /// Address for replies.
        reply_to: u64,
        /// Text.
        content_description: u64,
        /// How many people got it.
        recipients: u64,
    }
}

open_enum! {
    /// How often a feed is sent.
    RssFrequency {
        /// Every day.
        Daily = "daily",
        /// Every week.
        Weekly = "weekly",
        /// Every month.
        Monthly = "monthly",
    }
}

record! {
    /// The feed of an `rss` campaign.
    RssOpts {
        /// Address of the feed.
        feed_url: String,
        /// How often it is sent.
        frequency: RssFrequency,
        /// When.
        schedule: RssSchedule,
        /// When it was last sent; blank when it never was.
        last_sent: Timestamp,
        /// Whether pictures are made to fit.
        constrain_rss_img: bool,
    }
}

record! {
    /// When a feed is sent, in the account's time zone.
    RssSchedule {
        /// Hour of the day.
        hour: u64,
        /// Days of a daily feed.
        daily_send: RssDailySend,
        /// Day of a weekly feed, in English and lower case; blank otherwise.
        weekly_send_day: String,
        /// Day of a monthly feed; 0 is the last day of the month.
        monthly_send_date: Number,
    }
}

record! {
    /// Days on which a daily feed is sent.
    RssDailySend {
        /// Sundays.
        sunday: bool,
        /// Mondays.
        monday: bool,
        /// Tuesdays.
        tuesday: bool,
        /// Wednesdays.
        wednesday: bool,
        /// Thursdays.
        thursday: bool,
        /// Fridays.
        friday: bool,
        /// Saturdays.
        saturday: bool,
    }
}

record! {
    /// The halves of an `absplit` campaign.
    AbSplitOpts {
        /// What differs: `subject`, `from_name` or `schedule`.
        split_test: String,
        /// What decides.
        pick_winner: WinnerCriteria,
        /// Unit of `wait_time`: `hours` or `days`.
        wait_units: String,
        /// How long until the decision.
        wait_time: u64,
        /// Percent of the recipients in each half, 1 to 50.
        split_size: u64,
        /// Sender's name of half A.
        from_name_a: String,
        /// Sender's name of half B.
        from_name_b: String,
        /// Address for replies to half A.
        reply_email_a: String,
        /// Address for replies to half B.
        reply_email_b: String,
        /// Subject of half A.
        subject_a: String,
        /// Subject of half B.
        subject_b: String,
        /// When half A is sent.
        send_time_a: Timestamp,
        /// When half B is sent.
        send_time_b: Timestamp,
        /// When the rest is sent.
        send_time_winner: Timestamp,
    }
}
