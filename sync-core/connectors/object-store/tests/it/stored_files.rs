//! Copies of files: each content once, whole or not at all.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use sha2::{Digest, Sha256};
use sync_core::{Error, ErrorKind, Result};
use sync_object_store::object_store::memory::InMemory;
use sync_object_store::{FileStore, Place, SourceFile};

use crate::place::TestPlace;
use crate::reader;
use crate::store::{FailingStore, Fault};

fn file(id: &str, version: &str, size: Option<u64>) -> SourceFile {
    SourceFile {
        id: id.to_owned(),
        version: version.to_owned(),
        name: Some("Logo.PNG".to_owned()),
        content_type: Some("image/png".to_owned()),
        size,
    }
}

/// Bytes in chunks, as a download gives them.
fn chunks(bytes: &[u8]) -> impl futures::Stream<Item = Result<Bytes>> + Send + use<> {
    let chunks: Vec<_> = bytes
        .chunks(1 << 16)
        .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
        .collect();
    stream::iter(chunks)
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|_| fastrand::u8(..)).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

async fn copies_are_found_by_content(place: &TestPlace) {
    let store = FileStore::new(place.place.clone(), None);
    // Nothing; a little; more than one part of an upload.
    for size in [0, 1, 70_000, 20 << 20] {
        let bytes = content(size);
        let id = format!("of {size}");
        assert_eq!(store.has(&id, "1").await.expect("an answer"), None);
        let source = file(&id, "1", Some(size as u64));
        let stored = store.put(&source, chunks(&bytes)).await.expect("stored");
        let hash = sha256(&bytes);
        assert_eq!((&stored.sha256, stored.size), (&hash, size as u64));
        let path = format!("files/{}/{hash}.png", &hash[..2]);
        assert!(stored.url.ends_with(&format!("/{path}")), "{}", stored.url);
        let objects = place.objects().await;
        assert!(
            objects[&path] == bytes,
            "the copy is the content, of {size} bytes"
        );
        assert_eq!(store.has(&id, "1").await.expect("an answer"), Some(stored));
        assert_eq!(store.has(&id, "2").await.expect("an answer"), None);
    }
}

#[tokio::test]
async fn a_copy_in_a_directory_is_found_by_its_content() {
    let place = TestPlace::on_disk();
    copies_are_found_by_content(&place).await;
    let bytes = content(10);
    let store = FileStore::new(place.place.clone(), None);
    let stored = store
        .put(&file("a", "1", None), chunks(&bytes))
        .await
        .expect("stored");
    let path = url::Url::parse(&stored.url)
        .expect("a URL")
        .to_file_path()
        .expect("a path");
    assert_eq!(std::fs::read(path).expect("a file"), bytes);
}

#[tokio::test]
async fn a_copy_on_s3_is_found_by_its_content() {
    if let Some(place) = TestPlace::on_s3("files") {
        copies_are_found_by_content(&place).await;
    }
}

#[tokio::test]
async fn the_same_content_is_kept_once() {
    let place = TestPlace::on_disk();
    let store = FileStore::new(place.place.clone(), None);
    let bytes = content(1000);
    let one = store
        .put(&file("one", "1", None), chunks(&bytes))
        .await
        .expect("stored");
    let other = store
        .put(&file("other", "7", None), chunks(&bytes))
        .await
        .expect("stored");
    assert_eq!(one, other);
    let objects = place.objects().await;
    assert_eq!(
        objects
            .keys()
            .filter(|path| !path.contains("_index"))
            .count(),
        1
    );
}

#[tokio::test]
async fn a_file_of_another_size_than_promised_is_not_kept() {
    let place = TestPlace::on_disk();
    let store = FileStore::new(place.place.clone(), None);
    for (size, words) in [(999, "longer"), (1001, "shorter")] {
        let source = file("a", "1", Some(size));
        let put = store.put(&source, chunks(&content(1000)));
        let error = put.await.expect_err("the wrong size");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(store.has("a", "1").await.expect("an answer"), None);
    }
    assert!(place.objects().await.is_empty());
}

#[tokio::test]
async fn a_download_that_breaks_leaves_nothing() {
    let place = TestPlace::on_disk();
    let store = FileStore::new(place.place.clone(), None);
    let broken = stream::iter([
        Ok(Bytes::from_static(b"half")),
        Err(Error::new(
            ErrorKind::Unavailable,
            "download file",
            "the connection broke",
        )),
    ]);
    let error = store
        .put(&file("a", "1", None), broken)
        .await
        .expect_err("broken");
    assert_eq!(error.operation(), "download file");
    assert!(place.objects().await.is_empty());
}

#[tokio::test]
async fn what_a_killed_process_left_is_deleted_when_nobody_can_be_writing_it_any_more() {
    const HOUR: Duration = Duration::from_secs(3600);
    let place = TestPlace::on_disk();
    let bytes = content(1000);
    let hash = sha256(&bytes);
    let of_copy = format!("files/{}/{hash}.png", &hash[..2]);
    let of_entry = format!("files/_index/{}/{hash}.json", &hash[..2]);
    let left = |name: String, age: Duration| {
        let path = place.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let file = File::create(&path).expect("a file");
        let now = file
            .metadata()
            .and_then(|it| it.modified())
            .expect("a time");
        file.set_modified(now - age).expect("it can be set");
        path
    };
    let old = [
        left(format!("{of_copy}#1"), 25 * HOUR),
        left(format!("{of_entry}#12"), 25 * HOUR),
    ];
    let others = [
        // Somebody else may be writing the same.
        left(format!("{of_copy}#2"), HOUR),
        // What is not ours stays.
        left(format!("{of_copy}#x"), 25 * HOUR),
        left(format!("files/{}/notes#1", &hash[..2]), 25 * HOUR),
        left(format!("files/zz/{hash}#1"), 25 * HOUR),
        left(format!("{}/notes#1", &hash[..2]), 25 * HOUR),
    ];
    let store = FileStore::new(place.place.clone(), None);
    let stored = store.put(&file("a", "1", None), chunks(&bytes)).await;
    assert_eq!(stored.expect("stored").sha256, hash);
    assert!(old.iter().all(|path| !path.exists()));
    assert!(others.iter().all(|path| path.exists()));
    let copy = std::fs::read(place.path().join(of_copy));
    assert_eq!(copy.expect("a copy"), bytes);
}

#[tokio::test]
async fn a_copy_that_was_cut_short_anywhere_is_made_again() {
    let bytes = content(1000);
    for fault in [Fault::Before, Fault::After] {
        for passing in 0..2 {
            let memory = Arc::new(InMemory::new());
            let failing = FailingStore::after(memory.clone(), passing, fault);
            let place = Place::on(Arc::new(failing), "", "memory://");
            let (store, source) = (FileStore::new(place, None), file("a", "1", None));
            let cut = store.put(&source, chunks(&bytes)).await;
            cut.expect_err("cut short");
            let store = FileStore::new(Place::on(memory.clone(), "", "memory://"), None);
            let known = store.has("a", "1").await.expect("an answer");
            assert_eq!(known.is_some(), passing == 1 && fault == Fault::After);
            store
                .put(&file("a", "1", None), chunks(&bytes))
                .await
                .expect("stored");
            assert!(store.has("a", "1").await.expect("an answer").is_some());
            let objects = reader::objects(&*memory, "").await;
            assert_eq!(objects.len(), 2, "the copy and its entry");
        }
    }
}

#[tokio::test]
async fn a_copy_that_somebody_deleted_is_missed() {
    let place = TestPlace::on_disk();
    let store = FileStore::new(place.place.clone(), None);
    let stored = store
        .put(&file("a", "1", None), chunks(b"x"))
        .await
        .expect("stored");
    let path = url::Url::parse(&stored.url)
        .expect("a URL")
        .to_file_path()
        .expect("a path");
    std::fs::remove_file(path).expect("deleted");
    assert_eq!(store.has("a", "1").await.expect("an answer"), None);
    store
        .put(&file("a", "1", None), chunks(b"x"))
        .await
        .expect("stored");
    assert_eq!(store.has("a", "1").await.expect("an answer"), Some(stored));
}
