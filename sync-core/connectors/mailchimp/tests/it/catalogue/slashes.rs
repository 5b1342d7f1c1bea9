//! Ids that shops chose, with slashes in them: the API may take such a slash for one of its own path.

use std::sync::{Arc, Mutex};

use mailchimp_simulator::{AccountSpec, Fault, Rule, Thing};
use sync_core::{Key, Keyed, Source};
use sync_mailchimp::catalogue::StreamSource;
use sync_mailchimp::{Notice, ReadHooks};

use super::{Held, source};
use crate::api::{Api, drain};

const STORE: &str = "gid://shop/1";

/// An account with two stores, of which the first has this id.
fn account(store: &str) -> Api {
    let api = Api::new(|_| {});
    let mut spec = AccountSpec::full();
    store.clone_into(&mut spec.stores[0].id);
    api.simulator.fill(spec);
    api
}

#[derive(Default)]
struct Notices(Mutex<Vec<Notice>>);

impl ReadHooks for Notices {
    fn on_notice(&self, _: &str, notice: &Notice) {
        self.0.lock().expect("no panic").push(notice.clone());
    }
}

/// A source, and what it will notice.
fn heard(api: &Api, name: &str) -> (StreamSource, Arc<Notices>) {
    let notices = Arc::new(Notices::default());
    (source(api, name).hooks(notices.clone()), notices)
}

/// How many parts were left out, one of them, and why.
fn left_out(notices: &Notices) -> (usize, String, String) {
    let heard = std::mem::take(&mut *notices.0.lock().expect("no panic"));
    match &heard[..] {
        [
            Notice::PartsUnreachable {
                parts,
                part,
                reason,
            },
        ] => (*parts, part.clone(), reason.clone()),
        other => panic!("{other:?}"),
    }
}

fn complete(held: &Held) -> bool {
    let cursor = held.cursor.as_ref().expect("a cursor");
    held.failures.is_empty() && cursor.complete_until.is_some()
}

fn keys(held: &Held) -> Vec<Key> {
    held.records.keys().cloned().map(Key::new).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_below_an_id_with_slashes_is_read() {
    let api = account(STORE);
    for name in ["products", "all_product_variants"] {
        let (stream, notices) = heard(&api, name);
        let mut held = Held::default();
        held.read(&stream).await.expect("reading works");
        assert!(complete(&held), "{name}: {:?}", held.failures);
        assert!(held.count("store_id", STORE) > 0, "{name}");
        let found = stream.fetch(&keys(&held)).await.expect("fetching works");
        assert!(found.iter().all(Option::is_some), "{name}");
        assert_eq!(*notices.0.lock().expect("no panic"), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_no_slash_leaves_a_run_complete_that_says_what_it_lacks() {
    let api = account(STORE);
    let below = |path: &str| Rule::new(Fault::NotFound).below(format!("/ecommerce/{path}"));
    let products = source(&api, "products");
    let mut held = Held::default();
    held.read(&products).await.expect("reading works");
    let in_store = held.count("store_id", STORE);
    assert!(in_store > 10, "more than may fail in a row");
    // The store's own path, then only those of its products.
    let all = format!("stores/{STORE}/");
    let of_products = format!("stores/{STORE}/products/");
    for (name, refused, parts) in [
        ("products", &all, 1),
        ("all_product_variants", &all, 1),
        ("all_product_variants", &of_products, in_store),
    ] {
        let (stream, notices) = heard(&api, name);
        api.simulator.faults().add(below(refused));
        let mut held = Held::default();
        for _ in 0..2 {
            held.read(&stream).await.expect("reading works");
            assert!(complete(&held), "{name}: {:?}", held.failures);
            assert_eq!(held.count("store_id", STORE), 0);
            assert!(!held.records.is_empty(), "other stores are read");
            let (count, part, reason) = left_out(&notices);
            assert_eq!(count, parts, "{name}");
            assert!(
                part.starts_with(&format!("{name} of store_id {STORE}")),
                "{part}"
            );
            assert!(reason.contains("404 below an id with a slash"), "{reason}");
        }
        // Nor does it stop the search for removals elsewhere.
        let listed = drain(stream.keys().expect("a reader").expect("it can tell")).await;
        assert_eq!(listed.len(), held.records.len());
        api.simulator.faults().clear();
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_that_cannot_stand_in_a_path_leaves_a_run_complete_that_says_so() {
    let api = account("shop/../1");
    let (products, notices) = heard(&api, "products");
    let mut held = Held::default();
    held.read(&products).await.expect("reading works");
    assert!(complete(&held), "{:?}", held.failures);
    assert!(!held.records.is_empty(), "other stores are read");
    let (parts, part, reason) = left_out(&notices);
    assert_eq!((parts, &*part), (1, "products of store_id shop/../1"));
    assert!(reason.contains("cannot stand in a path"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn below_slashes_only_a_parent_that_is_gone_proves_that_something_is() {
    let api = account(STORE);
    let variants = source(&api, "all_product_variants");
    let mut held = Held::default();
    held.read(&variants).await.expect("reading works");
    let record = held.records.values().find(|it| it["store_id"] == STORE);
    let product = record.expect("one")["product_id"].clone();
    let product = product.as_str().expect("an id");
    let of_product = |key: &&Key| held.records[key.as_str()]["product_id"] == product;
    let mut in_store = keys(&held);
    in_store.retain(|key| held.records[key.as_str()]["store_id"] == STORE);

    // Nobody can tell a server that takes no slash from a product without variants.
    let refused = Rule::new(Fault::NotFound).below(format!("/ecommerce/stores/{STORE}/products/"));
    api.simulator.faults().add(refused);
    let found = variants.fetch(&in_store).await;
    found.expect_err("their products are there");
    api.simulator.faults().clear();

    let deleted = api.simulator.delete(Thing::Product(STORE), product);
    deleted.expect("it is there");
    api.simulator.reset_stats();
    let found = variants.fetch(&in_store).await.expect("fetching works");
    for (key, record) in in_store.iter().zip(&found) {
        let expected = (!of_product(&key)).then_some(key);
        assert_eq!(record.as_ref().map(Keyed::key).as_ref(), expected);
    }
    assert!(found.iter().any(Option::is_none));
    let walks = "GET /ecommerce/stores/{store_id}/products";
    assert_eq!(api.simulator.stats().of(walks), 1);
}
