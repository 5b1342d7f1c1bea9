//! What the ledger remembers about one listing besides the fingerprint.
//!
//! Version 1: the byte 1, a byte of flags, eight bytes of the address's digest, then as the flags say the opt-out times
//! (two times eight bytes) and the listing id. Ten bytes for most listings.

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
}

const VERSION: u8 = 1;
const CLAIM: u8 = 0b0000_0111;
const UNSUBSCRIBED: u8 = 0b0000_1000;
const HAS_OPT_OUT: u8 = 0b0001_0000;
const HAS_LISTING_ID: u8 = 0b0010_0000;
const ALL: u8 = CLAIM | UNSUBSCRIBED | HAS_OPT_OUT | HAS_LISTING_ID;

impl Note {
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
        let mut bytes = vec![VERSION, flags];
        bytes.extend_from_slice(&self.address.to_le_bytes());
        if let Some(fact) = self.opt_out {
            bytes.extend_from_slice(&fact.first.to_le_bytes());
            bytes.extend_from_slice(&fact.last.to_le_bytes());
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
        })
    }

    fn decode_v1(bytes: &[u8]) -> Option<Self> {
        let (&[version, flags], rest) = bytes.split_first_chunk()?;
        if version != VERSION || flags & !ALL != 0 {
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
        })
    }
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
        ) {
            let opt_out = opt_out
                .map(|(unsubscribed, first, last)| Fact { unsubscribed, first, last });
            let note = Note { claim, opt_out, address, listing_id: listing_id.map(Into::into) };
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
        };
        assert_eq!(note.encode().len(), 10);
    }
}
