//! Bytes into one object, streamed: it appears whole or not at all.

use std::io::{Read, Seek, SeekFrom};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions,
    PutPayload, UploadPart,
};
use sync_core::Result;
use tempfile::SpooledTempFile;

use crate::error::{from_io, translate};
use crate::place::Place;

/// Size of a part. Stores want at least 5 MiB, and some the same size for all but the last.
const PART: usize = 8 << 20;

/// Parts of one object at most, for the store with the lowest border (S3).
const MOST_PARTS: u64 = 10_000;

/// Parts on their way at the same time. This and [`PART`] bound the memory.
const PARTS_AT_ONCE: usize = 4;

/// What is read of a finished file at a time.
const BLOCK: usize = 1 << 20;

const UPLOADING: &str = "upload file";

/// An object while it is written. Dropped before [`finish`](Upload::finish) returned, it takes back the parts that arrived;
/// if the process is killed they stay, invisible, until the bucket's rule for unfinished uploads removes them.
struct Upload<'p> {
    place: &'p Place,
    path: Path,
    attributes: Attributes,
    part: usize,
    /// What is not yet a part, and its length.
    buffer: Vec<Bytes>,
    length: usize,
    multipart: Option<Box<dyn MultipartUpload>>,
    on_their_way: FuturesUnordered<UploadPart>,
}

impl<'p> Upload<'p> {
    /// Nothing is asked of the store before the first part is full.
    fn new(place: &'p Place, path: Path, expected_size: u64) -> Self {
        // An exact fit would fail if the expected size is too small by a little.
        let part = usize::try_from(expected_size / (MOST_PARTS / 2)).unwrap_or(usize::MAX);
        Self {
            place,
            path,
            attributes: Attributes::new(),
            part: part.max(PART),
            buffer: Vec::new(),
            length: 0,
            multipart: None,
            on_their_way: FuturesUnordered::new(),
        }
    }

    /// What browsers are told the object is. Directories keep no such thing.
    fn content_type(mut self, content_type: Option<&str>) -> Self {
        if let Some(content_type) = content_type
            && self.place.directory().is_none()
        {
            self.attributes
                .insert(Attribute::ContentType, content_type.to_owned().into());
        }
        self
    }

    async fn push(&mut self, mut bytes: Bytes) -> Result<()> {
        while !bytes.is_empty() {
            let room = self.part - self.length;
            let block = bytes.split_to(room.min(bytes.len()));
            self.length += block.len();
            self.buffer.push(block);
            if self.length == self.part {
                self.send().await?;
            }
        }
        Ok(())
    }

    fn take(&mut self) -> PutPayload {
        self.length = 0;
        self.buffer.drain(..).collect()
    }

    async fn send(&mut self) -> Result<()> {
        while self.on_their_way.len() >= PARTS_AT_ONCE {
            self.arrived().await?;
        }
        let part = self.take();
        if self.multipart.is_none() {
            let options = PutMultipartOptions {
                attributes: self.attributes.clone(),
                ..PutMultipartOptions::default()
            };
            let begun = self.place.store.put_multipart_opts(&self.path, options);
            let begun = begun.await.map_err(|error| translate(UPLOADING, &error))?;
            self.multipart = Some(begun);
        }
        if let Some(upload) = &mut self.multipart {
            self.on_their_way.push(upload.put_part(part));
        }
        Ok(())
    }

    async fn arrived(&mut self) -> Result<()> {
        match self.on_their_way.next().await {
            Some(Err(error)) => Err(translate(UPLOADING, &error)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// The object is there, whole and durable, when this returns.
    async fn finish(mut self) -> Result<()> {
        if self.multipart.is_none() {
            let options = PutOptions {
                attributes: self.attributes.clone(),
                ..PutOptions::default()
            };
            let payload = self.take();
            let put = self.place.store.put_opts(&self.path, payload, options);
            put.await.map_err(|error| translate(UPLOADING, &error))?;
            return Ok(());
        }
        if !self.buffer.is_empty() {
            self.send().await?;
        }
        while !self.on_their_way.is_empty() {
            self.arrived().await?;
        }
        if let Some(upload) = &mut self.multipart {
            upload
                .complete()
                .await
                .map_err(|error| translate(UPLOADING, &error))?;
        }
        self.multipart = None;
        Ok(())
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        let on_their_way = std::mem::take(&mut self.on_their_way);
        if let Some(mut upload) = self.multipart.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                drop(on_their_way);
                // If this fails too, it is as if the process had been killed.
                let _ = upload.abort().await;
            });
        }
    }
}

/// Publishes a finished file under its name.
pub(crate) async fn publish(
    place: &Place,
    relative: &str,
    mut staged: SpooledTempFile,
    content_type: Option<&str>,
) -> Result<()> {
    let size = staged
        .seek(SeekFrom::End(0))
        .and_then(|size| staged.rewind().map(|()| size))
        .map_err(|error| from_io(UPLOADING, &error))?;
    let mut upload = Upload::new(place, place.path(relative), size).content_type(content_type);
    loop {
        let (block, rest) = tokio::task::spawn_blocking(move || {
            let mut block = Vec::with_capacity(BLOCK);
            let read = Read::by_ref(&mut staged)
                .take(BLOCK as u64)
                .read_to_end(&mut block);
            read.map(|_| (block, staged))
        })
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()))
        .map_err(|error| from_io(UPLOADING, &error))?;
        staged = rest;
        if block.is_empty() {
            return upload.finish().await;
        }
        upload.push(block.into()).await?;
    }
}
