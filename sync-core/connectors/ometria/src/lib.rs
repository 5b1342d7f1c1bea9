//! Ometria as a destination: what may be said about a person's consent, and how it gets there.
//!
//! Two contracts, each a mapping and a sink:
//!
//! | profile | mapping | sink |
//! | --- | --- | --- |
//! | `push-v2` | [`ContactMapping`], with [`FactsMapping`] as a pass before it | [`OmetriaSink`] |
//! | `record` | [`RecordMapping`] | [`RecordSink`] |
//!
//! [`OmetriaOptOutSource`] and [`OmetriaOptOutMapping`] read what people chose at Ometria itself.
//!
//! The mappings above take a [`Subscriber`], which any source of people with a subscription status can be turned into; this
//! crate knows no such source. The mappings are pure: everything they remember stands in the ledger, everything they
//! decide can be tested without a network.
//!
//! The consent rules, the reasons for them and what they cannot do are in [`docs::consent`].

mod address;
mod consent;
mod contact_mapping;
mod courier;
mod delivery;
pub mod docs;
mod error;
mod fact;
mod facts_mapping;
mod fields;
mod hooks;
mod late_errors;
mod listing;
mod note;
mod opt_outs;
mod outbox;
mod push_sink;
mod record_mapping;
mod record_sink;
mod segments;
mod settings;
mod subscriber;

pub use contact_mapping::ContactMapping;
pub use delivery::{Delivery, Notice, Withheld};
pub use fact::{OMETRIA_AUDIENCE, consent_scope};
pub use facts_mapping::FactsMapping;
pub use hooks::{DeliveryEvent, DeliveryHooks};
pub use ometria_client::Gender;
pub use opt_outs::{OmetriaOptOut, OmetriaOptOutMapping, OmetriaOptOutSource};
pub use push_sink::{OmetriaSink, PushSettings};
pub use record_mapping::{RecordDelivery, RecordMapping};
pub use record_sink::{RecordSettings, RecordSink};
pub use settings::{ArchivedPolicy, CleanedPolicy, ConsentSettings, ContactSettings, SmsPolicy};
pub use subscriber::{Sms, SmsStatus, Status, Subscriber};
