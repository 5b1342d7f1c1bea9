//! The recipients of a campaign as members of its audience, or as people who left it.

use serde_json::{Value, json};

use crate::account::Account;
use crate::audience::Audience;
use crate::campaigns::Campaign;
use crate::campaigns::engagement::{Event, Recipient};
use crate::member::{Hash, Member, Profile, hash_of};
use crate::member_row::merge_fields;
use crate::object::Object;
use crate::spec::Status;

/// Looks up recipients one after the other, in memory that is used again.
pub(crate) struct People<'a> {
    pub(crate) campaign: &'a Campaign,
    audience: Option<&'a Audience>,
    scratch: Profile,
    events: Vec<Event>,
    address: String,
    hash: Hash,
    number: u32,
}

impl<'a> People<'a> {
    pub(crate) fn new(account: &'a Account, campaign: &'a Campaign) -> Self {
        Self {
            campaign,
            audience: account.audience(&campaign.list),
            scratch: Profile::default(),
            events: Vec::new(),
            address: String::new(),
            hash: Hash::default(),
            number: 0,
        }
    }

    /// Turns to a recipient.
    pub(crate) fn turn_to(&mut self, recipient: u32) {
        self.address.clear();
        self.campaign.write_address(recipient, &mut self.address);
        self.hash = hash_of(&self.address);
        self.number = recipient;
    }

    /// The recipient with this id (MD5 of the address) or address.
    pub(crate) fn find(&mut self, key: &str) -> Option<u32> {
        let hash = if key.contains('@') {
            hash_of(key)
        } else {
            crate::member::parse_hex(key)?
        };
        (0..self.campaign.recipients()).find(|&recipient| {
            self.turn_to(recipient);
            self.hash == hash
        })
    }

    /// What the recipient did, oldest first.
    pub(crate) fn events(&mut self) -> &[Event] {
        self.campaign.events(self.number, &mut self.events);
        &self.events
    }

    pub(crate) fn fate(&self) -> Recipient {
        self.campaign.engagement.recipient(self.number)
    }

    fn member(&self) -> Option<(&'a Audience, &'a Member)> {
        let audience = self.audience?;
        Some((audience, audience.member(audience.find_hash(&self.hash)?)?))
    }

    /// Whether the recipient left the audience for good, or changed address.
    pub(crate) fn is_gone(&self) -> bool {
        self.member().is_none()
    }

    pub(crate) fn write_address(&self, object: &mut Object<'_, '_>) {
        object
            .hex("email_id", &self.hash)
            .text("email_address", &self.address);
    }

    /// Appends what is known of the recipient as a member; of one who is gone `merge_fields` is null.
    pub(crate) fn write_member(&mut self, object: &mut Object<'_, '_>) {
        let Some((audience, member)) = self.member() else {
            object.value("merge_fields", Value::Null).flag("vip", false);
            return;
        };
        let profile = audience.profile_in(member, &mut self.scratch);
        object.part("merge_fields", |out, view| {
            let start = out.len();
            merge_fields(out, audience, profile);
            if !matches!(view, crate::fields::View::All) {
                let whole: Value = serde_json::from_str(&out[start..]).unwrap_or_default();
                out.truncate(start);
                out.push_str(&view.prune(whole).unwrap_or_else(|| json!({})).to_string());
            }
        });
        object.flag("vip", profile.vip);
    }

    pub(crate) fn write_status(&self, object: &mut Object<'_, '_>) {
        let status = match self.member() {
            None => "deleted",
            Some((_, member)) => match member.status {
                Status::Transactional => "non-subscribed",
                status => status.as_str(),
            },
        };
        object.text("contact_status", status);
    }

    /// Appends the ids of campaign and audience.
    pub(crate) fn write_ids(&self, object: &mut Object<'_, '_>) {
        object
            .text("campaign_id", &self.campaign.id)
            .text("list_id", &self.campaign.list)
            .flag("list_is_active", self.audience.is_some());
    }
}
