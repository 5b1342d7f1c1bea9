//! Nothing that the program writes anywhere holds a key or an address.

use std::path::Path;

use chrono::TimeDelta;
use ometria_simulator::{Rejected, Rejection};
use sync_core::{Clock, SystemClock};

use crate::simulated::{LIST, Simulated};

const MAILCHIMP_KEY: &str = "markermailchimpkey0123-us6";
const OMETRIA_KEY: &str = "markerometriakey0123";
const ADDRESS: &str = "marker-of-a-person@shop.example";

fn assert_clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    for secret in [
        "markermailchimpkey",
        "markerometriakey",
        "marker-of-a-person",
        "shop.example",
    ] {
        assert!(!text.contains(secret), "{secret} is in {what}");
    }
}

fn assert_clean_below(directory: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += assert_clean_below(&path);
        } else {
            assert_clean(&path.display().to_string(), &std::fs::read(&path).unwrap());
            files += 1;
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_addresses_stay_out_of_everything_written() {
    let simulated = Simulated::with(MAILCHIMP_KEY, OMETRIA_KEY, |_| {}).await;
    let audience = simulated.audience(LIST, 300);
    let past = SystemClock.now() - TimeDelta::minutes(2);
    let member = audience.at(past).subscribe(ADDRESS).unwrap();
    let mut place = simulated.place();
    place
        .set("MAILCHIMP_API_KEY", MAILCHIMP_KEY)
        .set("OMETRIA_API_KEY", OMETRIA_KEY)
        .set("SYNC_LOG", "trace")
        .set("SYNC_METRICS", "127.0.0.1:0");
    let members = audience.members().into_iter();
    let refused = members.skip(295).map(|member| member.contact_id).collect();
    simulated
        .ometria
        .reject(Rejected::Ids(refused), Rejection::AtOnce);
    for (number, format) in ["text", "json"].into_iter().enumerate() {
        let file = format!("log-{number}.txt");
        let ended = place.run(&["run", LIST, "--once", "--log", format, "--log-file", &file]);
        ended.with_code(3);
        assert_clean("stdout", ended.stdout.as_bytes());
        assert_clean("stderr", ended.stderr.as_bytes());
        let log = place.read(&file);
        assert!(log.contains("run finished"), "the log was written");
        if format == "json" {
            for line in log.lines() {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                assert!(
                    line["level"].is_string() && line["message"].is_string(),
                    "{line}"
                );
            }
        }
        // A minute ago: the run stays a little behind the server's clock.
        let past = SystemClock.now() - TimeDelta::minutes(1);
        audience.at(past).unsubscribe(&member).unwrap();
    }
    for command in [
        &["failures"][..],
        &["status", "--json"],
        &["history"],
        &["state", "show"],
        &["verify"],
        &["replay"],
    ] {
        let ended = place.run(command);
        assert_clean(command[0], ended.stdout.as_bytes());
        assert_clean(command[0], ended.stderr.as_bytes());
    }
    // Refusals name what was refused, and never the value.
    for (name, value) in [
        ("OMETRIA_API_KEY", "markerometriakey-wrong"),
        ("MAILCHIMP_API_KEY", "markermailchimpkey-us6"),
    ] {
        place.set(name, value);
        let ended = place.run(&["check"]);
        assert_eq!(ended.code, Some(2));
        assert_clean("check", ended.stdout.as_bytes());
        assert_clean("check", ended.stderr.as_bytes());
    }
    assert!(
        assert_clean_below(place.path()) >= 4,
        "state and logs were looked at"
    );
}
