//! The two clients alone, without the engine: read the people who left an audience, tell Ometria.
//!
//!     cargo run -p sync-examples --example clients
//!
//! Both APIs are simulated on loopback addresses. With real keys, leave `base_url` out.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::pin::pin;
use std::sync::Arc;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use loopback::Server;
use mailchimp_client::{ListMembers, MemberStatus};
use mailchimp_simulator::{AudienceSpec, MailchimpSimulator, StatusMix};
use ometria_client::{ApiKey, Consent, Contact, Record};
use ometria_simulator::OmetriaSimulator;

const MAILCHIMP_KEY: &str = "simulated-us6";
const OMETRIA_KEY: &str = "simulated";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let noon: DateTime<Utc> = "2026-03-01T12:00:00Z".parse()?;
    let now = Arc::new(move || noon);
    let mailchimp = MailchimpSimulator::new(mailchimp_simulator::Settings::new(
        MAILCHIMP_KEY,
        now.clone(),
    ));
    mailchimp.add_audience(AudienceSpec {
        statuses: StatusMix::SHOP,
        ..AudienceSpec::new("57afe96172", 2_500)
    });
    let ometria = OmetriaSimulator::new(ometria_simulator::Settings::new(OMETRIA_KEY, now));
    let mailchimp = Server::start(Arc::new(mailchimp), ([127, 0, 0, 1], 0).into()).await?;
    let ometria_server =
        Server::start(Arc::new(ometria.clone()), ([127, 0, 0, 1], 0).into()).await?;

    let source = mailchimp_client::Client::builder(MAILCHIMP_KEY)
        .base_url(format!("{}/3.0", mailchimp.url()).parse()?)
        .build()?;
    let target = ometria_client::Client::builder(ApiKey::new(OMETRIA_KEY)?)
        .base_url(format!("{}/v2", ometria_server.url()).parse()?)
        .build()?;

    let list = source.list("57afe96172");
    let request = ListMembers {
        status: Some(MemberStatus::Unsubscribed),
        count: Some(1000),
        exclude_fields: vec!["members._links".into(), "_links".into()],
        ..ListMembers::default()
    };
    let members = list.members();
    let mut members = pin!(members.stream(&request)?);
    let mut records = Vec::new();
    while let Some(member) = members.try_next().await? {
        let id = member
            .contact_id
            .as_str()
            .context("every member has a contact_id")?;
        let email = member
            .email_address
            .as_str()
            .context("every member has an address")?;
        let contact = Contact::new("mailchimp:57afe96172", id)
            .email(email)
            .consent(Consent::ForcedOptOut);
        records.push(Record::from(contact));
    }
    let found = records.len();
    println!("{found} of 2500 members left the audience");

    // Batches within Ometria's limits; a record that breaks one is named and the others go on.
    let prepared = ometria_client::prepare(&records, &ometria_client::PushLimits::default());
    for batch in &prepared.batches {
        let receipt = target.push(batch).await?;
        println!(
            "pushed {} records, {:?} accepted",
            batch.len(),
            receipt.accepted
        );
    }
    ensure!(
        prepared.refused.is_empty(),
        "nothing should break a limit here"
    );
    ensure!(
        found > 0 && ometria.listings().len() == found,
        "everybody should have arrived"
    );
    Ok(())
}
