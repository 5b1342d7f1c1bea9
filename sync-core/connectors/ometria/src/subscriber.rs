//! What any source of people with a subscription status is turned into.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use ometria_client::Gender;
use serde_json::Value;
use sync_core::{Key, Keyed};

/// One member of one audience as the source shows it now.
///
/// `None` and empty mean unknown: nothing is sent then and what Ometria has stays. Its `Debug` shows key and status only.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Subscriber {
    /// The source's stable key of the member. It survives a change of the address.
    pub key: Key,
    /// The id of the listing at Ometria, by the id strategy that the operator chose. It must tell nothing about the
    /// person. May differ from the key, and may change with the address.
    pub listing_id: String,
    /// Address, as the source has it.
    pub email: String,
    /// Subscription status.
    pub status: Status,
    /// When anything about the member changed last.
    pub last_changed: DateTime<Utc>,
    /// When the person confirmed the subscription.
    pub opted_in_at: Option<DateTime<Utc>>,
    /// When the person unsubscribed, only if the source knows it exactly. Without it the time of the change that first
    /// showed the status is taken and kept.
    pub unsubscribed_at: Option<DateTime<Utc>>,
    /// When the person became known.
    pub acquired_at: Option<DateTime<Utc>>,
    /// Whether the person gave the marketing permission that the operator requires; `None` when none is required or asked.
    pub permission_granted: Option<bool>,
    /// First name.
    pub firstname: Option<String>,
    /// Last name.
    pub lastname: Option<String>,
    /// Phone number in international form; others are left out.
    pub phone: Option<String>,
    /// Country, ISO 3166-1 alpha-2 in either case; others are left out.
    pub country: Option<String>,
    /// Time zone, an IANA name.
    pub timezone: Option<String>,
    /// Date of birth with its year.
    pub date_of_birth: Option<NaiveDate>,
    /// Gender.
    pub gender: Option<Gender>,
    /// The shop's key of the person, if one key spans all of the account's sources.
    pub customer_id: Option<String>,
    /// Custom fields by their Ometria ids, the most important first: the last ones are dropped when there are too many.
    pub properties: Vec<(String, Value)>,
    /// Static segments to join.
    pub add_to_lists: Vec<u64>,
    /// Static segments to leave. Only those that were joined because of us are left: whoever is in one for another reason,
    /// such as a user of Ometria's application who added the person, stays.
    pub remove_from_lists: Vec<u64>,
    /// The SMS subscription, if there is one.
    pub sms: Option<Sms>,
}

impl Subscriber {
    /// A member about whom nothing else is known.
    pub fn new(
        key: Key,
        listing_id: impl Into<String>,
        email: impl Into<String>,
        status: Status,
        last_changed: DateTime<Utc>,
    ) -> Self {
        Self {
            key,
            listing_id: listing_id.into(),
            email: email.into(),
            status,
            last_changed,
            opted_in_at: None,
            unsubscribed_at: None,
            acquired_at: None,
            permission_granted: None,
            firstname: None,
            lastname: None,
            phone: None,
            country: None,
            timezone: None,
            date_of_birth: None,
            gender: None,
            customer_id: None,
            properties: Vec::new(),
            add_to_lists: Vec::new(),
            remove_from_lists: Vec::new(),
            sms: None,
        }
    }
}

impl Keyed for Subscriber {
    fn key(&self) -> Key {
        self.key.clone()
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("key", &self.key)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Subscription status, by the source's own words.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// `subscribed`: said yes.
    Subscribed,
    /// `unsubscribed`: said no.
    Unsubscribed,
    /// `cleaned`: the address bounced; no decision of the person.
    Cleaned,
    /// `pending`: asked, has not confirmed yet.
    Pending,
    /// `transactional`: known, never asked.
    Transactional,
    /// `archived`: put away by the owner of the audience.
    Archived,
    /// A word this crate does not know. Never taken for consent.
    Other(String),
}

impl Status {
    /// The source's word, unchanged.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
            Self::Cleaned => "cleaned",
            Self::Pending => "pending",
            Self::Transactional => "transactional",
            Self::Archived => "archived",
            Self::Other(word) => word,
        }
    }
}

/// Matches the exact lower-case words only; anything else is [`Status::Other`].
impl From<&str> for Status {
    fn from(word: &str) -> Self {
        match word {
            "subscribed" => Self::Subscribed,
            "unsubscribed" => Self::Unsubscribed,
            "cleaned" => Self::Cleaned,
            "pending" => Self::Pending,
            "transactional" => Self::Transactional,
            "archived" => Self::Archived,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A subscription to SMS marketing. It says nothing about e-mail, nor the other way round.
#[derive(Clone, PartialEq, Eq)]
pub struct Sms {
    /// Phone number in international form.
    pub phone: String,
    /// What the person decided.
    pub status: SmsStatus,
    /// When. Without it nothing is sent: Ometria needs the time to tell which decision is the newest.
    pub decided_at: Option<DateTime<Utc>>,
}

impl fmt::Debug for Sms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sms")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// What a person decided about SMS marketing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SmsStatus {
    /// Said yes.
    Subscribed,
    /// Said no.
    Unsubscribed,
    /// Neither, or a word the source's mapping does not know. Nothing is sent.
    Undecided,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_words_are_exact_and_survive() {
        for word in [
            "subscribed",
            "unsubscribed",
            "cleaned",
            "pending",
            "transactional",
            "archived",
        ] {
            let status = Status::from(word);
            assert!(!matches!(status, Status::Other(_)), "{word}");
            assert_eq!(status.as_str(), word);
        }
        for word in ["Subscribed", " subscribed", "", "nonmember"] {
            assert_eq!(Status::from(word), Status::Other(word.to_owned()));
            assert_eq!(Status::from(word).as_str(), word);
        }
    }

    #[test]
    fn debug_shows_nothing_personal() {
        let mut subscriber = Subscriber::new(
            Key::new("k1"),
            "l1",
            "someone@example.com",
            Status::Pending,
            DateTime::UNIX_EPOCH,
        );
        subscriber.firstname = Some("Some".to_owned());
        subscriber.sms = Some(Sms {
            phone: "+440000".to_owned(),
            status: SmsStatus::Subscribed,
            decided_at: None,
        });
        let shown = format!("{subscriber:?} {:?}", subscriber.sms);
        assert!(!shown.contains("someone") && !shown.contains("Some\"") && !shown.contains("+44"));
    }
}
