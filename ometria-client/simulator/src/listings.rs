//! All listings of the account, joined into profiles, with every change of a profile's consent.
//!
//! Built for millions: a listing keeps its JSON as text and is parsed only to merge or to show it, ids and addresses are
//! stored once and shared by the indexes.

mod clusters;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

pub(crate) use self::clusters::Cluster;
use crate::consent::{Claim, Claims, ConsentChange, Made, Moment, Verdict};
use crate::incoming::text;
use crate::settings::Rules;

/// Fields that say how to take a record and are no part of what is stored.
const INSTRUCTIONS: [&str; 4] = [
    "@merge",
    "@force_optin",
    "@add_to_lists",
    "@remove_from_lists",
];

#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) collection: u32,
    pub(crate) id: Arc<str>,
    email: Option<Arc<str>>,
    customer_id: Option<Arc<str>>,
    json: Box<str>,
    claims: Claims,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    sequence: u64,
    told_subscribed: bool,
    told_unsubscribed: bool,
}

impl Listing {
    /// What is stored, instructions left out.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let mut fields: Map<String, Value> = serde_json::from_str(&self.json).unwrap_or_default();
        fields.retain(|name, _| !INSTRUCTIONS.contains(&name.as_str()));
        fields
    }

    pub(crate) fn claim(&self) -> Option<Claim> {
        self.claims.latest.map(|made| made.claim)
    }

    pub(crate) fn forced_claim(&self) -> Option<Claim> {
        self.claims.forced.map(|made| made.claim)
    }
}

#[derive(Debug)]
pub(crate) struct Collection {
    pub(crate) name: String,
    by_id: HashMap<Arc<str>, u32>,
    /// In the order they came.
    pub(crate) members: Vec<u32>,
}

/// All that is known under one lower-cased address.
#[derive(Debug, Default)]
struct Person {
    listings: Vec<u32>,
    preference: Option<Made>,
    verdict: Verdict,
    history: Vec<Moment>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ConsentRules {
    pub(crate) rules: Rules,
    pub(crate) unforced_update_lifts_force: bool,
}

/// Events that start campaigns, fired once for each listing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Events {
    pub(crate) subscribed: u64,
    pub(crate) unsubscribed: u64,
}

#[derive(Debug)]
pub(crate) struct Listings {
    rules: ConsentRules,
    pub(crate) collections: Vec<Collection>,
    arena: Vec<Listing>,
    /// Boxed, because a hash map keeps about as many empty places as full ones.
    people: HashMap<Arc<str>, Box<Person>>,
    by_customer: HashMap<Arc<str>, Vec<u32>>,
    segments: BTreeMap<u64, BTreeSet<u32>>,
    sequence: u64,
    pub(crate) events: Events,
}

impl Listings {
    pub(crate) fn new(rules: ConsentRules) -> Self {
        Self {
            rules,
            collections: Vec::new(),
            arena: Vec::new(),
            people: HashMap::new(),
            by_customer: HashMap::new(),
            segments: BTreeMap::new(),
            sequence: 0,
            events: Events::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.arena.len()
    }

    pub(crate) fn at(&self, index: u32) -> Option<&Listing> {
        self.arena.get(index as usize)
    }

    pub(crate) fn collection_name(&self, listing: &Listing) -> &str {
        self.collections
            .get(listing.collection as usize)
            .map_or("", |found| found.name.as_str())
    }

    pub(crate) fn collection(&self, name: &str) -> Option<&Collection> {
        self.collections
            .iter()
            .find(|collection| collection.name == name)
    }

    pub(crate) fn find(&self, collection: &str, id: &str) -> Option<u32> {
        self.collection(collection)?.by_id.get(id).copied()
    }

    /// Takes a valid contact; `json` is `record` as it came.
    pub(crate) fn apply(
        &mut self,
        record: Map<String, Value>,
        json: &str,
        accepted_at: DateTime<Utc>,
        at: DateTime<Utc>,
    ) {
        let (Some(collection), Some(id)) = (text(&record, "@collection"), text(&record, "id"))
        else {
            return;
        };
        let collection = self.collection_index(collection);
        self.sequence += 1;
        let sequence = self.sequence;
        let claim = record
            .get("marketing_optin")
            .filter(|value| !value.is_null());
        let claim = claim.and_then(Claim::read);
        let instructs = |name| record.get(name).and_then(Value::as_bool) == Some(true);
        let forced = instructs("@force_optin") && claim.is_some();
        let members = self
            .collections
            .get(collection as usize)
            .map(|it| &it.by_id);
        let (index, before) = match members.and_then(|by_id| by_id.get(id).copied()) {
            Some(index) => (index, self.cluster_of(index)),
            None => (self.insert(collection, id, at), None),
        };
        let merges = before.is_some() && instructs("@merge");
        let Some(listing) = self.arena.get_mut(index as usize) else {
            return;
        };
        if let Some(claim) = claim {
            let lifts = self.rules.unforced_update_lifts_force;
            listing
                .claims
                .record(Made { claim, sequence }, forced, lifts);
        }
        listing.updated_at = at;
        listing.sequence = sequence;
        Self::fire(&mut self.events, listing, &record, claim);
        // An identifier that is not sent stays when merging and goes when replacing.
        let identifier = |name, old: &Option<Arc<str>>| match record.get(name) {
            None if merges => old.as_deref().map(str::to_owned),
            sent => sent.and_then(Value::as_str).map(str::to_owned),
        };
        let email = identifier("email", &listing.email).map(|email| normal(&email));
        let customer_id = identifier("customer_id", &listing.customer_id);
        self.index_email(index, email.as_deref());
        self.index_customer(index, customer_id.as_deref());
        self.move_segments(index, &record);
        if let Some(listing) = self.arena.get_mut(index as usize) {
            listing.json = if merges {
                let mut fields = listing.fields();
                fields.extend(record);
                Value::Object(fields).to_string().into()
            } else {
                json.into()
            };
        }
        let listing = Some(index);
        self.settle(
            index,
            before.as_ref(),
            &Moment {
                sequence,
                accepted_at,
                at,
                listing,
                claim,
                forced,
                profile: None,
            },
        );
    }

    /// The person chose for themselves, in Ometria's own preference centre.
    pub(crate) fn prefer(&mut self, email: &str, claim: Claim, at: DateTime<Utc>) {
        self.sequence += 1;
        let sequence = self.sequence;
        let email: Arc<str> = normal(email).into();
        let person = self.people.entry(Arc::clone(&email)).or_default();
        person.preference = Some(Made { claim, sequence });
        let cluster = self.cluster(&email);
        let moment = Moment {
            sequence,
            accepted_at: at,
            at,
            listing: None,
            claim: Some(claim),
            forced: false,
            profile: None,
        };
        self.note(&cluster, true, &moment);
    }

    /// Removes everything personal under an address and says how many listings that touched.
    pub(crate) fn anonymise(&mut self, email: &str, at: DateTime<Utc>) -> usize {
        let email = normal(email);
        let Some(person) = self.people.get_mut(email.as_str()) else {
            return 0;
        };
        let touched = std::mem::take(&mut person.listings);
        for &index in &touched {
            let Some(listing) = self.arena.get_mut(index as usize) else {
                continue;
            };
            listing.email = None;
            listing.claims = Claims::default();
            listing.updated_at = at;
            let mut fields = listing.fields();
            fields.retain(|name, _| matches!(name.as_str(), "@type" | "@collection" | "id"));
            listing.json = Value::Object(fields).to_string().into();
            self.index_customer(index, None);
        }
        touched.len()
    }

    /// The profile of an address, if any listing or preference is known under it.
    pub(crate) fn profile(&self, email: &str) -> Option<(Cluster, Verdict)> {
        let email = normal(email);
        let (email, person) = self.people.get_key_value(email.as_str())?;
        let cluster = self.cluster(email);
        (!cluster.listings.is_empty()).then_some((cluster, person.verdict))
    }

    /// The profile a listing belongs to.
    pub(crate) fn profile_of(&self, index: u32) -> Option<(Cluster, Verdict)> {
        let cluster = self.cluster_of(index)?;
        let verdict = self.verdict(&cluster);
        Some((cluster, verdict))
    }

    pub(crate) fn history(&self, email: &str) -> Vec<ConsentChange> {
        let Some(person) = self.people.get(normal(email).as_str()) else {
            return Vec::new();
        };
        let listing = |moment: &Moment| {
            let listing = self.at(moment.listing?)?;
            Some((self.collection_name(listing), &listing.id))
        };
        person
            .history
            .iter()
            .map(|moment| moment.show(listing(moment)))
            .collect()
    }

    pub(crate) fn emails(&self) -> impl Iterator<Item = &str> {
        self.people
            .iter()
            .filter(|(_, p)| !p.listings.is_empty())
            .map(|(email, _)| &**email)
    }

    pub(crate) fn segment(&self, id: u64) -> impl Iterator<Item = u32> {
        self.segments.get(&id).into_iter().flatten().copied()
    }

    pub(crate) fn segments_of(&self, cluster: &Cluster) -> Vec<u64> {
        let holds = |members: &BTreeSet<u32>| !members.is_disjoint(&cluster.listings);
        self.segments
            .iter()
            .filter(|(_, members)| holds(members))
            .map(|(id, _)| *id)
            .collect()
    }

    /// All fields of a profile: for each the latest listing that has it, with both names from one listing.
    pub(crate) fn profile_fields(&self, cluster: &Cluster) -> Map<String, Value> {
        let mut listings: Vec<&Listing> = cluster
            .listings
            .iter()
            .filter_map(|&index| self.at(index))
            .collect();
        listings.sort_by_key(|listing| listing.sequence);
        let mut profile = Map::new();
        for listing in listings {
            let fields = listing.fields();
            if ["firstname", "lastname"]
                .iter()
                .any(|name| fields.contains_key(*name))
            {
                profile.remove("firstname");
                profile.remove("lastname");
            }
            profile.extend(fields.into_iter().filter(|(name, value)| {
                !value.is_null() && !name.starts_with('@') && name != "id"
            }));
        }
        profile
    }

    fn collection_index(&mut self, name: &str) -> u32 {
        let found = self
            .collections
            .iter()
            .position(|collection| collection.name == name);
        let index = found.unwrap_or_else(|| {
            self.collections.push(Collection {
                name: name.to_owned(),
                by_id: HashMap::new(),
                members: Vec::new(),
            });
            self.collections.len() - 1
        });
        to_u32(index)
    }

    fn insert(&mut self, collection: u32, id: &str, at: DateTime<Utc>) -> u32 {
        let index = to_u32(self.arena.len());
        let id: Arc<str> = id.into();
        if let Some(collection) = self.collections.get_mut(collection as usize) {
            collection.by_id.insert(Arc::clone(&id), index);
            collection.members.push(index);
        }
        self.arena.push(Listing {
            collection,
            id,
            email: None,
            customer_id: None,
            json: "".into(),
            claims: Claims::default(),
            created_at: at,
            updated_at: at,
            sequence: 0,
            told_subscribed: false,
            told_unsubscribed: false,
        });
        index
    }

    /// Ometria fires an event the first time only, and only if claim and time come together.
    fn fire(
        events: &mut Events,
        listing: &mut Listing,
        record: &Map<String, Value>,
        claim: Option<Claim>,
    ) {
        let has = |name| record.get(name).is_some_and(|value| !value.is_null());
        match claim {
            Some(Claim::OptedIn) if has("timestamp_subscribed") && !listing.told_subscribed => {
                listing.told_subscribed = true;
                events.subscribed += 1;
            }
            Some(Claim::OptedOut)
                if has("timestamp_unsubscribed") && !listing.told_unsubscribed =>
            {
                listing.told_unsubscribed = true;
                events.unsubscribed += 1;
            }
            _ => {}
        }
    }

    fn index_email(&mut self, index: u32, email: Option<&str>) {
        let Some(listing) = self.arena.get_mut(index as usize) else {
            return;
        };
        if listing.email.as_deref() == email {
            return;
        }
        let old = listing.email.take();
        if let Some(email) = email {
            let key: Arc<str> = match self.people.get_key_value(email) {
                Some((key, _)) => Arc::clone(key),
                None => email.into(),
            };
            listing.email = Some(Arc::clone(&key));
            push_one(&mut self.people.entry(key).or_default().listings, index);
        }
        if let Some(person) = old.and_then(|old| self.people.get_mut(&old)) {
            person.listings.retain(|&other| other != index);
        }
    }

    fn index_customer(&mut self, index: u32, customer: Option<&str>) {
        let Some(listing) = self.arena.get_mut(index as usize) else {
            return;
        };
        if listing.customer_id.as_deref() == customer {
            return;
        }
        if let Some(members) = listing
            .customer_id
            .take()
            .and_then(|old| self.by_customer.get_mut(&old))
        {
            members.retain(|&other| other != index);
        }
        if let Some(customer) = customer {
            let key: Arc<str> = customer.into();
            listing.customer_id = Some(Arc::clone(&key));
            push_one(self.by_customer.entry(key).or_default(), index);
        }
    }

    fn move_segments(&mut self, index: u32, record: &Map<String, Value>) {
        let ids = |name| {
            record
                .get(name)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_u64)
        };
        for id in ids("@add_to_lists") {
            self.segments.entry(id).or_default().insert(index);
        }
        for id in ids("@remove_from_lists") {
            self.segments.entry(id).or_default().remove(&index);
        }
    }
}

/// Most lists here stay at one element, and a million times four would be a lot.
fn push_one<T>(list: &mut Vec<T>, item: T) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.push(item);
}

/// Addresses are compared without case and surrounding space.
pub(crate) fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

fn to_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
