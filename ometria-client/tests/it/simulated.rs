//! Client and simulator together: what one means the other understands.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use ometria_client::{
    Client, Consent, Contact, ListProfiles, MarketingOptin, OperatorForcedOptIn, PushLimits,
    Record, prepare,
};
use ometria_simulator::{
    ErrorShape, Fault, FaultRule, LookUp, OmetriaSimulator, Rejected, Rejection, Settings, When,
};
use tokio::time::Instant;

use crate::transports::{KEY, Simulated, client};

/// A simulator whose clock is tokio's.
fn simulator(change: impl FnOnce(&mut Settings)) -> OmetriaSimulator {
    let start = Instant::now();
    let noon: chrono::DateTime<chrono::Utc> = "2024-05-01T12:00:00Z".parse().unwrap();
    let mut settings = Settings::new(KEY, Arc::new(move || noon + start.elapsed()));
    change(&mut settings);
    OmetriaSimulator::new(settings)
}

fn connect(simulator: &OmetriaSimulator) -> Client {
    client(Arc::new(Simulated(simulator.clone())))
}

fn contacts(count: usize) -> Vec<Record> {
    (0..count)
        .map(|i| {
            Contact::new("mailchimp:a1", i.to_string())
                .email(format!("{i}@x.example"))
                .consent(if i % 3 == 0 {
                    Consent::ForcedOptOut
                } else {
                    Consent::OptIn
                })
                .into()
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_contacts_arrive_within_the_rate_and_can_be_read_back() {
    let simulator = simulator(|settings| {
        settings.push_rate = Some(8);
        settings.read_rate = Some(4);
        settings.latency = Duration::from_millis(120);
    });
    let client = connect(&simulator);
    let records = contacts(1_050);
    let prepared = prepare(&records, &PushLimits::default());
    for batch in &prepared.batches {
        assert!(client.push(batch).await.unwrap().confirms(batch.len()));
    }
    assert_eq!(simulator.listing_count(), 1_050);
    assert_eq!(simulator.stats().answers.get(&429), None);
    let listings: Vec<_> = client
        .listings_stream("mailchimp:a1")
        .try_collect()
        .await
        .unwrap();
    assert_eq!(listings.len(), 1_050);
    let profiles: Vec<_> = client
        .profiles_stream(ListProfiles::default())
        .try_collect()
        .await
        .unwrap();
    let opted_out = profiles
        .iter()
        .filter(|profile| profile.marketing_optin() == MarketingOptin::OptedOut)
        .count();
    assert_eq!((profiles.len(), opted_out), (1_050, 350));
}

#[tokio::test(start_paused = true)]
async fn a_crossed_rate_is_waited_out() {
    let simulator = simulator(|settings| settings.push_rate = Some(3));
    let client = connect(&simulator);
    for batch in &prepare(&contacts(3_000), &PushLimits::default()).batches {
        client.push(batch).await.unwrap();
    }
    assert_eq!(simulator.listing_count(), 3_000);
    assert!(simulator.stats().answers[&429] > 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_waited_out() {
    let simulator = simulator(|settings| {
        settings.backlog_limit = 500;
        settings.drain_rate = Some(20);
    });
    let client = connect(&simulator);
    for batch in &prepare(&contacts(2_000), &PushLimits::default()).batches {
        client.push(batch).await.unwrap();
    }
    simulator.drain();
    assert_eq!(simulator.listing_count(), 2_000);
}

#[tokio::test(start_paused = true)]
async fn random_faults_lose_and_invent_nothing() {
    for seed in 0..5 {
        let simulator = simulator(|settings| settings.seed = seed);
        for fault in [
            Fault::html(503),
            Fault::Reset,
            Fault::ReplyLost,
            Fault::Hang,
            Fault::QueueFull,
        ] {
            simulator.inject(FaultRule::new(fault, When::Randomly(0.06)));
        }
        let client = connect(&simulator);
        for batch in &prepare(&contacts(4_000), &PushLimits::default()).batches {
            assert!(client.push(batch).await.unwrap().confirms(batch.len()));
        }
        assert_eq!(simulator.listing_count(), 4_000, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn late_rejections_are_found_by_request_and_record() {
    let simulator = simulator(|settings| settings.error_shape = ErrorShape::Long);
    simulator.reject(Rejected::Ids(vec!["2".into()]), Rejection::Late);
    let client = connect(&simulator);
    let receipt = client.push_records(contacts(4)).await.unwrap();
    assert!(receipt.confirms(4));
    let errors = client.push_errors().await.unwrap();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].request_id(), receipt.request_id.as_deref());
    assert_eq!(errors[0].record_id(), Some("2"));
    assert_eq!(errors[0].collection(), Some("mailchimp:a1"));
    assert!(client.listing("mailchimp:a1", "2").await.unwrap().is_none());
    assert!(client.listing("mailchimp:a1", "1").await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_rejection_at_once_is_in_the_receipt() {
    for listed in [false, true] {
        let simulator = simulator(|settings| settings.list_rejected_items = listed);
        simulator.reject(Rejected::Ids(vec!["2".into()]), Rejection::AtOnce);
        let receipt = connect(&simulator).push_records(contacts(4)).await.unwrap();
        assert_eq!((receipt.accepted, receipt.rejected), (Some(3), Some(1)));
        assert_eq!(receipt.rejected_items.len(), usize::from(listed));
        assert!(!receipt.confirms(4));
    }
}

#[tokio::test(start_paused = true)]
async fn an_ordinary_opt_in_never_lifts_an_opt_out_and_the_operators_does() {
    for look_up in [LookUp::Array, LookUp::Object] {
        let simulator = simulator(|settings| settings.look_up = look_up);
        let client = connect(&simulator);
        let person = |id: &str| Contact::new("c", id).email("p@x.example");
        let optin = async |record: Record| {
            client.push_records(vec![record]).await.unwrap();
            client
                .profile_by_email("P@x.example")
                .await
                .unwrap()
                .unwrap()
                .marketing_optin()
        };
        let forced_out = person("1").consent(Consent::ForcedOptOut);
        assert_eq!(optin(forced_out.into()).await, MarketingOptin::OptedOut);
        for id in ["1", "2"] {
            let again = person(id).consent(Consent::OptIn);
            assert_eq!(optin(again.into()).await, MarketingOptin::OptedOut);
        }
        let repaired = OperatorForcedOptIn::overriding_every_opt_out(person("1"));
        assert_eq!(optin(repaired.into()).await, MarketingOptin::OptedIn);
        assert!(
            client
                .profile_by_email("nobody@x.example")
                .await
                .unwrap()
                .is_none()
        );
    }
}
