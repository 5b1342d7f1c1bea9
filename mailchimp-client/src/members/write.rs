//! Bodies of calls that change members. None of them shows its contents in `Debug`.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::member::{EmailType, MemberStatus};
use crate::field::seconds;

/// What to set on a member. What is `None` or empty stays as it is.
///
/// `status` overwrites what the person last chose. Whoever copies data *to* Mailchimp and does
/// not carry consent gives `status_if_new` alone.
#[derive(Clone, Default, Serialize)]
#[serde(default)]
pub struct MemberWrite {
    /// The address. An upsert of an unknown member creates it under this address, so it must be
    /// the one whose hash is in the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_address: Option<String>,
    /// Status of a member the upsert creates. Required when it does not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_if_new: Option<MemberStatus>,
    /// Status of the member in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<MemberStatus>,
    /// Kind of mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_type: Option<EmailType>,
    /// Merge tag to value. `""` clears a value; unknown tags are ignored by the server.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub merge_fields: Map<String, Value>,
    /// Interest id to membership.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub interests: BTreeMap<String, bool>,
    /// Language code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Very important.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vip: Option<bool>,
    /// Latitude and longitude in degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Coordinates>,
    /// Marketing permissions to give or take.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub marketing_permissions: Vec<PermissionWrite>,
    /// Where the member signed up from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_signup: Option<String>,
    /// When the member signed up.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "seconds")]
    pub timestamp_signup: Option<DateTime<Utc>>,
    /// Where the member confirmed from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_opt: Option<String>,
    /// When the member confirmed.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "seconds")]
    pub timestamp_opt: Option<DateTime<Utc>>,
    /// Sent as `skip_merge_validation`: required merge fields may be missing.
    #[serde(skip)]
    pub skip_merge_validation: bool,
}

impl fmt::Debug for MemberWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberWrite")
            .field("status_if_new", &self.status_if_new)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// A place.
#[derive(Clone, Copy, PartialEq, Serialize)]
pub struct Coordinates {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

impl fmt::Debug for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coordinates").finish_non_exhaustive()
    }
}

/// A marketing permission to give or take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PermissionWrite {
    /// Id of the permission.
    pub marketing_permission_id: String,
    /// Whether the member gives it.
    pub enabled: bool,
}

/// A tag to put on a member or to take off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TagWrite {
    /// Name of the tag. An unknown one comes into being.
    pub name: String,
    /// Whether the member is to have it.
    #[serde(rename = "status", serialize_with = "active_word")]
    pub active: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde calls"
)]
fn active_word<S: Serializer>(active: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *active { "active" } else { "inactive" })
}

/// The body of a change of tags.
#[derive(Serialize)]
pub(super) struct TagsWrite<'a> {
    pub(super) tags: &'a [TagWrite],
    pub(super) is_syncing: bool,
}
