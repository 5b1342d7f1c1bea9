//! What Snowflake answers: an envelope around everything, and the rows of a result.

use std::collections::HashMap;
use std::io::Read;

use arrow_array::cast::AsArray;
use arrow_ipc::reader::StreamReader;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error::{ClientError, Result};
use crate::transport::Transport;

/// A row of a result. Every statement here asks for text, so that both formats of a result say the same.
pub(crate) type ResultRow = Vec<Option<String>>;

/// Around every answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope<T> {
    pub(crate) success: bool,
    #[serde(default)]
    pub(crate) code: Option<String>,
    pub(crate) data: Option<T>,
}

impl<T: DeserializeOwned> Envelope<T> {
    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        serde_json::from_slice(body).map_err(|_| ClientError::Answer("no json of snowflake"))
    }
}

/// What a statement came to.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Answer {
    pub(crate) query_id: Option<String>,
    pub(crate) sql_state: Option<String>,
    /// Where to ask again while the statement runs.
    pub(crate) get_result_url: Option<String>,
    query_result_format: Option<String>,
    rowset: Option<Box<RawValue>>,
    rowset_base64: Option<String>,
    chunks: Option<Vec<Chunk>>,
    chunk_headers: Option<HashMap<String, String>>,
    qrmk: Option<String>,
}

/// A part of a result that is at the cloud's storage.
#[derive(Debug, Deserialize)]
struct Chunk {
    url: String,
}

impl Answer {
    /// The rows, those at the cloud's storage included.
    pub(crate) async fn rows(&self, transport: &Transport) -> Result<Vec<ResultRow>> {
        let arrow = self.query_result_format.as_deref() == Some("arrow");
        let mut rows = match (&self.rowset, &self.rowset_base64) {
            (_, Some(base64)) if arrow && base64.is_empty() => Vec::new(),
            (_, Some(base64)) if arrow => {
                let stream = STANDARD
                    .decode(base64)
                    .map_err(|_| ClientError::Answer("a result that is no base64"))?;
                arrow_rows(&stream)?
            }
            (Some(rowset), _) if !arrow => json_rows(rowset.get().as_bytes())?,
            _ => Vec::new(),
        };
        for chunk in self.chunks.iter().flatten() {
            let body = transport.fetch(&chunk.url, self.headers()?).await?;
            let body = unzipped(body)?;
            rows.extend(if arrow {
                arrow_rows(&body)?
            } else {
                // A part is what stands between the brackets.
                json_rows(&[b"[", &body[..], b"]"].concat())?
            });
        }
        Ok(rows)
    }

    fn headers(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        let mut insert = |name: &str, value: &str| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(true);
            headers.insert(name, value);
            Some(())
        };
        let inserted = match (&self.chunk_headers, &self.qrmk) {
            (Some(all), _) => all.iter().try_for_each(|(name, value)| insert(name, value)),
            // Older answers name only the key that opens the parts at S3.
            (None, Some(key)) => {
                insert("x-amz-server-side-encryption-customer-algorithm", "AES256")
                    .and_then(|()| insert("x-amz-server-side-encryption-customer-key", key))
            }
            (None, None) => Some(()),
        };
        inserted.ok_or(ClientError::Answer("headers of a result"))?;
        Ok(headers)
    }
}

fn unzipped(body: Bytes) -> Result<Bytes> {
    if !body.starts_with(&[0x1f, 0x8b]) {
        return Ok(body);
    }
    let mut plain = Vec::new();
    MultiGzDecoder::new(&body[..])
        .read_to_end(&mut plain)
        .map_err(|_| ClientError::Answer("a result that is no gzip"))?;
    Ok(plain.into())
}

fn json_rows(body: &[u8]) -> Result<Vec<ResultRow>> {
    serde_json::from_slice::<Option<Vec<ResultRow>>>(body)
        .map(Option::unwrap_or_default)
        .map_err(|_| ClientError::Answer("a result that is no table of text"))
}

fn arrow_rows(stream: &[u8]) -> Result<Vec<ResultRow>> {
    let broken = |_| ClientError::Answer("a result that is no arrow stream");
    let mut rows = Vec::new();
    for batch in StreamReader::try_new(stream, None).map_err(broken)? {
        let batch = batch.map_err(broken)?;
        let first = rows.len();
        rows.resize_with(first + batch.num_rows(), Vec::new);
        for column in batch.columns() {
            let text = column
                .as_string_opt::<i32>()
                .ok_or(ClientError::Answer("a column that is not text"))?;
            for (row, value) in rows[first..].iter_mut().zip(text) {
                row.push(value.map(str::to_owned));
            }
        }
    }
    Ok(rows)
}
