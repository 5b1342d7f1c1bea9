//! Everything an account holds in one `SQLite` file, and questions asked of it.
//!
//!     cargo run -p sync-examples --example warehouse
//!
//! Mailchimp is simulated on a loopback address. With a real key, leave the base URL out.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use anyhow::ensure;
use loopback::Server;
use mailchimp_simulator::{AccountSpec, MailchimpSimulator};
use rusqlite::Connection;
use sync_cli::{Config, Importer, MailchimpAccount, SinkChoice, StreamChoice, create_views};
use sync_core::{Clock, Outcome, Shutdown, SystemClock};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings =
        mailchimp_simulator::Settings::new("simulated-us6", Arc::new(|| SystemClock.now()));
    let mailchimp = MailchimpSimulator::new(settings);
    mailchimp.fill(AccountSpec::full());
    let server = Server::start(Arc::new(mailchimp), ([127, 0, 0, 1], 0).into()).await?;

    let place = tempfile::tempdir()?;
    let file = place.path().join("mailchimp.db");
    let account = MailchimpAccount::new("simulated-us6")
        .with_base_url(format!("{}/3.0", server.url()).parse()?);
    let config = Config::new(place.path().join("state"))
        .with_mailchimp(account)
        .with_streams(StreamChoice::all(), SinkChoice::Sqlite(file.clone()));

    let importer = Importer::from_config(config.clone()).await?;
    let runs = importer.run_once(&Shutdown::never()).await?;
    let failed = runs
        .iter()
        .find(|run| run.outcome != Some(Outcome::Complete));
    ensure!(failed.is_none(), "{failed:?}");
    let records: u64 = runs.iter().map(|run| run.counts.accepted).sum();
    println!("{} streams, {records} records", runs.len());
    drop(importer);

    let views = create_views(config).await?;
    println!("views: {}\n", views.join(", "));
    let database = Connection::open(&file)?;
    let mut campaigns = database.prepare(
        "SELECT subject_line, sent, unique_opens, unique_clicks FROM campaign
         WHERE sent > 0 ORDER BY unique_opens DESC LIMIT 3",
    )?;
    println!("campaigns that were opened most:");
    let mut rows = campaigns.query([])?;
    while let Some(row) = rows.next()? {
        let subject: Option<String> = row.get(0)?;
        let (sent, opens, clicks): (i64, i64, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
        println!(
            "  {:<40} sent {sent}, opened by {opens}, clicked by {clicks}",
            subject.unwrap_or_default()
        );
    }
    let engaged: i64 = database.query_row(
        "SELECT count(DISTINCT email_id) FROM email_activity WHERE action = 'click'",
        [],
        |row| row.get(0),
    )?;
    println!("people who ever clicked: {engaged}");
    server.shutdown().await;
    Ok(())
}
