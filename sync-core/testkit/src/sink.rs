//! What every [`Sink`] promises.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sync_core::{Key, Keyed, Report, Sink};

/// A sink under test with the place it writes to.
///
/// Records are told apart by a version: [`durable`](SinkTrial::durable) reads back which version of each key the place
/// holds, so the suite can tell what arrived without knowing the record type.
#[async_trait]
pub trait SinkTrial: Send + Sync {
    /// What the sink takes.
    type Record: Keyed + Send + 'static;
    /// The sink.
    type Sink: Sink<Self::Record>;

    /// A new sink onto the same place, as after a restart. The one before is gone.
    async fn open(&self) -> Self::Sink;

    /// A record that the sink takes.
    fn record(&self, key: &str, version: u32) -> Self::Record;

    /// The record that removes a key; `None` if the sink knows no removals.
    fn removal(&self, key: &str) -> Option<Self::Record>;

    /// A record that the sink refuses; `None` if it takes everything.
    fn unacceptable(&self, key: &str) -> Option<Self::Record>;

    /// The version of each key that the place holds, without removed ones.
    async fn durable(&self) -> BTreeMap<Key, u32>;
}

/// Checks every promise of a sink. `make` gives a sink onto a fresh, empty place each time it is called.
///
/// # Panics
/// When the sink breaks a promise; the message says which.
pub async fn conformance<T: SinkTrial>(make: impl AsyncFn() -> T) {
    checking_and_flushing_nothing_changes_nothing(&make().await).await;
    flushed_records_are_durable(&make().await).await;
    a_large_write_arrives_whole(&make().await).await;
    duplicates_converge(&make().await).await;
    the_last_write_of_a_key_wins(&make().await).await;
    an_aborted_interval_can_be_replayed(&make().await).await;
    a_killed_interval_can_be_replayed(&make().await).await;
    an_older_interval_can_be_replayed_to_its_end(&make().await).await;
    removals_remove(&make().await).await;
    refused_records_are_named_and_hold_up_no_other(&make().await).await;
}

async fn checking_and_flushing_nothing_changes_nothing<T: SinkTrial>(trial: &T) {
    let mut sink = trial.open().await;
    assert!(!sink.name().is_empty(), "a sink has a name");
    for _ in 0..2 {
        sink.check().await.expect("check");
        let report = sink.flush().await.expect("a flush without writes is fine");
        assert_eq!(
            report,
            Report::default(),
            "nothing was written, nothing is rejected"
        );
    }
    let report = sink
        .write(Vec::new())
        .await
        .expect("a write of no records is fine");
    assert_eq!(report, Report::default());
    sink.abort().await;
    sink.flush().await.expect("a flush after an abort is fine");
    assert_eq!(trial.durable().await, versions([]), "nothing was written");
}

async fn flushed_records_are_durable<T: SinkTrial>(trial: &T) {
    let mut sink = trial.open().await;
    write(trial, &mut sink, &[("a", 1), ("b", 1)]).await;
    write(trial, &mut sink, &[("c", 1)]).await;
    flush(&mut sink).await;
    assert_eq!(
        trial.durable().await,
        versions([("a", 1), ("b", 1), ("c", 1)])
    );
    drop(sink);
    let mut sink = trial.open().await;
    write(trial, &mut sink, &[("d", 1)]).await;
    flush(&mut sink).await;
    assert_eq!(
        trial.durable().await,
        versions([("a", 1), ("b", 1), ("c", 1), ("d", 1)]),
        "a sink that is opened again keeps what was flushed before"
    );
}

async fn a_large_write_arrives_whole<T: SinkTrial>(trial: &T) {
    const MANY: u32 = 2_500;
    let mut sink = trial.open().await;
    let keys: Vec<String> = (0..MANY).map(|n| format!("{n:032x}")).collect();
    let records = keys.iter().map(|key| trial.record(key, 1)).collect();
    assert_taken(&sink.write(records).await.expect("write"));
    flush(&mut sink).await;
    assert_eq!(
        trial.durable().await,
        versions(keys.iter().map(|key| (key.as_str(), 1)))
    );
}

async fn duplicates_converge<T: SinkTrial>(trial: &T) {
    let mut sink = trial.open().await;
    let same = [("a", 1), ("b", 2)];
    for _ in 0..2 {
        write(trial, &mut sink, &same).await;
        write(trial, &mut sink, &same).await;
        flush(&mut sink).await;
        flush(&mut sink).await;
    }
    assert_eq!(
        trial.durable().await,
        versions(same),
        "a record sent again changes nothing"
    );
}

async fn the_last_write_of_a_key_wins<T: SinkTrial>(trial: &T) {
    let mut sink = trial.open().await;
    write(
        trial,
        &mut sink,
        &[("batch", 1), ("writes", 1), ("batch", 2), ("flushes", 1)],
    )
    .await;
    write(trial, &mut sink, &[("writes", 2), ("back", 2)]).await;
    flush(&mut sink).await;
    write(trial, &mut sink, &[("flushes", 2), ("back", 1)]).await;
    flush(&mut sink).await;
    assert_eq!(
        trial.durable().await,
        versions([("batch", 2), ("writes", 2), ("flushes", 2), ("back", 1)]),
        "the last write of a key wins, whatever it says"
    );
}

async fn an_aborted_interval_can_be_replayed<T: SinkTrial>(trial: &T) {
    let mut sink = trial.open().await;
    write(trial, &mut sink, &[("before", 1)]).await;
    flush(&mut sink).await;
    write(trial, &mut sink, &[("before", 2), ("a", 1)]).await;
    sink.abort().await;
    assert!(
        trial.durable().await.contains_key(&Key::new("before")),
        "an abort takes back nothing that was flushed"
    );
    write(trial, &mut sink, &[("before", 2), ("a", 1), ("b", 1)]).await;
    flush(&mut sink).await;
    assert_eq!(
        trial.durable().await,
        versions([("before", 2), ("a", 1), ("b", 1)])
    );
}

async fn a_killed_interval_can_be_replayed<T: SinkTrial>(trial: &T) {
    let mut sink = trial.open().await;
    write(trial, &mut sink, &[("before", 1)]).await;
    flush(&mut sink).await;
    write(trial, &mut sink, &[("before", 2), ("a", 1)]).await;
    drop(sink);
    let mut sink = trial.open().await;
    write(trial, &mut sink, &[("before", 2), ("a", 1), ("b", 1)]).await;
    flush(&mut sink).await;
    assert_eq!(
        trial.durable().await,
        versions([("before", 2), ("a", 1), ("b", 1)])
    );
}

/// The sink flushed, the state did not commit: the run before comes again, older versions first.
async fn an_older_interval_can_be_replayed_to_its_end<T: SinkTrial>(trial: &T) {
    let mut sink = trial.open().await;
    for _ in 0..2 {
        write(trial, &mut sink, &[("a", 1), ("b", 1)]).await;
        flush(&mut sink).await;
        write(trial, &mut sink, &[("a", 2)]).await;
        write(trial, &mut sink, &[("b", 3)]).await;
        flush(&mut sink).await;
        drop(sink);
        sink = trial.open().await;
    }
    assert_eq!(trial.durable().await, versions([("a", 2), ("b", 3)]));
}

async fn removals_remove<T: SinkTrial>(trial: &T) {
    let remove = |keys: &[&str]| keys.iter().map(|key| trial.removal(key)).collect();
    let Some(removals): Option<Vec<T::Record>> = remove(&["gone", "unknown", "back"]) else {
        return;
    };
    let mut sink = trial.open().await;
    write(
        trial,
        &mut sink,
        &[("gone", 1), ("stays", 1), ("back", 1), ("soon", 1)],
    )
    .await;
    flush(&mut sink).await;
    assert_taken(&sink.write(removals).await.expect("write"));
    write(trial, &mut sink, &[("back", 2), ("short", 1)]).await;
    let removals: Option<Vec<T::Record>> = remove(&["short", "gone"]);
    assert_taken(
        &sink
            .write(removals.unwrap_or_default())
            .await
            .expect("write"),
    );
    flush(&mut sink).await;
    assert_eq!(
        trial.durable().await,
        versions([("stays", 1), ("back", 2), ("soon", 1)]),
        "the last of removal and record wins; removing what is not there is fine"
    );
}

async fn refused_records_are_named_and_hold_up_no_other<T: SinkTrial>(trial: &T) {
    let Some(bad) = trial.unacceptable("bad") else {
        return;
    };
    let mut sink = trial.open().await;
    let records = vec![trial.record("a", 1), bad, trial.record("b", 1)];
    let mut rejected = sink
        .write(records)
        .await
        .expect("a refused record is no error")
        .rejected;
    rejected.extend(
        sink.flush()
            .await
            .expect("a refused record is no error")
            .rejected,
    );
    let names: Vec<&str> = rejected
        .iter()
        .map(|rejection| rejection.key.as_str())
        .collect();
    assert_eq!(
        names,
        ["bad"],
        "the refused record is named once, and no other"
    );
    assert!(!rejected[0].reason.is_empty(), "a rejection says why");
    assert_eq!(trial.durable().await, versions([("a", 1), ("b", 1)]));
    let report = sink.flush().await.expect("flush");
    assert_eq!(report, Report::default(), "a rejection is reported once");
}

async fn write<T: SinkTrial>(trial: &T, sink: &mut T::Sink, records: &[(&str, u32)]) {
    let records = records
        .iter()
        .map(|(key, version)| trial.record(key, *version))
        .collect();
    assert_taken(&sink.write(records).await.expect("write"));
}

async fn flush<R: Keyed + Send + 'static>(sink: &mut impl Sink<R>) {
    assert_taken(&sink.flush().await.expect("flush"));
}

#[track_caller]
fn assert_taken(report: &Report) {
    assert_eq!(
        report.rejected,
        [],
        "a record that the trial calls good is taken"
    );
}

fn versions<'a>(of: impl IntoIterator<Item = (&'a str, u32)>) -> BTreeMap<Key, u32> {
    of.into_iter()
        .map(|(key, version)| (Key::new(key), version))
        .collect()
}
