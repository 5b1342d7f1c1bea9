//! Decisions and measurements, with what was rejected and why.

#[doc = include_str!("docs/delivery.md")]
pub mod delivery {}
