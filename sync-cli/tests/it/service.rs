//! The service: stopping, edits, the lock.

use ometria_simulator::{Fault, FaultRule, When};

use crate::simulated::{LIST, Simulated};

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_after_a_commit_and_it_says_what_was_done() {
    for name in ["INT", "TERM"] {
        let simulated = Simulated::start().await;
        simulated.audience(LIST, 200);
        let place = simulated.place();
        let mut service = place.start(&["run", LIST]);
        service.line_with("run finished");
        service.signal(name);
        let ended = service.wait();
        let text = ended.with_code(0);
        assert!(
            text.contains("stopped after 1 runs (0 failed): 200 records sent"),
            "{text}"
        );
    }
}

/// The first signal waits for the flush, which waits for an answer that never comes.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let simulated = Simulated::start().await;
        simulated.audience(LIST, 50);
        simulated
            .ometria
            .inject(FaultRule::new(Fault::Hang, When::Always).on("/push"));
        let mut place = simulated.place();
        place.set("SYNC_LOG", "trace");
        let mut run = place.start(&["run", LIST, "--once"]);
        run.line_with("batch written");
        run.signal(name);
        run.line_with("stopping after the next commit");
        run.signal(name);
        run.wait().with_code(code);
    }
}

/// A first load that a signal interrupts goes on where it was.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_in_the_middle_of_a_run_loses_nothing() {
    let simulated = Simulated::with(
        crate::simulated::MAILCHIMP_KEY,
        crate::simulated::OMETRIA_KEY,
        |settings| settings.latency = std::time::Duration::from_millis(100),
    )
    .await;
    simulated.audience(LIST, 20_000);
    let mut place = simulated.place();
    // One connection reads a page in 100 ms, so twenty pages leave time for a signal.
    place.set("SYNC_LOG", "trace");
    place.write(
        "sync.toml",
        "[mailchimp]\nmax_connections = 1\n[ometria]\npush_rate = 1000\n",
    );
    let mut run = place.start(&["run", LIST, "--once"]);
    run.line_with("batch written");
    run.signal("TERM");
    let text = run.wait().with_code(0);
    assert!(text.contains("stopped"), "{text}");
    assert!(
        simulated.ometria.listing_count() < 20_000,
        "it was stopped on the way"
    );
    place.set("SYNC_LOG", "info");
    place.run(&["run", "--once"]).with_code(0);
    assert_eq!(simulated.ometria.listing_count(), 20_000);
}

/// So does a kill: what was committed stays, the rest is read again.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_goes_on_from_its_last_commit() {
    let simulated = Simulated::with(
        crate::simulated::MAILCHIMP_KEY,
        crate::simulated::OMETRIA_KEY,
        |settings| settings.latency = std::time::Duration::from_millis(100),
    )
    .await;
    simulated.audience(LIST, 20_000);
    let mut place = simulated.place();
    place.set("SYNC_LOG", "debug");
    place.write(
        "sync.toml",
        "[mailchimp]\nmax_connections = 1\n[ometria]\npush_rate = 1000\n[delivery]\ncommit_records = 2000\n",
    );
    let mut run = place.start(&["run", LIST, "--once"]);
    run.line_with("committed");
    run.signal("KILL");
    run.wait();

    let text = place.run(&["run", "--once"]).with_code(0);
    assert!(text.contains("earlier runs were killed"), "{text}");
    assert_eq!(simulated.ometria.listing_count(), 20_000);
    let history = place.run(&["history"]).with_code(0);
    assert!(history.contains("interrupted"), "{history}");
    let finished = text
        .lines()
        .find(|line| line.contains("run finished"))
        .unwrap();
    assert!(
        !finished.contains("read=20000"),
        "what was committed is not read again: {finished}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn controller_quit_ends_it() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 50);
    let place = simulated.place();
    let mut service = place.start(&["run", LIST]);
    service.line_with("run finished");
    place.write("state/controller.quit", "");
    let text = service.wait().with_code(0);
    assert!(text.contains("stopped after 1 runs"), "{text}");
    assert!(
        !place.path().join("state/controller.quit").exists(),
        "the request was taken"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audience_added_to_state_json_runs_without_a_restart() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 50);
    simulated.audience("aaaaaaaaaa", 30);
    let mut place = simulated.place();
    place.unset("OMETRIA_API_KEY");
    let mut service = place.start(&["run", LIST, "--sink", "jsonl:out"]);
    // Named audiences would be the only ones to run; the service of this test runs what the file says.
    service.line_with("run finished");
    drop(service);

    let mut service = place.start(&["run", "--sink", "jsonl:out"]);
    service.line_with("run finished");
    place.write(
        "state/state.json",
        &format!(
            "[{{\"list_id\": \"{LIST}\", \"paused\": true}}, {{\"list_id\": \"aaaaaaaaaa\"}}]"
        ),
    );
    let line = service.line_with("run finished");
    assert!(line.contains("aaaaaaaaaa"), "{line}");
    assert_eq!(
        place.read("out/members-aaaaaaaaaa.jsonl").lines().count(),
        30
    );

    place.write("state/state.json", "[{\"list_id\": ");
    service.line_with("state.json");
    place.write("state/controller.quit", "");
    service.wait().with_code(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_told_who_holds_the_directory_and_may_look() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 50);
    let place = simulated.place();
    let mut service = place.start(&["run", LIST]);
    service.line_with("run finished");
    for command in [
        &["run", "--once"][..],
        &["replay"],
        &["verify"],
        &["state", "rewind", LIST, "--to", "start"],
        &["state", "reset", LIST, "--yes"],
    ] {
        let text = place.run(command).with_code(2);
        assert!(text.contains("process"), "{text}");
    }
    for command in ["status", "history", "failures"] {
        place.run(&[command]).with_code(0);
    }
    place.run(&["check"]).with_code(0);
    place.write("state/controller.quit", "");
    service.wait().with_code(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_runs_again_on_the_schedule_of_its_entry() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 50);
    let place = simulated.place();
    std::fs::create_dir(place.path().join("state")).unwrap();
    let entry = format!("[{{\"list_id\": \"{LIST}\", \"schedule\": \"1s\"}}]");
    place.write("state/state.json", &entry);
    let mut service = place.start(&["run"]);
    let first = service.line_with("run finished");
    let second = service.line_with("run finished");
    assert!(first.contains("accepted=50"), "{first}");
    assert!(second.contains("accepted=0"), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn moving_a_timestamp_back_runs_at_once() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 50);
    let place = simulated.place();
    let mut service = place.start(&["run", LIST]);
    assert!(service.line_with("run finished").contains("read=50"));
    // Written by the run before it ended.
    let shown: serde_json::Value = serde_json::from_str(&place.read("state/state.json")).unwrap();
    assert!(shown[0]["latest_timestamp"].is_string(), "{shown}");
    place.write(
        "state/state.json",
        &format!("[{{\"list_id\": \"{LIST}\"}}]"),
    );
    let again = service.line_with("run finished");
    assert!(
        again.contains("read=50") && again.contains("accepted=0"),
        "{again}"
    );
}
