//! The whole importer inside a service of one's own.
//!
//!     cargo run -p sync-examples --example embed
//!
//! Both APIs are simulated on loopback addresses. With real keys, leave the base URLs out: the ten lines of
//! [`the_importer`] are all it takes.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::path::Path;
use std::sync::Arc;

use anyhow::ensure;
use loopback::Server;
use mailchimp_simulator::{AudienceSpec, MailchimpSimulator, StatusMix};
use ometria_simulator::OmetriaSimulator;
use sync_cli::{Config, Importer, MailchimpAccount, OmetriaAccount};
use sync_core::{Clock, Event, Observer, Outcome, RunContext, Shutdown, SystemClock};

/// Ten lines from settings to an importer. `run_once` makes one pass, `serve` runs on a schedule until told to stop.
async fn the_importer(
    state: &Path,
    mailchimp: MailchimpAccount,
    ometria: OmetriaAccount,
) -> sync_core::Result<Importer> {
    let config = Config::new(state)
        .with_mailchimp(mailchimp)
        .with_ometria(ometria)
        .with_audiences(["57afe96172"]);
    Importer::builder(config)
        .observer(Arc::new(Commits))
        .build()
        .await
}

/// What the service hears: here only commits, on their way to its own metrics.
struct Commits;

impl Observer for Commits {
    fn on_event(&self, run: &RunContext, event: &Event<'_>) {
        if let Event::Committed { accepted, .. } = event {
            println!(
                "import {}: {accepted} more members are safe in Ometria",
                run.import
            );
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let now = Arc::new(|| SystemClock.now());
    let mailchimp = MailchimpSimulator::new(mailchimp_simulator::Settings::new(
        "simulated-us6",
        now.clone(),
    ));
    mailchimp.add_audience(AudienceSpec {
        statuses: StatusMix::SHOP,
        ..AudienceSpec::new("57afe96172", 1_500)
    });
    let ometria = OmetriaSimulator::new(ometria_simulator::Settings::new("simulated", now));
    let mailchimp = Server::start(Arc::new(mailchimp), ([127, 0, 0, 1], 0).into()).await?;
    let ometria_server =
        Server::start(Arc::new(ometria.clone()), ([127, 0, 0, 1], 0).into()).await?;

    let state = tempfile::tempdir()?;
    let importer = the_importer(
        state.path(),
        MailchimpAccount::new("simulated-us6")
            .with_base_url(format!("{}/3.0", mailchimp.url()).parse()?),
        OmetriaAccount::new("simulated")
            .with_base_url(format!("{}/v2", ometria_server.url()).parse()?),
    )
    .await?;
    for run in importer.run_once(&Shutdown::never()).await? {
        println!(
            "import {}: {:?}, {} records accepted",
            run.import, run.outcome, run.counts.accepted
        );
        ensure!(run.outcome == Some(Outcome::Complete), "{:?}", run.error);
    }
    ensure!(
        ometria.listing_count() == 1_500,
        "every member should have arrived"
    );
    Ok(())
}
