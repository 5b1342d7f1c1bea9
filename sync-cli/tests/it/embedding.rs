//! The importer as a library.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sync_cli::{Config, Importer, MailchimpAccount, OmetriaAccount, parse_base_url};
use sync_core::{Event, Observer, Outcome, RunContext, Shutdown};

use crate::simulated::{LIST, MAILCHIMP_KEY, OMETRIA_KEY, Simulated};

/// Counts what it hears.
#[derive(Default)]
struct Accepted(AtomicU64);

impl Observer for Accepted {
    fn on_event(&self, _run: &RunContext, event: &Event<'_>) {
        if let Event::Committed { accepted, .. } = event {
            self.0.fetch_add(*accepted, Ordering::Relaxed);
        }
    }
}

fn config(simulated: &Simulated, state: &std::path::Path) -> Config {
    let url = |text: String| parse_base_url(&text).unwrap();
    let mailchimp = url(simulated.mailchimp_url());
    let ometria = url(simulated.ometria_url());
    Config::new(state)
        .with_mailchimp(MailchimpAccount::new(MAILCHIMP_KEY).with_base_url(mailchimp))
        .with_ometria(OmetriaAccount::new(OMETRIA_KEY).with_base_url(ometria))
        .with_audiences([LIST])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_of_its_own_runs_once_and_hears_of_it() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 80);
    let state = tempfile::tempdir().unwrap();
    let accepted = Arc::new(Accepted::default());
    let importer = Importer::builder(config(&simulated, state.path()))
        .observer(accepted.clone())
        .build()
        .await
        .unwrap();
    let records = importer.run_once(&Shutdown::never()).await.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].outcome, Some(Outcome::Complete));
    assert_eq!(accepted.0.load(Ordering::Relaxed), 80);
    assert_eq!(simulated.ometria.listing_count(), 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_runs_in_a_task_until_it_is_told_to_stop() {
    let simulated = Simulated::start().await;
    simulated.audience(LIST, 80);
    let state = tempfile::tempdir().unwrap();
    let (stop, stopped) = sync_core::shutdown();
    let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let observer = move |event: &Event<'_>| {
        if let Event::Finished(record) = event {
            let _ = said.send(record.outcome);
        }
    };
    let importer = Importer::builder(config(&simulated, state.path()))
        .observer(Arc::new(Heard(observer)))
        .build()
        .await
        .unwrap();
    let service = tokio::spawn(async move { importer.serve(&stopped).await });
    assert_eq!(heard.recv().await, Some(Some(Outcome::Complete)));
    stop.request();
    let served = service.await.unwrap().unwrap();
    assert_eq!((served.runs, served.failed, served.accepted), (1, 0, 80));
}

/// An observer made of a function.
struct Heard<F>(F);

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for Heard<F> {
    fn on_event(&self, _run: &RunContext, event: &Event<'_>) {
        (self.0)(event);
    }
}
