//! What a test asks for when it fills an account: how much of everything there is besides members.

use chrono::{DateTime, TimeDelta, Utc};

use crate::spec::{
    AudienceSpec, GroupSpec, MergeFieldKind, MergeFieldSpec, SavedSegmentSpec, StatusMix, TagSpec,
};

/// The content of an account. [`AccountSpec::default`] is empty; [`AccountSpec::full`] has a handful of everything.
///
/// Nothing of it is stored row by row: a campaign's activity, an order or a file is made from the seed and its number
/// when it is asked for, so that millions of rows cost no memory.
#[derive(Clone, Debug, Default)]
pub struct AccountSpec {
    /// Audiences to make. Campaigns, stores and the rest go to these in turn; without any, to those that there are.
    pub audiences: Vec<AudienceSpec>,
    /// The time over which everything came into being.
    pub history: History,
    /// Campaigns, and what came of them.
    pub campaigns: CampaignsSpec,
    /// What was made in the account.
    pub content: ContentSpec,
    /// Connected stores.
    pub stores: Vec<StoreSpec>,
}

/// The time over which things were made, at equal distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// First second.
    pub from: DateTime<Utc>,
    /// End, not included.
    pub to: DateTime<Utc>,
}

/// How many campaigns there are and what their recipients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CampaignsSpec {
    /// Campaigns that were sent, each with a report. Default 0.
    pub sent: u32,
    /// Campaigns that were not: drafts, paused and scheduled ones, without recipients or reports. Default 0.
    pub drafts: u32,
    /// People each campaign was sent to, from the first members of its audience on. Those beyond its last member are
    /// people who left it for good. Default 40.
    pub recipients: u32,
    /// Percentage of recipients it could not be delivered to. Default 10.
    pub bounced_percent: u8,
    /// Percentage of the others who opened it, one to three times. Default 40.
    pub opened_percent: u8,
    /// Percentage of those who opened it who clicked, up to three times. Default 50.
    pub clicked_percent: u8,
    /// Percentage of those it was delivered to who unsubscribed. Their status in the audience is another matter and does
    /// not follow. Default 10.
    pub unsubscribed_percent: u8,
    /// Percentage of those it was delivered to who reported abuse. Default 5.
    pub complained_percent: u8,
    /// URLs in each campaign. Default 3.
    pub links: u8,
    /// Folders that every other campaign lies in. Default 0.
    pub folders: u32,
}

/// How much was made in the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentSpec {
    /// Templates.
    pub templates: u32,
    /// Folders of templates.
    pub template_folders: u32,
    /// Files in the file manager.
    pub files: u32,
    /// Folders of files.
    pub file_folders: u32,
    /// Mean size of a file in bytes; sizes go from half to one and a half of it. The second file is empty whatever this
    /// says.
    pub file_bytes: u32,
    /// Landing pages.
    pub landing_pages: u32,
    /// Surveys, each with one question of every type.
    pub surveys: u32,
    /// Responses to each survey.
    pub survey_responses: u32,
    /// Classic automations, each with two e-mails.
    pub automations: u32,
    /// People in the queue of each e-mail of an automation.
    pub queued: u32,
    /// Conversations of two messages each.
    pub conversations: u32,
    /// Domains, connected sites, authorized apps, Facebook ads, batch webhooks and chatter of the account, so many of
    /// each.
    pub integrations: u32,
}

/// A connected store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSpec {
    /// Its id, which the client chose.
    pub id: String,
    /// Customers: the first are members of the store's audience.
    pub customers: u32,
    /// Products.
    pub products: u32,
    /// Orders.
    pub orders: u32,
    /// Carts.
    pub carts: u32,
    /// Promo rules, each with two codes.
    pub promo_rules: u32,
}

impl AccountSpec {
    /// A handful of everything, so that no collection of the API is empty, and with the data that breaks careless
    /// readers: times, numbers and objects that are `""`, `null` or not there, names with quotes, emoji and SQL in them.
    pub fn full() -> Self {
        Self {
            audiences: vec![full_audience(), small_audience()],
            history: History::default(),
            campaigns: CampaignsSpec {
                sent: 8,
                drafts: 4,
                folders: 2,
                ..CampaignsSpec::default()
            },
            content: ContentSpec {
                templates: 5,
                template_folders: 2,
                files: 6,
                file_folders: 2,
                file_bytes: 4096,
                landing_pages: 4,
                surveys: 2,
                survey_responses: 5,
                automations: 3,
                queued: 3,
                conversations: 2,
                integrations: 2,
            },
            stores: vec![
                StoreSpec::new("store-main", 12),
                StoreSpec::new("Störe \"2\" 100%", 3),
            ],
        }
    }
}

fn full_audience() -> AudienceSpec {
    let mut spec = AudienceSpec {
        name: "Newsletter \"Ünïcode\"; drop table members".to_owned(),
        ..AudienceSpec::new("f0e1d2c3b4", 60)
    };
    spec.statuses = StatusMix {
        subscribed: 60,
        unsubscribed: 10,
        cleaned: 8,
        pending: 6,
        transactional: 8,
        archived: 8,
    };
    let field = |tag: &str, name: &str, kind| MergeFieldSpec::new(tag, name, kind);
    let choice = |tag: &str, name: &str, kind| MergeFieldSpec {
        choices: vec!["Größe \"S\"".to_owned(), "M, or L".to_owned()],
        ..field(tag, name, kind)
    };
    spec.merge_fields.extend([
        field("LTV", "Lifetime \"value\", €", MergeFieldKind::Number),
        field("JOINED", "select", MergeFieldKind::Date),
        field("SITE", "Site/URL?", MergeFieldKind::Url),
        field("FACE", " leading space", MergeFieldKind::ImageUrl),
        choice("SIZE", "size", MergeFieldKind::Radio),
        choice("SIZE2", "Size", MergeFieldKind::Dropdown),
        field("ZIP", "SIZE", MergeFieldKind::Zip),
        field("MMERGE14", "名前", MergeFieldKind::Text),
    ]);
    spec.groups = vec![
        GroupSpec::new("Topics", ["Tea & \"cake\"", "Ελλάδα"]),
        GroupSpec::new("order", ["group", "GROUP"]),
    ];
    spec.tags = vec![
        TagSpec::new("vip", 20),
        TagSpec::new("VIP 2; --", 30),
        TagSpec::new("🐒", 10),
    ];
    spec.segments = vec![SavedSegmentSpec {
        name: "Adas".to_owned(),
        merge_field: "FNAME".to_owned(),
        value: "Ada".to_owned(),
    }];
    spec.marketing_permissions = true;
    spec.engaged = true;
    spec
}

fn small_audience() -> AudienceSpec {
    let mut spec = AudienceSpec::new("0000000001", 5);
    spec.name = String::new();
    spec
}

impl Default for History {
    /// The year 2025.
    fn default() -> Self {
        let from = DateTime::UNIX_EPOCH + TimeDelta::days(20_089);
        Self {
            from,
            to: from + TimeDelta::days(365),
        }
    }
}

impl Default for CampaignsSpec {
    fn default() -> Self {
        Self {
            sent: 0,
            drafts: 0,
            recipients: 40,
            bounced_percent: 10,
            opened_percent: 40,
            clicked_percent: 50,
            unsubscribed_percent: 10,
            complained_percent: 5,
            links: 3,
            folders: 0,
        }
    }
}

impl StoreSpec {
    /// A store with so many customers, as many products, orders and carts, and two promo rules.
    pub fn new(id: impl Into<String>, size: u32) -> Self {
        Self {
            id: id.into(),
            customers: size,
            products: size,
            orders: size,
            carts: size,
            promo_rules: 2,
        }
    }
}
