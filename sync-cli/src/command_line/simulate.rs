//! `simulate`: either API on a loopback port, for trying things out and for tests that kill processes.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use loopback::{Server, Simulator};
use mailchimp_simulator::{
    AccountSpec, AudienceHandle, AudienceSpec, MailchimpSimulator, Spread, StatusMix,
};
use ometria_simulator::{FaultRule, OmetriaSimulator};
use sync_core::{Clock, Error, ErrorKind, Shutdown, SystemClock};
use tokio::time::{MissedTickBehavior, interval};

use super::args::{
    FaultKind, SimulateCommand, SimulateGeneral, SimulateMailchimp, SimulateOmetria, Ties,
};
use super::exit::{Exit, Failure};
use super::output::{Stream, grouped, print};
use crate::config::{ConfigError, check_list_id};

/// The only key the simulated Mailchimp accepts. Not a secret.
pub(super) const MAILCHIMP_KEY: &str = "simulated-us6";

/// The only key the simulated Ometria accepts. Not a secret.
pub(super) const OMETRIA_KEY: &str = "simulated";

/// All faults there are, for `--fault-share` without `--faults`. `hang` is left out: it holds a client up for minutes.
const EVERY_FAULT: [FaultKind; 7] = [
    FaultKind::Throttle,
    FaultKind::Forbidden,
    FaultKind::ServerError,
    FaultKind::Cut,
    FaultKind::Reset,
    FaultKind::Garbage,
    FaultKind::LostReply,
];

/// Pieces into which a second of changes is cut.
const TICKS_PER_SECOND: u32 = 10;

pub(super) async fn execute(command: &SimulateCommand, stop: &Shutdown) -> Result<Exit, Failure> {
    match command {
        SimulateCommand::Mailchimp(arguments) => mailchimp(arguments, stop).await,
        SimulateCommand::Ometria(arguments) => ometria(arguments, stop).await,
    }
}

async fn mailchimp(arguments: &SimulateMailchimp, stop: &Shutdown) -> Result<Exit, Failure> {
    let general = &arguments.general;
    let mut settings =
        mailchimp_simulator::Settings::new(MAILCHIMP_KEY, Arc::new(|| SystemClock.now()));
    settings.latency = general.latency;
    settings.seed = general.seed;
    settings.visibility_lag = arguments.visibility_lag;
    let simulator = MailchimpSimulator::new(settings);
    let mut audiences = Vec::new();
    for (index, list_id) in (0..).zip(&arguments.list_ids) {
        check_list_id(list_id)
            .map_err(|problem| ConfigError::new("--list-id", problem, "give letters and digits"))?;
        let mut spec = AudienceSpec::new(list_id, arguments.members);
        spec.first_member = arguments.members / 2 * index;
        spec.spread = spread(arguments.ties, SystemClock.now());
        spec.statuses = StatusMix::SHOP;
        audiences.push(simulator.add_audience(spec));
    }
    if arguments.full {
        let mut spec = AccountSpec {
            audiences: Vec::new(),
            ..AccountSpec::full()
        };
        spec.campaigns.sent = arguments.campaigns;
        spec.campaigns.recipients = arguments.recipients;
        simulator.fill(spec);
    }
    for (fault, share) in faults(general) {
        simulator
            .faults()
            .add(mailchimp_simulator::Rule::new(mailchimp_fault(fault)).chance(share));
    }
    let server = serve(Arc::new(simulator.clone()), general).await?;
    let mut text = format!(
        "MAILCHIMP_BASE_URL={}/3.0\nMAILCHIMP_API_KEY={MAILCHIMP_KEY}\n",
        server.url(),
    );
    // A whole account is what runs if no audience is named.
    if !arguments.full {
        let _ = writeln!(text, "MAILCHIMP_LIST_ID={}", arguments.list_ids.join(","));
    }
    print(Stream::Stdout, &text);
    tokio::select! {
        () = stop.requested() => {}
        () = change_members(&audiences, arguments) => {}
    }
    let stats = simulator.stats();
    server.shutdown().await;
    let mut text = String::new();
    for (request, count) in &stats.requests {
        let _ = writeln!(text, "{} {request}", grouped(*count));
    }
    let _ = writeln!(
        text,
        "{} rows served, at most {} requests at once, {} throttled",
        grouped(stats.rows),
        stats.max_in_flight,
        grouped(stats.throttled)
    );
    print(Stream::Stderr, &text);
    Ok(Exit::Good)
}

async fn ometria(arguments: &SimulateOmetria, stop: &Shutdown) -> Result<Exit, Failure> {
    let general = &arguments.general;
    let mut settings =
        ometria_simulator::Settings::new(OMETRIA_KEY, Arc::new(|| SystemClock.now()));
    settings.latency = general.latency;
    settings.seed = general.seed;
    let simulator = OmetriaSimulator::new(settings);
    for (fault, share) in faults(general) {
        let when = ometria_simulator::When::Randomly(share);
        simulator.inject(FaultRule::new(ometria_fault(fault), when));
    }
    let server = serve(Arc::new(simulator.clone()), general).await?;
    let url = server.url();
    let text = format!(
        "OMETRIA_BASE_URL={url}/v2\nOMETRIA_API_KEY={OMETRIA_KEY}\n# for OMETRIA_PROFILE=record: OMETRIA_BASE_URL={url}\n"
    );
    print(Stream::Stdout, &text);
    stop.requested().await;
    server.shutdown().await;
    let stats = simulator.stats();
    let mut text = String::new();
    for (path, count) in &stats.requests {
        let _ = writeln!(text, "{} {path}", grouped(*count));
    }
    let _ = writeln!(
        text,
        "{} records pushed, {} listings, {} rows of the record endpoint",
        grouped(simulator.pushed()),
        grouped(simulator.listing_count() as u64),
        grouped(simulator.row_count() as u64)
    );
    print(Stream::Stderr, &text);
    Ok(Exit::Good)
}

async fn serve(
    simulator: Arc<dyn Simulator>,
    general: &SimulateGeneral,
) -> Result<Server, Failure> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, general.port));
    Server::start(simulator, address).await.map_err(|cause| {
        Failure::before_start(
            Error::new(
                ErrorKind::Config,
                "serve",
                "the port cannot be used; choose another with --port",
            )
            .with("address", address)
            .caused_by(cause),
        )
    })
}

fn spread(ties: Ties, now: DateTime<Utc>) -> Spread {
    let (from, to) = (now - TimeDelta::days(365), now - TimeDelta::minutes(10));
    match ties {
        Ties::Even => Spread::Even { from, to },
        Ties::Bursts => Spread::Bursts {
            count: 10,
            from,
            to,
        },
        Ties::OneSecond => Spread::OneSecond(to),
    }
}

/// Which faults strike which share of the requests.
fn faults(general: &SimulateGeneral) -> Vec<(FaultKind, f64)> {
    if general.fault_share <= 0.0 {
        return Vec::new();
    }
    let kinds = if general.faults.is_empty() {
        &EVERY_FAULT[..]
    } else {
        &general.faults
    };
    kinds
        .iter()
        .map(|kind| (*kind, general.fault_share / kinds.len() as f64))
        .collect()
}

fn mailchimp_fault(kind: FaultKind) -> mailchimp_simulator::Fault {
    use mailchimp_simulator::Fault;
    match kind {
        FaultKind::Throttle => Fault::Status429,
        FaultKind::Forbidden => Fault::Status403Html,
        FaultKind::ServerError => Fault::Status5xxHtml(503),
        FaultKind::Cut => Fault::CutBody,
        FaultKind::Reset => Fault::Reset,
        FaultKind::Hang => Fault::Hang,
        FaultKind::Garbage => Fault::Garbage,
        FaultKind::LostReply => Fault::ReplyLost,
    }
}

fn ometria_fault(kind: FaultKind) -> ometria_simulator::Fault {
    use ometria_simulator::Fault;
    match kind {
        FaultKind::Throttle => Fault::status(429),
        // Ometria itself says 403 only to a wrong key, which nobody would repeat; a front that is busy says 502.
        FaultKind::Forbidden | FaultKind::Garbage => Fault::html(502),
        FaultKind::ServerError => Fault::html(503),
        FaultKind::Cut => Fault::CutBody { sent: 1 },
        FaultKind::Reset => Fault::Reset,
        FaultKind::Hang => Fault::Hang,
        FaultKind::LostReply => Fault::ReplyLost,
    }
}

/// Changes members for ever, so many a second: half of them names, the rest opt-outs and opt-ins.
async fn change_members(audiences: &[AudienceHandle], arguments: &SimulateMailchimp) {
    if arguments.changes == 0 || arguments.members == 0 {
        return std::future::pending().await;
    }
    let mut random = fastrand::Rng::with_seed(arguments.general.seed);
    let mut tick = interval(Duration::from_secs(1) / TICKS_PER_SECOND);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut owed = 0;
    loop {
        tick.tick().await;
        owed += arguments.changes;
        while owed >= TICKS_PER_SECOND {
            owed -= TICKS_PER_SECOND;
            let Some(audience) = random.choice(audiences) else {
                return;
            };
            let position = random.u32(..arguments.members) as usize;
            let Some(id) = audience.nth_id(position) else {
                continue;
            };
            // Some changes do not fit the member as it is now; others follow.
            let _ = match random.u8(..4) {
                0 => audience.unsubscribe(&id),
                1 => audience.unarchive(&id, mailchimp_simulator::Status::Subscribed),
                _ => audience.set_merge_field(&id, "FNAME", format!("N{}", random.u32(..))),
            };
        }
    }
}
