//! The warehouse as a program uses it.

mod bench;
mod conformance;
mod files;
mod sharing;
mod views;
