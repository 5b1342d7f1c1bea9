//! What a reader does that an operator may want to know, beside what the engine reports anyway.

use chrono::{DateTime, Utc};

/// Hears notices. Called inline: return at once.
pub trait ReadHooks: Send + Sync {
    /// Something worth a line in the log happened while reading: of an audience its id is given, of another stream its name.
    fn on_notice(&self, of: &str, notice: &Notice);
}

/// Hooks that hear nothing.
impl ReadHooks for () {
    fn on_notice(&self, _of: &str, _notice: &Notice) {}
}

/// Something worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The server's time is missing or far from ours, so neither is trusted: the run is complete only up to the newest
    /// member it delivers.
    ServerTimeDistrusted {
        /// The server's time, if it gave one.
        server: Option<DateTime<Utc>>,
        /// Our time.
        local: DateTime<Utc>,
    },
    /// A page timed out or the server failed over it; it is asked for in a smaller size.
    PageShrunk {
        /// Members asked for from now on.
        count: u32,
    },
    /// Members of one second left it, or their order changed, while it was read in several pages: it is read again.
    SecondReadAgain {
        /// The second.
        second: DateTime<Utc>,
    },
    /// A part could not be read; it is tried once more at the end of the run.
    PartPutOff {
        /// Which part.
        part: String,
    },
    /// An operation of a batch failed; it is asked for once more by itself.
    OperationFailed {
        /// Which part of the stream.
        part: String,
        /// The HTTP status it got; 200 if the answer was no page.
        status: u16,
    },
    /// Parts of a stream are left out, because the API cannot be asked for them: the id above them cannot stand in a path, or
    /// it has a slash and the API answers that there is nothing below. The run is complete without them.
    PartsUnreachable {
        /// How many.
        parts: usize,
        /// One of them.
        part: String,
        /// Why it cannot be asked for.
        reason: String,
    },
    /// A batch was refused, lost, too slow or unreadable; pages are asked for instead.
    BatchGivenUp {
        /// Which one, if it was accepted.
        batch_id: Option<String>,
        /// Why.
        reason: String,
    },
}
