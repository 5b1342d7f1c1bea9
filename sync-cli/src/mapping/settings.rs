//! The settings, and whether they can work.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sync_core::{Error, ErrorKind, Result};
use sync_ometria::Gender;

/// Which field of a member goes where. Every setting has a default; an empty table maps names, country and telephone
/// number and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MappingSettings {
    /// What becomes the contact's id. Default `contact_id`. Changing it later is refused without a reset: it would make a
    /// second contact of every person.
    pub id: IdStrategy,
    /// The collection of the contacts at Ometria. `{list_id}` stands for the audience's id. Default `mailchimp:{list_id}`.
    /// Several audiences need a collection each. Changing it later is refused without a reset, like the id.
    pub collection: String,
    /// Merge field with the first name. Default `FNAME`; empty for none.
    pub firstname: String,
    /// Merge field with the last name. Default `LNAME`; empty for none.
    pub lastname: String,
    /// Whether to split `full_name` at its last space when both name fields are blank. Default false.
    pub split_full_name: bool,
    /// Merge field with the telephone number. Default `PHONE`; empty for none. Only numbers in international form are sent.
    pub phone: String,
    /// Merge field of type address whose country is sent. Default `ADDRESS`; empty for none.
    pub country: String,
    /// Whether to take the country that Mailchimp guessed from the IP address when there is no other. Default false.
    pub country_from_location: bool,
    /// Whether to take the time zone that Mailchimp guessed from the IP address. Default false.
    pub timezone_from_location: bool,
    /// Merge field of type date with the date of birth. Default none. Fields of type birthday have no year and cannot be
    /// used.
    pub date_of_birth: Option<String>,
    /// How a merge field tells the gender. Default none.
    pub gender: Option<GenderMapping>,
    /// Merge field with the shop's customer id. Default none. Only if one id spans all of the account's sources.
    pub customer_id: Option<String>,
    /// Id of the marketing permission (GDPR field) without which a subscribed member counts as not asked. Default none.
    pub marketing_permission: Option<String>,
    /// Custom fields, the most important first: Ometria takes 1,000 characters for all of them, and the last ones are left
    /// out when there is more. Default none.
    pub properties: Vec<PropertyMapping>,
    /// Tags and groups that stand for static segments at Ometria. Default none.
    pub segments: Vec<SegmentMapping>,
    /// Whether SMS subscriptions are read. Default false; `ometria.sms` decides what becomes of them.
    pub sms: bool,
}

impl Default for MappingSettings {
    fn default() -> Self {
        Self {
            id: IdStrategy::default(),
            collection: format!("mailchimp:{LIST_ID}"),
            firstname: "FNAME".to_owned(),
            lastname: "LNAME".to_owned(),
            split_full_name: false,
            phone: "PHONE".to_owned(),
            country: "ADDRESS".to_owned(),
            country_from_location: false,
            timezone_from_location: false,
            date_of_birth: None,
            gender: None,
            customer_id: None,
            marketing_permission: None,
            properties: Vec::new(),
            segments: Vec::new(),
            sms: false,
        }
    }
}

/// What becomes the contact's id. It never is the address: ids can be seen by others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdStrategy {
    /// `contact_id`, which stays when the address changes; `unique_email_id` where a member has none.
    #[default]
    ContactId,
    /// `unique_email_id`, the same in all audiences; changes with the address.
    UniqueEmailId,
    /// `web_id`, the number in Mailchimp's web application.
    WebId,
    /// `id`, the MD5 of the address. It can be guessed back from the address and changes with it; here because most
    /// systems that fill the `record` endpoint used it.
    MemberId,
}

impl IdStrategy {
    /// The word in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ContactId => "contact_id",
            Self::UniqueEmailId => "unique_email_id",
            Self::WebId => "web_id",
            Self::MemberId => "member_id",
        }
    }
}

/// How a merge field tells the gender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenderMapping {
    /// The merge field.
    pub field: String,
    /// Its values, in any case, and what they mean: `m`, `f` or `o`. Others are left out.
    pub values: BTreeMap<String, GenderWord>,
}

/// Ometria's words for the gender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GenderWord {
    /// `m`.
    M,
    /// `f`.
    F,
    /// `o`.
    O,
}

impl From<GenderWord> for Gender {
    fn from(word: GenderWord) -> Self {
        match word {
            GenderWord::M => Self::Male,
            GenderWord::F => Self::Female,
            GenderWord::O => Self::Other,
        }
    }
}

/// One custom field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PropertyMapping {
    /// The custom field's id at Ometria, which must be set up there.
    pub name: String,
    /// Where its value comes from.
    pub from: ValueSource,
}

/// Where the value of a custom field comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ValueSource {
    /// `merge:TAG`, a merge field.
    Merge(String),
    /// `interest:ID`, whether the member is in this group.
    Interest(String),
    /// `tags`, the names of the member's tags.
    Tags,
    /// `language`.
    Language,
    /// `vip`.
    Vip,
    /// `member_rating`.
    MemberRating,
    /// `source`, how the member came in.
    Source,
    /// `unsubscribe_reason`.
    UnsubscribeReason,
}

impl FromStr for ValueSource {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((_, "")) => Err("a name is missing after the colon"),
            Some(("merge", tag)) => Ok(Self::Merge(tag.to_owned())),
            Some(("interest", id)) => Ok(Self::Interest(id.to_owned())),
            Some(_) => Err("before the colon only `merge` and `interest` are known"),
            None => match text {
                "tags" => Ok(Self::Tags),
                "language" => Ok(Self::Language),
                "vip" => Ok(Self::Vip),
                "member_rating" => Ok(Self::MemberRating),
                "source" => Ok(Self::Source),
                "unsubscribe_reason" => Ok(Self::UnsubscribeReason),
                _ => Err(
                    "known are `merge:TAG`, `interest:ID`, `tags`, `language`, `vip`, `member_rating`, `source`, \
                     `unsubscribe_reason`",
                ),
            },
        }
    }
}

impl TryFrom<String> for ValueSource {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ValueSource> for String {
    fn from(source: ValueSource) -> Self {
        source.to_string()
    }
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merge(tag) => write!(f, "merge:{tag}"),
            Self::Interest(id) => write!(f, "interest:{id}"),
            Self::Tags => f.write_str("tags"),
            Self::Language => f.write_str("language"),
            Self::Vip => f.write_str("vip"),
            Self::MemberRating => f.write_str("member_rating"),
            Self::Source => f.write_str("source"),
            Self::UnsubscribeReason => f.write_str("unsubscribe_reason"),
        }
    }
}

/// A tag or a group that stands for a static segment. Exactly one of `tag` and `interest` is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentMapping {
    /// Name of the tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Id of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interest: Option<String>,
    /// Id of the static segment at Ometria.
    pub segment: u64,
}

/// Stands for the audience's id in the collection.
const LIST_ID: &str = "{list_id}";

/// The most custom fields a record may have.
const MOST_PROPERTIES: usize = 100;

/// Merge fields that Ometria's own connector writes. Sending them back would go round in a circle.
const OMETRIA_PREFIX: &str = "OM_";

fn wrong(field: impl fmt::Display, message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "read settings", message)
        .with("field", format_args!("mapping.{field}"))
}

impl MappingSettings {
    /// The collection of an audience's contacts.
    pub fn collection_of(&self, list_id: &str) -> String {
        self.collection.replace(LIST_ID, list_id)
    }

    /// Whether each audience has a collection of its own.
    pub fn separates_audiences(&self) -> bool {
        self.collection.contains(LIST_ID)
    }

    /// Whether these settings can work.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the field.
    pub fn validate(&self) -> Result<()> {
        if self.collection.trim().is_empty() {
            return Err(wrong(
                "collection",
                "must not be empty; leave it out for the default",
            ));
        }
        let optional = [
            ("date_of_birth", self.date_of_birth.as_deref()),
            ("customer_id", self.customer_id.as_deref()),
            ("marketing_permission", self.marketing_permission.as_deref()),
            (
                "gender.field",
                self.gender.as_ref().map(|gender| gender.field.as_str()),
            ),
        ];
        for (field, name) in optional {
            if name.is_some_and(|name| name.trim().is_empty()) {
                return Err(wrong(field, "must not be empty; leave it out for none"));
            }
        }
        if self.properties.len() > MOST_PROPERTIES {
            return Err(wrong(
                "properties",
                "ometria takes 100 custom fields at most",
            ));
        }
        let mut names = BTreeSet::new();
        for (at, property) in self.properties.iter().enumerate() {
            if property.name.trim().is_empty() {
                return Err(wrong(
                    format_args!("properties[{at}].name"),
                    "must not be empty",
                ));
            }
            if !names.insert(&property.name) {
                return Err(wrong(
                    format_args!("properties[{at}].name"),
                    "this custom field is mapped twice; keep one of them",
                ));
            }
            if let ValueSource::Merge(tag) = &property.from
                && tag.starts_with(OMETRIA_PREFIX)
            {
                return Err(wrong(
                    format_args!("properties[{at}].from"),
                    "merge fields that begin with OM_ are written by ometria itself; remove this one",
                ));
            }
        }
        for (at, segment) in self.segments.iter().enumerate() {
            let given = [&segment.tag, &segment.interest];
            let given: Vec<_> = given.into_iter().flatten().collect();
            if given.len() != 1 || given[0].trim().is_empty() {
                return Err(wrong(
                    format_args!("segments[{at}]"),
                    "give either `tag` or `interest`, and not empty",
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<MappingSettings, String> {
        let settings: MappingSettings = toml::from_str(text).map_err(|error| error.to_string())?;
        settings.validate().map_err(|error| error.to_string())?;
        Ok(settings)
    }

    #[test]
    fn an_empty_table_means_the_defaults() {
        assert_eq!(read("").unwrap(), MappingSettings::default());
    }

    #[test]
    fn every_setting_is_understood() {
        let settings = read(
            r#"
            id = "member_id"
            firstname = "FIRST"
            lastname = ""
            split_full_name = true
            gender = { field = "SEX", values = { "Mrs" = "f" } }
            marketing_permission = "abc"
            properties = [
                { name = "tier", from = "merge:TIER" },
                { name = "sport", from = "interest:9f" },
                { name = "tags", from = "tags" },
            ]
            segments = [{ tag = "VIP", segment = 12 }, { interest = "9f", segment = 13 }]
            "#,
        )
        .unwrap();
        assert_eq!(settings.id, IdStrategy::MemberId);
        assert_eq!(
            settings.properties[0].from,
            ValueSource::Merge("TIER".to_owned())
        );
        assert_eq!(settings.segments[1].interest.as_deref(), Some("9f"));
    }

    #[test]
    fn what_cannot_work_is_named() {
        for (text, expected) in [
            ("surname = 'X'", "surname"),
            ("id = 'email'", "email"),
            ("date_of_birth = ''", "mapping.date_of_birth"),
            ("collection = ' '", "mapping.collection"),
            (
                "properties = [{ name = 'a', from = 'merge:' }]",
                "name is missing",
            ),
            (
                "properties = [{ name = 'a', from = 'ip_signup' }]",
                "known are",
            ),
            (
                "properties = [{ name = 'a', from = 'merge:OM_LTV' }]",
                "properties[0].from",
            ),
            (
                "properties = [{ name = 'a', from = 'vip' }, { name = 'a', from = 'tags' }]",
                "properties[1].name",
            ),
            ("segments = [{ segment = 1 }]", "segments[0]"),
            (
                "segments = [{ tag = 'a', interest = 'b', segment = 1 }]",
                "segments[0]",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_collection_belongs_to_an_audience_unless_named_outright() {
        let settings = MappingSettings::default();
        assert_eq!(settings.collection_of("a1"), "mailchimp:a1");
        assert!(settings.separates_audiences());
        let settings = read("collection = 'newsletter'").unwrap();
        assert_eq!(settings.collection_of("a1"), "newsletter");
        assert!(!settings.separates_audiences());
    }

    proptest! {
        #[test]
        fn any_text_is_a_source_or_a_reason(text in "(merge|interest|\\PC{0,5})?:?\\PC{0,10}") {
            if let Ok(source) = text.parse::<ValueSource>() {
                prop_assert_eq!(source.to_string(), text);
            }
        }
    }
}
