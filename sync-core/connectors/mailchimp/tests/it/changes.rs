//! The audience changes between requests; nothing is lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use fastrand::Rng;
use mailchimp_simulator::{
    AudienceHandle, AudienceSpec, DateHeader, MailchimpSimulator, Spread, Status, StatusMix, When,
};
use sync_core::{Position, Source};
use sync_mailchimp::{AudienceSettings, Notice, ReadHooks};

use crate::api::{Api, Delivered, LIST, noon};

/// What happens to audiences while somebody reads them.
fn change(audience: &AudienceHandle, rng: &mut Rng, round: usize) {
    let Some(id) = audience.nth_id(rng.usize(..2_000)) else {
        return;
    };
    // What the API refuses (a second deletion) is no change.
    let _ = match rng.u8(..12) {
        0 => audience.delete_permanently(&id),
        1 | 2 => audience.archive(&id),
        3 => audience.unarchive(&id, Status::Subscribed),
        4 => audience
            .change_address(&id, &format!("moved{round}@mail.test"))
            .map(drop),
        5 => audience
            .subscribe(&format!("new{round}@mail.test"))
            .map(drop),
        6 => {
            let first = 1_000_000 + u32::try_from(round).expect("small") * 100;
            audience
                .bulk_import(first, 30, noon() + TimeDelta::seconds(1))
                .map(drop)
        }
        _ => audience.unsubscribe(&id),
    };
}

fn spec(spread: Spread) -> AudienceSpec {
    let mut spec = AudienceSpec::new(LIST, 2_000);
    spec.spread = spread;
    spec.statuses = StatusMix::SHOP;
    spec.merge_fields.clear();
    spec
}

fn shapes() -> [Spread; 3] {
    let (from, to) = (noon() - TimeDelta::days(100), noon() - TimeDelta::days(1));
    [
        Spread::Even { from, to },
        Spread::Bursts { count: 3, from, to },
        Spread::OneSecond(from),
    ]
}

/// Changes the audience around every request, until the given flag says that it is over.
fn storm(simulator: &MailchimpSimulator, seed: u64) -> Arc<AtomicBool> {
    let over = Arc::new(AtomicBool::new(false));
    for when in [When::Before, When::After] {
        let over = over.clone();
        let state = Mutex::new((Rng::with_seed(seed), 0));
        simulator.on_request(when, move |_, simulator| {
            let mut state = state.lock().expect("no panic");
            let (rng, round) = &mut *state;
            *round += 1;
            if !over.load(Ordering::Relaxed) {
                change(&simulator.audience(LIST), rng, *round);
            }
        });
    }
    over
}

#[tokio::test(start_paused = true)]
async fn everyone_arrives_in_their_newest_state_whatever_changes_meanwhile() {
    for seed in 0..12 {
        for spread in shapes() {
            let api = Api::new(|settings| {
                settings.since_inclusive = seed % 2 == 1;
                settings.before_inclusive = seed % 4 < 2;
            });
            let audience = api.simulator.add_audience(spec(spread));
            let over = storm(&api.simulator, seed);
            let settings = AudienceSettings {
                items_per_request: 50,
                ..Default::default()
            };
            let source = api.source(settings);
            let mut delivered = Delivered::default();
            for run in 0..3 {
                over.store(run == 2, Ordering::Relaxed);
                delivered.read(&source).await;
                assert!(delivered.failures.is_empty(), "{:?}", delivered.failures);
                tokio::time::advance(Duration::from_secs(60)).await;
            }
            delivered.assert_same(&audience);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_dies_after_any_batch_goes_on_from_its_cursor() {
    for spread in shapes() {
        for dies_after in [0, 1, 3, 7, 20, 41] {
            let api = Api::new(|_| {});
            let audience = api.simulator.add_audience(spec(spread));
            let over = storm(&api.simulator, dies_after);
            let settings = AudienceSettings {
                items_per_request: 50,
                ..Default::default()
            };
            let source = api.source(settings);
            let mut delivered = Delivered::default();
            let mut reader = source.read(Position::Start).expect("a position");
            for _ in 0..dies_after {
                match reader.next_batch().await.expect("reading works") {
                    Some(batch) => delivered.take(batch),
                    None => break,
                }
            }
            drop(reader);
            for run in 0..3 {
                over.store(run == 2, Ordering::Relaxed);
                tokio::time::advance(Duration::from_secs(60)).await;
                delivered.read(&source).await;
            }
            delivered.assert_same(&audience);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_load_that_dies_does_not_start_over() {
    let api = Api::new(|_| {});
    let audience = api.simulator.add_audience(AudienceSpec::new(LIST, 20_000));
    let source = api.source(AudienceSettings {
        items_per_request: 100,
        ..Default::default()
    });
    let mut delivered = Delivered::default();
    let mut reader = source.read(Position::Start).expect("a position");
    for _ in 0..150 {
        delivered.take(
            reader
                .next_batch()
                .await
                .expect("reading works")
                .expect("a batch"),
        );
    }
    drop(reader);
    delivered.read(&source).await;
    delivered.assert_same(&audience);
    assert!(delivered.count < 21_000, "{} rows", delivered.count);
}

#[tokio::test(start_paused = true)]
async fn changes_that_become_visible_late_are_found_by_looking_back() {
    let run = async |lookback_seconds: u32| {
        let api = Api::new(|settings| settings.visibility_lag = Duration::from_secs(120));
        let audience = api.simulator.add_audience(AudienceSpec::new(LIST, 50));
        let source = api.source(AudienceSettings {
            lookback_seconds,
            ..Default::default()
        });
        let mut delivered = Delivered::default();
        tokio::time::advance(Duration::from_secs(300)).await;
        audience
            .unsubscribe(&audience.members()[7].id)
            .expect("a member");
        tokio::time::advance(Duration::from_secs(60)).await;
        delivered.read(&source).await;
        tokio::time::advance(Duration::from_secs(300)).await;
        delivered.read(&source).await;
        let late = &audience.members()[7];
        delivered.rows[&late.contact_id].last_changed() == Some(late.last_changed)
    };
    assert!(run(600).await);
    assert!(
        !run(0).await,
        "without looking back the change is lost: this test sees what it is for"
    );
}

/// Collects notices.
#[derive(Default)]
struct Notices(Mutex<Vec<Notice>>);

impl ReadHooks for Notices {
    fn on_notice(&self, list_id: &str, notice: &Notice) {
        assert_eq!(list_id, LIST);
        self.0.lock().expect("no panic").push(notice.clone());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_clock_is_in_doubt_is_read_to_the_end_and_trusted_only_as_far_as_seen() {
    let hour = TimeDelta::hours(1);
    let none = TimeDelta::zero();
    for (date, behind) in [
        (DateHeader::Missing, none),
        (DateHeader::Skewed(hour), none),
        (DateHeader::Skewed(-hour), hour),
    ] {
        let api = Api::new(|settings| settings.date_header = date);
        let audience = api.simulator.add_audience(spec(Spread::OneSecond(noon())));
        tokio::time::advance(Duration::from_secs(60)).await;
        audience
            .unsubscribe(&audience.members()[3].id)
            .expect("a member");
        tokio::time::advance(Duration::from_secs(60)).await;
        let notices = Arc::new(Notices::default());
        let source = api
            .source(AudienceSettings::default())
            .hooks(notices.clone());
        let mut delivered = Delivered::default();
        delivered.read(&source).await;
        delivered.assert_same(&audience);
        let newest = audience.members()[3].last_changed;
        let seen = newest.min(noon() + TimeDelta::seconds(120) - behind);
        let complete = delivered.complete_until();
        assert_eq!(complete, Some(seen - TimeDelta::seconds(2)), "{date:?}");
        let notices = notices.0.lock().expect("no panic").clone();
        assert!(
            matches!(notices[..], [Notice::ServerTimeDistrusted { .. }]),
            "{date:?}: {notices:?}"
        );

        audience
            .unsubscribe(&audience.members()[9].id)
            .expect("a member");
        tokio::time::advance(Duration::from_secs(60)).await;
        delivered.read(&source).await;
        delivered.assert_same(&audience);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stamp_in_the_future_hides_no_change_that_comes_before_it() {
    for date in [
        DateHeader::Right,
        DateHeader::Missing,
        DateHeader::Skewed(TimeDelta::hours(1)),
    ] {
        let api = Api::new(|settings| settings.date_header = date);
        let audience = api.simulator.add_audience(spec(Spread::OneSecond(noon())));
        tokio::time::advance(Duration::from_secs(60)).await;
        let ahead = audience.at(noon() + TimeDelta::minutes(30));
        ahead
            .unsubscribe(&audience.members()[3].id)
            .expect("a member");
        tokio::time::advance(Duration::from_secs(60)).await;
        let source = api.source(AudienceSettings {
            lookback_seconds: 0,
            ..AudienceSettings::default()
        });
        let mut delivered = Delivered::default();
        delivered.read(&source).await;
        let now = noon() + TimeDelta::seconds(120);
        assert!(delivered.complete_until() <= Some(now), "{date:?}");

        tokio::time::advance(Duration::from_secs(60)).await;
        audience
            .unsubscribe(&audience.members()[9].id)
            .expect("a member");
        for _ in 0..2 {
            tokio::time::advance(Duration::from_secs(3600)).await;
            delivered.read(&source).await;
        }
        delivered.assert_same(&audience);
    }
}

#[tokio::test(start_paused = true)]
async fn a_given_upper_bound_is_kept_to() {
    let api = Api::new(|_| {});
    let audience = api.simulator.add_audience(AudienceSpec::new(LIST, 10));
    tokio::time::advance(Duration::from_secs(60)).await;
    let until = (api.clock)();
    tokio::time::advance(Duration::from_secs(60)).await;
    audience
        .unsubscribe(&audience.members()[4].id)
        .expect("a member");
    tokio::time::advance(Duration::from_secs(60)).await;
    let settings = AudienceSettings {
        until: Some(until),
        ..Default::default()
    };
    let mut delivered = Delivered::default();
    delivered.read(&api.source(settings)).await;
    assert_eq!(
        delivered.rows.len(),
        9,
        "who changed later is left to a later run"
    );
    assert_eq!(
        delivered
            .cursor
            .clone()
            .and_then(|cursor| cursor.complete_until),
        Some(until)
    );
    delivered
        .read(&api.source(AudienceSettings::default()))
        .await;
    delivered.assert_same(&audience);
}
