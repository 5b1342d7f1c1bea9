//! Decisions and measurements, with what was rejected and why.

#[doc = include_str!("docs/delivery.md")]
pub mod delivery {}

#[doc = include_str!("docs/measurements.md")]
pub mod measurements {}
