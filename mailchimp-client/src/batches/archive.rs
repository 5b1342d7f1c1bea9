//! Unpacks a result archive (tar.gz) as it arrives.
//!
//! Everything about the archive is distrusted: nothing is written to disk, names that leave it
//! and entries that are neither file nor directory are refused although they could do no harm
//! here, and what it unpacks to is bounded. It is fed in small pieces, so memory is bounded by
//! the size of one result, not by that of the archive.

use std::collections::VecDeque;
use std::io::Write;

use flate2::write::GzDecoder;
use tar::{EntryType, Header};

use super::results::BatchResult;
use super::split::ArraySplitter;
use crate::error::ArchiveProblem;

/// Most compressed bytes to unpack in one step. Deflate yields at most 1,032 bytes for one, so a
/// step gives at most 4 MiB.
pub(super) const STEP: usize = 4096;

/// The unit of tar: headers are one block, contents are padded to blocks.
const BLOCK: usize = 512;

/// Largest extended header that is read: it holds a name and a few numbers.
const LARGEST_EXTENSION: u64 = 64 * 1024;

/// What an archive may unpack to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Bytes of one result. Default 64 MiB.
    pub result_bytes: usize,
    /// Bytes of the whole archive, unpacked. Default 16 GiB.
    pub total_bytes: u64,
    /// Entries, files and directories. Default 100,000.
    pub entries: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            result_bytes: 64 * 1024 * 1024,
            total_bytes: 16 * 1024 * 1024 * 1024,
            entries: 100_000,
        }
    }
}

/// Takes the archive's bytes and gives results.
#[derive(Debug)]
pub(super) struct ArchiveReader {
    encoding: Encoding,
    tar: TarReader,
    total_limit: u64,
    unpacked: u64,
}

#[derive(Debug)]
enum Encoding {
    /// Too little has come to tell. Whoever served the archive may have declared its compression
    /// as transfer encoding, which is then already undone.
    Unknown(Vec<u8>),
    Gzip(Box<GzDecoder<Vec<u8>>>),
    Plain,
}

impl ArchiveReader {
    pub(super) fn new(limits: ArchiveLimits) -> Self {
        Self {
            encoding: Encoding::Unknown(Vec::new()),
            tar: TarReader::new(limits),
            total_limit: limits.total_bytes,
            unpacked: 0,
        }
    }

    /// Takes at most [`STEP`] bytes. `true` means that the archive is complete and the rest of
    /// the input is of no interest.
    pub(super) fn push(
        &mut self,
        piece: &[u8],
        results: &mut VecDeque<BatchResult>,
    ) -> Result<bool, ArchiveProblem> {
        let mut input = piece;
        let held;
        if let Encoding::Unknown(start) = &mut self.encoding {
            start.extend_from_slice(piece);
            if start.len() < 2 {
                return Ok(false);
            }
            held = std::mem::take(start);
            input = &held;
            self.encoding = if held.starts_with(&[0x1f, 0x8b]) {
                Encoding::Gzip(Box::new(GzDecoder::new(Vec::new())))
            } else {
                Encoding::Plain
            };
        }
        if let Encoding::Plain = self.encoding {
            self.unpack(input, results)?;
            return Ok(self.tar.is_complete());
        }
        while !input.is_empty() {
            let Encoding::Gzip(decoder) = &mut self.encoding else {
                return Ok(false);
            };
            let taken = decoder.write(input).map_err(|_| ArchiveProblem::Gzip)?;
            let output = std::mem::take(decoder.get_mut());
            self.unpack(&output, results)?;
            if taken == 0 {
                // The compressed stream is over; what follows it belongs to nothing.
                return self.end(results).map(|()| true);
            }
            input = input.get(taken..).unwrap_or_default();
        }
        Ok(false)
    }

    /// The input is over.
    pub(super) fn end(
        &mut self,
        results: &mut VecDeque<BatchResult>,
    ) -> Result<(), ArchiveProblem> {
        match &mut self.encoding {
            Encoding::Plain if self.tar.is_complete() => Ok(()),
            Encoding::Unknown(_) | Encoding::Plain => Err(ArchiveProblem::Truncated),
            Encoding::Gzip(decoder) => {
                // Checks length and checksum.
                decoder
                    .try_finish()
                    .map_err(|_| ArchiveProblem::Truncated)?;
                let output = std::mem::take(decoder.get_mut());
                self.unpack(&output, results)?;
                // The end mark of tar may be missing, as the compression proves completeness.
                if self.tar.is_between_entries() {
                    Ok(())
                } else {
                    Err(ArchiveProblem::Truncated)
                }
            }
        }
    }

    fn unpack(
        &mut self,
        bytes: &[u8],
        results: &mut VecDeque<BatchResult>,
    ) -> Result<(), ArchiveProblem> {
        self.unpacked += bytes.len() as u64;
        if self.unpacked > self.total_limit {
            return Err(ArchiveProblem::TooLarge);
        }
        self.tar.push(bytes, results)
    }
}

#[derive(Debug)]
struct TarReader {
    limits: ArchiveLimits,
    entries: u64,
    state: State,
    /// Size in an extended header, which takes the place of the next header's.
    size: Option<u64>,
}

#[derive(Debug)]
enum State {
    /// Collecting a header block.
    Header {
        block: Vec<u8>,
        after_zero_block: bool,
    },
    /// Inside an entry's contents.
    Contents {
        left: u64,
        padding: u64,
        kind: Contents,
    },
    /// Past the end mark.
    Complete,
}

#[derive(Debug)]
enum Contents {
    Results(ArraySplitter),
    PaxExtension(Vec<u8>),
    LongName(Vec<u8>),
    Ignored,
}

impl State {
    fn next_header() -> Self {
        Self::Header {
            block: Vec::with_capacity(BLOCK),
            after_zero_block: false,
        }
    }
}

impl TarReader {
    fn new(limits: ArchiveLimits) -> Self {
        Self {
            limits,
            entries: 0,
            state: State::next_header(),
            size: None,
        }
    }

    fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete)
    }

    fn is_between_entries(&self) -> bool {
        match &self.state {
            State::Header { block, .. } => block.is_empty(),
            State::Contents { .. } => false,
            State::Complete => true,
        }
    }

    fn push(
        &mut self,
        mut bytes: &[u8],
        results: &mut VecDeque<BatchResult>,
    ) -> Result<(), ArchiveProblem> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Complete => return Ok(()),
                State::Header {
                    block,
                    after_zero_block,
                } => {
                    bytes = take_into(block, bytes, BLOCK - block.len());
                    if block.len() < BLOCK {
                        return Ok(());
                    }
                    let block = std::mem::take(block);
                    let after_zero_block = *after_zero_block;
                    self.state = if block.iter().all(|byte| *byte == 0) {
                        if after_zero_block {
                            State::Complete
                        } else {
                            State::Header {
                                block: Vec::new(),
                                after_zero_block: true,
                            }
                        }
                    } else {
                        self.entry(&block)?
                    };
                }
                State::Contents {
                    left,
                    padding,
                    kind,
                } => {
                    let here = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(bytes.len());
                    let (piece, rest) = bytes.split_at(here);
                    *left -= here as u64;
                    kind.push(piece, self.limits.result_bytes, results)?;
                    let skipped = usize::try_from(*padding)
                        .unwrap_or_default()
                        .min(rest.len());
                    *padding -= skipped as u64;
                    bytes = rest.get(skipped..).unwrap_or_default();
                }
            }
            if let State::Contents {
                left: 0,
                padding: 0,
                kind,
            } = &mut self.state
            {
                if let Some(size) = kind.end()? {
                    self.size = Some(size);
                }
                self.state = State::next_header();
            }
        }
        Ok(())
    }

    /// Checks an entry's header and says how its contents are to be read.
    fn entry(&mut self, block: &[u8]) -> Result<State, ArchiveProblem> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(ArchiveProblem::TooLarge);
        }
        if block.len() != BLOCK {
            return Err(ArchiveProblem::Header);
        }
        let header = Header::from_byte_slice(block);
        if header.cksum().ok() != Some(checksum(block)) {
            return Err(ArchiveProblem::Header);
        }
        check_name(&header.path_bytes())?;
        let size = header.entry_size().map_err(|_| ArchiveProblem::Header)?;
        let entry_type = header.entry_type();
        let size = match entry_type {
            EntryType::Regular | EntryType::Continuous | EntryType::Directory => {
                self.size.take().unwrap_or(size)
            }
            _ => size,
        };
        let kind = match entry_type {
            EntryType::Regular | EntryType::Continuous => {
                Contents::Results(ArraySplitter::default())
            }
            EntryType::Directory | EntryType::XGlobalHeader => Contents::Ignored,
            EntryType::XHeader if size <= LARGEST_EXTENSION => Contents::PaxExtension(Vec::new()),
            EntryType::GNULongName if size <= LARGEST_EXTENSION => Contents::LongName(Vec::new()),
            EntryType::XHeader | EntryType::GNULongName => return Err(ArchiveProblem::TooLarge),
            _ => return Err(ArchiveProblem::EntryKind),
        };
        let padding = size.wrapping_neg() % BLOCK as u64;
        Ok(State::Contents {
            left: size,
            padding,
            kind,
        })
    }
}

impl Contents {
    fn push(
        &mut self,
        piece: &[u8],
        result_limit: usize,
        results: &mut VecDeque<BatchResult>,
    ) -> Result<(), ArchiveProblem> {
        match self {
            Self::Results(splitter) => splitter.push(piece, result_limit, |element| {
                results.push_back(BatchResult::parse(element)?);
                Ok(())
            }),
            Self::PaxExtension(bytes) | Self::LongName(bytes) => {
                bytes.extend_from_slice(piece);
                Ok(())
            }
            Self::Ignored => Ok(()),
        }
    }

    /// The contents are complete. Gives the size of the next entry if they name it.
    fn end(&mut self) -> Result<Option<u64>, ArchiveProblem> {
        match self {
            Self::Results(splitter) => splitter.end().map(|()| None),
            Self::PaxExtension(bytes) => pax_size(bytes),
            Self::LongName(name) => check_name(name).map(|()| None),
            Self::Ignored => Ok(None),
        }
    }
}

/// Moves up to `count` bytes from `bytes` to `block` and returns the rest.
fn take_into<'a>(block: &mut Vec<u8>, bytes: &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count.min(bytes.len()));
    block.extend_from_slice(taken);
    rest
}

/// The sum of all bytes of a header, with spaces in place of the sum itself.
fn checksum(block: &[u8]) -> u32 {
    const SUM: std::ops::Range<usize> = 148..156;
    block
        .iter()
        .enumerate()
        .map(|(at, byte)| u32::from(if SUM.contains(&at) { b' ' } else { *byte }))
        .sum()
}

/// Refuses names that would leave the place they are unpacked to.
fn check_name(name: &[u8]) -> Result<(), ArchiveProblem> {
    let is_separator = |byte: &u8| matches!(*byte, b'/' | b'\\' | 0);
    let leaves = name
        .first()
        .is_some_and(|first| matches!(*first, b'/' | b'\\'))
        || name.split(is_separator).any(|part| part == b"..");
    if leaves {
        Err(ArchiveProblem::PathTraversal)
    } else {
        Ok(())
    }
}

/// Reads the records of an extended header: a name to check, and a size.
fn pax_size(bytes: &[u8]) -> Result<Option<u64>, ArchiveProblem> {
    let mut size = None;
    for record in tar::PaxExtensions::new(bytes) {
        let record = record.map_err(|_| ArchiveProblem::Header)?;
        match record.key_bytes() {
            b"path" => check_name(record.value_bytes())?,
            b"size" => {
                let text = record.value().map_err(|_| ArchiveProblem::Header)?;
                size = Some(text.parse().map_err(|_| ArchiveProblem::Header)?);
            }
            key if key.starts_with(b"GNU.sparse.") => return Err(ArchiveProblem::EntryKind),
            _ => {}
        }
    }
    Ok(size)
}
