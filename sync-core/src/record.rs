//! What flows from source to sink.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::stream::Stream;

/// Names one record of one stream for as long as it exists, whatever else about it changes.
///
/// A key is an id of the source, never an address: keys appear in logs and in the rejected store.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Key(Arc<str>);

impl From<String> for Key {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.as_ref().to_owned()
    }
}

/// First byte of a compact key that holds 32 lower-case hex digits as 16 bytes. Text never starts with it: it is not
/// valid UTF-8.
const HEX_TAG: u8 = 0xff;

const NO_DIGIT: u8 = 0xff;

/// The value of each byte as a lower-case hex digit.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

impl Key {
    /// A key from the source's id.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes a store keeps: 17 for an id of 32 lower-case hex digits (a digest, a UUID without hyphens), the text
    /// itself otherwise. Equal keys have equal bytes. The 17 begin with 255, which no text does, and go on with the digest.
    pub fn to_compact(&self) -> Vec<u8> {
        let text = self.0.as_bytes();
        let Ok(digits) = <&[u8; 32]>::try_from(text) else {
            return text.to_vec();
        };
        let mut compact = [HEX_TAG; 17];
        let mut worst = 0;
        for (byte, pair) in compact[1..].iter_mut().zip(digits.as_chunks().0) {
            let [high, low] = pair.map(|digit| DIGITS[usize::from(digit)]);
            worst |= high | low;
            *byte = high << 4 | low;
        }
        if worst == NO_DIGIT {
            text.to_vec()
        } else {
            compact.to_vec()
        }
    }

    /// The key that [`Key::to_compact`] gave these bytes for; `None` if none did.
    pub fn from_compact(compact: &[u8]) -> Option<Self> {
        if let Some((&HEX_TAG, digest)) = compact.split_first() {
            if digest.len() != 16 {
                return None;
            }
            let mut text = String::with_capacity(32);
            for byte in digest {
                for nibble in [byte >> 4, byte & 0xf] {
                    text.push(char::from_digit(u32::from(nibble), 16)?);
                }
            }
            return Some(Self::new(text));
        }
        std::str::from_utf8(compact).ok().map(Self::new)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A record that knows its key.
pub trait Keyed {
    /// The key. Records made from one source record carry its key, also when there are several of them.
    fn key(&self) -> Key;
}

/// What a source has to say about one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<R> {
    /// The record as it is now.
    Present(R),
    /// The source is sure that this record exists no more. Never said after a failed or partial read.
    Removed(Key),
}

impl<R: Keyed> Keyed for Change<R> {
    fn key(&self) -> Key {
        match self {
            Self::Present(record) => record.key(),
            Self::Removed(key) => key.clone(),
        }
    }
}

/// A record as a JSON object, for sinks that take anybody's data.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonRecord {
    /// The stream it belongs to, and what is known of its fields.
    pub stream: Arc<Stream>,
    /// Its key within the stream.
    pub key: Key,
    /// The object, as one line of valid JSON. Empty when the record was removed.
    pub data: Bytes,
    /// Whether the source no longer has it.
    pub removed: bool,
}

impl Keyed for JsonRecord {
    fn key(&self) -> Key {
        self.key.clone()
    }
}

/// Shows the key and the size, not the data: that is personal.
impl fmt::Debug for JsonRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonRecord")
            .field("stream", self.stream.name())
            .field("key", &self.key)
            .field("bytes", &self.data.len())
            .field("removed", &self.removed)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn compact_keys_come_back(text in "\\PC{0,40}|[0-9a-f]{32}|[0-9A-Fa-f]{32}") {
            let key = Key::new(text);
            prop_assert_eq!(Key::from_compact(&key.to_compact()), Some(key));
        }

        #[test]
        fn any_bytes_are_a_key_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(key) = Key::from_compact(&bytes) {
                // Upper-case hex stays text, so the bytes of a decoded key are the bytes given, or their compact form.
                prop_assert_eq!(Key::from_compact(&key.to_compact()), Some(key));
            }
        }
    }

    #[test]
    fn a_digest_takes_seventeen_bytes() {
        assert_eq!(
            Key::new("0123456789abcdef0123456789abcdef")
                .to_compact()
                .len(),
            17
        );
    }
}
