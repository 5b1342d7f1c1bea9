//! Files as an operator may leave them.

use tempfile::TempDir;

/// Stands for a key in inputs; no message may show it.
pub const MARKER: &str = "MARKER";

/// A directory with one file in it.
pub fn directory_with(name: &str, contents: &[u8]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join(name), contents).expect("a file");
    directory
}
