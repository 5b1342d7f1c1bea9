//! An audience that is gone: proof, and everything that is none.

use mailchimp_simulator::{AccountSpec, Fault, Rule};
use sync_core::{ErrorKind, Key, Source};
use sync_mailchimp::catalogue::{CatalogueAccount, RemovedAudience};

use crate::api::{Api, drain};

const AUDIENCE: &str = "f0e1d2c3b4";

fn full() -> Api {
    let api = Api::new(|_| {});
    api.simulator.fill(AccountSpec::full());
    api
}

/// The source, and keys of two members.
async fn removed(api: &Api) -> (RemovedAudience, Vec<Key>) {
    let account = CatalogueAccount::new(api.client.clone());
    let account_id = account.id().await.expect("the account answers");
    let keys = ["a", "b"].map(|member| Key::new(format!("{account_id}:{AUDIENCE}:{member}")));
    (RemovedAudience::new(account, AUDIENCE), keys.to_vec())
}

#[tokio::test(start_paused = true)]
async fn an_audience_that_is_gone_has_no_members() {
    let api = full();
    api.simulator.delete_audience(AUDIENCE);
    let (source, keys) = removed(&api).await;
    source.check().await.expect("it is gone");
    let reader = source.keys().expect("keys").expect("it can tell");
    assert!(drain(reader).await.is_empty());
    let found = source.fetch(&keys).await.expect("it is gone");
    assert_eq!(found, [None, None]);
    assert_eq!(api.simulator.stats().of("GET /lists/{list_id}"), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_gone_without_the_apis_own_word() {
    let api = full();
    let (source, keys) = removed(&api).await;
    let error = source.check().await.expect_err("it is there");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    source.fetch(&keys).await.expect_err("it is there");

    api.simulator.delete_audience(AUDIENCE);
    for fault in [
        Fault::Forbidden,
        Fault::Status403Html,
        Fault::Status5xxJson,
        Fault::Status5xxHtml(404),
        Fault::Reset,
    ] {
        api.simulator.faults().clear();
        let rule = Rule::new(fault).on("GET /lists/{list_id}");
        api.simulator.faults().add(rule);
        source
            .check()
            .await
            .expect_err("nobody said that it is gone");
        let found = source.fetch(&keys).await;
        found.expect_err("nobody said that it is gone");
    }
}

#[tokio::test(start_paused = true)]
async fn members_of_another_account_are_not_removed() {
    let api = full();
    api.simulator.delete_audience(AUDIENCE);
    let (source, mut keys) = removed(&api).await;
    keys.push(Key::new(format!("another:{AUDIENCE}:c")));
    let error = source.fetch(&keys).await.expect_err("a foreign key");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
