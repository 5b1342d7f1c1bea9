//! The client against scripted answers, and against a server on a socket.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod archives;
mod configuration;
mod downloads;
mod endpoints;
mod errors;
mod hostile;
mod limits;
mod member_fields;
mod pages;
mod retries;
mod script;
