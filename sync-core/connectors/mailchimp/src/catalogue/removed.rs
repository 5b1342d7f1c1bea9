//! The members of an audience that is gone.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mailchimp_client::{Path, Query};
use sync_core::{Batch, BatchReader, Change, Error, ErrorKind, Key, Position, Result, Source};
use tokio::time::Instant;

use super::account::{CatalogueAccount, SERVES_FOR};
use super::error::translate;
use super::members::{STREAM, member_key};
use super::record::StreamRecord;

/// An audience that its account no longer has, as a source of its members: it has none.
///
/// Each of them in the ledger is found to be gone by the engine's search for removals. The source answers only while the
/// API itself says that there is no such audience: a refusal, a failure, or a 404 of something in between, is an error
/// and removes nobody, and so are keys of another account.
pub struct RemovedAudience {
    account: CatalogueAccount,
    list_id: Arc<str>,
    /// When the API said so.
    proven: Mutex<Option<Instant>>,
}

impl RemovedAudience {
    /// The audience `list_id`, which the account had. Makes no request.
    pub fn new(account: CatalogueAccount, list_id: impl Into<Arc<str>>) -> Self {
        Self {
            account,
            list_id: list_id.into(),
            proven: Mutex::default(),
        }
    }

    /// Proves that the account has no such audience.
    async fn prove(&self) -> Result<()> {
        let lock = || self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().is_some_and(|at| at.elapsed() < SERVES_FOR) {
            return Ok(());
        }
        let failed = |error| translate(error, "check audience", STREAM);
        let path = Path::new("/lists/{list_id}", &[&self.list_id]).map_err(failed)?;
        let query = Query::new().with("fields", "id");
        let answer = self.account.client().get_bytes(&path, &query).await;
        match answer.map_err(failed) {
            Ok(_) => Err(Error::new(
                ErrorKind::Invalid,
                "check audience",
                "the audience is not in the account's list of audiences, and yet it is there",
            )
            .with("list_id", &self.list_id)),
            Err(error) if error.kind() == ErrorKind::Missing => {
                *lock() = Some(Instant::now());
                Ok(())
            }
            Err(error) => Err(error.with("list_id", &self.list_id)),
        }
    }
}

#[async_trait]
impl Source for RemovedAudience {
    type Record = StreamRecord;

    fn name(&self) -> &'static str {
        STREAM
    }

    async fn check(&self) -> Result<()> {
        self.account.id().await?;
        self.prove().await
    }

    fn read(&self, _from: Position) -> Result<Box<dyn BatchReader<Change<StreamRecord>>>> {
        Ok(Box::new(Nothing))
    }

    async fn fetch(&self, keys: &[Key]) -> Result<Vec<Option<StreamRecord>>> {
        let account_id = self.account.id().await?;
        for key in keys {
            // With the key of another account every audience is missing.
            member_key(&account_id, &self.list_id, key)?;
        }
        self.prove().await?;
        Ok(keys.iter().map(|_| None).collect())
    }

    fn keys(&self) -> Result<Option<Box<dyn BatchReader<Key>>>> {
        Ok(Some(Box::new(Nothing)))
    }
}

/// A reader at its end.
struct Nothing;

#[async_trait]
impl<T: Send + 'static> BatchReader<T> for Nothing {
    async fn next_batch(&mut self) -> Result<Option<Batch<T>>> {
        Ok(None)
    }
}

impl fmt::Debug for RemovedAudience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemovedAudience")
            .field("list_id", &self.list_id)
            .finish_non_exhaustive()
    }
}
