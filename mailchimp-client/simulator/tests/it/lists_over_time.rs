//! Lists that change while they are read, and changes that show late.

use std::collections::BTreeSet;
use std::time::Duration;

use mailchimp_simulator::{Settings, When};

use crate::api::{Api, LIST, at};

fn window_page(offset: u32) -> String {
    let window = "since_last_changed=2026-03-01T11:00:00Z&before_last_changed=2026-03-01T12:00:09Z";
    format!("/lists/{LIST}/members?{window}&sort_field=last_changed&count=2&offset={offset}")
}

#[test]
fn an_offset_walk_loses_a_member_when_an_earlier_one_changes() {
    let api = Api::new();
    let audience = api.audience(0);
    for (second, name) in (0..).zip(["a", "b", "c", "d"]) {
        audience
            .at(at(second))
            .subscribe(&format!("{name}@mail.test"))
            .unwrap();
    }
    api.pass(60);
    api.simulator.on_request(When::After, |request, simulator| {
        if request.parameter("offset") == Some("0") {
            simulator
                .audience(LIST)
                .set_language("a@mail.test", "fr")
                .unwrap();
        }
    });
    let mut seen = api.column(&window_page(0), "members", "email_address");
    seen.extend(api.column(&window_page(2), "members", "email_address"));
    assert_eq!(
        seen,
        ["a@mail.test", "b@mail.test", "d@mail.test"],
        "c moved up past the offset"
    );
}

#[test]
fn a_hook_before_a_request_changes_its_answer_and_one_after_does_not() {
    for (when, expected) in [(When::Before, 2), (When::After, 1)] {
        let api = Api::new();
        api.audience(0).subscribe("a@mail.test").unwrap();
        api.simulator.on_request(when, |request, simulator| {
            assert_eq!(request.operation(), "GET /lists/{list_id}/members");
            assert_eq!(request.path, format!("/lists/{LIST}/members"));
            assert_eq!(request.count, Some(10));
            simulator.audience(LIST).subscribe("b@mail.test").unwrap();
        });
        assert_eq!(
            api.read(&format!("/lists/{LIST}/members"))["total_items"],
            expected
        );
        assert_eq!(api.simulator.audience(LIST).len(), 2);
    }
}

#[test]
fn in_a_closed_window_rows_only_disappear() {
    let api = Api::new();
    let audience = api.audience(500);
    api.pass(10);
    let window = "before_last_changed=2026-03-01T12:00:05Z";
    let mut before: BTreeSet<String> = api.addresses(window).into_iter().collect();
    for round in 0..20 {
        let id = audience.nth_id(round * 13).unwrap();
        match round % 4 {
            0 => audience.unsubscribe(&id).unwrap(),
            1 => audience.archive(&id).unwrap(),
            2 => audience.delete_permanently(&id).unwrap(),
            _ => drop(
                audience
                    .change_address(&id, &format!("new{round}@mail.test"))
                    .unwrap(),
            ),
        }
        let after: BTreeSet<String> = api.addresses(window).into_iter().collect();
        assert!(after.is_subset(&before) && after.len() + 1 == before.len());
        before = after;
    }
}

fn lagging(settings: &mut Settings) {
    settings.visibility_lag = Duration::from_millis(1500);
}

#[test]
fn a_change_shows_in_lists_after_the_lag_and_in_the_record_at_once() {
    let api = Api::with(lagging);
    let audience = api.audience(0);
    let id = audience.subscribe("a@mail.test").unwrap();
    let since = "since_last_changed=2026-03-01T11:59:59Z";
    assert_eq!(
        api.read(&format!("/lists/{LIST}/members/{id}"))["status"],
        "subscribed"
    );
    assert!(api.addresses(since).is_empty());
    api.pass_millis(1499);
    assert!(api.addresses(since).is_empty());
    api.pass_millis(1);
    assert_eq!(api.addresses(since), ["a@mail.test"]);
    let row = api.column(&format!("/lists/{LIST}/members"), "members", "last_changed");
    assert_eq!(
        row,
        ["2026-03-01T12:00:00+00:00"],
        "stamped when it changed, not when it showed"
    );
}

#[test]
fn each_of_several_late_changes_shows_in_its_turn() {
    let api = Api::with(lagging);
    let audience = api.audience(1);
    let id = audience.nth_id(0).unwrap();
    let shown = || {
        let statuses = api.column(
            &format!("/lists/{LIST}/members?status=subscribed"),
            "members",
            "language",
        );
        let gone = api.column(
            &format!("/lists/{LIST}/members?status=archived"),
            "members",
            "language",
        );
        (statuses.first().cloned(), gone.first().cloned())
    };
    let first = shown().0;
    audience.set_language(&id, "l1").unwrap();
    api.pass_millis(1000);
    audience.set_language(&id, "l2").unwrap();
    audience.archive(&id).unwrap();
    assert_eq!(shown(), (first, None));
    api.pass_millis(500);
    assert_eq!(shown(), (Some("l1".into()), None));
    api.pass_millis(1000);
    assert_eq!(shown(), (None, Some("l2".into())));
    audience.delete_permanently(&id).unwrap();
    assert_eq!(shown(), (None, Some("l2".into())));
    api.pass_millis(1500);
    assert_eq!(shown(), (None, None));
}
