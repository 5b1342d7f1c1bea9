//! Files on other hosts, over scripted answers and over sockets.

mod resume;
mod weather;

use std::time::Duration;

use futures::TryStreamExt;
use mailchimp_client::{
    ArchiveLimits, Client, Download, DownloadOptions, DownloadProblem, Error, ResumePoint,
    RetryPolicy,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::script::{Chunk, Reply, SECRET, Script, Seen, key};

const LINK: &str = "https://files.example/a/b.png?signature=sesame";
const FILE: &[u8] = b"0123456789abcdefghij";
const TAG: &str = "\"v1\"";

fn answer(status: u16, chunks: Vec<Chunk>) -> Reply {
    Reply::Answer {
        status,
        headers: vec![],
        chunks,
    }
}

fn whole() -> Reply {
    Reply::bytes(FILE)
        .header("content-length", FILE.len().to_string())
        .header("etag", TAG)
}

/// The first bytes, and then a cut.
fn cut(bytes: usize) -> Reply {
    answer(
        200,
        vec![Chunk::Data(FILE[..bytes].to_vec().into()), Chunk::Break],
    )
    .header("content-length", FILE.len().to_string())
    .header("etag", TAG)
}

/// What the request's `Range` asks for.
fn rest(seen: &Seen) -> Reply {
    let range = seen.headers["range"].to_str().unwrap();
    let begin = range
        .strip_prefix("bytes=")
        .unwrap()
        .strip_suffix('-')
        .unwrap();
    let begin: usize = begin.parse().unwrap();
    if begin >= FILE.len() {
        return answer(416, vec![]).header("content-range", "bytes */20");
    }
    let span = format!("bytes {begin}-{}/{}", FILE.len() - 1, FILE.len());
    answer(206, vec![Chunk::Data(FILE[begin..].to_vec().into())])
        .header("content-range", span)
        .header("etag", TAG)
}

fn options() -> DownloadOptions {
    DownloadOptions::default()
}

async fn all(download: Download) -> Result<Vec<u8>, Error> {
    let chunks: Vec<_> = download.into_stream().try_collect().await?;
    Ok(chunks.concat())
}

async fn fetch(client: &Client, options: &DownloadOptions) -> Result<Vec<u8>, Error> {
    all(client.download(LINK, options).await?).await
}

fn problem(error: Error) -> DownloadProblem {
    assert!(!format!("{error} {error:?}").contains("files.example"));
    match error {
        Error::Download(error) => error.problem,
        other => panic!("{other}"),
    }
}

async fn problem_of(script: &Script, options: &DownloadOptions) -> DownloadProblem {
    problem(fetch(&script.client(), options).await.unwrap_err())
}

#[tokio::test]
async fn a_file_comes_in_pieces_without_the_credential() {
    let script = Script::new(|_, _| {
        let chunks = FILE
            .chunks(7)
            .map(|piece| Chunk::Data(piece.to_vec().into()));
        answer(200, chunks.collect())
            .header("content-length", "20")
            .header("etag", TAG)
    });
    let options = DownloadOptions {
        expected_bytes: Some(20),
        ..options()
    };
    let client = script.client();
    let mut download = client.download(LINK, &options).await.unwrap();
    assert_eq!((download.start(), download.total_bytes()), (0, Some(20)));
    let mut sizes = Vec::new();
    while let Some(chunk) = download.next_chunk().await.unwrap() {
        sizes.push(chunk.len());
    }
    assert_eq!(sizes, [7, 7, 6]);
    assert_eq!(download.position(), 20);
    assert!(download.next_chunk().await.unwrap().is_none());
    let seen = script.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].query("signature"), Some("sesame"));
    assert_eq!(seen[0].headers["accept-encoding"], "identity");
    assert!(!seen[0].headers.contains_key("authorization"));
    assert!(!seen[0].headers.contains_key("range"));
    assert!(!format!("{:?}", seen[0].headers).contains(SECRET));
    assert!(!format!("{download:?}").contains("sesame"));
}

#[tokio::test]
async fn a_redirect_is_refused() {
    let script =
        Script::new(|_, _| answer(302, vec![]).header("location", "https://elsewhere.example/"));
    assert_eq!(
        problem_of(&script, &options()).await,
        DownloadProblem::Redirect
    );
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test]
async fn each_redirect_that_is_allowed_is_checked_like_the_first_address() {
    let follow = |target: &'static str| {
        let script = Script::new(move |number, _| match number {
            0 => answer(301, vec![]).header("location", "/moved"),
            1 => answer(307, vec![]).header("location", target),
            _ => whole(),
        });
        let two = DownloadOptions {
            redirects: 2,
            ..options()
        };
        async move { (fetch(&script.client(), &two).await, script.seen()) }
    };
    let (file, seen) = follow("https://elsewhere.example/x").await;
    assert_eq!(file.unwrap(), FILE);
    let hosts: Vec<_> = seen.iter().map(|seen| seen.host.as_str()).collect();
    assert_eq!(
        hosts,
        ["files.example", "files.example", "elsewhere.example"]
    );
    assert!(
        seen.iter()
            .all(|seen| !seen.headers.contains_key("authorization"))
    );
    for (target, expected) in [
        ("http://elsewhere.example/x", DownloadProblem::Link),
        ("file:///etc/passwd", DownloadProblem::Link),
        ("https://a:b@elsewhere.example/", DownloadProblem::Link),
        ("https://169.254.169.254/", DownloadProblem::PrivateAddress),
        ("//[::1]/x", DownloadProblem::PrivateAddress),
    ] {
        let (file, seen) = follow(target).await;
        assert_eq!(problem(file.unwrap_err()), expected, "{target}");
        assert_eq!(seen.len(), 2, "{target}");
    }
}

#[tokio::test]
async fn a_redirect_to_nowhere_or_too_far_is_refused() {
    let ten = DownloadOptions {
        redirects: 10,
        ..options()
    };
    let script = Script::new(|_, _| answer(302, vec![]).header("location", "/again"));
    assert_eq!(problem_of(&script, &ten).await, DownloadProblem::Redirect);
    assert_eq!(script.seen().len(), 11);
    let script = Script::new(|_, _| answer(302, vec![]));
    assert_eq!(problem_of(&script, &ten).await, DownloadProblem::Redirect);
}

#[tokio::test]
async fn private_hosts_are_refused_by_address_and_by_name() {
    let client = Client::builder(key()).build().unwrap();
    for link in [
        "https://127.0.0.1:9/x",
        "https://[::1]:9/x",
        "https://localhost:9/x",
    ] {
        let error = client.download(link, &options()).await.unwrap_err();
        assert_eq!(problem(error), DownloadProblem::PrivateAddress, "{link}");
    }
    let error = client
        .download("http://localhost:9/x", &options())
        .await
        .unwrap_err();
    assert_eq!(problem(error), DownloadProblem::Link);
}

#[tokio::test]
async fn results_of_a_batch_are_not_fetched_from_a_private_host() {
    let script = Script::new(|_, _| {
        Reply::json(
            200,
            r#"{"id":"b","status":"finished","response_body_url":"https://169.254.169.254/x"}"#,
        )
    });
    let results = script
        .client()
        .batches()
        .results("b", ArchiveLimits::default())
        .unwrap();
    let error = results.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(matches!(error, Error::Archive(_)), "{error}");
    assert_eq!(script.seen().len(), 1);
}

fn resume_at(position: u64) -> DownloadOptions {
    DownloadOptions {
        resume: Some(ResumePoint {
            position,
            validator: TAG.into(),
        }),
        ..options()
    }
}

#[tokio::test]
async fn a_file_of_another_size_is_refused_before_it_is_read() {
    let script = Script::new(|_, _| whole());
    let options = DownloadOptions {
        expected_bytes: Some(19),
        ..options()
    };
    let error = script.client().download(LINK, &options).await.unwrap_err();
    let expected = DownloadProblem::Size {
        expected: 19,
        actual: 20,
    };
    assert_eq!(
        error.to_string(),
        "download ended at byte 0: it has 20 bytes and should have 19"
    );
    assert_eq!(problem(error), expected);
}

#[tokio::test]
async fn a_file_whose_size_was_not_announced_is_counted() {
    let sized = |expected| DownloadOptions {
        expected_bytes: Some(expected),
        ..options()
    };
    let script = Script::new(|_, _| Reply::bytes(FILE));
    assert_eq!(fetch(&script.client(), &sized(20)).await.unwrap(), FILE);
    for expected in [19, 21] {
        let actual = 20;
        let size = DownloadProblem::Size { expected, actual };
        assert_eq!(problem_of(&script, &sized(expected)).await, size);
    }
}

#[tokio::test]
async fn a_file_that_never_ends_stops_at_the_limit() {
    let limited = DownloadOptions {
        limit_bytes: 100,
        ..options()
    };
    let too_large = DownloadProblem::TooLarge { limit: 100 };
    let script = Script::new(|_, _| answer(200, vec![Chunk::Endless(FILE.into())]));
    let mut download = script.client().download(LINK, &limited).await.unwrap();
    let mut bytes = 0;
    let error = loop {
        match download.next_chunk().await {
            Ok(chunk) => bytes += chunk.unwrap().len(),
            Err(error) => break error,
        }
    };
    assert_eq!((bytes, problem(error)), (100, too_large));
    let script = Script::new(|_, _| whole().replaced("content-length", "101"));
    let error = script.client().download(LINK, &limited).await.unwrap_err();
    assert_eq!(problem(error), too_large);
}

#[tokio::test(start_paused = true)]
async fn statuses_are_repeated_when_that_can_help() {
    for (status, tries) in [
        (404, 1),
        (403, 1),
        (401, 1),
        (408, 6),
        (429, 6),
        (500, 6),
        (503, 6),
    ] {
        let script = Script::new(move |_, _| Reply::html(status));
        let problem = problem_of(&script, &options()).await;
        assert_eq!(problem, DownloadProblem::Status(status));
        assert_eq!(script.seen().len(), tries, "{status}");
    }
}

#[tokio::test]
async fn a_file_that_was_packed_on_the_way_is_refused() {
    let script = Script::new(|_, _| whole().header("content-encoding", "gzip"));
    assert_eq!(
        problem_of(&script, &options()).await,
        DownloadProblem::Encoded
    );
}

/// Reads one request and gives its head.
async fn request(listener: &TcpListener) -> (tokio::net::TcpStream, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (stream, String::from_utf8(head).unwrap().to_lowercase())
}

#[tokio::test]
async fn over_a_socket_a_cut_is_overcome_and_the_credential_stays_here() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = format!("http://{}/file", listener.local_addr().unwrap());
    let host = tokio::spawn(async move {
        let (mut stream, first) = request(&listener).await;
        let head = "HTTP/1.1 200 OK\r\netag: \"v1\"\r\ncontent-length: 20\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&FILE[..7]).await.unwrap();
        drop(stream);
        let (mut stream, second) = request(&listener).await;
        let head = "HTTP/1.1 206 Partial Content\r\netag: \"v1\"\r\n\
                    content-range: bytes 7-19/20\r\ncontent-length: 13\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&FILE[7..]).await.unwrap();
        stream.shutdown().await.unwrap();
        [first, second]
    });
    let policy = RetryPolicy::default().backoff(Duration::ZERO, Duration::ZERO);
    let builder = Client::builder(key()).retry(policy);
    // By default a link does not lead to this machine.
    let client = builder.clone().build().unwrap();
    let error = client.download(&link, &options()).await.unwrap_err();
    assert_eq!(problem(error), DownloadProblem::Link);
    let client = builder.loopback_downloads(true).build().unwrap();
    let download = client.download(&link, &options()).await.unwrap();
    assert_eq!(all(download).await.unwrap(), FILE);
    let [first, second] = host.await.unwrap();
    for head in [&first, &second] {
        assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
        assert!(!head.contains("authorization"), "{head}");
        assert!(!head.contains(SECRET), "{head}");
    }
    assert!(second.contains("range: bytes=7-\r\n"), "{second}");
    assert!(second.contains("if-range: \"v1\"\r\n"), "{second}");
}
