//! The members of one audience, into one sink after the other.

use std::sync::Arc;
use std::time::Duration;

use loopback::Server;
use mailchimp_simulator::{AudienceSpec, MailchimpSimulator, Spread, StatusMix};
use ometria_simulator::OmetriaSimulator;

use super::bare::Downloads;
use super::{Arguments, Importer, LIST, OMETRIA_KEY, PAGE, Shape, Target};
use super::{history, ideal, megabytes, now, ratio, round};

pub(crate) async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let mailchimp = arguments.mailchimp();
    let (from, to) = history();
    mailchimp.add_audience(AudienceSpec {
        spread: match arguments.shape {
            Shape::Even => Spread::Even { from, to },
            Shape::Bursts => Spread::Bursts {
                count: 10,
                from,
                to,
            },
            Shape::Second => Spread::OneSecond(from),
        },
        statuses: StatusMix {
            archived: 0,
            ..StatusMix::SHOP
        },
        ..AudienceSpec::new(LIST, arguments.members)
    });
    let ometria =
        OmetriaSimulator::new(ometria_simulator::Settings::new(OMETRIA_KEY, Arc::new(now)));
    let mailchimp_server =
        Server::start(Arc::new(mailchimp.clone()), ([127, 0, 0, 1], 0).into()).await?;
    let ometria_server =
        Server::start(Arc::new(ometria.clone()), ([127, 0, 0, 1], 0).into()).await?;
    let base_url = format!("{}/3.0", mailchimp_server.url());
    let pages = u64::from(arguments.members).div_ceil(PAGE);
    let bare = if arguments.bare {
        let directory = arguments.directory()?;
        let file = directory.path().join("lines");
        Some(Downloads::take(&base_url, pages, &file).await?)
    } else {
        None
    };
    let bench = Bench {
        arguments,
        mailchimp,
        ometria,
        base_url,
        ometria_url: ometria_server.url(),
        pages,
        bare,
    };
    for _ in 0..arguments.rounds {
        let mut lines = None;
        for &target in &arguments.sink {
            let elapsed = bench.take(target, lines).await?;
            if target == Target::Jsonl {
                lines = Some(elapsed);
            }
        }
    }
    Ok(())
}

struct Bench<'a> {
    arguments: &'a Arguments,
    mailchimp: MailchimpSimulator,
    ometria: OmetriaSimulator,
    base_url: String,
    ometria_url: String,
    pages: u64,
    bare: Option<Downloads>,
}

impl Bench<'_> {
    /// Time of the first run into this sink, from nothing. `lines` is that of JSON lines in the same round.
    async fn take(&self, target: Target, lines: Option<Duration>) -> anyhow::Result<Duration> {
        let arguments = self.arguments;
        let directory = arguments.directory()?;
        // Beside a warehouse, JSON lines get the records that it gets: the stream of the catalogue, with merge fields by id.
        let stream = arguments.sink.iter().any(|sink| sink.is_warehouse());
        let importer = Importer {
            binary: arguments.binary()?,
            state: directory.path().join("state"),
            sink: target.argument(directory.path()),
            what: if stream {
                vec!["--streams".to_owned(), "members".to_owned()]
            } else {
                vec![LIST.to_owned()]
            },
            profile: if target == Target::Record {
                "record"
            } else {
                "push-v2"
            },
            mailchimp: self.base_url.clone(),
            ometria: match target {
                Target::Record => self.ometria_url.clone(),
                _ => format!("{}/v2", self.ometria_url),
            },
        };
        let mut first = None;
        for run in 0..=u32::from(arguments.again) {
            self.mailchimp.reset_stats();
            let pushed_before = self.ometria.stats().total_requests();
            let taken = importer.run_once().await?;
            let stats = self.mailchimp.stats();
            let members = f64::from(arguments.members);
            let figures = serde_json::json!({
                "run": if run == 0 { "full" } else { "nothing changed" },
                "members": arguments.members,
                "shape": format!("{:?}", arguments.shape).to_lowercase(),
                "sink": target.name(),
                "latency_ms": arguments.latency_ms,
                "seconds": round(taken.elapsed.as_secs_f64()),
                "records_per_second": (members / taken.elapsed.as_secs_f64()).round(),
                "ideal_over_time": ratio(ideal(arguments.latency(), self.pages), taken.elapsed),
                "jsonl_over_time": lines.filter(|_| run == 0).map(|lines| ratio(lines, taken.elapsed)),
                "bare_sequential_over_time": self.bare.map(|bare| ratio(bare.one, taken.elapsed)),
                "bare_ten_over_time": self.bare.map(|bare| ratio(bare.ten, taken.elapsed)),
                "bare_lines_over_time": self.bare.map(|bare| ratio(bare.lines, taken.elapsed)),
                "mailchimp_requests": stats.total(),
                "requests_over_pages": round(stats.total() as f64 / self.pages as f64),
                "throttled": stats.throttled,
                "most_in_flight": stats.max_in_flight,
                "ometria_requests": self.ometria.stats().total_requests() - pushed_before,
                "peak_memory_mb": megabytes(taken.peak_memory),
                "cpu_seconds_per_million": round(taken.cpu.as_secs_f64() * 1e6 / members),
                "state_mb": megabytes(taken.state_bytes),
            });
            arguments.report(&figures, &taken)?;
            first.get_or_insert(taken.elapsed);
        }
        Ok(first.unwrap_or_default())
    }
}
