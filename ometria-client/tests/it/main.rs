//! The client from outside: against recorded shapes, scripted failures, arbitrary bytes and the simulator.

#![allow(clippy::unwrap_used, reason = "these functions are all parts of tests")]

mod contact_json;
mod decoders;
mod endpoints;
mod guards;
mod network;
mod rates;
mod record_endpoint;
mod retries;
mod secrets;
mod simulated;
mod transports;
