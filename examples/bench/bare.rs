//! The least that can be done: fetch the same pages by offset and throw them away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::try_join_all;

/// Time to download this many pages over so many connections, each asking for its next page as soon as one is whole.
/// Loses members when the audience changes meanwhile; here it stands still.
pub(crate) async fn download(
    base_url: &str,
    pages: u64,
    connections: usize,
) -> anyhow::Result<Duration> {
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
                let offset = page * super::PAGE;
                let url = format!(
                    "{base_url}/lists/{}/members?count={}&offset={offset}&sort_field=last_changed\
                     &sort_dir=ASC&exclude_fields=members._links,_links",
                    super::LIST,
                    super::PAGE
                );
                let answer = client
                    .get(url)
                    .bearer_auth(super::MAILCHIMP_KEY)
                    .send()
                    .await?;
                answer.error_for_status()?.bytes().await?;
            }
        }
    });
    try_join_all(connections).await?;
    Ok(begun.elapsed())
}
