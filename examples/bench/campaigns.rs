//! What the recipients of an account's campaigns did: streams of the catalogue, below thousands of parents.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use loopback::Server;
use mailchimp_simulator::{AccountSpec, AudienceSpec, CampaignsSpec, History, Stats};
use sync_mailchimp::catalogue;

use super::{Arguments, Importer, LIST, PAGE};
use super::{child, history, ideal, megabytes, ratio, round};

pub(crate) async fn measure(arguments: &Arguments, campaigns: u32) -> anyhow::Result<()> {
    let mailchimp = arguments.mailchimp();
    let (from, to) = history();
    mailchimp.fill(AccountSpec {
        audiences: vec![AudienceSpec::new(LIST, arguments.recipients)],
        history: History { from, to },
        campaigns: CampaignsSpec {
            sent: campaigns,
            recipients: arguments.recipients,
            ..CampaignsSpec::default()
        },
        ..AccountSpec::default()
    });
    let server = Server::start(Arc::new(mailchimp.clone()), ([127, 0, 0, 1], 0).into()).await?;
    let least = least_requests(arguments, campaigns)?;
    for _ in 0..arguments.rounds {
        for target in &arguments.sink {
            let directory = arguments.directory()?;
            let importer = Importer {
                binary: arguments.binary()?,
                state: directory.path().join("state"),
                sink: target.argument(directory.path()),
                what: vec!["--streams".to_owned(), arguments.streams.join(",")],
                profile: "push-v2",
                mailchimp: format!("{}/3.0", server.url()),
                ometria: String::new(),
            };
            for run in 0..=u32::from(arguments.again) {
                mailchimp.reset_stats();
                let taken = importer.run_once().await?;
                let stats = mailchimp.stats();
                let requests = stats.total();
                let full = run == 0;
                let figures = serde_json::json!({
                    "run": if full { "full" } else { "nothing new" },
                    "campaigns": campaigns,
                    "recipients": arguments.recipients,
                    "streams": arguments.streams.len(),
                    "sink": target.name(),
                    "latency_ms": arguments.latency_ms,
                    "seconds": round(taken.elapsed.as_secs_f64()),
                    "rows": stats.rows,
                    "rows_per_second": (stats.rows as f64 / taken.elapsed.as_secs_f64()).round(),
                    "requests": requests,
                    "requests_a_stream": round(requests as f64 / arguments.streams.len() as f64),
                    "requests_of": requests_of(arguments, &stats),
                    "least_requests": least.filter(|_| full),
                    "time_over_ideal": ratio(taken.elapsed, ideal(arguments.latency(), requests)),
                    "time_over_least": least
                        .filter(|_| full)
                        .map(|least| ratio(taken.elapsed, ideal(arguments.latency(), least))),
                    "throttled": stats.throttled,
                    "most_in_flight": stats.max_in_flight,
                    "peak_memory_mb": megabytes(taken.peak_memory),
                    "cpu_seconds": round(taken.cpu.as_secs_f64()),
                    "state_mb": megabytes(taken.state_bytes),
                    "simulator_peak_memory_mb": child::high_water_mark(Path::new("/proc/self")).map(megabytes),
                });
                arguments.report(&figures, &taken)?;
            }
        }
    }
    Ok(())
}

/// Requests below each stream's path. The list of its parents, which streams share, counts for the parents' stream.
fn requests_of(arguments: &Arguments, stats: &Stats) -> BTreeMap<String, u64> {
    let mut requests = BTreeMap::new();
    let mut others = stats.total();
    let names = arguments.streams.iter().map(String::as_str);
    for name in names.chain(["campaigns", "reports"]) {
        if let Some(stream) = catalogue::stream(name)
            && !requests.contains_key(name)
        {
            let of_this = stats.of(&format!("GET {}", stream.path));
            others -= of_this;
            if of_this > 0 {
                requests.insert(name.to_owned(), of_this);
            }
        }
    }
    requests.insert("others".to_owned(), others);
    requests
}

/// Pages that a full read takes at least, if that is known for every stream: how many open or click is left to chance.
fn least_requests(arguments: &Arguments, campaigns: u32) -> anyhow::Result<Option<u64>> {
    let campaigns = u64::from(campaigns);
    let recipients = u64::from(arguments.recipients).div_ceil(PAGE);
    let mut least = 0;
    for name in &arguments.streams {
        catalogue::stream(name).with_context(|| format!("there is no stream {name}"))?;
        least += match name.as_str() {
            "campaigns" | "reports" => campaigns.div_ceil(PAGE),
            "email_activity" | "sent_to" => campaigns * recipients,
            "click_details" => campaigns,
            _ => return Ok(None),
        };
    }
    Ok(Some(least))
}
