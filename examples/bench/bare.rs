//! The least that can be done: fetch the same pages by offset, and throw them away or write their rows to a file.
//!
//! Loses members when the audience changes meanwhile; here it stands still.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::try_join_all;
use serde_json::value::RawValue;

/// What bare downloads of the same members took.
#[derive(Clone, Copy)]
pub(crate) struct Downloads {
    /// One connection, its pages thrown away.
    pub(crate) one: Duration,
    /// Ten connections, their pages thrown away.
    pub(crate) ten: Duration,
    /// One connection, each row of its pages a line of a file.
    pub(crate) lines: Duration,
}

impl Downloads {
    /// Takes one after the other; `file` is where lines go.
    pub(crate) async fn take(base_url: &str, pages: u64, file: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            one: throw_away(base_url, pages, 1).await?,
            ten: throw_away(base_url, pages, super::CONNECTIONS).await?,
            lines: into_lines(base_url, pages, file).await?,
        })
    }
}

/// Time to download this many pages over so many connections, each asking for its next page as soon as one is whole.
async fn throw_away(base_url: &str, pages: u64, connections: usize) -> anyhow::Result<Duration> {
    let client = reqwest::Client::builder().build()?;
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let connections = (0..connections).map(|_| {
        let (client, next) = (client.clone(), next.clone());
        async move {
            loop {
                let page = next.fetch_add(1, Ordering::Relaxed);
                if page >= pages {
                    return anyhow::Ok(());
                }
                fetch(&client, base_url, page).await?;
            }
        }
    });
    try_join_all(connections).await?;
    Ok(begun.elapsed())
}

/// Time to download this many pages over one connection, each asked for when the rows of the one before are written.
async fn into_lines(base_url: &str, pages: u64, file: &Path) -> anyhow::Result<Duration> {
    #[derive(serde::Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        members: Vec<&'a RawValue>,
    }

    let client = reqwest::Client::builder().build()?;
    let begun = Instant::now();
    let mut lines = BufWriter::new(File::create(file)?);
    for page in 0..pages {
        let body = fetch(&client, base_url, page).await?;
        let envelope: Envelope<'_> = serde_json::from_slice(&body)?;
        for member in envelope.members {
            lines.write_all(member.get().as_bytes())?;
            lines.write_all(b"\n")?;
        }
    }
    lines.into_inner()?.sync_all()?;
    Ok(begun.elapsed())
}

async fn fetch(client: &reqwest::Client, base_url: &str, page: u64) -> anyhow::Result<Bytes> {
    let url = format!(
        "{base_url}/lists/{}/members?count={}&offset={}&sort_field=last_changed&sort_dir=ASC\
         &exclude_fields=members._links,_links",
        super::LIST,
        super::PAGE,
        page * super::PAGE,
    );
    let answer = client.get(url).bearer_auth(super::MAILCHIMP_KEY);
    Ok(answer.send().await?.error_for_status()?.bytes().await?)
}
