//! Tests against a real server. Without one they say so and pass: see [`server`].

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(
    clippy::print_stdout,
    reason = "a test that has no server says that it did nothing"
)]

mod conformance;
mod faults;
mod records;
mod refusals;
mod rights;
mod server;
mod sharing;
mod tls;
mod views;
