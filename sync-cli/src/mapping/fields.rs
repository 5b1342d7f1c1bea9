//! From the fields of a member to those of a subscriber.

use chrono::{DateTime, NaiveDate, Utc};
use mailchimp_client::{Field, Member, MergeValue, SmsStatus as MailchimpSms, Timestamp};
use serde_json::{Value, json};
use sync_core::{Key, Result};
use sync_ometria::{Sms, SmsStatus, Status, Subscriber};

use super::settings::{IdStrategy, MappingSettings, ValueSource};

/// Applies [`MappingSettings`] to members.
#[derive(Clone, Debug)]
pub struct FieldMapping {
    settings: MappingSettings,
}

impl FieldMapping {
    /// A mapping by these settings.
    ///
    /// # Errors
    /// When the settings cannot work; the error names the field.
    pub fn new(settings: MappingSettings) -> Result<Self> {
        settings.validate()?;
        Ok(Self { settings })
    }

    /// The settings.
    pub fn settings(&self) -> &MappingSettings {
        &self.settings
    }

    /// The members of a member that this mapping looks at: all that has to be fetched.
    pub fn fields(&self) -> Vec<&'static str> {
        let settings = &self.settings;
        let uses = |source: &ValueSource| settings.properties.iter().any(|p| p.from == *source);
        let interests = settings
            .segments
            .iter()
            .any(|segment| segment.interest.is_some())
            || settings
                .properties
                .iter()
                .any(|p| matches!(p.from, ValueSource::Interest(_)));
        let tags = settings
            .segments
            .iter()
            .any(|segment| segment.tag.is_some())
            || uses(&ValueSource::Tags);
        let mut fields = vec![
            "id",
            "contact_id",
            "unique_email_id",
            "email_address",
            "status",
            "merge_fields",
            "timestamp_signup",
            "timestamp_opt",
            "last_changed",
        ];
        let mut also = |wanted: bool, names: &[&'static str]| {
            if wanted {
                fields.extend(names);
            }
        };
        also(settings.id == IdStrategy::WebId, &["web_id"]);
        also(settings.split_full_name, &["full_name"]);
        also(
            settings.country_from_location || settings.timezone_from_location,
            &["location"],
        );
        also(
            settings.marketing_permission.is_some(),
            &["marketing_permissions"],
        );
        also(interests, &["interests"]);
        also(tags, &["tags", "tags_count"]);
        also(uses(&ValueSource::Language), &["language"]);
        also(uses(&ValueSource::Vip), &["vip"]);
        also(uses(&ValueSource::MemberRating), &["member_rating"]);
        also(uses(&ValueSource::Source), &["source"]);
        also(
            uses(&ValueSource::UnsubscribeReason),
            &["unsubscribe_reason"],
        );
        also(
            settings.sms,
            &[
                "sms_phone_number",
                "sms_subscription_status",
                "sms_subscription_last_updated",
            ],
        );
        fields
    }

    /// The subscriber that a member is.
    ///
    /// # Errors
    /// A reason for the rejected store, when the id of the strategy is missing.
    pub fn subscriber(
        &self,
        key: Key,
        changed: DateTime<Utc>,
        member: &Member,
    ) -> Result<Subscriber, String> {
        let settings = &self.settings;
        let listing_id = self.listing_id(member).ok_or_else(|| {
            format!(
                "{}: missing at the member; choose another id strategy",
                settings.id.as_str()
            )
        })?;
        let email = member.email_address.as_str().unwrap_or_default();
        let status = member.status.value().map_or("", |status| status.as_str());
        let mut subscriber = Subscriber::new(key, listing_id, email, Status::from(status), changed);
        subscriber.opted_in_at = time(&member.timestamp_opt);
        subscriber.acquired_at = time(&member.timestamp_signup).or(subscriber.opted_in_at);
        subscriber.permission_granted = self.permission(member);
        (subscriber.firstname, subscriber.lastname) = self.names(member);
        subscriber.phone = text(member, &settings.phone);
        subscriber.country = self.country(member);
        if settings.timezone_from_location {
            let location = member.location.value();
            subscriber.timezone = location
                .and_then(|place| place.timezone.as_str())
                .map(str::to_owned);
        }
        subscriber.date_of_birth = settings
            .date_of_birth
            .as_deref()
            .and_then(|tag| text(member, tag))
            .and_then(|date| NaiveDate::parse_from_str(&date, "%Y-%m-%d").ok());
        subscriber.gender = settings.gender.as_ref().and_then(|gender| {
            let value = text(member, &gender.field)?.to_lowercase();
            let known = gender
                .values
                .iter()
                .find(|(word, _)| word.to_lowercase() == value);
            known.map(|(_, meaning)| (*meaning).into())
        });
        subscriber.customer_id = settings
            .customer_id
            .as_deref()
            .and_then(|tag| text(member, tag));
        subscriber.properties = settings
            .properties
            .iter()
            .filter_map(|property| {
                Some((
                    property.name.clone(),
                    property_value(member, &property.from)?,
                ))
            })
            .collect();
        self.segments(member, &mut subscriber);
        if settings.sms {
            subscriber.sms = sms(member);
        }
        Ok(subscriber)
    }

    fn listing_id(&self, member: &Member) -> Option<String> {
        let text = |field: &Field<String>| field.as_str().map(str::to_owned);
        match self.settings.id {
            IdStrategy::ContactId => {
                text(&member.contact_id).or_else(|| text(&member.unique_email_id))
            }
            IdStrategy::UniqueEmailId => text(&member.unique_email_id),
            IdStrategy::WebId => member.web_id.value().map(ToString::to_string),
            IdStrategy::MemberId => text(&member.id),
        }
    }

    fn permission(&self, member: &Member) -> Option<bool> {
        let wanted = self.settings.marketing_permission.as_deref()?;
        let given = member
            .marketing_permissions
            .value()
            .into_iter()
            .flatten()
            .any(|permission| {
                permission.marketing_permission_id.as_str() == Some(wanted)
                    && permission.enabled.value() == Some(&true)
            });
        Some(given)
    }

    fn names(&self, member: &Member) -> (Option<String>, Option<String>) {
        let first = text(member, &self.settings.firstname);
        let last = text(member, &self.settings.lastname);
        if first.is_some() || last.is_some() || !self.settings.split_full_name {
            return (first, last);
        }
        let full = member.full_name.as_str().unwrap_or_default().trim();
        match full.rsplit_once(char::is_whitespace) {
            Some((first, last)) => (Some(first.trim().to_owned()), Some(last.to_owned())),
            None if full.is_empty() => (None, None),
            None => (Some(full.to_owned()), None),
        }
    }

    fn country(&self, member: &Member) -> Option<String> {
        let address = match member.merge_value(&self.settings.country) {
            MergeValue::Json(address) => address.get("country").and_then(Value::as_str),
            _ => None,
        };
        let guessed = || {
            let place = member
                .location
                .value()
                .filter(|_| self.settings.country_from_location)?;
            place.country_code.as_str()
        };
        address
            .filter(|country| !country.is_empty())
            .or_else(guessed)
            .map(str::to_owned)
    }

    fn segments(&self, member: &Member, subscriber: &mut Subscriber) {
        let tags = member.tags.value();
        for mapping in &self.settings.segments {
            // `None`: the answer does not tell, so the segment is left as it is.
            let belongs = match (&mapping.tag, &mapping.interest) {
                (Some(name), _) => {
                    let has = tags
                        .into_iter()
                        .flatten()
                        .any(|tag| tag.name.as_str() == Some(name));
                    (has || !member.has_more_tags()).then_some(has)
                }
                (None, Some(id)) => member
                    .interests
                    .value()
                    .and_then(|interests| interests.get(id))
                    .copied(),
                (None, None) => None,
            };
            match belongs {
                Some(true) => subscriber.add_to_lists.push(mapping.segment),
                Some(false) => subscriber.remove_from_lists.push(mapping.segment),
                None => {}
            }
        }
        // Of several tags that stand for one segment, one is enough to belong to it.
        let add = &subscriber.add_to_lists;
        subscriber
            .remove_from_lists
            .retain(|segment| !add.contains(segment));
    }
}

fn time(field: &Field<Timestamp>) -> Option<DateTime<Utc>> {
    field.value().map(|time| time.0)
}

/// A merge field's text, trimmed; `None` when blank or no text.
fn text(member: &Member, tag: &str) -> Option<String> {
    let text = match member.merge_value(tag) {
        MergeValue::Text(text) => text.trim().to_owned(),
        MergeValue::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn property_value(member: &Member, from: &ValueSource) -> Option<Value> {
    let word = |field: &Field<String>| field.as_str().map(|text| json!(text));
    match from {
        ValueSource::Merge(tag) => match member.merge_value(tag) {
            MergeValue::Text(text) => Some(json!(text)),
            MergeValue::Number(number) => Some(json!(number)),
            MergeValue::Json(value) => Some(value.clone()),
            _ => None,
        },
        ValueSource::Interest(id) => member
            .interests
            .value()
            .and_then(|interests| interests.get(id))
            .map(|is| json!(is)),
        ValueSource::Tags => member.tags.value().map(|tags| {
            tags.iter()
                .filter_map(|tag| tag.name.as_str())
                .collect::<Vec<_>>()
                .into()
        }),
        ValueSource::Language => word(&member.language),
        ValueSource::Vip => member.vip.value().map(|is| json!(is)),
        ValueSource::MemberRating => member.member_rating.value().map(|stars| json!(stars)),
        ValueSource::Source => word(&member.source),
        ValueSource::UnsubscribeReason => word(&member.unsubscribe_reason),
    }
}

fn sms(member: &Member) -> Option<Sms> {
    let phone = member.sms_phone_number.as_str()?.to_owned();
    let status = match member.sms_subscription_status.value()? {
        MailchimpSms::Subscribed => SmsStatus::Subscribed,
        MailchimpSms::Unsubscribed => SmsStatus::Unsubscribed,
        _ => SmsStatus::Undecided,
    };
    Some(Sms {
        phone,
        status,
        decided_at: time(&member.sms_subscription_last_updated),
    })
}

#[cfg(test)]
mod tests {
    use sync_ometria::Gender;

    use super::*;

    fn member() -> Member {
        // The shape of a live answer: every merge field of the audience, and "" for nothing whatever the type.
        serde_json::from_value(json!({
            "id": "0a1b", "contact_id": "c0ffee", "unique_email_id": "u1", "web_id": 42,
            "email_address": " Ann@Example.com", "full_name": "Ann Mary Lee", "status": "subscribed",
            "merge_fields": {
                "FNAME": " Ann ", "LNAME": "", "PHONE": "+447700900123", "LTV": 668.3, "TIER": "gold",
                "ADDRESS": {"addr1": "1 High St", "city": "Leeds", "state": "", "zip": "LS1", "country": "GB"},
                "BORN": "1990-02-28", "BDAY": "02/28", "SEX": "Mrs", "EMPTY": "", "SHOP": 77
            },
            "interests": {"i1": true, "i2": false},
            "marketing_permissions": [{"marketing_permission_id": "p1", "text": "mail", "enabled": false}],
            "timestamp_signup": "", "timestamp_opt": "2026-01-02T03:04:05+00:00",
            "last_changed": "2026-01-02T03:04:06+00:00", "language": "en", "vip": false, "member_rating": 2,
            "location": {"latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0,
                         "country_code": "US", "timezone": "america/new_york", "region": ""},
            "tags_count": 2, "tags": [{"id": 1, "name": "VIP"}, {"id": 2, "name": "new"}],
            "sms_phone_number": "", "sms_subscription_status": "", "sms_subscription_last_updated": ""
        }))
        .unwrap()
    }

    fn map(settings: MappingSettings, member: &Member) -> Result<Subscriber, String> {
        let changed = DateTime::from_timestamp(1_767_323_046, 0).unwrap();
        FieldMapping::new(settings)
            .unwrap()
            .subscriber(Key::new("c0ffee"), changed, member)
    }

    #[test]
    fn defaults_send_names_country_and_phone_and_guess_nothing() {
        let subscriber = map(MappingSettings::default(), &member()).unwrap();
        assert_eq!(subscriber.listing_id, "c0ffee");
        assert_eq!(subscriber.status, Status::Subscribed);
        assert_eq!(subscriber.firstname.as_deref(), Some("Ann"));
        assert_eq!(
            subscriber.lastname, None,
            "blank is unknown, and the full name is not split"
        );
        assert_eq!(subscriber.country.as_deref(), Some("GB"));
        assert_eq!(subscriber.phone.as_deref(), Some("+447700900123"));
        assert_eq!(subscriber.timezone, None);
        assert_eq!(subscriber.acquired_at, subscriber.opted_in_at);
        assert_eq!(
            subscriber.opted_in_at.unwrap().to_rfc3339(),
            "2026-01-02T03:04:05+00:00"
        );
        assert!(subscriber.properties.is_empty() && subscriber.sms.is_none());
        assert_eq!(subscriber.permission_granted, None);
    }

    #[test]
    fn configured_fields_arrive_with_their_types_in_order() {
        let settings: MappingSettings = toml::from_str(
            r#"
            date_of_birth = "BORN"
            customer_id = "SHOP"
            marketing_permission = "p1"
            timezone_from_location = true
            gender = { field = "SEX", values = { mrs = "f" } }
            properties = [
                { name = "tier", from = "merge:TIER" }, { name = "ltv", from = "merge:LTV" },
                { name = "none", from = "merge:EMPTY" }, { name = "unknown", from = "merge:NOSUCH" },
                { name = "sport", from = "interest:i1" }, { name = "tags", from = "tags" },
                { name = "vip", from = "vip" }, { name = "stars", from = "member_rating" },
            ]
            segments = [
                { tag = "VIP", segment = 1 }, { tag = "old", segment = 2 }, { interest = "i2", segment = 3 },
                { interest = "nosuch", segment = 4 }, { tag = "other", segment = 1 },
            ]
            "#,
        )
        .unwrap();
        let subscriber = map(settings, &member()).unwrap();
        let expected = [
            ("tier", json!("gold")),
            ("ltv", json!(668.3)),
            ("sport", json!(true)),
            ("tags", json!(["VIP", "new"])),
            ("vip", json!(false)),
            ("stars", json!(2)),
        ];
        assert_eq!(
            subscriber.properties,
            expected.map(|(name, value)| (name.to_owned(), value))
        );
        assert_eq!(
            subscriber.date_of_birth,
            NaiveDate::from_ymd_opt(1990, 2, 28)
        );
        assert_eq!(subscriber.gender, Some(Gender::Female));
        assert_eq!(subscriber.customer_id.as_deref(), Some("77"));
        assert_eq!(subscriber.permission_granted, Some(false));
        assert_eq!(subscriber.timezone.as_deref(), Some("america/new_york"));
        assert_eq!(subscriber.add_to_lists, [1]);
        assert_eq!(subscriber.remove_from_lists, [2, 3]);
    }

    #[test]
    fn a_birthday_without_a_year_is_no_date_of_birth() {
        let settings = MappingSettings {
            date_of_birth: Some("BDAY".to_owned()),
            ..Default::default()
        };
        assert_eq!(map(settings, &member()).unwrap().date_of_birth, None);
    }

    #[test]
    fn a_tag_that_is_not_listed_may_still_be_there() {
        let mut member = member();
        member.tags_count = 60_u64.into();
        let settings: MappingSettings =
            toml::from_str("segments = [{ tag = 'old', segment = 2 }]").unwrap();
        let subscriber = map(settings, &member).unwrap();
        assert!(subscriber.remove_from_lists.is_empty());
    }

    #[test]
    fn names_are_split_only_when_asked_and_only_when_both_are_blank() {
        let mut member = member();
        let split = MappingSettings {
            split_full_name: true,
            ..Default::default()
        };
        let named = map(split.clone(), &member).unwrap();
        assert_eq!(
            (named.firstname.as_deref(), named.lastname),
            (Some("Ann"), None)
        );
        member.merge_fields = Field::Absent;
        let named = map(split, &member).unwrap();
        assert_eq!(
            (named.firstname.as_deref(), named.lastname.as_deref()),
            (Some("Ann Mary"), Some("Lee"))
        );
    }

    #[test]
    fn each_id_strategy_takes_its_field_and_says_when_it_is_missing() {
        for (id, expected) in [
            (IdStrategy::ContactId, "c0ffee"),
            (IdStrategy::UniqueEmailId, "u1"),
            (IdStrategy::WebId, "42"),
            (IdStrategy::MemberId, "0a1b"),
        ] {
            let settings = MappingSettings {
                id,
                ..Default::default()
            };
            assert_eq!(
                map(settings.clone(), &member()).unwrap().listing_id,
                expected
            );
            let reason = map(settings, &Member::default()).unwrap_err();
            assert!(reason.contains(id.as_str()), "{reason}");
        }
        let mut old = member();
        old.contact_id = Field::Absent;
        assert_eq!(
            map(MappingSettings::default(), &old).unwrap().listing_id,
            "u1"
        );
    }

    #[test]
    fn only_what_is_used_is_fetched() {
        let fields = |settings| FieldMapping::new(settings).unwrap().fields();
        let default = fields(MappingSettings::default());
        assert!(default.contains(&"merge_fields") && !default.contains(&"tags"));
        let settings: MappingSettings =
            toml::from_str("segments = [{ tag = 'a', segment = 1 }]\nid = 'web_id'\nsms = true")
                .unwrap();
        let more = fields(settings);
        for field in ["tags", "tags_count", "web_id", "sms_phone_number"] {
            assert!(more.contains(&field), "{field}");
        }
    }
}
