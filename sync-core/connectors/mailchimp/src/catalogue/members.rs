//! The members of one audience as a stream of the catalogue.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
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
            tags: Arc::new(Tags::new(account.clone(), list_id.clone())),
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

/// How the records of an audience begin.
struct Beginning {
    /// With the brace, and without the audience's id.
    record: String,
    list_id: String,
    key: String,
}

impl Beginning {
    fn new(account_id: &str, list_id: &str) -> Self {
        Self {
            record: format!("{{\"account_id\":{}", json_string(account_id)),
            list_id: format!(",\"list_id\":{}", json_string(list_id)),
            key: format!("{}:{}:", key_part(account_id), key_part(list_id)),
        }
    }

    /// The key of a member in the stream.
    fn key(&self, member: &Key) -> Key {
        Key::from([&self.key, &*key_part(member.as_str())].concat())
    }

    /// The member as a record of the stream. Tags that are not among `names` go into `unknown`, and what is given back then
    /// lacks them.
    fn record(
        &self,
        row: &MemberRow,
        names: &Names,
        unknown: &mut HashSet<String>,
    ) -> StreamRecord {
        let merged = row.merge_fields().filter(|text| text.starts_with('{'));
        let before = self.record.len() + self.list_id.len();
        let after = merged.map_or(0, str::len) + 32;
        let mut data = Vec::with_capacity(before + row.raw().len() + after);
        data.extend_from_slice(self.record.as_bytes());
        if !row.names_list() {
            data.extend_from_slice(self.list_id.as_bytes());
        }
        let inside = object_inside(row.raw());
        if !inside.is_empty() {
            data.push(b',');
            data.extend_from_slice(inside);
        }
        if let Some(merged) = merged {
            let end = data.len();
            data.extend_from_slice(b",\"merge\":{");
            let begin = data.len();
            let whole = json_scan::each_field(merged, |tag, value| {
                let Some(name) = names.get(&*tag) else {
                    unknown.insert(tag.into_owned());
                    return;
                };
                if data.len() > begin {
                    data.push(b',');
                }
                data.extend_from_slice(name.as_bytes());
                data.extend_from_slice(value.as_bytes());
            });
            match whole {
                Ok(()) => data.push(b'}'),
                Err(_) => data.truncate(end),
            }
        }
        data.push(b'}');
        StreamRecord::new(self.key(&row.key()), data.into())
    }

    fn change(
        &self,
        change: &Change<MemberRow>,
        names: &Names,
        unknown: &mut HashSet<String>,
    ) -> Change<StreamRecord> {
        match change {
            Change::Present(row) => Change::Present(self.record(row, names, unknown)),
            Change::Removed(key) => Change::Removed(self.key(key)),
        }
    }
}

/// By tag, how the field with its value begins in `merge`: the name in quotes, and the colon.
type Names = HashMap<String, String>;

/// What an audience's tags are called in `merge`.
struct Tags {
    account: CatalogueAccount,
    list_id: Arc<str>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    names: Arc<Names>,
    asked: Option<Instant>,
}

impl Tags {
    fn new(account: CatalogueAccount, list_id: Arc<str>) -> Self {
        Self {
            account,
            list_id,
            known: Mutex::default(),
        }
    }

    /// What `make` makes with the names of all tags that it comes across: once if they are known, and else a second time.
    /// Asks the API when a tag is not known, or when it was asked long ago, so that an audience in which nothing changed
    /// costs no call.
    async fn applied<T>(&self, make: impl Fn(&Names, &mut HashSet<String>) -> T) -> Result<T> {
        let names = self.known().await;
        let mut unknown = HashSet::new();
        let all = make(&names, &mut unknown);
        if unknown.is_empty() {
            return Ok(all);
        }
        let names = self.ask(unknown).await?;
        Ok(make(&names, &mut HashSet::new()))
    }

    async fn known(&self) -> Arc<Names> {
        let mut known = self.known.lock().await;
        if known
            .asked
            .is_some_and(|asked| asked.elapsed() >= SERVES_FOR)
        {
            // Somebody may have given a tag to another field: then it is known, and wrong.
            *known = Known::default();
        }
        known.names.clone()
    }

    /// The names of these tags too.
    async fn ask(&self, unknown: HashSet<String>) -> Result<Arc<Names>> {
        let mut known = self.known.lock().await;
        // Somebody else may have asked meanwhile.
        if unknown.iter().all(|tag| known.names.contains_key(tag)) {
            return Ok(known.names.clone());
        }
        let failed = |error| translate(error, "read merge fields", STREAM);
        let path = Path::new("/lists/{list_id}/merge-fields", &[&self.list_id]).map_err(failed)?;
        let query = Query::new().with("count", "1000").with(
            "fields",
            "merge_fields.tag,merge_fields.merge_id,total_items",
        );
        let page = self
            .account
            .client()
            .get_rows(&path, "merge_fields", &query);
        let rows = page.await.map_err(failed)?.rows;
        let names = Arc::make_mut(&mut known.names);
        for row in rows {
            if let Some(fields) = Fields::of(&row) {
                let (tag, id) = (fields.id("tag"), fields.id("merge_id"));
                if !tag.is_empty() && !id.is_empty() {
                    names.insert(tag.into_owned(), name(&id));
                }
            }
        }
        // A tag without an id stays what it is: better a column too many than a value too few. The address is a merge field
        // without one; and a tag may be gone already. Neither is asked for again.
        for tag in unknown {
            let own = name(&tag);
            names.entry(tag).or_insert(own);
        }
        known.asked = Some(Instant::now());
        Ok(known.names.clone())
    }
}

/// What a field of an object begins with.
fn name(text: &str) -> String {
    format!("{}:", json_string(text))
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
        let beginning = Beginning::new(&account_id, &self.list_id);
        self.tags
            .applied(|names, unknown| {
                let record =
                    |row: &Option<MemberRow>| Some(beginning.record(row.as_ref()?, names, unknown));
                rows.iter().map(record).collect()
            })
            .await
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
        let beginning = Beginning::new(&account_id, &self.tags.list_id);
        let items = self
            .tags
            .applied(|names, unknown| {
                let changes = batch.items.iter();
                changes
                    .map(|change| beginning.change(change, names, unknown))
                    .collect()
            })
            .await?;
        Ok(self.held.take().map(|batch| Batch {
            items,
            resume: batch.resume,
            failures: batch.failures,
            expected_total: batch.expected_total,
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
        let beginning = Beginning::new(&account_id, &self.list_id);
        let taken = self.held.take();
        Ok(taken.map(|batch| batch.map(|key| beginning.key(&key))))
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// The record of a row, and the tags that were not known.
    fn record(row: &str) -> (String, HashSet<String>) {
        let raw = Bytes::copy_from_slice(row.as_bytes());
        let row = MemberRow::from_json(&Arc::from("a:1"), raw).expect("it has an id");
        let names = [("FNAME", "1"), ("T\"AG", "7"), ("EMAIL", "EMAIL")];
        let names = names.map(|(tag, text)| (tag.to_owned(), name(text)));
        let mut unknown = HashSet::new();
        let record = Beginning::new("acc", "a:1").record(&row, &names.into(), &mut unknown);
        let text = String::from_utf8(record.data().to_vec()).expect("text");
        (text, unknown)
    }

    #[test]
    fn a_member_has_its_merge_fields_by_their_ids_too() {
        let row = r#"{"id":"m","list_id":"a:1","merge_fields":{"FNAME":"Ada", "T\u0022AG":[1],"EMAIL":""} }"#;
        let (text, unknown) = record(row);
        let rest = row.strip_prefix('{').and_then(|row| row.strip_suffix(" }"));
        let rest = rest.expect("an object");
        assert_eq!(
            text,
            format!(r#"{{"account_id":"acc",{rest},"merge":{{"1":"Ada","7":[1],"EMAIL":""}}}}"#)
        );
        assert!(unknown.is_empty());
    }

    #[test]
    fn tags_that_are_not_known_are_told_all_at_once() {
        let (_, unknown) =
            record(r#"{"id":"m","merge_fields":{"LNAME":"L","FNAME":"Ada","\u0041GE":36}}"#);
        assert_eq!(unknown, ["LNAME", "AGE"].map(str::to_owned).into());
    }

    #[test]
    fn a_row_that_lacks_its_audience_or_its_merge_fields_is_a_record_all_the_same() {
        let begins = r#"{"account_id":"acc","list_id":"a:1","id":"m""#;
        let (text, _) = record("{\n\"id\":\"m\"\n}");
        assert_eq!(text, format!("{begins}}}"));
        let (text, _) = record(r#"{"id":"m","merge_fields":{}}"#);
        assert_eq!(
            text,
            format!(r#"{begins},"merge_fields":{{}},"merge":{{}}}}"#)
        );
        // Not what is documented, and no reason to lose a member.
        for odd in ["null", "\"\"", "[]", r#"{"FNAME":1,"\ud800":2}"#] {
            let row = format!(r#"{{"id":"m","merge_fields":{odd}}}"#);
            let (text, _) = record(&row);
            assert_eq!(text, format!(r#"{begins},"merge_fields":{odd}}}"#));
        }
    }

    #[test]
    fn a_key_has_account_audience_and_member() {
        let key = Beginning::new("acc", "a:1").key(&Key::new("m~"));
        assert_eq!(key.as_str(), "acc:a%3A1:m%7E");
        let member = member_key("acc", &Arc::from("a:1"), &key).expect("one of its own");
        assert_eq!(member.as_str(), "m~");
    }
}
