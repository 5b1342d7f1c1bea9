//! Every stream, by family.

mod campaigns;

use super::definition::StreamDefinition;

/// All streams but the members of audiences, which have a source of their own.
pub(super) static ALL: &[&[StreamDefinition]] = &[campaigns::STREAMS];
