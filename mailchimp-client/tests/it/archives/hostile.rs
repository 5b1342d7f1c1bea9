//! Archives that are broken or hostile.

use std::sync::Arc;

use mailchimp_client::{ArchiveLimits, ArchiveProblem, Error};
use proptest::prelude::*;
use tar::EntryType;

use super::{finished, gzip, problem_of, result, results, serving, tar_of};
use crate::script::{Chunk, Reply, Script};

#[tokio::test]
async fn a_link_that_is_not_https_is_refused() {
    for link in [
        "http://results.example/",
        "http://127.0.0.1/",
        "file:///etc/passwd",
        "x",
    ] {
        let script = Script::new(move |_, _| finished(link));
        let error = results(&script.client(), ArchiveLimits::default())
            .await
            .unwrap_err();
        assert!(
            matches!(&error, Error::Archive(error) if error.reason == ArchiveProblem::Link),
            "{link}: {error}"
        );
        assert_eq!(script.seen().len(), 1);
    }
}

#[tokio::test]
async fn names_that_leave_the_archive_are_refused() {
    for name in [
        &b"../x"[..],
        b"a/../../x",
        b"/etc/x",
        b"..",
        b"a\\..\\x",
        b"\\x",
    ] {
        let tar = tar_of(&[(name, EntryType::Regular, b"[]")]);
        assert_eq!(problem_of(gzip(&tar)).await, ArchiveProblem::PathTraversal);
    }
    // The same in an extended header, and in a long name.
    let record = "16 path=../evil\n";
    let pax = tar_of(&[
        (b"p", EntryType::XHeader, record.as_bytes()),
        (b"x", EntryType::Regular, b"[]"),
    ]);
    assert_eq!(problem_of(gzip(&pax)).await, ArchiveProblem::PathTraversal);
    let long = tar_of(&[
        (b"p", EntryType::GNULongName, b"a/../../evil\0"),
        (b"x", EntryType::Regular, b"[]"),
    ]);
    assert_eq!(problem_of(gzip(&long)).await, ArchiveProblem::PathTraversal);
}

#[tokio::test]
async fn links_and_devices_are_refused() {
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::GNUSparse,
    ] {
        let tar = tar_of(&[(b"x", kind, b"")]);
        assert_eq!(
            problem_of(gzip(&tar)).await,
            ArchiveProblem::EntryKind,
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn bombs_stop_at_their_limits() {
    let limits = ArchiveLimits {
        result_bytes: 1 << 16,
        total_bytes: 1 << 20,
        entries: 100,
    };
    let spaces = vec![b' '; 64 << 20];
    let long = format!("[{}]", result("a", &"x".repeat(1 << 17)));
    let many: Vec<(&[u8], EntryType, &[u8])> = vec![(b"d", EntryType::Directory, b""); 101];
    let bombs = [
        gzip(&tar_of(&[(b"1.json", EntryType::Regular, &spaces)])),
        gzip(&tar_of(&[(b"1.json", EntryType::Regular, long.as_bytes())])),
        gzip(&tar_of(&many)),
        gzip(&tar_of(&[(b"p", EntryType::XHeader, &spaces[..1 << 17])])),
    ];
    for bomb in bombs {
        let script = serving(move |_| Reply::bytes(bomb.clone()));
        let error = results(&script.client(), limits).await.unwrap_err();
        assert!(
            matches!(&error, Error::Archive(error) if error.reason == ArchiveProblem::TooLarge),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_transfer_stops_at_the_limit() {
    let limits = ArchiveLimits {
        total_bytes: 1 << 20,
        ..ArchiveLimits::default()
    };
    let start = tar_of(&[(b"1.json", EntryType::Regular, &vec![b' '; 8 << 20])]);
    let script = serving(move |_| Reply::Answer {
        status: 200,
        headers: vec![],
        chunks: vec![
            Chunk::Data(start[..512].to_vec().into()),
            Chunk::Endless(vec![b' '; 4096].into()),
        ],
    });
    let error = results(&script.client(), limits).await.unwrap_err();
    assert!(
        matches!(&error, Error::Archive(error) if error.reason == ArchiveProblem::TooLarge),
        "{error}"
    );
}

#[tokio::test]
async fn files_of_something_else_are_refused() {
    for contents in [
        &b"{}"[..],
        b"[{}]",
        b"[1]",
        b"[{\"status_code\":\"x\"}]",
        b"\xff\xfe",
        b"[{]",
    ] {
        let tar = tar_of(&[(b"1.json", EntryType::Regular, contents)]);
        assert_eq!(
            problem_of(gzip(&tar)).await,
            ArchiveProblem::Content,
            "{contents:?}"
        );
    }
    let mut tar = tar_of(&[(b"1.json", EntryType::Regular, b"[]")]);
    tar[0] ^= 1;
    assert_eq!(problem_of(gzip(&tar)).await, ArchiveProblem::Header);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// However an archive is damaged, reading it ends, without panic, in results that were in
    /// it or in an error.
    #[test]
    fn a_damaged_archive_is_read_without_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        keep in any::<prop::sample::Index>(),
        compressed in any::<bool>(),
    ) {
        let file = format!("[{},{}]", result("a", "1"), result("b", "2"));
        let mut bytes = tar_of(&[
            (b"d", EntryType::Directory, b""),
            (b"1.json", EntryType::Regular, file.as_bytes()),
        ]);
        if compressed {
            bytes = gzip(&bytes);
        }
        for (at, mask) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        bytes.truncate(keep.index(bytes.len()) + 1);
        let bytes = Arc::new(bytes);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let outcome = runtime.block_on(async {
            let script = serving(move |_| Reply::bytes(bytes.to_vec()));
            results(&script.client(), ArchiveLimits::default()).await
        });
        if let Ok(results) = outcome {
            prop_assert!(results.len() <= 2);
        }
    }
}
