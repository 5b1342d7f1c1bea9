//! The world of the histories: people, audiences, a ledger, the simulated account, and the truth about all of them.

use std::collections::{HashMap, HashSet};

use chrono::DateTime;
use ometria_client::{Consent, Record};
use ometria_simulator::{Claim, ListingView, OmetriaSimulator, Rules};
use sync_core::{Action, Change, ImportId, Key, LedgerEntry, LedgerKey, LedgerView, Mapping};
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
    /// One audience is read and delivered; killed after so many pushes, before the commit.
    Sync {
        audience: usize,
        killed_after: Option<usize>,
    },
    /// All audiences are read, opt-outs first.
    SyncAll,
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
    /// The opt-out was made earlier and nothing has ended it; the status is another one by now.
    earlier: bool,
    committed: bool,
}

pub(crate) struct World {
    now: i64,
    /// Whether the source renews the time of the opt-in when someone comes back.
    renews: bool,
    members: Vec<Member>,
    simulator: OmetriaSimulator,
    ledger: HashMap<LedgerKey, LedgerEntry>,
    seen: Vec<Seen>,
    /// Members of whom a push may have arrived that nobody remembers.
    doubtful: HashSet<usize>,
    preferred: HashSet<usize>,
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
            doubtful: HashSet::new(),
            preferred: HashSet::new(),
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
                    self.touch(index).address = to;
                }
            }
            Step::Prefer { address } => {
                self.simulator.set_preference(ADDRESSES[address], false);
                self.preferred.insert(address);
            }
            Step::Sync {
                audience,
                killed_after,
            } => {
                self.deliver(audience, false, killed_after);
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
            .map(|audience| self.deliver(audience, everything, None))
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
            self.see(index, true, true);
            let change = Change::Present(subscriber(&member));
            let mapping = &self.facts[audience];
            let wanted = Mapping::<Subscriber, Delivery>::lookups(mapping, &change);
            let entries = look_up(&self.ledger, wanted);
            let prepared: sync_core::Prepared<Delivery> =
                mapping.prepare(change, &LedgerView::new(&entries));
            assert_eq!(prepared.action, Action::Skip);
            apply(&mut self.ledger, prepared.learned);
        }
    }

    /// Reads what changed, or everything, and delivers it. Returns how many records were pushed.
    fn deliver(&mut self, audience: usize, everything: bool, killed_after: Option<usize>) -> usize {
        let mut staged = self.ledger.clone();
        let mut pushed = 0;
        let first_seen = self.seen.len();
        for index in 0..self.members.len() {
            let member = self.members[index].clone();
            if member.audience != audience || !(member.changed || everything) {
                continue;
            }
            let change = if member.deleted {
                Change::Removed(Key::new(member.key.clone()))
            } else {
                self.see(index, false, false);
                Change::Present(subscriber(&member))
            };
            let mapping = &self.contacts[audience];
            let entries = look_up(&staged, mapping.lookups(&change));
            let prepared = mapping.prepare(change, &LedgerView::new(&entries));
            apply(&mut staged, prepared.learned);
            let records = match prepared.action {
                Action::Send(records) => records,
                Action::Skip => Vec::new(),
                Action::Reject(reason) => panic!("rejected: {reason}"),
            };
            for delivery in records {
                if killed_after == Some(pushed) {
                    self.kill(audience);
                    return pushed;
                }
                self.push(&delivery, index);
                pushed += 1;
            }
            apply(&mut staged, prepared.on_accept);
        }
        if killed_after.is_some() {
            self.kill(audience);
            return pushed;
        }
        self.ledger = staged;
        for seen in &mut self.seen[first_seen..] {
            seen.committed = true;
        }
        for member in &mut self.members {
            member.changed &= member.audience != audience;
        }
        pushed
    }

    fn kill(&mut self, audience: usize) {
        let changed = self.members.iter().enumerate();
        let changed = changed.filter(|(_, member)| member.audience == audience && member.changed);
        self.doubtful.extend(changed.map(|(index, _)| index));
    }

    fn see(&mut self, index: usize, in_facts_pass: bool, committed: bool) {
        let member = &self.members[index];
        // An opt-out of the member that nothing has ended yet, made under whatever address.
        let standing = self
            .seen
            .iter()
            .rev()
            .find(|seen| seen.member == index && seen.committed && !seen.in_facts_pass);
        let standing = standing.filter(|seen| seen.out).copied();
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
            earlier: out && member.status != "unsubscribed",
            committed,
        });
    }

    fn push(&mut self, delivery: &Delivery, index: usize) {
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
        if delivery.consent() == Some(Consent::NotSpecified) && !self.doubtful.contains(&index) {
            let before = self.simulator.listing(&contact.collection, &contact.id);
            let claim = before.and_then(|listing| listing.claim);
            assert_ne!(claim, Some(Claim::OptedOut), "an opt-out would be erased");
        }
        account::push_now(&self.simulator, delivery.record());
    }

    /// No opt-in is pushed against an opt-out that was ever seen and remembered.
    fn check_opt_in(&self, member: &Member) {
        let opted_in_at = member.opted_in_at;
        let outs = self
            .seen
            .iter()
            .filter(|seen| seen.committed && seen.address == member.address);
        for seen in outs.filter(|seen| seen.out) {
            assert!(
                opted_in_at.is_some_and(|at| at > seen.decided_at),
                "opted in at {opted_in_at:?} against {seen:?}"
            );
        }
        for other in (0..AUDIENCES.len()).filter(|other| *other != member.audience) {
            let last = self.last_word(other, member.address, |seen| seen.committed);
            assert!(
                !last.is_some_and(|seen| seen.out),
                "opted in against {last:?}"
            );
        }
    }

    fn last_word(
        &self,
        audience: usize,
        address: usize,
        counts: impl Fn(&Seen) -> bool,
    ) -> Option<Seen> {
        let said = |seen: &&Seen| seen.audience == audience && seen.address == address;
        self.seen
            .iter()
            .rev()
            .filter(said)
            .copied()
            .find(|seen| counts(seen))
    }

    fn opted_in(&self, address: usize) -> bool {
        let profile = self.simulator.profile(ADDRESSES[address]);
        profile.is_some_and(|profile| profile.marketing_optin == Some(true))
    }

    fn check_preferences(&self) {
        for &address in &self.preferred {
            assert!(
                !self.opted_in(address),
                "the preference centre was overruled"
            );
        }
    }

    /// Whoever's last word is an opt-out is not opted in. What a killed run saw of an opt-out is unknown to the next one;
    /// what it sent of an opt-in has arrived.
    fn check_opted_out(&self) {
        let counts = |seen: &Seen| {
            let unknown_return = seen.earlier && self.doubtful.contains(&seen.member);
            !seen.out || (seen.committed && !seen.in_facts_pass && !unknown_return)
        };
        for (address, name) in ADDRESSES.iter().enumerate() {
            let here = || {
                self.seen
                    .iter()
                    .filter(|s| s.address == address && counts(s))
            };
            let newest = |out| here().filter(|s| s.out == out).map(|s| s.decided_at).max();
            let unsubscribed_somewhere = (0..AUDIENCES.len()).any(|audience| {
                self.last_word(audience, address, counts)
                    .is_some_and(|seen| seen.out)
            });
            if unsubscribed_somewhere || newest(true).is_some_and(|out| Some(out) >= newest(false))
            {
                assert!(
                    !self.opted_in(address),
                    "{name} is opted in: {:#?}",
                    here().collect::<Vec<_>>()
                );
            }
        }
    }

    /// After everything was read again, each listing claims what its member's status means.
    pub(crate) fn check_claims(&self) {
        for (index, member) in self.members.iter().enumerate() {
            let listing = self.listing(member);
            let claim = listing.as_ref().and_then(|listing| listing.claim);
            if member.deleted {
                // Never delivered, or ended.
                assert_ne!(
                    claim.filter(|_| !self.doubtful.contains(&index)),
                    Some(Claim::OptedIn)
                );
                continue;
            }
            match member.status {
                "unsubscribed" => {
                    let forced = listing.and_then(|listing| listing.forced_claim);
                    assert_eq!(
                        (claim, forced),
                        (Some(Claim::OptedOut), Some(Claim::OptedOut))
                    );
                }
                _ if self.doubtful.contains(&index) => {}
                "cleaned" => assert_eq!(claim, Some(Claim::OptedOut), "{member:?}"),
                "subscribed" if !self.is_held_back(index) => {
                    assert_eq!(claim, Some(Claim::OptedIn), "{member:?}");
                }
                _ => assert_ne!(claim, Some(Claim::OptedIn), "{member:?}"),
            }
        }
    }

    fn listing(&self, member: &Member) -> Option<ListingView> {
        // The newest listing of a member has the longest id: "a0", then "a0~1".
        let listings = self.simulator.listings().into_iter().filter(|listing| {
            let is_mine = listing.id.split('~').next() == Some(member.key.as_str());
            listing.collection == AUDIENCES[member.audience] && is_mine
        });
        listings.max_by_key(|listing| {
            listing
                .id
                .split('~')
                .nth(1)
                .map_or(0, |number| number.parse::<u32>().unwrap())
        })
    }

    fn is_held_back(&self, index: usize) -> bool {
        let member = &self.members[index];
        let concerns = |seen: &&Seen| {
            let same_member = seen.member == index && !seen.in_facts_pass;
            seen.committed && seen.out && (seen.address == member.address || same_member)
        };
        let newer = |seen: &Seen| member.opted_in_at.is_some_and(|at| at > seen.not_after);
        let contradicted = !self.seen.iter().filter(concerns).all(newer);
        let elsewhere = (0..AUDIENCES.len()).any(|other| {
            let last = self.last_word(other, member.address, |seen| seen.committed);
            other != member.audience && last.is_some_and(|seen| seen.out)
        });
        contradicted || elsewhere
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

fn apply(ledger: &mut HashMap<LedgerKey, LedgerEntry>, changes: Vec<sync_core::LedgerChange>) {
    for change in changes {
        match change.entry {
            Some(entry) => ledger.insert(change.at, entry),
            None => ledger.remove(&change.at),
        };
    }
}
