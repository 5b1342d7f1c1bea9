use sync_testkit::{FaultPlan, FaultySource, ScriptedSource, present, removed, source};

fn script() -> ScriptedSource {
    ScriptedSource::new()
        .batch([present("a", "1"), present("b", "1")])
        .batch_without_cursor([present("c", "1"), removed("a")])
        .batch([present("b", "2"), removed("never there")])
        .batch([])
        .batch_without_cursor([present("d", "1")])
        .batch([present("e", "1"), present("a", "3")])
}

#[tokio::test]
async fn a_scripted_source_and_a_wrapper_that_never_fails_keep_the_promises() {
    source::conformance(async || FaultySource::new(script(), FaultPlan::none())).await;
    source::conformance(async || script().without_keys()).await;
}

/// A suite that nothing can fail proves nothing.
#[tokio::test]
#[should_panic(expected = "is everything")]
async fn a_source_whose_cursor_skips_a_batch_is_found_out() {
    use async_trait::async_trait;
    use sync_core::{Batch, BatchReader, Change, Key, Position, Result, Source};
    use sync_testkit::TestRecord;

    struct Skipping(ScriptedSource);

    #[async_trait]
    impl Source for Skipping {
        type Record = TestRecord;

        fn name(&self) -> &'static str {
            "skipping"
        }

        async fn check(&self) -> Result<()> {
            self.0.check().await
        }

        fn read(&self, from: Position) -> Result<Box<dyn BatchReader<Change<TestRecord>>>> {
            Ok(Box::new(Reader(self.0.read(from)?)))
        }

        async fn fetch(&self, keys: &[Key]) -> Result<Vec<Option<TestRecord>>> {
            self.0.fetch(keys).await
        }

        fn keys(&self) -> Result<Option<Box<dyn BatchReader<Key>>>> {
            self.0.keys()
        }
    }

    struct Reader(Box<dyn BatchReader<Change<TestRecord>>>);

    #[async_trait]
    impl BatchReader<Change<TestRecord>> for Reader {
        async fn next_batch(&mut self) -> Result<Option<Batch<Change<TestRecord>>>> {
            let mut batch = self.0.next_batch().await?;
            if let Some(cursor) = batch.as_mut().and_then(|batch| batch.resume.as_mut()) {
                let step = cursor.state.as_u64().unwrap_or_default();
                cursor.state = serde_json::json!(step + 1);
            }
            Ok(batch)
        }
    }

    source::conformance(async || Skipping(script())).await;
}
