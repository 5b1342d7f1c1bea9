//! One run after the other: what a later one reads, and where one that was cut short goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use mailchimp_simulator::{AccountSpec, CampaignsSpec, Fault, Rule, TagSpec};
use sync_core::{Key, Keyed, Position, Source};
use sync_mailchimp::AudienceSettings;
use sync_mailchimp::catalogue::{CatalogueAccount, MembersSource};

use super::{Held, source};
use crate::api::Api;

const ACTIVITY: &str = "GET /reports/{campaign_id}/email-activity";
const DAY: Duration = Duration::from_secs(86_400);

fn account(campaigns: CampaignsSpec) -> Api {
    let api = Api::new(|_| {});
    let mut spec = AccountSpec::full();
    spec.campaigns = campaigns;
    for number in 0..12 {
        let tag = TagSpec::new(format!("tag {number}"), 50);
        spec.audiences[0].tags.push(tag);
    }
    api.simulator.fill(spec);
    api
}

fn sent(sent: u32) -> CampaignsSpec {
    CampaignsSpec {
        sent,
        ..CampaignsSpec::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_in_which_nothing_moved_asks_for_the_parents_alone() {
    let api = account(sent(40));
    let mut held = Held::default();
    let activity = source(&api, "email_activity");
    held.read(&activity).await.expect("reading works");
    assert_eq!(api.simulator.stats().of(ACTIVITY), 40);

    tokio::time::advance(DAY).await;
    api.simulator.reset_stats();
    held.read(&activity).await.expect("reading works");
    let stats = api.simulator.stats();
    assert_eq!((held.delivered, stats.total()), (0, 2), "{stats:?}");

    // Somebody opens an old campaign.
    let campaign = api.simulator.campaign(&api.simulator.sent_campaigns()[2]);
    let reader = campaign.recipient(7).expect("a recipient");
    let before = held.records.len();
    campaign.open(&reader).expect("it can be opened");
    tokio::time::advance(DAY).await;
    api.simulator.reset_stats();
    held.read(&activity).await.expect("reading works");
    assert_eq!(api.simulator.stats().of(ACTIVITY), 1);
    assert_eq!(held.records.len(), before + 1);

    // Now and then everything is read, whatever the gates say.
    tokio::time::advance(7 * DAY).await;
    api.simulator.reset_stats();
    held.read(&activity).await.expect("reading works");
    assert_eq!(api.simulator.stats().of(ACTIVITY), 40);
    assert_eq!(held.records.len(), before + 1);
    tokio::time::advance(DAY).await;
    api.simulator.reset_stats();
    held.read(&activity).await.expect("reading works");
    assert_eq!(api.simulator.stats().of(ACTIVITY), 0);
}

#[tokio::test(start_paused = true)]
async fn members_of_segments_are_read_once_a_period() {
    let api = account(sent(1));
    let segments = source(&api, "segment_members");
    let mut held = Held::default();
    held.read(&segments).await.expect("reading works");
    let all = held.delivered;
    assert!(all > 0);
    tokio::time::advance(DAY / 2).await;
    api.simulator.reset_stats();
    held.read(&segments).await.expect("reading works");
    assert_eq!((held.delivered, api.simulator.stats().total()), (0, 0));
    tokio::time::advance(DAY).await;
    held.read(&segments).await.expect("reading works");
    assert_eq!(held.delivered, all);

    // Somebody who goes back in time wants it read again.
    let mut again = Held::default();
    let now = (api.clock)();
    let mut reader = segments.read(Position::Since(now)).expect("a time");
    while again.take(&mut *reader).await.expect("reading works") {}
    assert_eq!(again.delivered, all);

    // What failed is tried again by the next run.
    let record = held.records.values().next().expect("a member");
    let id = |name: &str| record[name].as_str().expect("an id").to_owned();
    let segment = format!("/lists/{}/segments/{}/", id("list_id"), id("segment_id"));
    let refused = Rule::new(Fault::Status5xxHtml(503)).below(segment);
    api.simulator.faults().add(refused);
    let mut again = Held::default();
    again.read(&segments).await.expect("the others are read");
    assert_eq!(again.failures.len(), 1);
    api.simulator.faults().clear();
    again.read(&segments).await.expect("reading works");
    assert_eq!((again.failures.len(), again.delivered), (0, all));
}

/// Cuts a read at each batch and reads on from the last cursor.
async fn cut_everywhere(stream: &str, template: &str, gated: bool) {
    let api = account(sent(40));
    let mut whole = Held::default();
    whole
        .read(&source(&api, stream))
        .await
        .expect("reading works");
    let all = api.simulator.stats().of(template);
    let mut saved = false;
    for batches in 1.. {
        let mut held = Held::default();
        let cut = source(&api, stream);
        let mut reader = cut.read(Position::Start).expect("the start");
        let mut ended = false;
        for _ in 0..batches {
            ended = !held.take(&mut *reader).await.expect("reading works");
        }
        drop(reader);
        if ended {
            break;
        }
        let finished = held.cursor.as_ref().map_or(0, |cursor| {
            let parents = cursor.state["parents"].as_object();
            parents.map_or(0, serde_json::Map::len)
        });
        // What was under way when the reader was dropped is over.
        tokio::time::sleep(Duration::from_secs(10)).await;
        api.simulator.reset_stats();
        held.read(&source(&api, stream))
            .await
            .expect("reading works");
        assert!(
            held.records == whole.records,
            "{stream}: cut after {batches}"
        );
        let asked = api.simulator.stats().of(template);
        saved |= asked < all;
        assert!(asked <= all);
        if gated {
            let finished = u64::try_from(finished).expect("few");
            assert!(asked + finished <= all, "{stream}");
        }
    }
    assert!(
        saved,
        "{stream}: a run that was cut saves the next one something"
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_cut_goes_on_at_the_campaign_where_it_was() {
    cut_everywhere("email_activity", ACTIVITY, true).await;
}

#[tokio::test(start_paused = true)]
async fn a_read_two_levels_down_goes_on_where_it_was() {
    let segments = "GET /lists/{list_id}/segments/{segment_id}/members";
    cut_everywhere("segment_members", segments, false).await;
    let clicks = "GET /reports/{campaign_id}/click-details/{link_id}/members";
    cut_everywhere("click_detail_members", clicks, false).await;
}

#[tokio::test(start_paused = true)]
async fn an_account_is_read_at_the_speed_of_ten_connections() {
    let api = account(CampaignsSpec {
        sent: 60,
        recipients: 2000,
        opened_percent: 2,
        ..CampaignsSpec::default()
    });
    let began = tokio::time::Instant::now();
    let mut held = Held::default();
    held.read(&source(&api, "email_activity"))
        .await
        .expect("reading works");
    let stats = api.simulator.stats();
    assert!(stats.of(ACTIVITY) <= 60 * 3, "{stats:?}");
    assert_eq!(stats.max_in_flight, 10);
    let calls = f64::from(u32::try_from(stats.total()).expect("few"));
    let took = began.elapsed().as_secs_f64();
    assert!(
        took <= 1.15 * calls * 0.2 / 10.0 + 0.4,
        "{took} s for {calls}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_for_its_sink_leaves_the_connections_to_others() {
    let api = account(CampaignsSpec {
        sent: 20,
        recipients: 8000,
        opened_percent: 100,
        ..CampaignsSpec::default()
    });
    let activity = source(&api, "email_activity");
    let mut reader = activity.read(Position::Start).expect("the start");
    let mut held = Held::default();
    assert!(held.take(&mut *reader).await.expect("reading works"));
    // The sink is busy, and the reader as far ahead as it may be.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(api.simulator.stats().of(ACTIVITY) < 100);
    let campaigns = source(&api, "campaigns");
    let mut others = Held::default();
    let read = tokio::time::timeout(Duration::from_secs(600), others.read(&campaigns)).await;
    read.expect("calls get connections").expect("reading works");
    assert_eq!(others.records.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn records_without_a_path_of_their_own_are_found_in_one_walk_below_each_parent() {
    const MEMBERS: &str = "GET /lists/{list_id}/segments/{segment_id}/members";
    let api = account(sent(1));
    let segments = source(&api, "segment_members");
    let mut held = Held::default();
    held.read(&segments).await.expect("reading works");
    let mut keys: Vec<Key> = held.records.keys().cloned().map(Key::new).collect();
    let parent = |key: &Key| {
        let member = key.as_str().rsplit_once(':').expect("it has parts");
        member.0.to_owned()
    };
    let parents: BTreeSet<String> = keys.iter().map(parent).collect();
    assert!(keys.len() > 5 * parents.len(), "{} keys", keys.len());
    let gone = Key::new(format!("{}:nobody", parent(&keys[0])));
    keys.insert(3, gone.clone());
    keys.push(keys[0].clone());
    api.simulator.reset_stats();
    let found = segments.fetch(&keys).await.expect("fetching works");
    for (key, record) in keys.iter().zip(&found) {
        let expected = Some(key).filter(|key| **key != gone);
        assert_eq!(record.as_ref().map(Keyed::key).as_ref(), expected);
    }
    let walks = u64::try_from(parents.len()).expect("few");
    assert_eq!(api.simulator.stats().of(MEMBERS), walks);
}

fn members(api: &Api) -> MembersSource {
    let clock = api.clock.clone();
    let account = CatalogueAccount::new(api.client.clone());
    let settings = AudienceSettings::default();
    let clock = std::sync::Arc::new(move || clock());
    MembersSource::new(account, "f0e1d2c3b4", settings, clock).expect("the settings are right")
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_members_outlives_calls_that_are_dropped() {
    let api = account(sent(1));
    let expected = api.simulator.audience("f0e1d2c3b4").members().len();
    let mut while_asked = 0;
    for dropped_after in (0..3000).step_by(50) {
        api.simulator.reset_stats();
        let source = members(&api);
        let mut reader = source.read(Position::Start).expect("a position");
        let patience = Duration::from_millis(dropped_after);
        let first = tokio::time::timeout(patience, reader.next_batch()).await;
        if first.is_err()
            && api
                .simulator
                .stats()
                .of("GET /lists/{list_id}/merge-fields")
                > 0
        {
            while_asked += 1;
        }
        let mut read = 0;
        let mut next = first.unwrap_or_else(|_| Ok(Some(sync_core::Batch::of(Vec::new()))));
        while let Some(batch) = next.expect("reading works") {
            read += batch.items.len();
            next = reader.next_batch().await;
        }
        assert_eq!(read, expected, "dropped after {dropped_after} ms");
        tokio::time::advance(DAY).await;
    }
    assert!(while_asked > 0, "a batch was there and its tags were not");
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_goes_to_another_field_takes_no_value_with_it() {
    const FIELDS: &str = "GET /lists/{list_id}/merge-fields";
    let api = account(sent(1));
    let audience = api.simulator.audience("f0e1d2c3b4");
    let source = members(&api);
    let member = audience.nth_id(3).expect("a member");
    let merged = async |position| {
        let mut reader = source.read(position).expect("a position");
        let (mut merged, mut cursor) = (None, None);
        while let Some(batch) = reader.next_batch().await.expect("reading works") {
            for change in batch.items {
                if let sync_core::Change::Present(record) = change {
                    let json = sync_core::AsJson::as_json(&record);
                    let json: serde_json::Value = serde_json::from_slice(&json).expect("json");
                    if json["id"] == *member || json["contact_id"] == *member {
                        merged = Some(json["merge"].clone());
                    }
                }
            }
            cursor = batch.resume.or(cursor);
        }
        (merged, cursor.map_or(Position::Start, Position::Cursor))
    };
    let (before, position) = merged(Position::Start).await;
    let before = before.expect("the member was read");
    assert_eq!(api.simulator.stats().of(FIELDS), 1);

    // An idle run asks nothing.
    tokio::time::advance(DAY).await;
    merged(position).await;
    assert_eq!(api.simulator.stats().of(FIELDS), 1);

    // Two fields swap their tags: both tags are known, and mean something else.
    for (from, to) in [("FNAME", "OTHER"), ("LNAME", "FNAME"), ("OTHER", "LNAME")] {
        audience
            .rename_merge_field(from, to)
            .expect("it can be renamed");
    }
    tokio::time::advance(DAY).await;
    let (after, _) = merged(Position::Start).await;
    assert_eq!(after, Some(before), "the fields kept their values");
    assert_eq!(api.simulator.stats().of(FIELDS), 2);
}
