use std::sync::Arc;

use async_trait::async_trait;
use sync_core::{
    ErrorKind, Import, JsonRecord, Key, Keyed, Limit, MemorySink, Outcome, Position, Rejection,
    Report, Reset, Result, Shutdown, Sink, Turn, shutdown,
};
use sync_testkit::{FaultPlan, FaultySink, ScriptedSource, present, removed};

use crate::world::{World, import};

fn two_batches() -> ScriptedSource {
    ScriptedSource::new()
        .batch([present("a", "1"), present("b", "1"), present("c", "1")])
        .batch([present("d", "1"), present("a", "2")])
}

#[tokio::test]
async fn delivers_everything_and_remembers_where_it_got_to() {
    let world = World::new(two_batches());
    let run = world.pipeline().run(&Shutdown::never()).await;
    assert_eq!(run.outcome, Some(Outcome::Complete), "{run:?}");
    assert_eq!(run.counts.read, 5);
    assert_eq!(run.counts.accepted, 5);
    assert_eq!(world.delivered(), world.expected());
    let stored = world.state.load(&import()).await.unwrap().unwrap();
    assert_eq!(
        stored.checkpoint.position.complete_until(),
        run.complete_until
    );
    assert_eq!(run.complete_until, Some(sync_testkit::time(2)));
    let history = world.state.runs(Some(&import()), 10).await.unwrap();
    assert_eq!(history, [run]);
}

#[tokio::test]
async fn sends_only_what_changed() {
    let world = World::new(two_batches());
    world.pipeline().run(&Shutdown::never()).await;
    world.source.push([
        present("a", "2"),
        present("b", "2"),
        removed("c"),
        removed("unknown"),
    ]);
    let run = world.pipeline().run(&Shutdown::never()).await;
    assert_eq!(
        (run.counts.read, run.counts.accepted, run.counts.unchanged),
        (4, 2, 2)
    );
    assert_eq!(run.counts.removed, 2);
    assert_eq!(world.delivered(), world.expected());
    assert!(!world.ledger_has("c").await);
}

#[tokio::test]
async fn two_versions_between_commits_end_with_the_newer() {
    let source = ScriptedSource::new().batch([
        present("a", "1"),
        present("a", "2"),
        present("a", "1"),
        present("a", "1"),
    ]);
    let world = World::new(source);
    let run = world.pipeline().run(&Shutdown::never()).await;
    assert_eq!(
        (run.counts.accepted, run.counts.unchanged),
        (1, 1),
        "one key, last repeat unsent"
    );
    assert_eq!(world.delivered(), [("a".to_owned(), "1".to_owned())]);
}

#[tokio::test]
async fn what_an_open_interval_will_write_counts_for_the_next_batch() {
    let source = ScriptedSource::new()
        .batch([present("a", "1")])
        .batch([present("a", "1"), removed("a")]);
    let world = World::new(source);
    let run = world.pipeline().run(&Shutdown::never()).await;
    assert_eq!(run.counts.unchanged, 1);
    assert_eq!(world.delivered(), []);
    assert!(!world.ledger_has("a").await);
}

#[tokio::test]
async fn fingerprints_forgotten_means_everything_again() {
    let world = World::new(two_batches());
    world.pipeline().run(&Shutdown::never()).await;
    let flushed = world.sink.flushed();
    world
        .state
        .rewind(&import(), Position::Start)
        .await
        .unwrap();
    let again = world.pipeline().run(&Shutdown::never()).await;
    // Both versions of `a` are read again, in order; the older one differs from what was accepted.
    assert_eq!(again.counts.unchanged, 3);
    world
        .state
        .rewind(&import(), Position::Start)
        .await
        .unwrap();
    world
        .state
        .reset(&import(), Reset::Fingerprints)
        .await
        .unwrap();
    world.pipeline().run(&Shutdown::never()).await;
    assert!(world.sink.flushed() >= flushed + 5);
    assert_eq!(world.delivered(), world.expected());
}

/// Refuses some keys, at once or at the flush.
struct Picky {
    inner: MemorySink<JsonRecord>,
    refuses: &'static [&'static str],
    late: bool,
    pending: Vec<Rejection>,
}

#[async_trait]
impl Sink<JsonRecord> for Picky {
    fn name(&self) -> &'static str {
        "picky"
    }
    async fn check(&self) -> Result<()> {
        Ok(())
    }
    async fn write(&mut self, records: Vec<JsonRecord>) -> Result<Report> {
        let (bad, good): (Vec<_>, Vec<_>) = records
            .into_iter()
            .partition(|record| self.refuses.contains(&record.key.as_str()));
        self.inner.write(good).await?;
        let bad = bad.iter().map(|record| Rejection {
            key: record.key(),
            reason: "no".into(),
        });
        if self.late {
            self.pending.extend(bad);
            return Ok(Report::default());
        }
        Ok(Report {
            rejected: bad.collect(),
        })
    }
    async fn flush(&mut self) -> Result<Report> {
        self.inner.flush().await?;
        Ok(Report {
            rejected: std::mem::take(&mut self.pending),
        })
    }
    async fn abort(&mut self) {
        self.inner.abort().await;
        self.pending.clear();
    }
}

fn picky(world: &World, refuses: &'static [&'static str], late: bool) -> Picky {
    let inner = MemorySink::for_handle(&world.sink);
    Picky {
        inner,
        refuses,
        late,
        pending: Vec::new(),
    }
}

#[tokio::test]
async fn a_refused_record_is_written_down_and_the_others_go_on() {
    for late in [false, true] {
        let world = World::new(two_batches());
        let source = Arc::new(world.source.clone());
        let sink = Box::new(picky(&world, &["b"], late));
        let mut pipeline = world.with(source, sink, world.state.clone()).build();
        let run = pipeline.run(&Shutdown::never()).await;
        assert_eq!(run.outcome, Some(Outcome::Partial));
        assert_eq!((run.counts.accepted, run.counts.rejected), (4, 1));
        let rejected = world.state.rejected(&import(), None, 10).await.unwrap();
        assert_eq!(rejected.len(), 1);
        assert_eq!(
            (rejected[0].key.as_str(), rejected[0].reason.as_str()),
            ("b", "no")
        );
        assert!(
            !world.ledger_has("b").await,
            "a refused record must be sent again one day"
        );
        assert_eq!(world.heard.rejected().len(), 1);

        // A later good version clears it.
        world.source.push([present("b", "2")]);
        let run = world.pipeline().run(&Shutdown::never()).await;
        assert_eq!(run.outcome, Some(Outcome::Complete));
        assert_eq!(world.state.rejected_len(&import()).await.unwrap(), 0);
        assert_eq!(world.delivered(), world.expected());
    }
}

#[tokio::test]
async fn a_part_that_fails_makes_the_run_partial_and_the_rest_arrives() {
    let source = ScriptedSource::new()
        .batch_with_failed_part([present("a", "1")], "window 1")
        .batch([present("b", "1")]);
    let world = World::new(source);
    let run = world.pipeline().run(&Shutdown::never()).await;
    assert_eq!(run.outcome, Some(Outcome::Partial));
    assert_eq!(run.counts.failed_parts, 1);
    assert!(run.error.unwrap().contains("failed as scripted"));
    assert_eq!(world.delivered().len(), 2);
}

#[tokio::test]
async fn what_was_read_before_the_source_failed_is_kept() {
    let source = ScriptedSource::new()
        .batch([present("a", "1")])
        .error_once(ErrorKind::Unavailable)
        .batch([present("b", "1")]);
    let world = World::new(source);
    let run = world.pipeline().run(&Shutdown::never()).await;
    assert_eq!(run.outcome, Some(Outcome::Failed));
    assert_eq!(run.error_kind.as_deref(), Some("unavailable"));
    assert_eq!(world.delivered().len(), 1);
    assert_eq!(run.complete_until, Some(sync_testkit::time(1)));
    let run = world.pipeline().run(&Shutdown::never()).await;
    assert_eq!((run.outcome, run.counts.read), (Some(Outcome::Complete), 1));
    assert_eq!(world.delivered(), world.expected());
}

#[tokio::test]
async fn a_batch_without_a_safe_restart_does_not_move_the_checkpoint() {
    let source = ScriptedSource::new()
        .batch([present("a", "1")])
        .batch_without_cursor([present("b", "1"), present("c", "1")])
        .error_once(ErrorKind::Unavailable);
    let world = World::new(source);
    let run = world.pipeline().run(&Shutdown::never()).await;
    assert_eq!(run.outcome, Some(Outcome::Failed));
    assert_eq!(run.complete_until, Some(sync_testkit::time(1)));
    let run = world.pipeline().run(&Shutdown::never()).await;
    assert_eq!(
        (run.counts.read, run.counts.unchanged),
        (2, 2),
        "read again, not sent again"
    );
}

#[tokio::test]
async fn nothing_moves_when_either_end_refuses_us() {
    let world = World::new(two_batches());
    world.source.fail_check(Some(ErrorKind::Denied));
    let run = world.pipeline().run(&Shutdown::never()).await;
    assert_eq!(run.outcome, Some(Outcome::Failed));
    assert_eq!(run.error_kind.as_deref(), Some("denied"));
    assert!(world.source.reads().is_empty());
    assert_eq!(world.sink.flushed(), 0);
    assert_eq!(world.state.load(&import()).await.unwrap(), None);
}

#[tokio::test]
async fn a_limit_stops_the_read_and_its_cursor() {
    let world = World::new(two_batches());
    let run = world
        .builder()
        .limit(Limit::new(4))
        .build()
        .run(&Shutdown::never())
        .await;
    assert_eq!((run.outcome, run.counts.read), (Some(Outcome::Limited), 4));
    assert_eq!(
        run.complete_until,
        Some(sync_testkit::time(1)),
        "the cut batch is read again"
    );
    let run = world.pipeline().run(&Shutdown::never()).await;
    assert_eq!(run.outcome, Some(Outcome::Complete));
    assert_eq!(world.delivered(), world.expected());
}

#[tokio::test]
async fn asked_to_stop_it_commits_what_it_has() {
    let source = ScriptedSource::new().batch([present("a", "1")]).hang();
    let world = World::new(source);
    let (handle, signal) = shutdown();
    let source = world.source.clone();
    let mut pipeline = world.pipeline();
    let (run, ()) = tokio::join!(pipeline.run(&signal), async {
        source.hanging().await;
        handle.request();
    });
    assert_eq!(run.outcome, Some(Outcome::Stopped));
    assert_eq!(world.delivered().len(), 1);
    assert_eq!(run.complete_until, Some(sync_testkit::time(1)));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_stalls_does_not_hold_back_a_commit() {
    let source = ScriptedSource::new().batch([present("a", "1")]).hang();
    let world = World::new(source);
    let (handle, signal) = shutdown();
    let turn = Turn::default();
    let mut stalled = world.builder().turn(turn.clone()).build();
    let other = World::new(ScriptedSource::new().batch([present("x", "1")]));
    let mut waiting = other.builder().turn(turn).build();
    let never = Shutdown::never();
    let ((), first, second) = tokio::join!(
        async {
            world.source.hanging().await;
            // The turn is handed on although the first pipeline still waits for its source.
            while other.sink.flushed() == 0 {
                tokio::task::yield_now().await;
                tokio::time::advance(std::time::Duration::from_millis(100)).await;
            }
            handle.request();
        },
        stalled.run(&signal),
        waiting.run(&never),
    );
    assert_eq!(first.outcome, Some(Outcome::Stopped));
    assert_eq!(second.outcome, Some(Outcome::Complete));
    assert_eq!(
        world.delivered().len(),
        1,
        "committed by time, not by count"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cursor_without_records_is_stored_while_the_source_waits() {
    let world = World::new(ScriptedSource::new().batch([]).hang());
    let mut pipeline = world.pipeline();
    let (_handle, signal) = shutdown();
    tokio::select! {
        run = pipeline.run(&signal) => panic!("{run:?}"),
        () = async {
            world.source.hanging().await;
            tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        } => {}
    }
    let stored = world.state.load(&import()).await.unwrap().expect("stored");
    let until = stored.checkpoint.position.complete_until();
    assert_eq!(until, Some(sync_testkit::time(1)));
}

#[tokio::test]
async fn an_edit_of_the_state_during_a_run_supersedes_it() {
    let source = ScriptedSource::new().batch([present("a", "1")]).hang();
    let world = World::new(source);
    let (handle, signal) = shutdown();
    let mut pipeline = world.pipeline();
    let (run, ()) = tokio::join!(pipeline.run(&signal), async {
        world.source.hanging().await;
        world
            .state
            .rewind(&import(), Position::Start)
            .await
            .unwrap();
        handle.request();
    });
    assert_eq!(run.outcome, Some(Outcome::Superseded));
    let stored = world.state.load(&import()).await.unwrap().unwrap();
    assert_eq!(stored.checkpoint.position, Position::Start);
}

#[tokio::test]
async fn state_of_other_settings_is_refused() {
    let world = World::new(two_batches());
    world
        .builder()
        .binding("one")
        .build()
        .run(&Shutdown::never())
        .await;
    let run = world
        .builder()
        .binding("two")
        .build()
        .run(&Shutdown::never())
        .await;
    assert_eq!(run.outcome, Some(Outcome::Failed));
    assert_eq!(run.error_kind.as_deref(), Some("config"));
    let error = run.error.unwrap();
    assert!(
        error.contains("stored one") && error.contains("configured two"),
        "{error}"
    );
}

#[tokio::test]
async fn flush_always_comes_before_commit() {
    let world = World::new(two_batches());
    let plan = FaultPlan::none();
    let sink = FaultySink::new(MemorySink::for_handle(&world.sink), plan.clone());
    let state = sync_testkit::FaultyState::new(world.state.clone(), plan.clone());
    let mut pipeline = world
        .with(
            Arc::new(world.source.clone()),
            Box::new(sink),
            Arc::new(state),
        )
        .build();
    pipeline.run(&Shutdown::never()).await;
    let log = plan.log();
    let mut unflushed = false;
    for call in &log {
        match *call {
            "sink.write" => unflushed = true,
            "sink.flush" => unflushed = false,
            "state.commit" => assert!(!unflushed, "{log:?}"),
            _ => {}
        }
    }
    assert!(log.contains(&"state.commit"));
}

#[tokio::test]
async fn verify_tells_missing_stale_and_extra_apart() {
    let world = World::new(two_batches());
    world.pipeline().run(&Shutdown::never()).await;
    let agreed = world.pipeline().verify(&Shutdown::never()).await.unwrap();
    // The scripted source repeats the old version of `a` before the new one.
    assert_eq!((agreed.missing, agreed.extra), (0, 0));
    let world = World::new(ScriptedSource::new().batch([present("a", "1"), present("b", "1")]));
    world.pipeline().run(&Shutdown::never()).await;
    assert!(
        world
            .pipeline()
            .verify(&Shutdown::never())
            .await
            .unwrap()
            .agrees()
    );
    let flushed = world.sink.flushed();
    let later = ScriptedSource::new().batch([present("a", "2"), present("c", "1")]);
    let mut pipeline = world
        .with(
            Arc::new(later),
            Box::new(MemorySink::for_handle(&world.sink)),
            world.state.clone(),
        )
        .build();
    let found = pipeline.verify(&Shutdown::never()).await.unwrap();
    assert_eq!(
        (found.missing, found.stale, found.extra),
        (1, 1, 1),
        "{found:?}"
    );
    assert!(!found.agrees());
    let mut keys: Vec<&Key> = found.examples.iter().map(|(key, _)| key).collect();
    keys.sort();
    assert_eq!(keys, [&Key::new("a"), &Key::new("b"), &Key::new("c")]);
    assert_eq!(world.sink.flushed(), flushed, "verify sends nothing");
    assert_eq!(found.compared, 2);
}
