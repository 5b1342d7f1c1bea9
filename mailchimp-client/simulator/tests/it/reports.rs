//! Reports, and that their parts agree with each other.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use mailchimp_simulator::{AccountSpec, CampaignsSpec, Refused};
use serde_json::{Value, json};

use crate::api::{Api, at, full, noon, rows};

fn sent(api: &Api) -> Vec<String> {
    api.simulator.sent_campaigns()
}

/// Every event of a campaign with the id of who did it.
fn events(api: &Api, campaign: &str, parameters: &str) -> Vec<(String, Value)> {
    let path = format!("/reports/{campaign}/email-activity?count=1000&{parameters}");
    rows(api, &path, "emails")
        .iter()
        .flat_map(|row| {
            let who = row["email_id"].as_str().unwrap().to_owned();
            let activity = row["activity"].as_array().cloned().unwrap_or_default();
            activity.into_iter().map(move |event| (who.clone(), event))
        })
        .collect()
}

fn of<'e>(events: &'e [(String, Value)], action: &str) -> Vec<&'e (String, Value)> {
    events
        .iter()
        .filter(|(_, event)| event["action"] == action)
        .collect()
}

fn people(events: &[&(String, Value)]) -> BTreeSet<String> {
    events.iter().map(|(who, _)| who.clone()).collect()
}

fn last(events: &[&(String, Value)]) -> Value {
    let times = events
        .iter()
        .map(|(_, event)| event["timestamp"].as_str().unwrap());
    times.max().unwrap_or("").into()
}

#[test]
fn the_report_adds_up_what_the_activity_shows() {
    let api = full();
    for id in sent(&api) {
        let report = api.read(&format!("/reports/{id}"));
        let events = events(&api, &id, "");
        let (opens, clicks, bounces) = (
            of(&events, "open"),
            of(&events, "click"),
            of(&events, "bounce"),
        );
        assert!(!opens.is_empty() && !clicks.is_empty() && !bounces.is_empty());
        assert_eq!(report["opens"]["opens_total"], opens.len());
        assert_eq!(report["opens"]["unique_opens"], people(&opens).len());
        assert_eq!(report["opens"]["last_open"], last(&opens));
        assert_eq!(report["clicks"]["clicks_total"], clicks.len());
        assert_eq!(
            report["clicks"]["unique_subscriber_clicks"],
            people(&clicks).len()
        );
        assert_eq!(report["clicks"]["last_click"], last(&clicks));
        let all_bounces = report["bounces"]["hard_bounces"].as_u64().unwrap()
            + report["bounces"]["soft_bounces"].as_u64().unwrap();
        assert_eq!(all_bounces, bounces.len() as u64);
        let by_link = rows(
            &api,
            &format!("/reports/{id}/click-details"),
            "urls_clicked",
        );
        let total: u64 = by_link
            .iter()
            .map(|link| link["total_clicks"].as_u64().unwrap())
            .sum();
        assert_eq!(total, clicks.len() as u64);
        let opened = api.read(&format!("/reports/{id}/open-details?count=1000"));
        assert_eq!(opened["total_items"], people(&opens).len());
        assert_eq!(opened["total_opens"], opens.len());
        let gone = api.read(&format!("/reports/{id}/unsubscribed"));
        assert_eq!(gone["total_items"], report["unsubscribed"]);
    }
}

#[test]
fn since_filters_events_exclusively_and_drops_no_row() {
    let api = full();
    let id = &sent(&api)[0];
    let all = events(&api, id, "");
    let mut times: Vec<&str> = all
        .iter()
        .map(|(_, event)| event["timestamp"].as_str().unwrap())
        .collect();
    times.sort_unstable();
    let middle = times[times.len() / 2];
    let since = format!("since={}", middle.replace('+', "%2B"));
    let later = events(&api, id, &since);
    let expected: Vec<_> = all
        .iter()
        .filter(|(_, event)| event["timestamp"].as_str().unwrap() > middle)
        .cloned()
        .collect();
    assert_eq!(later, expected);
    let path = format!("/reports/{id}/email-activity?count=1000&{since}");
    assert_eq!(rows(&api, &path, "emails").len(), 40);
    assert_eq!(api.read(&path)["total_items"], 40);
    let fraction = api.get(&format!(
        "/reports/{id}/email-activity?since=2025-01-01T00:00:00.5Z"
    ));
    assert_eq!(fraction.status, 500, "as users report");
}

#[test]
fn late_events_move_the_gates_and_the_rows_together() {
    let api = full();
    let id = sent(&api)[0].clone();
    let campaign = api.simulator.campaign(&id);
    let reader = campaign.recipient(7).unwrap();
    let before = api.read(&format!("/reports/{id}"));
    api.pass(60);
    campaign.open(&reader).unwrap();
    campaign.click(&reader, 1).unwrap();
    let report = api.read(&format!("/reports/{id}"));
    let stamp = "2026-03-01T12:01:00+00:00";
    assert_eq!(report["opens"]["last_open"], stamp);
    assert_eq!(report["clicks"]["last_click"], stamp);
    assert_eq!(
        report["opens"]["opens_total"].as_u64().unwrap(),
        before["opens"]["opens_total"].as_u64().unwrap() + 1
    );
    let late = events(&api, &id, "since=2026-03-01T12:00:00Z");
    assert_eq!(late.len(), 2);
    let one = api.read(&format!("/reports/{id}/email-activity/{}", late[0].0));
    assert_eq!(one["email_address"], reader.as_str());
    assert!(
        one["activity"]
            .as_array()
            .unwrap()
            .iter()
            .any(|event| event["timestamp"] == stamp)
    );
    campaign.at(at(120)).bounce(&reader, false).unwrap();
    let bounced = api.read(&format!("/reports/{id}"));
    assert_eq!(
        bounced["opens"]["last_open"], stamp,
        "a bounce moves no gate"
    );
    assert_ne!(bounced["bounces"], report["bounces"]);
    assert_eq!(
        campaign.open("stranger@mail.test"),
        Err(Refused::UnknownMember)
    );
    assert_eq!(campaign.click(&reader, 99), Err(Refused::UnknownDefinition));
}

#[test]
fn counters_can_drift_without_events() {
    let api = full();
    let id = sent(&api)[1].clone();
    let before = api.read(&format!("/reports/{id}"));
    api.simulator.campaign(&id).forward().unwrap();
    let after = api.read(&format!("/reports/{id}"));
    assert_ne!(before["forwards"], after["forwards"]);
    assert_eq!(before["opens"], after["opens"]);
}

#[test]
fn bounces_have_a_type_and_no_address_of_a_machine() {
    let api = full();
    for id in sent(&api) {
        for (_, event) in events(&api, &id, "") {
            let bounce = event["action"] == "bounce";
            assert_eq!(event.get("type").is_some(), bounce);
            assert_eq!(event.get("ip").is_none(), bounce);
            assert_eq!(event.get("url").is_some(), event["action"] == "click");
        }
    }
}

#[test]
fn people_who_left_keep_their_rows() {
    let api = full();
    let id = &sent(&api)[2];
    let list = api.read(&format!("/reports/{id}"))["list_id"].clone();
    assert_eq!(list, "0000000001", "five members, forty recipients");
    let gone = rows(&api, &format!("/reports/{id}/sent-to?count=100"), "sent_to");
    assert_eq!(gone.len(), 40);
    assert_eq!(gone[39]["merge_fields"], Value::Null);
    let opened = rows(
        &api,
        &format!("/reports/{id}/open-details?count=100"),
        "members",
    );
    assert!(opened.iter().any(|row| row["contact_status"] == "deleted"));
    let quiet = rows(
        &api,
        &format!("/reports/{id}/email-activity?count=100"),
        "emails",
    );
    assert!(quiet.iter().any(|row| row.get("activity").is_none()));
}

#[test]
fn a_recipient_has_the_same_row_alone_and_in_the_list() {
    let api = full();
    let id = &sent(&api)[0];
    let link = rows(
        &api,
        &format!("/reports/{id}/click-details"),
        "urls_clicked",
    )[0]["id"]
        .clone();
    let clickers = format!("click-details/{}/members", link.as_str().unwrap());
    for (below, key) in [
        ("email-activity", "emails"),
        ("sent-to", "sent_to"),
        ("open-details", "members"),
        ("unsubscribed", "unsubscribes"),
        (clickers.as_str(), "members"),
    ] {
        let path = format!("/reports/{id}/{below}");
        let row = rows(&api, &path, key)[0].clone();
        let who = row["email_id"].as_str().unwrap();
        assert_eq!(api.read(&format!("{path}/{who}")), row, "{path}");
        assert_eq!(api.get(&format!("{path}/{}", "0".repeat(32))).status, 404);
    }
}

#[test]
fn fields_cut_activity_down() {
    let api = full();
    let id = &sent(&api)[0];
    let path = format!("/reports/{id}/email-activity?count=2");
    let only = api.read(&format!(
        "{path}&fields=emails.email_id,emails.activity.action"
    ));
    assert_eq!(only.as_object().unwrap().len(), 1);
    for row in only["emails"].as_array().unwrap() {
        let keys: Vec<&String> = row.as_object().unwrap().keys().collect();
        assert!(keys == ["activity", "email_id"], "{keys:?}");
    }
    let without = api.read(&format!(
        "{path}&exclude_fields=emails._links,_links,emails.activity.ip"
    ));
    assert!(without.get("_links").is_none() && without["emails"][0].get("_links").is_none());
    assert_eq!(without["total_items"], 40);
}

#[test]
fn pages_of_activity_hold_every_recipient_once() {
    let api = full();
    let id = &sent(&api)[0];
    let mut seen = Vec::new();
    for offset in (0..).step_by(7) {
        let path = format!("/reports/{id}/email-activity?count=7&offset={offset}");
        let page = api.column(&path, "emails", "email_id");
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    let distinct: BTreeSet<String> = seen.iter().map(Value::to_string).collect();
    assert_eq!((seen.len(), distinct.len()), (40, 40));
}

#[test]
fn rates_are_fractions_but_those_of_the_list_are_percentages() {
    let api = full();
    for report in rows(&api, "/reports", "reports") {
        let rate = report["opens"]["open_rate"].as_f64().unwrap();
        assert!(rate > 0.0 && rate < 1.0);
        assert!(report["list_stats"]["open_rate"].as_f64().unwrap() > 1.0);
    }
}

#[test]
fn shares_come_out_as_asked_and_nothing_lies_in_the_future() {
    let api = Api::new();
    let mut spec = AccountSpec::full();
    spec.campaigns = CampaignsSpec {
        sent: 1,
        recipients: 4000,
        bounced_percent: 5,
        opened_percent: 30,
        clicked_percent: 50,
        ..CampaignsSpec::default()
    };
    spec.history.from = noon() - TimeDelta::days(1);
    spec.history.to = noon();
    api.simulator.fill(spec);
    let id = &sent(&api)[0];
    let report = api.read(&format!("/reports/{id}"));
    let near = |value: &Value, expected: u64| {
        let value = value.as_u64().unwrap();
        assert!(
            value.abs_diff(expected) < expected / 4,
            "{value} for {expected}"
        );
    };
    near(&report["opens"]["unique_opens"], 1140);
    near(&report["clicks"]["unique_subscriber_clicks"], 570);
    let bounces = report["bounces"]["hard_bounces"].as_u64().unwrap()
        + report["bounces"]["soft_bounces"].as_u64().unwrap();
    near(&json!(bounces), 200);
    let all = rows(
        &api,
        &format!("/reports/{id}/email-activity?count=1000"),
        "emails",
    );
    let sent_at: DateTime<Utc> = report["send_time"].as_str().unwrap().parse().unwrap();
    for event in all
        .iter()
        .flat_map(|row| row["activity"].as_array().into_iter().flatten())
    {
        let time: DateTime<Utc> = event["timestamp"].as_str().unwrap().parse().unwrap();
        assert!(time >= sent_at && time <= noon());
    }
}
