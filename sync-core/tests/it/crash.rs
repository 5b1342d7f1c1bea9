//! For each call into source, sink and store: fail it, or kill the process at it, start again, and compare.

use std::sync::Arc;

use sync_core::{Import, MemorySink, Outcome, Scope, Shutdown};
use sync_testkit::{
    Fault, FaultPlan, FaultySink, FaultySource, FaultyState, ScriptedSource, TestRecord, present,
    removed,
};

use crate::world::{TestPipeline, World, import};

/// A first load, a change, a removal that only the search finds, and one that reappears.
fn world() -> World {
    let source = ScriptedSource::new()
        .batch([present("a", "1"), present("b", "1"), present("c", "1")])
        .batch([present("d", "1"), present("a", "2")])
        .batch([removed("b"), present("e", "1")]);
    World::new(source)
}

fn with_faults(world: &World, plan: &FaultPlan) -> TestPipeline {
    world
        .with(
            Arc::new(FaultySource::new(world.source.clone(), plan.clone())),
            Box::new(FaultySink::new(
                MemorySink::for_handle(&world.sink),
                plan.clone(),
            )),
            Arc::new(FaultyState::new(world.state.clone(), plan.clone())),
        )
        .build()
}

/// Three runs; between them the source changes in ways that only some of them see. `struck` is the run that the plan hits.
async fn live(world: &World, plan: &FaultPlan) {
    for step in 0..3 {
        match step {
            1 => {
                world.source.vanish("d");
                world.source.push([present("f", "1")]);
                world.clock.advance(chrono::TimeDelta::hours(25));
            }
            2 => {
                world.source.appear(TestRecord::new("d", "2"));
                world.source.push([present("d", "2")]);
            }
            _ => {}
        }
        let mut pipeline = with_faults(world, plan);
        let never = Shutdown::never();
        // A killed process is a future that is dropped where it stands.
        tokio::select! {
            biased;
            _ = pipeline.run(&never) => {}
            () = plan.strikes() => {}
        }
    }
}

#[tokio::test]
async fn any_failure_or_kill_at_any_call_loses_nothing() {
    let calls = {
        let world = world();
        let plan = FaultPlan::none();
        live(&world, &plan).await;
        assert_eq!(world.delivered(), world.expected());
        plan.calls()
    };
    assert!(
        calls > 60,
        "the story must reach every kind of call, it made {calls}"
    );
    for fault in Fault::ALL {
        for n in 0..calls {
            let world = world();
            let plan = FaultPlan::nth(n, fault);
            live(&world, &plan).await;
            assert!(plan.struck(), "call {n} was not reached with {fault:?}");
            // One clean run after the world stands still, late enough to search for removals.
            world.clock.advance(chrono::TimeDelta::hours(25));
            let run = world.pipeline().run(&Shutdown::never()).await;
            assert_eq!(
                run.outcome,
                Some(Outcome::Complete),
                "call {n}, {fault:?}: {run:?}"
            );
            assert_eq!(world.delivered(), world.expected(), "call {n}, {fault:?}");
        }
    }
}

/// A run whose records become durable at the sink, and whose process is killed before that is written down.
async fn killed_before_its_commit(world: &World) {
    // The sink's calls are check, write, and the flush that acts and never returns.
    let plan = FaultPlan::nth(2, Fault::AfterNever);
    let sink = FaultySink::new(MemorySink::for_handle(&world.sink), plan.clone());
    let source = Arc::new(world.source.clone());
    let mut killed = world
        .with(source, Box::new(sink), world.state.clone())
        .build();
    let never = Shutdown::never();
    tokio::select! {
        _ = killed.run(&never) => {}
        () = plan.strikes() => {}
    }
    assert_eq!(plan.log(), ["sink.check", "sink.write", "sink.flush"]);
}

#[tokio::test]
async fn a_record_that_went_back_to_what_the_ledger_knows_is_sent_again() {
    let world = World::new(ScriptedSource::new().batch([present("a", "1"), present("b", "1")]));
    world.pipeline().run(&Shutdown::never()).await;

    world.source.push([present("a", "2")]);
    killed_before_its_commit(&world).await;
    let never = Shutdown::never();
    assert_eq!(world.delivered()[0].1, "2");

    // Meanwhile the record went back, and that is all the source knows.
    let now = ScriptedSource::new().batch([]).batch([present("a", "1")]);
    let sink = Box::new(MemorySink::for_handle(&world.sink));
    let mut next = world
        .with(Arc::new(now.clone()), sink, world.state.clone())
        .build();
    let run = next.run(&never).await;
    assert_eq!(
        (run.outcome, run.counts.accepted),
        (Some(Outcome::Complete), 1)
    );
    assert_eq!(world.delivered()[0].1, "1");

    // Once that run is through, nothing is in doubt any more.
    assert!(
        !world
            .state
            .load(&import())
            .await
            .unwrap()
            .unwrap()
            .checkpoint
            .in_doubt
    );
    now.push([present("a", "1")]);
    assert_eq!(next.run(&never).await.counts.unchanged, 1);
}

#[tokio::test]
async fn a_record_that_went_back_beyond_the_next_run_is_sent_again_by_the_one_after() {
    let world = World::new(ScriptedSource::new().batch([present("a", "1"), present("b", "1")]));
    world.pipeline().run(&Shutdown::never()).await;

    world.source.push([present("a", "2")]);
    killed_before_its_commit(&world).await;
    let never = Shutdown::never();
    assert_eq!(world.delivered()[0].1, "2");

    // It went back just after the upper bound of the next run, which so does not see it and is complete without it.
    let now = ScriptedSource::new().batch([]).batch([present("b", "2")]);
    let sink = Box::new(MemorySink::for_handle(&world.sink));
    let mut next = world
        .with(Arc::new(now.clone()), sink, world.state.clone())
        .build();
    assert_eq!(next.run(&never).await.outcome, Some(Outcome::Complete));
    assert_eq!(world.delivered()[0].1, "2");

    now.push([present("a", "1")]);
    assert_eq!(next.run(&never).await.counts.accepted, 1);
    assert_eq!(world.delivered()[0].1, "1");
}

#[tokio::test]
async fn what_a_failed_run_left_in_the_sink_never_leaves_with_a_later_one() {
    let source = || {
        ScriptedSource::new()
            .batch([present("a", "1")])
            .batch([present("b", "1")])
    };
    let counted = FaultPlan::none();
    with_faults(&World::new(source()), &counted)
        .run(&Shutdown::never())
        .await;
    let log = counted.log();
    // The state fails between a batch that the sink took and the flush.
    let taken = log.iter().position(|call| *call == "sink.write").unwrap();
    let after = log
        .iter()
        .skip(taken)
        .position(|call| *call == "state.ledger")
        .unwrap();

    let world = World::new(source());
    let mut pipeline = with_faults(&world, &FaultPlan::nth(taken + after, Fault::Before));
    let failed = pipeline.run(&Shutdown::never()).await;
    assert_eq!(
        (failed.outcome, world.sink.flushed()),
        (Some(Outcome::Failed), 0)
    );

    let next = pipeline.run(&Shutdown::never()).await;
    assert_eq!(
        (next.outcome, world.sink.flushed()),
        (Some(Outcome::Complete), 2)
    );
}

#[tokio::test]
async fn a_record_that_only_a_killed_run_sent_and_that_is_gone_since_is_removed() {
    let world = World::new(ScriptedSource::new().batch([present("a", "1")]));
    world.pipeline().run(&Shutdown::never()).await;
    world.source.push([present("b", "1")]);
    killed_before_its_commit(&world).await;
    let never = Shutdown::never();
    assert_eq!(
        world.delivered().len(),
        2,
        "it reached the sink, and nobody wrote it down"
    );

    // It was deleted for good before the next run, so the source never shows it again.
    let now = ScriptedSource::new().batch([present("a", "1")]).batch([]);
    world.clock.advance(chrono::TimeDelta::hours(25));
    let sink = Box::new(MemorySink::for_handle(&world.sink));
    let run = world
        .with(Arc::new(now), sink, world.state.clone())
        .build()
        .run(&never)
        .await;
    assert_eq!(
        (run.outcome, run.counts.removed),
        (Some(Outcome::Complete), 1)
    );
    assert_eq!(world.delivered(), [("a".to_owned(), "1".to_owned())]);
    let announced = Scope::shared("announced:test");
    assert_eq!(world.state.ledger_len(&announced).await.unwrap(), 0);
}
