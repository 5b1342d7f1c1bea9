//! What happens to campaigns: they are sent and deleted, and people still open old ones.

use chrono::{DateTime, Utc};

use crate::account_spec::CampaignsSpec;
use crate::campaigns::Campaign;
use crate::campaigns::engagement::{Action, Event};
use crate::changes::Refused;
use crate::simulator::MailchimpSimulator;
use crate::timestamp;

/// One campaign of a simulated account.
///
/// Cheap to clone. Recipients are named by their address. Events are stamped with the server's time unless
/// [`CampaignHandle::at`] says otherwise, and show at once in the report's counters, in `last_open` and `last_click` and
/// in the activity of the recipient.
#[derive(Clone, Debug)]
pub struct CampaignHandle {
    simulator: MailchimpSimulator,
    id: String,
    at: Option<DateTime<Utc>>,
}

impl MailchimpSimulator {
    /// Sends a new campaign to an audience, now or at a time in the past. Of `spec` only what recipients do counts; they do
    /// it between then and now.
    pub fn send_campaign(
        &self,
        list: &str,
        spec: CampaignsSpec,
        at: Option<DateTime<Utc>>,
    ) -> CampaignHandle {
        let moment = self.moment(at);
        let now = self.moment(None).stamp;
        let seed = self.seed();
        let id = self.with_account(|account| {
            let list = list.to_owned();
            account.campaigns.send(spec, list, seed, moment.stamp, now)
        });
        self.campaign(&id)
    }

    /// The campaign with this id, whether it exists or not.
    pub fn campaign(&self, id: &str) -> CampaignHandle {
        CampaignHandle {
            simulator: self.clone(),
            id: id.to_owned(),
            at: None,
        }
    }

    /// Ids of the campaigns that were sent, in order of creation.
    pub fn sent_campaigns(&self) -> Vec<String> {
        self.campaigns(Campaign::is_sent)
    }

    /// Ids of the campaigns that were not sent yet, in order of creation.
    pub fn draft_campaigns(&self) -> Vec<String> {
        self.campaigns(|campaign| !campaign.is_sent())
    }

    fn campaigns(&self, wanted: impl Fn(&Campaign) -> bool) -> Vec<String> {
        self.look_at_account(|account| {
            let found = account.campaigns.held.iter().filter(|held| wanted(held));
            found.map(|campaign| campaign.id.clone()).collect()
        })
    }
}

impl CampaignHandle {
    /// The campaign id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same campaign, with events stamped with this time.
    #[must_use]
    pub fn at(&self, time: DateTime<Utc>) -> Self {
        Self {
            at: Some(time),
            ..self.clone()
        }
    }

    /// Address of the recipient at a position, counted from 0.
    pub fn recipient(&self, position: u32) -> Option<String> {
        self.simulator.look_at_account(|account| {
            let campaign = account.campaigns.get(&self.id)?;
            let mut address = String::new();
            campaign.write_address(position, &mut address);
            (position < campaign.recipients()).then_some(address)
        })
    }

    /// Sends it, if it is a draft: its status and send time change, its creation time stays, and it has a report from then
    /// on. Recipients do what they do between then and now.
    pub fn send(&self) -> Result<(), Refused> {
        let now = self.simulator.moment(None).stamp;
        let at = self.at.map_or(now, timestamp::seconds);
        self.change(|campaign| {
            let sent = campaign.send(at, now);
            sent.then_some(()).ok_or(Refused::Taken)
        })
    }

    /// A recipient opens it.
    pub fn open(&self, address: &str) -> Result<(), Refused> {
        self.happen(address, Action::Open { proxy: false })
    }

    /// A recipient clicks one of its links, counted from 0.
    pub fn click(&self, address: &str, link: u8) -> Result<(), Refused> {
        self.happen(address, Action::Click { link })
    }

    /// It comes back from a recipient. Bounces move neither `last_open` nor `last_click`.
    pub fn bounce(&self, address: &str, hard: bool) -> Result<(), Refused> {
        self.happen(address, Action::Bounce { hard })
    }

    /// Counters of the report go up without any event that the API shows: somebody forwarded it.
    pub fn forward(&self) -> Result<(), Refused> {
        self.change(|campaign| {
            campaign.drift += 1;
            Ok(())
        })
    }

    /// Deletes it. Its report and everything below answer 404 from then on.
    pub fn delete(&self) -> Result<(), Refused> {
        let deleted = self
            .simulator
            .with_account(|account| account.campaigns.delete(&self.id));
        deleted.then_some(()).ok_or(Refused::UnknownCampaign)
    }

    fn happen(&self, address: &str, action: Action) -> Result<(), Refused> {
        let now = self.simulator.moment(None).stamp;
        let at = self.at.map_or(now, timestamp::seconds);
        self.change(|campaign| {
            let recipient = campaign.recipient_of(address);
            let recipient = recipient.ok_or(Refused::UnknownMember)?;
            if matches!(action, Action::Click { link } if link >= campaign.engagement.links) {
                return Err(Refused::UnknownDefinition);
            }
            campaign.happen(recipient, Event { at, action });
            Ok(())
        })
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Campaign) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        self.simulator.with_account(|account| {
            let campaign = account.campaigns.get_mut(&self.id);
            change(campaign.ok_or(Refused::UnknownCampaign)?)
        })
    }
}
