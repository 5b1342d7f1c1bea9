//! Batches, apart from their results.

use std::time::Duration;

use mailchimp_client::{
    BatchMethod, BatchOperation, BatchPatience, BatchStatus, Error, Path, Query,
};
use serde_json::json;
use wiremock::matchers::body_json;

use super::{everything, no_content, ok, on, page, server};
use crate::script::{Reply, Script};

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
            .param("count", "10")
            .query(&Query::new().with("count", "1000"))
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
