//! A sorted set of numbers that knows the position of each.

/// Sorted `u64` keys in blocks, so that a page at any depth, and the size of any range, cost microseconds among millions
/// of keys, and so does one change.
#[derive(Debug, Default, Clone)]
pub(crate) struct OrderedSet {
    /// Sorted, disjoint, none of them empty.
    blocks: Vec<Vec<u64>>,
    len: usize,
}

/// Keys in a block after a bulk build; blocks split at twice this.
const BLOCK: usize = 512;

impl OrderedSet {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a key; `false` when it was there.
    pub(crate) fn insert(&mut self, key: u64) -> bool {
        let at = self.block_of(key).min(self.blocks.len().saturating_sub(1));
        let Some(block) = self.blocks.get_mut(at) else {
            self.blocks.push(vec![key]);
            self.len = 1;
            return true;
        };
        let Err(position) = block.binary_search(&key) else {
            return false;
        };
        block.insert(position, key);
        self.len += 1;
        if block.len() >= 2 * BLOCK {
            let upper = block.split_off(BLOCK);
            self.blocks.insert(at + 1, upper);
        }
        true
    }

    /// Takes a key out; `false` when it was not there.
    pub(crate) fn remove(&mut self, key: u64) -> bool {
        let at = self.block_of(key);
        let Some(block) = self.blocks.get_mut(at) else {
            return false;
        };
        let Ok(position) = block.binary_search(&key) else {
            return false;
        };
        block.remove(position);
        self.len -= 1;
        if block.is_empty() {
            self.blocks.remove(at);
        }
        true
    }

    /// Adds many keys at once.
    pub(crate) fn extend(&mut self, mut keys: Vec<u64>) {
        if keys.len() < self.len / 64 {
            for key in keys {
                self.insert(key);
            }
            return;
        }
        keys.reserve(self.len);
        for block in &self.blocks {
            keys.extend_from_slice(block);
        }
        keys.sort_unstable();
        keys.dedup();
        self.len = keys.len();
        self.blocks = keys.chunks(BLOCK).map(<[u64]>::to_vec).collect();
    }

    /// How many keys are smaller than this one.
    pub(crate) fn rank(&self, key: u64) -> usize {
        let at = self.block_of(key);
        let before: usize = self.blocks[..at].iter().map(Vec::len).sum();
        before
            + self
                .blocks
                .get(at)
                .map_or(0, |block| block.partition_point(|&held| held < key))
    }

    /// The keys at positions `start..end`, ascending.
    pub(crate) fn range(&self, start: usize, end: usize) -> impl Iterator<Item = u64> + '_ {
        let mut skip = start;
        let mut first = self.blocks.len();
        for (index, block) in self.blocks.iter().enumerate() {
            if skip < block.len() {
                first = index;
                break;
            }
            skip -= block.len();
        }
        self.blocks[first..]
            .iter()
            .flatten()
            .copied()
            .skip(skip)
            .take(end.saturating_sub(start))
    }

    /// The first block whose last key is not smaller.
    fn block_of(&self, key: u64) -> usize {
        self.blocks
            .partition_point(|block| block.last().is_some_and(|&last| last < key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_tree_set(
            bulk in proptest::collection::vec(0_u64..5000, 0..3000),
            steps in proptest::collection::vec((any::<bool>(), 0_u64..5000), 0..2000),
            more in proptest::collection::vec(0_u64..6000, 0..200),
            probe in 0_u64..6000,
        ) {
            let mut set = OrderedSet::default();
            let mut model: BTreeSet<u64> = bulk.iter().copied().collect();
            set.extend(bulk);
            for (add, key) in steps {
                if add {
                    prop_assert_eq!(set.insert(key), model.insert(key));
                } else {
                    prop_assert_eq!(set.remove(key), model.remove(&key));
                }
            }
            model.extend(&more);
            set.extend(more);
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.rank(probe), model.range(..probe).count());
            let start = model.len() / 3;
            let end = model.len() * 2 / 3;
            let expected: Vec<u64> = model.iter().copied().skip(start).take(end - start).collect();
            prop_assert_eq!(set.range(start, end).collect::<Vec<_>>(), expected);
        }
    }
}
