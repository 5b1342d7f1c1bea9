//! Whole runs on a directory, killed at each call, with and without an edit at that moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use sync_core::{
    Import, ImportId, JsonMapping, JsonRecord, Key, MemorySink, MemorySinkHandle, Outcome,
    Pipeline, PipelineSettings, Shutdown, StateStore, Stream,
};
use sync_local::LocalState;
use sync_testkit::{
    Fault, FaultPlan, FaultySink, FaultySource, FaultyState, ManualClock, ScriptedSource, present,
    removed,
};

use super::Bench;

/// What outlives a process: the directory, the source and what the sink made durable.
pub(super) struct World {
    pub(super) bench: Bench,
    source: ScriptedSource,
    sink: MemorySinkHandle<JsonRecord>,
    pub(super) clock: ManualClock,
}

impl World {
    pub(super) fn new() -> Self {
        let source = ScriptedSource::new()
            .batch([present("a", "1"), present("b", "1")])
            .batch([present("a", "2"), present("c", "1")])
            .batch([removed("b"), present("d", "1")]);
        Self {
            bench: Bench::in_memory_with(r#"[{"note":"mine","list_id":"list"}]"#),
            source,
            sink: MemorySink::new().1,
            clock: ManualClock::at_seconds(1_700_000_000),
        }
    }

    pub(super) fn pipeline(
        &self,
        state: &LocalState,
        plan: &FaultPlan,
    ) -> Pipeline<sync_testkit::TestRecord, JsonRecord> {
        let import = ImportId::new("list");
        let sink = MemorySink::for_handle(&self.sink);
        let state: Arc<dyn StateStore> = Arc::new(state.clone());
        Pipeline::builder(
            import.clone(),
            Arc::new(FaultySource::new(self.source.clone(), plan.clone())),
            Arc::new(JsonMapping::new(import.scope(), Stream::new("members"))),
            Box::new(FaultySink::new(sink, plan.clone())),
            Arc::new(FaultyState::new(state, plan.clone())),
        )
        .clock(Arc::new(self.clock.clone()))
        // A commit after each batch, so that there are many places to be killed at.
        .settings(PipelineSettings {
            commit_records: 1,
            ..PipelineSettings::default()
        })
        .build()
    }

    /// What changes at the source between the processes.
    pub(super) fn something_changes(&self) {
        self.source.push([present("a", "3"), present("e", "1")]);
    }

    /// Two processes, one after the other; the source changes in between. The plan strikes one of them, and `edit` is what
    /// somebody does to the file at that moment.
    async fn live(&self, plan: &FaultPlan, edit: impl Fn(&Self)) {
        for process in 0..2 {
            if process == 1 {
                self.something_changes();
            }
            self.clock.advance(chrono::TimeDelta::minutes(1));
            let before = plan.struck();
            let state = self.bench.opened();
            let never = Shutdown::never();
            {
                let mut pipeline = self.pipeline(&state, plan);
                tokio::select! {
                    biased;
                    _ = pipeline.run(&never) => {}
                    () = plan.strikes(), if !before => {}
                }
            }
            if plan.struck() && !before {
                edit(self);
            }
            state.close().await;
            self.assert_file_claims_no_more_than_the_sink_took();
        }
    }

    /// The last thing the sink was told about each key; removed ones are absent.
    pub(super) fn delivered(&self) -> BTreeMap<Key, String> {
        let records = self
            .sink
            .records()
            .into_iter()
            .filter(|(_, record)| !record.removed);
        records
            .map(|(key, record)| {
                let data: serde_json::Value =
                    serde_json::from_slice(&record.data).expect("the sink holds JSON");
                (key, data["value"].as_str().expect("a value").to_owned())
            })
            .collect()
    }

    pub(super) fn expected(&self) -> BTreeMap<Key, String> {
        self.source
            .now()
            .into_iter()
            .map(|(key, record)| (key, record.value))
            .collect()
    }

    /// Step n of the script is complete at second n.
    pub(super) fn assert_file_claims_no_more_than_the_sink_took(&self) {
        let reader = LocalState::read_only(self.bench.dir.path()).expect("the directory is there");
        let claimed = reader.imports()[0]
            .latest_timestamp
            .map_or(0, |time| time.timestamp());
        let delivered = self.delivered();
        for (key, since) in [("a", 1), ("c", 2), ("d", 3), ("e", 4)] {
            assert!(
                claimed < since || delivered.contains_key(&Key::new(key)),
                "the file says {claimed}, and {key} of step {since} is not at the sink"
            );
        }
    }
}

async fn assert_converges(edit: impl Fn(&World)) {
    let calls = {
        let world = World::new();
        let plan = FaultPlan::none();
        world.live(&plan, |_| {}).await;
        assert_eq!(world.delivered(), world.expected());
        plan.calls()
    };
    assert!(
        calls > 25,
        "the story must reach every kind of call, it made {calls}"
    );
    // Errors need no directory to be tested: the engine's own tests have them.
    for fault in [Fault::Never, Fault::AfterNever] {
        for n in 0..calls {
            let world = World::new();
            let plan = FaultPlan::nth(n, fault);
            world.live(&plan, &edit).await;
            assert!(plan.struck(), "call {n} was not reached with {fault:?}");

            let state = world.bench.opened();
            world.clock.advance(chrono::TimeDelta::minutes(1));
            let run = world
                .pipeline(&state, &FaultPlan::none())
                .run(&Shutdown::never())
                .await;
            assert_eq!(
                run.outcome,
                Some(Outcome::Complete),
                "call {n}, {fault:?}: {run:?}"
            );
            assert_eq!(world.delivered(), world.expected(), "call {n}, {fault:?}");
            let text = world.bench.text();
            assert!(text.contains(r#""note":"mine""#), "{text}");
            assert!(
                text.contains("1970-01-01T00:00:04Z"),
                "call {n}, {fault:?}: {text}"
            );
        }
    }
}

#[tokio::test]
async fn a_kill_at_any_call_loses_nothing() {
    assert_converges(|_| {}).await;
}

#[tokio::test]
async fn nor_does_a_timestamp_moved_back_at_that_moment() {
    assert_converges(|world| {
        if world.bench.text().contains("latest_timestamp") {
            world.bench.edit(
                r#"[{"note":"mine","list_id":"list","latest_timestamp":"1970-01-01T00:00:01Z"}]"#,
            );
        }
    })
    .await;
}
