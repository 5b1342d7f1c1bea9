//! What all collections share, the account, its audiences, and paths that are not there.

use chrono::TimeDelta;
use mailchimp_simulator::{AudienceSpec, DateHeader, Spread, StatusMix};
use serde_json::json;

use crate::api::{Api, LIST, at, noon};

#[test]
fn a_page_has_ten_rows_unless_asked_and_at_most_a_thousand() {
    let api = Api::new();
    api.audience(1500);
    let rows = |parameters: &str| {
        let body = api.read(&format!(
            "/lists/{LIST}/members?{parameters}&fields=members.id,total_items"
        ));
        assert_eq!(body["total_items"], 1500);
        body["members"].as_array().unwrap().len()
    };
    assert_eq!(rows(""), 10);
    assert_eq!(rows("count=1000"), 1000);
    assert_eq!(rows("count=1001"), 1000, "accepted, and clamped");
    assert_eq!(rows("count=1000&offset=1000"), 500);
}

#[test]
fn the_clamp_can_be_lifted() {
    let api = Api::with(|settings| settings.page_clamp = None);
    api.audience(1500);
    let path = format!("/lists/{LIST}/members?count=100000&fields=members.id");
    assert_eq!(api.column(&path, "members", "id").len(), 1500);
}

#[test]
fn an_offset_past_the_end_is_an_empty_page_with_the_true_total() {
    let api = Api::new();
    api.audience(3);
    for sort in [
        "",
        "&sort_field=last_changed",
        "&sort_field=last_changed&sort_dir=DESC",
    ] {
        let body = api.read(&format!("/lists/{LIST}/members?offset=99{sort}"));
        assert_eq!(
            (&body["members"], &body["total_items"]),
            (&json!([]), &json!(3))
        );
    }
}

#[test]
fn a_count_that_is_no_number_is_refused() {
    let api = Api::new();
    api.audience(1);
    let answer = api.get(&format!("/lists/{LIST}/members?count=many"));
    assert_eq!((answer.status, answer.title()), (400, "Invalid Resource"));
    assert_eq!(answer.body["errors"][0]["field"], "count");
}

#[test]
fn the_account_answers_at_the_root_and_to_a_ping() {
    let api = Api::new();
    api.audience(4);
    assert_eq!(
        api.read("/ping"),
        json!({"health_status": "Everything's Chimpy!"})
    );
    let root = api.read("/?fields=account_id,total_subscribers,role");
    assert_eq!(root.as_object().unwrap().len(), 3);
    assert_eq!(root["total_subscribers"], 4);
}

#[test]
fn lists_are_counted_as_they_are() {
    let api = Api::new();
    let audience = api.audience(10);
    audience.unsubscribe(&audience.nth_id(0).unwrap()).unwrap();
    audience.archive(&audience.nth_id(1).unwrap()).unwrap();
    let list = api.read(&format!("/lists/{LIST}"));
    assert_eq!(list["stats"]["member_count"], 8);
    assert_eq!(list["stats"]["unsubscribe_count"], 1);
    assert!(list["stats"].get("total_contacts").is_none());
    let list = api.read(&format!("/lists/{LIST}?include_total_contacts=true"));
    assert_eq!(list["stats"]["total_contacts"], 10);
}

#[test]
fn lists_are_filtered_by_creation_and_by_member() {
    let api = Api::new();
    api.simulator
        .add_audience(AudienceSpec::new("first", 0))
        .subscribe("a@mail.test")
        .unwrap();
    api.pass(10);
    api.simulator.add_audience(AudienceSpec::new("second", 0));
    let ids = |parameters: &str| api.column(&format!("/lists?{parameters}"), "lists", "id");
    assert_eq!(ids(""), ["first", "second"]);
    assert_eq!(
        ids("sort_field=date_created&sort_dir=DESC"),
        ["second", "first"]
    );
    assert_eq!(ids("since_date_created=2026-03-01T12:00:00Z"), ["second"]);
    assert_eq!(ids("before_date_created=2026-03-01T12:00:00Z"), ["first"]);
    assert_eq!(ids("email=A@mail.test"), ["first"]);
    assert_eq!(
        api.read("/lists")["constraints"]["current_total_instances"],
        2
    );
    assert!(api.simulator.delete_audience("first"));
    assert_eq!(ids(""), ["second"]);
}

#[test]
fn the_same_person_has_one_id_and_two_contacts_in_two_audiences() {
    let api = Api::new();
    for id in ["first", "second"] {
        api.simulator
            .add_audience(AudienceSpec::new(id, 0))
            .subscribe("a@mail.test")
            .unwrap();
    }
    let [first, second] =
        ["first", "second"].map(|id| api.read(&format!("/lists/{id}/members/a@mail.test")));
    for same in ["id", "unique_email_id"] {
        assert_eq!(first[same], second[same]);
    }
    for different in ["contact_id", "web_id", "list_id"] {
        assert_ne!(first[different], second[different]);
    }
}

#[test]
fn unknown_paths_lists_and_members_are_not_found() {
    let api = Api::new();
    api.audience(1);
    for path in [
        "/nonsense",
        "/lists/none",
        "/lists/none/members",
        &format!("/lists/{LIST}/members/00000000000000000000000000000000"),
        &format!("/lists/{LIST}/members/nobody@mail.test"),
        &format!("/lists/{LIST}/members/nonsense/tags"),
        &format!("/lists/{LIST}/segments/5"),
        &format!("/lists/{LIST}/webhooks/5"),
    ] {
        let answer = api.get(path);
        assert_eq!(
            (answer.status, answer.title()),
            (404, "Resource Not Found"),
            "{path}"
        );
        assert_eq!(
            answer.body["detail"],
            "The requested resource could not be found."
        );
    }
}

#[test]
fn a_method_that_is_not_there_names_those_that_are() {
    let api = Api::new();
    api.audience(1);
    let answer = api.delete(&format!("/lists/{LIST}/members"));
    assert_eq!((answer.status, answer.title()), (405, "Method Not Allowed"));
    assert_eq!(answer.header("allow"), Some("GET, POST"));
}

#[test]
fn an_error_carries_its_request_id_as_instance() {
    let api = Api::new();
    let answer = api.get("/lists/none");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json; charset=utf-8")
    );
    let instance = answer.body["instance"].as_str().unwrap();
    assert_eq!(answer.header("x-request-id"), Some(instance));
    assert_eq!(instance.len(), 36);
    assert_ne!(
        api.get("/ping").header("x-request-id"),
        Some(instance),
        "each has its own"
    );
    assert_eq!(answer.body["status"], 404);
    assert_eq!(
        answer.body["type"],
        "https://mailchimp.com/developer/marketing/docs/errors/"
    );
}

#[test]
fn the_date_header_is_right_missing_or_skewed() {
    let date = |date_header| {
        let api = Api::with(|settings| settings.date_header = date_header);
        api.get("/ping").header("date").map(str::to_owned)
    };
    assert_eq!(
        date(DateHeader::Right).as_deref(),
        Some("Sun, 01 Mar 2026 12:00:00 GMT")
    );
    assert_eq!(date(DateHeader::Missing), None);
    let skewed = date(DateHeader::Skewed(TimeDelta::seconds(-90)));
    assert_eq!(skewed.as_deref(), Some("Sun, 01 Mar 2026 11:58:30 GMT"));
}

#[test]
fn large_answers_are_compressed_for_clients_that_ask() {
    use std::io::Read as _;

    use loopback::Simulator as _;

    let api = Api::with(|settings| settings.gzip = true);
    api.audience(100);
    let ask = |encoding: &str| {
        let request = http::Request::get(format!("/3.0/lists/{LIST}/members?count=100"))
            .header("authorization", format!("Bearer {}", crate::api::KEY))
            .header("accept-encoding", encoding)
            .body(bytes::Bytes::new())
            .unwrap();
        crate::api::whole(api.simulator.handle(request))
    };
    let (plain, packed) = (ask("identity"), ask("deflate, gzip;q=0.5"));
    assert!(plain.headers().get("content-encoding").is_none());
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed.body()[..])
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(plain.body(), &unpacked);
    assert!(packed.body().len() * 4 < unpacked.len());
}

#[test]
fn members_are_searched_by_address() {
    let api = Api::new();
    let audience = api.audience(0);
    for address in ["ann@mail.test", "anna@mail.test", "bob@mail.test"] {
        audience.subscribe(address).unwrap();
    }
    let found = api.read("/search-members?query=ann@mail.test");
    assert_eq!(found["exact_matches"]["total_items"], 1);
    let found = api.read(&format!("/search-members?query=ann&list_id={LIST}"));
    assert_eq!(found["exact_matches"]["members"], json!([]));
    assert_eq!(found["full_search"]["total_items"], 2);
    assert_eq!(api.get("/search-members").status, 400);
}

#[test]
fn activity_is_newest_first_and_the_feed_has_no_total() {
    let api = Api::new();
    let audience = api.audience(0);
    let id = audience.subscribe("a@mail.test").unwrap();
    audience.at(at(1)).record_activity(&id, "c1", None).unwrap();
    audience
        .at(at(2))
        .record_activity(&id, "c1", Some("https://shop.test/"))
        .unwrap();
    let path = format!("/lists/{LIST}/members/{id}/activity");
    assert_eq!(api.column(&path, "activity", "action"), ["click", "open"]);
    assert_eq!(
        api.column(&format!("{path}?action=open"), "activity", "timestamp"),
        ["2026-03-01T12:00:01+00:00"]
    );
    assert_eq!(api.read(&path)["total_items"], 2);
    let feed = api.read(&format!("{path}-feed?count=1"));
    assert_eq!(feed["activity"].as_array().unwrap().len(), 1);
    assert_eq!(feed["activity"][0]["link_clicked"], "https://shop.test/");
    assert!(feed.get("total_items").is_none());
}

#[test]
fn latency_grows_with_the_offset_when_told_so() {
    use std::time::Duration;

    let api = Api::with(|settings| {
        settings.latency = Duration::from_millis(200);
        settings.latency_per_offset_row = Duration::from_micros(10);
    });
    api.audience(1);
    let after = |path: String| api.handle(&http::Method::GET, &path, "").after;
    assert_eq!(after("/ping".to_owned()), Duration::from_millis(200));
    let deep = after(format!("/lists/{LIST}/members?offset=100000"));
    assert_eq!(deep, Duration::from_millis(1200));
}

#[test]
fn stats_count_requests_by_template_and_rows() {
    let api = Api::new();
    api.audience_of(30, |spec| {
        spec.statuses = StatusMix::SHOP;
        spec.spread = Spread::OneSecond(noon());
    });
    api.get(&format!("/lists/{LIST}/members?count=7"));
    api.get(&format!("/lists/{LIST}/members/nobody@mail.test"));
    api.get("/nonsense");
    let stats = api.simulator.stats();
    assert_eq!(stats.of("GET /lists/{list_id}/members"), 1);
    assert_eq!(
        stats.of("GET /lists/{list_id}/members/{subscriber_hash}"),
        1
    );
    assert_eq!(stats.of("unknown"), 1);
    assert_eq!((stats.total(), stats.rows), (3, 7));
    assert_eq!(stats.answers.get(&404), Some(&2));
    api.simulator.reset_stats();
    assert_eq!(api.simulator.stats().total(), 0);
}
