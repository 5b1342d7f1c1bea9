//! What a warehouse of a million members costs: time at this computer and at the server. Run with
//! `cargo run --release -p sync-postgres --example postgres_cost URL [MEMBERS]`. It fills the schema that the URL names, and
//! leaves it there.

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::time::Instant;

use sync_core::Sink;
use sync_postgres::{PostgresSettings, PostgresWarehouse};
use sync_testkit::MadeUpMembers;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("the URL of a database is missing")?;
    let members: u64 = arguments
        .next()
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let warehouse = PostgresWarehouse::new(PostgresSettings::from_url(&url)?)?;
    let audience = MadeUpMembers::default();
    println!(
        "{members} members, {} bytes each, {} declared columns",
        audience.record(0, 0).data.len(),
        audience.stream().fields().len()
    );
    warehouse.sink().check().await?;
    for (pass, version) in [("first load", 0), ("all changed", 1)] {
        let mut sink = warehouse.sink();
        let started = Instant::now();
        audience.fill(&mut sink, members, version).await?;
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{pass}: {seconds:.1} s, {:.0} records/s",
            members as f64 / seconds
        );
    }
    Ok(())
}
