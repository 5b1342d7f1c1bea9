//! The simulator against what is documented and was seen of the live API, through its requests and replies alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;

mod batches;
mod campaigns;
mod catalogue;
mod collections;
mod credentials;
mod definitions;
mod exports;
mod faults;
mod files;
mod generated;
mod lists_over_time;
mod member_list;
mod member_writes;
mod reports;
mod segments;
mod things;
mod webhooks;
