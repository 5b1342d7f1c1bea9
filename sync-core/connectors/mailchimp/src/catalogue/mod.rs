//! Everything an account holds, as streams.

mod definition;
mod definitions;

pub use self::definition::{Changes, Parent, Rows, StreamDefinition};

/// All streams, in the order in which a newcomer would look at them.
pub fn streams() -> impl Iterator<Item = &'static StreamDefinition> {
    definitions::ALL.iter().copied().flatten()
}

/// The stream of this name.
pub fn stream(name: &str) -> Option<&'static StreamDefinition> {
    streams().find(|stream| stream.name == name)
}
