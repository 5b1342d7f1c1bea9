//! A store in memory that fails, or is left by a process that is killed, at a chosen call.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use sync_object_store::object_store::memory::InMemory;
use sync_object_store::object_store::path::Path;
use sync_object_store::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// What a failing call has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    Before,
    /// All it should, but nobody was told.
    After,
}

/// Lets some calls that change something pass, and then none.
#[derive(Clone)]
pub(crate) struct FailingStore {
    pub(crate) inner: Arc<InMemory>,
    left: Arc<AtomicUsize>,
    fault: Fault,
    cause: std::io::ErrorKind,
}

impl FailingStore {
    /// Fails every change after the first `passing`.
    pub(crate) fn after(inner: Arc<InMemory>, passing: usize, fault: Fault) -> Self {
        Self {
            inner,
            left: Arc::new(AtomicUsize::new(passing)),
            fault,
            cause: std::io::ErrorKind::ConnectionReset,
        }
    }

    /// Fails with this.
    pub(crate) fn with(mut self, cause: std::io::ErrorKind) -> Self {
        self.cause = cause;
        self
    }

    fn passes(&self) -> bool {
        let taken = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        taken.is_ok()
    }

    fn error(&self) -> Error {
        Error::Generic {
            store: "failing",
            source: Box::new(std::io::Error::from(self.cause)),
        }
    }
}

impl fmt::Display for FailingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failing")
    }
}

impl fmt::Debug for FailingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failing")
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for FailingStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if self.passes() {
            return self.inner.put_opts(location, payload, options).await;
        }
        // Only the first failing call may still have acted: after it the process is gone.
        if self.fault == Fault::After && self.left.swap(0, Ordering::SeqCst) == 0 {
            self.inner.put_opts(location, payload, options).await?;
        }
        Err(self.error())
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let deleted = locations.then(move |location| {
            let this = this.clone();
            async move {
                let location = location?;
                let passes = this.passes();
                if passes || this.fault == Fault::After {
                    let one = stream::once(std::future::ready(Ok(location.clone()))).boxed();
                    let _: Vec<_> = this.inner.delete_stream(one).collect().await;
                }
                if passes {
                    Ok(location)
                } else {
                    Err(this.error())
                }
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}
