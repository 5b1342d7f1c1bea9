//! What a reader sees: which files of a stream count.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, Write};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{GetResultPayload, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use sync_core::{Error, ErrorKind, Result};

use crate::error::{damaged, from_io, translate};
use crate::layout::{DAY, DataFile, IntervalId, MANIFESTS, manifest_name, manifest_sequence};
use crate::place::Place;
use crate::row::Scratch;

const LISTING: &str = "list files";
const READING: &str = "read file";

/// How often to look again when a compaction is published while we look.
const LOOKS: usize = 5;

/// Which files compaction put in place of which others. A stream without one was never compacted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Of the form of this file.
    pub(crate) version: u32,
    /// The compacted files that count, by their paths below the stream's folder.
    pub(crate) files: Vec<String>,
    /// Files that count no more, though they may still be there, and since when.
    pub(crate) replaced: BTreeMap<String, DateTime<Utc>>,
    /// The oldest removal among the rows of `files`.
    pub(crate) oldest_removal: Option<DateTime<Utc>>,
}

impl Manifest {
    pub(crate) const VERSION: u32 = 1;
}

/// The files of a stream at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The sequence number of the newest manifest; 0: there is none.
    pub(crate) sequence: u64,
    pub(crate) manifest: Option<Manifest>,
    /// The files that count, oldest first, with their sizes.
    pub(crate) visible: Vec<(DataFile, u64)>,
    /// Files that count no more and are still there.
    pub(crate) replaced: Vec<(DataFile, DateTime<Utc>)>,
    /// Left over from compactions that can never be published.
    pub(crate) orphans: Vec<DataFile>,
    /// Manifests before the newest.
    pub(crate) old_manifests: Vec<u64>,
}

/// Looks at a stream by the folder it is in.
pub(crate) async fn snapshot(place: &Place, folder: &str) -> Result<Snapshot> {
    for _ in 0..LOOKS {
        let before = manifests(place, folder).await?;
        let newest = before.last().copied();
        let manifest = match newest {
            None => None,
            Some(sequence) => match read_manifest(place, folder, sequence).await {
                Ok(manifest) => Some(manifest),
                Err(error) if error.kind() == ErrorKind::Missing => continue,
                Err(error) => return Err(error),
            },
        };
        let found = data_files(place, folder).await?;
        // Files are deleted only after the manifest without them is there: if it is not, none is missing.
        if manifests(place, folder).await?.last().copied() != newest {
            continue;
        }
        return Ok(sort(newest.unwrap_or(0), before, manifest, found));
    }
    Err(Error::new(
        ErrorKind::Conflict,
        LISTING,
        "the stream is compacted again and again while it is read",
    )
    .with("stream", folder))
}

fn sort(
    sequence: u64,
    mut manifests: Vec<u64>,
    manifest: Option<Manifest>,
    found: Vec<(DataFile, u64)>,
) -> Snapshot {
    manifests.pop();
    let mut snapshot = Snapshot {
        sequence,
        manifest: None,
        visible: Vec::new(),
        replaced: Vec::new(),
        orphans: Vec::new(),
        old_manifests: manifests,
    };
    for (file, size) in found {
        let path = file.relative();
        let counted = manifest
            .as_ref()
            .is_some_and(|manifest| manifest.files.contains(&path));
        let since = manifest
            .as_ref()
            .and_then(|manifest| manifest.replaced.get(&path));
        match (since, file.compaction) {
            (Some(since), _) => snapshot.replaced.push((file, *since)),
            (None, None) => snapshot.visible.push((file, size)),
            (None, Some(_)) if counted => snapshot.visible.push((file, size)),
            // Written for a manifest that somebody else has published since, so its own never can be.
            (None, Some(wanted)) if wanted <= sequence => snapshot.orphans.push(file),
            // Perhaps somebody is compacting right now.
            (None, Some(_)) => {}
        }
    }
    snapshot.visible.sort();
    snapshot.manifest = manifest;
    snapshot
}

/// The sequence numbers of a stream's manifests, ascending.
async fn manifests(place: &Place, folder: &str) -> Result<Vec<u64>> {
    let folder = place.path(&format!("{folder}/{MANIFESTS}"));
    let listed = place.store.list(Some(&folder)).try_collect::<Vec<_>>();
    let listed = listed.await.map_err(|error| translate(LISTING, &error))?;
    let mut sequences: Vec<u64> = listed
        .iter()
        .filter_map(|object| manifest_sequence(object.location.filename()?))
        .collect();
    sequences.sort_unstable();
    Ok(sequences)
}

fn manifest_path(folder: &str, sequence: u64) -> String {
    format!("{folder}/{MANIFESTS}/{}", manifest_name(sequence))
}

async fn read_manifest(place: &Place, folder: &str, sequence: u64) -> Result<Manifest> {
    let path = manifest_path(folder, sequence);
    let failed = |error| translate(READING, &error).with("path", &path);
    let found = place.store.get(&place.path(&path)).await.map_err(failed)?;
    let bytes = found.bytes().await.map_err(failed)?;
    match serde_json::from_slice::<Manifest>(&bytes) {
        Ok(manifest) if manifest.version == Manifest::VERSION => Ok(manifest),
        Ok(_) => Err(Error::new(
            ErrorKind::Invalid,
            READING,
            "the manifest was written by a later version of this program: use that one",
        )
        .with("path", path)),
        Err(_) => Err(damaged(READING, path)),
    }
}

/// Publishes a manifest, unless somebody else published one under this number.
pub(crate) async fn write_manifest(
    place: &Place,
    folder: &str,
    sequence: u64,
    manifest: &Manifest,
) -> Result<()> {
    const PUBLISHING: &str = "publish compaction";
    let path = manifest_path(folder, sequence);
    let text = serde_json::to_vec_pretty(manifest).map_err(|_| damaged(PUBLISHING, &path))?;
    let options = PutOptions::from(PutMode::Create);
    place
        .store
        .put_opts(&place.path(&path), text.into(), options)
        .await
        .map_err(|error| translate(PUBLISHING, &error).with("path", path))?;
    Ok(())
}

/// Every data file of a stream and its size, whether it counts or not.
async fn data_files(place: &Place, folder: &str) -> Result<Vec<(DataFile, u64)>> {
    let root = place.path(folder);
    let listed = place.store.list(Some(&root)).try_collect::<Vec<_>>();
    let listed = listed.await.map_err(|error| translate(LISTING, &error))?;
    Ok(listed
        .iter()
        .filter_map(|object| {
            Some((
                DataFile::parse(&relative(&object.location, &root)?)?,
                object.size,
            ))
        })
        .collect())
}

fn relative(path: &Path, root: &Path) -> Option<String> {
    let parts: Vec<String> = path
        .prefix_match(root)?
        .map(|part| part.as_ref().to_owned())
        .collect();
    Some(parts.join("/"))
}

/// The greatest id among the files of a stream, if it is greater than `known`. A store is asked once, as long as it has no
/// more than a page of newer files.
pub(crate) async fn newest_after(
    place: &Place,
    folder: &str,
    known: Option<&IntervalId>,
) -> Result<Option<IntervalId>> {
    let failed = |error| translate(LISTING, &error).with("stream", folder);
    let root = place.path(folder);
    let mut offset = known.map(|id| place.path(&format!("{folder}/{}", id.path())));
    if offset.is_none() {
        // Everything in folders of earlier days is older.
        let below = place.store.list_with_delimiter(Some(&root)).await;
        let mut dates = below.map_err(failed)?.common_prefixes;
        dates.retain(|date| date.filename().is_some_and(|name| name.starts_with(DAY)));
        offset = dates.into_iter().max();
    }
    let Some(offset) = offset else {
        return Ok(None);
    };
    let mut listed = place.store.list_with_offset(Some(&root), &offset);
    let mut newest = None;
    while let Some(object) = listed.try_next().await.map_err(failed)? {
        let file = relative(&object.location, &root).and_then(|path| DataFile::parse(&path));
        newest = newest.max(file.map(|file| file.id));
    }
    Ok(newest)
}

/// The folders that can be streams.
pub(crate) async fn folders(place: &Place) -> Result<Vec<String>> {
    let listed = place.store.list_with_delimiter(Some(place.root())).await;
    let listed = listed.map_err(|error| translate(LISTING, &error))?;
    Ok(listed
        .common_prefixes
        .iter()
        .filter_map(|path| path.filename().map(str::to_owned))
        .filter(|name| !name.starts_with('_'))
        .collect())
}

/// A data file as a file of this machine: itself, or a copy in the scratch directory.
pub(crate) async fn fetch(place: &Place, path: &str, scratch: &Scratch) -> Result<File> {
    let failed = |error| translate(READING, &error).with("path", path);
    let disk = |error| from_io("copy data file", &error);
    let found = place.store.get(&place.path(path)).await.map_err(failed)?;
    let mut chunks = match found.payload {
        GetResultPayload::File(file, _) => return Ok(file),
        GetResultPayload::Stream(chunks) => chunks,
    };
    let mut file = scratch.file().map_err(disk)?;
    while let Some(chunk) = chunks.try_next().await.map_err(failed)? {
        // A chunk is a few KiB, and what is written stays in the system's cache mostly.
        file.write_all(&chunk).map_err(disk)?;
    }
    file.rewind().map_err(disk)?;
    Ok(file)
}

/// Deletes files; one that is gone already is fine.
pub(crate) async fn delete(place: &Place, paths: Vec<String>) -> Result<()> {
    let paths = paths.into_iter().map(|path| Ok(place.path(&path)));
    let paths: Vec<_> = paths.collect();
    let mut deleted = place
        .store
        .delete_stream(Box::pin(futures::stream::iter(paths)));
    loop {
        match deleted.try_next().await {
            Ok(Some(_)) | Err(object_store::Error::NotFound { .. }) => {}
            Ok(None) => return Ok(()),
            Err(error) => return Err(translate("delete replaced file", &error)),
        }
    }
}
