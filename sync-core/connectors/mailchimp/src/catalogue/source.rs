//! A stream as a [`Source`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use mailchimp_client::{Path, Query};
use sync_core::{
    Batch, BatchReader, Change, Clock, Error, ErrorKind, Key, Keyed, Position, Result, Source,
};

use super::account::CatalogueAccount;
use super::definition::{StreamDefinition, variables};
use super::descent::Lineage;
use super::error::{is_pathless, translate};
use super::progress::Progress;
use super::read::{Task, What, read};
use super::record::{Place, StreamRecord};
use super::rows::RowReader;
use super::settings::StreamSettings;
use crate::background::{Background, Batches};
use crate::notice::ReadHooks;

/// Batches that a read may be ahead of the engine.
const AHEAD: usize = 4;

/// Calls at once when records are read one by one.
const FETCH_AT_ONCE: usize = 10;

/// One stream of an account.
///
/// Reads what its definition says can have changed: everything; what was made since the look-back; or the parents whose
/// gate has moved. Now and then it reads everything whatever these say. A read that is cut short goes on at the parent
/// where it was.
pub struct StreamSource {
    account: CatalogueAccount,
    definition: &'static StreamDefinition,
    settings: StreamSettings,
    clock: Arc<dyn Clock>,
    hooks: Arc<dyn ReadHooks>,
}

impl StreamSource {
    /// The stream of this definition. Makes no request.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when a setting cannot be right.
    pub fn new(
        account: CatalogueAccount,
        definition: &'static StreamDefinition,
        settings: StreamSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        settings.validate()?;
        Lineage::of(definition)?;
        Ok(Self {
            account,
            definition,
            settings,
            clock,
            hooks: Arc::new(()),
        })
    }

    /// Hears what happens while reading.
    #[must_use]
    pub fn hooks(mut self, hooks: Arc<dyn ReadHooks>) -> Self {
        self.hooks = hooks;
        self
    }

    fn task(&self, progress: Progress, what: What) -> Task {
        Task {
            account: self.account.clone(),
            definition: self.definition,
            settings: self.settings.clone(),
            clock: self.clock.clone(),
            hooks: self.hooks.clone(),
            progress,
            what,
        }
    }

    /// Where the record with this key is.
    fn sought(&self, account_id: &Arc<str>, key: &Key) -> Result<Sought> {
        let definition = self.definition;
        let Some((place, known)) = Place::of_key(definition, account_id, key) else {
            return Err(Error::new(
                ErrorKind::Invalid,
                "fetch record",
                "the key is not one of this stream and account",
            )
            .with("stream", definition.name)
            .with("key", key));
        };
        let value = |name| {
            let found = known.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.as_str())
        };
        let item = definition.item.and_then(|item| {
            let values = variables(item).map(value).collect::<Option<Vec<_>>>()?;
            // A 404 for such a path would prove nothing.
            let certain = !values.iter().any(|value| value.contains(['/', '\\']));
            certain.then(|| Path::new(item, &values).ok())?
        });
        Ok(Sought { place, known, item })
    }

    /// The record at its own path; none if it is gone.
    async fn by_itself(
        &self,
        key: &Key,
        place: Place,
        known: Vec<(&'static str, String)>,
        path: Path,
    ) -> Result<Answer> {
        let definition = self.definition;
        let query = Query::new().with("exclude_fields", definition.links(None));
        match self.account.client().get_bytes(&path, &query).await {
            Ok(answer) => match place.record_of(key, &known, &answer.value) {
                Some(record) => Ok(Answer::Found(vec![record])),
                None => Err(Error::new(
                    ErrorKind::Invalid,
                    "fetch record",
                    "the answer is no record",
                )
                .with("stream", definition.name)
                .with("key", key)),
            },
            Err(error) => match translate(error, "fetch record", definition.name) {
                error if error.kind() == ErrorKind::Missing => Ok(Answer::Found(Vec::new())),
                error => Err(error),
            },
        }
    }

    /// Those of the records with these keys that are in the collection at their place. It is read once, as far as needed;
    /// where there is none, there is no record.
    async fn among_others(&self, place: Place, mut wanted: HashSet<Key>) -> Result<Answer> {
        let path = place.path()?;
        let client = self.account.client();
        let definition = place.definition;
        let links = definition.links(definition.rows.items());
        let query = Query::new().with("exclude_fields", links);
        let mut reader = RowReader::new(client, definition, path, query, FETCH_AT_ONCE);
        let mut found = Vec::new();
        let mut records = Vec::new();
        while !wanted.is_empty() {
            match reader.next().await.map_err(|error| place.doubted(error)) {
                Ok(Some(step)) => {
                    for row in &step.rows {
                        // A row that is no record is not one of those looked for.
                        let _ = place.records(row, &mut records);
                    }
                }
                Ok(None) => break,
                Err(error) if error.kind() == ErrorKind::Missing => break,
                Err(error) if is_pathless(&error) => return Ok(Answer::Doubted(place, error)),
                Err(error) => return Err(error),
            }
            found.extend(
                records
                    .drain(..)
                    .filter(|record| wanted.remove(&record.key())),
            );
        }
        Ok(Answer::Found(found))
    }

    /// Where a 404 alone proves nothing, what was there is gone if one of its parents is.
    async fn prove_gone(&self, doubted: Vec<(Place, Error)>) -> Result<()> {
        if doubted.is_empty() {
            return Ok(());
        }
        let lineage = Lineage::of(self.definition)?;
        let places: Vec<&Place> = doubted.iter().map(|(place, _)| place).collect();
        let has_parents = lineage.has_parents_of(&self.account, &places).await?;
        let mut unknown = doubted.into_iter().zip(has_parents);
        match unknown.find(|(_, has_parents)| *has_parents) {
            Some(((_, error), _)) => Err(error),
            None => Ok(()),
        }
    }
}

/// What became of some of the records asked for.
enum Answer {
    /// These are there, and no other.
    Found(Vec<StreamRecord>),
    /// The API says that there is nothing at their place, and may have taken it for another.
    Doubted(Place, Error),
}

/// Where a record is.
struct Sought {
    place: Place,
    /// The values of the key's fields.
    known: Vec<(&'static str, String)>,
    /// Its own path; `None` if it has to be looked for among the others at its place.
    item: Option<Path>,
}

#[async_trait]
impl Source for StreamSource {
    type Record = StreamRecord;

    fn name(&self) -> &str {
        self.definition.name
    }

    async fn check(&self) -> Result<()> {
        self.account.id().await.map(|_| ())
    }

    fn read(&self, from: Position) -> Result<Box<dyn BatchReader<Change<StreamRecord>>>> {
        let progress = Progress::from_position(&from, self.definition.name)?;
        let task = self.task(progress, What::Changes);
        Ok(Box::new(Mapped {
            inner: background(task),
            map: Change::Present,
        }))
    }

    async fn fetch(&self, keys: &[Key]) -> Result<Vec<Option<StreamRecord>>> {
        let account_id = self.account.id().await?;
        let mut calls = Vec::new();
        let mut together: BTreeMap<String, (Place, HashSet<Key>)> = BTreeMap::new();
        for key in keys {
            let Sought { place, known, item } = self.sought(&account_id, key)?;
            if let Some(path) = item {
                calls.push(self.by_itself(key, place, known, path).boxed());
            } else {
                let prefix = place.prefix().to_owned();
                let (_, wanted) = together
                    .entry(prefix)
                    .or_insert_with(|| (place, HashSet::new()));
                wanted.insert(key.clone());
            }
        }
        for (place, wanted) in together.into_values() {
            calls.push(self.among_others(place, wanted).boxed());
        }
        let mut answers = stream::iter(calls).buffer_unordered(FETCH_AT_ONCE);
        let mut found: HashMap<Key, StreamRecord> = HashMap::new();
        let mut doubted = Vec::new();
        while let Some(answer) = answers.try_next().await? {
            match answer {
                Answer::Found(records) => {
                    found.extend(records.into_iter().map(|record| (record.key(), record)));
                }
                Answer::Doubted(place, error) => doubted.push((place, error)),
            }
        }
        self.prove_gone(doubted).await?;
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    fn keys(&self) -> Result<Option<Box<dyn BatchReader<Key>>>> {
        if !self.definition.remembered || Lineage::of(self.definition)?.has_gate() {
            // Reading it all for its keys would cost what the gate saves.
            return Ok(None);
        }
        let progress = Progress::from_position(&Position::Start, self.definition.name)?;
        let task = self.task(progress, What::Keys);
        Ok(Some(Box::new(Mapped {
            inner: background(task),
            map: |record: StreamRecord| record.key(),
        })))
    }
}

fn background(task: Task) -> Background<StreamRecord> {
    Background::new(AHEAD, |batches: Batches<StreamRecord>| {
        let work: BoxFuture<'static, Result<()>> = Box::pin(read(task, batches));
        work
    })
}

/// A reader whose items become something else.
struct Mapped<T, F> {
    inner: Background<T>,
    map: F,
}

#[async_trait]
impl<T, U, F> BatchReader<U> for Mapped<T, F>
where
    T: Send + 'static,
    F: Fn(T) -> U + Send,
{
    async fn next_batch(&mut self) -> Result<Option<Batch<U>>> {
        let batch = self.inner.next_batch().await?;
        Ok(batch.map(|batch| batch.map(&self.map)))
    }
}

impl fmt::Debug for StreamSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSource")
            .field("stream", &self.definition.name)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
