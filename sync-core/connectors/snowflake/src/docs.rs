//! Decisions, with what was rejected and why.

#[doc = include_str!("docs/client.md")]
pub mod client {}
