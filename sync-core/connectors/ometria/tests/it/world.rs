//! The world of the histories: people, audiences, a ledger, the simulated account, and the truth about all of them.

use std::collections::{HashMap, HashSet};

use chrono::DateTime;
use ometria_client::{Consent, Record};
use ometria_simulator::{Claim, ListingView, OmetriaSimulator, Rules};
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
    /// Listings that a run which was killed opted out without force: for a bounce, or because the member was gone.
    lost_bounces: HashSet<(String, String)>,
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
            in_doubt: [false; AUDIENCES.len()],
            lost_bounces: HashSet::new(),
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
            lost: false,
            strayed: false,
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

    /// Reads what changed, or everything, and delivers it; then ends what is gone. Returns how many records were pushed.
    fn deliver(
        &mut self,
        audience: usize,
        everything: bool,
        batch: usize,
        kill: Option<Kill>,
    ) -> usize {
        let members = self.members.iter().enumerate();
        let read = members.filter(|(_, m)| m.audience == audience && (m.changed || everything));
        let (gone, present): (Vec<usize>, Vec<usize>) = {
            let of = |deleted| {
                let read = read.clone().filter(move |(_, m)| m.deleted == deleted);
                read.map(|(index, _)| index).collect()
            };
            (of(true), of(false))
        };
        let mut run = Run {
            audience,
            distrust: self.in_doubt[audience],
            kill: kill.filter(|kill| !kill.late),
            pushed: 0,
        };
        // A run that read everything ends the doubt; what is gone is searched for afterwards.
        if self.interval(&mut run, &present, batch) {
            run.distrust = false;
            run.kill = kill;
            self.interval(&mut run, &gone, batch);
        }
        run.pushed
    }

    /// Delivers these members as the engine does from commit to commit. Returns whether the run is alive.
    fn interval(&mut self, run: &mut Run, indices: &[usize], batch: usize) -> bool {
        let first_seen = self.seen.len();
        let mut overlay = HashMap::new();
        let mut shared = Vec::new();
        let mut written = 0;
        let mut delivered = Vec::new();
        let batches = run.kill.map_or(usize::MAX, |kill| kill.batches);
        for indices in indices.chunks(batch).take(batches) {
            let mut records = Vec::new();
            for &index in indices {
                let prepared = self.prepare(run, index, &overlay);
                let own = ImportId::new(AUDIENCES[run.audience]).scope();
                shared.extend(
                    prepared
                        .learned
                        .iter()
                        .filter(|change| change.at.scope != own)
                        .cloned(),
                );
                let changes = prepared.learned.into_iter().chain(prepared.on_accept);
                overlay.extend(changes.map(|change| (change.at, change.entry)));
                match prepared.action {
                    Action::Send(sent) => {
                        self.members[index].lost = true;
                        let ids = sent
                            .iter()
                            .map(|delivery| delivery.record().id().to_owned());
                        delivered.extend(ids.map(|id| (index, id)));
                        records.extend(sent.into_iter().map(|delivery| (index, delivery)));
                    }
                    Action::Skip => {}
                    Action::Reject(reason) => panic!("rejected: {reason}"),
                }
            }
            if records.is_empty() {
                continue;
            }
            self.in_doubt[run.audience] = true;
            apply(&mut self.ledger, std::mem::take(&mut shared));
            for seen in &mut self.seen[first_seen..] {
                seen.state = Memory::Fact;
            }
            for (index, delivery) in records {
                let arrives = |kill: Kill| kill.arrived >> (written % 8) & 1 == 1;
                if run.kill.is_none_or(arrives) {
                    self.push(&delivery, index, run.kill.is_some());
                    run.pushed += 1;
                }
                written += 1;
            }
        }
        if run.kill.is_some() {
            return false;
        }
        for (at, entry) in overlay {
            apply(&mut self.ledger, vec![LedgerChange { at, entry }]);
        }
        self.in_doubt[run.audience] = run.distrust;
        for seen in &mut self.seen[first_seen..] {
            seen.state = Memory::All;
        }
        for (index, listing) in delivered {
            self.members[index].listings.insert(listing);
        }
        for &index in indices {
            let member = &mut self.members[index];
            member.changed = false;
            member.lost = false;
            // What stands under the address without being noted of the member is taken for the member's own from now on.
            let (address, deleted) = (member.address, member.deleted);
            for seen in &mut self.seen {
                if seen.member == index && seen.address == address && seen.is_known() && !deleted {
                    seen.state = Memory::All;
                }
            }
        }
        true
    }

    fn prepare(
        &mut self,
        run: &Run,
        index: usize,
        overlay: &HashMap<LedgerKey, Option<LedgerEntry>>,
    ) -> Prepared<Delivery> {
        let member = self.members[index].clone();
        let change = if member.deleted {
            Change::Removed(Key::new(member.key))
        } else {
            self.see(index, false);
            Change::Present(subscriber(&member))
        };
        let mapping = &self.contacts[run.audience];
        let mut entries = look_up(&self.ledger, mapping.lookups(&change));
        if run.distrust {
            for entry in entries.values_mut().flatten() {
                entry.fingerprint = 0;
            }
        }
        for (at, entry) in &mut entries {
            if let Some(newer) = overlay.get(at) {
                entry.clone_from(newer);
            }
        }
        mapping.prepare(change, &LedgerView::new(&entries).doubted(run.distrust))
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
        let of_member = last(&|seen| seen.state == Memory::All);
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
        if delivery.consent() == Some(Consent::NotSpecified)
            && !self.lost_bounces.contains(&at)
            && !self.members[index].strayed
        {
            let before = self.simulator.listing(&contact.collection, &contact.id);
            let claim = before.and_then(|listing| listing.claim);
            assert_ne!(claim, Some(Claim::OptedOut), "an opt-out would be erased");
        }
        if delivery.consent() == Some(Consent::OptOut) && is_lost {
            self.lost_bounces.insert(at);
        } else if delivery.consent().is_some() {
            self.lost_bounces.remove(&at);
        }
        account::push_now(&self.simulator, delivery.record());
    }

    /// No opt-in is pushed against an opt-out that was ever seen and remembered.
    fn check_opt_in(&self, member: &Member) {
        let opted_in_at = member.opted_in_at;
        let outs = self
            .seen
            .iter()
            .filter(|seen| seen.is_known() && seen.address == member.address);
        for seen in outs.filter(|seen| seen.out) {
            assert!(
                opted_in_at.is_some_and(|at| at > seen.decided_at),
                "opted in at {opted_in_at:?} against {seen:?}"
            );
        }
        for other in (0..AUDIENCES.len()).filter(|other| *other != member.audience) {
            let last = self.last_word(other, member.address, Seen::is_known);
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

    /// Whoever's last word is an opt-out is not opted in.
    fn check_opted_out(&self) {
        let counts = |seen: &Seen| {
            let member = &self.members[seen.member];
            let unheard_of = member.deleted && member.listings.is_empty();
            let out_of_reach = seen.state != Memory::All && (member.strayed || unheard_of);
            seen.is_known() && (!seen.out || (!seen.in_facts_pass && !out_of_reach))
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
                // A listing that only runs which were killed ever wrote: nothing tells that there is something to end.
                let is_known = listing.is_some_and(|listing| member.listings.contains(&listing.id));
                assert_ne!(
                    claim.filter(|_| is_known),
                    Some(Claim::OptedIn),
                    "{member:?}"
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
            let committed = seen.state == Memory::All && !seen.in_facts_pass;
            let same_member = seen.member == index && committed;
            seen.is_known() && seen.out && (seen.address == member.address || same_member)
        };
        let newer = |seen: &Seen| member.opted_in_at.is_some_and(|at| at > seen.not_after);
        let contradicted = !self.seen.iter().filter(concerns).all(newer);
        let elsewhere = (0..AUDIENCES.len()).any(|other| {
            let last = self.last_word(other, member.address, Seen::is_known);
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

fn apply(ledger: &mut HashMap<LedgerKey, LedgerEntry>, changes: Vec<LedgerChange>) {
    for change in changes {
        match change.entry {
            Some(entry) => ledger.insert(change.at, entry),
            None => ledger.remove(&change.at),
        };
    }
}

/// A run under way.
struct Run {
    audience: usize,
    distrust: bool,
    kill: Option<Kill>,
    /// Records that arrived.
    pushed: usize,
}
