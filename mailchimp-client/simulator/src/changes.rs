//! What happens to an audience outside the API: people subscribe and leave, editors edit, imports run.

use std::error::Error;
use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::activity::Activity;
use crate::audience::{Audience, Moment};
use crate::fields::View;
use crate::member::{Location, Member, Note, Profile, contact_id, hash_of, hex};
use crate::member_row::{RowWriter, Shape};
use crate::simulator::MailchimpSimulator;
use crate::spec::{MergeFieldKind, MergeFieldSpec, Spread, Status};
use crate::timestamp;

/// One audience of a simulated account, as its owner and its members act on it.
///
/// Cheap to clone. A member is named by its id (MD5 of the lower-cased address), its contact id or its address. Changes are
/// stamped with the server's time unless [`AudienceHandle::at`] says otherwise; a change that changes nothing leaves
/// `last_changed` where it was, as the live API does.
#[derive(Clone, Debug)]
pub struct AudienceHandle {
    simulator: MailchimpSimulator,
    id: String,
    at: Option<DateTime<Utc>>,
}

/// Why a change was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// There is no audience with this id.
    UnknownAudience,
    /// The audience has no member by this key.
    UnknownMember,
    /// The audience defines no such merge field or interest.
    UnknownDefinition,
    /// Another member has the address, or another merge field the tag; or a campaign was sent already.
    Taken,
    /// There is no campaign with this id.
    UnknownCampaign,
    /// There is nothing of this kind with this id.
    UnknownThing,
}

/// The facts about a member that tests compare most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSummary {
    /// MD5 of the lower-cased address.
    pub id: String,
    /// What survives a change of address.
    pub contact_id: String,
    /// The address.
    pub email_address: String,
    /// The status.
    pub status: Status,
    /// When it last changed, in whole seconds.
    pub last_changed: DateTime<Utc>,
}

impl AudienceHandle {
    pub(crate) fn new(simulator: MailchimpSimulator, id: String) -> Self {
        Self {
            simulator,
            id,
            at: None,
        }
    }

    /// The audience id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same audience, with changes stamped with this time.
    #[must_use]
    pub fn at(&self, time: DateTime<Utc>) -> Self {
        Self {
            at: Some(time),
            ..self.clone()
        }
    }

    /// A person subscribes through a form: a new member, or one that comes back from any status, even after a permanent
    /// deletion. Gives the member's id.
    pub fn subscribe(&self, address: &str) -> Result<String, Refused> {
        self.change(|audience, moment| {
            let hash = hash_of(address);
            if let Some(slot) = audience.find_hash(&hash) {
                audience.update(slot, moment, |member, _| member.status = Status::Subscribed);
            } else {
                let mut profile = Profile::new(address, "Hosted Signup Form");
                profile.timestamp_signup = moment.stamp;
                let member = Member::created(profile, Status::Subscribed, moment.stamp);
                audience.create(member, moment);
            }
            Ok(hex(&hash))
        })
    }

    /// A person opts out.
    pub fn unsubscribe(&self, key: &str) -> Result<(), Refused> {
        self.update(key, |member, profile| {
            member.status = Status::Unsubscribed;
            "N/A (Unsubscribed by the contact)".clone_into(&mut profile.unsubscribe_reason);
        })
    }

    /// Sets any status, whatever the API would say to it.
    pub fn set_status(&self, key: &str, status: Status) -> Result<(), Refused> {
        self.update(key, |member, _| member.status = status)
    }

    /// Archives a member.
    pub fn archive(&self, key: &str) -> Result<(), Refused> {
        self.set_status(key, Status::Archived)
    }

    /// Brings a member back with a status. The one from before the archive is lost.
    pub fn unarchive(&self, key: &str, status: Status) -> Result<(), Refused> {
        self.set_status(key, status)
    }

    /// Sets a merge field; `""` clears it.
    pub fn set_merge_field(
        &self,
        key: &str,
        tag: &str,
        value: impl Into<Value>,
    ) -> Result<(), Refused> {
        let value = value.into();
        self.change(|audience, moment| {
            let field = audience
                .definitions
                .merge_field(tag)
                .ok_or(Refused::UnknownDefinition)?;
            let merge_id = field.merge_id;
            let slot = audience.find(key).ok_or(Refused::UnknownMember)?;
            audience.update(slot, moment, |_, profile| {
                profile.set_merge_value(merge_id, value);
            });
            Ok(())
        })
    }

    /// Adds a tag, which comes into being if the audience has none of this name.
    pub fn add_tag(&self, key: &str, name: &str) -> Result<(), Refused> {
        self.set_tag(key, name, true)
    }

    /// Removes a tag.
    pub fn remove_tag(&self, key: &str, name: &str) -> Result<(), Refused> {
        self.set_tag(key, name, false)
    }

    fn set_tag(&self, key: &str, name: &str, active: bool) -> Result<(), Refused> {
        self.change(|audience, moment| {
            let slot = audience.find(key).ok_or(Refused::UnknownMember)?;
            let tag = audience.definitions.tag_or_new(name, moment.stamp);
            audience.update(slot, moment, |_, profile| {
                profile.set_tag(tag, active, moment.stamp);
            });
            Ok(())
        })
    }

    /// Chooses or leaves an interest by its name. Moves `last_changed`; whether the live API does is not known.
    pub fn set_interest(&self, key: &str, name: &str, chosen: bool) -> Result<(), Refused> {
        self.change(|audience, moment| {
            let interest = audience
                .definitions
                .interests()
                .find(|interest| interest.name == name);
            let number = interest.ok_or(Refused::UnknownDefinition)?.number;
            let slot = audience.find(key).ok_or(Refused::UnknownMember)?;
            audience.update(slot, moment, |_, profile| {
                profile.set_interest(number, chosen);
            });
            Ok(())
        })
    }

    /// Sets the VIP mark. Moves `last_changed`; whether the live API does is not known.
    pub fn set_vip(&self, key: &str, vip: bool) -> Result<(), Refused> {
        self.update(key, |_, profile| profile.vip = vip)
    }

    /// Sets the preferred language.
    pub fn set_language(&self, key: &str, language: &str) -> Result<(), Refused> {
        self.update(key, |_, profile| language.clone_into(&mut profile.language))
    }

    /// Sets where the member was seen, or that nobody knows.
    pub fn set_coordinates(&self, key: &str, place: Option<(f64, f64)>) -> Result<(), Refused> {
        self.update(key, |_, profile| {
            profile.location = place.map(|(latitude, longitude)| Location {
                latitude,
                longitude,
                ..Location::UNKNOWN
            });
        })
    }

    /// Writes a note. Moves `last_changed`; whether the live API does is not known.
    pub fn set_note(&self, key: &str, text: &str) -> Result<(), Refused> {
        self.change(|audience, moment| {
            let slot = audience.find(key).ok_or(Refused::UnknownMember)?;
            audience.update(slot, moment, |_, profile| {
                let number = u32::try_from(profile.notes.len()).unwrap_or(u32::MAX);
                profile.notes.push(Note {
                    id: slot.saturating_mul(100).saturating_add(number) + 1,
                    created_at: moment.stamp,
                    text: text.to_owned(),
                });
            });
            Ok(())
        })
    }

    /// Changes a member's address: `contact_id` and `web_id` stay, `id` and `unique_email_id` change, the old id is gone
    /// at once. Gives the new id.
    pub fn change_address(&self, key: &str, address: &str) -> Result<String, Refused> {
        self.change(|audience, moment| {
            let slot = audience.find(key).ok_or(Refused::UnknownMember)?;
            let hash = hash_of(address);
            if audience.find_hash(&hash).is_some_and(|other| other != slot) {
                return Err(Refused::Taken);
            }
            audience.update(slot, moment, |_, profile| {
                address.clone_into(&mut profile.email);
            });
            Ok(hex(&hash))
        })
    }

    /// Deletes a member and its history; the API refuses the address from then on.
    pub fn delete_permanently(&self, key: &str) -> Result<(), Refused> {
        self.change(|audience, moment| {
            let slot = audience.find(key).ok_or(Refused::UnknownMember)?;
            audience.forget(slot, moment);
            Ok(())
        })
    }

    /// Imports `count` generated members at once, numbered from `first`, all in one second. Addresses that are taken are
    /// left out. Gives how many came. Lists show them at once, whatever the visibility lag.
    pub fn bulk_import(&self, first: u32, count: u32, at: DateTime<Utc>) -> Result<u32, Refused> {
        self.import(first, count, Spread::OneSecond(at))
    }

    /// [`AudienceHandle::bulk_import`] spread over time.
    pub fn import(&self, first: u32, count: u32, spread: Spread) -> Result<u32, Refused> {
        self.change(|audience, _| Ok(audience.generate(first, count, spread)))
    }

    /// Records that a member opened a campaign, or clicked a URL in it.
    pub fn record_activity(
        &self,
        key: &str,
        campaign_id: &str,
        clicked: Option<&str>,
    ) -> Result<(), Refused> {
        self.change(|audience, moment| {
            let slot = audience.find(key).ok_or(Refused::UnknownMember)?;
            let activity = Activity::new(campaign_id, clicked, moment.stamp);
            audience.activity.entry(slot).or_default().push(activity);
            Ok(())
        })
    }

    /// Defines a merge field, empty for everybody. Members' `last_changed` stays.
    pub fn add_merge_field(&self, spec: MergeFieldSpec) -> Result<(), Refused> {
        self.change(|audience, _| {
            audience
                .definitions
                .add_merge_field(spec)
                .then_some(())
                .ok_or(Refused::Taken)
        })
    }

    /// Gives a merge field another tag. Members' `last_changed` stays.
    pub fn rename_merge_field(&self, tag: &str, new_tag: &str) -> Result<(), Refused> {
        self.change(|audience, _| {
            let definitions = &mut audience.definitions;
            if definitions.merge_field(new_tag).is_some() {
                return Err(Refused::Taken);
            }
            let mut fields = definitions.merge_fields.iter_mut();
            let field = fields
                .find(|field| field.spec.tag == tag)
                .ok_or(Refused::UnknownDefinition)?;
            new_tag.clone_into(&mut field.spec.tag);
            audience.forget_searches();
            Ok(())
        })
    }

    /// Gives a merge field another type. Values that members had keep their old shape, and `last_changed` stays.
    pub fn retype_merge_field(&self, tag: &str, kind: MergeFieldKind) -> Result<(), Refused> {
        self.change(|audience, _| {
            let mut fields = audience.definitions.merge_fields.iter_mut();
            let field = fields.find(|field| field.spec.tag == tag);
            field.ok_or(Refused::UnknownDefinition)?.spec.kind = kind;
            Ok(())
        })
    }

    /// Adds an interest to a category, chosen by nobody. Members' `last_changed` stays.
    pub fn add_interest(&self, category: &str, name: &str) -> Result<(), Refused> {
        self.change(|audience, _| audience.definitions.add_interest(category, name))
    }

    /// Deletes a merge field with all its values. Members' `last_changed` stays.
    pub fn delete_merge_field(&self, tag: &str) -> Result<(), Refused> {
        self.change(|audience, _| {
            let fields = &mut audience.definitions.merge_fields;
            let before = fields.len();
            fields.retain(|field| field.spec.tag != tag);
            if fields.len() == before {
                return Err(Refused::UnknownDefinition);
            }
            audience.forget_searches();
            Ok(())
        })
    }

    /// Members of every status, archived ones included. Zero for an unknown audience.
    pub fn len(&self) -> usize {
        self.look(Audience::len).unwrap_or(0)
    }

    /// Whether there is no member at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many members have a status.
    pub fn count(&self, status: Status) -> usize {
        self.look(|audience| {
            audience
                .members()
                .filter(|(_, member)| member.status == status)
                .count()
        })
        .unwrap_or(0)
    }

    /// A member as the API shows it, without `_links`.
    pub fn member(&self, key: &str) -> Option<Value> {
        let context = self.simulator.context();
        let context = context.as_context();
        self.look(|audience| {
            let slot = audience.find(key)?;
            let member = audience.member(slot)?;
            let mut text = String::new();
            RowWriter::new(&context, audience, View::All, Shape::Member)
                .write(&mut text, slot, member);
            let mut row: Value = serde_json::from_str(&text).ok()?;
            row.as_object_mut()?.remove("_links");
            Some(row)
        })?
    }

    /// All members in order of creation.
    pub fn members(&self) -> Vec<MemberSummary> {
        let seed = self.simulator.seed();
        self.look(|audience| {
            let mut scratch = Profile::default();
            audience
                .members()
                .map(|(slot, member)| MemberSummary {
                    id: hex(&member.hash),
                    contact_id: hex(&contact_id(seed, audience.web_id(slot))),
                    email_address: audience.profile_in(member, &mut scratch).email.clone(),
                    status: member.status,
                    last_changed: timestamp::time(member.last_changed),
                })
                .collect()
        })
        .unwrap_or_default()
    }

    /// The id of the member that was created `position`-th, unless it was deleted. Costs nothing, so that a storm of
    /// changes can pick its victims among millions.
    pub fn nth_id(&self, position: usize) -> Option<String> {
        let slot = u32::try_from(position).ok()?;
        self.look(|audience| audience.member(slot).map(|member| hex(&member.hash)))?
    }

    fn update(
        &self,
        key: &str,
        change: impl FnOnce(&mut Member, &mut Profile),
    ) -> Result<(), Refused> {
        self.change(|audience, moment| {
            let slot = audience.find(key).ok_or(Refused::UnknownMember)?;
            audience.update(slot, moment, change);
            Ok(())
        })
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Audience, Moment) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let moment = self.simulator.moment(self.at);
        self.simulator
            .with_audience(&self.id, |audience| change(audience, moment))
            .ok_or(Refused::UnknownAudience)?
    }

    fn look<T>(&self, look: impl FnOnce(&Audience) -> T) -> Option<T> {
        self.simulator.look(&self.id, look)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownAudience => "the simulated account has no such audience",
            Self::UnknownMember => "the simulated audience has no such member",
            Self::UnknownDefinition => "the simulated audience defines no such field or interest",
            Self::UnknownCampaign => "the simulated account has no such campaign",
            Self::UnknownThing => "the simulated account has no such thing",
            Self::Taken => "the address, name or tag is taken, or the campaign sent already",
        })
    }
}

impl Error for Refused {}
