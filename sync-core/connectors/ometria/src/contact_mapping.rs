//! From a member of an audience to what is pushed.

use std::sync::Arc;

use ometria_client::{Contact, PushLimits, SmsCollection, SmsConsent};
use serde_json::{Map, Value};
use sync_core::{
    Action, Change, Key, LedgerChange, LedgerEntry, LedgerKey, LedgerView, Mapping, Prepared,
    Result, Scope, fingerprint,
};

use crate::address::{Address, AddressDigest};
use crate::consent::{Situation, Verdict, decide, decide_gone};
use crate::delivery::{Delivery, Notice};
use crate::fact::{Fact, OMETRIA_AUDIENCE, consent_scope, fact_at, fact_key, learn};
use crate::note::{Claim, Note};
use crate::settings::{
    ConsentSettings, ContactSettings, SmsPolicy, check_audience, check_collection,
};
use crate::subscriber::{Sms, SmsStatus, Status, Subscriber};

/// Custom fields of this prefix belong to Ometria's own connectors.
const OMETRIA_PREFIX: &str = "OM_";

/// Custom fields a record may carry.
const MOST_PROPERTIES: usize = 100;

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
        let note = known.map(|entry| Note::decode(&entry.note));
        let digest = address.digest();

        let own_at = self.fact_key(digest, &self.audience);
        let own_stored = fact_at(ledger, &own_at);
        let before = own_stored.or(note.as_ref().and_then(|note| note.opt_out));
        let own = Fact::observe(before, &subscriber);
        let mut learned: Vec<LedgerChange> = learn(own_at, own_stored, own).into_iter().collect();

        let listing = Listing::find(note.as_ref(), &subscriber);
        let others = self
            .others
            .iter()
            .filter_map(|audience| fact_at(ledger, &self.fact_key(digest, audience)));
        let at_ometria = fact_at(ledger, &self.fact_key(digest, OMETRIA_AUDIENCE));
        let remembered = note.as_ref().and_then(|note| note.opt_out);
        let verdict = decide(
            &Situation {
                status: &subscriber.status,
                permission_granted: subscriber.permission_granted,
                opted_in_at: subscriber.opted_in_at.map(|time| time.timestamp()),
                claim: listing.claim,
                has_say: self.has_say,
                unsubscribed_elsewhere: others.clone().any(|fact| fact.unsubscribed),
                newest_opt_out: others
                    .chain([own, at_ometria, remembered].into_iter().flatten())
                    .map(|fact| fact.last)
                    .max(),
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
        let mark = digest.mark();
        if listing.claim.is_out() && note.as_ref().is_some_and(|note| note.address != mark) {
            notices.push(Notice::OptOutLeftAddress);
        }

        let contact = self.contact(&subscriber, address, verdict, own, &mut notices);
        let sms = self.sms(&subscriber, address);
        let accepted = LedgerEntry {
            fingerprint: fingerprint_of(&contact, verdict.settled, sms.as_ref()),
            note: Note {
                claim: verdict.settled,
                opt_out: own,
                address: mark,
                listing_id: (subscriber.listing_id != subscriber.key.as_str())
                    .then(|| subscriber.listing_id.as_str().into()),
            }
            .encode(),
        };
        if known.is_some_and(|known| known.fingerprint == accepted.fingerprint) {
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
        let forget = vec![LedgerChange { at, entry: None }];
        match self.gone(key, id, note.claim) {
            Some(out) => Prepared {
                action: Action::Send(vec![out]),
                learned: Vec::new(),
                on_accept: forget,
            },
            None => Prepared {
                action: Action::Skip,
                learned: forget,
                on_accept: Vec::new(),
            },
        }
    }

    /// Ends what a listing claims whose member, or whose address, is gone. Collection and id name the listing; the address
    /// is not needed, and we do not keep it.
    fn gone(&self, key: &Key, listing_id: &str, claim: Claim) -> Option<Delivery> {
        let consent = decide_gone(claim, self.has_say)?;
        let contact = Contact::new(&*self.collection, listing_id).consent(consent);
        Some(Delivery::new(key.clone(), contact, Vec::new()))
    }

    fn contact(
        &self,
        subscriber: &Subscriber,
        address: Address<'_>,
        verdict: Verdict,
        own: Option<Fact>,
        notices: &mut Vec<Notice>,
    ) -> Contact {
        let mut contact = Contact::new(&*self.collection, subscriber.listing_id.as_str());
        contact.email = Some(address.as_str().to_owned());
        contact.consent = verdict.consent;
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
        match verdict.settled {
            Claim::OptedIn if self.contact.send_subscribed_time => {
                contact.timestamp_subscribed = subscriber.opted_in_at;
            }
            // A time without a claim changes the date and not the status, so it goes with an opt-out only.
            Claim::OptedOut | Claim::ForcedOut
                if verdict.consent.is_some() && subscriber.status == Status::Unsubscribed =>
            {
                contact.timestamp_unsubscribed = own
                    .filter(|fact| fact.is_readable())
                    .and_then(|fact| chrono::DateTime::from_timestamp(fact.first, 0));
            }
            _ => {}
        }
        contact.add_to_lists.clone_from(&subscriber.add_to_lists);
        contact
            .remove_from_lists
            .clone_from(&subscriber.remove_from_lists);
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

    fn sms(&self, subscriber: &Subscriber, address: Address<'_>) -> Option<SmsConsent> {
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
        let mut sms = SmsConsent::new(
            collection,
            subscriber.listing_id.as_str(),
            phone,
            allowed,
            (*decided_at)?,
        );
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
        }
        keys
    }

    fn prepare(&self, change: Change<Subscriber>, ledger: &LedgerView<'_>) -> Prepared<Delivery> {
        match change {
            Change::Present(subscriber) => self.prepare_present(subscriber, ledger),
            Change::Removed(key) => self.prepare_removed(&key, ledger),
        }
    }
}

fn change_key(change: &Change<Subscriber>) -> Key {
    sync_core::Keyed::key(change)
}

/// The listing a member has now, and the one it had before if that was another.
struct Listing {
    claim: Claim,
    left: Option<(String, Claim)>,
}

impl Listing {
    fn find(note: Option<&Note>, subscriber: &Subscriber) -> Self {
        let Some(note) = note else {
            return Self {
                claim: Claim::None,
                left: None,
            };
        };
        let before = note
            .listing_id
            .as_deref()
            .unwrap_or(subscriber.key.as_str());
        if before == subscriber.listing_id {
            return Self {
                claim: note.claim,
                left: None,
            };
        }
        // Nothing is known about the new listing; a note that cannot be read says nothing about either.
        match note.claim {
            Claim::Unknown => Self {
                claim: Claim::Unknown,
                left: None,
            },
            claim => Self {
                claim: Claim::None,
                left: Some((before.to_owned(), claim)),
            },
        }
    }
}

/// Of what Ometria holds once the records are accepted. A claim that is left out counts as the claim that stays.
fn fingerprint_of(contact: &Contact, settled: Claim, sms: Option<&SmsConsent>) -> u64 {
    let mut contact = contact.clone();
    contact.consent = None;
    // These types always serialise; were one not to, the sink would name the record and no fingerprint would be kept.
    let mut bytes = serde_json::to_vec(&contact).unwrap_or_default();
    bytes.push(settled as u8);
    if let Some(sms) = sms {
        bytes.extend(serde_json::to_vec(sms).unwrap_or_default());
    }
    fingerprint(&bytes)
}

/// The properties in front that fit into Ometria's limit together, and whether these are all.
fn fitting<'a>(properties: impl Iterator<Item = (&'a str, Value)>) -> (Map<String, Value>, bool) {
    let limit = PushLimits::default().properties_chars;
    let mut fitting = Map::new();
    let mut chars = "{}".len();
    let mut complete = true;
    for (name, value) in properties {
        if value.is_null() || name.starts_with(OMETRIA_PREFIX) || fitting.contains_key(name) {
            continue;
        }
        let text = |value: &Value| value.to_string().chars().count();
        let comma = usize::from(!fitting.is_empty());
        let more = text(&Value::from(name)) + ":".len() + text(&value) + comma;
        if fitting.len() >= MOST_PROPERTIES || chars + more > limit {
            complete = false;
            break;
        }
        chars += more;
        fitting.insert(name.to_owned(), value);
    }
    (fitting, complete)
}

/// A phone number in E.164 form, if it is written internationally.
fn international(phone: &str) -> Option<String> {
    let phone = phone.trim();
    let digits = phone
        .strip_prefix('+')
        .or_else(|| phone.strip_prefix("00"))?;
    if digits
        .chars()
        .any(|c| !c.is_ascii_digit() && !" -.()/".contains(c))
    {
        return None;
    }
    // "+44 (0)20 …" holds a zero that is dialled at home only.
    let digits: String = digits
        .replacen("(0)", "", 1)
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let possible = (8..=15).contains(&digits.len()) && !digits.starts_with('0');
    possible.then(|| format!("+{digits}"))
}

/// A country code in upper case, if it looks like one.
fn alpha2(country: &str) -> Option<String> {
    let country = country.trim();
    (country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_alphabetic()))
        .then(|| country.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_numbers_are_international_or_left_out() {
        for (given, expected) in [
            ("+44 20 7946 0958", Some("+442079460958")),
            ("+44 (0)20 7946-0958", Some("+442079460958")),
            ("0049 30 901820", Some("+4930901820")),
            ("020 7946 0958", None),
            ("+0 123456789", None),
            ("+44 20 CALL ME", None),
            ("+1234567890123456", None),
            ("+123", None),
            ("", None),
        ] {
            assert_eq!(international(given).as_deref(), expected, "{given:?}");
        }
    }

    #[test]
    fn countries_are_two_letters() {
        assert_eq!(alpha2(" gb ").as_deref(), Some("GB"));
        for bad in ["", "GBR", "g1", "\u{e9}"] {
            assert_eq!(alpha2(bad), None);
        }
    }

    #[test]
    fn properties_fit_exactly_up_to_the_limit() {
        // {"a":"…"}: eight characters are not the text.
        let exact = Value::from("\u{e9}".repeat(992));
        let (properties, complete) = fitting([("a", exact)].into_iter());
        assert!(complete);
        assert_eq!(
            serde_json::to_string(&properties).unwrap().chars().count(),
            1000
        );
        let (none, complete) = fitting([("a", Value::from("x".repeat(993)))].into_iter());
        assert!(none.is_empty() && !complete);
        // {"a":"…","b":1}: six characters more.
        let two = |b| [("a", Value::from("x".repeat(986))), ("b", Value::from(b))];
        assert_eq!(fitting(two(1).into_iter()).0.len(), 2);
        assert_eq!(fitting(two(10).into_iter()).0.len(), 1);
    }

    #[test]
    fn the_last_properties_give_way_and_connector_fields_never_go() {
        let long = Value::from("x".repeat(600));
        let given = [
            ("first", long.clone()),
            ("OM_LTV", Value::from(1)),
            ("empty", Value::Null),
            ("second", long),
        ];
        let (properties, complete) = fitting(given.into_iter());
        assert_eq!(properties.keys().collect::<Vec<_>>(), ["first"]);
        assert!(!complete);
    }
}
