//! Several audiences, one Ometria account: an opt-out anywhere holds back opt-ins everywhere.

use mailchimp_simulator::{AudienceSpec, Fault, Rule, Spread};
use sync_core::{Clock, SystemClock};

use crate::simulated::{LIST, Simulated};

const OTHER: &str = "bbbbbbbbbb";

/// Two audiences of the same people, all subscribed.
fn two_audiences(simulated: &Simulated) -> [mailchimp_simulator::AudienceHandle; 2] {
    [LIST, OTHER].map(|list_id| {
        simulated
            .mailchimp
            .add_audience(AudienceSpec::new(list_id, 100))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_opted_in_who_opted_out_in_another_audience() {
    let simulated = Simulated::start().await;
    let [_, other] = two_audiences(&simulated);
    let person = other.members()[7].clone();
    let long_ago = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_500);
    other.at(long_ago).unsubscribe(&person.id).unwrap();

    let place = simulated.place();
    place.run(&["run", LIST, OTHER, "--once"]).with_code(0);
    let history = simulated.ometria.consent_history(&person.email_address);
    assert!(!history.is_empty());
    assert!(
        history.iter().all(|change| change.profile != Some(true)),
        "opted in at some instant: {history:?}"
    );
    let opted_in = |email: &str| {
        simulated
            .ometria
            .profile(email)
            .and_then(|profile| profile.marketing_optin)
            == Some(true)
    };
    assert!(
        other
            .members()
            .iter()
            .filter(|member| member.id != person.id)
            .all(|member| opted_in(&member.email_address))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_other_audiences_opt_outs_nobody_is_opted_in() {
    let simulated = Simulated::start().await;
    two_audiences(&simulated);
    simulated.mailchimp.faults().add(
        Rule::new(Fault::Status5xxHtml(400))
            .on("GET /lists/{list_id}/members")
            .when(|request| {
                request.path.contains(OTHER) && request.parameter("status") == Some("unsubscribed")
            }),
    );
    let place = simulated.place();
    let ended = place.run(&["run", LIST, OTHER, "--once"]);
    let text = ended.with_code(1);
    assert!(
        text.contains(&format!("opt-outs of audience {OTHER} are not known")),
        "{text}"
    );
    assert_eq!(simulated.ometria.pushed(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audience_alone_costs_no_pass_for_opt_outs() {
    let simulated = Simulated::start().await;
    let mut spec = AudienceSpec::new(LIST, 50);
    spec.spread = Spread::OneSecond(chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_500));
    simulated.mailchimp.add_audience(spec);
    let place = simulated.place();
    place.run(&["run", LIST, "--once"]).with_code(0);
    let history = place.run(&["history", "--all", "--json"]);
    assert!(!history.stdout.contains(":optouts"), "{}", history.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audience_that_joins_later_brings_its_opt_outs_first() {
    let simulated = Simulated::start().await;
    let [first, other] = two_audiences(&simulated);
    let person = other.members()[7].clone();
    let long_ago = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_500);
    other.at(long_ago).unsubscribe(&person.id).unwrap();
    let place = simulated.place();
    std::fs::create_dir(place.path().join("state")).unwrap();
    place.write(
        "state/state.json",
        &format!("[{{\"list_id\": \"{LIST}\"}}]"),
    );
    let mut service = place.start(&["run"]);
    service.line_with("run finished");
    let opted_in = |email: &str| {
        simulated
            .ometria
            .profile(email)
            .and_then(|profile| profile.marketing_optin)
    };
    assert_eq!(
        opted_in(&person.email_address),
        Some(true),
        "nobody knew better"
    );

    // Meanwhile the person edits something in the audience that is known already.
    let just_now = SystemClock.now() - chrono::TimeDelta::minutes(1);
    first
        .at(just_now)
        .set_merge_field(&person.id, "FNAME", "Edited")
        .unwrap();
    let both = format!("[{{\"list_id\": \"{LIST}\"}}, {{\"list_id\": \"{OTHER}\"}}]");
    place.write("state/state.json", &both);
    service.line_with(&format!("run finished import={OTHER} run"));
    assert_eq!(opted_in(&person.email_address), Some(false));
    place.write("state/controller.quit", "");
    service.wait().with_code(0);
    let pushed_in_again = simulated
        .ometria
        .consent_history(&person.email_address)
        .iter()
        .skip_while(|change| change.profile != Some(false))
        .any(|change| change.profile == Some(true));
    assert!(!pushed_in_again, "an opt-out stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_hour_of_several_audiences_costs_four_requests_each() {
    let simulated = Simulated::start().await;
    two_audiences(&simulated);
    let place = simulated.place();
    place.run(&["run", LIST, OTHER, "--once"]).with_code(0);
    simulated.mailchimp.reset_stats();
    let pushed = simulated.ometria.pushed();
    place.run(&["run", LIST, OTHER, "--once"]).with_code(0);
    let stats = simulated.mailchimp.stats();
    // The preflight that the pass over opt-outs makes serves the read after it.
    assert!(stats.total() <= 8, "{:?}", stats.requests);
    assert_eq!(simulated.ometria.pushed(), pushed);
}
