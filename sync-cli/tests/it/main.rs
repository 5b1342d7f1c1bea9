//! The program as its users meet it: arguments, environment, files, signals and exit codes.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod consent;
mod demo;
mod embedding;
mod endpoint;
mod kills;
mod looking;
mod program;
mod runs;
mod secrets;
mod service;
mod settings;
mod simulate;
mod simulated;
mod warehouse;
