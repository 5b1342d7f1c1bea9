//! Each endpoint over a socket, with the JSON its documentation shows.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use mailchimp_client::{
    ActivityAction, BatchMethod, BatchOperation, BatchPatience, BatchStatus, Client, EmailType,
    Error, FeedKind, FieldSelection, GetList, GetSegment, InterestCategoryType, InterestMatch,
    ListActivity, ListFeed, ListInterestCategories, ListLists, ListMembers, ListMergeFields,
    ListSegmentMembers, ListSegments, ListSort, MemberSort, MemberStatus, MemberWrite,
    MergeFieldType, PageRequest, Path, Query, SegmentInclude, SegmentType, SortDir, TagWrite,
    WebhookEvents, WebhookSources, WebhookWrite, subscriber_hash,
};
use serde_json::{Value, json};
use wiremock::matchers::{
    basic_auth, body_json, header_exists, method, path, query_param, query_param_is_missing,
};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

use crate::script::key;

const ADDRESS: &str = "Urist.McVankab@corp.invalid";

async fn server() -> (MockServer, Client) {
    let server = MockServer::start().await;
    let base = format!("{}/3.0/", server.uri()).parse().unwrap();
    let client = Client::builder(key()).base_url(base).build().unwrap();
    (server, client)
}

fn on(verb: &str, at: &str) -> MockBuilder {
    Mock::given(method(verb))
        .and(path(format!("/3.0{at}")))
        .and(basic_auth("key", key()))
        .and(header_exists("user-agent"))
}

fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// A 204 as Mailchimp sends it: of JSON, it says, and empty.
fn no_content() -> ResponseTemplate {
    ResponseTemplate::new(204).insert_header("content-type", "application/json; charset=utf-8")
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn page(offset: u64) -> PageRequest {
    PageRequest {
        count: Some(5),
        offset: Some(offset),
        ..PageRequest::default()
    }
}

fn everything() -> FieldSelection {
    FieldSelection::default()
}

#[tokio::test]
async fn account_and_ping() {
    let (server, client) = server().await;
    on("GET", "/")
        .and(query_param("fields", "account_id,role"))
        .respond_with(ok(
            json!({ "account_id": "8d3a3db4d97663a9074efcc16", "role": "owner" }),
        ))
        .mount(&server)
        .await;
    on("GET", "/ping")
        .respond_with(ok(json!({ "health_status": "Everything's Chimpy!" })))
        .mount(&server)
        .await;
    let selection = FieldSelection {
        fields: vec!["account_id".into(), "role".into()],
        ..everything()
    };
    let account = client.account(&selection).await.unwrap();
    assert_eq!(account.value.role.as_str(), Some("owner"));
    assert!(account.meta.server_time.is_some());
    let ping = client.ping().await.unwrap().into_value();
    assert_eq!(ping.health_status.as_str(), Some("Everything's Chimpy!"));
}

#[tokio::test]
async fn lists() {
    let (server, client) = server().await;
    on("GET", "/lists")
        .and(query_param("count", "5"))
        .and(query_param("offset", "10"))
        .and(query_param("exclude_fields", "lists._links,_links"))
        .and(query_param("before_date_created", "2026-01-02T03:04:05Z"))
        .and(query_param("since_date_created", "2025-01-02T03:04:05Z"))
        .and(query_param(
            "before_campaign_last_sent",
            "2026-01-02T03:04:05Z",
        ))
        .and(query_param(
            "since_campaign_last_sent",
            "2025-01-02T03:04:05Z",
        ))
        .and(query_param("email", ADDRESS))
        .and(query_param("sort_field", "date_created"))
        .and(query_param("sort_dir", "DESC"))
        .and(query_param("has_ecommerce_store", "false"))
        .and(query_param("include_total_contacts", "true"))
        .respond_with(ok(json!({
            "lists": [{ "id": "57afe96172", "name": "Freddie's", "stats": {
                "member_count": 203, "open_rate": 38.5, "campaign_last_sent": "" } }],
            "total_items": 1,
            "constraints": { "may_create": true, "max_instances": 1 }
        })))
        .mount(&server)
        .await;
    let request = ListLists {
        count: Some(5),
        offset: Some(10),
        exclude_fields: vec!["lists._links".into(), "_links".into()],
        before_date_created: Some(time("2026-01-02T03:04:05.999Z")),
        since_date_created: Some(time("2025-01-02T03:04:05.5Z")),
        before_campaign_last_sent: Some(time("2026-01-02T03:04:05Z")),
        since_campaign_last_sent: Some(time("2025-01-02T05:04:05+02:00")),
        email: Some(ADDRESS.into()),
        sort_field: Some(ListSort::DateCreated),
        sort_dir: Some(SortDir::Descending),
        has_ecommerce_store: Some(false),
        include_total_contacts: Some(true),
        ..ListLists::default()
    };
    assert!(!format!("{request:?}").contains("Urist"));
    let lists = client.lists().list(&request).await.unwrap().into_value();
    let stats = lists.items[0].stats.value().unwrap();
    assert_eq!(stats.member_count.value(), Some(&203));
    assert!(stats.campaign_last_sent.is_empty());
    assert_eq!(lists.extra.get("constraints").unwrap()["max_instances"], 1);
}

#[tokio::test]
async fn one_list() {
    let (server, client) = server().await;
    on("GET", "/lists/57afe96172")
        .and(query_param("include_total_contacts", "true"))
        .respond_with(ok(
            json!({ "id": "57afe96172", "stats": { "total_contacts": 210 } }),
        ))
        .mount(&server)
        .await;
    let request = GetList {
        include_total_contacts: Some(true),
        ..GetList::default()
    };
    let list = client
        .list("57afe96172")
        .get(&request)
        .await
        .unwrap()
        .into_value();
    assert_eq!(
        list.stats.value().unwrap().total_contacts.value(),
        Some(&210)
    );
}

#[tokio::test]
async fn members_with_every_filter() {
    let (server, client) = server().await;
    on("GET", "/lists/a/members")
        .and(query_param("fields", "members.id,total_items"))
        .and(query_param("email_type", "text"))
        .and(query_param("status", "unsubscribed"))
        .and(query_param("since_timestamp_opt", "2026-01-01T00:00:01Z"))
        .and(query_param("before_timestamp_opt", "2026-01-01T00:00:02Z"))
        .and(query_param("since_last_changed", "2026-01-01T00:00:03Z"))
        .and(query_param("before_last_changed", "2026-01-01T00:00:04Z"))
        .and(query_param("unique_email_id", "9eb69db8d0"))
        .and(query_param("vip_only", "true"))
        .and(query_param("interest_category_id", "1d8"))
        .and(query_param("interest_ids", "9143,3a2a"))
        .and(query_param("interest_match", "all"))
        .and(query_param("sort_field", "last_changed"))
        .and(query_param("sort_dir", "ASC"))
        .and(query_param("since_last_campaign", "true"))
        .and(query_param("unsubscribed_since", "2026-01-01T00:00:05Z"))
        .and(query_param_is_missing("count"))
        .respond_with(ok(json!({ "members": [{ "id": "x" }], "total_items": 1 })))
        .mount(&server)
        .await;
    let request = ListMembers {
        fields: vec!["members.id".into(), "total_items".into()],
        email_type: Some(EmailType::Text),
        status: Some(MemberStatus::Unsubscribed),
        since_timestamp_opt: Some(time("2026-01-01T00:00:01Z")),
        before_timestamp_opt: Some(time("2026-01-01T00:00:02Z")),
        since_last_changed: Some(time("2026-01-01T00:00:03Z")),
        before_last_changed: Some(time("2026-01-01T00:00:04Z")),
        unique_email_id: Some("9eb69db8d0".into()),
        vip_only: Some(true),
        interest_category_id: Some("1d8".into()),
        interest_ids: vec!["9143".into(), "3a2a".into()],
        interest_match: Some(InterestMatch::All),
        sort_field: Some(MemberSort::LastChanged),
        sort_dir: Some(SortDir::Ascending),
        since_last_campaign: Some(true),
        unsubscribed_since: Some(time("2026-01-01T00:00:05Z")),
        ..ListMembers::default()
    };
    let members = client
        .list("a")
        .members()
        .list(&request)
        .await
        .unwrap()
        .into_value();
    assert_eq!((members.items.len(), members.total_items), (1, Some(1)));
}

#[tokio::test]
async fn filters_that_the_server_would_refuse_are_not_sent() {
    let (server, client) = server().await;
    let members = client.list("a").members();
    let refused = [
        ListMembers {
            since_last_campaign: Some(true),
            ..ListMembers::default()
        },
        ListMembers {
            unsubscribed_since: Some(time("2026-01-01T00:00:00Z")),
            ..ListMembers::default()
        },
        ListMembers {
            interest_ids: vec!["x".into()],
            ..ListMembers::default()
        },
        ListMembers {
            interest_match: Some(InterestMatch::Any),
            ..ListMembers::default()
        },
    ];
    for request in refused {
        assert!(
            matches!(members.list(&request).await, Err(Error::Request(_))),
            "{request:?}"
        );
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_member_by_hash_contact_id_or_address() {
    let (server, client) = server().await;
    let hash = subscriber_hash(ADDRESS);
    assert_eq!(
        subscriber_hash("Urist.McVankab@freddiesjokes.com"),
        "62eeb292278cc15f5817cb78f7790b08"
    );
    for key in [hash.as_str(), "b5a9a3a8"] {
        on("GET", &format!("/lists/a/members/{key}"))
            .respond_with(ok(json!({ "id": key, "status": "archived" })))
            .mount(&server)
            .await;
    }
    let members = client.list("a").members();
    for (key, id) in [
        (hash.as_str(), hash.as_str()),
        ("b5a9a3a8", "b5a9a3a8"),
        (ADDRESS, &hash),
    ] {
        let member = members.get(key, &everything()).await.unwrap().into_value();
        assert_eq!(member.id.as_str(), Some(id));
        let raw = members.get_raw(key).await.unwrap().into_value();
        assert_eq!(serde_json::from_slice::<Value>(&raw).unwrap()["id"], id);
    }
}

#[tokio::test]
async fn writing_members() {
    let (server, client) = server().await;
    let at = format!("/lists/a/members/{}", subscriber_hash(ADDRESS));
    on("PUT", &at)
        .and(query_param("skip_merge_validation", "true"))
        .and(body_json(json!({
            "email_address": ADDRESS,
            "status_if_new": "pending",
            "merge_fields": { "FNAME": "Urist" },
            "interests": { "9143": true },
            "timestamp_opt": "2026-01-01T00:00:01Z"
        })))
        .respond_with(ok(json!({ "status": "pending" })))
        .expect(1)
        .mount(&server)
        .await;
    on("PATCH", &at)
        .and(query_param_is_missing("skip_merge_validation"))
        .and(body_json(json!({ "status": "unsubscribed" })))
        .respond_with(ok(json!({ "status": "unsubscribed" })))
        .expect(1)
        .mount(&server)
        .await;
    on("DELETE", &at)
        .respond_with(no_content())
        .expect(1)
        .mount(&server)
        .await;
    on("POST", &format!("{at}/actions/delete-permanent"))
        .respond_with(no_content())
        .expect(1)
        .mount(&server)
        .await;
    let members = client.list("a").members();
    let mut body = MemberWrite {
        email_address: Some(ADDRESS.into()),
        status_if_new: Some(MemberStatus::Pending),
        timestamp_opt: Some(time("2026-01-01T00:00:01.5Z")),
        skip_merge_validation: true,
        ..MemberWrite::default()
    };
    body.merge_fields.insert("FNAME".into(), json!("Urist"));
    body.interests.insert("9143".into(), true);
    assert!(!format!("{body:?}").contains("Urist"));
    let member = members.upsert(ADDRESS, &body).await.unwrap().into_value();
    assert_eq!(member.status.value(), Some(&MemberStatus::Pending));
    let change = MemberWrite {
        status: Some(MemberStatus::Unsubscribed),
        ..MemberWrite::default()
    };
    members.update(ADDRESS, &change).await.unwrap();
    assert_eq!(members.archive(ADDRESS).await.unwrap().meta.status, 204);
    assert_eq!(
        members
            .delete_permanently(ADDRESS)
            .await
            .unwrap()
            .meta
            .status,
        204
    );
}

#[tokio::test]
async fn tags_of_a_member() {
    let (server, client) = server().await;
    on("GET", "/lists/a/members/k/tags")
        .and(query_param("offset", "5"))
        .respond_with(ok(json!({
            "tags": [{ "id": 1, "name": "gold", "date_added": "2026-06-30 12:00:00" }],
            "total_items": 6
        })))
        .mount(&server)
        .await;
    on("POST", "/lists/a/members/k/tags")
        .and(body_json(json!({
            "tags": [
                { "name": "gold", "status": "active" },
                { "name": "lead", "status": "inactive" }
            ],
            "is_syncing": true
        })))
        .respond_with(no_content())
        .expect(1)
        .mount(&server)
        .await;
    let members = client.list("a").members();
    let tags = members.tags("k", &page(5)).await.unwrap().into_value();
    let added = tags.items[0].date_added.value().unwrap().0;
    assert_eq!(added.to_rfc3339(), "2026-06-30T12:00:00+00:00");
    let tags = [("gold", true), ("lead", false)].map(|(name, active)| TagWrite {
        name: name.into(),
        active,
    });
    members.set_tags("k", &tags, true).await.unwrap();
}

#[tokio::test]
async fn activity_of_a_member() {
    let (server, client) = server().await;
    on("GET", "/lists/a/members/k/activity")
        .and(query_param("action", "open,click"))
        .respond_with(ok(json!({
            "activity": [{ "action": "click", "timestamp": "2026-06-30T12:00:00+00:00",
                           "url": "https://x.invalid", "campaign_id": "c" }],
            "email_id": "k", "list_id": "a", "total_items": 1
        })))
        .mount(&server)
        .await;
    on("GET", "/lists/a/members/k/activity-feed")
        .and(query_param("activity_filters", "bounce"))
        .respond_with(ok(json!({
            "activity": [{ "activity_type": "bounce", "bounce_type": "hard",
                           "created_at_timestamp": "2026-06-30T12:00:00+00:00" }]
        })))
        .mount(&server)
        .await;
    let members = client.list("a").members();
    let request = ListActivity {
        action: vec![ActivityAction::Open, ActivityAction::Click],
        ..ListActivity::default()
    };
    let events = members.activity("k", &request).await.unwrap().into_value();
    assert_eq!(events.items[0].action.value(), Some(&ActivityAction::Click));
    let request = ListFeed {
        activity_filters: vec![FeedKind::Bounce],
        ..ListFeed::default()
    };
    let feed = members
        .activity_feed("k", &request)
        .await
        .unwrap()
        .into_value();
    assert_eq!(feed.total_items, None);
    assert_eq!(feed.items[0].extra.get("bounce_type"), Some(&json!("hard")));
}

#[tokio::test]
async fn merge_fields() {
    let (server, client) = server().await;
    let field = json!({ "merge_id": 1, "tag": "BDAY", "type": "birthday", "required": false,
        "options": { "date_format": "MM/DD" }, "default_value": "" });
    on("GET", "/lists/a/merge-fields")
        .and(query_param("type", "birthday"))
        .and(query_param("required", "false"))
        .respond_with(ok(json!({ "merge_fields": [field], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", "/lists/a/merge-fields/1")
        .respond_with(ok(field))
        .mount(&server)
        .await;
    let fields = client.list("a").merge_fields();
    let request = ListMergeFields {
        kind: Some(MergeFieldType::Birthday),
        required: Some(false),
        ..ListMergeFields::default()
    };
    let listed = fields.list(&request).await.unwrap().into_value();
    let one = fields.get(1, &everything()).await.unwrap().into_value();
    assert_eq!(listed.items[0], one);
    assert_eq!(one.kind.value(), Some(&MergeFieldType::Birthday));
    let all: Vec<_> = fields
        .stream(&request)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(all, [one]);
}

#[tokio::test]
async fn interest_categories_and_interests() {
    let (server, client) = server().await;
    let category = json!({ "id": "c1", "title": "Jokes", "type": "checkboxes" });
    let interest = json!({ "id": "i1", "name": "Puns", "subscriber_count": "9" });
    let at = "/lists/a/interest-categories";
    on("GET", at)
        .and(query_param("type", "checkboxes"))
        .respond_with(ok(json!({ "categories": [category], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", &format!("{at}/c1"))
        .respond_with(ok(category))
        .mount(&server)
        .await;
    on("GET", &format!("{at}/c1/interests"))
        .respond_with(ok(json!({ "interests": [interest], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", &format!("{at}/c1/interests/i1"))
        .respond_with(ok(interest))
        .mount(&server)
        .await;
    let categories = client.list("a").interest_categories();
    let request = ListInterestCategories {
        kind: Some(InterestCategoryType::Checkboxes),
        ..ListInterestCategories::default()
    };
    let listed = categories.list(&request).await.unwrap().into_value();
    assert_eq!(
        listed.items[0],
        categories
            .get("c1", &everything())
            .await
            .unwrap()
            .into_value()
    );
    let interests = categories
        .interests("c1", &page(0))
        .await
        .unwrap()
        .into_value();
    let one = categories
        .interest("c1", "i1", &everything())
        .await
        .unwrap()
        .into_value();
    assert_eq!(interests.items[0], one);
    assert_eq!(one.subscriber_count.as_str(), Some("9"));
    let all: Vec<_> = categories
        .interests_stream("c1", &page(0))
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(all, [one]);
}

#[tokio::test]
async fn segments_and_their_members() {
    let (server, client) = server().await;
    let segment = json!({ "id": 49377, "name": "gold", "type": "static", "member_count": 2 });
    on("GET", "/lists/a/segments")
        .and(query_param("type", "static"))
        .and(query_param("since_created_at", "2026-01-01T00:00:01Z"))
        .and(query_param("before_created_at", "2026-01-01T00:00:02Z"))
        .and(query_param("since_updated_at", "2026-01-01T00:00:03Z"))
        .and(query_param("before_updated_at", "2026-01-01T00:00:04Z"))
        .and(query_param("include_cleaned", "true"))
        .respond_with(ok(json!({ "segments": [segment], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", "/lists/a/segments/49377")
        .and(query_param("include_unsubscribed", "true"))
        .respond_with(ok(segment))
        .mount(&server)
        .await;
    on("GET", "/lists/a/segments/49377/members")
        .and(query_param("include_cleaned", "true"))
        .and(query_param("include_transactional", "true"))
        .and(query_param("include_unsubscribed", "true"))
        .respond_with(ok(
            json!({ "members": [{ "id": "x" }, { "id": "y" }], "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    let segments = client.list("a").segments();
    let request = ListSegments {
        kind: Some(SegmentType::Static),
        since_created_at: Some(time("2026-01-01T00:00:01Z")),
        before_created_at: Some(time("2026-01-01T00:00:02Z")),
        since_updated_at: Some(time("2026-01-01T00:00:03Z")),
        before_updated_at: Some(time("2026-01-01T00:00:04Z")),
        include: SegmentInclude::all(),
        ..ListSegments::default()
    };
    let listed = segments.list(&request).await.unwrap().into_value();
    let get = GetSegment {
        include: SegmentInclude::all(),
        ..GetSegment::default()
    };
    assert_eq!(
        listed.items[0],
        segments.get(49377, &get).await.unwrap().into_value()
    );
    let request = ListSegmentMembers {
        include: SegmentInclude::all(),
        ..ListSegmentMembers::default()
    };
    let members = segments
        .members(49377, &request)
        .await
        .unwrap()
        .into_value();
    assert_eq!((members.items.len(), members.total_items), (2, Some(1)));
    let all: Vec<_> = segments
        .members_stream(49377, &request)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(all, members.items);
}

#[tokio::test]
async fn tags_of_an_audience() {
    let (server, client) = server().await;
    on("GET", "/lists/a/tag-search")
        .and(query_param("name", "g&o"))
        .respond_with(ok(
            json!({ "tags": [{ "id": 7, "name": "G&Old" }], "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    let list = client.list("a");
    let tags = list
        .search_tags(Some("g&o"), &page(0))
        .await
        .unwrap()
        .into_value();
    assert_eq!(tags.items[0].id.value(), Some(&7));
    let all: Vec<_> = list
        .tag_stream(Some("g&o"), &page(0))
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(all, tags.items);
}

#[tokio::test]
async fn webhooks() {
    let (server, client) = server().await;
    let url = "https://hooks.invalid/mailchimp";
    let hook = json!({ "id": "w1", "url": url, "events": { "subscribe": true },
        "sources": { "user": true, "admin": true, "api": false }, "list_id": "a" });
    on("GET", "/lists/a/webhooks")
        .respond_with(ok(
            json!({ "webhooks": [hook], "list_id": "a", "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    on("GET", "/lists/a/webhooks/w1")
        .respond_with(ok(hook.clone()))
        .mount(&server)
        .await;
    let mut created = hook;
    created["signing_secret"] = json!("sesame");
    on("POST", "/lists/a/webhooks")
        .and(body_json(json!({
            "url": url,
            "events": { "subscribe": true, "unsubscribe": true, "profile": true,
                        "cleaned": true, "upemail": true },
            "sources": { "user": true, "admin": true, "api": false }
        })))
        .respond_with(ok(created))
        .expect(1)
        .mount(&server)
        .await;
    on("PATCH", "/lists/a/webhooks/w1")
        .and(body_json(json!({ "events": { "campaign": true } })))
        .respond_with(ok(json!({ "id": "w1" })))
        .expect(1)
        .mount(&server)
        .await;
    on("DELETE", "/lists/a/webhooks/w1")
        .respond_with(no_content())
        .expect(1)
        .mount(&server)
        .await;
    let webhooks = client.list("a").webhooks();
    let listed = webhooks.list().await.unwrap().into_value();
    assert_eq!(
        listed.items[0],
        webhooks.get("w1").await.unwrap().into_value()
    );
    let body = WebhookWrite {
        url: url.to_owned().into(),
        events: WebhookEvents::members().into(),
        sources: WebhookSources::new(true, true, false).into(),
    };
    let created = webhooks.create(&body).await.unwrap().into_value();
    assert_eq!(created.signing_secret.as_str(), Some("sesame"));
    assert!(!format!("{created:?}").contains("sesame"));
    let mut events = WebhookEvents::default();
    events.campaign = true.into();
    let change = WebhookWrite {
        events: events.into(),
        ..WebhookWrite::default()
    };
    webhooks.update("w1", &change).await.unwrap();
    webhooks.delete("w1").await.unwrap();
}

#[tokio::test]
async fn batches() {
    let (server, client) = server().await;
    let pending = json!({ "id": "b1", "status": "pending", "total_operations": 0,
        "completed_at": "", "response_body_url": "" });
    on("GET", "/batches")
        .respond_with(ok(json!({ "batches": [pending], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", "/batches/b1")
        .respond_with(ok(pending.clone()))
        .mount(&server)
        .await;
    on("POST", "/batches")
        .and(body_json(json!({ "operations": [
            { "method": "GET", "path": "/lists/a/members", "params": { "count": "1000" },
              "operation_id": "one" },
            { "method": "PATCH", "path": "/lists/a/members/k",
              "body": "{\"vip\":true}" },
        ] })))
        .respond_with(ok(pending))
        .expect(1)
        .mount(&server)
        .await;
    on("DELETE", "/batches/b1")
        .respond_with(no_content())
        .expect(1)
        .mount(&server)
        .await;
    let batches = client.batches();
    let members = Path::new("/lists/{list_id}/members", &["a"]).unwrap();
    let member = Path::new("/lists/{list_id}/members/{subscriber_hash}", &["a", "k"]).unwrap();
    let operations = [
        BatchOperation::new(BatchMethod::Get, members)
            .param("count", "1000")
            .operation_id("one"),
        BatchOperation::new(BatchMethod::Patch, member)
            .json(&json!({ "vip": true }))
            .unwrap(),
    ];
    assert!(!format!("{operations:?}").contains("vip"));
    let created = batches.create(&operations).await.unwrap().into_value();
    assert_eq!(created.status.value(), Some(&BatchStatus::Pending));
    assert!(created.completed_at.is_empty());
    assert_eq!(
        batches.get("b1", &everything()).await.unwrap().into_value(),
        created
    );
    assert_eq!(
        batches.list(&page(0)).await.unwrap().into_value().items,
        [created]
    );
    batches.delete("b1").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_waited_for_with_growing_pauses() {
    use crate::script::{Reply, Script};
    let script = Script::new(|number, _| {
        let status = [
            "pending",
            "preprocessing",
            "started",
            "brand_new",
            "finalizing",
            "finished",
        ][number];
        Reply::json(200, json!({ "id": "b1", "status": status }).to_string())
    });
    let patience = BatchPatience {
        longest_pause: Duration::from_secs(10),
        ..BatchPatience::default()
    };
    let batch = script
        .client()
        .batches()
        .wait("b1", &patience)
        .await
        .unwrap()
        .into_value();
    assert_eq!(batch.status.value(), Some(&BatchStatus::Finished));
    let pauses: Vec<u64> = script.gaps().iter().map(Duration::as_secs).collect();
    assert_eq!(pauses, [2, 4, 8, 10, 10]);

    let script = Script::new(|_, _| Reply::json(200, r#"{"id":"b1","status":"started"}"#));
    let patience = BatchPatience {
        deadline: Duration::from_secs(60),
        ..patience
    };
    let error = script
        .client()
        .batches()
        .wait("b1", &patience)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::BatchNotReady(_)), "{error}");
    let waited = script.gaps().iter().sum::<Duration>();
    assert!(waited <= Duration::from_secs(60), "{waited:?}");
}

#[tokio::test]
async fn anything_else_is_reached_by_path() {
    let (server, client) = server().await;
    on("GET", "/reports/42694e9e57/sent-to")
        .and(query_param("count", "2"))
        .respond_with(ok(
            json!({ "sent_to": [{ "email_id": "x" }], "total_items": 1 }),
        ))
        .mount(&server)
        .await;
    on("POST", "/lists/a/segments")
        .and(body_json(json!({ "name": "gold", "static_segment": [] })))
        .respond_with(ok(json!({ "id": 7 })))
        .mount(&server)
        .await;
    on("POST", "/campaigns/c/actions/pause")
        .respond_with(no_content())
        .mount(&server)
        .await;
    let path = Path::new("/reports/{campaign_id}/sent-to", &["42694e9e57"]).unwrap();
    let query = Query::new().with("count", "2");
    let rows = client.get_rows(&path, "sent_to", &query).await.unwrap();
    assert_eq!(rows.rows, [r#"{"email_id":"x"}"#]);
    let value: Value = client.get(&path, &query).await.unwrap().into_value();
    assert_eq!(value["total_items"], 1);
    let path = Path::new("/lists/{list_id}/segments", &["a"]).unwrap();
    let body = json!({ "name": "gold", "static_segment": [] });
    let made: Value = client
        .post(&path, &Query::new(), &body)
        .await
        .unwrap()
        .into_value();
    assert_eq!(made["id"], 7);
    let path = Path::new("/campaigns/{campaign_id}/actions/pause", &["c"]).unwrap();
    let answer = client
        .post_bytes(&path, &Query::new(), &json!({}))
        .await
        .unwrap();
    assert!(answer.value.is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_credential() {
    let (server, client) = server().await;
    on("GET", "/ping")
        .respond_with(ResponseTemplate::new(302).insert_header("location", "/3.0/elsewhere"))
        .mount(&server)
        .await;
    let error = client.ping().await.unwrap_err();
    assert_eq!(error.status(), Some(302));
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn compressed_answers_are_asked_for_and_counted_after_unpacking() {
    use std::io::Write;
    let body = format!(r#"{{"members":[{{"x":"{}"}}]}}"#, "y".repeat(1 << 20));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    assert!(packed.len() < 10_000);
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200)
        .insert_header("content-encoding", "gzip")
        .set_body_raw(packed, "application/json");
    Mock::given(header_exists("accept-encoding"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let base: url::Url = server.uri().parse().unwrap();
    let builder = Client::builder(key()).base_url(base);
    let members = builder.clone().build().unwrap().list("a").members();
    let page = members.list_raw(&ListMembers::default()).await.unwrap();
    assert_eq!(page.meta.bytes, body.len() as u64);
    let members = builder
        .body_limit(1 << 20)
        .build()
        .unwrap()
        .list("a")
        .members();
    let error = members.list_raw(&ListMembers::default()).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge(_)), "{error}");
}
