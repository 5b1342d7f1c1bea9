//! Which listings make up a profile, and what a change among them does to its consent.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Listing, Listings, push_one};
use crate::consent::{Moment, Verdict, decide};

/// A profile: listings that share an address or a customer id.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) listings: BTreeSet<u32>,
    pub(crate) emails: BTreeSet<Arc<str>>,
}

impl Listings {
    /// Decides anew over the profiles a record touched and writes down what changed.
    pub(super) fn settle(&mut self, index: u32, before: Option<&Cluster>, moment: &Moment) {
        let Some(after) = self.cluster_of(index) else {
            return;
        };
        self.note(&after, true, moment);
        // Addresses that were part of the profile and no longer are.
        for email in before
            .iter()
            .flat_map(|before| before.emails.difference(&after.emails))
        {
            let left = self.cluster(email);
            self.note(&left, false, moment);
        }
    }

    /// Notes `moment` under every address of a profile: where the outcome changed, and, if the claim is one of this
    /// profile's, in any case.
    pub(super) fn note(&mut self, cluster: &Cluster, claimed_here: bool, moment: &Moment) {
        let verdict = self.verdict(cluster);
        for email in &cluster.emails {
            let Some(person) = self.people.get_mut(email) else {
                continue;
            };
            let own = claimed_here && moment.claim.is_some();
            if own || person.verdict.optin != verdict.optin {
                let claim = moment.claim.filter(|_| own);
                let history = &mut person.history;
                push_one(
                    history,
                    Moment {
                        claim,
                        profile: verdict.optin,
                        ..moment.clone()
                    },
                );
            }
            person.verdict = verdict;
        }
    }

    pub(super) fn verdict(&self, cluster: &Cluster) -> Verdict {
        let claims = cluster
            .listings
            .iter()
            .filter_map(|&index| self.at(index))
            .map(|it| it.claims);
        let preferences = cluster
            .emails
            .iter()
            .filter_map(|email| self.people.get(email)?.preference);
        decide(
            self.rules.rules,
            claims,
            preferences.max_by_key(|made| made.sequence),
        )
    }

    pub(super) fn cluster_of(&self, index: u32) -> Option<Cluster> {
        let listing = self.at(index)?;
        let mut cluster = Cluster {
            listings: BTreeSet::from([index]),
            emails: BTreeSet::new(),
        };
        self.grow(&mut cluster, listing);
        Some(cluster)
    }

    /// Whether a listing is the earliest of a profile that has an address.
    pub(crate) fn is_first_of_profile(&self, index: u32) -> bool {
        let Some(listing) = self.at(index) else {
            return false;
        };
        if let (Some(email), None) = (&listing.email, &listing.customer_id) {
            let mates = self
                .people
                .get(email)
                .map(|person| person.listings.as_slice());
            if mates == Some(&[index]) {
                return true;
            }
        }
        self.cluster_of(index).is_some_and(|cluster| {
            cluster.listings.first() == Some(&index) && !cluster.emails.is_empty()
        })
    }

    pub(super) fn cluster(&self, email: &Arc<str>) -> Cluster {
        let mut cluster = Cluster {
            listings: BTreeSet::new(),
            emails: BTreeSet::from([Arc::clone(email)]),
        };
        let indexes = self
            .people
            .get(email)
            .map(|person| person.listings.as_slice());
        for &index in indexes.unwrap_or_default() {
            if let (true, Some(listing)) = (cluster.listings.insert(index), self.at(index)) {
                self.grow(&mut cluster, listing);
            }
        }
        cluster
    }

    /// Follows addresses and customer ids until nothing new turns up.
    fn grow(&self, cluster: &mut Cluster, from: &Listing) {
        let mut open = vec![from];
        while let Some(listing) = open.pop() {
            let email = listing
                .email
                .as_ref()
                .filter(|email| !cluster.emails.contains(*email));
            if let Some(email) = email {
                cluster.emails.insert(Arc::clone(email));
            }
            let by_email = email
                .and_then(|email| self.people.get(email))
                .map(|p| &p.listings);
            let by_customer = listing
                .customer_id
                .as_ref()
                .and_then(|id| self.by_customer.get(id));
            for &index in by_email.into_iter().chain(by_customer).flatten() {
                if let (true, Some(next)) = (cluster.listings.insert(index), self.at(index)) {
                    open.push(next);
                }
            }
        }
    }
}
