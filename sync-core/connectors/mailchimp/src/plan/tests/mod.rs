//! The plan against a server in memory that changes between every two steps.

mod changes;
mod cost;
mod faults;
mod model;
