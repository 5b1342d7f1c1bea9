//! What every [`Source`] promises.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use sync_core::{Batch, BatchReader, Change, Cursor, Key, Keyed, Position, Source};

/// More batches than any sample needs: a read that gives so many does not end.
const ENDLESS: usize = 100_000;

/// Checks every promise of a source. `make` gives a source of the same data each time it is called; the data does not
/// change meanwhile, can all be read, and has at least one record.
///
/// What happens while data changes depends on the system behind the source: test it there.
///
/// # Panics
/// When the source breaks a promise; the message says which.
pub async fn conformance<S>(make: impl AsyncFn() -> S)
where
    S: Source,
    S::Record: Clone + PartialEq + Debug,
{
    let source = make().await;
    assert!(!source.name().is_empty(), "a source has a name");
    source.check().await.expect("check");
    let full = read(&source, Position::Start).await;
    assert!(
        full.state().values().any(Option::is_some),
        "the sample has at least one record"
    );
    reading_again_gives_the_same(&source, &full).await;
    every_cursor_is_a_place_to_go_on(&make, &full).await;
    a_reader_may_be_dropped_anywhere(&make, &full).await;
    a_foreign_cursor_is_refused(&source);
    fetching_agrees_with_reading(&source, &full).await;
    keys_cover_what_is_read(&source, &full).await;
}

/// What one read gave, batch by batch.
struct Delivered<R> {
    batches: Vec<(Vec<Change<R>>, Option<Cursor>)>,
}

/// The last thing said about each key; `None`: removed.
type State<R> = BTreeMap<Key, Option<R>>;

impl<R: Keyed + Clone> Delivered<R> {
    fn state(&self) -> State<R> {
        let mut state = State::new();
        self.apply_to(&mut state, self.batches.len());
        state
    }

    /// Delivers the first batches.
    fn apply_to(&self, state: &mut State<R>, batches: usize) {
        for change in self
            .batches
            .iter()
            .take(batches)
            .flat_map(|(changes, _)| changes)
        {
            let record = match change {
                Change::Present(record) => Some(record.clone()),
                Change::Removed(_) => None,
            };
            state.insert(change.key(), record);
        }
    }

    /// The last cursor within the first batches.
    fn position_after(&self, batches: usize) -> Position {
        let mut latest_first = self.batches.iter().take(batches).rev();
        let cursor = latest_first.find_map(|(_, cursor)| cursor.clone());
        cursor.map_or(Position::Start, stored)
    }
}

/// A position that was stored and loaded again.
fn stored(cursor: Cursor) -> Position {
    let position = Position::Cursor(cursor);
    let text = serde_json::to_string(&position).expect("a cursor can be stored");
    let loaded = serde_json::from_str(&text).expect("a stored cursor can be loaded");
    assert_eq!(position, loaded, "a cursor survives being stored");
    loaded
}

async fn read<S: Source>(source: &S, from: Position) -> Delivered<S::Record> {
    let mut reader = source.read(from).expect("reading starts");
    let mut batches = Vec::new();
    while let Some(batch) = next(&mut *reader).await {
        batches.push((batch.items, batch.resume));
        assert!(batches.len() < ENDLESS, "a read of unchanging data ends");
    }
    assert!(
        next(&mut *reader).await.is_none(),
        "after the end there is nothing"
    );
    Delivered { batches }
}

async fn next<T>(reader: &mut dyn BatchReader<T>) -> Option<Batch<T>> {
    let batch = reader.next_batch().await.expect("the sample can be read")?;
    if let Some(failure) = batch.failures.first() {
        panic!(
            "the sample can be read: {} failed: {}",
            failure.part,
            failure.error.chain()
        );
    }
    Some(batch)
}

async fn reading_again_gives_the_same<S>(source: &S, full: &Delivered<S::Record>)
where
    S: Source,
    S::Record: Clone + PartialEq + Debug,
{
    let again = read(source, Position::Start).await;
    assert_eq!(
        again.state(),
        full.state(),
        "a second full read gives the same"
    );
}

async fn every_cursor_is_a_place_to_go_on<S>(
    make: &impl AsyncFn() -> S,
    full: &Delivered<S::Record>,
) where
    S: Source,
    S::Record: Clone + PartialEq + Debug,
{
    let whole = full.state();
    let mut cursors = 0;
    for (index, (_, cursor)) in full.batches.iter().enumerate() {
        let Some(cursor) = cursor else { continue };
        cursors += 1;
        let mut state = State::new();
        full.apply_to(&mut state, index + 1);
        let rest = read(&make().await, stored(cursor.clone())).await;
        rest.apply_to(&mut state, rest.batches.len());
        assert_eq!(
            state, whole,
            "what came up to the cursor of batch {index} and what a new read from there gives is everything"
        );
    }
    assert!(cursors > 0, "a read that reaches the end gives a cursor");

    // From the end there is nothing new, however often one reads from there.
    let mut position = full.position_after(full.batches.len());
    for _ in 0..3 {
        let more = read(&make().await, position.clone()).await;
        for (key, record) in more.state() {
            assert_eq!(
                Some(&record),
                whole.get(&key),
                "a read from the last cursor may repeat, and says nothing new"
            );
        }
        if let next @ Position::Cursor(_) = more.position_after(more.batches.len()) {
            position = next;
        }
    }
}

async fn a_reader_may_be_dropped_anywhere<S>(
    make: &impl AsyncFn() -> S,
    full: &Delivered<S::Record>,
) where
    S: Source,
    S::Record: Clone + PartialEq + Debug,
{
    let whole = full.state();
    for dropped_after in 0..full.batches.len() {
        let mut before = Delivered {
            batches: Vec::new(),
        };
        {
            let source = make().await;
            let mut reader = source.read(Position::Start).expect("reading starts");
            for _ in 0..dropped_after {
                let Some(batch) = next(&mut *reader).await else {
                    break;
                };
                before.batches.push((batch.items, batch.resume));
            }
            // What this call would give is lost with it, also when it was just about to answer.
            poll_once(reader.next_batch()).await;
        }
        let count = before.batches.len();
        let mut state = State::new();
        before.apply_to(&mut state, count);
        let rest = read(&make().await, before.position_after(count)).await;
        rest.apply_to(&mut state, rest.batches.len());
        assert_eq!(
            state, whole,
            "a reader dropped in its call after {count} batches loses nothing"
        );
    }
}

/// Polls once and drops the future.
async fn poll_once(future: impl Future) {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _ = future.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

fn a_foreign_cursor_is_refused<S: Source>(source: &S) {
    let foreign = Cursor {
        state: serde_json::json!({ "written by": ["another", "source"] }),
        complete_until: None,
    };
    let refused = source.read(Position::Cursor(foreign)).is_err();
    assert!(
        refused,
        "a cursor of another source is refused before anything is read"
    );
}

async fn fetching_agrees_with_reading<S>(source: &S, full: &Delivered<S::Record>)
where
    S: Source,
    S::Record: Clone + PartialEq + Debug,
{
    let whole = full.state();
    let keys: Vec<Key> = whole.keys().cloned().collect();
    for keys in keys.chunks(100) {
        // The last shall be first: the answer follows the question.
        let asked: Vec<Key> = keys.iter().rev().cloned().collect();
        let found = source.fetch(&asked).await.expect("fetch");
        assert_eq!(found.len(), asked.len(), "one answer for each key");
        for (key, record) in asked.iter().zip(&found) {
            assert_eq!(
                whole.get(key),
                Some(record),
                "fetch and read agree on key {key}"
            );
        }
    }
    assert!(
        source.fetch(&[]).await.expect("fetch").is_empty(),
        "no question, no answer"
    );
}

async fn keys_cover_what_is_read<S>(source: &S, full: &Delivered<S::Record>)
where
    S: Source,
    S::Record: Clone,
{
    let Some(mut reader) = source.keys().expect("keys") else {
        return;
    };
    let mut keys = std::collections::BTreeSet::new();
    let mut batches = 0;
    while let Some(batch) = next(&mut *reader).await {
        keys.extend(batch.items);
        batches += 1;
        assert!(batches < ENDLESS, "reading keys of unchanging data ends");
    }
    for (key, record) in full.state() {
        assert_eq!(
            keys.contains(&key),
            record.is_some(),
            "keys has what exists and not what was removed: {key}"
        );
    }
}
