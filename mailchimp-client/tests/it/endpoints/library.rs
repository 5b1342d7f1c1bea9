//! Templates, stored files, domains, exports and batch webhooks.

use futures::TryStreamExt;
use mailchimp_client::{
    AccountExport, BatchWebhook, DomainStatus, DownloadOptions, Error, ExportStage, FileFolder,
    FileKind, FileSort, ListFileFolders, ListFiles, ListTemplates, NewExport, RetryPolicy, SortDir,
    StoredFile, Template, TemplateContentType, TemplateKind, TemplateSort, VerifiedDomain,
};
use serde_json::{Value, json};
use wiremock::matchers::{body_json, method, path, query_param};
use wiremock::{Mock, ResponseTemplate};

use super::{everything, ok, on, page, read, server, time};

#[tokio::test]
async fn templates_with_every_filter() {
    let (server, client) = server().await;
    let template = json!({ "id": 2000, "type": "user", "name": "Hats", "drag_and_drop": true,
        "responsive": true, "category": "", "date_created": "2026-01-01T00:00:00+00:00",
        "date_edited": "", "created_by": "Freddie", "edited_by": "", "active": false,
        "folder_id": "", "thumbnail": "", "share_url": "https://example.net/t",
        "content_type": "multichannel" });
    on("GET", "/templates")
        .and(query_param("created_by", "Freddie"))
        .and(query_param("since_date_created", "2026-01-01T00:00:01Z"))
        .and(query_param("before_date_created", "2026-01-01T00:00:02Z"))
        .and(query_param("type", "user"))
        .and(query_param("category", "Holiday"))
        .and(query_param("folder_id", "f"))
        .and(query_param("content_type", "html"))
        .and(query_param("sort_field", "date_edited"))
        .and(query_param("sort_dir", "ASC"))
        .respond_with(ok(json!({ "templates": [template], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", "/templates/2000")
        .respond_with(ok(template.clone()))
        .mount(&server)
        .await;
    on("GET", "/templates/2000/default-content")
        .respond_with(ok(
            json!({ "sections": { "repeat_1:0:body": "<p>Hi</p>" } }),
        ))
        .mount(&server)
        .await;
    let request = ListTemplates {
        created_by: Some("Freddie".into()),
        since_date_created: Some(time("2026-01-01T00:00:01Z")),
        before_date_created: Some(time("2026-01-01T00:00:02Z")),
        kind: Some(TemplateKind::User),
        category: Some("Holiday".into()),
        folder_id: Some("f".into()),
        content_type: Some(TemplateContentType::Html),
        sort_field: Some(TemplateSort::DateEdited),
        sort_dir: Some(SortDir::Ascending),
        ..ListTemplates::default()
    };
    let templates = client.templates();
    let listed = templates.list(&request).await.unwrap().into_value();
    assert_eq!(
        templates.get(2000, &everything()).await.unwrap().value,
        listed.items[0]
    );
    let deleted: Template = read(&template);
    assert_eq!(deleted.active.value(), Some(&false));
    assert_eq!(
        deleted.content_type.value(),
        Some(&TemplateContentType::Multichannel)
    );
    assert!(deleted.folder_id.is_empty() && deleted.date_edited.is_empty());
    let content = templates
        .default_content(2000, &everything())
        .await
        .unwrap()
        .value;
    let section = content.sections.value().unwrap().get("repeat_1:0:body");
    assert_eq!(section, Some(&json!("<p>Hi</p>")));
}

fn file(link: &str) -> Value {
    json!({ "id": 18, "folder_id": 0, "type": "image", "name": "hat.png",
        "full_size_url": link, "thumbnail_url": "", "size": 20,
        "created_at": "2026-01-01T00:00:00+00:00", "created_by": "Freddie", "width": 5,
        "height": 4 })
}

#[tokio::test]
async fn files_and_their_folders_with_every_filter() {
    let (server, client) = server().await;
    for at in ["/file-manager/files", "/file-manager/folders/8/files"] {
        on("GET", at)
            .and(query_param("type", "image"))
            .and(query_param("created_by", "Freddie"))
            .and(query_param("before_created_at", "2026-01-01T00:00:02Z"))
            .and(query_param("since_created_at", "2026-01-01T00:00:01Z"))
            .and(query_param("sort_field", "size"))
            .and(query_param("sort_dir", "DESC"))
            .respond_with(ok(
                json!({ "files": [file("")], "total_file_size": 1_234_567.0,
                "total_items": 1 }),
            ))
            .mount(&server)
            .await;
    }
    let folder = json!({ "id": 8, "name": "Hats", "file_count": 1,
        "created_at": "2026-01-01T00:00:00+00:00", "created_by": "Freddie" });
    on("GET", "/file-manager/folders")
        .and(query_param("created_by", "Freddie"))
        .and(query_param("before_created_at", "2026-01-01T00:00:02Z"))
        .and(query_param("since_created_at", "2026-01-01T00:00:01Z"))
        .respond_with(ok(json!({ "folders": [folder], "total_items": 1 })))
        .mount(&server)
        .await;
    let request = ListFiles {
        kind: Some(FileKind::Image),
        created_by: Some("Freddie".into()),
        before_created_at: Some(time("2026-01-01T00:00:02Z")),
        since_created_at: Some(time("2026-01-01T00:00:01Z")),
        sort_field: Some(FileSort::Size),
        sort_dir: Some(SortDir::Descending),
        ..ListFiles::default()
    };
    let files = client.files();
    let listed = files.list(&request).await.unwrap().into_value();
    assert_eq!(
        listed.extra.get("total_file_size"),
        Some(&json!(1_234_567.0))
    );
    let inside = files.files_in(8, &request).await.unwrap().into_value();
    assert_eq!(inside.items, listed.items);
    let all: Vec<_> = files.stream(&request).unwrap().try_collect().await.unwrap();
    assert_eq!(all, listed.items);
    let stored: StoredFile = read(&file(""));
    assert_eq!(stored.size.value(), Some(&20));
    assert_eq!(stored.folder_id.value(), Some(&0));
    let request = ListFileFolders {
        created_by: Some("Freddie".into()),
        before_created_at: Some(time("2026-01-01T00:00:02Z")),
        since_created_at: Some(time("2026-01-01T00:00:01Z")),
        ..ListFileFolders::default()
    };
    let folders = files.folders(&request).await.unwrap().into_value();
    assert_eq!(folders.items[0].file_count.value(), Some(&1));
    read::<FileFolder>(&folder);
}

#[tokio::test]
async fn a_stored_file_is_fetched_from_its_own_address() {
    let (server, client) = server().await;
    Mock::given(method("GET"))
        .and(path("/gallery/hat.png"))
        .respond_with(ResponseTemplate::new(200).set_body_bytes([7; 20]))
        .expect(1)
        .mount(&server)
        .await;
    let link = format!("{}/gallery/hat.png", server.uri());
    on("GET", "/file-manager/files/18")
        .respond_with(ok(file(&link)))
        .mount(&server)
        .await;
    let stored = client
        .files()
        .get(18, &everything())
        .await
        .unwrap()
        .into_value();
    let options = DownloadOptions {
        expected_bytes: stored.size.value().copied(),
        ..DownloadOptions::default()
    };
    let url = stored.full_size_url.as_str().unwrap();
    let download = client.download(url, &options).await.unwrap();
    let chunks: Vec<_> = download.into_stream().try_collect().await.unwrap();
    assert_eq!(chunks.concat(), [7; 20]);
    let requests = server.received_requests().await.unwrap();
    assert!(requests[0].headers.contains_key("authorization"));
    assert!(!requests[1].headers.contains_key("authorization"));
}

#[tokio::test]
async fn domains_and_batch_webhooks() {
    let (server, client) = server().await;
    let domain = json!({ "domain": "example.net", "verified": true, "authenticated": false,
        "verification_email": "freddie@example.net", "verification_sent": "",
        "status": "AUTHENTICATION_IN_PROGRESS", "is_free_email_provider": false });
    let hook = json!({ "id": "w1", "url": "https://hooks.invalid/", "enabled": true });
    on("GET", "/verified-domains")
        .respond_with(ok(json!({ "domains": [domain], "total_items": 1 })))
        .mount(&server)
        .await;
    on("GET", "/batch-webhooks")
        .and(query_param("count", "5"))
        .respond_with(ok(json!({ "webhooks": [hook], "total_items": 1 })))
        .mount(&server)
        .await;
    let domains = client
        .verified_domains()
        .list(&page(0))
        .await
        .unwrap()
        .into_value();
    assert_eq!(domains.items[0].domain.as_str(), Some("example.net"));
    let domain: VerifiedDomain = read(&domain);
    assert_eq!(
        domain.status.value(),
        Some(&DomainStatus::AuthenticationInProgress)
    );
    assert!(domain.verification_sent.is_empty());
    let hooks = client
        .batch_webhooks()
        .list(&page(0))
        .await
        .unwrap()
        .into_value();
    assert_eq!(hooks.items[0].enabled.value(), Some(&true));
    read::<BatchWebhook>(&hook);
}

#[tokio::test]
async fn an_account_is_exported() {
    let (server, client) = server().await;
    let begun = json!({ "export_id": 42, "started": "2026-01-01T00:00:00+00:00",
        "finished": "", "size_in_bytes": 0, "download_url": "" });
    let mut done = begun.clone();
    done["finished"] = json!("2026-01-01T01:00:00+00:00");
    done["size_in_bytes"] = json!(9_000_000_000_u64);
    done["download_url"] = json!("https://exports.invalid/x.zip?signature=sesame");
    on("POST", "/account-exports")
        .and(body_json(
            json!({ "include_stages": ["audiences", "gallery_files"],
            "since_timestamp": "2025-12-31T23:59:59Z" }),
        ))
        .respond_with(ok(begun.clone()))
        .expect(1)
        .mount(&server)
        .await;
    on("GET", "/account-exports/42")
        .respond_with(ok(done.clone()))
        .mount(&server)
        .await;
    on("GET", "/account-exports")
        .and(query_param("offset", "5"))
        .respond_with(ok(json!({ "exports": [done], "total_items": 6 })))
        .mount(&server)
        .await;
    let exports = client.account_exports();
    let order = NewExport {
        include_stages: vec![ExportStage::Audiences, ExportStage::GalleryFiles],
        since_timestamp: Some(time("2025-12-31T23:59:59.9Z")),
    };
    let export = exports.create(&order).await.unwrap().into_value();
    assert!(export.finished.is_empty() && export.download_url.is_empty());
    let export = exports.get(42, &everything()).await.unwrap().into_value();
    assert!(export.finished.value().is_some());
    assert!(!format!("{export:?}").contains("sesame"));
    assert_eq!(exports.list(&page(5)).await.unwrap().value.items, [export]);
    read::<AccountExport>(&begun);
    let error = exports.create(&NewExport::default()).await.unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error}");
}

#[tokio::test]
async fn an_export_that_may_have_begun_is_not_asked_for_twice() {
    let (server, client) = server().await;
    let client = client.with_retry(
        RetryPolicy::default().backoff(std::time::Duration::ZERO, std::time::Duration::ZERO),
    );
    on("POST", "/account-exports")
        .respond_with(ResponseTemplate::new(502))
        .expect(1)
        .mount(&server)
        .await;
    let order = NewExport {
        include_stages: vec![ExportStage::Reports],
        ..NewExport::default()
    };
    let error = client.account_exports().create(&order).await.unwrap_err();
    assert!(error.may_have_been_sent());
}
