//! The source against the simulated API, in virtual time and without sockets.

mod api;
mod changes;
mod cost;
mod faults;
mod source;
