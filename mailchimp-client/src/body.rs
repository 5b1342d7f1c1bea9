//! Bodies of answers, read whole, in buffers that are used again.
//!
//! A page of members takes about a megabyte and lives until its last row is dropped. With ten connections such pieces come
//! and go between everything else, and an allocator keeps more and more memory that only fits other sizes. So a buffer
//! whose rows are gone serves the next body.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::StreamExt;

use crate::http::Failure;
use crate::transport::BodyStream;

/// How much is reserved on the word of a `Content-Length` alone, and the largest buffer that is kept.
const LARGEST_RESERVATION: usize = 4 * 1024 * 1024;

/// Bodies that are smaller are not worth keeping a buffer.
const SMALLEST_KEPT: usize = 64 * 1024;

/// Buffers that wait for a body.
///
/// They are freed as soon as no body is left: between two runs a service holds none.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    free: Vec<Vec<u8>>,
    lent: usize,
}

impl Buffers {
    /// An empty buffer with room for so many bytes.
    fn lend(self: &Arc<Self>, room: usize) -> Buffer {
        let mut kept = self.kept();
        kept.lent += 1;
        let mut bytes = kept.free.pop().unwrap_or_default();
        drop(kept);
        bytes.reserve(room);
        Buffer {
            bytes,
            buffers: Arc::clone(self),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer in use.
struct Buffer {
    bytes: Vec<u8>,
    buffers: Arc<Buffers>,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut kept = self.buffers.kept();
        kept.lent -= 1;
        let unused = if kept.lent == 0 {
            std::mem::take(&mut kept.free)
        } else {
            if (SMALLEST_KEPT..=LARGEST_RESERVATION).contains(&bytes.capacity()) {
                bytes.clear();
                kept.free.push(std::mem::take(&mut bytes));
            }
            Vec::new()
        };
        drop(kept);
        // Freed without the lock.
        drop(unused);
    }
}

/// Reads a body to its end or to the limit, whichever comes first, and counts its bytes. `announced` is what its
/// `Content-Length` says.
pub(crate) async fn read(
    mut body: BodyStream,
    announced: Option<u64>,
    limit: u64,
    bytes: &mut u64,
    buffers: &Arc<Buffers>,
) -> Result<Bytes, Failure> {
    let expected = announced.unwrap_or_default().min(limit);
    let expected = usize::try_from(expected).unwrap_or(usize::MAX);
    let expected = expected.min(LARGEST_RESERVATION);
    let mut only: Option<Bytes> = None;
    let mut whole: Option<Buffer> = None;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(Failure::Transport)?;
        *bytes += chunk.len() as u64;
        if *bytes > limit {
            return Err(Failure::TooLarge(limit));
        }
        // A body that arrives in one piece is not copied. Of another no piece is kept, so that the transport can use the
        // memory of each for the next.
        if whole.is_none() && only.is_none() && chunk.len() >= expected {
            only = Some(chunk);
            continue;
        }
        let whole = whole.get_or_insert_with(|| buffers.lend(expected));
        if let Some(first) = only.take() {
            whole.bytes.extend_from_slice(&first);
        }
        whole.bytes.extend_from_slice(&chunk);
    }
    Ok(match whole {
        Some(buffer) if buffer.bytes.len() >= SMALLEST_KEPT => Bytes::from_owner(buffer),
        Some(buffer) => Bytes::copy_from_slice(&buffer.bytes),
        None => only.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;
    use crate::transport::{TransportError, TransportErrorKind};

    async fn whole(buffers: &Arc<Buffers>, pieces: &[&[u8]], announced: Option<u64>) -> Bytes {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let mut bytes = 0;
        let body = Box::pin(stream::iter(pieces));
        let body = read(body, announced, 1_000_000, &mut bytes, buffers).await;
        let body = body.ok().expect("it is whole");
        assert_eq!(body.len() as u64, bytes);
        body
    }

    fn free(buffers: &Buffers) -> usize {
        buffers.kept().free.len()
    }

    #[tokio::test]
    async fn pieces_come_together_whatever_was_announced() {
        let buffers = Arc::default();
        for announced in [None, Some(0), Some(3), Some(5), Some(u64::MAX)] {
            let pieces: [&[u8]; 4] = [b"ab", b"", b"c", b"de"];
            assert_eq!(&whole(&buffers, &pieces, announced).await[..], b"abcde");
            assert_eq!(&whole(&buffers, &[b"abcde"], announced).await[..], b"abcde");
            assert!(whole(&buffers, &[], announced).await.is_empty());
        }
    }

    #[tokio::test]
    async fn a_buffer_serves_again_when_its_last_row_is_gone_and_none_is_kept_without_a_body() {
        let buffers = Arc::default();
        let piece = vec![7; 50_000];
        let first = whole(&buffers, &[&piece, &piece], Some(100_000)).await;
        let second = whole(&buffers, &[&piece, &piece], None).await;
        let row = second.slice(10..20);
        let place = second.as_ptr();
        drop(second);
        assert_eq!(free(&buffers), 0, "a row still shows it");
        drop(row);
        assert_eq!(free(&buffers), 1);
        let third = whole(&buffers, &[&piece, &piece[..30_000]], Some(80_000)).await;
        assert_eq!((third.as_ptr(), third.len()), (place, 80_000));
        drop(first);
        assert_eq!(free(&buffers), 1);
        drop(third);
        assert_eq!(free(&buffers), 0);
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_or_breaks_off_leaves_its_buffer() {
        let buffers = Arc::default();
        let large = vec![7; 70_000];
        let held = whole(&buffers, &[&large, b"7"], None).await;
        let piece = |length| Ok(Bytes::from(vec![7; length]));
        let broken = TransportError::new(TransportErrorKind::Body);
        for last in [piece(40_000), Err(broken)] {
            let body = Box::pin(stream::iter([piece(60_000), piece(10_000), last]));
            assert!(read(body, None, 100_000, &mut 0, &buffers).await.is_err());
            assert_eq!(free(&buffers), 1);
        }
        drop(held);
        assert_eq!(free(&buffers), 0);
    }
}
