//! The suites, run for everything in the workspace that they are about and that needs no other system.

mod faults;
mod members;
mod sink;
mod source;
mod state;
