//! Stores and everything else that is made, changed and deleted while somebody reads.

use mailchimp_simulator::{AccountSpec, GroupSpec, MergeFieldKind, Refused, Thing};
use serde_json::{Value, json};

use crate::api::{Api, LIST, full, rows};

const STORE: &str = "store-main";

#[test]
fn things_of_a_store_come_change_and_go() {
    let api = full();
    api.pass(100);
    for (thing, name, stamp) in [
        (Thing::Customer(STORE), "customers", "updated_at"),
        (Thing::Order(STORE), "orders", "updated_at_foreign"),
        (Thing::Cart(STORE), "carts", "updated_at"),
        (Thing::Product(STORE), "products", "vendor"),
    ] {
        let path = format!("/ecommerce/stores/{STORE}/{name}");
        let total = |api: &Api| api.read(&path)["total_items"].as_u64().unwrap();
        assert_eq!(total(&api), 12);
        let id = api.simulator.make(thing).unwrap();
        assert_eq!(total(&api), 13);
        let one = format!("{path}/{id}");
        let made = api.read(&one);
        api.pass(1);
        api.simulator.change(thing, &id).unwrap();
        let changed = api.read(&one);
        assert_ne!(made[stamp], changed[stamp], "{name}");
        api.simulator.delete(thing, &id).unwrap();
        assert_eq!((total(&api), api.get(&one).status), (12, 404));
        assert_eq!(api.simulator.change(thing, &id), Err(Refused::UnknownThing));
    }
    let nowhere = Thing::Order("no such store");
    assert_eq!(api.simulator.make(nowhere), Err(Refused::UnknownThing));
}

#[test]
fn what_is_deleted_during_a_walk_shifts_the_rest() {
    let api = full();
    let path = format!("/ecommerce/stores/{STORE}/orders");
    let all = api.column(&format!("{path}?count=100"), "orders", "id");
    let first = api.column(&format!("{path}?count=4"), "orders", "id");
    assert_eq!(first, all[..4]);
    let victim = all[0].as_str().unwrap();
    api.simulator.delete(Thing::Order(STORE), victim).unwrap();
    let second = api.column(&format!("{path}?count=4&offset=4"), "orders", "id");
    assert_eq!(second, all[5..9], "one row is skipped");
}

#[test]
fn orders_of_all_stores_are_those_of_each() {
    let api = full();
    let everywhere = rows(&api, "/ecommerce/orders?count=100", "orders");
    let stores = api.column("/ecommerce/stores", "stores", "id");
    assert_eq!(stores.len(), 2);
    let own = rows(
        &api,
        &format!("/ecommerce/stores/{STORE}/orders?count=100"),
        "orders",
    );
    let of_main: Vec<&Value> = everywhere
        .iter()
        .filter(|order| order["store_id"] == STORE)
        .collect();
    assert_eq!(of_main, own.iter().collect::<Vec<_>>());
    assert_eq!(everywhere.len(), 15);
}

#[test]
fn orders_filter_by_customer_campaign_and_outreach() {
    let api = full();
    let path = "/ecommerce/orders?count=100";
    let all = rows(&api, path, "orders");
    let with = rows(&api, &format!("{path}&has_outreach=true"), "orders");
    let without = rows(&api, &format!("{path}&has_outreach=false"), "orders");
    assert!(!with.is_empty() && !without.is_empty());
    assert_eq!(with.len() + without.len(), all.len());
    assert!(
        with.iter()
            .all(|order| order["outreach"]["id"] == order["campaign_id"])
    );
    let campaign = with[0]["campaign_id"].as_str().unwrap();
    let led = rows(&api, &format!("{path}&campaign_id={campaign}"), "orders");
    assert!(led.iter().all(|order| order["campaign_id"] == campaign) && !led.is_empty());
    let customer = all[0]["customer"]["id"].as_str().unwrap();
    let bought = rows(&api, &format!("{path}&customer_id={customer}"), "orders");
    assert!(
        bought
            .iter()
            .all(|order| order["customer"]["id"] == customer)
            && !bought.is_empty()
    );
}

#[test]
fn a_customer_is_found_by_address() {
    let api = full();
    let path = format!("/ecommerce/stores/{STORE}/customers");
    let found = rows(
        &api,
        &format!("{path}?email_address=Reader0000003@mail.test"),
        "customers",
    );
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["email_address"], "reader0000003@mail.test");
}

#[test]
fn lines_and_variants_are_the_same_inside_and_alone() {
    let api = full();
    for order in rows(
        &api,
        &format!("/ecommerce/stores/{STORE}/orders?count=4"),
        "orders",
    ) {
        let path = format!(
            "/ecommerce/stores/{STORE}/orders/{}/lines",
            order["id"].as_str().unwrap()
        );
        assert_eq!(json!(rows(&api, &path, "lines")), order["lines"]);
    }
    for product in rows(
        &api,
        &format!("/ecommerce/stores/{STORE}/products?count=4"),
        "products",
    ) {
        let path = format!(
            "/ecommerce/stores/{STORE}/products/{}",
            product["id"].as_str().unwrap()
        );
        assert_eq!(
            json!(rows(&api, &format!("{path}/variants"), "variants")),
            product["variants"]
        );
        assert_eq!(
            json!(rows(&api, &format!("{path}/images"), "images")),
            product["images"]
        );
    }
}

#[test]
fn templates_and_landing_pages_are_made_and_changed() {
    let api = full();
    for (thing, path, key, stamp) in [
        (Thing::Template, "/templates", "templates", "date_edited"),
        (
            Thing::LandingPage,
            "/landing-pages",
            "landing_pages",
            "updated_at",
        ),
    ] {
        let before = rows(&api, &format!("{path}?count=100"), key).len();
        let id = api.simulator.make(thing).unwrap();
        assert_eq!(
            rows(&api, &format!("{path}?count=100"), key).len(),
            before + 1
        );
        api.pass(60);
        api.simulator.change(thing, &id).unwrap();
        assert_eq!(
            api.read(&format!("{path}/{id}"))[stamp],
            "2026-03-01T12:01:00+00:00"
        );
        api.simulator.delete(thing, &id).unwrap();
        assert_eq!(api.get(&format!("{path}/{id}")).status, 404);
        api.pass(-60);
    }
}

#[test]
fn templates_filter_and_sort() {
    let api = full();
    let edited = api.column(
        "/templates?sort_field=date_edited&sort_dir=DESC",
        "templates",
        "date_edited",
    );
    assert!(
        edited
            .iter()
            .rev()
            .is_sorted_by_key(|time| time.as_str().unwrap().to_owned())
    );
    assert_eq!(edited.last().unwrap(), "", "never edited");
    let of_user = api.column("/templates?type=user", "templates", "type");
    assert!(!of_user.is_empty() && of_user.iter().all(|kind| kind == "user"));
    assert_eq!(api.get("/templates?sort_field=id").status, 400);
    assert_eq!(
        api.get("/templates?sort_field=name&sort_dir=up").status,
        400
    );
    assert!(
        api.column("/templates?count=100", "templates", "active")
            .contains(&json!(false))
    );
}

#[test]
fn a_size_costs_nothing_until_it_is_read() {
    let api = Api::new();
    let mut spec = AccountSpec::full();
    spec.stores[0].orders = 1_000_000;
    api.simulator.fill(spec);
    let path = format!("/ecommerce/stores/{STORE}/customers?offset=11");
    assert_eq!(rows(&api, &path, "customers").len(), 1);
    let orders = format!("/ecommerce/stores/{STORE}/orders?offset=999999");
    let last = rows(&api, &orders, "orders");
    assert_eq!(
        (last.len(), last[0]["id"].as_str().unwrap()),
        (1, "order/№ \"ü\" 100%-999999")
    );
}

#[test]
fn a_merge_field_changes_its_type_and_interests_are_added() {
    let api = Api::new();
    let audience = api.audience_of(3, |spec| {
        spec.groups = vec![GroupSpec::new("Topics", ["Tea"])];
    });
    audience
        .retype_merge_field("PHONE", MergeFieldKind::Number)
        .unwrap();
    let path = format!("/lists/{LIST}/merge-fields?type=number");
    assert_eq!(api.column(&path, "merge_fields", "tag"), ["PHONE"]);
    assert_eq!(
        audience.retype_merge_field("NONE", MergeFieldKind::Text),
        Err(Refused::UnknownDefinition)
    );
    let id = audience.nth_id(0).unwrap();
    let before = audience.member(&id).unwrap();
    audience.add_interest("Topics", "Cake").unwrap();
    assert_eq!(audience.add_interest("Topics", "Cake"), Err(Refused::Taken));
    assert_eq!(
        audience.add_interest("None", "Pie"),
        Err(Refused::UnknownDefinition)
    );
    let after = audience.member(&id).unwrap();
    assert_eq!(after["last_changed"], before["last_changed"]);
    assert_eq!(after["interests"].as_object().unwrap().len(), 2);
    audience.set_interest(&id, "Cake", true).unwrap();
    let chosen = audience.member(&id).unwrap();
    assert!(
        chosen["interests"]
            .as_object()
            .unwrap()
            .values()
            .any(|held| held == true)
    );
}

#[test]
fn lists_know_what_was_sent_to_them() {
    let api = full();
    let lists = rows(&api, "/lists", "lists");
    let sent: u64 = lists
        .iter()
        .map(|list| list["stats"]["campaign_count"].as_u64().unwrap())
        .sum();
    assert_eq!(sent, 8);
    let last = lists[0]["stats"]["campaign_last_sent"]
        .as_str()
        .unwrap()
        .replace('+', "%2B");
    let before = rows(
        &api,
        &format!("/lists?before_campaign_last_sent={last}"),
        "lists",
    );
    assert!(before.iter().any(|list| list["id"] == lists[0]["id"]));
    let since = rows(
        &api,
        &format!("/lists?since_campaign_last_sent={last}"),
        "lists",
    );
    assert!(since.iter().all(|list| list["id"] != lists[0]["id"]));
    assert_eq!(
        rows(&api, "/lists?has_ecommerce_store=true", "lists").len(),
        2
    );
}

#[test]
fn what_members_did_is_what_their_campaigns_say() {
    let api = full();
    let list = "f0e1d2c3b4";
    let campaign = api.simulator.sent_campaigns()[0].clone();
    let opener = rows(
        &api,
        &format!("/reports/{campaign}/open-details"),
        "members",
    )[0]
    .clone();
    let id = opener["email_id"].as_str().unwrap();
    let activity = rows(
        &api,
        &format!("/lists/{list}/members/{id}/activity?action=open"),
        "activity",
    );
    let own = activity
        .iter()
        .filter(|event| event["campaign_id"] == campaign.as_str());
    assert_eq!(own.count() as u64, opener["opens_count"].as_u64().unwrap());
    assert!(
        activity
            .iter()
            .rev()
            .is_sorted_by_key(|event| event["timestamp"].to_string())
    );
}

#[test]
fn the_newest_note_is_in_the_member() {
    let api = full();
    let audience = api.simulator.audience("f0e1d2c3b4");
    let id = audience.nth_id(0).unwrap();
    audience.set_note(&id, "first").unwrap();
    api.pass(5);
    audience.set_note(&id, "second").unwrap();
    let path = format!("/lists/f0e1d2c3b4/members/{id}");
    let notes = rows(
        &api,
        &format!("{path}/notes?sort_field=created_at&sort_dir=DESC"),
        "notes",
    );
    assert_eq!(notes[0]["note"], "second");
    let member = api.read(&path);
    assert_eq!(member["last_note"]["note"], "second");
    assert_eq!(member["last_note"]["note_id"], notes[0]["id"]);
}

#[test]
fn contacts_page_by_a_cursor_that_changes_do_not_move() {
    let api = full();
    let audience = api.simulator.audience("f0e1d2c3b4");
    let path = "/audiences/f0e1d2c3b4/contacts?count=7";
    let mut cursor = String::new();
    let mut seen = Vec::new();
    for page in 0.. {
        let body = api.read(&format!("{path}&cursor={cursor}"));
        assert!(body.get("total_items").is_none());
        seen.extend(
            body["contacts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["id"].clone()),
        );
        if page == 1 {
            audience
                .delete_permanently(&audience.nth_id(0).unwrap())
                .unwrap();
        }
        cursor = body["next_cursor"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(
        seen.len(),
        60,
        "those of the first pages and all others, once"
    );
    seen.sort_by_key(Value::to_string);
    seen.dedup();
    assert_eq!(seen.len(), 60);
    let archived = rows(&api, "/audiences/f0e1d2c3b4/contacts?count=100", "contacts");
    assert!(archived.iter().any(|row| row["status"] == "archived"));
    assert_eq!(
        api.get("/audiences/f0e1d2c3b4/contacts?cursor=xyz").status,
        400
    );
}
