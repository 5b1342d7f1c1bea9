//! What a simulator was asked.

use std::collections::BTreeMap;

/// Counts since the simulator was made, or since they were reset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests by method and path template, such as `GET /lists/{list_id}/members`; whatever became of them. Paths the
    /// simulator does not know count as `unknown`.
    pub requests: BTreeMap<String, u64>,
    /// Answers by HTTP status, as the simulator meant them: a reset or a hang counts nothing here.
    pub answers: BTreeMap<u16, u64>,
    /// Requests refused because all connections were busy.
    pub throttled: u64,
    /// Items of collections served.
    pub rows: u64,
    /// Bytes of bodies served, before compression.
    pub bytes: u64,
    /// Requests that hold a connection now.
    pub in_flight: usize,
    /// The most that ever did.
    pub max_in_flight: usize,
}

impl Stats {
    /// All requests.
    pub fn total(&self) -> u64 {
        self.requests.values().sum()
    }

    /// Requests of one method and path template.
    pub fn of(&self, template: &str) -> u64 {
        self.requests.get(template).copied().unwrap_or(0)
    }
}
