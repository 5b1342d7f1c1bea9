//! Opt-outs made at Ometria, and the whole way through the engine.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use ometria_client::Consent;
use ometria_simulator::{Claim, OmetriaSimulator};
use sync_core::{
    Batch, BatchReader, Change, Cursor, Import as _, ImportId, Key, Keyed as _, MemoryStateStore,
    Outcome, Pipeline, PipelineSettings, Position, Result, Source, StateStore, Turn, shutdown,
};
use sync_ometria::{
    ConsentSettings, ContactMapping, ContactSettings, Delivery, OmetriaOptOut,
    OmetriaOptOutMapping, OmetriaOptOutSource, OmetriaSink, PushSettings, Subscriber,
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

/// An audience that a test holds in its hands.
#[derive(Clone, Default)]
struct Audience(Arc<Mutex<Vec<Subscriber>>>);

impl Audience {
    fn set(&self, members: Vec<Subscriber>) {
        *self.0.lock().unwrap() = members;
    }
}

struct Once<T>(Option<Batch<T>>);

#[async_trait]
impl<T: Send + 'static> BatchReader<T> for Once<T> {
    async fn next_batch(&mut self) -> Result<Option<Batch<T>>> {
        Ok(self.0.take())
    }
}

#[async_trait]
impl Source for Audience {
    type Record = Subscriber;

    fn name(&self) -> &'static str {
        "audience"
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn read(&self, _from: Position) -> Result<Box<dyn BatchReader<Change<Subscriber>>>> {
        let members = self
            .0
            .lock()
            .unwrap()
            .iter()
            .cloned()
            .map(Change::Present)
            .collect();
        let mut batch = Batch::of(members);
        batch.resume = Some(Cursor {
            state: serde_json::Value::Null,
            complete_until: None,
        });
        Ok(Box::new(Once(Some(batch))))
    }

    async fn fetch(&self, keys: &[Key]) -> Result<Vec<Option<Subscriber>>> {
        let members = self.0.lock().unwrap();
        Ok(keys
            .iter()
            .map(|key| members.iter().find(|m| m.key == *key).cloned())
            .collect())
    }

    fn keys(&self) -> Result<Option<Box<dyn BatchReader<Key>>>> {
        let keys = self
            .0
            .lock()
            .unwrap()
            .iter()
            .map(|member| member.key.clone())
            .collect();
        Ok(Some(Box::new(Once(Some(Batch::of(keys))))))
    }
}

fn pipeline(
    name: &str,
    audience: &Audience,
    simulator: &OmetriaSimulator,
    state: &Arc<dyn StateStore>,
    turn: &Turn,
) -> Pipeline<Subscriber, Delivery> {
    let import = ImportId::new(name);
    let settings = ConsentSettings {
        audiences: vec!["a".into(), "b".into()],
        ..ConsentSettings::default()
    };
    let mapping = ContactMapping::new(
        import.scope(),
        name,
        name,
        ContactSettings::default(),
        settings,
    );
    let client = account::client(simulator);
    let sink = OmetriaSink::new(client, &PushSettings::default(), Arc::new(())).unwrap();
    Pipeline::builder(
        import,
        Arc::new(audience.clone()),
        Arc::new(mapping.unwrap()),
        Box::new(sink),
        state.clone(),
    )
    .settings(PipelineSettings {
        sweep_interval: Some(std::time::Duration::ZERO),
        ..PipelineSettings::default()
    })
    .turn(turn.clone())
    .build()
}

#[tokio::test(start_paused = true)]
async fn two_audiences_agree_on_a_person_through_the_engine() {
    let simulator = OmetriaSimulator::new(account::settings());
    let state: Arc<dyn StateStore> = Arc::new(MemoryStateStore::new());
    let turn = Turn::default();
    let (a, b) = (Audience::default(), Audience::default());
    let mut into_a = pipeline("a", &a, &simulator, &state, &turn);
    let mut into_b = pipeline("b", &b, &simulator, &state, &turn);
    let (_handle, running) = shutdown();
    let opted_in = |simulator: &OmetriaSimulator| {
        simulator
            .profile("someone@example.com")
            .and_then(|profile| profile.marketing_optin)
    };

    // Unsubscribed in b; a, which is read afterwards, does not opt the person in.
    a.set(vec![member("subscribed", 100)]);
    b.set(vec![member("unsubscribed", 100)]);
    assert_eq!(into_b.run(&running).await.outcome, Some(Outcome::Complete));
    let run = into_a.run(&running).await;
    assert_eq!(
        (run.outcome, run.counts.accepted),
        (Some(Outcome::Complete), 1)
    );
    assert_eq!(opted_in(&simulator), Some(false));
    assert_eq!(simulator.listing("a", "k").unwrap().claim, None);

    // Nothing changed: nothing is pushed.
    let pushed = simulator.stats().pushed;
    into_a.run(&running).await;
    into_b.run(&running).await;
    assert_eq!(simulator.stats().pushed, pushed);

    // Gone from b: the opt-out stays with the address.
    b.set(Vec::new());
    assert_eq!(into_b.run(&running).await.counts.removed, 1);
    into_a.run(&running).await;
    assert_eq!(opted_in(&simulator), Some(false));

    // Gone from a too: its listing, which never claimed anything, is opted out.
    a.set(Vec::new());
    into_a.run(&running).await;
    assert_eq!(
        simulator.listing("a", "k").unwrap().claim,
        Some(Claim::OptedOut)
    );
}
