//! Campaigns: what is kept of them, and what they add up to.

mod content;
pub(crate) mod engagement;
mod listing;

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::account_spec::{CampaignsSpec, History};
use crate::definitions::ten_hex;
use crate::endpoint::Endpoint;
use crate::generate::{number_of, write_address};
use crate::member::mix;
use crate::roster::Roster;

use engagement::{Action, Engagement, Event};

pub(crate) use listing::delivery_status;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::paged("/campaigns", listing::list),
    Endpoint::whole("/campaigns/{campaign_id}", listing::get),
    Endpoint::whole("/campaigns/{campaign_id}/content", content::content),
    Endpoint::whole("/campaigns/{campaign_id}/feedback", content::feedback),
    Endpoint::whole(
        "/campaigns/{campaign_id}/feedback/{feedback_id}",
        content::one_feedback,
    ),
    Endpoint::whole(
        "/campaigns/{campaign_id}/send-checklist",
        content::checklist,
    ),
    Endpoint::whole("/search-campaigns", listing::search),
];

/// Longest time after sending in which generated recipients do something.
const INTEREST_LASTS: u32 = 14 * 86_400;

/// What campaigns are made like, in turn.
const KINDS: [Kind; 8] = [
    Kind::Regular,
    Kind::AbSplit,
    Kind::Regular,
    Kind::Variate,
    Kind::Plaintext,
    Kind::Regular,
    Kind::Rss,
    Kind::Regular,
];

/// All campaigns of the account.
#[derive(Debug, Default)]
pub(crate) struct Campaigns {
    /// In order of creation.
    pub(crate) held: Vec<Campaign>,
    made: u32,
    seed: u64,
    /// Number of the first generated member of each audience, where it is not 0.
    first_members: HashMap<String, u32>,
}

/// What a campaign is made like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Regular,
    Plaintext,
    AbSplit,
    Rss,
    Variate,
}

#[derive(Debug)]
pub(crate) struct Campaign {
    pub(crate) number: u32,
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// A word of the API: `sent` decides whether there is a report.
    pub(crate) status: &'static str,
    pub(crate) list: String,
    pub(crate) created_at: u32,
    /// How many campaign folders there are to lie in.
    pub(crate) folders: u32,
    /// How many people it goes to when it is sent.
    planned: u32,
    pub(crate) engagement: Engagement,
    /// Number of the member that the first recipient is.
    first_member: u32,
    /// What happened after the generated events, by recipient.
    late: HashMap<u32, Vec<Event>>,
    /// Counts that move with no event: forwards, for one.
    pub(crate) drift: u32,
    totals: OnceLock<Totals>,
    openers: OnceLock<Box<[u32]>>,
}

/// What the events of all recipients add up to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub(crate) hard_bounces: u32,
    pub(crate) soft_bounces: u32,
    pub(crate) opens: u32,
    pub(crate) unique_opens: u32,
    pub(crate) real_opens: u32,
    pub(crate) unique_real_opens: u32,
    pub(crate) last_open: u32,
    pub(crate) clicks: u32,
    /// Pairs of a recipient and a link.
    pub(crate) unique_clicks: u32,
    pub(crate) clickers: u32,
    pub(crate) last_click: u32,
    pub(crate) unsubscribed: u32,
    /// Recipients who reported abuse, in their order.
    pub(crate) complainers: Vec<u32>,
    pub(crate) links: Vec<LinkTotals>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct LinkTotals {
    pub(crate) clicks: u32,
    pub(crate) clickers: u32,
    pub(crate) last_click: u32,
}

impl Campaigns {
    /// Adds generated campaigns, to these audiences in turn. None is sent after `now`.
    pub(crate) fn fill(
        &mut self,
        spec: CampaignsSpec,
        history: History,
        audiences: &[(String, u32)],
        seed: u64,
        now: u32,
    ) {
        self.seed = seed;
        self.first_members.extend(audiences.iter().cloned());
        let count = spec.sent.saturating_add(spec.drafts);
        let drafts_every = count.checked_div(spec.drafts).unwrap_or(u32::MAX).max(1);
        let mut drafts = 0;
        for entry in Roster::new(count, history, now).iter() {
            let draft = drafts < spec.drafts
                && (entry.number % drafts_every == drafts_every - 1
                    || count - entry.number <= spec.drafts - drafts);
            let (status, send_time) = if draft {
                drafts += 1;
                (["save", "paused", "schedule"][(drafts as usize - 1) % 3], 0)
            } else {
                // An hour to write it.
                let sent_at = entry.created_at.saturating_add(3600);
                ("sent", sent_at.min(now.max(entry.created_at)))
            };
            let at = usize::try_from(entry.number / 2).unwrap_or(0) % audiences.len().max(1);
            let (list, _) = audiences.get(at).cloned().unwrap_or_default();
            self.add(spec, entry.created_at, (status, send_time), list, now);
        }
    }

    fn add(
        &mut self,
        spec: CampaignsSpec,
        created_at: u32,
        (status, send_time): (&'static str, u32),
        list: String,
        now: u32,
    ) -> String {
        let first_member = self.first_members.get(&list).copied().unwrap_or(0);
        let number = self.made;
        self.made += 1;
        let seed = mix(self.seed ^ 0xca3f ^ (u64::from(number) << 20));
        let sent = send_time > 0;
        let id = ten_hex(mix(seed));
        self.held.push(Campaign {
            number,
            id: id.clone(),
            kind: KINDS[number as usize % KINDS.len()],
            status,
            list,
            created_at,
            folders: spec.folders,
            planned: spec.recipients,
            engagement: Engagement {
                seed,
                recipients: if sent { spec.recipients } else { 0 },
                send_time,
                span: now.saturating_sub(send_time).min(INTEREST_LASTS),
                bounced_percent: spec.bounced_percent,
                opened_percent: spec.opened_percent,
                clicked_percent: spec.clicked_percent,
                unsubscribed_percent: spec.unsubscribed_percent,
                complained_percent: spec.complained_percent,
                links: spec.links,
            },
            first_member,
            late: HashMap::new(),
            drift: 0,
            totals: OnceLock::new(),
            openers: OnceLock::new(),
        });
        id
    }

    /// Sends a campaign now: a new one, whose recipients do what they do at once.
    pub(crate) fn send(
        &mut self,
        spec: CampaignsSpec,
        list: String,
        seed: u64,
        at: u32,
        now: u32,
    ) -> String {
        self.seed = seed;
        self.add(spec, at, ("sent", at), list, now)
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Campaign> {
        self.held.iter().find(|campaign| campaign.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Campaign> {
        self.held.iter_mut().find(|campaign| campaign.id == id)
    }

    /// Deletes a campaign with its report; `false` when there is none of this id.
    pub(crate) fn delete(&mut self, id: &str) -> bool {
        let before = self.held.len();
        self.held.retain(|campaign| campaign.id != id);
        self.held.len() < before
    }
}

impl Campaigns {
    /// The campaigns that were sent to an audience.
    pub(crate) fn sent_to<'a>(&'a self, list: &'a str) -> impl Iterator<Item = &'a Campaign> {
        let held = self.held.iter();
        held.filter(move |campaign| campaign.is_sent() && campaign.list == list)
    }
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Plaintext => "plaintext",
            Self::AbSplit => "absplit",
            Self::Rss => "rss",
            Self::Variate => "variate",
        }
    }
}

impl Campaign {
    pub(crate) fn is_sent(&self) -> bool {
        self.status == "sent"
    }

    /// Zero for a campaign that was not sent.
    pub(crate) fn send_time(&self) -> u32 {
        self.engagement.send_time
    }

    pub(crate) fn recipients(&self) -> u32 {
        self.engagement.recipients
    }

    pub(crate) fn web_id(&self) -> u32 {
        3_000_000 + self.number
    }

    /// Titles that break careless readers among plain ones.
    pub(crate) fn title(&self) -> String {
        match self.number % 6 {
            1 => format!("Ünïcode \"quoted\" 🐒 no. {}", self.number),
            3 => format!(
                "line\nbreak, comma; '); drop table campaigns -- {}",
                self.number
            ),
            5 => String::new(),
            _ => format!("Campaign {}", self.number),
        }
    }

    pub(crate) fn subject(&self) -> String {
        format!("*|FNAME|*, “news” <b>{}</b> & more", self.number)
    }

    pub(crate) fn url(&self, link: u8) -> String {
        match link {
            0 => format!("https://shop.test/?utm_campaign={}&x=\"1\"", self.id),
            link => format!("https://shop.test/products/{link}?c={}", self.number),
        }
    }

    /// The id of a link in click details.
    pub(crate) fn link_id(&self, link: u8) -> String {
        ten_hex(mix(self.engagement.seed ^ 0x11_9c ^ (u64::from(link) << 8)))
    }

    pub(crate) fn link_of(&self, id: &str) -> Option<u8> {
        (0..self.engagement.links).find(|&link| self.link_id(link) == id)
    }

    /// Appends the address of a recipient.
    pub(crate) fn write_address(&self, recipient: u32, out: &mut String) {
        write_address(out, self.first_member.saturating_add(recipient));
    }

    /// The recipient with this address.
    pub(crate) fn recipient_of(&self, address: &str) -> Option<u32> {
        let recipient = number_of(address)?.checked_sub(self.first_member)?;
        (recipient < self.recipients()).then_some(recipient)
    }

    /// What a recipient did, oldest first, in a buffer that is cleared before.
    pub(crate) fn events(&self, recipient: u32, events: &mut Vec<Event>) {
        self.engagement.events(recipient, events);
        if let Some(late) = self.late.get(&recipient) {
            events.extend_from_slice(late);
            events.sort_by_key(|event| event.at);
        }
    }

    /// Sends a draft; `false` when it was sent before.
    pub(crate) fn send(&mut self, at: u32, now: u32) -> bool {
        if self.is_sent() {
            return false;
        }
        self.status = "sent";
        self.engagement.recipients = self.planned;
        self.engagement.send_time = at;
        self.engagement.span = now.saturating_sub(at).min(INTEREST_LASTS);
        self.forget_sums();
        true
    }

    /// Something happens after the rest.
    pub(crate) fn happen(&mut self, recipient: u32, event: Event) {
        self.late.entry(recipient).or_default().push(event);
        self.forget_sums();
    }

    fn forget_sums(&mut self) {
        self.totals = OnceLock::new();
        self.openers = OnceLock::new();
    }

    pub(crate) fn totals(&self) -> &Totals {
        self.totals.get_or_init(|| {
            let mut totals = Totals::default();
            totals
                .links
                .resize_with(self.engagement.links.into(), LinkTotals::default);
            let mut events = Vec::new();
            for number in 0..self.recipients() {
                self.events(number, &mut events);
                totals.count(&events);
                let recipient = self.engagement.recipient(number);
                totals.unsubscribed += u32::from(recipient.unsubscribed_at.is_some());
                totals
                    .complainers
                    .extend(recipient.complained_at.map(|_| number));
            }
            totals
        })
    }

    /// Recipients who opened, in their order.
    pub(crate) fn openers(&self) -> &[u32] {
        self.openers.get_or_init(|| {
            self.having(|event| matches!(event.action, Action::Open { .. }))
                .collect()
        })
    }

    /// Recipients with an event of some kind, in their order.
    pub(crate) fn having(&self, wanted: impl Fn(&Event) -> bool) -> impl Iterator<Item = u32> {
        let mut events = Vec::new();
        (0..self.recipients()).filter(move |&number| {
            self.events(number, &mut events);
            events.iter().any(&wanted)
        })
    }
}

impl Totals {
    /// Adds the events of one recipient.
    fn count(&mut self, events: &[Event]) {
        let (mut opens, mut real_opens, mut clicks) = (0, 0, 0);
        let mut clicked = 0_u64;
        for event in events {
            match event.action {
                Action::Bounce { hard: true } => self.hard_bounces += 1,
                Action::Bounce { hard: false } => self.soft_bounces += 1,
                Action::Open { proxy } => {
                    opens += 1;
                    real_opens += u32::from(!proxy);
                    self.last_open = self.last_open.max(event.at);
                }
                Action::Click { link } => {
                    clicks += 1;
                    self.last_click = self.last_click.max(event.at);
                    let first = clicked >> (link % 64) & 1 == 0;
                    clicked |= 1 << (link % 64);
                    if let Some(totals) = self.links.get_mut(usize::from(link)) {
                        totals.clicks += 1;
                        totals.clickers += u32::from(first);
                        totals.last_click = totals.last_click.max(event.at);
                    }
                }
            }
        }
        self.opens += opens;
        self.unique_opens += u32::from(opens > 0);
        self.real_opens += real_opens;
        self.unique_real_opens += u32::from(real_opens > 0);
        self.clicks += clicks;
        self.unique_clicks += clicked.count_ones();
        self.clickers += u32::from(clicks > 0);
    }

    pub(crate) fn complained(&self) -> u32 {
        u32::try_from(self.complainers.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn bounces(&self) -> u32 {
        self.hard_bounces + self.soft_bounces
    }
}

/// A part of a whole as a fraction, 0 of nothing.
pub(crate) fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 {
        0.0
    } else {
        f64::from(part) / f64::from(whole)
    }
}
