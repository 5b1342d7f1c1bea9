//! Contact records: what one source knows about one person.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::consent::{Consent, Optin};

/// One listing of a person in one collection, as pushed to Ometria.
///
/// Everything but collection and id is optional. An absent field keeps what Ometria has stored, because every record is
/// sent with `@merge: true`; text that is empty or only white space counts as absent, since Ometria does not say whether
/// a blank clears a field. Its `Debug` shows collection, id and consent only.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Contact {
    /// The source, `@collection`. Ometria makes it on first use and wants one per source. Never one of the reserved SMS
    /// names; see [`SmsConsent`].
    pub collection: String,
    /// Unique within the collection; must tell nothing about the person, as ids can be exposed.
    pub id: String,
    /// Address, the main identifier by which listings join into a profile.
    pub email: Option<String>,
    /// The shop's key of the person, if one key spans all sources.
    pub customer_id: Option<String>,
    /// Phone number in E.164 form.
    pub phone_number: Option<String>,
    /// Claim about e-mail consent; `None` makes no claim and leaves a stored one alone.
    pub consent: Option<Consent>,
    /// Static segments to join, by id.
    pub add_to_lists: Vec<u64>,
    /// Static segments to leave, by id.
    pub remove_from_lists: Vec<u64>,
    /// Form of address, such as `Dr`.
    pub prefix: Option<String>,
    /// First name.
    pub firstname: Option<String>,
    /// Middle name.
    pub middlename: Option<String>,
    /// Last name.
    pub lastname: Option<String>,
    /// Gender.
    pub gender: Option<Gender>,
    /// Date of birth, with a real year.
    pub date_of_birth: Option<NaiveDate>,
    /// Country, ISO 3166-1 alpha-2.
    pub country_id: Option<String>,
    /// Time zone, an IANA name.
    pub timezone: Option<String>,
    /// Stores the person belongs to.
    pub store_ids: Vec<String>,
    /// When the person first became known.
    pub timestamp_acquired: Option<DateTime<Utc>>,
    /// When the person subscribed. With [`Consent::OptIn`] it can start a welcome campaign.
    pub timestamp_subscribed: Option<DateTime<Utc>>,
    /// When the person unsubscribed.
    pub timestamp_unsubscribed: Option<DateTime<Utc>>,
    /// Custom fields, which must exist in the account; together at most 1,000 characters as JSON.
    pub properties: Map<String, Value>,
    /// Custom identifiers; Ometria compares the values with case.
    pub extra_identifiers: BTreeMap<String, String>,
}

/// Values of `gender`; leave it out when unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Gender {
    /// `m`
    #[serde(rename = "m")]
    Male,
    /// `f`
    #[serde(rename = "f")]
    Female,
    /// `o`
    #[serde(rename = "o")]
    Other,
}

macro_rules! text_setters {
    ($($field:ident),+) => {$(
        #[doc = concat!("Sets [`", stringify!($field), "`](Self#structfield.", stringify!($field), ").")]
        #[must_use]
        pub fn $field(mut self, value: impl Into<String>) -> Self {
            self.$field = Some(value.into());
            self
        }
    )+};
}

macro_rules! value_setters {
    ($($field:ident: $type:ty),+) => {$(
        #[doc = concat!("Sets [`", stringify!($field), "`](Self#structfield.", stringify!($field), ").")]
        #[must_use]
        pub fn $field(mut self, value: $type) -> Self {
            self.$field = Some(value);
            self
        }
    )+};
}

impl Contact {
    /// A listing about which nothing else is known yet.
    pub fn new(collection: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            collection: collection.into(),
            id: id.into(),
            ..Self::default()
        }
    }

    text_setters!(
        email,
        customer_id,
        phone_number,
        prefix,
        firstname,
        middlename,
        lastname,
        country_id,
        timezone
    );

    value_setters!(
        consent: Consent,
        gender: Gender,
        date_of_birth: NaiveDate,
        timestamp_acquired: DateTime<Utc>,
        timestamp_subscribed: DateTime<Utc>,
        timestamp_unsubscribed: DateTime<Utc>
    );

    /// Sets one custom field; `null` is not sent.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }

    /// Adds the person to a static segment.
    #[must_use]
    pub fn add_to_list(mut self, segment: u64) -> Self {
        self.add_to_lists.push(segment);
        self
    }

    /// Removes the person from a static segment.
    #[must_use]
    pub fn remove_from_list(mut self, segment: u64) -> Self {
        self.remove_from_lists.push(segment);
        self
    }

    /// Adds a custom identifier.
    #[must_use]
    pub fn extra_identifier(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extra_identifiers.insert(name.into(), value.into());
        self
    }

    pub(crate) fn wire(&self, optin: Option<Optin>, forced: bool) -> WireContact<'_> {
        WireContact {
            r#type: "contact",
            collection: &self.collection,
            merge: true,
            id: &self.id,
            email: filled(self.email.as_ref()),
            customer_id: filled(self.customer_id.as_ref()),
            phone_number: filled(self.phone_number.as_ref()),
            marketing_optin: optin,
            force_optin: forced.then_some(true),
            add_to_lists: &self.add_to_lists,
            remove_from_lists: &self.remove_from_lists,
            prefix: filled(self.prefix.as_ref()),
            firstname: filled(self.firstname.as_ref()),
            middlename: filled(self.middlename.as_ref()),
            lastname: filled(self.lastname.as_ref()),
            gender: self.gender,
            date_of_birth: self.date_of_birth,
            country_id: filled(self.country_id.as_ref()),
            timezone: filled(self.timezone.as_ref()),
            store_ids: &self.store_ids,
            timestamp_acquired: self.timestamp_acquired.map(WholeSeconds),
            timestamp_subscribed: self.timestamp_subscribed.map(WholeSeconds),
            timestamp_unsubscribed: self.timestamp_unsubscribed.map(WholeSeconds),
            properties: Properties::filled(&self.properties),
            extra_identifiers: &self.extra_identifiers,
        }
    }
}

/// The JSON that is pushed; the same bytes for the same contact, so that it can be fingerprinted.
impl Serialize for Contact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let optin = self.consent.map(Consent::optin);
        self.wire(optin, self.consent.is_some_and(Consent::is_forced))
            .serialize(serializer)
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contact")
            .field("collection", &self.collection)
            .field("id", &self.id)
            .field("consent", &self.consent)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
pub(crate) struct WireContact<'a> {
    #[serde(rename = "@type")]
    r#type: &'static str,
    #[serde(rename = "@collection")]
    collection: &'a str,
    #[serde(rename = "@merge")]
    merge: bool,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marketing_optin: Option<Optin>,
    #[serde(rename = "@force_optin", skip_serializing_if = "Option::is_none")]
    force_optin: Option<bool>,
    #[serde(rename = "@add_to_lists", skip_serializing_if = "<[_]>::is_empty")]
    add_to_lists: &'a [u64],
    #[serde(rename = "@remove_from_lists", skip_serializing_if = "<[_]>::is_empty")]
    remove_from_lists: &'a [u64],
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    firstname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    middlename: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lastname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gender: Option<Gender>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_of_birth: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    store_ids: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_acquired: Option<WholeSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_subscribed: Option<WholeSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_unsubscribed: Option<WholeSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Properties<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extra_identifiers: &'a BTreeMap<String, String>,
}

/// Custom fields without the nulls.
#[derive(Clone, Copy)]
pub(crate) struct Properties<'a>(&'a Map<String, Value>);

impl<'a> Properties<'a> {
    /// `None` when nothing would be left to send.
    pub(crate) fn filled(fields: &'a Map<String, Value>) -> Option<Self> {
        (!fields.values().all(Value::is_null)).then_some(Self(fields))
    }

    /// Length of the JSON in characters, which is what the limit counts.
    pub(crate) fn chars(self) -> usize {
        serde_json::to_string(&self).map_or(usize::MAX, |json| json.chars().count())
    }
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().filter(|(_, value)| !value.is_null()))
    }
}

fn filled(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

/// UTC with `Z` and whole seconds: numeric offsets are refused by at least one validator of Ometria records.
#[derive(Clone, Copy)]
pub(crate) struct WholeSeconds(pub(crate) DateTime<Utc>);

impl Serialize for WholeSeconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.format("%Y-%m-%dT%H:%M:%SZ"))
    }
}

/// The collections in which Ometria reads SMS consent on accounts with SMS double opt-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SmsCollection {
    /// `optin:sms`: Ometria asks the person to confirm, by SMS.
    AskToConfirm,
    /// `double_optin:sms`: the person confirmed elsewhere; nothing is sent.
    AlreadyConfirmed,
}

impl SmsCollection {
    /// The name of the collection.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AskToConfirm => "optin:sms",
            Self::AlreadyConfirmed => "double_optin:sms",
        }
    }

    /// Whether an ordinary contact must not use this collection.
    pub(crate) fn is_reserved(name: &str) -> bool {
        [Self::AskToConfirm, Self::AlreadyConfirmed]
            .iter()
            .any(|reserved| reserved.as_str().eq_ignore_ascii_case(name.trim()))
    }
}

/// A person's decision about SMS marketing: identifiers, the decision, its time, and nothing else.
///
/// It is a record of its own because e-mail and SMS consent never imply each other and Ometria reads SMS consent in two
/// reserved collections only.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct SmsConsent {
    /// Where it goes.
    pub collection: SmsCollection,
    /// Unique within the collection.
    pub id: String,
    /// Phone number in E.164 form.
    pub phone_number: String,
    /// Address, to join the profile.
    pub email: Option<String>,
    /// The shop's key of the person.
    pub customer_id: Option<String>,
    /// The decision.
    pub allow_marketing: bool,
    /// When the person took it. Ometria asks for no confirmation of one over ten days old.
    pub decided_at: DateTime<Utc>,
}

impl SmsConsent {
    /// A decision by the owner of `phone_number`.
    pub fn new(
        collection: SmsCollection,
        id: impl Into<String>,
        phone_number: impl Into<String>,
        allow_marketing: bool,
        decided_at: DateTime<Utc>,
    ) -> Self {
        Self {
            collection,
            id: id.into(),
            phone_number: phone_number.into(),
            email: None,
            customer_id: None,
            allow_marketing,
            decided_at,
        }
    }
}

impl Serialize for SmsConsent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            #[serde(flatten)]
            contact: WireContact<'a>,
            channels: Channels,
        }
        #[derive(Serialize)]
        struct Channels {
            sms: Sms,
        }
        #[derive(Serialize)]
        struct Sms {
            allow_marketing: bool,
            dt_updated_marketing: WholeSeconds,
        }
        let contact = Contact {
            email: self.email.clone(),
            customer_id: self.customer_id.clone(),
            phone_number: Some(self.phone_number.clone()),
            ..Contact::new(self.collection.as_str(), self.id.as_str())
        };
        let sms = Sms {
            allow_marketing: self.allow_marketing,
            dt_updated_marketing: WholeSeconds(self.decided_at),
        };
        Wire {
            contact: contact.wire(None, false),
            channels: Channels { sms },
        }
        .serialize(serializer)
    }
}

impl fmt::Debug for SmsConsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmsConsent")
            .field("collection", &self.collection)
            .field("id", &self.id)
            .field("allow_marketing", &self.allow_marketing)
            .finish_non_exhaustive()
    }
}
