//! The engine against scripted sources, faulty parts and a memory store.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod crash;
mod deliver;
mod jsonl;
mod removals;
mod replay;
mod service;
mod table;
mod world;
