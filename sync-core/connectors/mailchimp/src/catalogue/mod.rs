//! Everything an account holds, as streams.

mod account;
mod definition;
mod definitions;
mod descent;
mod error;
mod members;
mod progress;
mod read;
mod record;
mod removed;
mod rows;
mod settings;
mod source;
mod walk;

pub use self::account::CatalogueAccount;
pub use self::definition::{Changes, Parent, Rows, StreamDefinition};
pub use self::members::MembersSource;
pub use self::record::StreamRecord;
pub use self::removed::RemovedAudience;
pub use self::settings::{ActivityBy, StreamSettings};
pub use self::source::StreamSource;

/// All streams but [`members`], in the order in which a newcomer would look at them.
pub fn streams() -> impl Iterator<Item = &'static StreamDefinition> {
    definitions::ALL.iter().copied().flatten()
}

/// The members of audiences, the parents of some streams. [`MembersSource`] reads them: it does more than the definition
/// says, with archived members and without missing anybody while they change.
pub fn members() -> &'static StreamDefinition {
    &definitions::MEMBERS
}

/// The stream of this name, [`members`] among them.
pub fn stream(name: &str) -> Option<&'static StreamDefinition> {
    streams()
        .chain([members()])
        .find(|stream| stream.name == name)
}
