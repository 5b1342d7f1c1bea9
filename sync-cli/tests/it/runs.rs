//! One pass, from the command line to both APIs.

use mailchimp_simulator::{AudienceSpec, Fault, MergeFieldKind, MergeFieldSpec, Rule, Status};
use ometria_simulator::{Rejected, Rejection};

use crate::simulated::{LIST, OMETRIA_KEY, Simulated};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_run_delivers_everybody_and_the_second_nobody() {
    let simulated = Simulated::start().await;
    let audience = simulated.audience(LIST, 2_500);
    let place = simulated.place();

    let first = place.run(&["run", LIST, "--once"]);
    assert!(first.with_code(0).contains("complete"));
    for member in audience.members() {
        let optin = simulated
            .ometria
            .profile(&member.email_address)
            .and_then(|profile| profile.marketing_optin);
        match member.status {
            Status::Subscribed => assert_eq!(optin, Some(true)),
            Status::Unsubscribed => assert_eq!(optin, Some(false)),
            _ => assert_ne!(optin, Some(true)),
        }
    }

    simulated.mailchimp.reset_stats();
    let pushed = simulated.ometria.pushed();
    place.run(&["run", "--once"]).with_code(0);
    assert_eq!(
        simulated.ometria.pushed(),
        pushed,
        "nothing changed, so nothing is sent"
    );
    let requests = simulated.mailchimp.stats();
    assert!(requests.total() <= 4, "{:?}", requests.requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_list_in_dot_env_are_enough() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 120);
    let mut place = simulated.place();
    let key = crate::simulated::MAILCHIMP_KEY;
    place.unset("MAILCHIMP_API_KEY").unset("OMETRIA_API_KEY");
    place.write(
        ".env",
        &format!(
            "MAILCHIMP_API_KEY={key}\nOMETRIA_API_KEY={OMETRIA_KEY}\nMAILCHIMP_LIST_ID={LIST}\n"
        ),
    );
    place.run(&["run", "--once"]).with_code(0);
    assert_eq!(simulated.ometria.listing_count(), 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_need_no_ometria_account() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 150);
    let mut place = simulated.place();
    place.unset("OMETRIA_API_KEY");

    let ended = place.run(&["run", LIST, "--once", "--sink", "jsonl:-"]);
    ended.with_code(0);
    assert_eq!(
        ended.stdout.lines().count(),
        150,
        "standard output holds records only"
    );
    for line in ended.stdout.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(record["data"]["status"].is_string());
    }
    assert!(
        ended.stderr.contains("complete"),
        "the summary stands beside them"
    );

    place
        .run(&[
            "--state",
            "other",
            "run",
            LIST,
            "--once",
            "--sink",
            "jsonl:out",
        ])
        .with_code(0);
    assert_eq!(
        place
            .read(&format!("out/members-{LIST}.jsonl"))
            .lines()
            .count(),
        150
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_reads_no_more_and_a_later_run_goes_on() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 300);
    let place = simulated.place();
    let text = place
        .run(&["run", LIST, "--once", "--limit", "40"])
        .with_code(0);
    assert!(text.contains("limited"), "{text}");
    assert_eq!(simulated.ometria.pushed(), 40);
    place.run(&["run", "--once"]).with_code(0);
    assert_eq!(simulated.ometria.listing_count(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_profile_sends_every_status_as_it_is() {
    let simulated = Simulated::start().await;
    let audience = simulated.audience(LIST, 700);
    let mut place = simulated.place();
    place
        .set("OMETRIA_PROFILE", "record")
        .set("OMETRIA_BASE_URL", simulated.record_url());
    place.write("sync.toml", "[mapping]\nid = \"member_id\"\n");
    place.run(&["run", LIST, "--once"]).with_code(0);
    assert_eq!(simulated.ometria.row_count(), 700);
    for member in audience.members() {
        let row = simulated.ometria.row(&member.id).unwrap();
        assert_eq!(row["status"], member.status.as_str());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_records_are_listed_replayed_and_forgotten() {
    let simulated = Simulated::start().await;
    let audience = simulated.audience(LIST, 200);
    let place = simulated.place();
    let refused = audience
        .members()
        .into_iter()
        .take(3)
        .map(|member| member.contact_id)
        .collect();
    simulated
        .ometria
        .reject(Rejected::Ids(refused), Rejection::AtOnce);
    let text = place.run(&["run", LIST, "--once"]).with_code(3);
    assert!(text.contains("partial"), "{text}");

    let listed = place.run(&["failures", "--json"]);
    listed.with_code(0);
    let waiting: Vec<serde_json::Value> = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(waiting.len(), 3);
    let key = waiting[0]["key"].as_str().unwrap();

    simulated.ometria.heal();
    place.run(&["replay", key]).with_code(0);
    let listed = place.run(&["failures", "--json"]);
    assert!(
        !listed.stdout.contains(key),
        "a delivered record leaves the list"
    );
    place.run(&["replay"]).with_code(0);
    assert!(
        place
            .run(&["failures"])
            .with_code(0)
            .contains("no rejected records")
    );
    place.run(&["replay", "no-such-key"]).with_code(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_wrong_keys_and_missing_audiences_from_an_outage() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 10);
    let mut place = simulated.place();
    assert!(place.run(&["check", LIST]).with_code(0).contains("good"));
    assert!(
        !place.path().join("state").exists(),
        "a check leaves no trace"
    );

    let text = place.run(&["check", "0000000000"]).with_code(2);
    assert!(text.contains("0000000000"), "{text}");
    place.set("OMETRIA_API_KEY", "wrong");
    place.run(&["check", LIST]).with_code(2);
    place
        .set("OMETRIA_API_KEY", OMETRIA_KEY)
        .set("MAILCHIMP_API_KEY", "wrong-us6");
    place.run(&["check", LIST]).with_code(2);
    place.run(&["run", LIST, "--once"]).with_code(2);

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/3.0", nobody.local_addr().unwrap());
    drop(nobody);
    place.set("MAILCHIMP_BASE_URL", url);
    let text = place.run(&["check", LIST]).with_code(1);
    assert!(text.contains("try again later"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_says_whether_both_ends_agree() {
    let simulated = Simulated::start().await;
    let audience = simulated.audience(LIST, 120);
    let place = simulated.place();
    place.run(&["run", LIST, "--once"]).with_code(0);
    assert!(place.run(&["verify"]).with_code(0).contains("agrees"));

    let member = &audience.members()[0];
    audience
        .at(chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_200))
        .set_merge_field(&member.id, "FNAME", "Changed")
        .unwrap();
    let pushed = simulated.ometria.pushed();
    let ended = place.run(&["verify", "--json"]);
    ended.with_code(3);
    let found: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(found[0]["stale"], 1, "{found}");
    assert_eq!(simulated.ometria.pushed(), pushed, "verify sends nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_cannot_be_read_leaves_the_others_alone_and_is_read_first_later() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 300);
    simulated.mailchimp.faults().add(
        Rule::new(Fault::Status5xxHtml(400))
            .on("GET /lists/{list_id}/members")
            .when(|request| request.parameter("status") == Some("archived")),
    );
    let place = simulated.place();
    let text = place.run(&["run", LIST, "--once"]).with_code(3);
    assert!(
        text.contains("partial") && text.contains("window could not be read"),
        "{text}"
    );
    let listings = simulated.ometria.listing_count();
    assert!(
        listings > 200 && listings < 300,
        "{listings} of 300 were delivered"
    );

    simulated.mailchimp.faults().clear();
    place.run(&["run", "--once"]).with_code(0);
    assert_eq!(simulated.ometria.listing_count(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_uses_the_accounts_that_its_entry_names() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 40);
    let mut place = simulated.place();
    place.unset("MAILCHIMP_API_KEY").unset("MAILCHIMP_BASE_URL");
    place.unset("OMETRIA_API_KEY").unset("OMETRIA_BASE_URL");
    place
        .set("MAILCHIMP_API_KEY_BRAND", crate::simulated::MAILCHIMP_KEY)
        .set("MAILCHIMP_BASE_URL_BRAND", simulated.mailchimp_url())
        .set("OMETRIA_API_KEY_SHOP", OMETRIA_KEY)
        .set("OMETRIA_BASE_URL_SHOP", simulated.ometria_url());
    std::fs::create_dir(place.path().join("state")).unwrap();
    let entry = format!(
        "[{{\"list_id\": \"{LIST}\", \"account\": \"brand\", \"sink\": \"ometria:shop\"}}]"
    );
    place.write("state/state.json", &entry);
    place.run(&["run", "--once"]).with_code(0);
    assert_eq!(simulated.ometria.listing_count(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_import_rests() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 40);
    let place = simulated.place();
    std::fs::create_dir(place.path().join("state")).unwrap();
    place.write(
        "state/state.json",
        &format!("[{{\"list_id\": \"{LIST}\", \"paused\": true}}]"),
    );
    assert!(
        place
            .run(&["run", "--once"])
            .with_code(0)
            .contains("paused")
    );
    assert_eq!(simulated.ometria.pushed(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_and_strangest_members_arrive_and_a_useless_one_is_named() {
    let simulated = Simulated::start().await;
    let mut spec = AudienceSpec::new(LIST, 20);
    // As many merge fields as an audience can have, and one as long as its value can be.
    spec.merge_fields = (0..80)
        .map(|n| {
            let tag = if n == 0 {
                "FNAME".to_owned()
            } else {
                format!("F{n}")
            };
            MergeFieldSpec::new(tag, format!("Feld \u{1F600} {n}"), MergeFieldKind::Text)
        })
        .collect();
    let audience = simulated.mailchimp.add_audience(spec);
    let long_ago = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_500);
    let members = audience.members();
    let longest = "\u{e9}".repeat(127) + "x";
    audience
        .at(long_ago)
        .set_merge_field(&members[0].id, "FNAME", longest.as_str())
        .unwrap();
    let name = "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467} \u{202E}\u{5F20}\u{4F1F}";
    audience
        .at(long_ago)
        .set_merge_field(&members[1].id, "FNAME", name)
        .unwrap();
    audience
        .at(long_ago)
        .subscribe("j\u{f6}rg@b\u{fc}cher.test")
        .unwrap();
    audience
        .at(long_ago)
        .subscribe("no address at all")
        .unwrap();

    let place = simulated.place();
    place.run(&["run", LIST, "--once"]).with_code(3);
    let first_name = |address: &str| {
        let profile = simulated.ometria.profile(address).unwrap();
        profile.fields["firstname"].as_str().unwrap().to_owned()
    };
    assert_eq!(first_name(&members[0].email_address), longest);
    assert_eq!(first_name(&members[1].email_address), name);
    assert!(
        simulated
            .ometria
            .profile("j\u{f6}rg@b\u{fc}cher.test")
            .is_some()
    );
    assert_eq!(simulated.ometria.listing_count(), 21);
    let failures = place.run(&["failures"]).with_code(0);
    assert!(
        failures.contains("email: empty or not an address"),
        "{failures}"
    );
    assert!(
        !failures.contains("no address at all"),
        "the value itself is nobody's business"
    );
}
