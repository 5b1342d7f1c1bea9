//! Email activity by batches while everything goes wrong at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailchimp_simulator::{Fault, Rule, When};
use sync_core::Source;

use super::Held;
use super::batches::{ACTIVITY, ASKED, DAY, FETCHED, SENT, account, activity, held_by_pages};

#[tokio::test(start_paused = true)]
async fn whatever_fails_changes_and_dies_everything_arrives() {
    for seed in 0..24 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let recipients = if seed % 4 == 0 { 1_100 } else { 60 };
        let api = account(if seed % 4 == 0 { 5 } else { 24 }, recipients);
        let faults = [
            Rule::new(Fault::Status5xxJson).in_batches().chance(0.1),
            Rule::new(Fault::NotFound).on(ASKED).chance(0.05),
            Rule::new(Fault::Status5xxHtml(502)).on(SENT).chance(0.2),
            Rule::new(Fault::CutBody).on(FETCHED).chance(0.4),
            Rule::new(Fault::Status5xxHtml(503))
                .on(ACTIVITY)
                .chance(0.3),
        ];
        for rule in faults {
            if rng.bool() {
                api.simulator.faults().add(rule);
            }
        }
        let changes = Mutex::new(rng.fork());
        let frozen = Arc::new(AtomicBool::new(false));
        let is_frozen = frozen.clone();
        api.simulator.on_request(When::After, move |_, simulator| {
            let mut rng = changes.lock().expect("no panic");
            if is_frozen.load(Ordering::Relaxed) || rng.u8(..4) > 0 {
                return;
            }
            let campaigns = simulator.sent_campaigns();
            let campaign = simulator.campaign(&campaigns[rng.usize(..campaigns.len())]);
            if let Some(reader) = campaign.recipient(rng.u32(..recipients)) {
                // Somebody whose mail bounced opens nothing.
                let _ = campaign.open(&reader);
            }
        });
        let mut held = Held::default();
        for _ in 0..6 {
            let cut = activity(&api);
            let mut reader = cut.read(held.position()).expect("a position");
            for _ in 0..rng.usize(..12) {
                match held.take(&mut *reader).await {
                    Ok(true) => {}
                    Ok(false) | Err(_) => break,
                }
            }
            drop(reader);
            tokio::time::sleep(Duration::from_secs(rng.u64(..4_000))).await;
        }
        frozen.store(true, Ordering::Relaxed);
        api.simulator.faults().clear();
        for _ in 0..2 {
            tokio::time::sleep(DAY).await;
            held.read(&activity(&api)).await.expect("reading works");
        }
        let pages = held_by_pages(&api).await;
        assert!(held.failures.is_empty(), "{:?}", held.failures);
        for (key, record) in &pages.records {
            assert_eq!(held.records.get(key), Some(record), "seed {seed}");
        }
        assert_eq!(held.records.len(), pages.records.len(), "seed {seed}");
    }
}
