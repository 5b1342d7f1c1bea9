//! Mailchimp audiences as a source: complete under change, over ten connections

mod cursor;
mod error;
mod member;
mod notice;
mod page;
mod plan;
mod reader;
mod settings;
mod source;

pub use member::MemberRow;
pub use notice::{Notice, ReadHooks};
pub use settings::{AudienceSettings, StatusFilter};
pub use source::AudienceSource;
