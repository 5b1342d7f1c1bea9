//! The real program, killed at random moments with SIGKILL, ends like one that never was.

#![cfg(unix)]

use std::time::{Duration, Instant};

use mailchimp_simulator::{AudienceHandle, Status};
use sync_core::{Clock, SystemClock};

use crate::program::Place;
use crate::simulated::{LIST, MAILCHIMP_KEY, OMETRIA_KEY, Simulated};

/// Kills in an ordinary test run. `SYNC_KILLS=200 cargo test -p sync-cli --test it kills` makes it 200.
const KILLS: u32 = 12;

const SETTINGS: &str = "[mailchimp]\nmax_connections = 3\n[ometria]\npush_rate = 1000\n\
                        [delivery]\ncommit_records = 500\n";

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_ends_like_one_that_never_was() {
    let kills = std::env::var("SYNC_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(KILLS);
    let simulated = Simulated::with(MAILCHIMP_KEY, OMETRIA_KEY, |settings| {
        settings.latency = Duration::from_millis(30);
    })
    .await;
    let audience = simulated.audience(LIST, 6_000);
    let place = place(&simulated);

    // How long a run takes that nobody kills, on this machine now.
    let whole = {
        let undisturbed = Simulated::start().await;
        let place = self::place_with(&simulated, &undisturbed);
        let begun = Instant::now();
        place.run(&["run", LIST, "--once"]).with_code(0);
        begun.elapsed()
    };

    let mut random = fastrand::Rng::with_seed(20_261_121);
    let mut killed = 0;
    let mut window = whole;
    for _ in 0..kills {
        change_some(&audience, &mut random);
        let run = place.start(&["run", LIST, "--once"]);
        // A random moment is what is tested here, so this waits for nothing in particular.
        std::thread::sleep(window.mul_f64(random.f64()));
        run.signal("KILL");
        if run.wait().code.is_none() {
            killed += 1;
            window = window.mul_f64(1.1);
        } else {
            // What is left to do becomes less with each run.
            window = window.mul_f64(0.7);
        }
    }
    assert!(
        killed >= kills / 3,
        "only {killed} of {kills} runs were under way when they were killed"
    );

    let text = place.run(&["run", LIST, "--once"]).with_code(0);
    assert!(
        text.contains("outcome=complete") || text.contains("complete"),
        "{text}"
    );
    place.run(&["verify"]).with_code(0);

    // A fresh importer, a fresh Ometria, the same audience.
    let fresh = Simulated::start().await;
    place_with(&simulated, &fresh)
        .run(&["run", LIST, "--once"])
        .with_code(0);
    for member in audience.members() {
        let email = &member.email_address;
        let survived = simulated.ometria.profile(email);
        let expected = fresh.ometria.profile(email);
        let consent = |profile: &Option<ometria_simulator::ProfileView>| {
            profile.as_ref().and_then(|profile| profile.marketing_optin)
        };
        if member.status == Status::Archived {
            // Archiving hides what the member was before, so only the importer that saw it knows of an opt-out.
            assert_ne!(
                consent(&survived),
                Some(true),
                "member {}",
                member.contact_id
            );
        } else {
            assert_eq!(
                consent(&survived),
                consent(&expected),
                "member {}",
                member.contact_id
            );
        }
        let name = |profile: &Option<ometria_simulator::ProfileView>| {
            profile
                .as_ref()
                .and_then(|profile| profile.fields.get("firstname").cloned())
        };
        assert_eq!(
            name(&survived),
            name(&expected),
            "member {}",
            member.contact_id
        );
        if member.status == Status::Unsubscribed {
            let opted_in = simulated.ometria.consent_history(email);
            assert_eq!(
                opted_in.last().and_then(|change| change.profile),
                Some(false)
            );
        }
    }
}

fn place(simulated: &Simulated) -> Place {
    place_with(simulated, simulated)
}

/// Leads to one's Mailchimp and the other's Ometria.
fn place_with(mailchimp: &Simulated, ometria: &Simulated) -> Place {
    let mut place = mailchimp.place();
    place.set("OMETRIA_BASE_URL", ometria.ometria_url());
    place.write("sync.toml", SETTINGS);
    place
}

/// A few people change, a minute ago: within the look-back, and before any run's upper bound.
fn change_some(audience: &AudienceHandle, random: &mut fastrand::Rng) {
    let members = audience.members();
    let minute_ago = SystemClock.now() - chrono::TimeDelta::minutes(1);
    for _ in 0..20 {
        let member = &members[random.usize(..members.len())];
        let change = audience.at(minute_ago);
        // A change that the API refuses, such as one of an archived member, is no change.
        let _ = match random.u8(..4) {
            0 => change.unsubscribe(&member.id),
            1 => change.archive(&member.id),
            2 => change.set_merge_field(&member.id, "FNAME", format!("Name{}", random.u16(..))),
            _ => change
                .subscribe(&format!("new{}@mail.test", random.u64(..)))
                .map(drop),
        };
    }
}
