//! One run over an audience, in the order that the engine keeps, and killed where a step says so.

use std::collections::HashMap;

use sync_core::{
    Action, Change, ImportId, Key, LedgerChange, LedgerEntry, LedgerKey, LedgerView, Mapping,
    Prepared,
};
use sync_ometria::Delivery;

use crate::ledger::announced_of;

use super::{AUDIENCES, Kill, Memory, Seen, World, apply, look_up, subscriber};

/// A run under way.
struct Run {
    audience: usize,
    distrust: bool,
    kill: Option<Kill>,
    /// Records that arrived.
    pushed: usize,
}

impl World {
    /// Reads what changed, or everything, and delivers it; then ends what is gone. Returns how many records were pushed.
    pub(super) fn deliver(
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
            let mut announced = Vec::new();
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
                announced.extend(prepared.on_accept.iter().map(|change| {
                    let known = self.ledger.get(&change.at);
                    announced_of(&self.contacts[run.audience], known, change)
                }));
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
            apply(&mut self.ledger, announced);
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
            let member = &mut self.members[index];
            member.listings.insert(listing);
            member.delivered |= !member.deleted;
        }
        for &index in indices {
            let unheard = run.distrust && self.came_back_unheard(index);
            let member = &mut self.members[index];
            member.burdened |= unheard;
            member.changed = false;
            member.lost = false;
            // What stands under the address without being noted of the member is taken for the member's own from now on.
            let (address, deleted) = (member.address, member.deleted);
            for seen in &mut self.seen {
                if seen.member == index && seen.address == address && seen.is_known() && !deleted {
                    seen.state = Memory::All;
                }
                let formers = seen.audience == run.audience && seen.member != index;
                member.burdened |= run.distrust && formers && seen.out && seen.address == address;
            }
            if member.burdened {
                self.burdened.insert((run.audience, address));
            }
        }
        true
    }

    /// Whether a member had opted out and is known to have come back only from runs that were killed.
    fn came_back_unheard(&self, index: usize) -> bool {
        let of_member = |seen: &&Seen| seen.member == index && seen.is_known();
        let mut seen = self.seen.iter().rev().filter(of_member);
        let back = seen
            .next()
            .is_some_and(|s| !s.out && s.state == Memory::Fact);
        back && seen.any(|seen| seen.out)
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
}
