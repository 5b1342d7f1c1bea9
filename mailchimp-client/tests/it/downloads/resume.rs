//! What happens after a cut, and where an earlier download ended.

use std::time::Duration;

use mailchimp_client::{DownloadOptions, DownloadProblem, RetryPolicy, TransportErrorKind};

use super::{
    FILE, LINK, TAG, all, answer, cut, fetch, options, problem, problem_of, rest, resume_at, whole,
};
use crate::script::{Chunk, Reply, Script, Seen};

#[tokio::test(start_paused = true)]
async fn after_a_cut_the_rest_is_asked_for() {
    let script = Script::new(|number, seen| match number {
        0 => cut(7),
        1 => Reply::Fail(TransportErrorKind::Connect),
        2 => answer(503, vec![]),
        _ => rest(seen),
    });
    assert_eq!(fetch(&script.client(), &options()).await.unwrap(), FILE);
    let seen = script.seen();
    assert_eq!(seen.len(), 4);
    for seen in &seen[1..] {
        assert_eq!(seen.headers["range"], "bytes=7-");
        assert_eq!(seen.headers["if-range"], TAG);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_ends_before_its_length_is_a_cut() {
    let script = Script::new(|number, seen| match number {
        0 => Reply::bytes(&FILE[..7])
            .header("content-length", "20")
            .header("etag", TAG),
        _ => rest(seen),
    });
    assert_eq!(fetch(&script.client(), &options()).await.unwrap(), FILE);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_knows_no_parts_gives_the_file_again_and_no_byte_comes_twice() {
    let script = Script::new(|number, _| if number == 0 { cut(7) } else { whole() });
    assert_eq!(fetch(&script.client(), &options()).await.unwrap(), FILE);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changed_after_a_cut_is_not_patched_together() {
    let changed: [fn(&Seen) -> Reply; 4] = [
        |_| Reply::bytes(FILE).header("etag", "\"v2\""),
        |_| Reply::bytes(FILE),
        |seen| rest(seen).replaced("etag", "\"v2\""),
        |_| answer(416, vec![]).header("content-range", "bytes */5"),
    ];
    for change in changed {
        let script =
            Script::new(move |number, seen| if number == 0 { cut(7) } else { change(seen) });
        assert_eq!(
            problem_of(&script, &options()).await,
            DownloadProblem::Changed
        );
    }
}

#[tokio::test(start_paused = true)]
async fn another_part_than_was_asked_for_is_refused() {
    for span in [
        "bytes 0-19/20",
        "bytes 8-19/20",
        "bytes 7-30/20",
        "7-19/20",
        "",
    ] {
        let script = Script::new(move |number, _| match number {
            0 => cut(7),
            _ => answer(206, vec![Chunk::Data(FILE[7..].into())])
                .header("content-range", span)
                .header("etag", TAG),
        });
        assert_eq!(
            problem_of(&script, &options()).await,
            DownloadProblem::Range,
            "{span}"
        );
    }
    let script = Script::new(|_, _| answer(206, vec![]).header("content-range", "bytes 0-19/20"));
    assert_eq!(
        problem_of(&script, &options()).await,
        DownloadProblem::Range
    );
}

#[tokio::test(start_paused = true)]
async fn a_cut_of_a_file_that_has_no_validator_ends_the_download() {
    let script = Script::new(|_, _| answer(200, vec![Chunk::Data(FILE.into()), Chunk::Break]));
    let mut download = script.client().download(LINK, &options()).await.unwrap();
    assert_eq!(download.next_chunk().await.unwrap().unwrap(), FILE);
    let error = download.next_chunk().await.unwrap_err();
    assert_eq!(
        problem(error),
        DownloadProblem::Transport(TransportErrorKind::Body)
    );
    assert_eq!(download.resume_point(), None);
    let error = download.next_chunk().await.unwrap_err();
    assert_eq!(problem(error), DownloadProblem::NotResumable);
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cut_before_the_first_byte_needs_no_validator() {
    let script = Script::new(|number, _| match number {
        0 => answer(200, vec![Chunk::Break]),
        _ => Reply::bytes(FILE),
    });
    assert_eq!(fetch(&script.client(), &options()).await.unwrap(), FILE);
}

#[tokio::test(start_paused = true)]
async fn tries_are_bounded_and_the_download_can_go_on_later() {
    let script = Script::new(|number, seen| match number {
        0 => cut(7),
        1..4 => Reply::Fail(TransportErrorKind::Reset),
        _ => rest(seen),
    });
    let policy = RetryPolicy::default().max_attempts(4);
    let client = script.client().with_retry(policy);
    let mut download = client.download(LINK, &options()).await.unwrap();
    assert_eq!(download.next_chunk().await.unwrap().unwrap(), &FILE[..7]);
    let error = download.next_chunk().await.unwrap_err();
    assert!(error.retries_spent());
    assert_eq!(
        problem(error),
        DownloadProblem::Transport(TransportErrorKind::Reset)
    );
    assert_eq!(script.seen().len(), 4);
    let point = download.resume_point().unwrap();
    let resumed = DownloadOptions {
        resume: Some(point.clone()),
        ..options()
    };
    assert_eq!((point.position, point.validator.as_str()), (7, TAG));
    let again = client.download(LINK, &resumed).await.unwrap();
    assert_eq!((again.start(), again.total_bytes()), (7, Some(20)));
    assert_eq!(all(again).await.unwrap(), &FILE[7..]);
    assert_eq!(all(download).await.unwrap(), &FILE[7..]);
}

#[tokio::test]
async fn an_earlier_download_of_another_file_is_begun_again() {
    let other: [fn(&Seen) -> Reply; 2] = [
        |_| Reply::bytes(FILE).header("etag", "\"v2\""),
        |seen| match seen.headers.get("range") {
            Some(_) => answer(416, vec![]).header("content-range", "bytes */20"),
            None => whole(),
        },
    ];
    for other in other {
        let script = Script::new(move |_, seen| other(seen));
        let client = script.client();
        let download = client.download(LINK, &resume_at(700)).await.unwrap();
        assert_eq!(download.start(), 0);
        assert_eq!(all(download).await.unwrap(), FILE);
    }
}

#[tokio::test]
async fn an_earlier_download_goes_on_although_the_host_knows_no_parts() {
    let script = Script::new(|_, _| whole());
    let client = script.client();
    let download = client.download(LINK, &resume_at(7)).await.unwrap();
    assert_eq!(download.start(), 7);
    assert_eq!(all(download).await.unwrap(), &FILE[7..]);
}

#[tokio::test]
async fn an_earlier_download_that_was_complete_gives_nothing_more() {
    let script = Script::new(|_, _| answer(416, vec![]).header("content-range", "bytes */20"));
    let client = script.client();
    let download = client.download(LINK, &resume_at(20)).await.unwrap();
    assert_eq!((download.start(), download.position()), (20, 20));
    assert!(all(download).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn once_the_caller_knows_where_the_file_begins_it_cannot_begin_elsewhere() {
    let script = Script::new(|number, seen| match number {
        0 => {
            let mut reply = rest(seen);
            if let Reply::Answer { chunks, .. } = &mut reply {
                *chunks = vec![Chunk::Break];
            }
            reply
        }
        _ => Reply::bytes(FILE).header("etag", "\"v2\""),
    });
    let client = script.client();
    let download = client.download(LINK, &resume_at(7)).await.unwrap();
    assert_eq!(download.start(), 7);
    assert_eq!(
        problem(all(download).await.unwrap_err()),
        DownloadProblem::Changed
    );
}

#[tokio::test(start_paused = true)]
async fn a_stalled_transfer_is_given_up_and_goes_on() {
    let script = Script::new(|number, seen| match number {
        0 => answer(200, vec![Chunk::Data(FILE[..7].into()), Chunk::Stall]).header("etag", TAG),
        1 => Reply::Hang,
        _ => rest(seen),
    });
    let patient = DownloadOptions {
        idle_timeout: Duration::from_secs(9),
        ..options()
    };
    assert_eq!(fetch(&script.client(), &patient).await.unwrap(), FILE);
    assert!(
        script
            .gaps()
            .iter()
            .all(|gap| *gap >= Duration::from_secs(9))
    );
    let never = Script::new(|_, _| Reply::Hang);
    let timeout = DownloadProblem::Transport(TransportErrorKind::Timeout);
    assert_eq!(problem_of(&never, &patient).await, timeout);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_given_again_and_ends_early_is_no_whole_file() {
    let again = |bytes: usize| Reply::bytes(&FILE[..bytes]).header("etag", TAG);
    // Before the place of the cut, of a file of unknown size.
    let script = Script::new(move |number, _| match number {
        0 => answer(200, vec![Chunk::Data(FILE[..7].into()), Chunk::Break]).header("etag", TAG),
        1 => again(3),
        _ => whole(),
    });
    assert_eq!(fetch(&script.client(), &options()).await.unwrap(), FILE);
    assert_eq!(script.seen().len(), 3);
    // After it, of a file whose size is known from before.
    let script = Script::new(move |number, _| match number {
        0 => cut(7),
        1 => again(10),
        _ => whole(),
    });
    assert_eq!(fetch(&script.client(), &options()).await.unwrap(), FILE);
    assert_eq!(script.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_came_a_long_way_and_stands_still_is_given_up() {
    const LONG: usize = 2 << 20;
    let script = Script::new(|number, _| match number {
        0 => answer(200, vec![Chunk::Data(vec![7; LONG].into()), Chunk::Break])
            .header("content-length", (LONG + 1).to_string())
            .header("etag", TAG),
        1..50 => Reply::Fail(TransportErrorKind::Reset),
        _ => answer(404, vec![]),
    });
    let error = fetch(&script.client(), &options()).await.unwrap_err();
    assert!(error.retries_spent(), "{error}");
    assert_eq!(script.seen().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_comes_on_is_worth_more_tries() {
    const STEP: usize = 1 << 20;
    let served = |begin: usize, total: usize| {
        let data = vec![7; STEP.min(total - begin)];
        answer(206, vec![Chunk::Data(data.into()), Chunk::Break])
            .header(
                "content-range",
                format!("bytes {begin}-{}/{total}", total - 1),
            )
            .header("etag", TAG)
    };
    let script = Script::new(move |_, seen| {
        let total = 9 * STEP;
        let begin = seen.headers["range"].to_str().unwrap();
        let begin: usize = begin
            .trim_matches(|c: char| !c.is_ascii_digit())
            .parse()
            .unwrap();
        if begin == total {
            answer(416, vec![]).header("content-range", format!("bytes */{total}"))
        } else {
            served(begin, total)
        }
    });
    let came = fetch(&script.client(), &resume_at(STEP as u64))
        .await
        .unwrap();
    assert_eq!(came.len(), 8 * STEP);
    assert_eq!(script.seen().len(), 9);
}
