//! What the fuzz targets share: scripted transports, simulated time, and what holds of every answer.
//!
//! A target feeds bytes to a decoder the way they arrive in earnest, through the public way in, and asserts what the
//! decoder promises: that nothing is lost or invented, that limits hold, that messages keep silent.

#![forbid(unsafe_code)]

mod answers;
mod archives;
mod directories;
mod members;
mod simulated;

pub use answers::{
    Answer, Answering, MAILCHIMP_KEY, assert_silent, mailchimp, ometria, record_endpoint, run,
};
pub use archives::{LIMITS, read_archive};
pub use directories::{MARKER, directory_with};
pub use members::{assert_member_survives, means_something_else};
pub use simulated::{LIST, noon, simulated};
