//! The source against the simulated API, in virtual time and without sockets.

mod api;
mod catalogue;
mod changes;
mod conformance;
mod cost;
mod errors;
mod every_stream;
mod faults;
mod source;
