//! How a simulated API meets the network, and nothing about any API.
//!
//! A simulator is a [`Simulator`]: one request in, one [`Reply`] out, at once and without I/O. Whoever serves it decides
//! what time is: the loopback listener (feature `server`) sleeps on the real clock, a test in virtual time calls
//! [`Simulator::handle`] itself. So a simulator never sleeps; it says how long its reply takes in [`Reply::after`].

use std::any::Any;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;

#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
pub use server::Server;

/// A request as a simulator sees it: the body is whole, the URI holds path and query.
pub type Request = http::Request<Bytes>;

/// A fake of one vendor's API.
pub trait Simulator: Send + Sync {
    /// Answers one request. Must not block: delays belong in [`Reply::after`].
    ///
    /// State changes happen inside this call, so two calls never interleave half way.
    fn handle(&self, request: Request) -> Reply;
}

/// What the network shows the client, and when.
pub struct Reply {
    /// Time between the request's arrival and the first byte of the answer.
    pub after: Duration,
    /// What arrives.
    pub outcome: Outcome,
    /// Held until the answer is given **or** [`Reply::after`] has passed, even when the client hangs up earlier.
    ///
    /// This is how a connection slot stays taken by a request its client gave up on.
    pub slot: Option<Slot>,
}

/// Something to drop when the server is done with a request, such as a semaphore permit.
pub type Slot = Box<dyn Any + Send>;

/// What a client gets to see of an answer.
#[derive(Debug)]
pub enum Outcome {
    /// The whole response.
    Response(http::Response<Bytes>),
    /// Status and headers (with the full length declared), then only the first `sent` bytes, then the connection closes.
    CutBody {
        /// The response as it should have been.
        response: http::Response<Bytes>,
        /// How many bytes of its body arrive.
        sent: usize,
    },
    /// The connection closes without an answer.
    Reset,
    /// No answer ever comes; the connection stays open until the client leaves.
    Hang,
}

impl Reply {
    /// An immediate, complete response.
    pub fn now(response: http::Response<Bytes>) -> Self {
        Self {
            after: Duration::ZERO,
            outcome: Outcome::Response(response),
            slot: None,
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("after", &self.after)
            .field("outcome", &self.outcome)
            .field("slot", &self.slot.is_some())
            .finish()
    }
}
