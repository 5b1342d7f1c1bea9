//! Which keys a segment certainly does not hold.

/// Bits for each key: of a hundred keys that are not there, about one seems to be.
const BITS_PER_KEY: u64 = 10;

/// Bits set for a key.
const PROBES: u32 = 6;

/// Words of a line: all bits of a key lie in one, so that a question costs one look into memory.
const LINE: usize = 8;

/// A Bloom filter in lines of 64 bytes.
#[derive(Debug)]
pub(super) struct Filter {
    words: Vec<u64>,
}

/// What a filter knows a key by.
pub(super) fn hash(key: &[u8]) -> u64 {
    sync_core::fingerprint(key)
}

impl Filter {
    /// A filter with room for so many keys.
    pub(super) fn for_entries(keys: u64) -> Self {
        let bits = keys.saturating_mul(BITS_PER_KEY);
        let lines = usize::try_from(bits.div_ceil(64 * LINE as u64)).unwrap_or(usize::MAX / LINE);
        Self {
            words: vec![0; lines.max(1) * LINE],
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks();
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        (rest.is_empty() && !words.is_empty() && words.len().is_multiple_of(LINE))
            .then_some(Self { words })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        self.words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect()
    }

    pub(super) fn add(&mut self, hash: u64) {
        let line = self.line(hash);
        if let Some(line) = self.words.get_mut(line) {
            for bit in bits(hash) {
                line[bit / 64] |= 1 << (bit % 64);
            }
        }
    }

    /// `false`: the key was not added.
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        let line = self.words.get(self.line(hash)).unwrap_or_default();
        bits(hash).all(|bit| line[bit / 64] & (1 << (bit % 64)) != 0)
    }

    /// The words of a key's line. The upper half of the hash chooses it, evenly.
    fn line(&self, hash: u64) -> std::ops::Range<usize> {
        let lines = (self.words.len() / LINE) as u64;
        let at = ((hash >> 32) * lines) >> 32;
        let start = usize::try_from(at).unwrap_or_default() * LINE;
        start..start + LINE
    }
}

/// The bits of a key in its line, nine bits of a second hash for each.
fn bits(hash: u64) -> impl Iterator<Item = usize> {
    let spread = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..PROBES).map(move |probe| ((spread >> (10 + 9 * probe)) & 0x1ff) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_may_be_there_and_little_else() {
        let mut filter = Filter::for_entries(10_000);
        (0..10_000_u64).for_each(|n| filter.add(hash(&n.to_le_bytes())));
        let filter = Filter::decode(&filter.encode()).unwrap();
        assert!((0..10_000_u64).all(|n| filter.may_hold(hash(&n.to_le_bytes()))));
        let wrong = (10_000..110_000_u64).filter(|n| filter.may_hold(hash(&n.to_le_bytes())));
        let wrong = wrong.count();
        assert!(wrong < 2_500, "{wrong} of 100,000 absent keys seem present");
    }

    #[test]
    fn broken_bytes_are_no_filter() {
        for length in [0, 1, 8, 63, 65, 72] {
            assert!(Filter::decode(&vec![0; length]).is_none(), "{length}");
        }
    }
}
