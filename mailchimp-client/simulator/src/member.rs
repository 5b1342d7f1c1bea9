//! A member as it is kept.

use md5::{Digest, Md5};
use serde_json::Value;

use crate::spec::Status;

/// MD5 of the lower-cased address: what the API calls a member's `id`.
pub(crate) type Hash = [u8; 16];

/// What changes most and what lists filter by; the rest is in the profile.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) hash: Hash,
    pub(crate) last_changed: u32,
    /// Zero when never confirmed.
    pub(crate) timestamp_opt: u32,
    /// Zero unless unsubscribed.
    pub(crate) unsubscribed_at: u32,
    pub(crate) status: Status,
    pub(crate) body: Body,
}

/// Generated members cost nothing until something about them changes.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// The member with this number, as the audience's generator makes it.
    Generated(u32),
    Own(Box<Profile>),
}

/// Everything else about a member.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Profile {
    pub(crate) email: String,
    pub(crate) text_only: bool,
    /// By merge id; a field that is not here is empty.
    pub(crate) merge: Vec<(u32, Value)>,
    /// Numbers of the chosen interests.
    pub(crate) interests: Vec<u32>,
    pub(crate) tags: Vec<TagHeld>,
    pub(crate) language: String,
    pub(crate) vip: bool,
    pub(crate) ip_signup: String,
    pub(crate) ip_opt: String,
    /// Zero when unknown.
    pub(crate) timestamp_signup: u32,
    pub(crate) source: &'static str,
    pub(crate) rating: u8,
    pub(crate) unsubscribe_reason: String,
    pub(crate) location: Option<Location>,
    pub(crate) marketing_permission: bool,
    /// Oldest first.
    pub(crate) notes: Vec<Note>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TagHeld {
    /// A tag is a static segment and has its id.
    pub(crate) segment: u32,
    pub(crate) added: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Location {
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) country_code: &'static str,
    pub(crate) timezone: &'static str,
    pub(crate) region: &'static str,
    pub(crate) gmtoff: i8,
}

impl Location {
    /// What the API shows for "nowhere known".
    pub(crate) const UNKNOWN: Self = Self {
        latitude: 0.0,
        longitude: 0.0,
        country_code: "",
        timezone: "",
        region: "",
        gmtoff: 0,
    };
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Note {
    pub(crate) id: u32,
    pub(crate) created_at: u32,
    pub(crate) text: String,
}

impl Member {
    /// A new member.
    pub(crate) fn created(mut profile: Profile, status: Status, now: u32) -> Self {
        profile.set_unsubscribed(status == Status::Unsubscribed);
        Self {
            hash: hash_of(&profile.email),
            last_changed: now,
            timestamp_opt: if status == Status::Subscribed { now } else { 0 },
            unsubscribed_at: if status == Status::Unsubscribed {
                now
            } else {
                0
            },
            status,
            body: Body::Own(Box::new(profile)),
        }
    }

    /// Sets what goes with a status that was taken at `now`.
    pub(crate) fn entered(&mut self, profile: &mut Profile, now: u32) {
        profile.set_unsubscribed(self.status == Status::Unsubscribed);
        self.unsubscribed_at = if self.status == Status::Unsubscribed {
            now
        } else {
            0
        };
        if self.status == Status::Subscribed {
            self.timestamp_opt = now;
        }
    }
}

impl Profile {
    /// The profile of a new member, before anything is known but the address.
    pub(crate) fn new(email: &str, source: &'static str) -> Self {
        Self {
            email: email.to_owned(),
            source,
            rating: 2,
            ..Self::default()
        }
    }

    /// Gives a reason if there is none, or takes it away.
    fn set_unsubscribed(&mut self, unsubscribed: bool) {
        if !unsubscribed {
            self.unsubscribe_reason.clear();
        } else if self.unsubscribe_reason.is_empty() {
            self.unsubscribe_reason
                .push_str("N/A (Unsubscribed by admin)");
        }
    }

    pub(crate) fn merge_value(&self, merge_id: u32) -> Option<&Value> {
        self.merge
            .iter()
            .find(|(id, _)| *id == merge_id)
            .map(|(_, value)| value)
    }

    pub(crate) fn set_merge_value(&mut self, merge_id: u32, value: Value) {
        match self.merge.iter_mut().find(|(id, _)| *id == merge_id) {
            Some((_, held)) => *held = value,
            None if value == "" => {}
            None => self.merge.push((merge_id, value)),
        }
    }

    pub(crate) fn set_interest(&mut self, number: u32, chosen: bool) {
        match self.interests.binary_search(&number) {
            Err(at) if chosen => self.interests.insert(at, number),
            Ok(at) if !chosen => {
                self.interests.remove(at);
            }
            _ => {}
        }
    }

    /// Adds or removes a tag; `false` when that changed nothing.
    pub(crate) fn set_tag(&mut self, segment: u32, active: bool, now: u32) -> bool {
        let held = self.tags.iter().position(|tag| tag.segment == segment);
        match (held, active) {
            (None, true) => self.tags.push(TagHeld {
                segment,
                added: now,
            }),
            (Some(at), false) => {
                self.tags.remove(at);
            }
            _ => return false,
        }
        true
    }
}

/// The id of an address.
pub(crate) fn hash_of(address: &str) -> Hash {
    Md5::digest(address.to_lowercase().as_bytes()).into()
}

/// Reads 32 hex digits of either case.
pub(crate) fn parse_hex(text: &str) -> Option<Hash> {
    let digits = text.as_bytes();
    if digits.len() != 32 {
        return None;
    }
    let mut hash = [0; 16];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(hash)
}

/// Appends lower-case hex digits, through a buffer: every row has half a dozen of these.
pub(crate) fn write_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for part in bytes.chunks(16) {
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(part) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        out.push_str(std::str::from_utf8(&text[..part.len() * 2]).unwrap_or_default());
    }
}

/// [`write_hex`] into a string of its own.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    write_hex(&mut out, bytes);
    out
}

/// The `unique_email_id` of an address: ten hex digits, the same in every audience.
pub(crate) fn unique_email_id(hash: &Hash) -> [u8; 5] {
    let [upper, _] = halves(hash);
    let mixed = mix(upper).to_be_bytes();
    [mixed[0], mixed[1], mixed[2], mixed[3], mixed[4]]
}

/// The `contact_id` of a member: looks random, and leads back to the `web_id` it was made from without a map.
pub(crate) fn contact_id(seed: u64, web_id: u64) -> [u8; 16] {
    let high = mix(seed ^ mix(web_id));
    let low = mix(high) ^ web_id;
    let mut id = [0; 16];
    id[..8].copy_from_slice(&high.to_be_bytes());
    id[8..].copy_from_slice(&low.to_be_bytes());
    id
}

/// The `web_id` that this contact id was made from, if it was.
pub(crate) fn web_id_of(seed: u64, contact: &[u8; 16]) -> Option<u64> {
    let [upper, lower] = halves(contact);
    let web_id = mix(upper) ^ lower;
    (contact_id(seed, web_id) == *contact).then_some(web_id)
}

fn halves(bytes: &[u8; 16]) -> [u64; 2] {
    let number = u128::from_be_bytes(*bytes);
    [number >> 64, number & u128::from(u64::MAX)].map(|half| u64::try_from(half).unwrap_or(0))
}

/// Scatters a number over all 64 bits, each number to another one.
pub(crate) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_md5_of_the_lower_cased_address() {
        assert_eq!(
            hex(&hash_of("Urist.McVankab@freddiesjokes.com")),
            "62eeb292278cc15f5817cb78f7790b08"
        );
    }

    #[test]
    fn a_contact_id_leads_back_to_its_web_id() {
        for web_id in [0, 1, 77, 100_000_000, u64::from(u32::MAX)] {
            let id = contact_id(5, web_id);
            assert_eq!(web_id_of(5, &id), Some(web_id));
            assert_eq!(web_id_of(6, &id), None);
        }
    }
}
