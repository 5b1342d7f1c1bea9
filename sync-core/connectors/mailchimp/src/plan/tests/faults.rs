//! A server that fails, lies and sorts badly.

use fastrand::Rng;
use proptest::prelude::*;

use super::model::{Run, Server, Sink, Totals, missing};
use crate::cursor::From;
use crate::plan::{Defect, Event, Open, Plan, Position, Request, Row, Sweep};

const START: From = From::Nothing { skip: 0 };

fn listed(before: i64) -> Vec<Open> {
    vec![Open {
        sweep: Sweep::Listed,
        position: Position::default(),
        before,
        skip: 0,
    }]
}

#[test]
fn counts_that_are_wrong_now_and_then_cost_nobody() {
    for seed in 0..200 {
        for by in [-1_000, -3, 3, 1_000] {
            let mut server = Server::new(2_000, (0..300).map(|n| n / 40 * 100));
            server.quirks.totals = Totals::Wrong(by, 5);
            let mut sink = Sink::new();
            let report = Run::new(&mut server, &mut sink, seed).read(&START);
            let progress = report.progress.expect("progress");
            assert_eq!(
                missing(&server, &sink, &progress),
                None,
                "seed {seed}, {by}"
            );
        }
    }
}

#[test]
fn counts_that_always_promise_more_leave_windows_open_and_deliver_the_rest() {
    for times in [vec![1_000; 90], (0..90).collect::<Vec<i64>>(), vec![]] {
        let mut server = Server::new(2_000, times);
        server.quirks.totals = Totals::Wrong(7, 1);
        let mut sink = Sink::new();
        let report = Run::new(&mut server, &mut sink, 1).read(&START);
        assert_eq!(sink.len(), server.members.len());
        assert!(report.defects.contains(&Defect::Miscounted), "{report:?}");
        assert!(
            report
                .progress
                .is_some_and(|progress| !progress.open.is_empty())
        );
    }
}

#[test]
fn a_page_that_is_not_sorted_is_refused_and_asked_for_again() {
    let mut plan = Plan::new(10, 1, listed(100));
    let request = plan.next_request().expect("a request");
    let rows = [Row { id: 1, at: 50 }, Row { id: 2, at: 40 }];
    let taken = plan.on_page(request.id, &rows, Some(2));
    assert_eq!(taken.defect, Some(Defect::Unsorted));
    assert_eq!(taken.keep, [false, false]);
    assert!(matches!(taken.events[..], [Event::PutOff { .. }]));
    let again = plan.next_request().expect("its second try");
    let taken = plan.on_page(again.id, &rows, Some(2));
    assert!(matches!(taken.events[..], [Event::GivenUp { .. }]));
    assert_eq!(plan.next_request(), None);
    assert!(plan.is_finished());
    assert_eq!(plan.open_windows(), listed(100));
}

#[test]
fn rows_outside_the_window_are_refused() {
    for at in [9, 102] {
        let position = Position {
            since: Some(10),
            ..Position::default()
        };
        let open = Open {
            sweep: Sweep::Listed,
            position,
            before: 100,
            skip: 0,
        };
        let mut plan = Plan::new(10, 1, vec![open]);
        let request = plan.next_request().expect("a request");
        let taken = plan.on_page(request.id, &[Row { id: 1, at }], Some(1));
        assert_eq!(taken.defect, Some(Defect::OutOfBounds), "{at}");
    }
}

#[test]
fn pages_too_large_for_the_server_are_asked_for_in_halves() {
    for seed in 0..50 {
        let mut server = Server::new(2_000, (0..900).map(|n| if n < 500 { 700 } else { n }));
        let mut sink = Sink::new();
        let mut run = Run::new(&mut server, &mut sink, seed);
        run.page_size = 160;
        run.fails = (100, 40);
        let report = run.read(&START);
        assert_eq!(sink.len(), 900, "seed {seed}");
        assert!(report.events.contains(&Event::Shrunk { count: 80 }));
        assert!(
            report
                .progress
                .is_some_and(|progress| progress.open.is_empty())
        );
    }
}

#[test]
fn random_failures_lose_nothing_and_leave_what_failed_open() {
    for seed in 0..300 {
        let mut server = Server::new(2_000, (0..500).map(|n| n / 50 * 37));
        let mut sink = Sink::new();
        let mut run = Run::new(&mut server, &mut sink, seed);
        (run.fails, run.changes) = ((50, 0), 20);
        let progress = run.read(&START).progress.expect("progress");
        assert_eq!(missing(&server, &sink, &progress), None, "seed {seed}");
        server.now += 10;
        let report = Run::new(&mut server, &mut sink, seed).read(&From::Progress(progress));
        let progress = report.progress.expect("progress");
        assert!(progress.open.is_empty(), "seed {seed}");
        assert_eq!(missing(&server, &sink, &progress), None, "seed {seed}");
    }
}

#[test]
fn a_server_that_fails_always_is_left_alone_soon() {
    let mut server = Server::new(2_000, 0..500);
    let mut sink = Sink::new();
    let mut run = Run::new(&mut server, &mut sink, 1);
    run.fails = (100, 0);
    let report = run.read(&START);
    assert!(report.requests <= 24, "{}", report.requests);
    assert!(
        report
            .events
            .iter()
            .any(|event| matches!(event, Event::GivenUp { .. }))
    );
    let progress = report.progress.expect("progress");
    assert_eq!(progress.complete_until(), None);
}

/// Answers that have little to do with the question.
#[derive(Clone, Copy, Debug)]
enum Nonsense {
    /// Any rows, sorted or not, inside the window or not.
    Anything,
    /// Rows that would be right, but others each time.
    Plausible,
    /// The page at offset 0, whatever the offset.
    IgnoresOffset,
    /// Always the same page, whatever is asked.
    IgnoresAll,
}

fn nonsense(kind: Nonsense, request: &Request, rng: &mut Rng) -> (Vec<Row>, Option<u64>) {
    let since = request.since.unwrap_or(0);
    let count = i64::from(request.count);
    let mut row = |from: i64, to: i64| Row {
        id: rng.u64(..40),
        at: rng.i64(from..=to.max(from)),
    };
    let rows: Vec<Row> = match kind {
        Nonsense::Anything => (0..8).map(|_| row(since - 1, request.before + 1)).collect(),
        Nonsense::Plausible => {
            let mut rows: Vec<Row> = (0..count).map(|_| row(since + 1, request.before)).collect();
            rows.sort_by_key(|row| row.at);
            rows
        }
        Nonsense::IgnoresOffset => (0..count)
            .map(|n| Row {
                id: n.unsigned_abs(),
                at: since + 1,
            })
            .collect(),
        Nonsense::IgnoresAll => (0..count)
            .map(|n| Row {
                id: n.unsigned_abs(),
                at: 50,
            })
            .collect(),
    };
    let total = [None, Some(0), Some(8), Some(90), Some(u64::MAX)][rng.usize(..5)];
    (rows, total)
}

proptest! {
    #[test]
    fn every_read_ends_whatever_is_answered(
        seed: u64,
        workers in 1..=10_usize,
        kind in prop_oneof![
            Just(Nonsense::Anything),
            Just(Nonsense::Plausible),
            Just(Nonsense::IgnoresOffset),
            Just(Nonsense::IgnoresAll),
        ],
    ) {
        let mut rng = Rng::with_seed(seed);
        let mut plan = Plan::new(12, workers, listed(60));
        let mut requests = 0;
        while let Some(request) = plan.next_request() {
            requests += 1;
            prop_assert!(requests < 5_000, "the read does not end");
            let (rows, total) = nonsense(kind, &request, &mut rng);
            plan.on_page(request.id, &rows, total);
            prop_assert!(plan.open_windows().len() <= 80);
            let _ = plan.expected_total();
        }
        prop_assert!(plan.is_finished());
    }
}
