//! `state.json`, looked at.

#![no_main]

use std::collections::HashSet;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sync_fuzz::{directory_with, run};
use sync_local::LocalState;

const KNOWN: [&str; 12] = [
    "list_id",
    "id",
    "latest_timestamp",
    "start_offset",
    "items_per_request",
    "worker_count",
    "account",
    "sink",
    "schedule",
    "paused",
    "elapsed_seconds",
    "total_updates",
];

/// No import waits longer than a leap year.
const LONGEST_SCHEDULE: Duration = Duration::from_hours(366 * 24);

fuzz_target!(|text: &[u8]| {
    let directory = directory_with("state.json", text);
    let state =
        LocalState::read_only(directory.path()).expect("a broken file stops nobody from looking");
    let entries = state.imports();
    // What is wrong with a file is told at once; a good file is no news.
    let problem = run(async {
        let news = tokio::time::timeout(Duration::from_secs(1), state.changed()).await;
        news.ok()
            .map(|news| news.expect_err("nobody edited the file"))
    });
    if let Some(problem) = &problem {
        assert!(entries.is_empty(), "a broken file is in force");
        let shown = problem.to_string();
        assert!(!shown.contains('@'), "the file is quoted: {shown}");
    }
    let without_mark = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if let Ok(value) = serde_json::from_slice::<Value>(without_mark)
        && problem.is_none()
    {
        assert_eq!(
            value.as_array().map(Vec::len),
            Some(entries.len()),
            "{value}"
        );
    }
    let mut ids = HashSet::new();
    for entry in entries {
        assert!(
            ids.insert(entry.id.clone()),
            "two imports are called {}",
            entry.id
        );
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(!entry.list_id.is_empty() && entry.list_id.bytes().all(plain));
        assert!(
            entry
                .items_per_request
                .is_none_or(|items| (1..=1000).contains(&items))
        );
        assert!(
            entry
                .worker_count
                .is_none_or(|workers| (1..=100).contains(&workers))
        );
        assert!(
            entry
                .schedule
                .is_none_or(|every| !every.is_zero() && every <= LONGEST_SCHEDULE)
        );
        assert!(
            entry
                .extra
                .keys()
                .all(|name| !KNOWN.contains(&name.as_str()))
        );
    }
});
