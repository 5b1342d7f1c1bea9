//! `demo`: the whole thing against simulated APIs, over real HTTP, in simulated time.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta};
use loopback::{Server, Simulator};
use mailchimp_simulator::{
    AudienceHandle, AudienceSpec, MailchimpSimulator, Refused, Spread, Status, StatusMix,
};
use ometria_simulator::OmetriaSimulator;
use sync_core::{Error, ErrorKind, Outcome, RunRecord, Shutdown};

use super::args::DemoArguments;
use super::exit::{Exit, Failure};
use super::output::{Stream, grouped, print, runs_table};
use super::simulate::{MAILCHIMP_KEY, OMETRIA_KEY};
use super::watch::Watch;
use crate::config::{Config, MailchimpAccount, OmetriaAccount, Settings, parse_base_url};
use crate::importer::Importer;

const AUDIENCE: &str = "5a1b2c3d4e";

/// When the demo begins, in seconds since 1970: 2 March 2026, nine o'clock.
const BEGIN: i64 = 1_772_442_000;

/// The real Ometria takes 8 pushes a second; waiting for that would show nothing.
const PUSH_RATE: u32 = 500;

/// Both simulated accounts, the importer between them, and the time they all share.
struct Demo {
    mailchimp: MailchimpSimulator,
    ometria: OmetriaSimulator,
    audience: AudienceHandle,
    importer: Importer,
    clock: Arc<AtomicI64>,
    servers: [Server; 2],
}

pub(super) async fn execute(
    arguments: &DemoArguments,
    settings: &Settings,
    stop: &Shutdown,
) -> Result<Exit, Failure> {
    let directory = tempfile::Builder::new()
        .prefix("sync-demo-")
        .tempdir()
        .map_err(|cause| {
            Failure::before_start(
                Error::new(
                    ErrorKind::State,
                    "create temporary directory",
                    "the system gave none",
                )
                .caused_by(cause),
            )
        })?;
    let result = {
        let state = directory.path().to_owned();
        let demo = Demo::set_up(arguments, settings, state).await?;
        let result = demo.show(arguments, stop).await;
        let Demo {
            servers, importer, ..
        } = demo;
        drop(importer);
        for server in servers {
            server.shutdown().await;
        }
        result
    };
    let kept = arguments.keep.then(|| directory.keep());
    if let Some(kept) = kept {
        say(&format!(
            "\nThe state is kept in {0}\n  sync-cli --state {0} history\n",
            kept.display()
        ));
    }
    result
}

fn say(text: &str) {
    print(Stream::Stdout, text);
}

fn stopped() -> Exit {
    say("\nStopped.\n");
    Exit::Good
}

impl Demo {
    async fn set_up(
        arguments: &DemoArguments,
        settings: &Settings,
        state: PathBuf,
    ) -> Result<Self, Failure> {
        let clock = Arc::new(AtomicI64::new(BEGIN));
        let now = {
            let clock = clock.clone();
            move || DateTime::from_timestamp(clock.load(Ordering::Acquire), 0).unwrap_or_default()
        };
        let mut spec = AudienceSpec::new(AUDIENCE, arguments.members);
        spec.statuses = StatusMix::SHOP;
        spec.spread = Spread::Even {
            from: now() - TimeDelta::days(365),
            to: now(),
        };
        let mut simulated =
            mailchimp_simulator::Settings::new(MAILCHIMP_KEY, Arc::new(now.clone()));
        simulated.latency = arguments.latency;
        let mailchimp = MailchimpSimulator::new(simulated);
        let audience = mailchimp.add_audience(spec);
        let mut simulated = ometria_simulator::Settings::new(OMETRIA_KEY, Arc::new(now.clone()));
        simulated.latency = arguments.latency;
        let ometria = OmetriaSimulator::new(simulated);
        let servers = [
            serve(Arc::new(mailchimp.clone())).await?,
            serve(Arc::new(ometria.clone())).await?,
        ];
        say(&format!(
            "Mailchimp, simulated: {}  audience {AUDIENCE} with {} members\n\
             Ometria, simulated:   {}  empty\n",
            servers[0].url(),
            grouped(arguments.members.into()),
            servers[1].url(),
        ));

        let mut account = OmetriaAccount::new(OMETRIA_KEY).with_base_url(url(&servers[1], "/v2")?);
        account.push_rate = PUSH_RATE;
        account.push.in_flight = 16;
        let config = Config::new(state)
            .with_mailchimp(
                MailchimpAccount::new(MAILCHIMP_KEY).with_base_url(url(&servers[0], "/3.0")?),
            )
            .with_ometria(account)
            .with_audiences([AUDIENCE]);
        let watch = Watch::start(settings, false).await?;
        let importer = watch
            .attach(Importer::builder(config).clock(Arc::new(now)))
            .build()
            .await
            .map_err(Failure::before_start)?;
        Ok(Self {
            mailchimp,
            ometria,
            audience,
            importer,
            clock,
            servers,
        })
    }

    async fn show(&self, arguments: &DemoArguments, stop: &Shutdown) -> Result<Exit, Failure> {
        // A little later, so that every member's last change is in the past.
        self.pass_time(TimeDelta::minutes(1));
        say("\n1. The first pass reads everybody.\n");
        let first = self.pass(stop).await?;
        if stop.is_requested() {
            return Ok(stopped());
        }

        self.pass_time(TimeDelta::minutes(30));
        let changed = self.change_members(arguments).map_err(|refused| {
            Error::new(
                ErrorKind::Invalid,
                "change members",
                "the simulator refused a change",
            )
            .caused_by(refused.to_string())
        })?;
        // A deleted member leaves no trace to read; the daily search finds it.
        self.pass_time(TimeDelta::hours(25));
        say(&format!(
            "\n2. A day later {} members have changed. The second pass sends these and nobody else.\n\
             \x20  {} names, {} opt-outs, {} archived, {} new, 1 new address, 1 deleted for good\n",
            grouped(changed.total()),
            grouped(changed.names),
            grouped(changed.opt_outs),
            grouped(changed.archived),
            grouped(changed.new),
        ));
        let second = self.pass(stop).await?;
        if stop.is_requested() {
            return Ok(stopped());
        }

        self.pass_time(TimeDelta::hours(1));
        say(
            "\n3. An hour later nothing has changed. The third pass finds that out and sends nothing.\n",
        );
        let third = self.pass(stop).await?;
        if stop.is_requested() {
            return Ok(stopped());
        }

        let all_ran = [&first, &second, &third]
            .iter()
            .all(|record| record.outcome == Some(Outcome::Complete));
        let quiet = third.counts.accepted == 0;
        let agrees = self.compare();
        if all_ran && quiet && agrees {
            Ok(Exit::Good)
        } else {
            Ok(Exit::Failed)
        }
    }

    fn pass_time(&self, time: TimeDelta) {
        self.clock.fetch_add(time.num_seconds(), Ordering::AcqRel);
    }

    /// One pass, and what it cost.
    async fn pass(&self, stop: &Shutdown) -> Result<RunRecord, Failure> {
        self.mailchimp.reset_stats();
        let before = self.ometria.stats();
        let pushes = |stats: &ometria_simulator::Stats| {
            stats.requests.get("/push").copied().unwrap_or_default()
        };
        let records = self.importer.run_once(stop).await?;
        let after = self.ometria.stats();
        say(&runs_table(&records));
        say(&format!(
            "   {} requests to Mailchimp, {} pushes with {} records to Ometria\n",
            grouped(self.mailchimp.stats().total()),
            grouped(pushes(&after) - pushes(&before)),
            grouped(after.pushed - before.pushed),
        ));
        records
            .into_iter()
            .next()
            .ok_or_else(|| Error::new(ErrorKind::Invalid, "run", "there is no import").into())
    }

    fn change_members(&self, arguments: &DemoArguments) -> Result<Changed, Refused> {
        let audience = &self.audience;
        let subscribed: Vec<_> = audience
            .members()
            .into_iter()
            .filter(|member| member.status == Status::Subscribed)
            .collect();
        let size = (arguments.members as usize / 400).max(1);
        // Members from all over the audience, none of them twice.
        let mut victims = subscribed
            .iter()
            .step_by((subscribed.len() / (5 * size)).max(1));
        let mut changed = Changed::default();
        for member in victims.by_ref().take(2 * size) {
            audience.set_merge_field(&member.id, "FNAME", format!("New{}", changed.names))?;
            changed.names += 1;
        }
        for member in victims.by_ref().take(size) {
            audience.unsubscribe(&member.id)?;
            changed.opt_outs += 1;
        }
        for member in victims.by_ref().take(size / 2) {
            audience.archive(&member.id)?;
            changed.archived += 1;
        }
        if let Some(member) = victims.next() {
            audience.change_address(&member.id, "moved@shop.example")?;
        }
        if let Some(member) = victims.next() {
            audience.delete_permanently(&member.id)?;
        }
        for number in 0..5 {
            audience.subscribe(&format!("new{number}@shop.example"))?;
            changed.new += 1;
        }
        Ok(changed)
    }

    /// Looks at every person at both ends.
    fn compare(&self) -> bool {
        let members = self.audience.members();
        let mut counts = Compared::default();
        for member in &members {
            let optin = self
                .ometria
                .profile(&member.email_address)
                .and_then(|profile| profile.marketing_optin);
            match member.status {
                Status::Unsubscribed => {
                    counts.opted_out += 1;
                    counts.wrongly_in += u64::from(optin != Some(false));
                }
                Status::Subscribed => {
                    counts.opted_in += 1;
                    counts.wrongly_out += u64::from(optin != Some(true));
                }
                // These never agreed, or cannot be reached: nobody may be opted in because of them.
                _ => counts.wrongly_in += u64::from(optin == Some(true)),
            }
        }
        // Nobody is opted in who is not in the audience: who was deleted, or left an address behind.
        let known: std::collections::HashSet<String> = members
            .iter()
            .map(|member| member.email_address.to_lowercase())
            .collect();
        for email in self.ometria.emails() {
            let optin = self
                .ometria
                .profile(&email)
                .and_then(|profile| profile.marketing_optin);
            counts.wrongly_in += u64::from(!known.contains(&email) && optin == Some(true));
        }
        say(&format!(
            "\nBoth ends compared, person by person: {} opted out and {} opted in at Mailchimp.\n",
            grouped(counts.opted_out),
            grouped(counts.opted_in)
        ));
        if counts.wrongly_in + counts.wrongly_out == 0 {
            say("Nobody who opted out is opted in at Ometria, and everybody who opted in is.\n");
            true
        } else {
            say(&format!(
                "WRONG: {} are opted in at Ometria and should not be, {} should be and are not.\n",
                grouped(counts.wrongly_in),
                grouped(counts.wrongly_out)
            ));
            false
        }
    }
}

/// What changed between the first and the second pass.
#[derive(Default)]
struct Changed {
    names: u64,
    opt_outs: u64,
    archived: u64,
    new: u64,
}

impl Changed {
    fn total(&self) -> u64 {
        // One member has a new address and one is deleted.
        self.names + self.opt_outs + self.archived + self.new + 2
    }
}

#[derive(Default)]
struct Compared {
    opted_out: u64,
    opted_in: u64,
    wrongly_in: u64,
    wrongly_out: u64,
}

async fn serve(simulator: Arc<dyn Simulator>) -> Result<Server, Failure> {
    Server::start(simulator, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .map_err(|cause| {
            Failure::before_start(
                Error::new(ErrorKind::State, "serve", "no loopback port is free").caused_by(cause),
            )
        })
}

fn url(server: &Server, path: &str) -> Result<url::Url, Failure> {
    parse_base_url(&format!("{}{path}", server.url()))
        .map_err(|problem| Failure::before_start(Error::new(ErrorKind::Config, "serve", problem)))
}
