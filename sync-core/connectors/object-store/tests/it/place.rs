//! Places that tests write to.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use secrecy::SecretString;
use sync_object_store::object_store::ObjectStore;
use sync_object_store::object_store::aws::AmazonS3Builder;
use sync_object_store::object_store::local::LocalFileSystem;
use sync_object_store::{Place, StoreSettings};
use tempfile::TempDir;
use url::Url;

use crate::reader;

/// A place of its own, gone with it where that is a directory.
pub(crate) struct TestPlace {
    pub(crate) place: Place,
    /// The same place, reached without the crate.
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) prefix: String,
    directory: Option<TempDir>,
}

impl TestPlace {
    /// A directory; in memory where the system has such a place, for the disk is waited for after each file.
    pub(crate) fn on_disk() -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let directory = directory.expect("a directory");
        let url = format!("files:{}", directory.path().display());
        Self {
            place: Place::open(&url, &StoreSettings::default()).expect("a place"),
            store: Arc::new(LocalFileSystem::new_with_prefix(directory.path()).expect("a store")),
            prefix: String::new(),
            directory: Some(directory),
        }
    }

    /// A prefix of its own in the bucket `tests` of the server at `S3_TEST_URL`; `None`, and a line that says so, without
    /// that variable.
    pub(crate) fn on_s3(test: &str) -> Option<Self> {
        let Ok(endpoint) = std::env::var("S3_TEST_URL") else {
            skipped();
            return None;
        };
        let settings = s3_settings(&endpoint);
        let unique = tempfile::tempdir().expect("a directory");
        let prefix = unique.path().file_name().expect("a name").to_string_lossy();
        let prefix = format!("{test}/{prefix}");
        let store = AmazonS3Builder::new()
            .with_bucket_name("tests")
            .with_endpoint(endpoint)
            .with_allow_http(true)
            .with_access_key_id("test")
            .with_secret_access_key("test");
        Some(Self {
            place: Place::open(&format!("s3://tests/{prefix}"), &settings).expect("a place"),
            store: Arc::new(store.build().expect("a store")),
            prefix,
            directory: None,
        })
    }

    /// Every object and its content, by its path below the place.
    pub(crate) async fn objects(&self) -> BTreeMap<String, Bytes> {
        reader::objects(&*self.store, &self.prefix).await
    }

    /// The directory.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.directory.as_ref().expect("a directory").path()
    }
}

/// How the test server is reached.
pub(crate) fn s3_settings(endpoint: &str) -> StoreSettings {
    StoreSettings {
        endpoint: Some(Url::parse(endpoint).expect("a URL")),
        region: Some("us-east-1".to_owned()),
        options: BTreeMap::from([
            ("aws_access_key_id".to_owned(), SecretString::from("test")),
            (
                "aws_secret_access_key".to_owned(),
                SecretString::from("test"),
            ),
        ]),
        retries: 2,
        ..StoreSettings::default()
    }
}

fn skipped() {
    // Written past the capture of the test harness, so that a run shows what it left out.
    let name = std::thread::current().name().unwrap_or("test").to_owned();
    let _ = writeln!(
        std::io::stderr(),
        "skipped {name}: S3_TEST_URL is not set; .ci/services/moto starts a server"
    );
}
