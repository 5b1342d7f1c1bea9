//! Tests of mappings and sinks against the simulated account.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod account;
mod histories;
mod push;
mod record;
mod rules;
