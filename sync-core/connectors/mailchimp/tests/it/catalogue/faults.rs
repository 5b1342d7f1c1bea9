//! What goes wrong while a stream is read.

use mailchimp_simulator::{AccountSpec, CampaignsSpec, Fault, Rule, When};
use sync_core::ErrorKind;

use super::{Held, source};
use crate::api::Api;

const ACTIVITY: &str = "GET /reports/{campaign_id}/email-activity";

fn account(campaigns: u32) -> Api {
    let api = Api::new(|_| {});
    api.simulator.fill(AccountSpec {
        campaigns: CampaignsSpec {
            sent: campaigns,
            ..CampaignsSpec::default()
        },
        ..AccountSpec::full()
    });
    api
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_the_role_may_not_read_ends_with_denied() {
    let api = account(5);
    api.simulator
        .faults()
        .add(Rule::new(Fault::Forbidden).on(ACTIVITY));
    let ended = Held::default().read(&source(&api, "email_activity")).await;
    assert_eq!(ended.map_err(|error| error.kind()), Err(ErrorKind::Denied));
    let others = Held::default().read(&source(&api, "click_details")).await;
    others.expect("other streams are read");
}

#[tokio::test(start_paused = true)]
async fn a_campaign_deleted_while_it_is_read_is_no_failure() {
    let api = account(30);
    let doomed = api.simulator.sent_campaigns()[17].clone();
    let id = doomed.clone();
    api.simulator
        .on_request(When::Before, move |request, simulator| {
            if request.path.ends_with("/email-activity") {
                // Deleted already, the second time.
                let _ = simulator.campaign(&id).delete();
            }
        });
    let mut held = Held::default();
    held.read(&source(&api, "email_activity"))
        .await
        .expect("reading works");
    assert!(held.failures.is_empty(), "{:?}", held.failures);
    assert_eq!(held.count("campaign_id", &doomed), 0);
    let cursor = held.cursor.expect("a cursor");
    assert!(cursor.complete_until.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_parent_that_fails_is_told_and_read_by_the_next_run() {
    // A 404 that is not the API's own is no proof that a campaign is gone.
    for fault in [
        Fault::Status5xxHtml(503),
        Fault::Status5xxHtml(404),
        Fault::Garbage,
    ] {
        let api = account(30);
        let failing = api.simulator.sent_campaigns()[3].clone();
        let below = format!("/reports/{failing}/email-activity");
        api.simulator.faults().add(Rule::new(fault).below(below));
        let mut held = Held::default();
        let activity = source(&api, "email_activity");
        for _ in 0..2 {
            held.read(&activity).await.expect("the others are read");
            assert_eq!(held.failures.len(), 1, "{:?}", held.failures);
            assert!(held.failures[0].part.contains(&failing));
            assert_eq!(held.count("campaign_id", &failing), 0);
            let cursor = held.cursor.as_ref().expect("a cursor");
            assert_eq!(cursor.complete_until, None, "not everything was read");
        }
        let other = &api.simulator.sent_campaigns()[29];
        assert!(held.count("campaign_id", other) > 0);

        api.simulator.faults().clear();
        api.simulator.reset_stats();
        held.read(&activity).await.expect("reading works");
        assert!(held.failures.is_empty());
        assert!(held.count("campaign_id", &failing) > 0);
        assert_eq!(api.simulator.stats().of(ACTIVITY), 1);
        let cursor = held.cursor.as_ref().expect("a cursor");
        assert!(cursor.complete_until.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_parent_that_always_fails_keeps_no_other_from_being_read_again() {
    let api = account(3);
    let lists = ["0000000001", "f0e1d2c3b4"];
    let below = format!("/lists/{}/segments", lists[0]);
    let rule = Rule::new(Fault::Status5xxHtml(503)).below(below);
    api.simulator.faults().add(rule);
    let segments = source(&api, "segments");
    let mut held = Held::default();
    held.read(&segments).await.expect("the other is read");
    let first = held.delivered;
    assert!(first > 0);
    for _ in 0..3 {
        held.read(&segments).await.expect("the other is read");
        assert_eq!((held.delivered, held.failures.len()), (first, 1));
    }

    // The other way round: what comes before the one that fails.
    api.simulator.faults().clear();
    let below = format!("/lists/{}/segments", lists[1]);
    let rule = Rule::new(Fault::Status5xxHtml(503)).below(below);
    api.simulator.faults().add(rule);
    for _ in 0..3 {
        api.simulator.reset_stats();
        held.read(&segments).await.expect("the other is read");
        assert_eq!(held.failures.len(), 1);
        let stats = api.simulator.stats();
        let asked = stats.of("GET /lists/{list_id}/segments");
        let refused = stats.answers.get(&503).copied().unwrap_or(0);
        assert_eq!(
            asked - refused,
            1,
            "the audience that works is read by each run"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn ten_failures_in_a_row_end_the_read() {
    let api = account(60);
    let rule = Rule::new(Fault::Status5xxJson).on(ACTIVITY);
    api.simulator.faults().add(rule);
    let mut held = Held::default();
    let ended = held.read(&source(&api, "email_activity")).await;
    assert_eq!(
        ended.map_err(|error| error.kind()),
        Err(ErrorKind::Unavailable)
    );
    assert!(held.failures.len() < 10);
    // Later all of it is there.
    api.simulator.faults().clear();
    held.read(&source(&api, "email_activity"))
        .await
        .expect("reading works");
    for campaign in api.simulator.sent_campaigns() {
        assert!(held.count("campaign_id", &campaign) > 0, "{campaign}");
    }
}

#[tokio::test(start_paused = true)]
async fn rows_without_an_id_are_told_and_rows_without_activity_are_not() {
    let api = account(4);
    for fault in [Fault::Without("id"), Fault::Null("id")] {
        api.simulator.faults().clear();
        api.simulator
            .faults()
            .add(Rule::new(fault).on("GET /templates"));
        let mut held = Held::default();
        held.read(&source(&api, "templates"))
            .await
            .expect("reading works");
        assert_eq!((held.records.len(), held.failures.len()), (0, 1));
        assert!(held.failures[0].error.to_string().contains("have no id"));
    }
    for fault in [Fault::Without("activity"), Fault::Null("activity")] {
        api.simulator.faults().clear();
        api.simulator.faults().add(Rule::new(fault).on(ACTIVITY));
        let mut held = Held::default();
        held.read(&source(&api, "email_activity"))
            .await
            .expect("reading works");
        assert_eq!((held.records.len(), held.failures.len()), (0, 0));
    }
}
