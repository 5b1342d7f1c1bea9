//! What must hold: of each push, after each step, and at the end.

use ometria_simulator::{Claim, ListingView};

use super::{ADDRESSES, AUDIENCES, Member, Memory, Seen, World};

impl World {
    /// No opt-in is pushed against an opt-out that was ever seen and remembered.
    pub(super) fn check_opt_in(&self, member: &Member) {
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

    pub(super) fn check_preferences(&self) {
        for &address in &self.preferred {
            assert!(
                !self.opted_in(address),
                "the preference centre was overruled"
            );
        }
    }

    /// Whoever's last word is an opt-out is not opted in.
    pub(super) fn check_opted_out(&self) {
        let counts = |seen: &Seen| {
            let member = &self.members[seen.member];
            let unheard_of = member.deleted && !member.delivered;
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
            let mut listings = self.listings(member);
            let listing = listings.pop();
            for left in listings {
                // A listing that only runs which were killed ever wrote: nothing tells that there is something to end.
                let is_known = member.listings.contains(&left.id);
                assert_ne!(
                    left.claim.filter(|_| is_known),
                    Some(Claim::OptedIn),
                    "{member:?}"
                );
            }
            let claim = listing.as_ref().and_then(|listing| listing.claim);
            if member.deleted {
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
                    let burdened = member.burdened || self.is_beside_burden(member);
                    assert!(claim == Some(Claim::OptedIn) || burdened, "{member:?}");
                }
                _ => assert_ne!(claim, Some(Claim::OptedIn), "{member:?}"),
            }
        }
    }

    /// The listings of a member, the newest last: `a0`, then `a0~1`.
    fn listings(&self, member: &Member) -> Vec<ListingView> {
        let listings = self.simulator.listings().into_iter().filter(|listing| {
            let is_mine = listing.id.split('~').next() == Some(member.key.as_str());
            listing.collection == AUDIENCES[member.audience] && is_mine
        });
        let mut listings: Vec<ListingView> = listings.collect();
        listings.sort_by_key(|listing| {
            let number = listing.id.split('~').nth(1);
            number.map_or(0, |number| number.parse::<u32>().unwrap())
        });
        listings
    }

    /// Whether an opt-out of another audience may count at its address although nobody there means it.
    fn is_beside_burden(&self, member: &Member) -> bool {
        let others = (0..AUDIENCES.len()).filter(|other| *other != member.audience);
        let mut places = others.map(|other| (other, member.address));
        places.any(|place| self.burdened.contains(&place))
    }

    fn is_held_back(&self, index: usize) -> bool {
        let member = &self.members[index];
        // An opt-out is written down under the member's key, too, so it goes along to another address, unless it was seen to
        // end before.
        let ended = |place: usize, out: &Seen| {
            self.seen.iter().skip(place).any(|seen| {
                let same = seen.member == index && seen.address == out.address;
                same && !seen.out && seen.is_known()
            })
        };
        let concerns = |(place, seen): &(usize, &Seen)| {
            let same_member = seen.member == index && !seen.in_facts_pass;
            let stands = same_member && (seen.state == Memory::All || !ended(*place, seen));
            seen.is_known() && seen.out && (seen.address == member.address || stands)
        };
        let newer = |seen: &Seen| member.opted_in_at.is_some_and(|at| at > seen.not_after);
        let mut outs = self.seen.iter().enumerate().filter(concerns);
        let contradicted = !outs.all(|(_, seen)| newer(seen));
        let elsewhere = (0..AUDIENCES.len()).any(|other| {
            let last = self.last_word(other, member.address, Seen::is_known);
            other != member.audience && last.is_some_and(|seen| seen.out)
        });
        contradicted || elsewhere
    }
}
