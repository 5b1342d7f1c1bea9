//! Opt-outs that people made at Ometria itself.

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{Stream, TryStreamExt as _};
use ometria_client::{
    Client, ListUnsubscribes, PageRequest, Result as ClientResult, Unsubscribe, UnsubscribeType,
};
use serde_json::json;
use sync_core::{
    Action, Batch, BatchReader, Change, Cursor, Error, ErrorKind, Key, Keyed, LedgerEntry,
    LedgerKey, LedgerView, Mapping, Position, Prepared, Result, Scope, Source,
};

use crate::address::Address;
use crate::error::translate;
use crate::fact::{Fact, OMETRIA_AUDIENCE, consent_scope, fact_at, fact_key, learn};
use crate::settings::ConsentSettings;

/// Items in a batch; also Ometria's largest page.
const BATCH: usize = 250;

/// How far a read goes back behind the newest opt-out of the one before. Ometria does not say how soon an opt-out is
/// listed, and reading one again costs nothing.
const LOOK_BACK: TimeDelta = TimeDelta::hours(24);

/// One person leaving at Ometria. Its `Debug` shows no address.
#[derive(Clone, PartialEq, Eq)]
pub struct OmetriaOptOut {
    key: Key,
    email: String,
    at: Option<DateTime<Utc>>,
}

impl OmetriaOptOut {
    /// `None` for what says nothing about e-mail to an address: SMS stop words, and rows without a possible address.
    fn read(row: &Unsubscribe) -> Option<Self> {
        use UnsubscribeType::{StopwordDedicated, StopwordTollFree};
        if let Some(StopwordDedicated | StopwordTollFree) = row.unsubscribe_type() {
            return None;
        }
        let email = row.email_address()?;
        let digest = Address::parse(email)?.digest();
        Some(Self {
            key: Key::new(digest.to_hex()),
            email: email.to_owned(),
            at: row.timestamp(),
        })
    }
}

/// A digest of the address: Ometria lists opt-outs without ids of their own.
impl Keyed for OmetriaOptOut {
    fn key(&self) -> Key {
        self.key.clone()
    }
}

impl fmt::Debug for OmetriaOptOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OmetriaOptOut")
            .field("key", &self.key)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// Reads the opt-outs that people made at Ometria: in the preference centre, by a link, by a user of its application. Those
/// pushed through the API are not among them.
///
/// The list only grows, so a read goes by offset from a day before the newest opt-out of the one before. The read has one
/// cursor, at its end.
#[derive(Clone, Debug)]
pub struct OmetriaOptOutSource {
    client: Client,
}

impl OmetriaOptOutSource {
    /// A source over this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Source for OmetriaOptOutSource {
    type Record = OmetriaOptOut;

    fn name(&self) -> &'static str {
        "ometria opt-outs"
    }

    async fn check(&self) -> Result<()> {
        let query = ListUnsubscribes {
            page: PageRequest {
                limit: 1,
                offset: 0,
            },
            ..ListUnsubscribes::default()
        };
        match self.client.unsubscribes(&query).await {
            Ok(_) => Ok(()),
            Err(error) => Err(translate("check ometria opt-outs", error)),
        }
    }

    fn read(&self, from: Position) -> Result<Box<dyn BatchReader<Change<OmetriaOptOut>>>> {
        let complete_until = from.complete_until();
        let query = ListUnsubscribes {
            since: complete_until.and_then(|time| time.checked_sub_signed(LOOK_BACK)),
            ..ListUnsubscribes::default()
        };
        Ok(Box::new(Reader {
            rows: Some(Box::pin(self.client.unsubscribes_stream(query))),
            waiting: Vec::new(),
            newest: complete_until,
        }))
    }

    async fn fetch(&self, keys: &[Key]) -> Result<Vec<Option<OmetriaOptOut>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        Err(Error::new(
            ErrorKind::Config,
            "fetch ometria opt-outs",
            "opt-outs cannot be asked for one by one; run the import instead",
        ))
    }

    fn keys(&self) -> Result<Option<Box<dyn BatchReader<Key>>>> {
        Ok(None)
    }
}

type Rows = Pin<Box<dyn Stream<Item = ClientResult<Unsubscribe>> + Send>>;

struct Reader {
    /// `None` at the end. It keeps the request under way when a caller drops `next_batch`.
    rows: Option<Rows>,
    waiting: Vec<Change<OmetriaOptOut>>,
    newest: Option<DateTime<Utc>>,
}

#[async_trait]
impl BatchReader<Change<OmetriaOptOut>> for Reader {
    async fn next_batch(&mut self) -> Result<Option<Batch<Change<OmetriaOptOut>>>> {
        let Some(rows) = &mut self.rows else {
            return Ok(None);
        };
        while self.waiting.len() < BATCH {
            let row = rows
                .try_next()
                .await
                .map_err(|error| translate("read ometria opt-outs", error))?;
            let Some(row) = row else {
                self.rows = None;
                let mut last = Batch::of(std::mem::take(&mut self.waiting));
                last.resume = Some(Cursor {
                    state: json!({ "version": 1 }),
                    complete_until: self.newest,
                });
                return Ok(Some(last));
            };
            self.newest = self.newest.max(row.timestamp());
            self.waiting
                .extend(OmetriaOptOut::read(&row).map(Change::Present));
        }
        Ok(Some(Batch::of(std::mem::take(&mut self.waiting))))
    }
}

/// Learns the opt-outs that people made at Ometria and sends nothing: Ometria has them.
///
/// From then on an opt-in of the address from any audience must be later. One without a time holds back opt-ins for good.
#[derive(Clone, Debug)]
pub struct OmetriaOptOutMapping {
    facts: Scope,
}

impl OmetriaOptOutMapping {
    /// A mapping for the account that these settings name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the field, for settings that cannot work.
    pub fn new(consent: &ConsentSettings) -> Result<Self> {
        consent.validate()?;
        Ok(Self {
            facts: consent_scope(&consent.account),
        })
    }

    fn key(&self, opt_out: &OmetriaOptOut) -> Option<LedgerKey> {
        let address = Address::parse(&opt_out.email)?;
        Some(fact_key(&self.facts, address.digest(), OMETRIA_AUDIENCE))
    }
}

impl<Out> Mapping<OmetriaOptOut, Out> for OmetriaOptOutMapping {
    fn lookups(&self, change: &Change<OmetriaOptOut>) -> Vec<LedgerKey> {
        match change {
            Change::Present(opt_out) => self.key(opt_out).into_iter().collect(),
            Change::Removed(_) => Vec::new(),
        }
    }

    fn prepare(&self, change: Change<OmetriaOptOut>, ledger: &LedgerView<'_>) -> Prepared<Out> {
        let Change::Present(opt_out) = change else {
            return Prepared::skip();
        };
        let Some(at) = self.key(&opt_out) else {
            return Prepared::skip();
        };
        let stored = fact_at(ledger, &at);
        let seen = opt_out.at.map_or(i64::MAX, |at| at.timestamp());
        // Ometria never says that someone came back, so the opt-out counts by its time and does not stand.
        let fact = Fact {
            unsubscribed: false,
            first: seen,
            last: seen,
        };
        let learned = learn(at, stored, Fact::merge(stored, Some(fact)))
            .into_iter()
            .collect();
        Prepared {
            action: Action::Skip,
            learned,
            on_accept: Vec::new(),
        }
    }

    fn meanwhile(&self, _: Option<&LedgerEntry>, _: &LedgerEntry) -> Option<Box<[u8]>> {
        // Nothing is sent.
        None
    }
}
