//! Result archives made of entries, whole or damaged.

#![no_main]

use std::io::Write;

use arbitrary::Arbitrary;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use mailchimp_client::{ArchiveProblem, BatchResult, Error};
use sync_fuzz::{LIMITS, assert_silent, read_archive, run};
use tar::{Builder, EntryType, Header};

#[derive(Arbitrary, Debug)]
struct Archive<'a> {
    entries: Vec<Entry<'a>>,
    gzip: bool,
    piece: u8,
    damage: Option<Damage>,
}

#[derive(Arbitrary, Debug)]
enum Damage {
    Cut(u16),
    Flip(u16, u8),
}

#[derive(Arbitrary, Debug)]
struct Entry<'a> {
    name: &'a [u8],
    kind: Kind,
    contents: Contents<'a>,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Kind {
    File,
    Directory,
    Other(u8),
}

#[derive(Arbitrary, Debug)]
enum Contents<'a> {
    Results(Vec<(u16, &'a str)>),
    Bytes(&'a [u8]),
}

impl Entry<'_> {
    /// Names end at the first zero, and 100 bytes are all that fits a header.
    fn name(&self) -> &[u8] {
        let end = self.name.iter().position(|byte| *byte == 0);
        let name = &self.name[..end.unwrap_or(self.name.len())];
        &name[..name.len().min(100)]
    }

    fn leaves(&self) -> bool {
        let name = self.name();
        name.starts_with(b"/")
            || name.starts_with(b"\\")
            || name
                .split(|byte| b"/\\".contains(byte))
                .any(|part| part == b"..")
    }

    fn bytes(&self) -> Vec<u8> {
        match &self.contents {
            Contents::Bytes(bytes) => bytes.to_vec(),
            Contents::Results(results) => {
                let result = |(status, response): &(u16, &str)| serde_json::json!({"status_code": status, "operation_id": "o", "response": response});
                results
                    .iter()
                    .map(result)
                    .collect::<serde_json::Value>()
                    .to_string()
                    .into_bytes()
            }
        }
    }
}

impl Archive<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        for entry in &self.entries {
            let contents = entry.bytes();
            let mut header = Header::new_gnu();
            // By hand, as the library does not write the names that matter.
            let name = entry.name();
            header.as_old_mut().name[..name.len()].copy_from_slice(name);
            header.set_entry_type(match entry.kind {
                Kind::File => EntryType::Regular,
                Kind::Directory => EntryType::Directory,
                Kind::Other(byte) => EntryType::new(byte),
            });
            header.set_size(contents.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            tar.append(&header, contents.as_slice())
                .expect("memory takes it");
        }
        let mut bytes = tar.into_inner().expect("memory takes it");
        if self.gzip {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&bytes).expect("memory takes it");
            bytes = encoder.finish().expect("memory takes it");
        }
        match self.damage {
            Some(Damage::Cut(at)) => bytes.truncate(at.into()),
            Some(Damage::Flip(at, mask)) => {
                if let Some(byte) = bytes.get_mut(usize::from(at)) {
                    *byte ^= mask;
                }
            }
            None => {}
        }
        bytes
    }

    /// What a whole archive of results must give; `None` where this model has no word on it.
    fn expected(&self) -> Option<Result<Vec<(u16, &str)>, ArchiveProblem>> {
        let plain = |entry: &&Entry<'_>| {
            entry.kind == Kind::Directory
                || (entry.kind == Kind::File && matches!(entry.contents, Contents::Results(_)))
        };
        if self.damage.is_some()
            || self.entries.len() as u64 > LIMITS.entries
            || !self.entries.iter().all(|entry| plain(&entry))
        {
            return None;
        }
        if self.entries.iter().any(Entry::leaves) {
            return Some(Err(ArchiveProblem::PathTraversal));
        }
        let files = self.entries.iter().filter(|entry| entry.kind == Kind::File);
        let results = files.flat_map(|entry| match &entry.contents {
            Contents::Results(results) => results.as_slice(),
            Contents::Bytes(_) => &[],
        });
        Some(Ok(results.copied().collect()))
    }
}

fuzz_target!(|archive: Archive<'_>| {
    let bytes = Bytes::from(archive.bytes());
    let read = run(read_archive(bytes, archive.piece.into()));
    if let Err(error) = &read {
        assert_silent(error);
    }
    match (archive.expected(), read) {
        (None, _) => {}
        (Some(Ok(expected)), read) => {
            let read = read.expect("a whole archive is read");
            let pair = |result: &BatchResult| (result.status_code, result.response.clone());
            let expected = expected
                .into_iter()
                .map(|(status, text)| (status, text.to_owned()));
            assert!(read.iter().map(pair).eq(expected));
        }
        (Some(Err(problem)), read) => {
            assert!(matches!(read, Err(Error::Archive(error)) if error.reason == problem));
        }
    }
});
