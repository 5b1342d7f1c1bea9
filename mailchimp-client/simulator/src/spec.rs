//! What a test asks for when it makes an audience.

use chrono::{DateTime, TimeDelta, Utc};

/// A member's status, in the API's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Gets campaigns.
    Subscribed,
    /// Opted out.
    Unsubscribed,
    /// Undeliverable.
    Cleaned,
    /// Awaits double opt-in.
    Pending,
    /// Never subscribed; may get receipts.
    Transactional,
    /// Soft-deleted; hides what the status was before.
    Archived,
}

impl Status {
    /// Every status, in the order of [`StatusMix`].
    pub const ALL: [Self; 6] = [
        Self::Subscribed,
        Self::Unsubscribed,
        Self::Cleaned,
        Self::Pending,
        Self::Transactional,
        Self::Archived,
    ];

    /// The word the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
            Self::Cleaned => "cleaned",
            Self::Pending => "pending",
            Self::Transactional => "transactional",
            Self::Archived => "archived",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Position in [`Status::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// An audience to make, with generated members.
///
/// Member number `n` has the same address and name in every audience, so two audiences share the people whose numbers
/// overlap. What they are to each, such as their status and tags, is drawn for each.
#[derive(Clone, Debug)]
pub struct AudienceSpec {
    /// The audience (list) id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many members to generate.
    pub members: u32,
    /// Number of the first generated member. Default 0.
    pub first_member: u32,
    /// The `last_changed` of the generated members.
    pub spread: Spread,
    /// Shares of the statuses. Default: everyone is subscribed.
    pub statuses: StatusMix,
    /// Merge fields. Default: `FNAME`, `LNAME`, `ADDRESS`, `PHONE`, `BIRTHDAY`, as in a new audience.
    pub merge_fields: Vec<MergeFieldSpec>,
    /// Interest groups. Default none, and then members have no `interests` key.
    pub groups: Vec<GroupSpec>,
    /// Tags. Default none.
    pub tags: Vec<TagSpec>,
    /// Saved segments. Default none.
    pub segments: Vec<SavedSegmentSpec>,
    /// Whether GDPR fields are on, which gives members `marketing_permissions`. Default `false`.
    pub marketing_permissions: bool,
    /// Whether generated members have notes, events and goals, and [`fill`](crate::MailchimpSimulator::fill) gives the
    /// audience a webhook. Default `false`.
    pub engaged: bool,
}

/// How the `last_changed` of generated members is spread over time.
///
/// Times outside 1970 to 2105 are moved to the nearest end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// At equal distances in `[from, to)`, oldest member first.
    Even {
        /// First second.
        from: DateTime<Utc>,
        /// End, not included.
        to: DateTime<Utc>,
    },
    /// At random seconds in `[from, to)`, in no relation to the members' age.
    Scattered {
        /// First second.
        from: DateTime<Utc>,
        /// End, not included.
        to: DateTime<Utc>,
    },
    /// In `count` seconds at equal distances in `[from, to)`, each shared by an equal part of the members.
    Bursts {
        /// Number of tied seconds; 0 counts as 1.
        count: u32,
        /// First second.
        from: DateTime<Utc>,
        /// End, not included.
        to: DateTime<Utc>,
    },
    /// All in one second, as a bulk import does.
    OneSecond(DateTime<Utc>),
}

/// Weights of the statuses of generated members; only their proportions count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusMix {
    /// Weight of [`Status::Subscribed`].
    pub subscribed: u32,
    /// Weight of [`Status::Unsubscribed`].
    pub unsubscribed: u32,
    /// Weight of [`Status::Cleaned`].
    pub cleaned: u32,
    /// Weight of [`Status::Pending`].
    pub pending: u32,
    /// Weight of [`Status::Transactional`].
    pub transactional: u32,
    /// Weight of [`Status::Archived`].
    pub archived: u32,
}

/// A merge field to define.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeFieldSpec {
    /// The tag, e.g. `FNAME`.
    pub tag: String,
    /// The label.
    pub name: String,
    /// The type.
    pub kind: MergeFieldKind,
    /// Whether writes must fill it. Default `false`.
    pub required: bool,
    /// Percentage of generated members for whom it is not empty. Default 80.
    pub filled_percent: u8,
    /// Choices of a [`MergeFieldKind::Radio`] or [`MergeFieldKind::Dropdown`].
    pub choices: Vec<String>,
}

/// The type of a merge field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeFieldKind {
    /// Up to 255 bytes.
    Text,
    /// A JSON number when set.
    Number,
    /// An object when set.
    Address,
    /// Free text.
    Phone,
    /// `YYYY-MM-DD`.
    Date,
    /// A URL.
    Url,
    /// The URL of an image.
    ImageUrl,
    /// One of the choices.
    Radio,
    /// One of the choices.
    Dropdown,
    /// `MM/DD`.
    Birthday,
    /// A US zip code.
    Zip,
}

/// An interest category with its interests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    /// Title of the category.
    pub title: String,
    /// Names of its interests.
    pub interests: Vec<String>,
    /// Percentage of generated members who have each of them. Default 30.
    pub chosen_percent: u8,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagSpec {
    /// Its name.
    pub name: String,
    /// Percentage of generated members who have it.
    pub percent: u8,
}

/// A saved segment: the members whose text merge field has a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSegmentSpec {
    /// Its name.
    pub name: String,
    /// Tag of the merge field.
    pub merge_field: String,
    /// The value, compared without regard to case.
    pub value: String,
}

impl AudienceSpec {
    /// An audience of subscribed members, changed evenly over the year 2025.
    pub fn new(id: impl Into<String>, members: u32) -> Self {
        let from = DateTime::UNIX_EPOCH + TimeDelta::days(20_089);
        let field = |tag: &str, name: &str, kind| MergeFieldSpec::new(tag, name, kind);
        Self {
            id: id.into(),
            name: "Customers".to_owned(),
            members,
            first_member: 0,
            spread: Spread::Even {
                from,
                to: from + TimeDelta::days(365),
            },
            statuses: StatusMix::default(),
            merge_fields: vec![
                field("FNAME", "First Name", MergeFieldKind::Text),
                field("LNAME", "Last Name", MergeFieldKind::Text),
                field("ADDRESS", "Address", MergeFieldKind::Address),
                field("PHONE", "Phone Number", MergeFieldKind::Phone),
                field("BIRTHDAY", "Birthday", MergeFieldKind::Birthday),
            ],
            groups: Vec::new(),
            tags: Vec::new(),
            segments: Vec::new(),
            marketing_permissions: false,
            engaged: false,
        }
    }
}

impl StatusMix {
    /// A mix like that of a shop: four of five are subscribed, and every status occurs.
    pub const SHOP: Self = Self {
        subscribed: 800,
        unsubscribed: 100,
        cleaned: 30,
        pending: 5,
        transactional: 45,
        archived: 20,
    };

    pub(crate) fn weights(self) -> [u32; 6] {
        [
            self.subscribed,
            self.unsubscribed,
            self.cleaned,
            self.pending,
            self.transactional,
            self.archived,
        ]
    }
}

impl Default for StatusMix {
    fn default() -> Self {
        Self {
            subscribed: 1,
            unsubscribed: 0,
            cleaned: 0,
            pending: 0,
            transactional: 0,
            archived: 0,
        }
    }
}

impl MergeFieldSpec {
    /// A merge field that is not required and set for 80 % of the generated members.
    pub fn new(tag: impl Into<String>, name: impl Into<String>, kind: MergeFieldKind) -> Self {
        Self {
            tag: tag.into(),
            name: name.into(),
            kind,
            required: false,
            filled_percent: 80,
            choices: Vec::new(),
        }
    }
}

impl MergeFieldKind {
    /// The word the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Address => "address",
            Self::Phone => "phone",
            Self::Date => "date",
            Self::Url => "url",
            Self::ImageUrl => "imageurl",
            Self::Radio => "radio",
            Self::Dropdown => "dropdown",
            Self::Birthday => "birthday",
            Self::Zip => "zip",
        }
    }
}

impl GroupSpec {
    /// A category of which each interest is chosen by 30 % of the generated members.
    pub fn new<S: Into<String>>(
        title: impl Into<String>,
        interests: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            title: title.into(),
            interests: interests.into_iter().map(Into::into).collect(),
            chosen_percent: 30,
        }
    }
}

impl TagSpec {
    /// A tag that this percentage of the generated members have.
    pub fn new(name: impl Into<String>, percent: u8) -> Self {
        Self {
            name: name.into(),
            percent,
        }
    }
}
