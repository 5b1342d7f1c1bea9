//! What an audience is made of, and its webhooks.

use futures::TryStreamExt;
use mailchimp_client::{
    GetSegment, InterestCategoryType, ListInterestCategories, ListMergeFields, ListSegmentMembers,
    ListSegments, MergeFieldType, SegmentInclude, SegmentType, WebhookEvents, WebhookSources,
    WebhookWrite,
};
use serde_json::json;
use wiremock::matchers::{body_json, query_param};

use super::{everything, no_content, ok, on, page, server, time};

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
