//! Decisions and measurements, with what was rejected and why.

#[doc = include_str!("docs/delivery.md")]
pub mod delivery {}

#[doc = include_str!("docs/measurements.md")]
///
/// The plot is made by `examples/plot.rs` from the benchmark's output.
///
#[doc = include_str!("docs/measurements.svg")]
pub mod measurements {}
