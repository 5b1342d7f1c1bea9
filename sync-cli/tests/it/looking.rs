//! `status`, `history`, `state`: looking and moving.

use crate::simulated::{LIST, Simulated};

#[tokio::test(flavor = "multi_thread")]
async fn what_ran_can_be_looked_at() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 130);
    let place = simulated.place();
    assert!(place.run(&["status"]).with_code(0).contains("no imports"));
    place.run(&["run", LIST, "--once"]).with_code(0);

    let ended = place.run(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(status[0]["list_id"], LIST);
    assert_eq!(status[0]["records"], 130);
    assert_eq!(status[0]["last_run"]["outcome"], "complete");
    assert!(place.run(&["status"]).with_code(0).contains("complete"));

    let ended = place.run(&["history", "--json"]);
    let history: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(history.as_array().unwrap().len(), 1);
    assert_eq!(history[0]["counts"]["accepted"], 130);

    let ended = place.run(&["state", "show"]);
    let shown: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(
        shown[0]["checkpoint"]["position"]["cursor"].is_object(),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewind_reads_again_and_resend_sends_again() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 130);
    let place = simulated.place();
    place.run(&["run", LIST, "--once"]).with_code(0);
    let first = simulated.ometria.pushed();

    place
        .run(&["state", "rewind", LIST, "--to", "start"])
        .with_code(0);
    let text = place.run(&["run", "--once"]).with_code(0);
    assert!(text.contains("130"), "everything is read: {text}");
    assert_eq!(
        simulated.ometria.pushed(),
        first,
        "and nothing sent that is there already"
    );

    place
        .run(&["state", "rewind", LIST, "--to", "start", "--resend"])
        .with_code(0);
    place.run(&["run", "--once"]).with_code(0);
    assert_eq!(simulated.ometria.pushed(), 2 * first);

    place
        .run(&["state", "rewind", LIST, "--to", "2025-06-01T00:00:00Z"])
        .with_code(0);
    assert!(
        place
            .read("state/state.json")
            .contains("2025-06-01T00:00:00Z")
    );
    place
        .run(&["state", "rewind", LIST, "--to", "yesterday"])
        .with_code(2);
    place
        .run(&["state", "rewind", "no-such-import", "--to", "start"])
        .with_code(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_wants_a_yes() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 130);
    let place = simulated.place();
    place.run(&["run", LIST, "--once"]).with_code(0);
    assert!(
        place
            .run(&["state", "reset", LIST])
            .with_code(2)
            .contains("--yes")
    );
    place.run(&["state", "reset", LIST, "--yes"]).with_code(0);
    let ended = place.run(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(status[0]["records"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_sink_for_the_same_import_is_refused_with_the_way_out() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 20);
    let place = simulated.place();
    place
        .run(&["run", LIST, "--once", "--sink", "jsonl:out"])
        .with_code(0);
    let text = place.run(&["run", "--once"]).with_code(2);
    assert!(text.contains("reset"), "{text}");
    assert_eq!(simulated.ometria.pushed(), 0);
}

#[test]
fn a_broken_state_file_is_no_empty_one() {
    let place = crate::program::Place::new();
    std::fs::create_dir(place.path().join("state")).unwrap();
    place.write("state/state.json", "[{\"list_id\": ");
    let text = place.run(&["status"]).with_code(2);
    assert!(text.contains("state.json"), "{text}");
    place.write("state/state.json", "[]");
    assert!(place.run(&["status"]).with_code(0).contains("no imports"));
}
