//! Tests of mappings and sinks against the simulated account.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod account;
mod conformance;
mod deliveries;
mod engine;
mod histories;
mod ledger;
mod opt_outs;
mod push;
mod record;
mod records;
mod rules;
mod world;
