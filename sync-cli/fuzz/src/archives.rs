//! Result archives of batches.

use bytes::Bytes;
use futures::TryStreamExt;
use mailchimp_client::{ArchiveLimits, BatchResult, Error, RetryPolicy};

use crate::answers::{Answer, Answering, mailchimp};

/// What an archive of a target may unpack to.
pub const LIMITS: ArchiveLimits = ArchiveLimits {
    result_bytes: 1 << 14,
    total_bytes: 1 << 20,
    entries: 64,
};

/// Reads the results of a finished batch whose archive arrives in pieces of this size.
///
/// # Errors
/// Those of the client.
pub async fn read_archive(archive: Bytes, piece: usize) -> Result<Vec<BatchResult>, Error> {
    const BATCH: &str =
        r#"{"id":"b1","status":"finished","response_body_url":"https://results.example/a.tar.gz"}"#;
    let transport = Answering::by(move |request| {
        if request.uri().host() == Some("results.example") {
            Answer::new(200, archive.clone()).in_pieces(piece)
        } else {
            Answer::new(200, BATCH)
        }
    });
    let client = mailchimp(transport).retry(RetryPolicy::never()).build()?;
    client.batches().results("b1", LIMITS)?.try_collect().await
}
