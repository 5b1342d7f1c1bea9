//! The program as its users meet it: arguments, environment, files, signals and exit codes.

mod consent;
mod demo;
mod endpoint;
mod looking;
mod program;
mod runs;
mod secrets;
mod service;
mod settings;
mod simulated;
