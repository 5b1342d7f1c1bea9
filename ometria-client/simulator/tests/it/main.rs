//! The simulator, asked through the same door as every server that serves it.

mod account;
mod consent;
mod faults;
mod push;
mod reads;
mod record;
mod scale;
