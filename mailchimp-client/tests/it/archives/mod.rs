//! Results of batches, from archives good and bad.

mod hostile;

use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::TryStreamExt;
use mailchimp_client::{
    ArchiveLimits, ArchiveProblem, BatchResult, Client, Error, TransportErrorKind,
};
use serde_json::json;
use tar::{Builder, EntryType, Header};

use crate::script::{Chunk, Reply, SECRET, Script, Seen};

const LINK: &str = "https://results.example/archive.tar.gz?signature=sesame";

fn result(id: &str, response: &str) -> String {
    json!({ "status_code": 200, "operation_id": id, "response": response }).to_string()
}

fn add(tar: &mut Builder<Vec<u8>>, name: &[u8], kind: EntryType, contents: &[u8]) {
    let mut header = Header::new_gnu();
    // Written by hand, as the library refuses to write the names that matter here.
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(contents.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append(&header, contents).unwrap();
}

fn tar_of(files: &[(&[u8], EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (name, kind, contents) in files {
        add(&mut tar, name, *kind, contents);
    }
    tar.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An archive as Mailchimp makes them: a directory, an empty file, and results over two files.
fn usual() -> Vec<u8> {
    let first = format!(
        "[{},{}]",
        result("a", r#"{"id":"x"}"#),
        result("a", "{\"id\":\"y\"}")
    );
    let second = format!("[{}]", result("b", ""));
    gzip(&tar_of(&[
        (b"./", EntryType::Directory, b""),
        (b"./empty.json", EntryType::Regular, b""),
        (b"./1.json", EntryType::Regular, first.as_bytes()),
        (b"./none.json", EntryType::Regular, b"[]"),
        (b"./2.json", EntryType::Regular, second.as_bytes()),
    ]))
}

fn finished(link: &str) -> Reply {
    Reply::json(
        200,
        json!({ "id": "b1", "status": "finished", "response_body_url": link }).to_string(),
    )
}

/// Answers for the batch, and gives `archive` at its link.
fn serving(archive: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Script {
    Script::new(move |_, seen| {
        if seen.host == "results.example" {
            archive(seen)
        } else {
            finished(LINK)
        }
    })
}

async fn results(client: &Client, limits: ArchiveLimits) -> Result<Vec<BatchResult>, Error> {
    client.batches().results("b1", limits)?.try_collect().await
}

async fn read(archive: Vec<u8>) -> Result<Vec<BatchResult>, Error> {
    let script = serving(move |_| Reply::bytes(archive.clone()));
    results(&script.client(), ArchiveLimits::default()).await
}

async fn problem_of(archive: Vec<u8>) -> ArchiveProblem {
    match read(archive).await.unwrap_err() {
        Error::Archive(error) => error.reason,
        other => panic!("{other}"),
    }
}

fn ids(results: &[BatchResult]) -> Vec<&str> {
    results
        .iter()
        .filter_map(|result| result.operation_id.as_deref())
        .collect()
}

#[tokio::test]
async fn a_result_that_holds_a_page_is_cut_into_its_rows() {
    let page = r#"{"emails":[{"id":"x"}, {"id":"y"}],"total_items":7,"campaign_id":"c"}"#;
    let pages = [page, r#"{"emails":{}}"#, r#"{"emails":[{"id":"x"}"#, ""];
    let results = pages.map(|page| result("a", page)).join(",");
    let results = format!("[{results}]");
    let archive = tar_of(&[(b"./1.json", EntryType::Regular, results.as_bytes())]);
    let mut results = read(gzip(&archive)).await.unwrap().into_iter();
    let page = results.next().unwrap().into_rows("emails").unwrap();
    assert_eq!(page.rows, [r#"{"id":"x"}"#, r#"{"id":"y"}"#]);
    assert_eq!((page.total_items, page.meta.status), (Some(7), 200));
    assert_eq!(page.envelope::<String>("campaign_id").as_deref(), Some("c"));
    for other in results {
        let error = other.into_rows("emails").unwrap_err();
        assert!(matches!(error, Error::Decode(_)), "{error}");
    }
}

#[tokio::test]
async fn results_come_from_all_files_in_order() {
    let results = read(usual()).await.unwrap();
    assert_eq!(ids(&results), ["a", "a", "b"]);
    let ids_within: Vec<_> = results
        .iter()
        .map(|result| {
            result
                .json::<serde_json::Value>()
                .map(|json| json["id"].clone())
        })
        .collect();
    assert_eq!(ids_within, [Some(json!("x")), Some(json!("y")), None]);
    assert!(results.iter().all(BatchResult::is_success));
}

#[tokio::test]
async fn an_archive_whose_compression_is_already_undone_is_read() {
    let file = format!("[{}]", result("a", "1"));
    let tar = tar_of(&[(b"1.json", EntryType::Regular, file.as_bytes())]);
    assert_eq!(ids(&read(tar).await.unwrap()), ["a"]);
}

#[tokio::test]
async fn a_single_block_of_zeros_is_not_the_end() {
    let file = format!("[{}]", result("a", "1"));
    let tar = tar_of(&[(b"1.json", EntryType::Regular, file.as_bytes())]);
    let mut padded = vec![0; 512];
    padded.extend_from_slice(&tar[..1024]);
    padded.extend_from_slice(&[0; 512]);
    padded.extend_from_slice(&tar);
    assert_eq!(ids(&read(padded).await.unwrap()), ["a", "a"]);
}

#[tokio::test]
async fn a_missing_end_mark_is_no_fault_of_a_complete_compression() {
    let file = format!("[{}]", result("a", "1"));
    let mut tar = tar_of(&[(b"1.json", EntryType::Regular, file.as_bytes())]);
    tar.truncate(1024);
    assert_eq!(ids(&read(gzip(&tar)).await.unwrap()), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn an_archive_cut_within_an_entry_never_passes_for_complete() {
    let file = format!("[{}]", result("a", "1"));
    let mut tar = tar_of(&[
        (b"1.json", EntryType::Regular, file.as_bytes()),
        (b"2.json", EntryType::Regular, file.as_bytes()),
    ]);
    tar.truncate(2048);
    for kept in [1, 511, 513, 1023, 1025, 1535, 1537, 2047] {
        for archive in [gzip(&tar[..kept]), tar[..kept].to_vec()] {
            let error = read(archive).await.unwrap_err();
            assert!(error.retries_spent(), "{kept}: {error}");
        }
    }
    // Without compression nothing but the end mark says that no entry is missing.
    assert!(read(tar.clone()).await.is_err());
    assert!(read(tar[..1024].to_vec()).await.is_err());
    // Compression that lacks its own end proves nothing either.
    let packed = gzip(&tar);
    assert!(read(packed[..packed.len() - 8].to_vec()).await.is_err());
}

#[tokio::test]
async fn the_link_is_opened_without_the_credential() {
    let script = serving(|_| Reply::bytes(usual()));
    results(&script.client(), ArchiveLimits::default())
        .await
        .unwrap();
    let seen = script.seen();
    assert!(seen[0].headers.contains_key("authorization"));
    assert_eq!(seen[1].host, "results.example");
    assert_eq!(seen[1].query("signature"), Some("sesame"));
    assert!(!seen[1].headers.contains_key("authorization"));
    assert!(!format!("{:?}", seen[1].headers).contains(SECRET));
}

#[tokio::test(start_paused = true)]
async fn an_expired_link_is_asked_for_again() {
    let links = Mutex::new(0);
    let script = Script::new(move |_, seen| {
        if seen.host != "results.example" {
            let mut links = links.lock().unwrap();
            *links += 1;
            return finished(&format!("https://results.example/{links}"));
        }
        if seen.path == "/3" {
            Reply::bytes(usual())
        } else {
            Reply::html(403)
        }
    });
    let results = results(&script.client(), ArchiveLimits::default())
        .await
        .unwrap();
    assert_eq!(results.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_never_works_ends_in_an_error_that_does_not_show_it() {
    let script = serving(|_| Reply::html(403));
    let error = results(&script.client(), ArchiveLimits::default())
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(403));
    assert!(error.retries_spent());
    let opened = script
        .seen()
        .iter()
        .filter(|seen| seen.host == "results.example")
        .count();
    assert_eq!(opened, 6);
    assert!(
        !format!("{error} {error:?}").contains("results.example"),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_broken_transfer_no_result_is_missing_or_given_twice() {
    let files: Vec<String> = (0..50)
        .map(|file| format!("[{}]", result(&file.to_string(), &"x".repeat(file * 37))))
        .collect();
    let mut tar = Builder::new(Vec::new());
    for (number, file) in files.iter().enumerate() {
        add(
            &mut tar,
            number.to_string().as_bytes(),
            EntryType::Regular,
            file.as_bytes(),
        );
    }
    let archive = tar.into_inner().unwrap();
    for (kind, reported) in [("break", true), ("end", false)] {
        let served = archive.clone();
        let tries = Mutex::new(0_usize);
        let script = serving(move |_| {
            let mut tries = tries.lock().unwrap();
            *tries += 1;
            if *tries == 4 {
                return Reply::bytes(served.clone());
            }
            let mut chunks = vec![Chunk::Data(
                served[..served.len() * *tries / 4].to_vec().into(),
            )];
            if reported {
                chunks.push(Chunk::Break);
            }
            Reply::Answer {
                status: 200,
                headers: vec![],
                chunks,
            }
        });
        let results = results(&script.client(), ArchiveLimits::default())
            .await
            .unwrap();
        let expected: Vec<String> = (0..50).map(|number| number.to_string()).collect();
        assert_eq!(ids(&results), expected, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_batch_without_a_link_is_asked_again() {
    let script = Script::new(|number, seen| match (seen.host.as_str(), number) {
        ("results.example", _) => Reply::bytes(usual()),
        (_, 0 | 1) => finished(""),
        _ => finished(LINK),
    });
    assert_eq!(
        results(&script.client(), ArchiveLimits::default())
            .await
            .unwrap()
            .len(),
        3
    );
    let script = Script::new(|_, _| finished(""));
    let error = results(&script.client(), ArchiveLimits::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::BatchNotReady(_)), "{error}");
}

#[tokio::test]
async fn an_unfinished_batch_has_no_results() {
    let script = Script::new(|_, _| {
        Reply::json(
            200,
            r#"{"id":"b1","status":"started","response_body_url":""}"#,
        )
    });
    let error = results(&script.client(), ArchiveLimits::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the batch is started and has no results to fetch yet"
    );
}

#[tokio::test]
async fn the_size_in_an_extended_header_counts() {
    let file = format!("[{}]", result("a", "1"));
    let record = format!(" size={}\n", file.len());
    let record = format!("{}{record}", record.len() + 2);
    let mut tar = Builder::new(Vec::new());
    add(&mut tar, b"p", EntryType::XHeader, record.as_bytes());
    let mut header = Header::new_ustar();
    header.set_path("1.json").unwrap();
    header.set_size(0);
    header.set_cksum();
    let mut bytes = tar.into_inner().unwrap();
    bytes.truncate(1024);
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(file.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(512) + 1024, 0);
    assert_eq!(ids(&read(gzip(&bytes)).await.unwrap()), ["a"]);
}

#[tokio::test]
async fn a_result_shows_its_status_only() {
    let results = read(usual()).await.unwrap();
    assert_eq!(
        format!("{:?}", results[0]),
        "BatchResult { status_code: 200, .. }"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stalled_transfer_times_out_and_goes_on() {
    let tries = Mutex::new(0);
    let script = serving(move |_| {
        let mut tries = tries.lock().unwrap();
        *tries += 1;
        match *tries {
            1 => Reply::Hang,
            2 => Reply::Fail(TransportErrorKind::Connect),
            _ => Reply::bytes(usual()),
        }
    });
    let client = script
        .builder()
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    assert_eq!(
        results(&client, ArchiveLimits::default())
            .await
            .unwrap()
            .len(),
        3
    );
    assert_eq!(client.in_flight(), 0);
}
