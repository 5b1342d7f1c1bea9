//! The engine against scripted sources, faulty parts and a memory store.

mod crash;
mod deliver;
mod jsonl;
mod removals;
mod replay;
mod service;
mod world;
