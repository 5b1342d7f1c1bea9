//! Mailchimp audiences as a source: complete under change, over ten connections.
//!
//! [`AudienceSource`] reads the members of one audience that changed since a position, archived ones included, as
//! [`MemberRow`]s: identity and time, and the rest as the JSON that came. It promises that everyone arrives in their newest
//! state whatever changes while it reads; [`reading`] says how, and why that is right.
//!
//! ```
//! use std::sync::Arc;
//!
//! use sync_core::{Position, Source, SystemClock};
//! use sync_mailchimp::{AudienceSettings, AudienceSource};
//!
//! # async fn read() -> Result<(), Box<dyn std::error::Error>> {
//! let client = mailchimp_client::Client::builder("0123456789abcdef-us6").build()?;
//! let settings = AudienceSettings::default();
//! let audience = AudienceSource::new(client, "a1b2c3d4e5", settings, Arc::new(SystemClock))?;
//! audience.check().await?;
//! let mut reader = audience.read(Position::Start)?;
//! while let Some(batch) = reader.next_batch().await? {
//!     // Deliver `batch.items`; once they are durable, store `batch.resume`.
//! }
//! # Ok(())
//! # }
//! ```

mod background;
pub mod catalogue;
mod cursor;
mod error;
mod member;
mod notice;
mod page;
mod plan;
mod reader;
mod settings;
mod source;

#[doc = include_str!("docs/reading.md")]
pub mod reading {}

#[doc = include_str!("docs/streams.md")]
pub mod streams {}

#[doc = include_str!("docs/batches.md")]
pub mod batches {}

#[doc = include_str!("docs/exports.md")]
pub mod exports {}

pub use member::MemberRow;
pub use notice::{Notice, ReadHooks};
pub use settings::{AudienceSettings, StatusFilter};
pub use source::{AudienceSource, RecentCheck};
