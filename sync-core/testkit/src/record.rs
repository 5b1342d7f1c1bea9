//! The record that tests move.

use bytes::Bytes;
use sync_core::{AsJson, Change, Key, Keyed};

/// A key and a string: the smallest record there is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TestRecord {
    /// Its key.
    pub key: Key,
    /// Its content.
    pub value: String,
}

impl TestRecord {
    /// A record.
    pub fn new(key: impl AsRef<str>, value: impl Into<String>) -> Self {
        Self {
            key: Key::new(key.as_ref()),
            value: value.into(),
        }
    }
}

impl Keyed for TestRecord {
    fn key(&self) -> Key {
        self.key.clone()
    }
}

impl AsJson for TestRecord {
    fn as_json(&self) -> Bytes {
        let object = serde_json::json!({ "id": self.key.as_str(), "value": self.value });
        Bytes::from(object.to_string())
    }
}

/// The change that says the record of this key is now `value`.
pub fn present(key: &str, value: &str) -> Change<TestRecord> {
    Change::Present(TestRecord::new(key, value))
}

/// The change that says this key is gone.
pub fn removed(key: &str) -> Change<TestRecord> {
    Change::Removed(Key::new(key))
}
