//! One audience: its members, how lists see them, and when changes show.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use crate::activity::Activity;
use crate::definitions::{Definitions, SegmentRule};
use crate::generate::{Generator, address_hash};
use crate::listing::Listing;
use crate::member::{Body, Hash, Member, Profile, hash_of, parse_hex, web_id_of};
use crate::spec::{AudienceSpec, Spread, Status};
use crate::timestamp;
use crate::webhooks::Webhook;

/// Web ids of different audiences never meet.
const WEB_IDS_PER_AUDIENCE: u64 = 1 << 32;

/// One audience.
#[derive(Debug)]
pub(crate) struct Audience {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_at: u32,
    pub(crate) definitions: Definitions,
    pub(crate) generator: Generator,
    pub(crate) webhooks: Vec<Webhook>,
    pub(crate) activity: HashMap<u32, Vec<Activity>>,
    /// Whether it has a store, which gives members statistics of sales.
    pub(crate) sells: bool,
    number: u32,
    seed: u64,
    /// By slot. A slot is taken in order of creation and never again, so that it orders ties as `web_id` does.
    members: Vec<Option<Member>>,
    by_hash: HashMap<Hash, u32>,
    forgotten: HashSet<Hash>,
    pub(crate) listing: Listing,
    /// Changes that lists do not show yet, oldest first.
    unseen: VecDeque<Unseen>,
    /// What lists show meanwhile, with how many unseen changes follow.
    outdated: HashMap<u32, (Option<Member>, usize)>,
    /// Moves with every change that lists see.
    revision: u64,
    segments_found: Mutex<HashMap<u32, SegmentFound>>,
}

#[derive(Debug)]
struct Unseen {
    /// Milliseconds since 1970.
    shows_at: i64,
    slot: u32,
    member: Option<Member>,
}

/// Who was in a segment when it was searched.
#[derive(Debug)]
struct SegmentFound {
    revision: u64,
    slots: Arc<[u32]>,
}

/// A moment at which something changes, and when lists will show it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// What the change is stamped with.
    pub(crate) stamp: u32,
    /// Milliseconds since 1970 when it shows.
    pub(crate) shows_at: i64,
    /// Whether that is now.
    pub(crate) at_once: bool,
}

impl Audience {
    /// An audience with its generated members. `number` counts the account's audiences.
    pub(crate) fn new(
        spec: AudienceSpec,
        number: u32,
        seed: u64,
        now: u32,
        hidden: Vec<Status>,
    ) -> Self {
        let definitions = Definitions::new(&spec, seed, number, now);
        let generator = Generator::new(&spec, &definitions, seed, number, now);
        let mut audience = Self {
            id: spec.id,
            name: spec.name,
            created_at: now,
            definitions,
            generator,
            webhooks: Vec::new(),
            activity: HashMap::new(),
            sells: false,
            number,
            seed,
            members: Vec::new(),
            by_hash: HashMap::new(),
            forgotten: HashSet::new(),
            listing: Listing::new(hidden),
            unseen: VecDeque::new(),
            outdated: HashMap::new(),
            revision: 0,
            segments_found: Mutex::default(),
        };
        audience.generate(spec.first_member, spec.members, spec.spread);
        audience
    }

    /// Adds `count` generated members, shown at once; those whose address is taken are left out. Gives how many came.
    pub(crate) fn generate(&mut self, first: u32, count: u32, spread: Spread) -> u32 {
        let capacity = count as usize;
        self.members.reserve(capacity);
        self.by_hash.reserve(capacity);
        let first_slot = self.members.len();
        for position in 0..count {
            let number = first.saturating_add(position);
            if self.by_hash.contains_key(&address_hash(number)) {
                continue;
            }
            let member = self.generator.member(number, position, count, spread);
            let Some(slot) = self.free_slot() else { break };
            self.by_hash.insert(member.hash, slot);
            self.members.push(Some(member));
        }
        let added = (0_u32..).zip(&self.members).skip(first_slot);
        self.listing.extend(added.filter_map(|(slot, member)| {
            let member = member.as_ref()?;
            Some((member.status, member.last_changed, slot))
        }));
        self.revision += 1;
        u32::try_from(self.members.len() - first_slot).unwrap_or(count)
    }

    fn free_slot(&self) -> Option<u32> {
        u32::try_from(self.members.len()).ok()
    }

    /// Members of every status, archived ones included.
    pub(crate) fn len(&self) -> usize {
        self.by_hash.len()
    }

    pub(crate) fn web_id(&self, slot: u32) -> u64 {
        WEB_IDS_PER_AUDIENCE * u64::from(self.number + 1) + u64::from(slot)
    }

    /// Current members in order of creation.
    pub(crate) fn members(&self) -> impl Iterator<Item = (u32, &Member)> {
        (0_u32..)
            .zip(&self.members)
            .filter_map(|(slot, member)| Some((slot, member.as_ref()?)))
    }

    /// The current member in a slot.
    pub(crate) fn member(&self, slot: u32) -> Option<&Member> {
        self.members.get(slot as usize)?.as_ref()
    }

    /// The member in a slot as lists show it.
    pub(crate) fn shown(&self, slot: u32) -> Option<&Member> {
        if let Some((member, _)) = self.outdated.get(&slot) {
            return member.as_ref();
        }
        self.member(slot)
    }

    /// The slot of a member named by id, contact id or address.
    pub(crate) fn find(&self, key: &str) -> Option<u32> {
        if key.contains('@') {
            return self.find_hash(&hash_of(key));
        }
        let key = parse_hex(key)?;
        self.find_hash(&key).or_else(|| {
            let slot = web_id_of(self.seed, &key)?.checked_sub(self.web_id(0))?;
            let slot = u32::try_from(slot).ok()?;
            self.member(slot).map(|_| slot)
        })
    }

    pub(crate) fn find_hash(&self, hash: &Hash) -> Option<u32> {
        self.by_hash.get(hash).copied()
    }

    pub(crate) fn is_forgotten(&self, hash: &Hash) -> bool {
        self.forgotten.contains(hash)
    }

    /// A copy of everything about a member.
    pub(crate) fn profile(&self, member: &Member) -> Profile {
        match &member.body {
            Body::Own(profile) => (**profile).clone(),
            Body::Generated(number) => {
                let mut profile = Profile::default();
                self.generator.fill(*number, member.status, &mut profile);
                profile
            }
        }
    }

    /// Adds a member and gives its slot.
    pub(crate) fn create(&mut self, member: Member, moment: Moment) -> Option<u32> {
        let slot = self.free_slot()?;
        self.forgotten.remove(&member.hash);
        self.members.push(None);
        self.replace(slot, Some(member), moment);
        Some(slot)
    }

    /// Changes a member; `false` when nothing about it is different then, and `last_changed` stays.
    pub(crate) fn update(
        &mut self,
        slot: u32,
        moment: Moment,
        change: impl FnOnce(&mut Member, &mut Profile),
    ) -> bool {
        let Some(before) = self.member(slot) else {
            return false;
        };
        let profile_before = self.profile(before);
        let (mut next, mut profile) = (before.clone(), profile_before.clone());
        change(&mut next, &mut profile);
        let same = next.status == before.status && next.timestamp_opt == before.timestamp_opt;
        if same && profile == profile_before {
            return false;
        }
        if next.status != before.status {
            let given = (next.timestamp_opt != before.timestamp_opt).then_some(next.timestamp_opt);
            next.entered(&mut profile, moment.stamp);
            next.timestamp_opt = given.unwrap_or(next.timestamp_opt);
        }
        next.hash = hash_of(&profile.email);
        next.last_changed = moment.stamp;
        next.body = Body::Own(Box::new(profile));
        self.replace(slot, Some(next), moment);
        true
    }

    /// Puts a new version of a member, or its absence, in its slot. Lists show it at the given moment.
    pub(crate) fn replace(&mut self, slot: u32, next: Option<Member>, moment: Moment) {
        let Some(place) = self.members.get_mut(slot as usize) else {
            return;
        };
        let before = std::mem::replace(place, next.clone());
        if let Some(before) = &before {
            self.by_hash.remove(&before.hash);
        }
        if let Some(next) = &next {
            self.by_hash.insert(next.hash, slot);
        }
        if moment.at_once && !self.outdated.contains_key(&slot) {
            self.listing.replace(slot, before.as_ref(), next.as_ref());
            self.revision += 1;
            return;
        }
        self.outdated.entry(slot).or_insert((before, 0)).1 += 1;
        self.unseen.push_back(Unseen {
            shows_at: moment.shows_at,
            slot,
            member: next,
        });
    }

    /// Forgets a member for good: its address cannot be imported again.
    pub(crate) fn forget(&mut self, slot: u32, moment: Moment) {
        if let Some(member) = self.member(slot) {
            self.forgotten.insert(member.hash);
        }
        self.activity.remove(&slot);
        self.replace(slot, None, moment);
    }

    /// Whether lists have something to show by now that they do not show yet.
    pub(crate) fn is_behind(&self, now: i64) -> bool {
        self.unseen
            .front()
            .is_some_and(|unseen| unseen.shows_at <= now)
    }

    /// Lets lists show what is due by now, in milliseconds since 1970.
    pub(crate) fn reveal(&mut self, now: i64) {
        while self.is_behind(now) {
            let Some(unseen) = self.unseen.pop_front() else {
                return;
            };
            let Some((shown, following)) = self.outdated.get_mut(&unseen.slot) else {
                continue;
            };
            self.listing
                .replace(unseen.slot, shown.as_ref(), unseen.member.as_ref());
            self.revision += 1;
            *following -= 1;
            if *following == 0 {
                self.outdated.remove(&unseen.slot);
            } else {
                *shown = unseen.member;
            }
        }
    }

    /// Slots of a segment's members as lists show them, archived ones left out.
    ///
    /// Kept until something changes: a walk over a large segment would otherwise search the audience anew for each page.
    pub(crate) fn segment_members(&self, segment: u32) -> Arc<[u32]> {
        let Some(definition) = self.definitions.segment(segment) else {
            return Arc::default();
        };
        let mut found = self
            .segments_found
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = found.get(&segment)
            && found.revision == self.revision
        {
            return Arc::clone(&found.slots);
        }
        let slots: Arc<[u32]> = match &definition.rule {
            SegmentRule::Static => self.matching(|member, _| match &member.body {
                Body::Generated(number) => self.generator.has_tag(*number, segment),
                Body::Own(profile) => profile.tags.iter().any(|tag| tag.segment == segment),
            }),
            SegmentRule::Saved { merge_field, value } => {
                let field = self.definitions.merge_field(merge_field);
                let wanted = value.to_lowercase();
                self.matching(|member, scratch| {
                    let profile = self.profile_in(member, scratch);
                    let held =
                        field.and_then(|field| profile.merge_value(field.merge_id)?.as_str());
                    held.is_some_and(|held| held.to_lowercase() == wanted)
                })
            }
        }
        .into();
        found.insert(
            segment,
            SegmentFound {
                revision: self.revision,
                slots: Arc::clone(&slots),
            },
        );
        slots
    }

    /// To be called when what a saved segment looks for may mean something else.
    pub(crate) fn forget_searches(&mut self) {
        self.segments_found
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// How many subscribed members chose an interest.
    pub(crate) fn interest_count(&self, interest: u32) -> usize {
        let chosen = self.matching(|member, _| {
            member.status == Status::Subscribed
                && match &member.body {
                    Body::Generated(number) => self.generator.has_interest(*number, interest),
                    Body::Own(profile) => profile.interests.contains(&interest),
                }
        });
        chosen.len()
    }

    /// Slots of the members that lists show, without archived ones, in order of `web_id`.
    fn matching(&self, wanted: impl Fn(&Member, &mut Profile) -> bool) -> Vec<u32> {
        let mut scratch = Profile::default();
        (0..self.free_slot().unwrap_or(u32::MAX))
            .filter(|&slot| {
                self.shown(slot).is_some_and(|member| {
                    member.status != Status::Archived && wanted(member, &mut scratch)
                })
            })
            .collect()
    }

    /// A member's profile, in borrowed memory when it is generated.
    pub(crate) fn profile_in<'a>(
        &self,
        member: &'a Member,
        scratch: &'a mut Profile,
    ) -> &'a Profile {
        match &member.body {
            Body::Own(profile) => profile,
            Body::Generated(number) => {
                self.generator.fill(*number, member.status, scratch);
                scratch
            }
        }
    }
}

impl Moment {
    /// Now, shown after `lag`.
    pub(crate) fn new(
        stamp: chrono::DateTime<chrono::Utc>,
        now: chrono::DateTime<chrono::Utc>,
        lag: std::time::Duration,
    ) -> Self {
        let lag = i64::try_from(lag.as_millis()).unwrap_or(i64::MAX);
        Self {
            stamp: timestamp::seconds(stamp),
            shows_at: now.timestamp_millis().saturating_add(lag),
            at_once: lag == 0,
        }
    }
}
