//! Members, their tags and their activity.

use mailchimp_client::{
    ActivityAction, EmailType, Error, FeedKind, InterestMatch, ListActivity, ListFeed, ListMembers,
    MemberSort, MemberStatus, MemberWrite, SortDir, TagWrite, subscriber_hash,
};
use serde_json::{Value, json};
use wiremock::matchers::{body_json, query_param, query_param_is_missing};

use super::{ADDRESS, everything, no_content, ok, on, page, server, time};

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
