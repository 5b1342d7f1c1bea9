//! Tests of the sink: against a server that runs real SQL where there is one, and against scripted answers.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod behaviour;
mod conformance;
mod evolution;
mod fake;
mod gateway;
mod protocol;
mod sessions;
mod views;
