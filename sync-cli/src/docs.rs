//! Longer explanations.

/// Every setting: where it may stand, what it means, its default.
#[doc = include_str!("docs/settings.md")]
pub mod settings {}

/// Every metric, and the questions it answers.
#[doc = include_str!("docs/metrics.md")]
pub mod metrics {}

/// What to do when something needs doing.
#[doc = include_str!("docs/operations.md")]
pub mod operations {}
