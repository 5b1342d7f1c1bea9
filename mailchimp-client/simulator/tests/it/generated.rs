//! Members made in bulk.

use std::collections::BTreeSet;

use mailchimp_simulator::{
    AudienceHandle, AudienceSpec, GroupSpec, Spread, Status, StatusMix, TagSpec,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::api::{Api, LIST, at, noon};

fn seconds(api: &Api) -> Vec<i64> {
    let members = api.simulator.audience(LIST).members();
    members
        .iter()
        .map(|member| (member.last_changed - noon()).num_seconds())
        .collect()
}

#[test]
fn members_are_spread_over_time_as_asked() {
    let api = Api::new();
    let spread = |spread| {
        api.audience_of(100, |spec| spec.spread = spread);
        seconds(&api)
    };
    let even = spread(Spread::Even {
        from: noon(),
        to: at(1000),
    });
    assert_eq!(even, (0..100).map(|member| member * 10).collect::<Vec<_>>());
    let bursts = spread(Spread::Bursts {
        count: 4,
        from: noon(),
        to: at(1000),
    });
    assert_eq!(
        bursts.iter().collect::<BTreeSet<_>>(),
        BTreeSet::from([&0, &250, &500, &750])
    );
    assert_eq!(bursts.iter().filter(|second| **second == 250).count(), 25);
    assert_eq!(spread(Spread::OneSecond(at(7))), [7; 100]);
    let scattered = spread(Spread::Scattered {
        from: noon(),
        to: at(1000),
    });
    assert!(scattered.iter().all(|second| (0..1000).contains(second)) && !scattered.is_sorted());
}

#[test]
fn statuses_tags_and_interests_come_in_the_shares_asked_for() {
    let api = Api::new();
    let audience = api.audience_of(4000, |spec| {
        spec.statuses = StatusMix {
            unsubscribed: 1,
            ..StatusMix::default()
        };
        spec.tags = vec![TagSpec::new("Buyer", 25)];
        spec.groups = vec![GroupSpec::new("Topics", ["Tea"])];
    });
    let near = |found: usize, expected: usize| found.abs_diff(expected) < 200;
    assert!(near(audience.count(Status::Subscribed), 2000));
    assert_eq!(
        audience.count(Status::Subscribed) + audience.count(Status::Unsubscribed),
        4000
    );
    let flags = "include_unsubscribed=true";
    let count = api.column(
        &format!("/lists/{LIST}/segments?{flags}"),
        "segments",
        "member_count",
    );
    let count = usize::try_from(count[0].as_u64().unwrap()).unwrap();
    assert!(near(count, 1000), "{count}");
    let rows = api.read(&format!("/lists/{LIST}/members?count=1000"));
    let tagged = rows["members"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["tags_count"] == 1);
    assert!((200..300).contains(&tagged.count()));
}

#[test]
fn the_same_seed_gives_the_same_account() {
    let page = |seed| {
        let api = Api::with(|settings| settings.seed = seed);
        api.audience_of(50, |spec| spec.statuses = StatusMix::SHOP);
        api.read(&format!("/lists/{LIST}/members?count=50"))
    };
    assert_eq!(page(1), page(1));
    assert_ne!(page(1), page(2));
}

#[test]
fn audiences_share_the_people_whose_numbers_overlap() {
    let api = Api::new();
    let audience = |id: &str, first_member| {
        let spec = AudienceSpec {
            first_member,
            statuses: StatusMix {
                unsubscribed: 1,
                ..StatusMix::default()
            },
            ..AudienceSpec::new(id, 100)
        };
        api.simulator.add_audience(spec)
    };
    let (one, two) = (audience("one", 0), audience("two", 60));
    let ids = |audience: &AudienceHandle| -> BTreeSet<String> {
        audience
            .members()
            .into_iter()
            .map(|member| member.id)
            .collect()
    };
    let shared: Vec<String> = ids(&one).intersection(&ids(&two)).cloned().collect();
    assert_eq!(shared.len(), 40);
    let differ = |key: &str| {
        let value = |audience: &AudienceHandle, id| audience.member(id).unwrap()[key].clone();
        shared
            .iter()
            .filter(|id| value(&one, id) != value(&two, id))
            .count()
    };
    assert_eq!((differ("email_address"), differ("full_name")), (0, 0));
    assert!(
        (5..35).contains(&differ("status")),
        "one status says nothing about the other"
    );
}

#[test]
fn an_import_in_one_second_leaves_out_taken_addresses() {
    let api = Api::new();
    let audience = api.audience(10);
    assert_eq!(audience.bulk_import(5, 2000, at(30)), Ok(1995));
    assert_eq!(audience.len(), 2005);
    let tied = api.read(&format!(
        "/lists/{LIST}/members?since_last_changed=2026-03-01T12:00:29Z"
    ));
    assert_eq!(tied["total_items"], 1995);
}

#[test]
fn a_generated_member_that_changes_keeps_everything_else() {
    let api = Api::new();
    let audience = api.audience_of(20, |spec| {
        spec.tags = vec![TagSpec::new("Buyer", 50)];
        spec.groups = vec![GroupSpec::new("Topics", ["Tea", "Cake"])];
    });
    for position in 0..20 {
        let id = audience.nth_id(position).unwrap();
        let mut before = audience.member(&id).unwrap();
        audience.at(at(9)).set_language(&id, "xx").unwrap();
        let after = audience.member(&id).unwrap();
        before["language"] = "xx".into();
        before["last_changed"] = "2026-03-01T12:00:09+00:00".into();
        assert_eq!(before, after);
    }
}

/// One thing that happens to a member.
#[derive(Debug, Clone, Copy)]
enum Event {
    Status(Status),
    Address,
    Delete,
    Subscribe,
    Pass(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        proptest::sample::select(Status::ALL.to_vec()).prop_map(Event::Status),
        Just(Event::Address),
        Just(Event::Delete),
        Just(Event::Subscribe),
        (0_u8..3).prop_map(Event::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens, lists, windows and totals agree with the members there are.
    #[test]
    fn lists_agree_with_the_members_there_are(
        events in proptest::collection::vec((0_usize..40, event()), 0..120),
        since in 0_i64..60,
        length in 0_i64..60,
        lag in 0_u64..4,
    ) {
        let api = Api::with(|settings| {
            settings.visibility_lag = std::time::Duration::from_secs(lag);
        });
        let audience = api.audience(30);
        let mut fresh = 0;
        for (position, event) in events {
            let id = audience.nth_id(position);
            match (event, id) {
                (Event::Pass(seconds), _) => api.pass(seconds.into()),
                (Event::Subscribe, _) => {
                    audience.subscribe(&format!("late{}@mail.test", position % 5)).unwrap();
                }
                (_, None) => {}
                (Event::Status(status), Some(id)) => audience.set_status(&id, status).unwrap(),
                (Event::Delete, Some(id)) => audience.delete_permanently(&id).unwrap(),
                (Event::Address, Some(id)) => {
                    fresh += 1;
                    audience.change_address(&id, &format!("fresh{fresh}@mail.test")).unwrap();
                }
            }
        }
        api.pass(10);
        let members = audience.members();
        let bounds = format!(
            "since_last_changed={}&before_last_changed={}",
            at(since).format("%Y-%m-%dT%H:%M:%SZ"),
            at(since + length).format("%Y-%m-%dT%H:%M:%SZ"),
        );
        let statuses = Status::ALL.map(|status| (format!("status={}", status.as_str()), Some(status)));
        for (filter, status) in statuses.into_iter().chain([(String::new(), None)]) {
            let expected: BTreeSet<&str> = members
                .iter()
                .filter(|member| match status {
                    Some(status) => member.status == status,
                    None => member.status != Status::Archived,
                })
                .filter(|member| member.last_changed > at(since) && member.last_changed <= at(since + length))
                .map(|member| member.email_address.as_str())
                .collect();
            for sort in ["", "&sort_field=last_changed", "&sort_field=last_changed&sort_dir=DESC"] {
                let parameters = format!("{filter}&{bounds}{sort}");
                let listed = api.addresses(&parameters);
                prop_assert_eq!(listed.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected.clone());
                prop_assert_eq!(listed.len(), expected.len());
                let body = api.read(&format!("/lists/{LIST}/members?count=1&{parameters}"));
                prop_assert_eq!(&body["total_items"], &Value::from(expected.len()));
            }
        }
    }
}
