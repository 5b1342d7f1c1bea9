//! The warehouse as a program uses it.

mod bench;
mod conformance;
mod engine;
mod files;
mod sharing;
mod views;
