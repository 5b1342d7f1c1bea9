//! Precedence, and what is refused.

use crate::program::Place;

/// A place where nothing is missing. No test here gets as far as a request.
fn complete() -> Place {
    let mut place = Place::new();
    place
        .set("MAILCHIMP_API_KEY", "0123-us6")
        .set("OMETRIA_API_KEY", "4567")
        .set("MAILCHIMP_LIST_ID", "57afe96172")
        .set("SYNC_METRICS", "off");
    place
}

#[track_caller]
fn refused(place: &Place, arguments: &[&str], words: &[&str]) {
    let text = place.run(arguments).with_code(2);
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
    assert!(
        !place.path().join("state/state.db").exists(),
        "nothing was begun"
    );
}

#[test]
fn missing_keys_and_audiences_are_named_with_a_remedy() {
    let mut place = complete();
    place.unset("MAILCHIMP_API_KEY");
    refused(
        &place,
        &["run", "--once"],
        &["MAILCHIMP_API_KEY", "put it into the environment"],
    );
    let mut place = complete();
    place.unset("OMETRIA_API_KEY");
    let text = place.run(&["run", "--once"]).with_code(2);
    assert!(text.contains("OMETRIA_API_KEY"), "{text}");
    let mut place = complete();
    place.unset("MAILCHIMP_LIST_ID");
    let text = place.run(&["run", "--once"]).with_code(2);
    assert!(text.contains("MAILCHIMP_LIST_ID"), "{text}");
}

#[test]
fn a_key_is_not_pasted_into_a_host() {
    for hostile in [
        "0123",
        "0123-",
        "0123-US6",
        "0123-us6.evil.example",
        "0123-evil.example/",
    ] {
        let mut place = complete();
        place.set("MAILCHIMP_API_KEY", hostile);
        refused(
            &place,
            &["run", "--once"],
            &["MAILCHIMP_API_KEY in the environment", "data centre"],
        );
    }
}

#[test]
fn plain_http_is_refused_except_to_this_machine() {
    for (name, url) in [
        ("MAILCHIMP_BASE_URL", "http://us6.api.mailchimp.com/3.0"),
        ("OMETRIA_BASE_URL", "http://api.ometria.com/v2"),
        ("OMETRIA_BASE_URL", "not a url"),
    ] {
        let mut place = complete();
        place.set(name, url);
        refused(&place, &["run", "--once"], &[name, "https"]);
    }
}

#[test]
fn list_ids_are_checked_wherever_they_come_from() {
    let mut place = complete();
    place.set("MAILCHIMP_LIST_ID", "a,,b");
    refused(&place, &["run", "--once"], &["MAILCHIMP_LIST_ID", "empty"]);
    place.set("MAILCHIMP_LIST_ID", "a/b");
    refused(
        &place,
        &["run", "--once"],
        &["MAILCHIMP_LIST_ID", "letters"],
    );
    refused(&place, &["run", "--once", "../x"], &["LIST_ID", "letters"]);
}

#[test]
fn words_that_are_not_known_are_refused_with_the_known_ones() {
    let place = complete();
    refused(
        &place,
        &["run", "--once", "--sink", "csv:out"],
        &["--sink", "jsonl:DIR"],
    );
    refused(
        &place,
        &["run", "--once", "--log", "xml"],
        &["--log", "json"],
    );
    refused(
        &place,
        &["run", "--once", "--log-level", "loud"],
        &["--log-level", "debug"],
    );
    refused(
        &place,
        &["run", "--once", "--metrics", "8888"],
        &["--metrics", "127.0.0.1:8888"],
    );
    refused(
        &place,
        &["run", "--once", "--log-file", "no/such/log"],
        &["log file", "no/such/log"],
    );
    let mut place = complete();
    place.set("OMETRIA_PROFILE", "v3");
    refused(&place, &["run", "--once"], &["OMETRIA_PROFILE", "push-v2"]);
    place.set("OMETRIA_PROFILE", "record");
    refused(&place, &["run", "--once"], &["OMETRIA_BASE_URL", "record"]);
}

#[test]
fn a_limit_of_zero_is_a_usage_error() {
    complete()
        .run(&["run", "--once", "--limit", "0"])
        .with_code(2);
    complete().run(&["fly"]).with_code(2);
}

#[test]
fn the_settings_file_is_checked_with_name_and_line() {
    for (text, words) in [
        (
            "sink = \"ometria\"\nstaet = \"x\"\n",
            &["sync.toml line 2", "staet"][..],
        ),
        (
            "[mailchimp]\nmax_connections = 0\n",
            &["mailchimp.max_connections", "1 to 10"],
        ),
        (
            "[mailchimp]\nmax_connections = \"ten\"\n",
            &["sync.toml line 2", "max_connections"],
        ),
        ("schedule = \"hourly\"\n", &["schedule", "1h"]),
        ("schedule = \"0s\"\n", &["schedule", "zero"]),
        (
            "[delivery]\ncommit_records = 0\n",
            &["delivery.commit_records"],
        ),
        (
            "[delivery]\nmax_removed_share = 2.0\n",
            &["delivery.max_removed_share"],
        ),
        ("[ometria]\npush_rate = 0\n", &["ometria.push_rate"]),
        (
            "[contact]\nstatus_property = \" \"\n",
            &["contact.status_property"],
        ),
        (
            "[mailchimp_accounts.Brand]\n",
            &["mailchimp_accounts.Brand", "lower-case"],
        ),
        (
            "[consent]\naccount = \"x\"\n",
            &["consent.account", "remove"],
        ),
        ("not toml\n", &["sync.toml line 1"]),
    ] {
        let place = complete();
        place.write("sync.toml", text);
        refused(&place, &["run", "--once"], words);
    }
    refused(
        &complete(),
        &["--config", "absent.toml", "run"],
        &["--config", "absent.toml"],
    );
}

#[test]
fn numbers_in_state_json_are_checked_with_entry_and_field() {
    for (entry, field) in [
        (
            r#"{"list_id": "a", "items_per_request": 0}"#,
            "items_per_request",
        ),
        (r#"{"list_id": "a", "worker_count": 0}"#, "worker_count"),
        (r#"{"list_id": "a/b"}"#, "list_id"),
        (r#"{"list_id": ""}"#, "list_id"),
        (r#"{"list_id": "a", "sink": "csv:x"}"#, "sink"),
        (r#"{"list_id": "a", "account": "brand"}"#, "account"),
        (
            r#"{"list_id": "a", "sink": "ometria:brand"}"#,
            "OMETRIA_API_KEY_BRAND",
        ),
    ] {
        let mut place = complete();
        place.unset("MAILCHIMP_LIST_ID");
        std::fs::create_dir(place.path().join("state")).unwrap();
        place.write("state/state.json", &format!("[{entry}]"));
        let text = place.run(&["run", "--once"]).with_code(2);
        assert!(text.contains(field), "{field} is not in {text}");
    }
}

#[test]
fn a_state_directory_that_cannot_be_used_is_refused() {
    let place = complete();
    place.write("taken", "a file");
    refused(&place, &["--state", "taken", "run", "--once"], &["taken"]);
    refused(
        &place,
        &["--state", "taken/below", "run", "--once"],
        &["taken"],
    );
}

/// The layers in order of precedence; each one's key has a fault of its own, so the message tells which was read.
#[test]
fn environment_wins_over_dot_env_and_that_over_the_file() {
    let mut place = complete();
    place.unset("MAILCHIMP_API_KEY");
    place.write("sync.toml", "[mailchimp]\napi_key = \"from-the-file\"\n");
    refused(
        &place,
        &["run", "--once"],
        &["mailchimp.api_key in sync.toml"],
    );
    place.write(".env", "MAILCHIMP_API_KEY=from-dot-env\n");
    refused(&place, &["run", "--once"], &["MAILCHIMP_API_KEY in .env"]);
    place.set("MAILCHIMP_API_KEY", "from-the-environment");
    refused(
        &place,
        &["run", "--once"],
        &["MAILCHIMP_API_KEY in the environment"],
    );
}

#[test]
fn flags_win_over_everything() {
    let mut place = complete();
    place.write("sync.toml", "sink = \"file:x\"\n");
    refused(&place, &["run", "--once"], &["sink in sync.toml"]);
    place.set("SYNC_SINK", "environment:x");
    refused(
        &place,
        &["run", "--once"],
        &["SYNC_SINK in the environment"],
    );
    refused(&place, &["run", "--once", "--sink", "flag:x"], &["--sink"]);
}

#[test]
fn no_message_shows_a_key() {
    let mut place = complete();
    place.set("MAILCHIMP_API_KEY", "marker-of-a-key");
    place.set("OMETRIA_API_KEY", "marker of a key");
    place.write("sync.toml", "[mailchimp]\napi_key = \"marker-of-a-key\n");
    assert!(
        !place
            .run(&["run", "--once"])
            .with_code(2)
            .contains("marker")
    );
    place.write("sync.toml", "");
    assert!(
        !place
            .run(&["run", "--once"])
            .with_code(2)
            .contains("marker")
    );
    place.write(".env", "marker-of-a-key\n");
    assert!(
        !place
            .run(&["run", "--once"])
            .with_code(2)
            .contains("marker")
    );
}

#[test]
fn help_and_completions_need_no_settings() {
    let place = Place::new();
    let help = place.run(&["--help"]).with_code(0);
    for word in [
        "demo",
        "run",
        "check",
        "status",
        "replay",
        "verify",
        "Exit codes",
    ] {
        assert!(help.contains(word), "{word}");
    }
    let script = place.run(&["completions", "bash"]);
    assert!(script.with_code(0).contains("sync-cli"));
}
