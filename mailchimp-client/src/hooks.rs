//! What a client tells its embedder while it works: the library itself neither logs nor counts.

use std::time::Duration;

use http::Method;

use crate::transport::TransportErrorKind;

/// Hears about every attempt. Called in the task that makes the request, so it must not block.
///
/// Events name path templates, never ids, addresses or keys.
pub trait Hooks: Send + Sync {
    /// One attempt is over. One whose future is dropped is not reported.
    fn on_request(&self, event: &RequestEvent<'_>) {
        let _ = event;
    }

    /// The attempt reported last is repeated after a wait.
    fn on_retry(&self, event: &RetryEvent<'_>) {
        let _ = event;
    }
}

/// One finished attempt.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RequestEvent<'a> {
    /// The HTTP method.
    pub method: &'a Method,
    /// The path template, such as `/lists/{list_id}/members`.
    pub path: &'a str,
    /// Which try of the request this was, from 1.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// From the moment the request left to its end, without any wait for a slot.
    pub elapsed: Duration,
    /// Decoded bytes of the body that were read.
    pub response_bytes: u64,
    /// How many requests may run at once, after this attempt was taken into account.
    pub limit: usize,
}

/// A repeat that has been decided.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RetryEvent<'a> {
    /// The HTTP method.
    pub method: &'a Method,
    /// The path template.
    pub path: &'a str,
    /// Which try failed, from 1.
    pub attempt: u32,
    /// How it failed.
    pub outcome: Outcome,
    /// How long the client waits before the next try.
    pub wait: Duration,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// An answer with this status arrived. Its body may be missing when the status is no success.
    Status(u16),
    /// No complete answer arrived.
    Failed(TransportErrorKind),
    /// The body was larger than allowed.
    TooLarge,
}
