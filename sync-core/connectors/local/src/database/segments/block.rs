//! Entries as bytes.
//!
//! An entry is the key's length, the key, and 0 for a removal; otherwise the note's length plus one, the fingerprint and the
//! note. Lengths are written in groups of seven bits, the lowest first; the fingerprint in eight bytes, the lowest first.

use crate::database::damaged;

/// A block grows no longer, unless a single entry is: with its row's own bytes it fills one page of the file.
pub(super) const LENGTH: usize = 4050;

/// A key and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::database) struct Entry<'a> {
    pub(in crate::database) key: &'a [u8],
    /// `None`: older segments do not count.
    pub(in crate::database) value: Option<Value<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::database) struct Value<'a> {
    pub(in crate::database) fingerprint: u64,
    pub(in crate::database) note: &'a [u8],
}

impl<'a> Entry<'a> {
    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        put_length(to, self.key.len());
        to.extend_from_slice(self.key);
        match &self.value {
            None => put_length(to, 0),
            Some(value) => {
                put_length(to, value.note.len() + 1);
                to.extend_from_slice(&value.fingerprint.to_le_bytes());
                to.extend_from_slice(value.note);
            }
        }
    }

    /// The entry that `bytes` begins with, and the rest.
    pub(super) fn decode(bytes: &'a [u8]) -> rusqlite::Result<(Self, &'a [u8])> {
        take_entry(bytes).ok_or_else(|| damaged(0, "not a block of entries"))
    }
}

fn take_entry(bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (length, bytes) = take_length(bytes)?;
    let (key, bytes) = bytes.split_at_checked(length)?;
    let (tag, bytes) = take_length(bytes)?;
    let Some(length) = tag.checked_sub(1) else {
        return Some((Entry { key, value: None }, bytes));
    };
    let (fingerprint, bytes) = bytes.split_first_chunk()?;
    let (note, bytes) = bytes.split_at_checked(length)?;
    let value = Some(Value {
        fingerprint: u64::from_le_bytes(*fingerprint),
        note,
    });
    Some((Entry { key, value }, bytes))
}

/// The entry of a key in a block.
pub(super) fn find_in<'b>(block: &'b [u8], key: &[u8]) -> rusqlite::Result<Option<Entry<'b>>> {
    let mut rest = block;
    while !rest.is_empty() {
        let (entry, behind) = Entry::decode(rest)?;
        if entry.key >= key {
            return Ok((entry.key == key).then_some(entry));
        }
        rest = behind;
    }
    Ok(None)
}

fn put_length(to: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        to.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    to.push(length.to_le_bytes()[0]);
}

/// How many bytes a length takes.
pub(super) fn width_of_length(length: usize) -> usize {
    (length.max(1).ilog2() / 7 + 1) as usize
}

fn take_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    for (at, &byte) in bytes.iter().enumerate().take(5) {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Some((length, &bytes[at + 1..]));
        }
    }
    None
}

/// The first key of each block of a segment.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// Each with its length in front.
    bytes: Vec<u8>,
    /// Where in `bytes` each begins.
    at: Vec<u32>,
}

impl Starts {
    pub(super) fn decode(bytes: Vec<u8>) -> Option<Self> {
        let mut at = Vec::new();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            at.push(u32::try_from(bytes.len() - rest.len()).ok()?);
            let (length, key) = take_length(rest)?;
            rest = key.get(length..)?;
        }
        Some(Self { bytes, at })
    }

    pub(super) fn encoded(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn push(&mut self, key: &[u8]) {
        self.at
            .push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        put_length(&mut self.bytes, key.len());
        self.bytes.extend_from_slice(key);
    }

    /// Takes no more memory than it must.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.at.shrink_to_fit();
    }

    /// The block that holds a key if any does.
    pub(super) fn block_of(&self, key: &[u8]) -> Option<i64> {
        let behind = self.at.partition_point(|&at| self.key(at) <= key);
        i64::try_from(behind.checked_sub(1)?).ok()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.at.iter().map(|&at| self.key(at))
    }

    fn key(&self, at: u32) -> &[u8] {
        let bytes = self.bytes.get(at as usize..).unwrap_or_default();
        take_length(bytes)
            .and_then(|(length, key)| key.get(..length))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn entries_come_back(
            key in proptest::collection::vec(any::<u8>(), 0..300),
            value in proptest::option::of((any::<u64>(), proptest::collection::vec(any::<u8>(), 0..300))),
        ) {
            let value = value.as_ref().map(|(fingerprint, note)| Value { fingerprint: *fingerprint, note });
            let entry = Entry { key: &key, value };
            let mut bytes = Vec::new();
            entry.encode(&mut bytes);
            bytes.extend_from_slice(b"rest");
            prop_assert_eq!(Entry::decode(&bytes).unwrap(), (entry, &b"rest"[..]));
        }

        #[test]
        fn any_bytes_are_entries_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = find_in(&bytes, b"key");
            let _ = Starts::decode(bytes);
        }
    }

    #[test]
    fn a_key_belongs_to_the_last_block_that_does_not_start_behind_it() {
        let mut starts = Starts::default();
        for key in ["b", "d", "f"] {
            starts.push(key.as_bytes());
        }
        let starts = Starts::decode(starts.encoded().to_vec()).unwrap();
        let of = |key: &str| starts.block_of(key.as_bytes());
        assert_eq!(
            ["a", "b", "c", "d", "g"].map(of),
            [None, Some(0), Some(0), Some(1), Some(2)]
        );
    }
}
