//! Result archives of batches, as they come and with their checksums put right.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mailchimp_client::BatchResult;
use sync_fuzz::{LIMITS, assert_silent, read_archive, run};

const BLOCK: usize = 512;
const SUM: std::ops::Range<usize> = 148..156;

/// The results, which are the same however the archive arrives, and within its limits.
fn read(archive: &Bytes) -> Option<Vec<BatchResult>> {
    let whole = run(read_archive(archive.clone(), 0));
    let pieces = run(read_archive(archive.clone(), 7));
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => {
            assert!(whole == pieces);
            let is_small = |result: &BatchResult| result.response.len() <= 8 * LIMITS.result_bytes;
            assert!(whole.iter().all(is_small));
            Some(whole)
        }
        (Err(whole), Err(pieces)) => {
            assert_silent(&whole);
            assert_silent(&pieces);
            None
        }
        _ => panic!("the same archive is read differently in pieces"),
    }
}

fuzz_target!(|archive: &[u8]| {
    read(&Bytes::copy_from_slice(archive));

    // Few inputs have a checksum that is right, and behind it lies most of the code.
    let mut archive = archive.to_vec();
    for block in archive.chunks_exact_mut(BLOCK) {
        if block[..BLOCK / 2].is_ascii() && !block.iter().all(|byte| *byte == 0) {
            block[SUM].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    read(&archive.into());
});
