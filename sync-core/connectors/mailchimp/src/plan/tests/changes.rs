//! Nothing is lost, whatever changes, whenever the process dies.

use fastrand::Rng;
use proptest::prelude::*;

use super::model::{Quirks, Report, Run, Server, Sink, Totals, missing};
use crate::cursor::From;
use crate::plan::stitch;
use crate::plan::{Event, Position};

/// Audiences of all shapes: spread, in bursts larger than a page, all in one second.
fn times(rng: &mut Rng, members: usize) -> Vec<i64> {
    let span = [1, 3, 40, 1_000, 1_000_000][rng.usize(..5)];
    let bursts: Vec<i64> = (0..rng.usize(1..5))
        .map(|_| 1_000_000 - rng.i64(0..span))
        .collect();
    let tied = [0, 50, 95][rng.usize(..3)];
    (0..members)
        .map(|_| {
            if rng.u8(..100) < tied {
                bursts[rng.usize(..bursts.len())]
            } else {
                1_000_000 - rng.i64(0..span)
            }
        })
        .collect()
}

/// Several runs over an audience that changes meanwhile, each perhaps dying, and a quiet one at the end. What is missing
/// is returned.
fn live(seed: u64, quirks: Quirks) -> Result<Vec<Report>, String> {
    let mut rng = Rng::with_seed(seed);
    let members = [0, 1, 9, 60, 400][rng.usize(..5)];
    let times = times(&mut rng, members);
    let mut server = Server::new(1_000_100, times);
    server.quirks = quirks;
    for member in &mut server.members {
        member.archived = rng.u8(..8) == 0;
    }
    let mut sink = Sink::new();
    let mut from = From::Nothing { skip: 0 };
    let mut reports = Vec::new();
    for turn in 0..6 {
        let last = turn == 5;
        let mut run = Run::new(&mut server, &mut sink, rng.u64(..));
        run.page_size = [10, 13, 40, 100][rng.usize(..4)];
        run.workers = rng.usize(1..=10);
        if !last {
            run.changes = [0, 5, 30, 90][rng.usize(..4)];
            run.dies_after = if rng.bool() {
                rng.usize(..20)
            } else {
                usize::MAX
            };
        }
        let report = run.read(&from);
        let progress = report.progress.clone().expect("each run leaves progress");
        if let Some(missing) = missing(&server, &sink, &progress) {
            return Err(format!("seed {seed}, run {turn}: {missing}"));
        }
        let open: usize = progress
            .open
            .iter()
            .map(|open| open.position.tail.len())
            .sum();
        assert!(open <= 16 * progress.open.len(), "positions are bounded");
        if last && !progress.open.is_empty() {
            return Err(format!(
                "seed {seed}: the quiet run left {progress:?} {report:?}"
            ));
        }
        from = From::Progress(progress);
        server.now += 10;
        reports.push(report);
    }
    Ok(reports)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn nothing_is_lost_whatever_changes_and_dies(
        seed: u64,
        since_includes: bool,
        before_includes: bool,
        clamp in prop_oneof![Just(usize::MAX), Just(37_usize), Just(50)],
        counted: bool,
    ) {
        let totals = if counted { Totals::Right } else { Totals::Missing };
        let quirks =
            Quirks { since_includes, before_includes, clamp, totals, ..Quirks::default() };
        if let Err(missing) = live(seed, quirks) {
            prop_assert!(false, "{}", missing);
        }
    }
}

#[test]
fn histories_that_once_lost_somebody_lose_nobody() {
    for (seed, clamp) in [
        (6_629_367_071_999_493_866, 37),
        (12_746_919_979_978_024_260, 37),
        (3_479_836_431_097_544_136, 50),
    ] {
        let quirks = Quirks {
            since_includes: true,
            before_includes: false,
            clamp,
            totals: Totals::Missing,
            ..Quirks::default()
        };
        assert_eq!(live(seed, quirks).err(), None);
    }
}

#[test]
fn a_member_that_changes_its_place_among_ties_is_not_lost() {
    for seed in 0..100 {
        let mut server = Server::new(2_000, std::iter::repeat_n(1_000, 400));
        server.quirks.jumps = true;
        let mut sink = Sink::new();
        let mut run = Run::new(&mut server, &mut sink, seed);
        run.page_size = 40;
        let progress = run
            .read(&From::Nothing { skip: 0 })
            .progress
            .expect("progress");
        assert_eq!(missing(&server, &sink, &progress), None, "seed {seed}");
    }
}

/// Says for how many of the seeds something is missing.
fn found(seeds: std::ops::Range<u64>) -> usize {
    seeds
        .filter(|&seed| live(seed, Quirks::default()).is_err())
        .count()
}

#[test]
fn the_net_catches_a_join_that_trusts_every_page() {
    stitch::sabotage::TRUSTING.set(true);
    let found = found(0..300);
    stitch::sabotage::TRUSTING.set(false);
    assert!(found > 0, "a plan that does not check overlaps passes");
}

#[test]
fn the_net_catches_offset_paging() {
    let lost = (0..300).filter(|&seed| {
        let mut rng = Rng::with_seed(seed);
        let times = times(&mut rng, 200);
        let mut server = Server::new(1_000_100, times);
        let mut sink = Sink::new();
        let (bound, mut offset) = (server.now - 2, 0);
        loop {
            let request = crate::plan::Request {
                id: 0,
                sweep: crate::plan::Sweep::Listed,
                since: None,
                before: bound,
                offset,
                count: 20,
            };
            let page = server.answer(&request, &mut rng);
            sink.extend(
                page.rows
                    .iter()
                    .map(|row| row.id)
                    .zip(page.versions.iter().copied()),
            );
            offset += page.rows.len() as u64;
            if page.rows.len() < 20 {
                break;
            }
            server.change(&mut rng);
        }
        server.members.retain(|member| !member.archived);
        let claim = crate::cursor::Progress {
            until: bound,
            open: Vec::new(),
        };
        missing(&server, &sink, &claim).is_some()
    });
    assert!(lost.count() > 0, "a plain offset walk passes");
}

#[test]
fn a_second_whose_members_leave_while_it_is_read_is_still_complete() {
    for seed in 0..150 {
        let mut rng = Rng::with_seed(seed);
        let neighbours = [0, 0, 30, 500][rng.usize(..4)];
        let times =
            (0..700).map(|n| 1_000 + i64::from(n < neighbours) - i64::from(n < neighbours / 2));
        let mut server = Server::new(2_000, times);
        server.quirks.since_includes = rng.u8(..4) == 0;
        server.quirks.before_includes = rng.u8(..4) > 0;
        server.quirks.totals = if rng.u8(..4) == 0 {
            Totals::Missing
        } else {
            Totals::Right
        };
        let mut sink = Sink::new();
        let mut from = From::Nothing { skip: 0 };
        for changes in [[3, 30, 60][rng.usize(..3)], 0] {
            let mut run = Run::new(&mut server, &mut sink, rng.u64(..));
            run.page_size = [10, 20, 64][rng.usize(..3)];
            run.workers = rng.usize(1..=10);
            run.changes = changes;
            let progress = run.read(&from).progress.expect("progress");
            assert_eq!(missing(&server, &sink, &progress), None, "seed {seed}");
            server.now += 10;
            from = From::Progress(progress);
        }
        assert!(
            matches!(from, From::Progress(progress) if progress.open.is_empty()),
            "seed {seed}"
        );
    }
}

#[test]
fn a_restart_inside_a_large_second_goes_on_where_it_was() {
    let mut server = Server::new(2_000, std::iter::repeat_n(1_000, 2_000));
    let mut sink = Sink::new();
    let mut run = Run::new(&mut server, &mut sink, 1);
    (run.page_size, run.dies_after) = (100, 12);
    let first = run.read(&From::Nothing { skip: 0 });
    assert!(first.died);
    let progress = first.progress.expect("progress");
    let mut run = Run::new(&mut server, &mut sink, 2);
    run.page_size = 100;
    let second = run.read(&From::Progress(progress));
    assert_eq!(sink.len(), 2_000);
    assert!(
        first.requests + second.requests < 34,
        "{} + {}",
        first.requests,
        second.requests
    );
}

#[test]
fn start_offset_leaves_out_the_oldest_members() {
    let mut server = Server::new(2_000, 0..500);
    let mut sink = Sink::new();
    let report = Run::new(&mut server, &mut sink, 1).read(&From::Nothing { skip: 120 });
    assert_eq!(report.delivered, 380);
    assert!(
        server.members[120..]
            .iter()
            .all(|member| sink.contains_key(&member.id))
    );
}

#[test]
fn a_second_too_large_for_a_page_is_not_entered_half_way() {
    let mut server = Server::new(2_000, (0..500).map(|n| n / 400));
    let mut sink = Sink::new();
    let report = Run::new(&mut server, &mut sink, 1).read(&From::Nothing { skip: 120 });
    assert_eq!(sink.len(), 500);
    assert!(
        report
            .progress
            .is_some_and(|progress| progress.open.is_empty())
    );
}

#[test]
fn ties_in_ever_changing_order_are_read_until_all_were_seen() {
    for seed in 0..40 {
        let mut server = Server::new(2_000, (0..300).map(|n| if n < 250 { 1_000 } else { n }));
        server.quirks.shuffles = true;
        let mut sink = Sink::new();
        let mut run = Run::new(&mut server, &mut sink, seed);
        run.page_size = 60;
        let report = run.read(&From::Nothing { skip: 0 });
        assert_eq!(sink.len(), 300, "seed {seed}: {report:?}");
        assert!(
            report.events.contains(&Event::ReadAgain { second: 1_000 }),
            "seed {seed}"
        );
    }
}

#[test]
fn ties_in_ever_changing_order_cost_nobody_when_counts_are_too_low() {
    for (seed, often) in (0..40).flat_map(|seed| [(seed, 1), (seed, 3)]) {
        let mut server = Server::new(2_000, (0..300).map(|n| if n < 250 { 1_000 } else { n }));
        server.quirks.shuffles = true;
        server.quirks.totals = Totals::Wrong(-1_000, often);
        let mut sink = Sink::new();
        let mut run = Run::new(&mut server, &mut sink, seed);
        run.page_size = 60;
        let report = run.read(&From::Nothing { skip: 0 });
        let progress = report.progress.expect("progress");
        let what = missing(&server, &sink, &progress);
        assert_eq!(what, None, "seed {seed}, one in {often}");
    }
}

#[test]
fn positions_say_where_a_window_stands() {
    let mut server = Server::new(2_000, 0..100);
    let mut sink = Sink::new();
    let mut run = Run::new(&mut server, &mut sink, 1);
    (run.workers, run.dies_after) = (1, 1);
    let progress = run
        .read(&From::Nothing { skip: 0 })
        .progress
        .expect("progress");
    let listed = progress.open.first().expect("open");
    let Position { since, taken, tail } = &listed.position;
    assert_eq!((*since, *taken, tail.len()), (Some(8), 1, 1));
}
