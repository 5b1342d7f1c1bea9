//! Where files go: a directory or a bucket, and a prefix in it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use futures::StreamExt;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use sync_core::{Error, ErrorKind, Result};
use url::{Host, Url};

use crate::error::{from_io, translate};
use crate::layout::below;
use crate::settings::StoreSettings;

/// A directory, or a prefix in a bucket. Cheap to clone.
#[derive(Clone)]
pub struct Place {
    pub(crate) store: Arc<dyn ObjectStore>,
    root: Path,
    /// Without a slash at the end.
    url: Arc<str>,
    directory: Option<Arc<std::path::Path>>,
}

impl Place {
    /// The place that a URL names. Nothing is asked of a store yet; a directory is made if it is missing.
    ///
    /// | URL | place |
    /// | --- | --- |
    /// | `files:DIR` | a directory |
    /// | `s3://BUCKET/PREFIX` | Amazon S3 and what speaks its protocol |
    /// | `gs://BUCKET/PREFIX` | Google Cloud Storage |
    /// | `az://CONTAINER/PREFIX` | Azure Blob Storage; the account is an option |
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the URL or a setting is not understood, when an endpoint is plain http on another host, or
    /// when this build leaves out that kind of store.
    pub fn open(url: &str, settings: &StoreSettings) -> Result<Self> {
        match url.split_once(':') {
            Some(("files", directory)) if !directory.is_empty() => Self::in_directory(directory),
            Some(("s3" | "gs" | "az", rest)) if rest.starts_with("//") => {
                let url = Url::parse(url).map_err(|_| not_understood())?;
                Self::in_bucket(&url, settings)
            }
            _ => Err(not_understood()),
        }
    }

    /// A place on any store, below `prefix`. `url` is how links to its objects begin.
    ///
    /// The store must publish an object at once when it is whole, and must refuse to create what is there
    /// ([`object_store::PutMode::Create`]): compaction needs it.
    pub fn on(store: Arc<dyn ObjectStore>, prefix: &str, url: &str) -> Self {
        Self {
            store,
            root: Path::from(prefix),
            url: url.trim_end_matches('/').into(),
            directory: None,
        }
    }

    fn in_directory(directory: &str) -> Result<Self> {
        const OPENING: &str = "open directory";
        std::fs::create_dir_all(directory).map_err(|error| from_io(OPENING, &error))?;
        let directory =
            std::fs::canonicalize(directory).map_err(|error| from_io(OPENING, &error))?;
        let store = LocalFileSystem::new_with_prefix(&directory)
            .map_err(|error| translate(OPENING, &error))?
            .with_fsync(true);
        let url = Url::from_directory_path(&directory).map_err(|()| not_understood())?;
        let mut place = Self::on(Arc::new(store), "", url.as_str());
        place.directory = Some(directory.into());
        Ok(place)
    }

    fn in_bucket(url: &Url, settings: &StoreSettings) -> Result<Self> {
        let bucket = url.host_str().filter(|name| !name.is_empty());
        let bucket = bucket.ok_or_else(not_understood)?;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err(Error::new(
                ErrorKind::Config,
                "open store",
                "the URL of a bucket has no user and no query: give credentials as settings",
            ));
        }
        check_endpoint(settings)?;
        if settings.options.keys().any(|name| reserved(name)) {
            return Err(Error::new(
                ErrorKind::Config,
                "open store",
                "bucket, endpoint, region and plain http have settings of their own: they cannot be options",
            ));
        }
        let prefix = Path::from_url_path(url.path()).map_err(|_| not_understood())?;
        let store = build(url.scheme(), bucket, settings)?;
        let mut place = Self::on(store, "", url.as_str());
        place.root = prefix;
        Ok(place)
    }

    /// Proves that the place is there and the credential accepted: lists the first object, or makes a file without a name in
    /// a directory. That a bucket may be written shows only by writing.
    ///
    /// # Errors
    /// What the store says, translated.
    pub async fn check(&self) -> Result<()> {
        if let Some(directory) = &self.directory {
            tempfile::tempfile_in(directory).map_err(|error| from_io("check directory", &error))?;
            return Ok(());
        }
        match self.store.list(Some(&self.root)).next().await {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(translate("check store", &error)),
        }
    }

    /// A place below this one.
    pub(crate) fn path(&self, relative: &str) -> Path {
        below(&self.root, relative)
    }

    /// The folder everything is in.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A link to an object.
    pub(crate) fn link(&self, relative: &str) -> String {
        format!("{}/{relative}", self.url)
    }

    /// Whether it is a directory of this machine.
    pub(crate) fn directory(&self) -> Option<PathBuf> {
        self.directory.as_ref().map(|path| path.to_path_buf())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.url).finish()
    }
}

fn not_understood() -> Error {
    Error::new(
        ErrorKind::Config,
        "open store",
        "the place is not understood: write files:DIR, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX",
    )
}

/// A credential crosses the network in the clear over plain http, or its signature can be used by who reads along.
fn check_endpoint(settings: &StoreSettings) -> Result<()> {
    let Some(endpoint) = &settings.endpoint else {
        return Ok(());
    };
    let local = match endpoint.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match endpoint.scheme() {
        "https" => Ok(()),
        "http" if local || settings.allow_http => Ok(()),
        "http" => Err(Error::new(
            ErrorKind::Config,
            "open store",
            "the endpoint is plain http on another host: use https, or allow it in the settings",
        )),
        _ => Err(Error::new(
            ErrorKind::Config,
            "open store",
            "the endpoint must begin with https://",
        )),
    }
}

/// Options that would undo what was checked above.
fn reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "endpoint",
        "allow_http",
        "base_url",
        "bucket",
        "container_name",
        "region",
        "proxy_url",
    ]
    .iter()
    .any(|part| name.contains(part))
}

/// How long one request may take. Four parts of 8 MiB share the line: that must work over 2 Mbit/s.
#[cfg(feature = "cloud")]
const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(180);

#[cfg(feature = "cloud")]
fn retry(settings: &StoreSettings) -> object_store::RetryConfig {
    object_store::RetryConfig {
        max_retries: settings.retries,
        // Time for one repetition at least.
        retry_timeout: 2 * REQUEST_TIMEOUT,
        ..object_store::RetryConfig::default()
    }
}

/// Gives a builder everything that was set.
#[cfg(feature = "cloud")]
macro_rules! configured {
    ($builder:expr, $key:ty, $settings:expr, $plain:expr) => {{
        use object_store::ClientOptions;
        use secrecy::ExposeSecret;
        let client = ClientOptions::new()
            .with_timeout(REQUEST_TIMEOUT)
            .with_allow_http($plain);
        let mut builder = $builder
            .with_client_options(client)
            .with_retry(retry($settings));
        for (name, value) in &$settings.options {
            let name = name.to_ascii_lowercase();
            let key: $key = name
                .parse()
                .map_err(|error| translate("open store", &error).with("option", &name))?;
            builder = builder.with_config(key, value.expose_secret());
        }
        builder
    }};
}

fn left_out() -> Error {
    Error::new(
        ErrorKind::Config,
        "open store",
        "this build leaves out that kind of store",
    )
}

#[cfg(not(feature = "cloud"))]
fn build(_: &str, _: &str, _: &StoreSettings) -> Result<Arc<dyn ObjectStore>> {
    Err(left_out())
}

#[cfg(feature = "cloud")]
fn build(scheme: &str, bucket: &str, settings: &StoreSettings) -> Result<Arc<dyn ObjectStore>> {
    let failed = |error: object_store::Error| translate("open store", &error);
    let plain = settings
        .endpoint
        .as_ref()
        .is_some_and(|endpoint| endpoint.scheme() == "http");
    let endpoint = settings
        .endpoint
        .as_ref()
        .map(|endpoint| endpoint.as_str().trim_end_matches('/'));
    match scheme {
        #[cfg(feature = "aws")]
        "s3" => {
            use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
            let builder = AmazonS3Builder::new().with_bucket_name(bucket);
            let mut builder = configured!(builder, AmazonS3ConfigKey, settings, plain);
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint);
            }
            if let Some(region) = &settings.region {
                builder = builder.with_region(region);
            }
            Ok(Arc::new(builder.build().map_err(failed)?))
        }
        #[cfg(feature = "gcp")]
        "gs" => {
            use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
            let builder = GoogleCloudStorageBuilder::new().with_bucket_name(bucket);
            let mut builder = configured!(builder, GoogleConfigKey, settings, plain);
            if let Some(endpoint) = endpoint {
                builder = builder.with_base_url(endpoint);
            }
            Ok(Arc::new(builder.build().map_err(failed)?))
        }
        #[cfg(feature = "azure")]
        "az" => {
            use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
            let builder = MicrosoftAzureBuilder::new().with_container_name(bucket);
            let mut builder = configured!(builder, AzureConfigKey, settings, plain);
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint.to_owned());
            }
            Ok(Arc::new(builder.build().map_err(failed)?))
        }
        _ => Err(left_out()),
    }
}
