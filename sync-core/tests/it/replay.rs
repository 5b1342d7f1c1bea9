use std::sync::Arc;

use sync_core::{
    Action, Change, Import, ImportId, JsonMapping, JsonRecord, Key, LedgerEntry, LedgerKey,
    LedgerView, Mapping, MemorySink, Outcome, Pipeline, Prepared, Shutdown, Stream,
};
use sync_testkit::{ScriptedSource, TestRecord, present};

use crate::world::{World, import};

/// Refuses records whose value is `bad`.
struct Strict(JsonMapping);

impl Mapping<TestRecord, JsonRecord> for Strict {
    fn lookups(&self, change: &Change<TestRecord>) -> Vec<LedgerKey> {
        self.0.lookups(change)
    }
    fn prepare(&self, change: Change<TestRecord>, ledger: &LedgerView<'_>) -> Prepared<JsonRecord> {
        match &change {
            Change::Present(record) if record.value == "bad" => {
                Prepared::reject("value: must not be bad")
            }
            _ => self.0.prepare(change, ledger),
        }
    }

    fn meanwhile(&self, known: Option<&LedgerEntry>, next: &LedgerEntry) -> Option<Box<[u8]>> {
        Mapping::<TestRecord, JsonRecord>::meanwhile(&self.0, known, next)
    }
}

fn strict(world: &World) -> Pipeline<TestRecord, JsonRecord> {
    let id: ImportId = import();
    let mapping = Arc::new(Strict(JsonMapping::new(id.scope(), Stream::new("test"))));
    let sink = Box::new(MemorySink::for_handle(&world.sink));
    Pipeline::builder(
        id,
        Arc::new(world.source.clone()),
        mapping,
        sink,
        world.state.clone(),
    )
    .build()
}

#[tokio::test]
async fn replay_sends_the_newest_version_and_clears_the_entry() {
    let source = ScriptedSource::new().batch([
        present("a", "bad"),
        present("b", "bad"),
        present("c", "1"),
        present("d", "bad"),
    ]);
    let world = World::new(source);
    let run = strict(&world).run(&Shutdown::never()).await;
    assert_eq!(
        (run.outcome, run.counts.rejected),
        (Some(Outcome::Partial), 3)
    );

    // `a` was repaired and `b` deleted without the read noticing; `d` stays bad.
    world.source.appear(TestRecord::new("a", "good"));
    world.source.vanish("b");
    let replayed = strict(&world).replay(None, &Shutdown::never()).await;
    assert_eq!((replayed.counts.read, replayed.counts.accepted), (3, 1));
    assert_eq!(replayed.outcome, Some(Outcome::Partial));
    let left = world.state.rejected(&import(), None, 10).await.unwrap();
    assert_eq!(
        left.iter()
            .map(|record| record.key.as_str())
            .collect::<Vec<_>>(),
        ["d"]
    );
    assert_eq!(
        world.delivered(),
        [
            ("a".to_owned(), "good".to_owned()),
            ("c".to_owned(), "1".to_owned())
        ]
    );
    assert_eq!(
        replayed.complete_until, run.complete_until,
        "a replay moves no checkpoint"
    );
}

#[tokio::test]
async fn replay_of_named_keys_leaves_the_others_alone() {
    let world = World::new(ScriptedSource::new().batch([present("a", "bad"), present("b", "bad")]));
    strict(&world).run(&Shutdown::never()).await;
    world.source.appear(TestRecord::new("a", "good"));
    world.source.appear(TestRecord::new("b", "good"));
    let replayed = strict(&world)
        .replay(Some(vec![Key::new("a")]), &Shutdown::never())
        .await;
    assert_eq!(replayed.counts.accepted, 1);
    assert_eq!(world.delivered().len(), 1);
    assert_eq!(world.state.rejected_len(&import()).await.unwrap(), 1);
}

#[test]
fn a_rejecting_answer_holds_the_reason_and_nothing_else() {
    let prepared: Prepared<JsonRecord> = Prepared::reject("why");
    assert_eq!(prepared.action, Action::Reject("why".to_owned()));
    assert!(prepared.learned.is_empty() && prepared.on_accept.is_empty());
}
