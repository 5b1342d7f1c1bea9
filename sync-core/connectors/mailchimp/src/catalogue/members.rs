//! The members of one audience as a stream of the catalogue.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use mailchimp_client::{Path, Query};
use sync_core::{
    Batch, BatchReader, Change, Clock, Error, ErrorKind, Key, Keyed, Position, Result, Source,
};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::account::{CatalogueAccount, SERVES_FOR};
use super::error::translate;
use super::record::{Fields, StreamRecord, json_string, key_part, unescaped};
use crate::member::MemberRow;
use crate::notice::ReadHooks;
use crate::settings::AudienceSettings;
use crate::source::AudienceSource;

pub(super) const STREAM: &str = "members";

/// The members of one audience: read by [`AudienceSource`], so that nobody is lost, as records of the stream `members`.
///
/// Each record is the member as it came, with `account_id` in front and `merge` behind: the merge fields once more, by
/// `merge_id` instead of by tag. Somebody who renames a tag changes `merge_fields`, but no name in `merge`.
pub struct MembersSource {
    account: CatalogueAccount,
    list_id: Arc<str>,
    inner: AudienceSource,
    tags: Arc<Tags>,
}

impl MembersSource {
    /// The members of the audience `list_id` of the account. Makes no request.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when a setting or the id cannot be right.
    pub fn new(
        account: CatalogueAccount,
        list_id: impl Into<Arc<str>>,
        settings: AudienceSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let list_id = list_id.into();
        let client = account.client().clone();
        let inner = AudienceSource::new(client, list_id.clone(), settings, clock)?;
        Ok(Self {
            tags: Arc::new(Tags {
                account: account.clone(),
                list_id: list_id.clone(),
                known: Mutex::default(),
            }),
            account,
            list_id,
            inner,
        })
    }

    /// Hears what happens while reading.
    #[must_use]
    pub fn hooks(mut self, hooks: Arc<dyn ReadHooks>) -> Self {
        self.inner = self.inner.hooks(hooks);
        self
    }

    /// The audience's id.
    pub fn list_id(&self) -> &Arc<str> {
        &self.list_id
    }
}

/// The member's own key in one of the stream.
pub(super) fn member_key(account_id: &str, list_id: &Arc<str>, key: &Key) -> Result<Key> {
    let mut parts = key.as_str().split(':').map(unescaped);
    let of_this = parts.next().flatten().as_deref() == Some(account_id)
        && parts.next().flatten().as_deref() == Some(&**list_id);
    match parts.next().flatten() {
        Some(member) if of_this => Ok(Key::new(member)),
        _ => Err(Error::new(
            ErrorKind::Invalid,
            "fetch member",
            "the key is not one of this account and audience",
        )
        .with("list_id", list_id)
        .with("key", key)),
    }
}

/// The key of a member in the stream.
fn stream_key(account_id: &str, list_id: &str, member: &Key) -> Key {
    let parts = [account_id, list_id, member.as_str()].map(key_part);
    Key::new(parts.join(":"))
}

/// The merge ids of an audience's tags.
struct Tags {
    account: CatalogueAccount,
    list_id: Arc<str>,
    known: Mutex<(HashMap<String, String>, Option<Instant>)>,
}

impl Tags {
    /// The merge id of each tag that has one. Asks the API when a tag is not known, or when it was asked long ago, so that an
    /// audience in which nothing changed costs no call.
    async fn of(&self, rows: &[&MemberRow]) -> Result<HashMap<String, String>> {
        let mut held = self.known.lock().await;
        let (known, asked) = &mut *held;
        if asked.is_some_and(|asked| asked.elapsed() >= SERVES_FOR) {
            // Somebody may have given a tag to another field: then it is known, and wrong.
            known.clear();
        }
        let mut used: HashSet<String> = HashSet::new();
        for row in rows {
            if let Some(fields) = merge_fields(row.raw()) {
                for (tag, _) in fields.iter() {
                    if !known.contains_key(tag) && !used.contains(tag) {
                        used.insert(tag.to_owned());
                    }
                }
            }
        }
        if !used.is_empty() {
            let failed = |error| translate(error, "read merge fields", STREAM);
            let path =
                Path::new("/lists/{list_id}/merge-fields", &[&self.list_id]).map_err(failed)?;
            let query = Query::new().with("count", "1000").with(
                "fields",
                "merge_fields.tag,merge_fields.merge_id,total_items",
            );
            let page = self
                .account
                .client()
                .get_rows(&path, "merge_fields", &query);
            for row in page.await.map_err(failed)?.rows {
                if let Some(fields) = Fields::of(&row) {
                    let (tag, id) = (fields.id("tag"), fields.id("merge_id"));
                    if !tag.is_empty() && !id.is_empty() {
                        known.insert(tag.into_owned(), id.into_owned());
                    }
                }
            }
            // The address is a merge field without an id of its own; and a tag may be gone already. Neither is asked for
            // again.
            for tag in used {
                known.entry(tag).or_default();
            }
            *asked = Some(Instant::now());
        }
        Ok(known.clone())
    }
}

/// The text of the values of these fields of a member, without taking the rest of it apart.
fn values<'r, const N: usize>(raw: &'r [u8], names: [&str; N]) -> [Option<&'r str>; N] {
    let text = std::str::from_utf8(raw).ok();
    text.and_then(|text| json_scan::fields(text, names))
        .unwrap_or([None; N])
}

fn merge_fields(raw: &Bytes) -> Option<Fields<'_>> {
    let [merged] = values(raw, ["merge_fields"]);
    Fields::of(merged?.as_bytes())
}

/// The member as a record of the stream.
fn record(account_id: &str, row: &MemberRow, tags: &HashMap<String, String>) -> StreamRecord {
    let key = stream_key(account_id, row.list_id(), &row.key());
    let raw = row.raw();
    let mut data = Vec::with_capacity(raw.len() + 256);
    data.extend_from_slice(b"{\"account_id\":");
    data.extend_from_slice(json_string(account_id).as_bytes());
    let [list_id, merged] = values(raw, ["list_id", "merge_fields"]);
    if list_id.is_none() {
        data.extend_from_slice(b",\"list_id\":");
        data.extend_from_slice(json_string(row.list_id()).as_bytes());
    }
    let inside = object_inside(raw);
    if !inside.is_empty() {
        data.push(b',');
        data.extend_from_slice(inside);
    }
    if let Some(merged) = merged.and_then(|merged| Fields::of(merged.as_bytes())) {
        data.extend_from_slice(b",\"merge\":{");
        let mut first = true;
        for (tag, value) in merged.iter() {
            // A tag without an id stays what it is: better a column too many than a value too few.
            let id = tags.get(tag).filter(|id| !id.is_empty());
            let name = id.map_or(tag, String::as_str);
            if !first {
                data.push(b',');
            }
            first = false;
            data.extend_from_slice(json_string(name).as_bytes());
            data.push(b':');
            data.extend_from_slice(value.get().as_bytes());
        }
        data.push(b'}');
    }
    data.push(b'}');
    StreamRecord::new(key, data.into())
}

/// What stands between the braces of an object.
fn object_inside(raw: &[u8]) -> &[u8] {
    let open = raw.iter().position(|byte| *byte == b'{');
    let close = raw.iter().rposition(|byte| *byte == b'}');
    match (open, close) {
        (Some(open), Some(close)) if open < close => raw[open + 1..close].trim_ascii(),
        _ => &[],
    }
}

#[async_trait]
impl Source for MembersSource {
    type Record = StreamRecord;

    fn name(&self) -> &'static str {
        STREAM
    }

    async fn check(&self) -> Result<()> {
        self.account.id().await?;
        self.inner.check().await
    }

    fn read(&self, from: Position) -> Result<Box<dyn BatchReader<Change<StreamRecord>>>> {
        Ok(Box::new(MembersReader {
            inner: self.inner.read(from)?,
            account: self.account.clone(),
            tags: self.tags.clone(),
            held: None,
        }))
    }

    async fn fetch(&self, keys: &[Key]) -> Result<Vec<Option<StreamRecord>>> {
        let account_id = self.account.id().await?;
        let members = keys
            .iter()
            .map(|key| member_key(&account_id, &self.list_id, key))
            .collect::<Result<Vec<Key>>>()?;
        let rows = self.inner.fetch(&members).await?;
        let present: Vec<&MemberRow> = rows.iter().flatten().collect();
        let tags = self.tags.of(&present).await?;
        let found = rows
            .iter()
            .map(|row| row.as_ref().map(|row| record(&account_id, row, &tags)));
        Ok(found.collect())
    }

    fn keys(&self) -> Result<Option<Box<dyn BatchReader<Key>>>> {
        let Some(inner) = self.inner.keys()? else {
            return Ok(None);
        };
        Ok(Some(Box::new(KeyReader {
            inner,
            account: self.account.clone(),
            list_id: self.list_id.clone(),
            held: None,
        })))
    }
}

struct MembersReader {
    inner: Box<dyn BatchReader<Change<MemberRow>>>,
    account: CatalogueAccount,
    tags: Arc<Tags>,
    /// A batch that was read and not handed over, because the call was dropped while it waited for the tags.
    held: Option<Batch<Change<MemberRow>>>,
}

#[async_trait]
impl BatchReader<Change<StreamRecord>> for MembersReader {
    async fn next_batch(&mut self) -> Result<Option<Batch<Change<StreamRecord>>>> {
        if self.held.is_none() {
            self.held = self.inner.next_batch().await?;
        }
        let Some(batch) = &self.held else {
            return Ok(None);
        };
        let account_id = self.account.id().await?;
        let present: Vec<&MemberRow> = batch
            .items
            .iter()
            .filter_map(|change| match change {
                Change::Present(row) => Some(row),
                Change::Removed(_) => None,
            })
            .collect();
        let tags = self.tags.of(&present).await?;
        let list_id = &self.tags.list_id;
        let taken = self.held.take();
        Ok(taken.map(|batch| {
            batch.map(|change| match change {
                Change::Present(row) => Change::Present(record(&account_id, &row, &tags)),
                Change::Removed(key) => Change::Removed(stream_key(&account_id, list_id, &key)),
            })
        }))
    }
}

struct KeyReader {
    inner: Box<dyn BatchReader<Key>>,
    account: CatalogueAccount,
    list_id: Arc<str>,
    held: Option<Batch<Key>>,
}

#[async_trait]
impl BatchReader<Key> for KeyReader {
    async fn next_batch(&mut self) -> Result<Option<Batch<Key>>> {
        if self.held.is_none() {
            self.held = self.inner.next_batch().await?;
        }
        if self.held.is_none() {
            return Ok(None);
        }
        let account_id = self.account.id().await?;
        let taken = self.held.take();
        Ok(taken.map(|batch| batch.map(|key| stream_key(&account_id, &self.list_id, &key))))
    }
}

impl fmt::Debug for MembersSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MembersSource")
            .field("list_id", &self.list_id)
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
