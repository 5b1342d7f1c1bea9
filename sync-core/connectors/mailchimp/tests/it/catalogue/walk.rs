//! A collection by offset that changes while it is read, from a server that may have its ways.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use mailchimp_client::{Client, Transport, TransportError, TransportResponse};
use sync_core::Error;
use sync_mailchimp::catalogue::CatalogueAccount;

use super::{Held, source_of};
use crate::api::{KEY, clock};

/// One page of the collection: which request it is, and its offset and count.
#[derive(Clone, Copy)]
struct Asked {
    number: usize,
    offset: usize,
    count: usize,
}

/// What a page is made of: the rows of the whole collection, in their order.
type Rows = Vec<u32>;

type Change = Box<dyn Fn(Asked, &mut Rows) + Send + Sync>;
type Page = Box<dyn Fn(Asked, &[u32]) -> Option<(Rows, usize)> + Send + Sync>;

/// A server with one collection, the account's folders of campaigns.
struct Server {
    rows: Mutex<Rows>,
    /// What happens to the rows before a page is made.
    change: Change,
    /// The page and its total; none: the server fails.
    page: Page,
    requests: AtomicUsize,
    running: AtomicUsize,
    most: AtomicUsize,
}

fn honest(asked: Asked, rows: &[u32]) -> (Rows, usize) {
    let page = rows.iter().skip(asked.offset).take(asked.count.min(1000));
    (page.copied().collect(), rows.len())
}

impl Server {
    fn new(rows: u32) -> Self {
        Self {
            rows: Mutex::new((0..rows).collect()),
            change: Box::new(|_, _| {}),
            page: Box::new(|asked, rows| Some(honest(asked, rows))),
            requests: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }
    }

    fn changed(mut self, by: impl Fn(Asked, &mut Rows) + Send + Sync + 'static) -> Self {
        self.change = Box::new(by);
        self
    }

    fn paged(
        mut self,
        by: impl Fn(Asked, &[u32]) -> Option<(Rows, usize)> + Send + Sync + 'static,
    ) -> Self {
        self.page = Box::new(by);
        self
    }

    fn answer(&self, path: &str, query: &str) -> (StatusCode, String) {
        if path == "/3.0/" || path == "/3.0" {
            return (StatusCode::OK, r#"{"account_id":"acc"}"#.to_owned());
        }
        let parameter = |name: &str| {
            let mut parameters = query.split('&').filter_map(|part| part.split_once('='));
            let found = parameters.find(|(known, _)| *known == name);
            found.and_then(|(_, value)| value.parse().ok())
        };
        let asked = Asked {
            number: self.requests.fetch_add(1, Ordering::Relaxed) + 1,
            offset: parameter("offset").unwrap_or(0),
            count: parameter("count").unwrap_or(10),
        };
        let mut rows = self.rows.lock().expect("no test panics here");
        (self.change)(asked, &mut rows);
        let Some((page, total)) = (self.page)(asked, &rows) else {
            return (StatusCode::GATEWAY_TIMEOUT, "<html>".to_owned());
        };
        let page: Vec<String> = page
            .iter()
            .map(|id| format!(r#"{{"id":"f{id}"}}"#))
            .collect();
        let page = page.join(",");
        let body = format!(r#"{{"folders":[{page}],"total_items":{total}}}"#);
        (StatusCode::OK, body)
    }
}

struct Served(Arc<Server>);

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Served")
    }
}

#[async_trait]
impl Transport for Served {
    async fn send(&self, request: loopback::Request) -> Result<TransportResponse, TransportError> {
        let server = &self.0;
        let running = server.running.fetch_add(1, Ordering::Relaxed) + 1;
        server.most.fetch_max(running, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let query = request.uri().query().unwrap_or_default();
        let (status, body) = server.answer(request.uri().path(), query);
        server.running.fetch_sub(1, Ordering::Relaxed);
        Ok(TransportResponse::full(status, HeaderMap::new(), body))
    }
}

fn source(server: &Arc<Server>) -> sync_mailchimp::catalogue::StreamSource {
    let client = Client::builder(KEY)
        .transport(Arc::new(Served(server.clone())))
        .jitter_seed(1)
        .build()
        .expect("the client's settings are right");
    let clock = clock();
    let clock = Arc::new(move || clock());
    source_of(CatalogueAccount::new(client), "campaign_folders", clock)
}

/// Reads everything once. Gives the error instead if there is one.
async fn read(server: Server) -> (Arc<Server>, Result<BTreeSet<u32>, Error>) {
    let server = Arc::new(server);
    let mut held = Held::default();
    let ended = held.read(&source(&server)).await;
    let ids = held.records.values().map(|record| {
        let id = record["id"].as_str().and_then(|id| id.strip_prefix('f'));
        id.and_then(|id| id.parse().ok()).expect("an id")
    });
    let ids = ids.collect();
    (server, ended.map(|()| ids))
}

/// How many were not read.
fn missing(ids: &BTreeSet<u32>, among: impl Iterator<Item = u32>) -> usize {
    among.filter(|id| !ids.contains(id)).count()
}

#[tokio::test(start_paused = true)]
async fn a_collection_takes_few_requests_and_never_more_than_ten_at_once() {
    for rows in [0, 1, 990, 1000, 1001, 1990, 5000, 30_000_u32] {
        let (server, ids) = read(Server::new(rows)).await;
        let ids = ids.expect("reading works");
        assert_eq!(missing(&ids, 0..rows), 0, "{rows} rows");
        let requests = server.requests.load(Ordering::Relaxed);
        let most = f64::from(rows.div_ceil(990)) * 1.03 + 2.0;
        assert!(requests as f64 <= most, "{requests} for {rows}");
        let at_once = server.most.load(Ordering::Relaxed);
        assert!(at_once <= 10, "{at_once} at once");
        assert!(rows < 30_000 || at_once == 10, "{at_once} at once");
    }
}

#[tokio::test(start_paused = true)]
async fn rows_that_vanish_and_rows_that_come_take_no_other_with_them() {
    // More vanish than pages share, at once and one by one, behind and before what was read, and others come in front.
    for at_once in [1, 9, 11, 50, 500] {
        let (server, ids) = read(Server::new(12_000).changed(move |asked, rows| {
            if asked.number > 1 && asked.number < 12 {
                let from = (asked.number * 397) % 3000;
                rows.drain(from..from + at_once);
                let new = 1_000_000 + u32::try_from(asked.number).expect("few") * 10;
                rows.splice(0..0, new..new + 3);
            }
        }))
        .await;
        let ids = ids.expect("reading works");
        let left = server.rows.lock().expect("unpoisoned").clone();
        let untouched = left.into_iter().filter(|id| *id < 1_000_000);
        assert_eq!(missing(&ids, untouched), 0, "{at_once} at once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_collection_that_keeps_shrinking_is_read_to_its_end() {
    let (server, ids) = read(Server::new(40_000).changed(|asked, rows| {
        if asked.number % 3 == 0 && rows.len() > 20_000 {
            rows.drain(100..130);
        }
    }))
    .await;
    let left = server.rows.lock().expect("unpoisoned").clone();
    assert_eq!(missing(&ids.expect("reading works"), left.into_iter()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_the_offset_is_an_error_and_no_short_collection() {
    let ignoring = |asked, rows: &[u32]| Some(honest(Asked { offset: 0, ..asked }, rows));
    let (server, ids) = read(Server::new(5000).paged(ignoring)).await;
    ids.expect_err("4,000 rows never came");
    assert!(server.requests.load(Ordering::Relaxed) < 100);

    // All at once, whatever is asked for, is fine.
    for rows in [700, 1000, 3000_u32] {
        let (_, ids) =
            read(Server::new(rows).paged(|_, rows| Some((rows.to_vec(), rows.len())))).await;
        assert_eq!(missing(&ids.expect("reading works"), 0..rows), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_total_that_lies_loses_nothing() {
    for total in [0, 1, 999, 4999, 5001, 100_000_usize] {
        let lying = move |asked, rows: &[u32]| Some((honest(asked, rows).0, total));
        let (server, ids) = read(Server::new(5000).paged(lying)).await;
        let ids = ids.unwrap_or_else(|error| panic!("{total}: {error}"));
        assert_eq!(missing(&ids, 0..5000), 0, "{total}");
        let requests = server.requests.load(Ordering::Relaxed);
        assert!(requests < 40, "{requests} with {total}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_without_rows_are_asked_for_again() {
    // The first, one in the middle, the last.
    for empty in [1, 4, 6] {
        let (_, ids) = read(Server::new(5000).paged(move |asked, rows| {
            let (page, total) = honest(asked, rows);
            let page = if asked.number == empty {
                Vec::new()
            } else {
                page
            };
            Some((page, total))
        }))
        .await;
        assert_eq!(missing(&ids.expect("reading works"), 0..5000), 0, "{empty}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_in_no_order_lose_nothing_or_end_with_an_error() {
    for seed in 0..10 {
        let (server, ids) = read(Server::new(5000).paged(move |asked, rows| {
            let (mut page, total) = honest(asked, rows);
            fastrand::Rng::with_seed(seed * 1000 + asked.number as u64).shuffle(&mut page);
            Some((page, total))
        }))
        .await;
        if let Ok(ids) = ids {
            assert_eq!(missing(&ids, 0..5000), 0, "{seed}");
        }
        assert!(server.requests.load(Ordering::Relaxed) < 2000);
    }
}

#[tokio::test(start_paused = true)]
async fn large_pages_that_fail_are_asked_for_in_halves() {
    let (_, ids) = read(
        Server::new(3000).paged(|asked, rows| (asked.count <= 300).then(|| honest(asked, rows))),
    )
    .await;
    assert_eq!(missing(&ids.expect("reading works"), 0..3000), 0);
}

#[tokio::test(start_paused = true)]
async fn smaller_pages_than_asked_for_cost_no_more_than_their_number() {
    let (server, ids) = read(Server::new(20_000).paged(|asked, rows| {
        let count = asked.count.min(500);
        Some(honest(Asked { count, ..asked }, rows))
    }))
    .await;
    assert_eq!(missing(&ids.expect("reading works"), 0..20_000), 0);
    let requests = server.requests.load(Ordering::Relaxed);
    assert!(requests <= 20_000 / 490 + 4, "{requests}");
}
