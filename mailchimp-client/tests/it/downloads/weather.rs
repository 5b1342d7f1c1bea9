//! Any sequence of mishaps.

use mailchimp_client::{DownloadOptions, TransportErrorKind};
use proptest::prelude::*;

use super::{FILE, LINK, answer, rest, resume_at, whole};
use crate::script::{Chunk, Reply, Script, Seen};

/// What a host does with one request.
#[derive(Debug, Clone)]
enum Weather {
    CutAfter(usize),
    EndAfter(usize),
    Refuse,
    Fail,
    Stall,
    Fine,
}

fn any_weather() -> impl Strategy<Value = Weather> {
    prop_oneof![
        (0_usize..=20).prop_map(Weather::CutAfter),
        (0_usize..=20).prop_map(Weather::EndAfter),
        Just(Weather::Refuse),
        Just(Weather::Fail),
        Just(Weather::Stall),
        Just(Weather::Fine),
    ]
}

/// The answer of a host in this weather, which may know parts, and may send less than the rest.
fn under(weather: &Weather, seen: &Seen, knows_parts: bool) -> Reply {
    let mut reply = match (knows_parts, seen.headers.contains_key("range")) {
        (true, true) => rest(seen),
        _ => whole(),
    };
    let Reply::Answer { chunks, .. } = &mut reply else {
        return reply;
    };
    let cut = |chunks: &mut Vec<Chunk>, bytes: usize| {
        if let Some(Chunk::Data(data)) = chunks.first_mut() {
            data.truncate(bytes);
        }
    };
    match weather {
        Weather::CutAfter(bytes) => {
            cut(chunks, *bytes);
            chunks.push(Chunk::Break);
        }
        Weather::EndAfter(bytes) => cut(chunks, *bytes),
        Weather::Refuse => return answer(503, vec![]),
        Weather::Fail => return Reply::Fail(TransportErrorKind::Connect),
        Weather::Stall => *chunks = vec![Chunk::Stall],
        Weather::Fine => {}
    }
    reply
}

proptest! {
    #[test]
    fn whatever_happens_the_bytes_are_those_of_the_file(
        weather in prop::collection::vec(any_weather(), 0..12),
        knows_parts in any::<bool>(),
        begin in 0_usize..=20,
    ) {
        let script = Script::new(move |number, seen| {
            under(weather.get(number).unwrap_or(&Weather::Fine), seen, knows_parts)
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (came, error) = runtime.block_on(async {
            let mut came = Vec::new();
            let client = script.client();
            let options = DownloadOptions { expected_bytes: Some(20), ..resume_at(begin as u64) };
            let mut download = match client.download(LINK, &options).await {
                Ok(download) => download,
                Err(error) => return (came, Some(error)),
            };
            loop {
                match download.next_chunk().await {
                    Ok(Some(chunk)) => came.extend_from_slice(&chunk),
                    Ok(None) => return (came, None),
                    Err(error) => return (came, Some(error)),
                }
            }
        });
        let expected = &FILE[begin..];
        match error {
            None => prop_assert_eq!(came, expected),
            Some(error) => {
                prop_assert!(error.retries_spent(), "{}", error);
                prop_assert!(expected.starts_with(&came));
            }
        }
    }
}
