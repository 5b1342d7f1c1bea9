//! What a client sees of a served simulator.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod server;
mod wire;
