//! The simulator, asked through the same door as every server that serves it.

#![allow(clippy::unwrap_used, reason = "these functions are all parts of tests")]

mod account;
mod consent;
mod faults;
mod push;
mod reads;
mod record;
mod scale;
