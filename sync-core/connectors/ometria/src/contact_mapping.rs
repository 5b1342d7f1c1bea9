//! From a member of an audience to what is pushed.

use std::sync::Arc;

use ometria_client::{Contact, SmsCollection, SmsConsent};
use serde_json::Value;
use sync_core::{
    Action, Change, Key, LedgerChange, LedgerEntry, LedgerKey, LedgerView, Mapping, Prepared,
    Result, Scope, fingerprint,
};

use crate::address::{Address, AddressDigest};
use crate::consent::{Situation, decide, decide_gone};
use crate::delivery::{Delivery, Notice};
use crate::fact::{Fact, OMETRIA_AUDIENCE, consent_scope, fact_at, fact_key, learn};
use crate::fields::{alpha2, fitting, international};
use crate::listing::Listing;
use crate::note::{Claim, Note};
use crate::segments::Segments;
use crate::settings::{
    ConsentSettings, ContactSettings, SmsPolicy, check_audience, check_collection,
};
use crate::subscriber::{Sms, SmsStatus, Status, Subscriber};

/// Turns a member into the records that make Ometria agree with it, or into nothing if it agrees already.
///
/// It remembers two things in the ledger. Under the import's scope, for each listing: what was accepted and what it claims.
/// Under [`consent_scope`], for each address and audience that ever showed an opt-out: that opt-out, so that every audience
/// of the account holds back opt-ins. See [`crate::docs::consent`] for the rules.
#[derive(Clone, Debug)]
pub struct ContactMapping {
    listings: Scope,
    facts: Scope,
    audience: Arc<str>,
    /// Other audiences whose opt-outs count for this one.
    others: Arc<[String]>,
    collection: Arc<str>,
    has_say: bool,
    contact: ContactSettings,
    consent: ConsentSettings,
}

impl ContactMapping {
    /// A mapping for the members of `audience`, which become listings of `collection`. Give each audience a collection of
    /// its own: Ometria merges by collection and id. `listings` is the import's own ledger scope.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](sync_core::ErrorKind::Config), naming the field, for settings that cannot work.
    pub fn new(
        listings: Scope,
        audience: &str,
        collection: &str,
        contact: ContactSettings,
        consent: ConsentSettings,
    ) -> Result<Self> {
        check_audience("audience", audience)?;
        check_collection(collection)?;
        contact.validate()?;
        consent.validate()?;
        let holder = consent.consent_audience.as_deref();
        let mut others: Vec<String> = consent
            .audiences
            .iter()
            .filter(|other| *other != audience)
            .cloned()
            .collect();
        others.sort_unstable();
        others.dedup();
        if holder.is_some() {
            others.clear();
        }
        Ok(Self {
            listings,
            facts: consent_scope(&consent.account),
            audience: audience.into(),
            others: others.into(),
            collection: collection.into(),
            has_say: holder.is_none_or(|holder| holder == audience),
            contact,
            consent,
        })
    }

    fn listing_key(&self, key: Key) -> LedgerKey {
        LedgerKey {
            scope: self.listings.clone(),
            key,
        }
    }

    fn fact_key(&self, address: AddressDigest, audience: &str) -> LedgerKey {
        fact_key(&self.facts, address, audience)
    }

    /// Where it is written down, before anything is sent, that a member opted out. The note says it only once that was
    /// accepted, and the fact about the address is out of reach when the member has another one by then.
    fn member_key(&self, key: &Key) -> LedgerKey {
        LedgerKey {
            scope: self.facts.clone(),
            key: Key::new(format!("member/{}/{key}", self.audience)),
        }
    }

    /// A run that was cut short may have sent an opt-out that the note does not tell of.
    fn presume_sent(&self, note: &mut Note, announced: Fact) {
        let newer = note.opt_out.is_none_or(|noted| announced.last > noted.last);
        if !announced.unsubscribed || !newer || note.claim == Claim::Unknown {
            return;
        }
        note.opt_out = Some(announced);
        if !note.claim.is_out() {
            note.claim = if self.consent.force_opt_out {
                Claim::ForcedOut
            } else {
                Claim::OptedOut
            };
        }
    }

    fn prepare_present(
        &self,
        subscriber: Subscriber,
        ledger: &LedgerView<'_>,
    ) -> Prepared<Delivery> {
        let Some(address) = Address::parse(&subscriber.email) else {
            return Prepared::reject("email: empty or not an address; correct it at the source");
        };
        if subscriber.listing_id.trim().is_empty() || subscriber.listing_id.contains('@') {
            return Prepared::reject(
                "listing id: empty or an address; choose an id that every member has",
            );
        }
        let at = self.listing_key(subscriber.key.clone());
        let known = ledger.get(&at);
        let mut note = known.map(|entry| Note::decode(&entry.note));
        // Without a fingerprint, the listing may have got something newer than its note says.
        let in_doubt = ledger.in_doubt() || known.is_some_and(|entry| entry.fingerprint == 0);
        let member_at = self.member_key(&subscriber.key);
        let announced = fact_at(ledger, &member_at);
        if in_doubt && let (Some(note), Some(announced)) = (&mut note, announced) {
            self.presume_sent(note, announced);
        }
        let digest = address.digest();

        let own_at = self.fact_key(digest, &self.audience);
        let own_stored = fact_at(ledger, &own_at);
        let remembered = note.as_ref().and_then(|note| note.opt_out);
        // The member's own opt-out goes with it to a new address while it stands; once ended, it concerns the member only.
        // One that was made for the address by a former member concerns whoever has the address.
        let personal = Fact::observe(remembered, &subscriber);
        let at_address = Fact::observe(own_stored, &subscriber);
        let own = Fact::merge(at_address, personal.filter(|fact| fact.unsubscribed));
        let opt_out_unnoted = own_stored
            .is_some_and(|stored| remembered.is_none_or(|noted| stored.last > noted.last));
        let mut learned: Vec<LedgerChange> = learn(own_at, own_stored, own).into_iter().collect();
        if subscriber.status == Status::Unsubscribed || announced.is_some() {
            learned.extend(learn(member_at, announced, personal));
        }

        let mark = digest.mark();
        let listing = Listing::find(note.as_ref(), &subscriber, mark, in_doubt);
        let others = self
            .others
            .iter()
            .filter_map(|audience| fact_at(ledger, &self.fact_key(digest, audience)));
        let at_ometria = fact_at(ledger, &self.fact_key(digest, OMETRIA_AUDIENCE));
        let verdict = decide(
            &Situation {
                status: &subscriber.status,
                permission_granted: subscriber.permission_granted,
                opted_in_at: subscriber.opted_in_at.map(|time| time.timestamp()),
                claim: listing.claim,
                has_say: self.has_say,
                opt_out_stands: own.is_some_and(|own| own.unsubscribed && own.is_readable()),
                unsubscribed_elsewhere: others.clone().any(|fact| fact.unsubscribed),
                newest_opt_out: others
                    .chain([own, personal, at_ometria].into_iter().flatten())
                    .map(|fact| fact.last)
                    .max(),
                own_opt_out: own.into_iter().chain(personal).map(|fact| fact.last).max(),
                opt_out_unnoted,
                in_doubt,
            },
            &self.consent,
        );

        let mut notices = Vec::new();
        notices.extend(verdict.withheld.map(Notice::OptInWithheld));
        if verdict.after_force {
            notices.push(Notice::MayNeedConfirmation);
        }
        if matches!(subscriber.status, Status::Other(_)) {
            notices.push(Notice::UnknownStatus);
        }

        let mut contact = self.contact(
            &subscriber,
            &listing.id,
            address,
            verdict.settled,
            own,
            &mut notices,
        );
        let sms = self.sms(&subscriber, &listing.id, address);
        let fingerprint = fingerprint_of(&contact, verdict.settled, sms.as_ref());
        contact.consent = verdict.consent;
        if verdict.consent.is_none() {
            // Without a claim this time would change the date and not the status.
            contact.timestamp_unsubscribed = None;
        }
        let segments = Segments::next(note.as_ref(), &subscriber);
        let accepted = LedgerEntry {
            fingerprint,
            note: Note {
                claim: verdict.settled,
                // What stands at the address without a note was made by a former member or, in doubt, by this one.
                opt_out: if subscriber.status == Status::Unsubscribed
                    || (in_doubt && opt_out_unnoted)
                {
                    own
                } else {
                    personal
                },
                address: mark,
                listing_id: (listing.id != subscriber.key.as_str())
                    .then(|| listing.id.as_str().into()),
                segments: segments.joined,
                // They may have the address that the member has now, so they end with the member.
                perhaps: note.map_or_else(Vec::new, |note| note.perhaps),
            }
            .encode(),
        };
        contact.remove_from_lists = segments.to_leave;
        if contact.remove_from_lists.is_empty()
            && known.is_some_and(|known| known.fingerprint == accepted.fingerprint)
        {
            if known != Some(&accepted) {
                learned.push(LedgerChange {
                    at,
                    entry: Some(accepted),
                });
            }
            return Prepared {
                action: Action::Skip,
                learned,
                on_accept: Vec::new(),
            };
        }
        let key = subscriber.key;
        let mut records = Vec::with_capacity(1);
        records.extend(
            listing
                .left
                .and_then(|(id, claim)| self.gone(&key, &id, claim)),
        );
        records.push(Delivery::new(key.clone(), contact, notices));
        records.extend(sms.map(|sms| Delivery::new(key, sms, Vec::new())));
        Prepared {
            action: Action::Send(records),
            learned,
            on_accept: vec![LedgerChange {
                at,
                entry: Some(accepted),
            }],
        }
    }

    fn prepare_removed(&self, key: &Key, ledger: &LedgerView<'_>) -> Prepared<Delivery> {
        let at = self.listing_key(key.clone());
        let Some(known) = ledger.get(&at) else {
            return Prepared::skip();
        };
        let note = Note::decode(&known.note);
        let id = note.listing_id.as_deref().unwrap_or(key.as_str());
        let forget = [at, self.member_key(key)]
            .map(|at| LedgerChange { at, entry: None })
            .to_vec();
        let perhaps = listings_perhaps(&note, key).filter(|perhaps| perhaps != id);
        let outs: Vec<Delivery> = [(id.to_owned(), note.claim)]
            .into_iter()
            .chain(perhaps.map(|id| (id, Claim::OptedIn)))
            .filter_map(|(id, claim)| self.gone(key, &id, claim))
            .collect();
        if outs.is_empty() {
            return Prepared {
                action: Action::Skip,
                learned: forget,
                on_accept: Vec::new(),
            };
        }
        Prepared {
            action: Action::Send(outs),
            learned: Vec::new(),
            on_accept: forget,
        }
    }

    /// Ends what a listing claims whose member, or whose address, is gone. Collection and id name the listing; the address
    /// is not needed, and we do not keep it.
    fn gone(&self, key: &Key, listing_id: &str, claim: Claim) -> Option<Delivery> {
        let consent = decide_gone(claim, self.has_say)?;
        let contact = Contact::new(&*self.collection, listing_id).consent(consent);
        Some(Delivery::new(key.clone(), contact, Vec::new()))
    }

    /// What Ometria holds once it has this: without claim and without segments to leave, which are no state of the listing.
    fn contact(
        &self,
        subscriber: &Subscriber,
        listing_id: &str,
        address: Address<'_>,
        settled: Claim,
        own: Option<Fact>,
        notices: &mut Vec<Notice>,
    ) -> Contact {
        let mut contact = Contact::new(&*self.collection, listing_id);
        contact.email = Some(address.as_str().to_owned());
        contact.customer_id.clone_from(&subscriber.customer_id);
        contact.firstname.clone_from(&subscriber.firstname);
        contact.lastname.clone_from(&subscriber.lastname);
        contact.phone_number = subscriber.phone.as_deref().and_then(international);
        if contact.phone_number.is_none()
            && subscriber
                .phone
                .as_deref()
                .is_some_and(|phone| !phone.trim().is_empty())
        {
            notices.push(Notice::PhoneLeftOut);
        }
        contact.country_id = subscriber.country.as_deref().and_then(alpha2);
        contact.timezone.clone_from(&subscriber.timezone);
        contact.date_of_birth = subscriber.date_of_birth;
        contact.gender = subscriber.gender;
        contact.timestamp_acquired = subscriber.acquired_at;
        match settled {
            Claim::OptedIn if self.contact.send_subscribed_time => {
                contact.timestamp_subscribed = subscriber.opted_in_at;
            }
            Claim::OptedOut | Claim::ForcedOut => {
                contact.timestamp_unsubscribed = own
                    .filter(|fact| fact.unsubscribed && fact.is_readable())
                    .and_then(|fact| chrono::DateTime::from_timestamp(fact.first, 0));
            }
            _ => {}
        }
        contact.add_to_lists.clone_from(&subscriber.add_to_lists);
        let status = self
            .contact
            .status_property
            .iter()
            .map(|name| (name.as_str(), Value::from(subscriber.status.as_str())));
        let others = subscriber
            .properties
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()));
        let (properties, complete) = fitting(status.chain(others));
        contact.properties = properties;
        if !complete {
            notices.push(Notice::PropertiesLeftOut);
        }
        contact
    }

    fn sms(
        &self,
        subscriber: &Subscriber,
        listing_id: &str,
        address: Address<'_>,
    ) -> Option<SmsConsent> {
        let collection = match self.contact.sms {
            SmsPolicy::Off => return None,
            SmsPolicy::AskToConfirm => SmsCollection::AskToConfirm,
            SmsPolicy::AlreadyConfirmed => SmsCollection::AlreadyConfirmed,
        };
        let Sms {
            phone,
            status,
            decided_at,
        } = subscriber.sms.as_ref()?;
        let allowed = match status {
            SmsStatus::Subscribed => true,
            SmsStatus::Unsubscribed => false,
            SmsStatus::Undecided => return None,
        };
        let phone = international(phone)?;
        let mut sms = SmsConsent::new(collection, listing_id, phone, allowed, (*decided_at)?);
        sms.email = Some(address.as_str().to_owned());
        sms.customer_id.clone_from(&subscriber.customer_id);
        Some(sms)
    }
}

impl Mapping<Subscriber, Delivery> for ContactMapping {
    fn lookups(&self, change: &Change<Subscriber>) -> Vec<LedgerKey> {
        let mut keys = vec![self.listing_key(change_key(change))];
        if let Change::Present(subscriber) = change
            && let Some(address) = Address::parse(&subscriber.email)
        {
            let digest = address.digest();
            let audiences = [&*self.audience, OMETRIA_AUDIENCE]
                .into_iter()
                .chain(self.others.iter().map(|a| &**a));
            keys.extend(audiences.map(|audience| self.fact_key(digest, audience)));
            keys.push(self.member_key(&subscriber.key));
        }
        keys
    }

    fn prepare(&self, change: Change<Subscriber>, ledger: &LedgerView<'_>) -> Prepared<Delivery> {
        match change {
            Change::Present(subscriber) => self.prepare_present(subscriber, ledger),
            Change::Removed(key) => self.prepare_removed(&key, ledger),
        }
    }

    fn meanwhile(&self, known: Option<&LedgerEntry>, next: &LedgerEntry) -> Option<Box<[u8]>> {
        // Whoever was opted in by a run that was killed must be found when they are gone, under every id they had.
        let Some(known) = known else {
            return Some(next.note.clone());
        };
        let note = Note::decode(&known.note);
        // What cannot be read stays as it is.
        (note.claim != Claim::Unknown).then(|| note.or_perhaps(&Note::decode(&next.note)).encode())
    }
}

/// The listings of a member that pushes may have written which nobody heard of any more. Of what they claim, an opt-in has to
/// be presumed.
fn listings_perhaps(note: &Note, key: &Key) -> impl Iterator<Item = String> {
    note.perhaps.iter().map(|id| match &**id {
        "" => key.as_str().to_owned(),
        id => id.to_owned(),
    })
}

fn change_key(change: &Change<Subscriber>) -> Key {
    sync_core::Keyed::key(change)
}

/// Of what Ometria holds once the records are accepted. A claim that is left out counts as the claim that stays.
fn fingerprint_of(contact: &Contact, settled: Claim, sms: Option<&SmsConsent>) -> u64 {
    // These types always serialise; were one not to, the sink would name the record and no fingerprint would be kept.
    let mut bytes = serde_json::to_vec(contact).unwrap_or_default();
    bytes.push(settled as u8);
    if let Some(sms) = sms {
        bytes.extend(serde_json::to_vec(sms).unwrap_or_default());
    }
    fingerprint(&bytes)
}
