//! What the ledger remembers about one listing besides the fingerprint.
//!
//! Version 1: the byte 1, a byte of flags, eight bytes of the address's digest, then as the flags say the opt-out times
//! (two times eight bytes), the segments (a length and ids, each seven bits to a byte with the lowest first and the high bit
//! set on all bytes but the last) and the listing id. Ten bytes for most listings.

use crate::fact::Fact;

/// What the listing at Ometria claims, as far as the pushes that were accepted say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Nothing was ever claimed.
    None = 0,
    /// Opted in.
    OptedIn = 1,
    /// Opted out, not forced.
    OptedOut = 2,
    /// Opted out by force.
    ForcedOut = 3,
    /// A claim was withdrawn.
    NotSpecified = 4,
    /// The note cannot be read, so anything may have been claimed.
    Unknown = 7,
}

impl Claim {
    fn from_bits(bits: u8) -> Self {
        match bits {
            0 => Self::None,
            1 => Self::OptedIn,
            2 => Self::OptedOut,
            3 => Self::ForcedOut,
            4 => Self::NotSpecified,
            _ => Self::Unknown,
        }
    }

    pub(crate) fn is_out(self) -> bool {
        matches!(self, Self::OptedOut | Self::ForcedOut)
    }
}

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) claim: Claim,
    /// The member's own opt-out. It stands in the shared ledger too, but there under the address, and this one survives a
    /// change of the address.
    pub(crate) opt_out: Option<Fact>,
    /// Of the address that was sent last.
    pub(crate) address: u64,
    /// The listing's id, if it is not the key.
    pub(crate) listing_id: Option<Box<str>>,
    /// Segments that were joined because of us.
    pub(crate) segments: Vec<u64>,
    /// Other listings that a push on its way may have written; an empty id is the key.
    pub(crate) perhaps: Vec<Box<str>>,
}

const VERSION: u8 = 1;
const CLAIM: u8 = 0b0000_0111;
const UNSUBSCRIBED: u8 = 0b0000_1000;
const HAS_OPT_OUT: u8 = 0b0001_0000;
const HAS_LISTING_ID: u8 = 0b0010_0000;
const HAS_SEGMENTS: u8 = 0b0100_0000;
const HAS_PERHAPS: u8 = 0b1000_0000;

impl Note {
    /// What is true of a record until a push that leaves the note `next` has arrived: this note, and whatever that push
    /// may have done already.
    pub(crate) fn or_perhaps(mut self, next: &Self) -> Self {
        if self.listing_id != next.listing_id {
            self.perhaps
                .push(next.listing_id.clone().unwrap_or_default());
            self.perhaps.sort_unstable();
            self.perhaps.dedup();
        }
        self.segments.extend(&next.segments);
        self.segments.sort_unstable();
        self.segments.dedup();
        self
    }

    pub(crate) fn encode(&self) -> Box<[u8]> {
        let mut flags = self.claim as u8;
        if let Some(fact) = self.opt_out {
            flags |= HAS_OPT_OUT;
            if fact.unsubscribed {
                flags |= UNSUBSCRIBED;
            }
        }
        if self.listing_id.is_some() {
            flags |= HAS_LISTING_ID;
        }
        if !self.segments.is_empty() {
            flags |= HAS_SEGMENTS;
        }
        if !self.perhaps.is_empty() {
            flags |= HAS_PERHAPS;
        }
        let mut bytes = vec![VERSION, flags];
        bytes.extend_from_slice(&self.address.to_le_bytes());
        if let Some(fact) = self.opt_out {
            bytes.extend_from_slice(&fact.first.to_le_bytes());
            bytes.extend_from_slice(&fact.last.to_le_bytes());
        }
        if !self.segments.is_empty() {
            push_number(&mut bytes, self.segments.len() as u64);
            for segment in &self.segments {
                push_number(&mut bytes, *segment);
            }
        }
        if !self.perhaps.is_empty() {
            push_number(&mut bytes, self.perhaps.len() as u64);
            for id in &self.perhaps {
                push_number(&mut bytes, id.len() as u64);
                bytes.extend_from_slice(id.as_bytes());
            }
        }
        if let Some(id) = &self.listing_id {
            bytes.extend_from_slice(id.as_bytes());
        }
        bytes.into_boxed_slice()
    }

    /// A note that cannot be read, such as one of a newer version, becomes one that claims the unknown: nobody is opted in
    /// on its strength.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        Self::decode_v1(bytes).unwrap_or(Self {
            claim: Claim::Unknown,
            opt_out: None,
            address: 0,
            listing_id: None,
            segments: Vec::new(),
            perhaps: Vec::new(),
        })
    }

    fn decode_v1(bytes: &[u8]) -> Option<Self> {
        let (&[version, flags], rest) = bytes.split_first_chunk()?;
        if version != VERSION {
            return None;
        }
        let (address, mut rest) = rest.split_first_chunk()?;
        let mut opt_out = None;
        if flags & HAS_OPT_OUT != 0 {
            let (first, after) = rest.split_first_chunk()?;
            let (last, after) = after.split_first_chunk()?;
            opt_out = Some(Fact {
                unsubscribed: flags & UNSUBSCRIBED != 0,
                first: i64::from_le_bytes(*first),
                last: i64::from_le_bytes(*last),
            });
            rest = after;
        }
        let mut segments = Vec::new();
        if flags & HAS_SEGMENTS != 0 {
            for _ in 0..take_number(&mut rest)? {
                segments.push(take_number(&mut rest)?);
            }
        }
        let mut perhaps = Vec::new();
        if flags & HAS_PERHAPS != 0 {
            for _ in 0..take_number(&mut rest)? {
                let length = usize::try_from(take_number(&mut rest)?).ok()?;
                let (id, after) = rest.split_at_checked(length)?;
                perhaps.push(std::str::from_utf8(id).ok()?.into());
                rest = after;
            }
        }
        let listing_id = if flags & HAS_LISTING_ID != 0 {
            Some(std::str::from_utf8(rest).ok()?.into())
        } else if rest.is_empty() {
            None
        } else {
            return None;
        };
        Some(Self {
            claim: Claim::from_bits(flags & CLAIM),
            opt_out,
            address: u64::from_le_bytes(*address),
            listing_id,
            segments,
            perhaps,
        })
    }
}

fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

/// Takes a number from the front; `None`: there is none, or it has more than 64 bits.
fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return None;
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLAIMS: [Claim; 6] = [
        Claim::None,
        Claim::OptedIn,
        Claim::OptedOut,
        Claim::ForcedOut,
        Claim::NotSpecified,
        Claim::Unknown,
    ];

    proptest! {
        #[test]
        fn notes_come_back(
            claim in proptest::sample::select(&CLAIMS[..]),
            opt_out in proptest::option::of((any::<bool>(), any::<i64>(), any::<i64>())),
            address: u64,
            listing_id in proptest::option::of("\\PC{1,20}"),
            segments in proptest::collection::vec(any::<u64>(), 0..4),
            perhaps in proptest::collection::vec("\\PC{0,20}", 0..3),
        ) {
            let opt_out = opt_out
                .map(|(unsubscribed, first, last)| Fact { unsubscribed, first, last });
            let perhaps = perhaps.into_iter().map(Into::into).collect();
            let note = Note { claim, opt_out, address, listing_id: listing_id.map(Into::into), segments, perhaps };
            prop_assert_eq!(Note::decode(&note.encode()), note);
        }

        #[test]
        fn any_bytes_are_a_note(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let note = Note::decode(&bytes);
            if bytes.first() != Some(&VERSION) {
                prop_assert_eq!(note.claim, Claim::Unknown);
            }
        }
    }

    #[test]
    fn a_note_of_version_1_is_read_for_good() {
        // Written by version 1; never change these bytes.
        let bytes = [
            1,
            0b0011_1011,
            8,
            7,
            6,
            5,
            4,
            3,
            2,
            1,
            10,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            20,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            b'i',
            b'd',
        ];
        let note = Note {
            claim: Claim::ForcedOut,
            opt_out: Some(Fact {
                unsubscribed: true,
                first: 10,
                last: 20,
            }),
            address: 0x0102_0304_0506_0708,
            listing_id: Some("id".into()),
            segments: Vec::new(),
            perhaps: Vec::new(),
        };
        assert_eq!(Note::decode(&bytes), note);
        assert_eq!(*note.encode(), bytes);
    }

    #[test]
    fn an_ordinary_note_takes_ten_bytes() {
        let note = Note {
            claim: Claim::OptedIn,
            opt_out: None,
            address: 1,
            listing_id: None,
            segments: Vec::new(),
            perhaps: Vec::new(),
        };
        assert_eq!(note.encode().len(), 10);
    }

    #[test]
    fn segments_stand_between_the_times_and_the_listing_id() {
        // Never change these bytes.
        let bytes = [
            1,
            0b0110_0001,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            2,
            5,
            0xac,
            0x02,
            b'i',
            b'd',
        ];
        let note = Note {
            claim: Claim::OptedIn,
            opt_out: None,
            address: 0,
            listing_id: Some("id".into()),
            segments: vec![5, 300],
            perhaps: Vec::new(),
        };
        assert_eq!(Note::decode(&bytes), note);
        assert_eq!(*note.encode(), bytes);
    }

    #[test]
    fn a_number_that_is_cut_or_too_large_makes_the_note_unreadable() {
        let start = [1, 0b0100_0001, 0, 0, 0, 0, 0, 0, 0, 0];
        let largest = [&[1][..], &[0xff; 9], &[0x01]].concat();
        let with = |rest: &[u8]| Note::decode(&[&start[..], rest].concat());
        assert_eq!(with(&largest).segments, [u64::MAX]);
        let too_large = [&[1][..], &[0xff; 9], &[0x02]].concat();
        let too_long = [&[1][..], &[0x80; 10], &[0x01]].concat();
        for rest in [&[][..], &[2, 5], &[1, 0x80], &too_large, &too_long] {
            assert_eq!(with(rest).claim, Claim::Unknown, "{rest:?}");
        }
    }
}
