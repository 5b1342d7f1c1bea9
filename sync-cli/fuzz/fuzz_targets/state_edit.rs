//! `state.json`, opened and written back: no byte changes but those of one value.

#![no_main]

use std::sync::Arc;

use chrono::SubsecRound;
use libfuzzer_sys::fuzz_target;
use sync_core::{Clock, Position, StateStore};
use sync_fuzz::{directory_with, noon, run};
use sync_local::{ImportEntry, LocalState};

/// What two texts have in the middle, between a common start and a common end.
fn difference<'a>(before: &'a [u8], after: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let start = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before[start..], &after[start..]);
    let end = before
        .iter()
        .rev()
        .zip(after.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    (&before[..before.len() - end], &after[..after.len() - end])
}

fuzz_target!(|text: &[u8]| {
    let directory = directory_with("state.json", text);
    let looked =
        LocalState::read_only(directory.path()).expect("a broken file stops nobody from looking");
    let looked = looked.imports();
    if looked.is_empty() {
        return;
    }
    let clock: Arc<dyn Clock> = Arc::new(noon);
    let state =
        LocalState::open(directory.path(), &clock).expect("what can be looked at can be opened");
    let file = || std::fs::read(directory.path().join("state.json")).expect("state.json stays");
    assert_eq!(state.imports(), looked);
    assert_eq!(file(), text, "opening a directory changes no byte");

    let chosen = text.len() % looked.len();
    run(async {
        let id = &looked[chosen].id;
        state.load(id).await.expect("an entry is loaded");
        assert_eq!(file(), text, "loading changes no byte");
        let revision = state
            .rewind(id, Position::Since(noon()))
            .await
            .expect("an entry is rewound");
        let stored = state
            .load(id)
            .await
            .expect("an entry is loaded")
            .expect("it was stored");
        assert_eq!(stored.revision, revision, "our own writing is no edit");
        assert_eq!(stored.checkpoint.position, Position::Since(noon()));
        state.close().await;
    });
    let written = file();
    let (before, after) = difference(text, &written);
    let is_structure = |byte: &u8| b"{}[]\r\n".contains(byte);
    assert!(
        !before.iter().any(is_structure),
        "more than a value is gone"
    );
    let grew = after.iter().filter(|byte| b"{}[]".contains(byte)).count();
    assert_eq!(grew, 0, "more than a field is new");

    let again = LocalState::read_only(directory.path())
        .expect("the file is still good")
        .imports();
    let expected: Vec<ImportEntry> = looked
        .into_iter()
        .enumerate()
        .map(|(index, mut entry)| {
            if index == chosen {
                entry.latest_timestamp = Some(noon().trunc_subsecs(0));
            }
            entry
        })
        .collect();
    assert_eq!(again, expected);
});
