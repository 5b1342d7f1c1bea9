//! The parts that most tests join.

use std::sync::Arc;

use sync_core::{
    ImportId, JsonMapping, JsonRecord, LedgerKey, MemorySink, MemorySinkHandle, MemoryStateStore,
    Pipeline, PipelineBuilder, PipelineSettings, Sink, Source, StateStore, Stream,
};
use sync_testkit::{ManualClock, RecordingObserver, ScriptedSource, TestRecord};

/// What outlives a crash: the other ends and the store.
pub(crate) struct World {
    pub(crate) source: ScriptedSource,
    pub(crate) sink: MemorySinkHandle<JsonRecord>,
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) clock: ManualClock,
    pub(crate) heard: RecordingObserver,
}

pub(crate) type TestPipeline = Pipeline<TestRecord, JsonRecord>;

pub(crate) fn import() -> ImportId {
    ImportId::new("test")
}

impl World {
    pub(crate) fn new(source: ScriptedSource) -> Self {
        Self {
            source,
            sink: MemorySink::new().1,
            state: Arc::new(MemoryStateStore::new()),
            clock: ManualClock::at_seconds(1_000_000),
            heard: RecordingObserver::new(),
        }
    }

    /// A fresh process: nothing in it is older than this call.
    pub(crate) fn pipeline(&self) -> TestPipeline {
        self.builder().build()
    }

    pub(crate) fn builder(&self) -> PipelineBuilder<TestRecord, JsonRecord> {
        self.with(
            Arc::new(self.source.clone()),
            Box::new(MemorySink::for_handle(&self.sink)),
            self.state.clone(),
        )
    }

    pub(crate) fn with(
        &self,
        source: Arc<dyn Source<Record = TestRecord>>,
        sink: Box<dyn Sink<JsonRecord>>,
        state: Arc<dyn StateStore>,
    ) -> PipelineBuilder<TestRecord, JsonRecord> {
        let mapping = Arc::new(JsonMapping::new(import().scope(), Stream::new("test")));
        Pipeline::builder(import(), source, mapping, sink, state)
            .clock(Arc::new(self.clock.clone()))
            .observer(Arc::new(self.heard.clone()))
            .settings(PipelineSettings {
                commit_records: 2,
                ..PipelineSettings::default()
            })
    }

    /// What the sink holds, as key and text; removed records are left out.
    pub(crate) fn delivered(&self) -> Vec<(String, String)> {
        self.sink
            .records()
            .into_values()
            .filter(|record| !record.removed)
            .map(|record| {
                let data: serde_json::Value = serde_json::from_slice(&record.data).unwrap();
                (
                    record.key.to_string(),
                    data["value"].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    }

    /// What the source holds, in the form of [`World::delivered`].
    pub(crate) fn expected(&self) -> Vec<(String, String)> {
        self.source
            .now()
            .into_iter()
            .map(|(key, record)| (key.to_string(), record.value))
            .collect()
    }

    /// Whether the ledger knows what the sink has for this key.
    pub(crate) async fn ledger_has(&self, key: &str) -> bool {
        let at = LedgerKey {
            scope: import().scope(),
            key: sync_core::Key::new(key),
        };
        let entry = self.state.ledger(&[at]).await.unwrap().remove(0);
        entry.is_some_and(|entry| entry.fingerprint != 0)
    }
}
