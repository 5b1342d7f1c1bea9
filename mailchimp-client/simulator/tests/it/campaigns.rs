//! Campaigns with what belongs to them, and their folders.

use chrono::TimeDelta;
use mailchimp_simulator::{AccountSpec, CampaignsSpec, Refused, When};
use serde_json::json;

use crate::api::{Api, full, rows};

#[test]
fn drafts_have_an_empty_send_time_and_no_report() {
    let api = full();
    let drafts = api.read("/campaigns?status=save&count=100");
    let drafts = drafts["campaigns"].as_array().unwrap();
    assert!(!drafts.is_empty());
    for draft in drafts {
        assert_eq!(draft["send_time"], "");
        assert_eq!(draft["emails_sent"], 0);
        assert!(draft.get("report_summary").is_none());
        let id = draft["id"].as_str().unwrap();
        assert_eq!(api.get(&format!("/reports/{id}")).status, 404);
        let activity = api.read(&format!("/reports/{id}/email-activity"));
        assert_eq!(
            (&activity["emails"], &activity["total_items"]),
            (&json!([]), &json!(0))
        );
    }
    let reports = api.column("/reports?count=100", "reports", "id");
    let sent = api.column("/campaigns?status=sent&count=100", "campaigns", "id");
    assert_eq!(reports, sent);
}

#[test]
fn create_time_filters_are_half_open() {
    let api = full();
    let times = api.column(
        "/campaigns?count=100&sort_field=create_time",
        "campaigns",
        "create_time",
    );
    let (second, fourth) = (times[1].as_str().unwrap(), times[3].as_str().unwrap());
    let path = format!(
        "/campaigns?count=100&sort_field=create_time&since_create_time={}&before_create_time={}",
        second.replace('+', "%2B"),
        fourth.replace('+', "%2B"),
    );
    assert_eq!(api.column(&path, "campaigns", "create_time"), times[2..4]);
}

#[test]
fn a_send_time_filter_leaves_drafts_out() {
    let api = full();
    let path = "/campaigns?count=100&before_send_time=2030-01-01T00:00:00Z";
    let found = api.column(path, "campaigns", "status");
    assert!(!found.is_empty() && found.iter().all(|status| status == "sent"));
}

#[test]
fn campaigns_sort_by_time_both_ways_and_by_nothing_else() {
    let api = full();
    for field in ["create_time", "send_time"] {
        let sorted = |dir: &str| {
            let path = format!("/campaigns?count=100&sort_field={field}&sort_dir={dir}");
            api.column(&path, "campaigns", field)
        };
        let (up, down) = (sorted("ASC"), sorted("DESC"));
        assert!(up.is_sorted_by_key(|time| time.as_str().unwrap().to_owned()));
        assert!(
            down.iter()
                .rev()
                .is_sorted_by_key(|time| time.as_str().unwrap().to_owned())
        );
    }
    let refused = api.get("/campaigns?sort_field=title");
    assert_eq!((refused.status, refused.title()), (400, "Invalid Resource"));
    assert_eq!(refused.body["errors"][0]["field"], "sort_field");
}

#[test]
fn campaigns_filter_by_audience_folder_type_and_member() {
    let api = full();
    let all = rows(&api, "/campaigns?count=100", "campaigns");
    for (filter, pick) in [
        ("list_id", "/recipients/list_id"),
        ("folder_id", "/settings/folder_id"),
        ("type", "/type"),
    ] {
        let value = all[2].pointer(pick).unwrap().as_str().unwrap();
        let found = rows(
            &api,
            &format!("/campaigns?count=100&{filter}={value}"),
            "campaigns",
        );
        let expected = all.iter().filter(|row| row.pointer(pick).unwrap() == value);
        assert_eq!(found, expected.cloned().collect::<Vec<_>>(), "{filter}");
        assert!(found.len() < all.len(), "{filter} filters");
    }
    let nobody = rows(&api, "/campaigns?status=garbage", "campaigns");
    assert!(nobody.is_empty(), "a value that does not exist is no error");
    let list = all[0]["recipients"]["list_id"].as_str().unwrap();
    let member = &rows(&api, &format!("/lists/{list}/members"), "members")[0];
    let id = member["id"].as_str().unwrap();
    let to_member = rows(
        &api,
        &format!("/campaigns?count=100&member_id={id}"),
        "campaigns",
    );
    assert!(!to_member.is_empty());
    assert!(to_member.iter().all(|row| row["status"] == "sent"));
    assert!(to_member.len() < all.len());
}

#[test]
fn a_new_campaign_comes_with_a_report_and_a_deleted_one_takes_it_along() {
    let api = full();
    let before = api.read("/reports")["total_items"].as_u64().unwrap();
    let list = "f0e1d2c3b4";
    let campaign = api
        .simulator
        .send_campaign(list, CampaignsSpec::default(), None);
    assert_eq!(api.read("/reports")["total_items"], before + 1);
    let report = format!("/reports/{}", campaign.id());
    assert_eq!(api.read(&report)["send_time"], "2026-03-01T12:00:00+00:00");
    assert_eq!(
        api.read(&format!("/campaigns/{}", campaign.id()))["status"],
        "sent"
    );
    campaign.delete().unwrap();
    for path in [
        format!("/campaigns/{}", campaign.id()),
        format!("/campaigns/{}/content", campaign.id()),
        report.clone(),
        format!("{report}/email-activity"),
        format!("{report}/click-details"),
    ] {
        assert_eq!(api.get(&path).status, 404, "{path}");
    }
    assert!(campaign.delete().is_err());
}

#[test]
fn a_campaign_sent_in_the_past_has_its_activity_since_then() {
    let api = full();
    let sent_at = crate::api::noon() - TimeDelta::hours(2);
    let spec = CampaignsSpec {
        opened_percent: 100,
        recipients: 200,
        ..CampaignsSpec::default()
    };
    let campaign = api
        .simulator
        .send_campaign("f0e1d2c3b4", spec, Some(sent_at));
    let opens = &api.read(&format!("/reports/{}", campaign.id()))["opens"];
    let last = opens["last_open"].as_str().unwrap();
    assert!(("2026-03-01T10:00:00+00:00"..="2026-03-01T12:00:00+00:00").contains(&last));
    assert!(opens["unique_opens"].as_u64().unwrap() > 150);
}

#[test]
fn an_account_that_was_not_filled_has_no_campaigns_and_says_so() {
    let api = Api::new();
    api.simulator.fill(AccountSpec::default());
    let body = api.read("/campaigns");
    assert_eq!(
        (&body["campaigns"], &body["total_items"]),
        (&json!([]), &json!(0))
    );
}

#[test]
fn content_and_feedback_belong_to_their_campaign() {
    let api = full();
    for row in rows(&api, "/campaigns?count=100", "campaigns") {
        let id = row["id"].as_str().unwrap();
        let content = api.read(&format!("/campaigns/{id}/content"));
        assert!(content["plain_text"].as_str().unwrap().contains('“'));
        assert_eq!(content.get("html").is_none(), row["type"] == "plaintext");
        for remark in rows(&api, &format!("/campaigns/{id}/feedback"), "feedback") {
            let one = api.read(&format!(
                "/campaigns/{id}/feedback/{}",
                remark["feedback_id"]
            ));
            assert_eq!(one, remark);
        }
    }
}

#[test]
fn folders_are_found_by_id() {
    let api = full();
    for kind in ["campaign-folders", "template-folders"] {
        let folders = rows(&api, &format!("/{kind}"), "folders");
        assert_eq!(folders.len(), 2);
        for folder in folders {
            let id = folder["id"].as_str().unwrap();
            assert_eq!(api.read(&format!("/{kind}/{id}")), folder);
        }
        assert_eq!(api.get(&format!("/{kind}/nothing")).status, 404);
    }
}

#[test]
fn a_campaign_can_be_deleted_between_two_pages_of_its_activity() {
    let api = full();
    let id = api.simulator.sent_campaigns()[0].clone();
    let victim = id.clone();
    api.simulator
        .on_request(When::Before, move |request, simulator| {
            if request.parameter("offset") == Some("20") {
                // Whoever asks once more finds it gone already.
                let _ = simulator.campaign(&victim).delete();
            }
        });
    let page = |offset: u32| {
        let path = format!("/reports/{id}/email-activity?count=20&offset={offset}");
        api.get(&path).status
    };
    assert_eq!((page(0), page(20), page(0)), (200, 404, 404));
    assert_eq!(api.simulator.sent_campaigns().len(), 7);
}

#[test]
fn a_draft_that_is_sent_keeps_its_creation_time_and_gets_a_report() {
    let api = full();
    let id = api.simulator.draft_campaigns()[0].clone();
    let before = api.read(&format!("/campaigns/{id}"));
    let campaign = api.simulator.campaign(&id);
    campaign.send().unwrap();
    let after = api.read(&format!("/campaigns/{id}"));
    assert_eq!(after["create_time"], before["create_time"]);
    assert_eq!(
        (&after["status"], &after["send_time"]),
        (&json!("sent"), &json!("2026-03-01T12:00:00+00:00"))
    );
    let report = api.read(&format!("/reports/{id}"));
    assert_eq!(report["emails_sent"], 40);
    assert_eq!(report["opens"]["last_open"], "2026-03-01T12:00:00+00:00");
    assert_eq!(campaign.send(), Err(Refused::Taken), "only once");
}
