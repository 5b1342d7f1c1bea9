//! The world of the histories: people, audiences, a ledger, the simulated account, and the truth about all of them.

mod checks;
mod run;

use std::collections::{HashMap, HashSet};

use chrono::DateTime;
use ometria_client::{Consent, Record};
use ometria_simulator::{Claim, OmetriaSimulator, Rules};
use sync_core::{
    Action, Change, ImportId, Key, LedgerChange, LedgerEntry, LedgerKey, LedgerView, Mapping,
    Prepared,
};
use sync_ometria::{
    ConsentSettings, ContactMapping, ContactSettings, Delivery, FactsMapping, Status, Subscriber,
};

use crate::account;

pub(crate) const AUDIENCES: [&str; 2] = ["a", "b"];
pub(crate) const ADDRESSES: [&str; 3] = ["one@example.com", "two@example.com", "three@example.com"];

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Time passes, or does not: changes within one second are common.
    Wait(i64),
    Set {
        audience: usize,
        address: usize,
        status: &'static str,
    },
    Delete {
        audience: usize,
        address: usize,
    },
    Rename {
        audience: usize,
        address: usize,
    },
    Move {
        audience: usize,
        from: usize,
        to: usize,
    },
    /// The person opts out in Ometria's preference centre.
    Prefer {
        address: usize,
    },
    /// One audience is read and delivered, this many members to a batch.
    Sync {
        audience: usize,
        batch: usize,
        kill: Option<Kill>,
    },
    /// All audiences are read, opt-outs first.
    SyncAll,
}

/// The end of a process, after this many batches or all of them, and before the commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill {
    /// While it ends what is gone, after everything else was committed.
    pub(crate) late: bool,
    pub(crate) batches: usize,
    /// Which of the records written by then had arrived: one bit for each, from the lowest, then from the start again.
    pub(crate) arrived: u8,
}

#[derive(Clone, Debug)]
struct Member {
    audience: usize,
    key: String,
    address: usize,
    name: u32,
    status: &'static str,
    opted_in_at: Option<i64>,
    left_at: i64,
    last_changed: i64,
    deleted: bool,
    /// Changed since the last commit of its audience.
    changed: bool,
    /// A run that was killed wrote a record of it, and no run has committed it since.
    lost: bool,
    /// Its address changed while it was lost: what stands under the old one is not known.
    strayed: bool,
    /// A run in doubt found an opt-out that may count for it: a former member's under its address, or its own that only a run
    /// which was killed saw it take back.
    burdened: bool,
    /// A run committed what it delivered of it while it was there. Once it is gone, nothing carries its address.
    delivered: bool,
    /// Listings it had when a run committed it.
    listings: HashSet<String>,
}

/// A decision that a read showed.
#[derive(Clone, Copy, Debug)]
struct Seen {
    audience: usize,
    member: usize,
    address: usize,
    out: bool,
    /// When the person decided.
    decided_at: i64,
    /// What the mapping can know at best about an opt-out: it was not later.
    not_after: i64,
    in_facts_pass: bool,
    state: Memory,
}

/// What became of a decision that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    /// Forgotten, if the run is killed now.
    None,
    /// Written down under the address, before records were pushed.
    Fact,
    /// Committed.
    All,
}

impl Seen {
    fn is_known(&self) -> bool {
        self.state != Memory::None
    }
}

pub(crate) struct World {
    now: i64,
    /// Whether the source renews the time of the opt-in when someone comes back.
    renews: bool,
    members: Vec<Member>,
    simulator: OmetriaSimulator,
    ledger: HashMap<LedgerKey, LedgerEntry>,
    seen: Vec<Seen>,
    /// Audiences whose last run was killed.
    in_doubt: [bool; AUDIENCES.len()],
    /// Listings that a run which was killed opted out, and whether by force; without, it was for a bounce or because the
    /// member was gone.
    lost_outs: HashMap<(String, String), bool>,
    preferred: HashSet<usize>,
    /// Audience and address of burdened members.
    burdened: HashSet<(usize, usize)>,
    facts: Vec<FactsMapping>,
    contacts: Vec<ContactMapping>,
}

impl World {
    pub(crate) fn new(rules: Rules, lifts: bool, renews: bool) -> Self {
        let mut settings = account::settings();
        settings.rules = rules;
        settings.unforced_update_lifts_force = lifts;
        let consent = ConsentSettings {
            audiences: AUDIENCES.map(str::to_owned).to_vec(),
            ..ConsentSettings::default()
        };
        let contact = |audience| {
            let scope = ImportId::new(audience).scope();
            ContactMapping::new(
                scope,
                audience,
                audience,
                ContactSettings::default(),
                consent.clone(),
            )
            .unwrap()
        };
        let mut world = Self {
            now: 1_000,
            renews,
            members: Vec::new(),
            simulator: OmetriaSimulator::new(settings),
            ledger: HashMap::new(),
            seen: Vec::new(),
            in_doubt: [false; AUDIENCES.len()],
            lost_outs: HashMap::new(),
            preferred: HashSet::new(),
            burdened: HashSet::new(),
            facts: AUDIENCES
                .map(|audience| FactsMapping::new(audience, &consent).unwrap())
                .into(),
            contacts: AUDIENCES.map(contact).into(),
        };
        for audience in 0..AUDIENCES.len() {
            world.add(audience, 0, "subscribed");
            world.add(audience, 1, "subscribed");
        }
        world
    }

    fn add(&mut self, audience: usize, address: usize, status: &'static str) {
        let key = format!("{}{}", AUDIENCES[audience], self.members.len());
        self.members.push(Member {
            audience,
            key,
            address,
            name: 0,
            status,
            opted_in_at: (status == "subscribed").then_some(self.now),
            left_at: self.now,
            last_changed: self.now,
            deleted: false,
            changed: true,
            lost: false,
            strayed: false,
            burdened: false,
            delivered: false,
            listings: HashSet::new(),
        });
    }

    fn find(&self, audience: usize, address: usize) -> Option<usize> {
        self.members.iter().position(|member| {
            member.audience == audience && member.address == address && !member.deleted
        })
    }

    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Wait(seconds) => self.now += seconds,
            Step::Set {
                audience,
                address,
                status,
            } => match self.find(audience, address) {
                None => self.add(audience, address, status),
                Some(index) if self.members[index].status == status => {}
                Some(index) => {
                    let (now, renews) = (self.now, self.renews);
                    let member = self.touch(index);
                    member.status = status;
                    if status == "unsubscribed" {
                        member.left_at = now;
                    }
                    if status == "subscribed" && (renews || member.opted_in_at.is_none()) {
                        member.opted_in_at = Some(now);
                    }
                }
            },
            Step::Delete { audience, address } => {
                if let Some(index) = self.find(audience, address) {
                    self.touch(index).deleted = true;
                }
            }
            Step::Rename { audience, address } => {
                if let Some(index) = self.find(audience, address) {
                    self.touch(index).name += 1;
                }
            }
            Step::Move { audience, from, to } => {
                if let (Some(index), None) = (self.find(audience, from), self.find(audience, to)) {
                    let member = self.touch(index);
                    member.address = to;
                    member.strayed |= member.lost;
                }
            }
            Step::Prefer { address } => {
                self.simulator.set_preference(ADDRESSES[address], false);
                self.preferred.insert(address);
            }
            Step::Sync {
                audience,
                batch,
                kill,
            } => {
                self.deliver(audience, false, batch, kill);
            }
            Step::SyncAll => {
                self.sync_all(false);
            }
        }
        self.check_preferences();
    }

    fn touch(&mut self, index: usize) -> &mut Member {
        let member = &mut self.members[index];
        member.changed = true;
        member.last_changed = self.now;
        member
    }

    pub(crate) fn sync_all(&mut self, everything: bool) -> usize {
        for audience in 0..AUDIENCES.len() {
            self.learn(audience);
        }
        let sent = (0..AUDIENCES.len())
            .map(|audience| self.deliver(audience, everything, 2, None))
            .sum();
        self.check_opted_out();
        sent
    }

    /// The pass over opt-outs.
    fn learn(&mut self, audience: usize) {
        for index in 0..self.members.len() {
            let member = self.members[index].clone();
            if member.audience != audience || member.deleted || member.status != "unsubscribed" {
                continue;
            }
            self.see(index, true);
            let change = Change::Present(subscriber(&member));
            let mapping = &self.facts[audience];
            let wanted = Mapping::<Subscriber, Delivery>::lookups(mapping, &change);
            let entries = look_up(&self.ledger, wanted);
            let prepared: Prepared<Delivery> = mapping.prepare(change, &LedgerView::new(&entries));
            assert_eq!(prepared.action, Action::Skip);
            apply(&mut self.ledger, prepared.learned);
        }
    }

    fn see(&mut self, index: usize, in_facts_pass: bool) {
        let member = &self.members[index];
        // An opt-out of the member that nothing has ended, as far as is known: of the member by what was committed, of the
        // address also by what was written down before a kill.
        let last = |counts: &dyn Fn(&Seen) -> bool| {
            let by_member = |seen: &&Seen| seen.member == index && !seen.in_facts_pass;
            let mut seen = self.seen.iter().rev().filter(by_member).copied();
            seen.find(|seen| counts(seen)).filter(|seen| seen.out)
        };
        let of_member = last(&Seen::is_known);
        let of_address = last(&|seen| seen.is_known() && seen.address == member.address);
        let standing = of_address.or(of_member);
        let (out, decided_at, not_after) = match (member.status, member.opted_in_at, standing) {
            ("unsubscribed", _, _) => (true, member.left_at, member.last_changed),
            ("subscribed", Some(opted_in_at), _) => (false, opted_in_at, 0),
            (_, _, Some(standing)) => (true, standing.decided_at, standing.not_after),
            _ => return,
        };
        self.seen.push(Seen {
            audience: member.audience,
            member: index,
            address: member.address,
            out,
            decided_at,
            not_after,
            in_facts_pass,
            state: if in_facts_pass {
                Memory::All
            } else {
                Memory::None
            },
        });
    }

    fn push(&mut self, delivery: &Delivery, index: usize, is_lost: bool) {
        let json = serde_json::to_value(delivery.record()).unwrap();
        assert!(
            json["marketing_optin"] != "EXPLICITLY_OPTEDIN" || json.get("@force_optin").is_none(),
            "forced opt-in: {json}"
        );
        if delivery.consent() == Some(Consent::OptIn) {
            self.check_opt_in(&self.members[index]);
        }
        let Record::Contact(contact) = delivery.record() else {
            panic!("not a contact")
        };
        let at = (contact.collection.clone(), contact.id.clone());
        // A successor that only a killed run opted out tells nothing any more once the person came back: whoever holds the
        // opt-in back speaks for itself.
        let member = &self.members[index];
        let came_back = member.opted_in_at > Some(member.left_at) && contact.id.contains('~');
        let is_out_of_reach = match self.lost_outs.get(&at) {
            Some(true) => member.strayed || came_back,
            Some(false) => true,
            None => false,
        };
        if delivery.consent() == Some(Consent::NotSpecified) && !is_out_of_reach {
            let before = self.simulator.listing(&contact.collection, &contact.id);
            let claim = before.and_then(|listing| listing.claim);
            assert_ne!(claim, Some(Claim::OptedOut), "an opt-out would be erased");
        }
        match delivery.consent() {
            Some(out @ (Consent::OptOut | Consent::ForcedOptOut)) if is_lost => {
                self.lost_outs.insert(at, out == Consent::ForcedOptOut);
            }
            Some(_) => {
                self.lost_outs.remove(&at);
            }
            None => {}
        }
        account::push_now(&self.simulator, delivery.record());
    }
}

fn subscriber(member: &Member) -> Subscriber {
    let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
    let mut subscriber = Subscriber::new(
        Key::new(member.key.clone()),
        member.key.clone(),
        ADDRESSES[member.address],
        Status::from(member.status),
        time(member.last_changed),
    );
    subscriber.opted_in_at = member.opted_in_at.map(time);
    subscriber.firstname = Some(format!("name {}", member.name));
    subscriber
}

fn look_up(
    ledger: &HashMap<LedgerKey, LedgerEntry>,
    wanted: Vec<LedgerKey>,
) -> HashMap<LedgerKey, Option<LedgerEntry>> {
    wanted
        .into_iter()
        .map(|at| (at.clone(), ledger.get(&at).cloned()))
        .collect()
}

fn apply(ledger: &mut HashMap<LedgerKey, LedgerEntry>, changes: Vec<LedgerChange>) {
    for change in changes {
        match change.entry {
            Some(entry) => ledger.insert(change.at, entry),
            None => ledger.remove(&change.at),
        };
    }
}
