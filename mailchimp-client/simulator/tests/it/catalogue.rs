//! Every path that can be read, on an account with a handful of everything.

use std::collections::BTreeSet;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::api::{Api, full, rows};

/// Collections: the path, the key of the rows, and what paths below name a row by, if they do.
pub(crate) const COLLECTIONS: &[(&str, &str, &str)] = &[
    ("/lists", "lists", "id"),
    ("/lists/{}/members", "members", "id"),
    ("/lists/{}/members/{}/tags", "tags", ""),
    ("/lists/{}/members/{}/activity", "activity", ""),
    ("/lists/{}/members/{}/activity-feed", "activity", ""),
    ("/lists/{}/members/{}/events", "events", ""),
    ("/lists/{}/members/{}/notes", "notes", "id"),
    ("/lists/{}/members/{}/goals", "goals", ""),
    ("/lists/{}/segments", "segments", "id"),
    ("/lists/{}/segments/{}/members", "members", ""),
    ("/lists/{}/tag-search", "tags", ""),
    ("/lists/{}/interest-categories", "categories", "id"),
    (
        "/lists/{}/interest-categories/{}/interests",
        "interests",
        "id",
    ),
    ("/lists/{}/merge-fields", "merge_fields", "merge_id"),
    ("/lists/{}/growth-history", "history", "month"),
    ("/lists/{}/activity", "activity", ""),
    ("/lists/{}/abuse-reports", "abuse_reports", "id"),
    ("/lists/{}/clients", "clients", ""),
    ("/lists/{}/locations", "locations", ""),
    ("/lists/{}/signup-forms", "signup_forms", ""),
    ("/lists/{}/surveys", "surveys", "id"),
    ("/lists/{}/webhooks", "webhooks", "id"),
    ("/campaigns", "campaigns", "id"),
    ("/campaigns/{}/feedback", "feedback", "feedback_id"),
    ("/campaign-folders", "folders", "id"),
    ("/template-folders", "folders", "id"),
    ("/reports", "reports", "id"),
    ("/reports/{}/email-activity", "emails", "email_id"),
    ("/reports/{}/open-details", "members", "email_id"),
    ("/reports/{}/click-details", "urls_clicked", "id"),
    (
        "/reports/{}/click-details/{}/members",
        "members",
        "email_id",
    ),
    ("/reports/{}/sent-to", "sent_to", "email_id"),
    ("/reports/{}/unsubscribed", "unsubscribes", "email_id"),
    ("/reports/{}/locations", "locations", ""),
    ("/reports/{}/domain-performance", "domains", ""),
    ("/reports/{}/abuse-reports", "abuse_reports", "id"),
    ("/reports/{}/advice", "advice", ""),
    ("/reports/{}/eepurl", "referrers", ""),
    ("/reports/{}/sub-reports", "reports", ""),
    ("/reports/{}/ecommerce-product-activity", "products", ""),
    ("/automations", "automations", "id"),
    ("/automations/{}/emails", "emails", "id"),
    ("/automations/{}/emails/{}/queue", "queue", "id"),
    ("/automations/{}/removed-subscribers", "subscribers", "id"),
    ("/conversations", "conversations", "id"),
    ("/conversations/{}/messages", "conversation_messages", "id"),
    ("/landing-pages", "landing_pages", "id"),
    ("/reporting/landing-pages", "landing_pages", "id"),
    ("/reporting/surveys", "surveys", "id"),
    ("/reporting/surveys/{}/questions", "questions", "id"),
    ("/reporting/surveys/{}/questions/{}/answers", "answers", ""),
    (
        "/reporting/surveys/{}/responses",
        "responses",
        "response_id",
    ),
    ("/templates", "templates", "id"),
    ("/file-manager/files", "files", "id"),
    ("/file-manager/folders", "folders", "id"),
    ("/file-manager/folders/{}/files", "files", ""),
    ("/ecommerce/stores", "stores", "id"),
    ("/ecommerce/stores/{}/customers", "customers", "id"),
    ("/ecommerce/stores/{}/products", "products", "id"),
    (
        "/ecommerce/stores/{}/products/{}/variants",
        "variants",
        "id",
    ),
    ("/ecommerce/stores/{}/products/{}/images", "images", "id"),
    ("/ecommerce/stores/{}/orders", "orders", "id"),
    ("/ecommerce/stores/{}/orders/{}/lines", "lines", "id"),
    ("/ecommerce/stores/{}/carts", "carts", "id"),
    ("/ecommerce/stores/{}/carts/{}/lines", "lines", "id"),
    ("/ecommerce/stores/{}/promo-rules", "promo_rules", "id"),
    (
        "/ecommerce/stores/{}/promo-rules/{}/promo-codes",
        "promo_codes",
        "id",
    ),
    ("/ecommerce/orders", "orders", ""),
    ("/batches", "batches", "id"),
    ("/batch-webhooks", "webhooks", "id"),
    ("/account-exports", "exports", "export_id"),
    ("/verified-domains", "domains", "domain"),
    ("/connected-sites", "sites", "foreign_id"),
    ("/authorized-apps", "apps", "id"),
    ("/facebook-ads", "facebook_ads", "id"),
    ("/reporting/facebook-ads", "facebook_ads", "id"),
    (
        "/reporting/facebook-ads/{}/ecommerce-product-activity",
        "products",
        "",
    ),
    ("/activity-feed/chimp-chatter", "chimp_chatter", ""),
    ("/audiences", "audiences", "id"),
    ("/audiences/{}/contacts", "contacts", "id"),
];

/// Collections that come whole, whatever `count` says.
const WHOLE: &[&str] = &[
    "/lists/{}/members/{}/activity",
    "/lists/{}/members/{}/goals",
    "/lists/{}/clients",
    "/lists/{}/locations",
    "/lists/{}/signup-forms",
    "/lists/{}/surveys",
    "/lists/{}/webhooks",
    "/campaigns/{}/feedback",
    "/reports/{}/domain-performance",
    "/reports/{}/abuse-reports",
    "/reports/{}/advice",
    "/reports/{}/eepurl",
    "/reports/{}/sub-reports",
    "/automations/{}/emails",
    "/automations/{}/emails/{}/queue",
    "/automations/{}/removed-subscribers",
    "/conversations/{}/messages",
    "/reporting/surveys/{}/questions",
    "/reporting/surveys/{}/questions/{}/answers",
    "/reporting/surveys/{}/responses",
    "/verified-domains",
];

/// An account in which everything was done once.
pub(crate) fn busy() -> Api {
    let api = full();
    api.post(
        "/account-exports",
        &json!({"include_stages": ["audiences"]}),
    );
    let ping = json!({"operations": [{"method": "GET", "path": "/ping"}]});
    assert_eq!(api.post("/batches", &ping).status, 200);
    api
}

/// The last segment of a path that names a row.
fn named(row: &Value, key: &str) -> String {
    let id = match &row[key] {
        Value::String(id) => id.clone(),
        id => id.to_string(),
    };
    utf8_percent_encode(&id, NON_ALPHANUMERIC).to_string()
}

/// The paths that a template stands for, with at most eight ids in each place.
pub(crate) fn concrete(api: &Api, template: &str) -> Vec<String> {
    let Some((parent, rest)) = template.rsplit_once("/{}") else {
        return vec![template.to_owned()];
    };
    let (_, key, id) = COLLECTIONS
        .iter()
        .find(|(path, ..)| *path == parent)
        .unwrap();
    let mut paths = Vec::new();
    for path in concrete(api, parent) {
        let found = rows(api, &format!("{path}?count=100"), key);
        let ids = found.iter().take(8).map(|row| named(row, id));
        paths.extend(ids.map(|id| format!("{path}/{id}{rest}")));
    }
    paths
}

#[test]
fn every_collection_answers_with_its_key_and_is_not_empty() {
    let api = busy();
    for (template, key, _) in COLLECTIONS {
        let mut found = 0;
        for path in concrete(&api, template) {
            let body = api.read(&path);
            assert!(body[key].is_array(), "{path}: {key}");
            found += body[key].as_array().unwrap().len();
            let without_total = *template == "/lists/{}/members/{}/activity-feed"
                || *template == "/audiences/{}/contacts";
            assert_eq!(body.get("total_items").is_none(), without_total, "{path}");
        }
        assert!(found > 0, "{template} is empty");
    }
}

#[test]
fn what_a_list_names_can_be_read_alone_and_nothing_else() {
    let api = busy();
    for (template, key, id) in COLLECTIONS.iter().filter(|(.., id)| !id.is_empty()) {
        for path in concrete(&api, template) {
            for row in rows(&api, &path, key).iter().take(3) {
                let one = format!("{path}/{}", named(row, id));
                let alone = api.read(&one);
                assert_eq!(alone[id], row[id], "{one}");
            }
            assert_eq!(
                api.get(&format!("{path}/nothing-like-it")).status,
                404,
                "{path}"
            );
        }
    }
}

#[test]
fn singles_answer() {
    let api = busy();
    for template in [
        "/",
        "/ping",
        "/campaigns/{}/content",
        "/campaigns/{}/send-checklist",
        "/templates/{}/default-content",
        "/landing-pages/{}/content",
    ] {
        for path in concrete(&api, template) {
            assert!(api.read(&path).is_object(), "{path}");
        }
    }
}

#[test]
fn pages_of_any_collection_hold_every_row_once() {
    let api = busy();
    for (template, key, _) in COLLECTIONS {
        if *template == "/audiences/{}/contacts" || WHOLE.contains(template) {
            continue;
        }
        for path in concrete(&api, template).iter().take(3) {
            let all = rows(&api, &format!("{path}?count=1000"), key);
            let mut seen = Vec::new();
            loop {
                let page = rows(&api, &format!("{path}?count=3&offset={}", seen.len()), key);
                if page.is_empty() {
                    break;
                }
                assert!(page.len() <= 3, "{path}");
                seen.extend(page);
            }
            assert_eq!(seen, all, "{path}");
            let past = api.read(&format!("{path}?offset=100000"));
            assert_eq!(past[key], json!([]), "{path}");
            if let Some(total) = past.get("total_items") {
                assert_eq!(total, all.len(), "{path}");
            }
        }
    }
}

#[test]
fn whole_collections_come_whole() {
    let api = busy();
    for template in WHOLE {
        let (_, key, _) = COLLECTIONS
            .iter()
            .find(|(path, ..)| path == template)
            .unwrap();
        for path in concrete(&api, template).iter().take(3) {
            let all = rows(&api, path, key);
            assert_eq!(
                rows(&api, &format!("{path}?count=1&offset=1"), key),
                all,
                "{path}"
            );
        }
    }
}

#[test]
fn fields_and_exclude_fields_work_everywhere() {
    let api = busy();
    for (template, key, _) in COLLECTIONS {
        let Some(path) = concrete(&api, template).into_iter().next() else {
            continue;
        };
        let only = api.read(&format!("{path}?fields={key}"));
        let keys: Vec<&String> = only.as_object().unwrap().keys().collect();
        assert_eq!(keys, [*key], "{path}");
        let without = api.read(&format!("{path}?exclude_fields={key}._links,_links"));
        assert!(without.get("_links").is_none(), "{path}");
        for row in without[key].as_array().unwrap() {
            assert!(row.get("_links").is_none(), "{path}");
        }
        let both = api.get(&format!("{path}?fields={key}&exclude_fields=_links"));
        assert_eq!(both.status, 400, "{path}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let read = |seed: u64| -> Vec<String> {
        let api = Api::with(|settings| settings.seed = seed);
        api.simulator.fill(mailchimp_simulator::AccountSpec::full());
        let collections = COLLECTIONS.iter();
        collections
            .flat_map(|(template, ..)| concrete(&api, template))
            .map(|path| api.read(&format!("{path}?count=1000")).to_string())
            .collect()
    };
    assert_eq!(read(1), read(1));
    assert_ne!(read(1), read(2));
}

#[test]
fn every_collection_can_be_read_by_a_batch() {
    let api = busy();
    let paths: Vec<String> = COLLECTIONS
        .iter()
        .filter(|(template, ..)| *template != "/batches")
        .filter_map(|(template, ..)| concrete(&api, template).into_iter().next())
        .collect();
    let operations: Vec<Value> = paths
        .iter()
        .map(|path| json!({"method": "GET", "path": path, "operation_id": path}))
        .collect();
    let made = api.post("/batches", &json!({"operations": operations}));
    let id = made.body["id"].as_str().unwrap().to_owned();
    let batch = api.read(&format!("/batches/{id}"));
    assert_eq!(batch["status"], "finished");
    assert_eq!(batch["errored_operations"], 0);
    let results = crate::batches::results(&api, &id);
    let read: BTreeSet<&str> = results
        .iter()
        .map(|result| result["operation_id"].as_str().unwrap())
        .collect();
    assert_eq!(read.len(), paths.len());
    for result in &results {
        assert_eq!(result["status_code"], 200);
        let response: Value = serde_json::from_str(result["response"].as_str().unwrap()).unwrap();
        assert!(response.is_object());
    }
}

#[test]
fn requests_are_counted_by_path_template() {
    let api = full();
    api.simulator.reset_stats();
    for campaign in api.simulator.sent_campaigns() {
        api.read(&format!("/reports/{campaign}/email-activity"));
    }
    let stats = api.simulator.stats();
    assert_eq!(stats.of("GET /reports/{campaign_id}/email-activity"), 8);
    assert_eq!(stats.total(), 8);
}

#[test]
fn an_unfilled_account_has_every_collection_that_needs_no_parent_and_none_has_rows() {
    let api = Api::new();
    for (template, key, _) in COLLECTIONS.iter().filter(|(path, ..)| !path.contains("{}")) {
        assert_eq!(rows(&api, template, key), Vec::<Value>::new(), "{template}");
    }
}
