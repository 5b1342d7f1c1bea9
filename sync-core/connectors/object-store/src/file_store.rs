//! Copies of files that the source keeps, named after their content.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use object_store::{ObjectStore, ObjectStoreExt, PutOptions};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sync_core::{Error, ErrorKind, Result};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::{damaged, from_io, translate};
use crate::place::Place;
use crate::row::Scratch;
use crate::unfinished::{UNFINISHED, sweep, time_in};
use crate::upload::publish;

const STORING: &str = "store file";
const LOOKING: &str = "look for stored file";

/// Where copies lie.
const FILES: &str = "files";

/// Where the entries of the index lie.
const INDEX: &str = "files/_index";

/// Longest ending of a name that is kept.
const LONGEST_EXTENSION: usize = 10;

/// Keeps copies of a source's files at a place, each content once.
///
/// ```text
/// files/<first two hex digits>/<sha256>[.<extension>]      the copy
/// files/_index/<first two hex digits>/<sha256 of id and version>.json   which file of the source it is
/// ```
///
/// A copy is there whole or not at all, and its entry in the index comes after it. Whatever was cut short is simply done
/// again, file by file; a copy that is there already is not uploaded a second time.
///
/// A process that is killed can leave a file in a directory whose name ends in `#` and a number. The first copy that is made
/// with a store, and one on every later day, deletes those that are a day old.
#[derive(Clone)]
pub struct FileStore {
    place: Place,
    scratch: Scratch,
    /// When unfinished files were last looked for. Shared by clones.
    swept: Arc<Mutex<Option<Instant>>>,
}

/// A file as the source describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceFile {
    /// Its id at the source; with the account's, if several share a place.
    pub id: String,
    /// Changes when the content does, as far as the source tells: the time of its last change, say.
    pub version: String,
    /// Its name or the end of it, for the ending of the copy's name: only letters and digits after the last dot are kept.
    pub name: Option<String>,
    /// What browsers are told it is, where the store keeps such a thing.
    pub content_type: Option<String>,
    /// Its size in bytes, if the source says.
    pub size: Option<u64>,
}

/// A copy of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// The SHA-256 of its content, in lower-case hex.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Where it lies: a URL of the scheme of its place (`file:`, `s3:`, `gs:`, `az:`).
    pub url: String,
}

/// An entry of the index.
#[derive(Serialize, Deserialize)]
struct Entry {
    id: String,
    version: String,
    sha256: String,
    size: u64,
    path: String,
}

impl FileStore {
    /// Copies at a place. Files of more than a few MiB wait in `scratch` until their hash is known; `None`: in the system's
    /// directory for temporary files.
    pub fn new(place: Place, scratch: Option<std::path::PathBuf>) -> Self {
        Self {
            place,
            scratch: Scratch::new(scratch),
            swept: Arc::default(),
        }
    }

    /// The copy of this version of a file, if it is there with the size it had. Two requests.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn has(&self, id: &str, version: &str) -> Result<Option<StoredFile>> {
        let index = index_path(id, version);
        let failed = |error| translate(LOOKING, &error);
        let entry = match self.place.store.get(&self.place.path(&index)).await {
            Ok(found) => found.bytes().await.map_err(failed)?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let Ok(entry) = serde_json::from_slice::<Entry>(&entry) else {
            return Err(damaged(LOOKING, index));
        };
        Ok(self
            .holds(&entry.path, entry.size)
            .await?
            .then(|| StoredFile {
                url: self.place.link(&entry.path),
                sha256: entry.sha256,
                size: entry.size,
            }))
    }

    async fn holds(&self, path: &str, size: u64) -> Result<bool> {
        match self.place.store.head(&self.place.path(path)).await {
            Ok(found) => Ok(found.size == size),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(translate(LOOKING, &error)),
        }
    }

    /// Copies a file. Its content is streamed: never more than a few MiB of it are in memory. Returns when the copy and its
    /// entry in the index are durable; dropped before that, it leaves nothing that counts.
    ///
    /// # Errors
    /// What `chunks` gives; [`ErrorKind::Invalid`] if they are more or fewer bytes than [`SourceFile::size`] says; what the store
    /// or the scratch directory says.
    pub async fn put(
        &self,
        file: &SourceFile,
        chunks: impl Stream<Item = Result<Bytes>> + Send,
    ) -> Result<StoredFile> {
        let disk = |error| from_io(STORING, &error);
        let mut chunks = std::pin::pin!(chunks);
        let mut staged = self.scratch.staged();
        let mut hash = Sha256::new();
        let mut size: u64 = 0;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            size += chunk.len() as u64;
            if file.size.is_some_and(|expected| size > expected) {
                return Err(wrong_size(file, "the file is longer than the source says"));
            }
            hash.update(&chunk);
            // A chunk is a few KiB, and what is written stays in the system's cache mostly.
            staged.write_all(&chunk).map_err(disk)?;
        }
        if file.size.is_some_and(|expected| size < expected) {
            return Err(wrong_size(file, "the file is shorter than the source says"));
        }
        let sha256 = hex(&hash.finalize());
        let path = content_path(&sha256, file.name.as_deref());
        self.clear_away().await?;
        if !self.holds(&path, size).await? {
            publish(&self.place, &path, staged, file.content_type.as_deref()).await?;
        }
        self.remember(file, &path, &sha256, size).await?;
        Ok(StoredFile {
            url: self.place.link(&path),
            sha256,
            size,
        })
    }

    /// Deletes what killed processes left, if nobody looked for it lately.
    async fn clear_away(&self) -> Result<()> {
        let Some(directory) = self.place.directory() else {
            return Ok(());
        };
        let mut swept = self.swept.lock().await;
        if swept.is_some_and(|at| at.elapsed() < UNFINISHED) {
            return Ok(());
        }
        let now = time_in(&directory).map_err(|error| from_io(STORING, &error))?;
        for folder in [FILES, INDEX] {
            sweep(directory.join(folder), is_ours, now).await?;
        }
        *swept = Some(Instant::now());
        Ok(())
    }

    async fn remember(&self, file: &SourceFile, path: &str, sha256: &str, size: u64) -> Result<()> {
        let index = index_path(&file.id, &file.version);
        let entry = Entry {
            id: file.id.clone(),
            version: file.version.clone(),
            sha256: sha256.to_owned(),
            size,
            path: path.to_owned(),
        };
        let text = serde_json::to_vec(&entry).map_err(|_| damaged(STORING, &index))?;
        let at = self.place.path(&index);
        let put = self
            .place
            .store
            .put_opts(&at, text.into(), PutOptions::default());
        put.await.map_err(|error| translate(STORING, &error))?;
        Ok(())
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileStore").field(&self.place).finish()
    }
}

fn wrong_size(file: &SourceFile, message: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, STORING, message).with("file", &file.id)
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let pairs = bytes.iter();
    pairs
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)])
        .collect()
}

/// Whether a file of this name in this folder is a copy or an entry of the index.
fn is_ours(folder: &str, name: &str) -> bool {
    let hash = name.split_once('.').map_or(name, |(hash, _)| hash);
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    hash.len() == 64
        && hash.bytes().all(hexadecimal)
        && folder.len() == 2
        && hash.starts_with(folder)
}

fn content_path(sha256: &str, name: Option<&str>) -> String {
    let folder = sha256.get(..2).unwrap_or_default();
    let mut path = format!("{FILES}/{folder}/{sha256}");
    let extension = name
        .and_then(|name| name.rsplit_once('.'))
        .map(|(_, end)| end);
    if let Some(extension) = extension
        && (1..=LONGEST_EXTENSION).contains(&extension.len())
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        path.push('.');
        path.push_str(&extension.to_ascii_lowercase());
    }
    path
}

fn index_path(id: &str, version: &str) -> String {
    // The length keeps apart what two pairs of id and version would spell alike.
    let mut hash = Sha256::new();
    hash.update((id.len() as u64).to_le_bytes());
    hash.update(id);
    hash.update(version);
    let hash = hex(&hash.finalize());
    let folder = hash.get(..2).unwrap_or_default();
    format!("{INDEX}/{folder}/{hash}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copys_name_is_its_content_and_a_harmless_ending() {
        let sha256 = hex(&Sha256::digest("content"));
        let named = |name| content_path(&sha256, name);
        assert!(
            named(None).starts_with("files/ed/ed7002b4"),
            "{}",
            named(None)
        );
        assert_eq!(named(Some("Photo.JPG")), format!("{}.jpg", named(None)));
        for name in [
            "x",
            "x.",
            "x./../../y",
            "x.tar gz",
            "x.éé",
            "x.muchtoolongtobeone",
        ] {
            assert_eq!(named(Some(name)), named(None), "{name}");
        }
    }

    #[test]
    fn id_and_version_are_not_confused() {
        assert_ne!(index_path("ab", "c"), index_path("a", "bc"));
    }
}
