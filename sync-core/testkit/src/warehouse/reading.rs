//! Reading back what a sink holds.

use std::sync::Arc;

use serde_json::json;
use sync_core::{Key, Readback, Stream, fingerprint};

use super::{WarehouseTrial, deliver, present, record, removal, things};

pub(super) async fn fingerprints_are_of_the_bytes_stored_last<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let mut sink = trial.open().await;
    // Bytes that no writer of JSON would choose.
    let odd = "{ \"id\" : \"\\u0061\" ,\t\"count\":1.0e0, \"x\":\"\\u0000\" }";
    deliver(
        &mut sink,
        vec![
            record(&things, "odd", "{\"id\":\"before\"}"),
            record(&things, "odd", odd),
            present(&things, "gone", &json!({"id": "gone"})),
            present(&things, "back", &json!({"id": "back"})),
        ],
    )
    .await;
    deliver(
        &mut sink,
        vec![removal(&things, "gone"), removal(&things, "back")],
    )
    .await;
    deliver(&mut sink, vec![record(&things, "back", "{\"id\":2}")]).await;
    let keys = ["back", "unknown", "odd", "gone", "odd"].map(Key::new);
    let mut readback = trial.readback().await;
    assert_eq!(
        readback
            .fingerprints(&things, &keys)
            .await
            .expect("fingerprints"),
        [
            Some(fingerprint(b"{\"id\":2}")),
            None,
            Some(fingerprint(odd.as_bytes())),
            None,
            Some(fingerprint(odd.as_bytes())),
        ],
        "one for each key, in their order; none for unknown and removed ones"
    );
    let none = readback.fingerprints(&things, &[]).await;
    assert_eq!(none.expect("no keys are fine"), []);
}

pub(super) async fn keys_come_in_pages<T: WarehouseTrial>(trial: &T) {
    let things = things();
    let mut keys: Vec<String> = (0..45).map(|n| format!("{n:x}")).collect();
    keys.extend(["Upper", "upper", "ключ", "with space", "'quoted'"].map(str::to_owned));
    let mut sink = trial.open().await;
    let records = keys.iter().map(|key| present(&things, key, &json!({})));
    deliver(&mut sink, records.collect()).await;
    deliver(
        &mut sink,
        vec![removal(&things, "1"), removal(&things, "ключ")],
    )
    .await;
    keys.retain(|key| key != "1" && key != "ключ");
    keys.sort();
    let mut readback = trial.readback().await;
    let mut walks: Vec<Vec<Key>> = Vec::new();
    for limit in [7, 7, 100] {
        let mut walk: Vec<Key> = Vec::new();
        loop {
            let page = readback.keys(&things, walk.last(), limit).await;
            let page = page.expect("keys");
            assert!(page.len() <= limit, "a page is as long as asked for");
            if page.is_empty() {
                break;
            }
            walk.extend(page);
            assert!(
                walk.len() <= keys.len(),
                "each page goes on behind the last"
            );
        }
        walks.push(walk);
    }
    assert_eq!(walks[0], walks[1], "the order stays the same");
    assert_eq!(walks[0], walks[2], "whatever the pages");
    let mut found: Vec<&str> = walks[0].iter().map(Key::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, keys, "every key once, without removed ones");
}

pub(super) async fn what_is_not_there_reads_as_nothing<T: WarehouseTrial>(trial: &T) {
    async fn is_empty(readback: &mut dyn Readback, stream: &Stream) {
        let keys = readback.keys(stream, None, 10).await.expect("keys");
        assert_eq!(keys, [], "a table that was never made has no keys");
        let found = readback.fingerprints(stream, &[Key::new("a")]).await;
        assert_eq!(found.expect("fingerprints"), [None]);
    }
    let (things, others) = (things(), Arc::new(Stream::new("others")));
    is_empty(&mut *trial.readback().await, &things).await;
    let mut sink = trial.open().await;
    deliver(&mut sink, vec![present(&things, "a", &json!({}))]).await;
    is_empty(&mut *trial.readback().await, &others).await;
}
