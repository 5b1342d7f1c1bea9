//! E-mail addresses: which are possible, and how one is remembered without being stored.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The longest address that fits into a mail envelope.
const LONGEST: usize = 254;

/// An address that could exist, without the white space around it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address<'a>(&'a str);

impl<'a> Address<'a> {
    /// `None` for text that is no address. Deliberately weak: the source validated it, Ometria does so again, and a
    /// person must not be lost to a rule of ours.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@')?;
        let possible = !local.is_empty()
            && !domain.is_empty()
            && text.len() <= LONGEST
            && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        possible.then_some(Self(text))
    }

    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }

    /// Equal for addresses that differ in case only, as Ometria joins those into one profile.
    pub(crate) fn digest(self) -> AddressDigest {
        let digest: [u8; 32] = Sha256::digest(self.0.to_lowercase().as_bytes()).into();
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        AddressDigest(short)
    }
}

/// Half of a SHA-256: names an address in the ledger without being one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AddressDigest([u8; 16]);

impl AddressDigest {
    pub(crate) fn to_hex(self) -> String {
        self.0
            .iter()
            .fold(String::with_capacity(32), |mut hex, byte| {
                // Writing to a string cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }

    /// Enough of it to notice that an address changed.
    pub(crate) fn mark(self) -> u64 {
        self.0
            .iter()
            .take(8)
            .fold(0, |mark, byte| mark << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn possible_addresses_are_trimmed_and_impossible_ones_refused() {
        for good in [
            "a@b",
            " Some.One+x@example.com\n",
            "\"a@b\"@example.com",
            "m\u{fc}@x.de",
        ] {
            assert_eq!(Address::parse(good).unwrap().as_str(), good.trim());
        }
        let long = format!("{}@b.c", "a".repeat(260));
        for bad in ["", " ", "a", "@b", "a@", "a b@c", "a@b\u{0}", long.as_str()] {
            assert!(Address::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn the_digest_ignores_case_and_surroundings_only() {
        let digest = |text| Address::parse(text).unwrap().digest().to_hex();
        assert_eq!(digest("Some@Example.com"), digest("  some@example.COM "));
        assert_ne!(digest("some@example.com"), digest("some+1@example.com"));
        // The start of the SHA-256 of "a@b", by sha256sum.
        assert_eq!(digest("A@b"), SHA256_OF_A_AT_B);
    }

    const SHA256_OF_A_AT_B: &str = "7508d8b5018ea640b85269861a101203";
}
