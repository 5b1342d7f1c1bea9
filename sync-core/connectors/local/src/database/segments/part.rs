//! Parts of the keys: ranges that digests fall into evenly.

use super::{FAN, SMALL};

/// One part for keys that are no digests, and one for each value of the first bits of those that are.
pub(super) const PARTS: usize = 1 + (1 << BITS);

const BITS: u32 = 5;

/// What the compact form of a digest begins with, and no other key: see [`sync_core::Key::to_compact`].
const DIGEST: u8 = 0xff;

/// Which part a key belongs to. A greater key never belongs to a lower part.
pub(super) fn part_of(key: &[u8]) -> usize {
    match key {
        [DIGEST, first, ..] => 1 + usize::from(first >> (8 - BITS)),
        _ => 0,
    }
}

/// Where the lowest tier of a part's segments ends. As each part has another, they come to a merge one after the other,
/// although they grow together.
pub(super) fn shortest(part: usize) -> u64 {
    SMALL + SMALL * (FAN as u64 - 1) * part as u64 / PARTS as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sync_core::Key;

    use super::*;

    #[test]
    fn digests_are_spread_over_all_parts_but_the_first() {
        let part = |key: &str| part_of(&Key::new(key).to_compact());
        assert_eq!(part("0123456789abcdef0123456789abcdef"), 1);
        assert_eq!(part("0823456789abcdef0123456789abcdef"), 2);
        assert_eq!(part("ff23456789abcdef0123456789abcdef"), 32);
        assert_eq!(part("\u{10ffff}"), 0);
        assert_eq!(part(""), 0);
    }

    proptest! {
        #[test]
        fn parts_keep_the_order_of_keys(
            mut keys in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(0xff), any::<u8>()], 0..4), 2),
        ) {
            keys.sort();
            prop_assert!(part_of(&keys[0]) <= part_of(&keys[1]));
            prop_assert!(part_of(&keys[1]) < PARTS);
        }
    }
}
