//! How many requests and how many rounds a read takes.

use std::collections::VecDeque;

use fastrand::Rng;

use super::model::{Server, Sink};
use crate::cursor::From;
use crate::plan::Plan;
use crate::settings::StatusFilter;

const SIZE: u32 = 1000;
const WORKERS: usize = 10;

struct Cost {
    requests: usize,
    /// Latencies that pass until the end, when each answer takes one.
    rounds: usize,
}

/// Reads without changes; every answer takes the same time.
fn cost(server: &Server, from: &From) -> Cost {
    let windows = from.windows(StatusFilter::All, 0, server.now - 2);
    let mut plan = Plan::new(SIZE, WORKERS, windows);
    let mut rng = Rng::with_seed(0);
    let mut sink = Sink::new();
    let mut cost = Cost {
        requests: 0,
        rounds: 0,
    };
    let mut under_way = VecDeque::new();
    loop {
        while let Some(request) = plan.next_request() {
            under_way.push_back(request);
        }
        if under_way.is_empty() {
            break;
        }
        assert!(under_way.len() <= WORKERS);
        cost.rounds += 1;
        for request in std::mem::take(&mut under_way) {
            cost.requests += 1;
            let page = server.answer(&request, &mut rng);
            let taken = plan.on_page(request.id, &page.rows, page.total);
            for ((row, version), _) in page
                .rows
                .iter()
                .zip(&page.versions)
                .zip(&taken.keep)
                .filter(|(_, keep)| **keep)
            {
                sink.insert(row.id, *version);
            }
        }
    }
    assert!(plan.open_windows().is_empty());
    assert_eq!(sink.len(), server.members.len());
    cost
}

/// At most 1.10 times the pages; at most 1.05 times the rounds that ten connections need at best, and five to find out what
/// there is to do. For a million members that is 1.10 times the best.
fn assert_cheap(shape: &str, times: impl IntoIterator<Item = i64>) {
    let server = Server::new(40_000_000, times);
    let pages = server.members.len().div_ceil(SIZE as usize);
    let cost = cost(&server, &From::Nothing { skip: 0 });
    let report = format!(
        "{shape}: {} requests, {} rounds, {pages} pages",
        cost.requests, cost.rounds
    );
    assert!(cost.requests * 100 <= pages * 110, "{report}");
    assert!(cost.rounds * 1000 <= pages * 105 + 5_000, "{report}");
}

const MEMBERS: i64 = 400_000;

#[test]
fn members_spread_evenly_are_read_at_nearly_the_ideal_cost() {
    assert_cheap("even", (0..MEMBERS).map(|n| n * 30_000_000 / MEMBERS));
}

#[test]
fn members_in_ten_bursts_are_read_at_nearly_the_ideal_cost() {
    assert_cheap("bursts", (0..MEMBERS).map(|n| n * 10 / MEMBERS * 3_000_000));
}

#[test]
fn members_in_one_second_are_read_at_nearly_the_ideal_cost() {
    assert_cheap("one second", (0..MEMBERS).map(|_| 30_000_000));
}

#[test]
fn members_crowded_at_the_end_are_read_at_nearly_the_ideal_cost() {
    let at = |n: i64| 39_000_000 - 39_000_000 / (1 + n / 50);
    assert_cheap("crowded", (0..MEMBERS).map(at));
}

#[test]
fn members_in_seconds_of_some_hundreds_are_read_at_nearly_the_ideal_cost() {
    assert_cheap("clusters", (0..MEMBERS).map(|n| n / 300 * 9_000));
}

#[test]
fn members_in_bursts_of_a_few_pages_are_read_at_nearly_the_ideal_cost() {
    for burst in [2_000, 5_000, 20_000] {
        assert_cheap("small bursts", (0..MEMBERS).map(|n| n / burst * burst * 70));
    }
}

#[test]
fn a_run_without_changes_takes_one_request_for_each_sweep() {
    let server = Server::new(40_000_000, []);
    let cost = cost(&server, &From::Nothing { skip: 0 });
    assert_eq!((cost.requests, cost.rounds), (2, 1));
}

#[test]
fn a_few_changes_take_no_more_requests_than_none() {
    let server = Server::new(40_000_000, (0..40).map(|n| 39_000_000 + n / 3));
    assert_eq!(cost(&server, &From::Nothing { skip: 0 }).requests, 2);
}
