//! Tests of whole imports, by seed.

mod planted;
mod seeds;
