//! Decisions, with the options that were rejected.

/// Who may be opted in, and who never.
#[doc = include_str!("docs/consent.md")]
pub mod consent {}
