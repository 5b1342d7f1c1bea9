//! The pass before the passes: opt-outs first.

use std::sync::Arc;

use sync_core::{Action, Change, LedgerEntry, LedgerKey, LedgerView, Mapping, Prepared, Result};

use crate::address::Address;
use crate::fact::{Fact, consent_scope, fact_at, fact_key, learn};
use crate::settings::{ConsentSettings, check_audience};
use crate::subscriber::Subscriber;
use sync_core::Scope;

/// Learns opt-outs and sends nothing.
///
/// Run it over the unsubscribed members of every audience of an Ometria account before [`ContactMapping`] runs over any of
/// them for the first time. Otherwise the audience that is read first opts in people whose opt-out in a later one is not
/// known yet; Ometria would get that opt-out minutes later, after welcome campaigns began.
///
/// [`ContactMapping`]: crate::ContactMapping
#[derive(Clone, Debug)]
pub struct FactsMapping {
    facts: Scope,
    audience: Arc<str>,
}

impl FactsMapping {
    /// A mapping for the members of `audience`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](sync_core::ErrorKind::Config), naming the field, for settings that cannot work.
    pub fn new(audience: &str, consent: &ConsentSettings) -> Result<Self> {
        check_audience("audience", audience)?;
        consent.validate()?;
        Ok(Self {
            facts: consent_scope(&consent.account),
            audience: audience.into(),
        })
    }

    fn key(&self, subscriber: &Subscriber) -> Option<LedgerKey> {
        let address = Address::parse(&subscriber.email)?;
        Some(fact_key(&self.facts, address.digest(), &self.audience))
    }
}

impl<Out> Mapping<Subscriber, Out> for FactsMapping {
    fn lookups(&self, change: &Change<Subscriber>) -> Vec<LedgerKey> {
        match change {
            Change::Present(subscriber) => self.key(subscriber).into_iter().collect(),
            Change::Removed(_) => Vec::new(),
        }
    }

    fn prepare(&self, change: Change<Subscriber>, ledger: &LedgerView<'_>) -> Prepared<Out> {
        let Change::Present(subscriber) = change else {
            return Prepared::skip();
        };
        let Some(at) = self.key(&subscriber) else {
            return Prepared::skip();
        };
        let stored = fact_at(ledger, &at);
        let now = Fact::observe(stored, &subscriber);
        let learned = learn(at, stored, now).into_iter().collect();
        Prepared {
            action: Action::Skip,
            learned,
            on_accept: Vec::new(),
        }
    }

    fn meanwhile(&self, _: Option<&LedgerEntry>, _: &LedgerEntry) -> Option<Box<[u8]>> {
        // Nothing is sent.
        None
    }
}
