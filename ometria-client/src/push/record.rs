//! The kinds of record that can be pushed.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::consent::{OperatorForcedOptIn, Optin};
use crate::contact::{Contact, Properties, SmsConsent, WholeSeconds};
use crate::error::{Error, Result};

/// The value of `@type`; one call carries records of one type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordType {
    /// `contact`
    Contact,
    /// `order`
    Order,
    /// `product`
    Product,
    /// `custom_event`
    CustomEvent,
    /// A type this crate does not know.
    Other(String),
}

impl RecordType {
    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Contact => "contact",
            Self::Order => "order",
            Self::Product => "product",
            Self::CustomEvent => "custom_event",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for RecordType {
    fn from(word: &str) -> Self {
        match word {
            "contact" => Self::Contact,
            "order" => Self::Order,
            "product" => Self::Product,
            "custom_event" => Self::CustomEvent,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A record to push. Known ids are updated field by field, unknown ids are created.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Record {
    /// What one source knows about one person.
    Contact(Box<Contact>),
    /// A decision about SMS marketing.
    SmsConsent(Box<SmsConsent>),
    /// An opt-in that overrides every opt-out.
    OperatorForcedOptIn(Box<OperatorForcedOptIn>),
    /// An order.
    Order(Order),
    /// A product.
    Product(Product),
    /// Something that happened to a person.
    CustomEvent(Box<CustomEvent>),
    /// Any other type.
    Raw(RawRecord),
}

impl Record {
    /// The record's `@type`.
    pub fn record_type(&self) -> RecordType {
        match self {
            Self::Contact(_) | Self::SmsConsent(_) | Self::OperatorForcedOptIn(_) => {
                RecordType::Contact
            }
            Self::Order(_) => RecordType::Order,
            Self::Product(_) => RecordType::Product,
            Self::CustomEvent(_) => RecordType::CustomEvent,
            Self::Raw(raw) => raw.record_type.clone(),
        }
    }

    /// The record's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Contact(contact) => &contact.id,
            Self::SmsConsent(sms) => &sms.id,
            Self::OperatorForcedOptIn(forced) => &forced.contact().id,
            Self::Order(order) => &order.id,
            Self::Product(product) => &product.id,
            Self::CustomEvent(event) => &event.id,
            Self::Raw(raw) => raw.id(),
        }
    }

    /// The collection of a contact; other types have none.
    pub fn collection(&self) -> Option<&str> {
        match self {
            Self::Contact(contact) => Some(&contact.collection),
            Self::SmsConsent(sms) => Some(sms.collection.as_str()),
            Self::OperatorForcedOptIn(forced) => Some(&forced.contact().collection),
            _ => None,
        }
    }

    pub(crate) fn properties(&self) -> Option<Properties<'_>> {
        match self {
            Self::Contact(contact) => Some(&contact.properties),
            Self::OperatorForcedOptIn(forced) => Some(&forced.contact().properties),
            Self::CustomEvent(event) => Some(&event.properties),
            Self::Order(Order { fields, .. })
            | Self::Product(Product { fields, .. })
            | Self::Raw(RawRecord { fields, .. }) => fields.get("properties")?.as_object(),
            Self::SmsConsent(_) => None,
        }
        .and_then(Properties::filled)
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Contact(contact) => contact.serialize(serializer),
            Self::SmsConsent(sms) => sms.serialize(serializer),
            Self::OperatorForcedOptIn(forced) => forced
                .contact()
                .wire(Some(Optin::ExplicitlyOptedIn), true)
                .serialize(serializer),
            Self::Order(Order { id, fields }) => object("order", id, fields).serialize(serializer),
            Self::Product(Product { id, fields }) => {
                object("product", id, fields).serialize(serializer)
            }
            Self::CustomEvent(event) => event.serialize(serializer),
            Self::Raw(raw) => raw.fields.serialize(serializer),
        }
    }
}

fn object(kind: &str, id: &str, fields: &Map<String, Value>) -> Map<String, Value> {
    let mut object = fields.clone();
    object.retain(|_, value| !value.is_null());
    object.insert("@type".to_owned(), kind.into());
    object.insert("@merge".to_owned(), true.into());
    object.insert("id".to_owned(), id.into());
    object
}

impl From<Contact> for Record {
    fn from(contact: Contact) -> Self {
        Self::Contact(Box::new(contact))
    }
}

impl From<SmsConsent> for Record {
    fn from(sms: SmsConsent) -> Self {
        Self::SmsConsent(Box::new(sms))
    }
}

impl From<OperatorForcedOptIn> for Record {
    fn from(forced: OperatorForcedOptIn) -> Self {
        Self::OperatorForcedOptIn(Box::new(forced))
    }
}

impl From<Order> for Record {
    fn from(order: Order) -> Self {
        Self::Order(order)
    }
}

impl From<Product> for Record {
    fn from(product: Product) -> Self {
        Self::Product(product)
    }
}

impl From<CustomEvent> for Record {
    fn from(event: CustomEvent) -> Self {
        Self::CustomEvent(Box::new(event))
    }
}

impl From<RawRecord> for Record {
    fn from(raw: RawRecord) -> Self {
        Self::Raw(raw)
    }
}

/// An order. `@type`, `@merge` and the id are set by this crate, nulls are left out.
#[derive(Clone, PartialEq)]
pub struct Order {
    /// Unique within the account.
    pub id: String,
    /// The other fields, named as in Ometria's reference.
    pub fields: Map<String, Value>,
}

/// A product. `@type`, `@merge` and the id are set by this crate, nulls are left out.
#[derive(Clone, PartialEq)]
pub struct Product {
    /// Unique within the account.
    pub id: String,
    /// The other fields, named as in Ometria's reference.
    pub fields: Map<String, Value>,
}

/// Something that happened to a person at a time.
#[derive(Clone, PartialEq)]
pub struct CustomEvent {
    /// Unique within the account.
    pub id: String,
    /// The kind of event, as set up in the account.
    pub event_type: String,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// Address of the person.
    pub identity_email: String,
    /// Custom fields; together at most 1,000 characters as JSON.
    pub properties: Map<String, Value>,
}

impl Serialize for CustomEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            #[serde(rename = "@type")]
            r#type: &'static str,
            #[serde(rename = "@merge")]
            merge: bool,
            id: &'a str,
            event_type: &'a str,
            timestamp: WholeSeconds,
            identity_email: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            properties: Option<Properties<'a>>,
        }
        Wire {
            r#type: "custom_event",
            merge: true,
            id: &self.id,
            event_type: &self.event_type,
            timestamp: WholeSeconds(self.timestamp),
            identity_email: &self.identity_email,
            properties: Properties::filled(&self.properties),
        }
        .serialize(serializer)
    }
}

/// A record of a type this crate does not know, sent as it is.
///
/// Contacts cannot be sent this way: they go through [`Contact`], so that no contact is opted in by force by accident.
#[derive(Clone, PartialEq)]
pub struct RawRecord {
    record_type: RecordType,
    fields: Map<String, Value>,
}

impl RawRecord {
    /// Takes the whole object, `@type` and `id` included.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] when `@type` is missing, not a text, or `contact` in any spelling.
    pub fn new(fields: Map<String, Value>) -> Result<Self> {
        let record_type = match fields.get("@type").and_then(Value::as_str).map(str::trim) {
            None | Some("") => {
                return Err(Error::Configuration("a raw record needs an \"@type\""));
            }
            Some(word) if word.eq_ignore_ascii_case("contact") => {
                return Err(Error::Configuration(
                    "a contact cannot be pushed as a raw record; use Contact",
                ));
            }
            Some(word) => RecordType::from(word),
        };
        Ok(Self {
            record_type,
            fields,
        })
    }

    /// The object.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    fn id(&self) -> &str {
        self.fields
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

macro_rules! debug_without_fields {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}
debug_without_fields!(Order, Product, CustomEvent, RawRecord);
