//! Opt-outs that people made at Ometria.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use ometria_client::Consent;
use ometria_simulator::OmetriaSimulator;
use sync_core::{Change, Cursor, Keyed as _, Position, Source};
use sync_ometria::{
    ConsentSettings, Delivery, OmetriaOptOut, OmetriaOptOutMapping, OmetriaOptOutSource,
};

use crate::account;
use crate::ledger::{Ledger, at, consent, mapping, member};

/// A clock of the simulated account that a test sets.
fn clocked() -> (OmetriaSimulator, Arc<Mutex<DateTime<Utc>>>) {
    let now = Arc::new(Mutex::new(at(1_000)));
    let shown = now.clone();
    let mut settings = account::settings();
    settings.now = Arc::new(move || *shown.lock().unwrap());
    (OmetriaSimulator::new(settings), now)
}

async fn read(source: &OmetriaOptOutSource, from: Position) -> (Vec<OmetriaOptOut>, Cursor) {
    let mut reader = source.read(from).unwrap();
    let (mut all, mut cursor) = (Vec::new(), None);
    while let Some(batch) = reader.next_batch().await.unwrap() {
        all.extend(batch.items.into_iter().map(|change| match change {
            Change::Present(opt_out) => opt_out,
            Change::Removed(key) => panic!("{key} was removed"),
        }));
        cursor = batch.resume;
    }
    (all, cursor.unwrap())
}

#[tokio::test(start_paused = true)]
async fn opt_outs_are_read_once_and_then_from_a_day_before_the_newest() {
    let (simulator, now) = clocked();
    let source = OmetriaOptOutSource::new(account::client(&simulator));
    source.check().await.unwrap();
    for n in 0..600 {
        simulator.set_preference(&format!("p{n}@example.com"), false);
    }
    let (all, cursor) = read(&source, Position::Start).await;
    assert_eq!(all.len(), 600);
    assert_eq!(cursor.complete_until, Some(at(1_000)));
    assert!(!format!("{all:?}").contains("example.com"));

    *now.lock().unwrap() = at(1_000) + TimeDelta::hours(30);
    simulator.set_preference("late@example.com", false);
    let (again, cursor) = read(&source, Position::Cursor(cursor)).await;
    assert_eq!(again.len(), 601, "the look-back covers a day");
    let (rest, _) = read(&source, Position::Cursor(cursor)).await;
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].key(), again[600].key());
}

#[tokio::test(start_paused = true)]
async fn an_opt_out_at_ometria_holds_back_opt_ins_that_are_not_newer() {
    let (simulator, now) = clocked();
    *now.lock().unwrap() = at(100);
    simulator.set_preference("someone@example.com", false);
    let source = OmetriaOptOutSource::new(account::client(&simulator));
    let learns = OmetriaOptOutMapping::new(&ConsentSettings::default()).unwrap();
    let mut ledger = Ledger::default();
    for opt_out in read(&source, Position::Start).await.0 {
        let sent: Vec<Delivery> = ledger.deliver(&learns, Change::Present(opt_out));
        assert_eq!(sent, []);
    }
    for (opted_in, expected) in [(99, None), (100, None), (101, Some(Consent::OptIn))] {
        let mut member = member("subscribed", 200);
        member.opted_in_at = Some(at(opted_in));
        let sent = ledger.deliver(&mapping("a"), Change::Present(member));
        assert_eq!(consent(&sent), expected, "opted in at {opted_in}");
    }
}
