//! The whole way: an audience, the engine, the sink, the simulated account.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ometria_simulator::{Claim, OmetriaSimulator};
use sync_core::{
    Batch, BatchReader, Change, Cursor, Import as _, ImportId, Key, MemoryStateStore, Outcome,
    Pipeline, PipelineSettings, Position, Result, Shutdown, Source, Turn, shutdown,
};
use sync_ometria::{
    ConsentSettings, ContactMapping, ContactSettings, Delivery, OmetriaSink, PushSettings,
    Subscriber,
};
use sync_testkit::{Fault, FaultPlan, FaultySink, FaultySource, FaultyState};

use crate::account;
use crate::ledger::{at, member};

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

/// What outlives a process.
struct Lasting {
    simulator: OmetriaSimulator,
    state: Arc<MemoryStateStore>,
    turn: Turn,
}

impl Lasting {
    fn new() -> Self {
        Self {
            simulator: OmetriaSimulator::new(account::settings()),
            state: Arc::new(MemoryStateStore::new()),
            turn: Turn::default(),
        }
    }

    /// A new process: an import that delivers this audience and fails as planned.
    fn import(
        &self,
        name: &str,
        audience: &Audience,
        plan: &FaultPlan,
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
        let client = account::client(&self.simulator);
        let sink = OmetriaSink::new(client, &PushSettings::default(), Arc::new(())).unwrap();
        Pipeline::builder(
            import,
            Arc::new(FaultySource::new(audience.clone(), plan.clone())),
            Arc::new(mapping.unwrap()),
            Box::new(FaultySink::new(sink, plan.clone())),
            Arc::new(FaultyState::new(self.state.clone(), plan.clone())),
        )
        .settings(PipelineSettings {
            sweep_interval: Some(std::time::Duration::ZERO),
            ..PipelineSettings::default()
        })
        .turn(self.turn.clone())
        .build()
    }

    /// What the account holds: collection, id, claim, forced claim, first name.
    fn listings(&self) -> Vec<String> {
        let mut shown: Vec<String> = self
            .simulator
            .listings()
            .iter()
            .map(|l| {
                let name = l.fields.get("firstname");
                format!(
                    "{} {} {:?} {:?} {name:?}",
                    l.collection, l.id, l.claim, l.forced_claim
                )
            })
            .collect();
        shown.sort();
        shown
    }
}

#[tokio::test(start_paused = true)]
async fn two_audiences_agree_on_a_person_through_the_engine() {
    let lasting = Lasting::new();
    let simulator = &lasting.simulator;
    let (a, b) = (Audience::default(), Audience::default());
    let mut into_a = lasting.import("a", &a, &FaultPlan::none());
    let mut into_b = lasting.import("b", &b, &FaultPlan::none());
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
    assert_eq!(opted_in(simulator), Some(false));
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
    assert_eq!(opted_in(simulator), Some(false));

    // Gone from a too: its listing, which never claimed anything, is opted out.
    a.set(Vec::new());
    into_a.run(&running).await;
    assert_eq!(
        simulator.listing("a", "k").unwrap().claim,
        Some(Claim::OptedOut)
    );
}

fn named(key: &str, status: &str, seconds: i64, name: &str) -> Subscriber {
    let mut member = member(status, seconds);
    member.key = Key::new(key);
    key.clone_into(&mut member.listing_id);
    member.email = format!("{key}@example.com");
    member.firstname = Some(name.to_owned());
    member
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_at_any_step_ends_like_one_that_never_failed() {
    let before = || {
        ["stays", "leaves", "archived", "renamed", "deleted"]
            .map(|key| named(key, "subscribed", 100, "first"))
            .to_vec()
    };
    let after = || {
        vec![
            named("stays", "subscribed", 100, "first"),
            named("leaves", "unsubscribed", 200, "first"),
            named("archived", "archived", 200, "first"),
            named("renamed", "subscribed", 200, "second"),
            named("new", "subscribed", 200, "first"),
            named("new-and-out", "unsubscribed", 200, "first"),
        ]
    };
    let (_handle, running) = shutdown();
    let begin = async || {
        let lasting = Lasting::new();
        let audience = Audience::default();
        audience.set(before());
        let mut import = lasting.import("a", &audience, &FaultPlan::none());
        assert_eq!(import.run(&running).await.outcome, Some(Outcome::Complete));
        audience.set(after());
        (lasting, audience)
    };

    let (lasting, audience) = begin().await;
    let plan = FaultPlan::none();
    let run = lasting.import("a", &audience, &plan).run(&running).await;
    assert_eq!(run.outcome, Some(Outcome::Complete), "{run:?}");
    let expected = lasting.listings();
    assert_eq!(expected.len(), 7);

    for (call, fault) in every_failure(&plan) {
        let (lasting, audience) = begin().await;
        fail(&lasting, &audience, &running, call, fault).await;
        let run = lasting
            .import("a", &audience, &FaultPlan::none())
            .run(&running)
            .await;
        assert_eq!(run.outcome, Some(Outcome::Complete), "{run:?}");
        assert_eq!(lasting.listings(), expected, "{fault:?} at call {call}");
    }
}

/// Each way in which each call of a run that did not fail can fail.
fn every_failure(plan: &FaultPlan) -> impl Iterator<Item = (usize, Fault)> + use<> {
    let calls = 0..plan.calls();
    calls.flat_map(|call| Fault::ALL.into_iter().map(move |fault| (call, fault)))
}

/// A process that delivers the audience and ends at this call.
async fn fail(
    lasting: &Lasting,
    audience: &Audience,
    running: &Shutdown,
    call: usize,
    fault: Fault,
) {
    let plan = FaultPlan::nth(call, fault);
    let mut failing = lasting.import("a", audience, &plan);
    tokio::select! {
        biased;
        _ = failing.run(running) => {}
        () = plan.strikes(), if matches!(fault, Fault::Never | Fault::AfterNever) => {}
    }
    assert!(plan.struck(), "call {call} was not made");
}

#[tokio::test(start_paused = true)]
async fn who_left_between_a_kill_and_the_next_run_is_not_left_opted_in() {
    // Known to the ledger before the run that fails, as their keys say; `new` is not.
    let before = ["in", "pending", "archived", "out"].map(|key| {
        let status = match key {
            "in" => "subscribed",
            "out" => "unsubscribed",
            word => word,
        };
        named(key, status, 100, "first")
    });
    let all = ["in", "pending", "archived", "out", "new"];
    let each = |status: &str, seconds, opted_in_at| -> Vec<Subscriber> {
        let member = |key: &&str| {
            let mut member = named(key, status, seconds, "first");
            member.opted_in_at = Some(at(opted_in_at));
            member
        };
        all.iter().map(member).collect()
    };
    let (_handle, running) = shutdown();
    let begin = async || {
        let lasting = Lasting::new();
        let audience = Audience::default();
        audience.set(before.to_vec());
        let mut import = lasting.import("a", &audience, &FaultPlan::none());
        assert_eq!(import.run(&running).await.outcome, Some(Outcome::Complete));
        audience.set(each("subscribed", 300, 200));
        (lasting, audience)
    };
    let (lasting, audience) = begin().await;
    let plan = FaultPlan::none();
    lasting.import("a", &audience, &plan).run(&running).await;
    let opted_in = |lasting: &Lasting| -> Vec<String> {
        let listings = lasting.simulator.listings().into_iter();
        let opted_in = listings.filter(|listing| listing.claim == Some(Claim::OptedIn));
        opted_in.map(|listing| listing.id).collect()
    };
    assert_eq!(opted_in(&lasting).len(), all.len());

    let mut had_arrived = false;
    for (call, fault) in every_failure(&plan) {
        for left in ["archived", "pending", "unsubscribed", "cleaned"] {
            let (lasting, audience) = begin().await;
            fail(&lasting, &audience, &running, call, fault).await;
            // One was opted in before.
            had_arrived |= opted_in(&lasting).len() > 1;
            audience.set(each(left, 400, 200));
            for _ in 0..2 {
                let mut import = lasting.import("a", &audience, &FaultPlan::none());
                assert_eq!(import.run(&running).await.outcome, Some(Outcome::Complete));
                let none: [String; 0] = [];
                assert_eq!(
                    opted_in(&lasting),
                    none,
                    "{left} after {fault:?} at call {call}"
                );
            }
        }
    }
    assert!(had_arrived, "no opt-in had arrived in any case");
}
