//! Which keys a segment certainly does not hold.

/// Bits for each key: of a hundred keys that are not there, two or three seem to be.
const BITS_PER_KEY: u64 = 8;

/// Bits set for a key.
const PROBES: u32 = 5;

/// Words of a line: all bits of a key lie in one, so that a question costs one look into memory.
const LINE: usize = 8;

/// Lines that are stored together.
const STORED: usize = 1024;

/// Lines that are in one place in memory, a page of it: a filter lives long, and in small pieces of one size it fits where
/// something else was before.
const PIECE: usize = 64;

/// A Bloom filter in lines of 64 bytes.
#[derive(Debug, Default)]
pub(super) struct Filter {
    lines: usize,
    /// All but the last are full.
    pieces: Vec<Vec<u64>>,
}

/// What a filter knows a key by.
pub(super) fn hash(key: &[u8]) -> u64 {
    sync_core::fingerprint(key)
}

impl Filter {
    /// A filter with room for so many keys.
    pub(super) fn for_entries(keys: u64) -> Self {
        let bits = keys.saturating_mul(BITS_PER_KEY);
        let lines = bits.div_ceil(64 * LINE as u64).max(1);
        let lines = usize::try_from(lines).unwrap_or(usize::MAX);
        let starts = (0..lines).step_by(PIECE);
        let pieces = starts.map(|start| vec![0; (lines - start).min(PIECE) * LINE]);
        Self {
            lines,
            pieces: pieces.collect(),
        }
    }

    /// What is stored together as bytes, in order.
    pub(super) fn encode(&self) -> impl Iterator<Item = Vec<u8>> {
        let together = self.pieces.chunks(STORED / PIECE);
        together.map(|pieces| {
            let words = pieces.iter().flatten();
            words.flat_map(|word| word.to_le_bytes()).collect()
        })
    }

    /// Adds what was stored together; `None` if there can be none such.
    pub(super) fn decode_next(&mut self, bytes: &[u8]) -> Option<()> {
        let (words, rest) = bytes.as_chunks();
        let lines = words.len() / LINE;
        let whole = rest.is_empty() && words.len().is_multiple_of(LINE);
        if !whole || !(1..=STORED).contains(&lines) || !self.lines.is_multiple_of(STORED) {
            return None;
        }
        self.lines += lines;
        for piece in words.chunks(PIECE * LINE) {
            let words = piece.iter().map(|word| u64::from_le_bytes(*word));
            self.pieces.push(words.collect());
        }
        Some(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines == 0
    }

    pub(super) fn add(&mut self, hash: u64) {
        let (piece, line) = self.place(hash);
        let piece = self.pieces.get_mut(piece);
        if let Some(line) = piece.and_then(|piece| piece.get_mut(line)) {
            for bit in bits(hash) {
                line[bit / 64] |= 1 << (bit % 64);
            }
        }
    }

    /// `false`: the key was not added.
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        let (piece, line) = self.place(hash);
        let piece = self.pieces.get(piece);
        piece
            .and_then(|piece| piece.get(line))
            .is_some_and(|line| bits(hash).all(|bit| line[bit / 64] & (1 << (bit % 64)) != 0))
    }

    /// The piece and the words in it of a key's line. The upper half of the hash chooses it, evenly.
    fn place(&self, hash: u64) -> (usize, std::ops::Range<usize>) {
        let line = ((hash >> 32) * self.lines as u64) >> 32;
        let line = usize::try_from(line).unwrap_or_default();
        let start = line % PIECE * LINE;
        (line / PIECE, start..start + LINE)
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
        let mut filter = Filter::for_entries(100_000);
        (0..100_000_u64).for_each(|n| filter.add(hash(&n.to_le_bytes())));
        let mut read = Filter::default();
        filter
            .encode()
            .for_each(|piece| read.decode_next(&piece).unwrap());
        assert_eq!((read.lines, &read.pieces), (filter.lines, &filter.pieces));
        assert!((0..100_000_u64).all(|n| filter.may_hold(hash(&n.to_le_bytes()))));
        let wrong = (100_000..200_000_u64).filter(|n| filter.may_hold(hash(&n.to_le_bytes())));
        let wrong = wrong.count();
        assert!(wrong < 4_000, "{wrong} of 100,000 absent keys seem present");
    }

    #[test]
    fn broken_bytes_are_no_filter() {
        for length in [0, 1, 8, 63, 65, 72, 64 * STORED + 64] {
            let mut filter = Filter::default();
            assert!(filter.decode_next(&vec![0; length]).is_none(), "{length}");
            assert!(!filter.may_hold(7));
        }
        let mut filter = Filter::default();
        filter.decode_next(&[0; 64]).unwrap();
        assert!(
            filter.decode_next(&[0; 64]).is_none(),
            "a short piece is the last"
        );
    }
}
