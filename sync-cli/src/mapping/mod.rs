//! What a Mailchimp member is at Ometria: the `[mapping]` table of `sync.toml`.
//!
//! Consent is not decided here: a [`Subscriber`](sync_ometria::Subscriber) carries the status and the times as Mailchimp
//! has them, and `sync-ometria` decides what may be claimed.

mod audience_mapping;
mod fields;
mod settings;

pub use audience_mapping::AudienceMapping;
pub use fields::FieldMapping;
pub use settings::{
    GenderMapping, GenderWord, IdStrategy, MappingSettings, PropertyMapping, SegmentMapping,
    ValueSource,
};
