//! What the streams of one account share.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use mailchimp_client::{Client, FieldSelection, Path, Query};
use sync_core::{Error, ErrorKind, Result};
use tokio::time::{Duration, Instant};

use super::definition::StreamDefinition;
use super::error::translate;
use super::record::Fields;
use super::rows::RowReader;
use super::streams;

/// How long a check, or a list of parents, serves the streams that ask for it.
pub(super) const SERVES_FOR: Duration = Duration::from_secs(120);

/// One Mailchimp account and what its streams have in common: the client with its connections, the account's id, and the
/// lists of parents, so that twelve streams below the reports read them once. Clones share all of it.
#[derive(Clone)]
pub struct CatalogueAccount {
    client: Client,
    id: Known<Arc<str>>,
    rosters: Arc<Mutex<HashMap<&'static str, Roster>>>,
}

/// Something that was asked for, and when. Who asks meanwhile waits for the answer.
type Known<T> = Arc<tokio::sync::Mutex<Option<(T, Instant)>>>;

/// The rows of a stream that others are below.
type Roster = Known<Arc<Vec<Bytes>>>;

impl CatalogueAccount {
    /// The account of this client's credential. Makes no request.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            id: Arc::default(),
            rosters: Arc::default(),
        }
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The account's id, which stands in every key. Also the proof that the credential works: asked for again after two
    /// minutes.
    pub async fn id(&self) -> Result<Arc<str>> {
        let mut known = self.id.lock().await;
        if let Some((id, at)) = &*known
            && at.elapsed() < SERVES_FOR
        {
            return Ok(id.clone());
        }
        let request = FieldSelection {
            fields: vec!["account_id".to_owned()],
            ..FieldSelection::default()
        };
        let account = self.client.account(&request).await;
        let account = account.map_err(|error| translate(error, "check account", "account"))?;
        let id: Arc<str> = match account.value.account_id.value() {
            Some(id) if !id.is_empty() => id.as_str().into(),
            _ => {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "check account",
                    "the answer has no account_id",
                ));
            }
        };
        *known = Some((id.clone(), Instant::now()));
        Ok(id)
    }

    /// The ids of the account's audiences, in order.
    pub async fn audiences(&self) -> Result<Vec<String>> {
        let Some(lists) = super::stream("lists") else {
            return Ok(Vec::new());
        };
        let rows = self.roster(lists).await?;
        let ids = rows
            .iter()
            .filter_map(|row| Some(Fields::of(row)?.id("id").into_owned()));
        let mut ids: Vec<String> = ids.filter(|id| !id.is_empty()).collect();
        ids.sort();
        ids.dedup();
        Ok(ids)
    }

    /// The records of a stream without a parent, with the fields that its children need.
    pub(super) async fn roster(
        &self,
        definition: &'static StreamDefinition,
    ) -> Result<Arc<Vec<Bytes>>> {
        let roster = {
            let mut rosters = self.rosters.lock().unwrap_or_else(PoisonError::into_inner);
            rosters.entry(definition.name).or_default().clone()
        };
        let mut known = roster.lock().await;
        if let Some((rows, at)) = &*known
            && at.elapsed() < SERVES_FOR
        {
            return Ok(rows.clone());
        }
        let path = Path::new(definition.path, &[])
            .map_err(|error| translate(error, "read stream", definition.name))?;
        let rows = Arc::new(self.parents(definition, path).await?);
        *known = Some((rows.clone(), Instant::now()));
        Ok(rows)
    }

    /// The records at one path, with the fields that their children need.
    pub(super) async fn parents(
        &self,
        definition: &'static StreamDefinition,
        path: Path,
    ) -> Result<Vec<Bytes>> {
        let items = definition.rows.items().unwrap_or_default();
        let fields = needed_by_children(definition);
        let fields: Vec<String> = fields
            .into_iter()
            .map(|field| format!("{items}.{field}"))
            .chain(["total_items".to_owned()])
            .collect();
        let query = Query::new().with("fields", fields.join(","));
        let mut reader = RowReader::new(&self.client, definition, path, query, usize::MAX);
        let mut rows = Vec::new();
        while let Some(step) = reader.next().await? {
            rows.extend(step.rows);
        }
        Ok(rows)
    }
}

/// The fields of a stream that the paths and gates of its children are made of, and those that name its records.
fn needed_by_children(definition: &'static StreamDefinition) -> BTreeSet<&'static str> {
    let own = definition.key.iter().copied();
    let own = own.filter(|name| !definition.variables().any(|variable| variable == *name));
    let children = streams().filter_map(|stream| stream.parent);
    let children = children.filter(|parent| parent.stream == definition.name);
    let theirs = children.flat_map(|parent| {
        let ids = parent.ids.iter().map(|(from, _)| *from);
        ids.chain(parent.gate.iter().copied())
    });
    let theirs = theirs.filter(|name| !definition.variables().any(|variable| variable == *name));
    own.chain(theirs).collect()
}

impl fmt::Debug for CatalogueAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatalogueAccount")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
