//! The sink, the compaction and the stored files, on a disk and on a server that speaks the protocol of S3.

mod compaction;
mod conformance;
mod faults;
mod opening;
mod place;
mod publication;
mod reader;
mod store;
mod stored_files;
mod warehouse;
