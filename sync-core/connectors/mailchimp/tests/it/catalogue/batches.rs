//! Email activity by batches: the same records as by pages, whatever becomes of a batch.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailchimp_simulator::{AccountSpec, CampaignsSpec, Fault, Rule, When};
use sync_core::{
    ErrorKind, EventMapping, Import, ImportId, JsonRecord, MemorySink, MemorySinkHandle,
    MemoryStateStore, Outcome, Pipeline, Shutdown, Source, StateStore,
};
use sync_mailchimp::catalogue::{
    ActivityBy, CatalogueAccount, StreamSettings, StreamSource, stream,
};
use sync_mailchimp::{Notice, ReadHooks};

use super::Held;
use crate::api::Api;

pub(super) const ACTIVITY: &str = "GET /reports/{campaign_id}/email-activity";
pub(super) const SENT: &str = "POST /batches";
pub(super) const ASKED: &str = "GET /batches/{batch_id}";
pub(super) const FETCHED: &str = "GET /batch-results/{file}";
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// An account in which a batch takes two minutes.
pub(super) fn account(sent: u32, recipients: u32) -> Api {
    let api = Api::new(|settings| {
        settings.public_origin = Some("https://results.mailchimp.test".to_owned());
        settings.batch_step = Duration::from_secs(30);
    });
    let campaigns = CampaignsSpec {
        sent,
        recipients,
        ..CampaignsSpec::default()
    };
    api.simulator.fill(AccountSpec {
        campaigns,
        ..AccountSpec::full()
    });
    api
}

#[derive(Default)]
struct Notices(Mutex<Vec<Notice>>);

impl ReadHooks for Notices {
    fn on_notice(&self, of: &str, notice: &Notice) {
        assert_eq!(of, "email_activity");
        self.0.lock().expect("no panic").push(notice.clone());
    }
}

impl Notices {
    fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

fn activity_with(api: &Api, settings: StreamSettings, hooks: Arc<dyn ReadHooks>) -> StreamSource {
    let clock = api.clock.clone();
    let account = CatalogueAccount::new(api.client.clone());
    let definition = stream("email_activity").expect("the catalogue has the stream");
    StreamSource::new(account, definition, settings, Arc::new(move || clock()))
        .expect("the settings are right")
        .hooks(hooks)
}

/// By batches of ten.
pub(super) fn activity(api: &Api) -> StreamSource {
    let settings = StreamSettings {
        email_activity_by: ActivityBy::Batches,
        batch_operations: 10,
        ..StreamSettings::default()
    };
    activity_with(api, settings, Arc::new(()))
}

fn by_pages(api: &Api) -> StreamSource {
    let settings = StreamSettings {
        email_activity_by: ActivityBy::Pages,
        ..StreamSettings::default()
    };
    activity_with(api, settings, Arc::new(()))
}

pub(super) async fn held_by_pages(api: &Api) -> Held {
    let mut held = Held::default();
    held.read(&by_pages(api)).await.expect("reading works");
    held
}

/// Reads until a batch is under way, and goes away.
async fn until_sent(api: &Api, held: &mut Held) {
    let cut = activity(api);
    let mut reader = cut.read(held.position()).expect("a position");
    while awaited(held).is_none() {
        assert!(held.take(&mut *reader).await.expect("reading works"));
    }
}

/// How many campaigns the cursor expects from which batch.
fn awaited(held: &Held) -> Option<(String, usize)> {
    let batch = held.cursor.as_ref()?.state.get("batch")?;
    let id = batch["id"].as_str().expect("an id").to_owned();
    let parents = batch["parents"].as_object().expect("gates");
    Some((id, parents.len()))
}

fn assert_complete(held: &Held, other: &Held) {
    assert!(held.failures.is_empty(), "{:?}", held.failures);
    assert!(held.records == other.records);
    let cursor = held.cursor.as_ref().expect("a cursor");
    assert!(cursor.complete_until.is_some());
    assert_eq!(awaited(held), None);
}

#[tokio::test(start_paused = true)]
async fn batches_bring_what_pages_bring_in_every_run() {
    // The second account's campaigns fill their first page.
    for (campaigns, recipients) in [(24, 80), (3, 2_300)] {
        let api = account(campaigns, recipients);
        let (mut batches, mut pages) = (Held::default(), Held::default());
        let (by_batches, by_pages) = (activity(&api), by_pages(&api));
        for run in 0..4 {
            batches.read(&by_batches).await.expect("reading works");
            let first = batches.delivered;
            pages.read(&by_pages).await.expect("reading works");
            assert_complete(&batches, &pages);
            assert_eq!(first, pages.delivered, "run {run}");

            let campaign = api
                .simulator
                .campaign(&api.simulator.sent_campaigns()[run % 3]);
            let reader = campaign.recipient(7).expect("a recipient");
            campaign.open(&reader).expect("it can be opened");
            tokio::time::advance(if run == 2 { 7 * DAY } else { DAY }).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_stands_for_the_calls_of_its_campaigns() {
    let api = account(24, 80);
    let mut held = Held::default();
    held.read(&activity(&api)).await.expect("reading works");
    let stats = api.simulator.stats();
    assert_eq!((stats.of(SENT), stats.of(FETCHED)), (3, 3));
    assert_eq!(stats.of(ACTIVITY), 0);
    // Eight questions in two minutes, and one for the link.
    assert!(stats.of(ASKED) <= 3 * 9, "{stats:?}");

    // Nothing moved: nothing is sent.
    tokio::time::advance(DAY).await;
    api.simulator.reset_stats();
    held.read(&activity(&api)).await.expect("reading works");
    let stats = api.simulator.stats();
    assert_eq!((held.delivered, stats.total()), (0, 2), "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn by_itself_it_sends_batches_only_for_many_small_campaigns() {
    let auto = |batch_from| StreamSettings {
        batch_from,
        ..StreamSettings::default()
    };
    for (campaigns, recipients, batch_from, batches) in
        [(24, 80, 24, 1), (24, 80, 25, 0), (3, 1_000, 1, 0)]
    {
        let api = account(campaigns, recipients);
        let mut held = Held::default();
        let source = activity_with(&api, auto(batch_from), Arc::new(()));
        held.read(&source).await.expect("reading works");
        let stats = api.simulator.stats();
        assert_eq!(stats.of(SENT), batches, "{campaigns} of {recipients}");
        assert_eq!(stats.of(ACTIVITY) > 0, batches == 0);
        assert_complete(&held, &held_by_pages(&api).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_dies_while_a_batch_runs_takes_it_up() {
    let api = account(8, 80);
    let mut held = Held::default();
    until_sent(&api, &mut held).await;
    assert_eq!(held.records.len(), 0);
    tokio::time::advance(DAY).await;
    held.read(&activity(&api)).await.expect("reading works");
    let stats = api.simulator.stats();
    assert_eq!((stats.of(SENT), stats.of(ACTIVITY)), (1, 0));
    assert_complete(&held, &held_by_pages(&api).await);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_while_a_batch_runs_leaves_its_id_to_the_next() {
    let api = account(8, 80);
    let sink: MemorySinkHandle<JsonRecord> = MemorySink::new().1;
    let state: Arc<dyn StateStore> = Arc::new(MemoryStateStore::new());
    let process = || {
        let definition = stream("email_activity").expect("the catalogue has the stream");
        Pipeline::builder(
            ImportId::new("test"),
            Arc::new(activity(&api)),
            Arc::new(EventMapping::new(definition.stream())),
            Box::new(MemorySink::for_handle(&sink)),
            state.clone(),
        )
        .build()
    };
    let mut dies = process();
    let shutdown = Shutdown::never();
    tokio::select! {
        run = dies.run(&shutdown) => panic!("{run:?}"),
        // The batch takes two.
        () = tokio::time::sleep(Duration::from_secs(60)) => {}
    }
    drop(dies);
    assert!(sink.records().is_empty());
    let run = process().run(&shutdown).await;
    assert_eq!(run.outcome, Some(Outcome::Complete), "{run:?}");
    assert_eq!(api.simulator.stats().of(SENT), 1);
    assert_eq!(api.simulator.stats().of(ACTIVITY), 0);
    let pages = held_by_pages(&api).await;
    assert!(!pages.records.is_empty());
    assert_eq!(sink.records().len(), pages.records.len());
}

#[tokio::test(start_paused = true)]
async fn a_read_that_dies_anywhere_in_a_batch_loses_and_repeats_nothing() {
    let api = account(24, 80);
    let whole = held_by_pages(&api).await;
    for batches in 1.. {
        let mut held = Held::default();
        let cut = activity(&api);
        let mut reader = cut.read(held.position()).expect("a position");
        let mut ended = false;
        for _ in 0..batches {
            ended = !held.take(&mut *reader).await.expect("reading works");
        }
        drop(reader);
        if ended {
            assert!(batches > 6, "it was cut in many places");
            break;
        }
        let cursor = held.cursor.as_ref();
        let parents = cursor.and_then(|cursor| cursor.state["parents"].as_object());
        let read = parents.map_or(0, serde_json::Map::len);
        let waits_for = awaited(&held).map_or(0, |(_, campaigns)| campaigns);
        tokio::time::sleep(Duration::from_secs(10)).await;
        api.simulator.reset_stats();
        held.read(&activity(&api)).await.expect("reading works");
        assert_complete(&held, &whole);
        let stats = api.simulator.stats();
        assert_eq!(stats.of(ACTIVITY), 0);
        let fresh = u64::try_from(24 - read - waits_for).expect("few");
        assert_eq!(stats.of(SENT), fresh.div_ceil(10), "cut after {batches}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_happens_after_a_batch_was_sent_is_not_lost_with_its_results() {
    let api = account(8, 80);
    let mut held = Held::default();
    until_sent(&api, &mut held).await;
    tokio::time::advance(Duration::from_secs(600)).await;
    // Asks, so that the batch is carried out before somebody opens the campaign.
    let mut other = Held::default();
    other.read(&by_pages(&api)).await.expect("reading works");
    let campaign = api.simulator.campaign(&api.simulator.sent_campaigns()[2]);
    let reader = campaign.recipient(7).expect("a recipient");
    campaign.open(&reader).expect("it can be opened");
    held.read(&activity(&api)).await.expect("reading works");
    tokio::time::advance(DAY).await;
    held.read(&activity(&api)).await.expect("reading works");
    assert_complete(&held, &held_by_pages(&api).await);
    assert_eq!(held.records.len(), other.records.len() + 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_gone_is_sent_again() {
    for older in [false, true] {
        let api = account(8, 80);
        let mut held = Held::default();
        until_sent(&api, &mut held).await;
        let (id, _) = awaited(&held).expect("a batch");
        if older {
            tokio::time::advance(8 * DAY).await;
        } else {
            let batches = api.client.batches();
            batches.delete(&id).await.expect("it can be deleted");
        }
        held.read(&activity(&api)).await.expect("reading works");
        let stats = api.simulator.stats();
        assert_eq!((stats.of(SENT), stats.of(ACTIVITY)), (2, 0));
        assert_complete(&held, &held_by_pages(&api).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_somebody_deletes_meanwhile_is_replaced_by_pages() {
    let api = account(24, 80);
    api.simulator
        .on_request(When::Before, |request, simulator| {
            if request.operation() == ASKED {
                simulator.faults().clear();
                let gone = Rule::new(Fault::NotFound).on(ASKED);
                simulator.faults().add(gone);
            }
        });
    let mut held = Held::default();
    held.read(&activity(&api)).await.expect("reading works");
    let stats = api.simulator.stats();
    assert_eq!((stats.of(SENT), stats.of(ACTIVITY)), (1, 24));
    assert_complete(&held, &held_by_pages(&api).await);
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_comes_badly_is_fetched_again() {
    for fault in [
        Fault::CutBody,
        Fault::Truncated,
        Fault::Reset,
        Fault::Status5xxHtml(503),
        // What an expired link gets.
        Fault::Status403Html,
        Fault::EmptyBody,
    ] {
        let api = account(8, 80);
        let faults = api.simulator.faults();
        faults.add(Rule::new(fault).on(FETCHED).times(2));
        let mut held = Held::default();
        held.read(&activity(&api)).await.expect("reading works");
        let stats = api.simulator.stats();
        assert_eq!((stats.of(SENT), stats.of(ACTIVITY)), (1, 0), "{fault:?}");
        assert_complete(&held, &held_by_pages(&api).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_cannot_be_had_is_told_and_replaced_by_pages() {
    let lasting = [
        Rule::new(Fault::Truncated).on(FETCHED),
        Rule::new(Fault::Garbage).on(FETCHED),
        Rule::new(Fault::Forbidden).on(SENT),
        Rule::new(Fault::ReplyLost).on(SENT),
        Rule::new(Fault::Status5xxHtml(502)).on(ASKED),
    ];
    for rule in lasting {
        let api = account(24, 80);
        api.simulator.faults().add(rule.clone());
        let notices = Arc::new(Notices::default());
        let settings = StreamSettings {
            email_activity_by: ActivityBy::Batches,
            batch_operations: 10,
            ..StreamSettings::default()
        };
        let source = activity_with(&api, settings, notices.clone());
        let mut held = Held::default();
        held.read(&source).await.expect("reading works");
        assert_complete(&held, &held_by_pages(&api).await);
        let stats = api.simulator.stats();
        assert!(stats.of(ACTIVITY) >= 24, "{rule:?}: {stats:?}");
        let told = notices.take();
        assert!(
            matches!(told[..], [Notice::BatchGivenUp { .. }]),
            "{rule:?}: {told:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_takes_too_long_is_deleted_and_replaced_by_pages() {
    let api = account(8, 80);
    let busy = serde_json::json!({"operations": [{"method": "GET", "path": "/ping"}]});
    for _ in 0..20 {
        // Two minutes each: what somebody else asked for comes first.
        let path = mailchimp_client::Path::new("/batches", &[]).expect("a path");
        let query = mailchimp_client::Query::new();
        let sent = api.client.post_bytes(&path, &query, &busy).await;
        sent.expect("it is taken");
    }
    let mut held = Held::default();
    held.read(&activity(&api)).await.expect("reading works");
    let stats = api.simulator.stats();
    assert_eq!(stats.of("DELETE /batches/{batch_id}"), 1);
    assert_eq!(stats.of(ACTIVITY), 8);
    assert_complete(&held, &held_by_pages(&api).await);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_fails_is_told_and_asked_for_by_itself() {
    let api = account(8, 80);
    let failing = api.simulator.sent_campaigns()[3].clone();
    let below = format!("/reports/{failing}/email-activity");
    let faults = api.simulator.faults();
    let rule = Rule::new(Fault::Status5xxJson).below(&below);
    faults.add(rule.clone().in_batches());
    let notices = Arc::new(Notices::default());
    let settings = StreamSettings {
        email_activity_by: ActivityBy::Batches,
        ..StreamSettings::default()
    };
    let source = activity_with(&api, settings, notices.clone());
    let told = || {
        let part = format!("email_activity of campaign_id {failing}");
        vec![Notice::OperationFailed { part, status: 500 }]
    };
    let mut held = Held::default();
    held.read(&source).await.expect("reading works");
    assert_eq!(notices.take(), told());
    assert_eq!(api.simulator.stats().of(ACTIVITY), 1);
    assert_complete(&held, &held_by_pages(&api).await);

    // What fails for good is a failed part, and read by the next run.
    faults.add(rule);
    tokio::time::advance(8 * DAY).await;
    let mut held = Held::default();
    held.read(&source).await.expect("the others are read");
    assert_eq!(notices.take(), told());
    let [failure] = &held.failures[..] else {
        panic!("{:?}", held.failures)
    };
    assert!(failure.part.contains(&failing));
    assert_eq!(failure.error.kind(), ErrorKind::Unavailable);
    assert_eq!(held.count("campaign_id", &failing), 0);
    assert_eq!(awaited(&held), None);
    faults.clear();
    held.read(&source).await.expect("reading works");
    assert_complete(&held, &held_by_pages(&api).await);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_read_activity_ends_the_read() {
    let api = account(8, 80);
    for in_batches in [false, true] {
        let rule = Rule::new(Fault::Forbidden).on(ACTIVITY);
        let rule = if in_batches { rule.in_batches() } else { rule };
        api.simulator.faults().add(rule);
    }
    let ended = Held::default().read(&activity(&api)).await;
    assert_eq!(ended.map_err(|error| error.kind()), Err(ErrorKind::Denied));
}

#[tokio::test(start_paused = true)]
async fn a_campaign_deleted_while_its_batch_runs_is_no_failure() {
    let api = account(8, 80);
    let doomed = api.simulator.sent_campaigns()[5].clone();
    let id = doomed.clone();
    api.simulator
        .on_request(When::After, move |request, simulator| {
            if request.operation() == SENT {
                simulator.campaign(&id).delete().expect("it is there");
            }
        });
    let mut held = Held::default();
    held.read(&activity(&api)).await.expect("reading works");
    assert_eq!(held.count("campaign_id", &doomed), 0);
    assert_complete(&held, &held_by_pages(&api).await);
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_full_page_is_joined_to_it_by_an_overlap() {
    let api = account(1, 2_500);
    let offsets: Arc<Mutex<Vec<String>>> = Arc::default();
    let asked = offsets.clone();
    api.simulator.on_request(When::Before, move |request, _| {
        if request.operation() == ACTIVITY {
            let offset = request.parameter("offset").unwrap_or_default();
            asked.lock().expect("no panic").push(offset.to_owned());
        }
    });
    let mut held = Held::default();
    held.read(&activity(&api)).await.expect("reading works");
    let asked = std::mem::take(&mut *offsets.lock().expect("no panic"));
    assert_eq!(asked, ["990", "1980"]);
    assert_complete(&held, &held_by_pages(&api).await);
}
