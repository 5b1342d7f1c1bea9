//! The engine into a file, with failures and kills.

use std::fs;
use std::sync::Arc;

use serde_json::json;
use sync_core::{
    Import, ImportId, JsonMapping, MemoryStateStore, Outcome, Pipeline, PipelineSettings, Shutdown,
    Sink, Stream,
};
use sync_sqlite::SqliteWarehouse;
use sync_testkit::{
    Fault, FaultPlan, FaultySink, ManualClock, ScriptedSource, TestRecord, present, removed,
};

use crate::bench::{Bench, clock, record};

/// What outlives a process.
struct World {
    source: ScriptedSource,
    state: Arc<MemoryStateStore>,
    clock: ManualClock,
    bench: Bench,
}

impl World {
    fn new() -> Self {
        let source = ScriptedSource::new()
            .batch([present("a", "1"), present("b", "1"), present("c", "1")])
            .batch([present("d", "1"), present("a", "2")])
            .batch([removed("b"), present("e", "1")]);
        Self {
            source,
            state: Arc::new(MemoryStateStore::new()),
            clock: ManualClock::at_seconds(1_000_000),
            bench: Bench::in_memory(),
        }
    }

    /// One run of a process of its own.
    async fn run(&self, plan: &FaultPlan) -> Option<Outcome> {
        let warehouse = SqliteWarehouse::open(self.bench.path(), Arc::new(self.clock.clone()))
            .expect("a warehouse");
        let import = ImportId::new("test");
        let mapping = JsonMapping::new(import.scope(), Stream::new("test"));
        let mut pipeline: Pipeline<TestRecord, _> = Pipeline::builder(
            import,
            Arc::new(self.source.clone()),
            Arc::new(mapping),
            Box::new(FaultySink::new(warehouse.sink(), plan.clone())),
            self.state.clone(),
        )
        .clock(Arc::new(self.clock.clone()))
        .settings(PipelineSettings {
            commit_records: 2,
            ..PipelineSettings::default()
        })
        .build();
        let never = Shutdown::never();
        // A killed process is a future that is dropped where it stands.
        let outcome = tokio::select! {
            biased;
            run = pipeline.run(&never) => run.outcome,
            () = plan.strikes() => None,
        };
        drop(pipeline);
        warehouse.close().await;
        outcome
    }

    /// Three runs, and a source that changes between them.
    async fn live(&self, plan: &FaultPlan) {
        self.run(plan).await;
        self.source.vanish("d");
        self.source.push([present("f", "1")]);
        self.clock.advance(chrono::TimeDelta::hours(25));
        self.run(plan).await;
        self.source.appear(TestRecord::new("d", "2"));
        self.source.push([present("d", "2")]);
        self.run(plan).await;
    }

    fn delivered(&self) -> Vec<(String, String)> {
        let look = self.bench.look();
        let mut statement = look
            .prepare("SELECT _key, value FROM test WHERE _deleted_at IS NULL ORDER BY _key")
            .expect("a table");
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.expect("rows").collect::<Result<_, _>>().expect("rows")
    }

    fn expected(&self) -> Vec<(String, String)> {
        let records = self.source.now().into_iter();
        records
            .map(|(key, record)| (key.to_string(), record.value))
            .collect()
    }
}

#[tokio::test]
async fn any_failure_or_kill_of_the_sink_loses_nothing() {
    let calls = {
        let world = World::new();
        let plan = FaultPlan::none();
        world.live(&plan).await;
        assert_eq!(world.delivered(), world.expected());
        plan.calls()
    };
    assert!(
        calls > 12,
        "the story must reach every call, it made {calls}"
    );
    for fault in Fault::ALL {
        for n in 0..calls {
            let world = World::new();
            let plan = FaultPlan::nth(n, fault);
            world.live(&plan).await;
            assert!(plan.struck(), "call {n} was not reached with {fault:?}");
            // One clean run after the world stands still, late enough to search for removals.
            world.clock.advance(chrono::TimeDelta::hours(25));
            let outcome = world.run(&FaultPlan::none()).await;
            assert_eq!(outcome, Some(Outcome::Complete), "call {n}, {fault:?}");
            assert_eq!(world.delivered(), world.expected(), "call {n}, {fault:?}");
        }
    }
}

/// The file and its WAL as they are on the disk while the process lives: what a killed one leaves.
#[tokio::test]
async fn what_was_flushed_is_in_the_files_that_a_kill_leaves() {
    let bench = Bench::new();
    let things = Arc::new(Stream::new("things"));
    let mut sink = bench.warehouse.sink();
    let rounds = [json!(1), json!(2.5), json!("many")];
    for (round, value) in rounds.iter().enumerate() {
        let records = (0..50).map(|n| {
            let data = json!({"value": value, format!("new_{round}"): true});
            record(&things, &format!("{round}-{n}"), &data)
        });
        sink.write(records.collect()).await.expect("write");
        sink.flush().await.expect("flush");

        let left = tempfile::tempdir().expect("a directory");
        for file in ["warehouse.db", "warehouse.db-wal"] {
            fs::copy(bench.dir().join(file), left.path().join(file)).expect("a copy");
        }
        let warehouse =
            SqliteWarehouse::open(left.path().join("warehouse.db"), clock()).expect("a warehouse");
        let look = rusqlite::Connection::open(warehouse.path()).expect("a look");
        let number = |sql: &str| {
            let row = look.query_row(sql, [], |row| row.get::<_, i64>(0));
            row.expect("a number")
        };
        let rows = i64::try_from(round + 1).expect("small") * 50;
        assert_eq!(number("SELECT count(*) FROM things"), rows);
        let sql = format!("SELECT count(*) FROM things WHERE new_{round}");
        assert_eq!(number(&sql), 50);
        let check: String = look
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect("a check");
        assert_eq!(check, "ok");
    }
}
