//! Every read, against the path and the items key its documentation names.

use std::fmt::Debug;

use mailchimp_client::{Client, Fetched, GetCampaign, GetList, GetSegment, ListContacts, Page};
use mailchimp_client::{ListActivity, ListFeed, Result, SearchMembers};

use super::everything;
use crate::script::{Reply, Script};

/// Makes the call of each row and compares what it asked for.
macro_rules! requests {
    ($($path:literal $check:ident $(($key:literal))?: |$client:ident| $call:expr;)+) => {
        $({
            let script = Script::new(|_, _| {
                Reply::json(200, concat!("{", $("\"", $key, "\":[{}],",)? "\"total_items\":1}"))
            });
            let $client: Client = script.client();
            $check($call.await, $path);
            let seen = script.seen();
            assert_eq!(seen.len(), 1, "{}", $path);
            assert_eq!(seen[0].path, concat!("/3.0", $path));
            assert!(seen[0].query.is_empty(), "{}", $path);
        })+
    };
}

fn page<T>(answer: Result<Fetched<Page<T>>>, path: &str) {
    let page = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(page.value.items.len(), 1, "{path}");
}

fn one<T: Debug>(answer: Result<Fetched<T>>, path: &str) {
    answer.unwrap_or_else(|error| panic!("{path}: {error}"));
}

fn all<T: Default>() -> T {
    T::default()
}

#[tokio::test]
async fn audiences_and_members() {
    requests! {
        "/lists" page("lists"): |client| client.lists().list(&all());
        "/lists/a" one: |client| client.list("a").get(&GetList::default());
        "/lists/a/growth-history" page("history"): |client| client.list("a").growth_history(&all());
        "/lists/a/growth-history/2026-01" one: |client| client.list("a").growth_in("2026-01", &all());
        "/lists/a/activity" page("activity"): |client| client.list("a").activity(&all());
        "/lists/a/abuse-reports" page("abuse_reports"): |client| client.list("a").abuse_reports(&all());
        "/lists/a/abuse-reports/7" one: |client| client.list("a").abuse_report(7, &all());
        "/lists/a/clients" page("clients"): |client| client.list("a").clients(&all());
        "/lists/a/locations" page("locations"): |client| client.list("a").locations(&all());
        "/lists/a/signup-forms" page("signup_forms"): |client| client.list("a").signup_forms(&all());
        "/lists/a/surveys" one: |client| client.list("a").surveys(&all());
        "/lists/a/surveys/s" one: |client| client.list("a").survey("s", &all());
        "/lists/a/tag-search" page("tags"): |client| client.list("a").search_tags(None, &all());
        "/lists/a/webhooks" page("webhooks"): |client| client.list("a").webhooks().list();
        "/lists/a/merge-fields" page("merge_fields"): |client| client.list("a").merge_fields().list(&all());
        "/lists/a/merge-fields/1" one: |client| client.list("a").merge_fields().get(1, &all());
        "/lists/a/interest-categories" page("categories"):
            |client| client.list("a").interest_categories().list(&all());
        "/lists/a/interest-categories/c/interests" page("interests"):
            |client| client.list("a").interest_categories().interests("c", &all());
        "/lists/a/segments" page("segments"): |client| client.list("a").segments().list(&all());
        "/lists/a/segments/4" one: |client| client.list("a").segments().get(4, &GetSegment::default());
        "/lists/a/segments/4/members" page("members"): |client| client.list("a").segments().members(4, &all());
        "/lists/a/members" page("members"): |client| client.list("a").members().list(&all());
        "/lists/a/members/k" one: |client| client.list("a").members().get("k", &all());
        "/lists/a/members/k/tags" page("tags"): |client| client.list("a").members().tags("k", &all());
        "/lists/a/members/k/activity" page("activity"):
            |client| client.list("a").members().activity("k", &ListActivity::default());
        "/lists/a/members/k/activity-feed" page("activity"):
            |client| client.list("a").members().activity_feed("k", &ListFeed::default());
        "/lists/a/members/k/events" page("events"): |client| client.list("a").members().events("k", &all());
        "/lists/a/members/k/notes" page("notes"): |client| client.list("a").members().notes("k", &all());
        "/lists/a/members/k/notes/9" one: |client| client.list("a").members().note("k", 9, &all());
        "/lists/a/members/k/goals" page("goals"): |client| client.list("a").members().goals("k", &all());
        "/audiences" page("audiences"): |client| client.audiences().list(&all());
        "/audiences/a" one: |client| client.audiences().get("a", &all());
        "/audiences/a/contacts" page("contacts"):
            |client| client.audiences().contacts("a", &ListContacts::default());
        "/audiences/a/contacts/c" one: |client| client.audiences().contact("a", "c", &all());
    }
}

#[tokio::test]
async fn campaigns_and_what_became_of_them() {
    requests! {
        "/campaigns" page("campaigns"): |client| client.campaigns().list(&all());
        "/campaigns/c" one: |client| client.campaigns().get("c", &GetCampaign::default());
        "/campaigns/c/content" one: |client| client.campaigns().content("c", &all());
        "/campaigns/c/feedback" page("feedback"): |client| client.campaigns().feedback("c", &all());
        "/campaigns/c/feedback/5" one: |client| client.campaigns().feedback_entry("c", 5, &all());
        "/campaign-folders" page("folders"): |client| client.campaign_folders().list(&all());
        "/campaign-folders/f" one: |client| client.campaign_folders().get("f", &all());
        "/reports" page("reports"): |client| client.reports().list(&all());
        "/reports/c" one: |client| client.report("c").get(&all());
        "/reports/c/sub-reports" page("reports"): |client| client.report("c").sub_reports(&all());
        "/reports/c/email-activity" page("emails"): |client| client.report("c").email_activity(&all());
        "/reports/c/email-activity/k" one: |client| client.report("c").email_activity_of("k", None, &all());
        "/reports/c/open-details" page("members"): |client| client.report("c").open_details(&all());
        "/reports/c/open-details/k" one: |client| client.report("c").open_details_of("k", &all());
        "/reports/c/click-details" page("urls_clicked"): |client| client.report("c").click_details(&all());
        "/reports/c/click-details/l" one: |client| client.report("c").link("l", &all());
        "/reports/c/click-details/l/members" page("members"):
            |client| client.report("c").link_members("l", &all());
        "/reports/c/click-details/l/members/k" one:
            |client| client.report("c").link_member("l", "k", &all());
        "/reports/c/sent-to" page("sent_to"): |client| client.report("c").sent_to(&all());
        "/reports/c/sent-to/k" one: |client| client.report("c").sent_to_member("k", &all());
        "/reports/c/unsubscribed" page("unsubscribes"): |client| client.report("c").unsubscribed(&all());
        "/reports/c/unsubscribed/k" one: |client| client.report("c").unsubscribed_member("k", &all());
        "/reports/c/abuse-reports" page("abuse_reports"): |client| client.report("c").abuse_reports(&all());
        "/reports/c/abuse-reports/7" one: |client| client.report("c").abuse_report(7, &all());
        "/reports/c/locations" page("locations"): |client| client.report("c").locations(&all());
        "/reports/c/domain-performance" page("domains"): |client| client.report("c").domain_performance(&all());
        "/reports/c/advice" page("advice"): |client| client.report("c").advice(&all());
        "/reports/c/eepurl" one: |client| client.report("c").eepurl(&all());
        "/reports/c/ecommerce-product-activity" page("products"):
            |client| client.report("c").product_activity(&all());
        "/automations" page("automations"): |client| client.automations().list(&all());
        "/automations/w" one: |client| client.automations().get("w", &all());
        "/automations/w/emails" page("emails"): |client| client.automations().emails("w", &all());
        "/automations/w/emails/e" one: |client| client.automations().email("w", "e", &all());
        "/automations/w/emails/e/queue" page("queue"): |client| client.automations().queue("w", "e", &all());
        "/automations/w/emails/e/queue/k" one: |client| client.automations().queued("w", "e", "k", &all());
        "/automations/w/removed-subscribers" page("subscribers"):
            |client| client.automations().removed_subscribers("w", &all());
        "/automations/w/removed-subscribers/k" one:
            |client| client.automations().removed_subscriber("w", "k", &all());
        "/conversations" page("conversations"): |client| client.conversations().list(&all());
        "/conversations/v" one: |client| client.conversations().get("v", &all());
        "/conversations/v/messages" page("conversation_messages"):
            |client| client.conversations().messages("v", &all());
        "/conversations/v/messages/m" one: |client| client.conversations().message("v", "m", &all());
        "/landing-pages" page("landing_pages"): |client| client.landing_pages().list(&all());
        "/landing-pages/p" one: |client| client.landing_pages().get("p", &all());
        "/landing-pages/p/content" one: |client| client.landing_pages().content("p", &all());
        "/reporting/landing-pages" page("landing_pages"): |client| client.reporting().landing_pages(&all());
        "/reporting/landing-pages/p" one: |client| client.reporting().landing_page("p", &all());
        "/reporting/surveys" page("surveys"): |client| client.reporting().surveys(&all());
        "/reporting/surveys/s" one: |client| client.reporting().survey("s", &all());
        "/reporting/surveys/s/questions" page("questions"): |client| client.reporting().questions("s", &all());
        "/reporting/surveys/s/questions/q" one: |client| client.reporting().question("s", "q", &all());
        "/reporting/surveys/s/questions/q/answers" page("answers"):
            |client| client.reporting().answers("s", "q", &all());
        "/reporting/surveys/s/responses" page("responses"): |client| client.reporting().responses("s", &all());
        "/reporting/surveys/s/responses/r" one: |client| client.reporting().response("s", "r", &all());
    }
}

#[tokio::test]
async fn templates_files_stores_and_jobs() {
    requests! {
        "/" one: |client| client.account(&everything());
        "/ping" one: |client| client.ping();
        "/templates" page("templates"): |client| client.templates().list(&all());
        "/templates/3" one: |client| client.templates().get(3, &all());
        "/templates/3/default-content" one: |client| client.templates().default_content(3, &all());
        "/template-folders" page("folders"): |client| client.template_folders().list(&all());
        "/template-folders/f" one: |client| client.template_folders().get("f", &all());
        "/file-manager/files" page("files"): |client| client.files().list(&all());
        "/file-manager/files/8" one: |client| client.files().get(8, &all());
        "/file-manager/folders" page("folders"): |client| client.files().folders(&all());
        "/file-manager/folders/8" one: |client| client.files().folder(8, &all());
        "/file-manager/folders/8/files" page("files"): |client| client.files().files_in(8, &all());
        "/ecommerce/stores" page("stores"): |client| client.stores().list(&all());
        "/ecommerce/orders" page("orders"): |client| client.stores().orders(&all());
        "/ecommerce/stores/s" one: |client| client.store("s").get(&all());
        "/ecommerce/stores/s/customers" page("customers"): |client| client.store("s").customers(&all());
        "/ecommerce/stores/s/customers/c" one: |client| client.store("s").customer("c", &all());
        "/ecommerce/stores/s/products" page("products"): |client| client.store("s").products(&all());
        "/ecommerce/stores/s/products/p" one: |client| client.store("s").product("p", &all());
        "/ecommerce/stores/s/products/p/variants" page("variants"): |client| client.store("s").variants("p", &all());
        "/ecommerce/stores/s/products/p/variants/v" one: |client| client.store("s").variant("p", "v", &all());
        "/ecommerce/stores/s/products/p/images" page("images"): |client| client.store("s").images("p", &all());
        "/ecommerce/stores/s/products/p/images/i" one: |client| client.store("s").image("p", "i", &all());
        "/ecommerce/stores/s/orders" page("orders"): |client| client.store("s").orders(&all());
        "/ecommerce/stores/s/orders/o" one: |client| client.store("s").order("o", &all());
        "/ecommerce/stores/s/orders/o/lines" page("lines"): |client| client.store("s").order_lines("o", &all());
        "/ecommerce/stores/s/orders/o/lines/l" one: |client| client.store("s").order_line("o", "l", &all());
        "/ecommerce/stores/s/carts" page("carts"): |client| client.store("s").carts(&all());
        "/ecommerce/stores/s/carts/c" one: |client| client.store("s").cart("c", &all());
        "/ecommerce/stores/s/carts/c/lines" page("lines"): |client| client.store("s").cart_lines("c", &all());
        "/ecommerce/stores/s/carts/c/lines/l" one: |client| client.store("s").cart_line("c", "l", &all());
        "/ecommerce/stores/s/promo-rules" page("promo_rules"): |client| client.store("s").promo_rules(&all());
        "/ecommerce/stores/s/promo-rules/r" one: |client| client.store("s").promo_rule("r", &all());
        "/ecommerce/stores/s/promo-rules/r/promo-codes" page("promo_codes"):
            |client| client.store("s").promo_codes("r", &all());
        "/ecommerce/stores/s/promo-rules/r/promo-codes/c" one:
            |client| client.store("s").promo_code("r", "c", &all());
        "/batches" page("batches"): |client| client.batches().list(&all());
        "/batches/b" one: |client| client.batches().get("b", &all());
        "/batch-webhooks" page("webhooks"): |client| client.batch_webhooks().list(&all());
        "/batch-webhooks/w" one: |client| client.batch_webhooks().get("w", &all());
        "/account-exports" page("exports"): |client| client.account_exports().list(&all());
        "/account-exports/42" one: |client| client.account_exports().get(42, &all());
        "/verified-domains" page("domains"): |client| client.verified_domains().list(&all());
        "/verified-domains/example.net" one: |client| client.verified_domains().get("example.net", &all());
    }
}

#[tokio::test]
async fn a_search_for_members_is_a_query() {
    let script = Script::new(|_, _| {
        Reply::json(
            200,
            r#"{"exact_matches":{"members":[{"id":"x"}],"total_items":1},
                "full_search":{"members":[],"total_items":0}}"#,
        )
    });
    let request = SearchMembers {
        query: "freddie@example.net".into(),
        list_id: Some("a".into()),
        ..SearchMembers::default()
    };
    assert!(!format!("{request:?}").contains("freddie"));
    let found = script
        .client()
        .search_members(&request)
        .await
        .unwrap()
        .value;
    let exact = found.exact_matches.value().unwrap();
    assert_eq!(exact.members.value().unwrap()[0].id.as_str(), Some("x"));
    let seen = script.seen().remove(0);
    assert_eq!(seen.path, "/3.0/search-members");
    assert_eq!(seen.query("query"), Some("freddie@example.net"));
    assert_eq!(seen.query("list_id"), Some("a"));
}
