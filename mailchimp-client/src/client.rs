//! The client: shared parts, raw calls, and the way to each resource.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::audiences::Audiences;
use crate::automations::Automations;
use crate::batches::{BatchWebhooks, Batches};
use crate::campaigns::Campaigns;
use crate::config::ClientBuilder;
use crate::conversations::Conversations;
use crate::credential::Credential;
use crate::domains::VerifiedDomains;
use crate::ecommerce::{StoreHandle, Stores};
use crate::error::{Error, Operation, Result};
use crate::exports::AccountExports;
use crate::fetched::{Fetched, RawPage};
use crate::files::Files;
use crate::folders::{CampaignFolders, TemplateFolders};
use crate::http::{Answer, Call, Wire};
use crate::json;
use crate::landing_pages::LandingPages;
use crate::lists::{ListHandle, Lists};
use crate::paging::{Collection, CursorSelection, Selection};
use crate::path::Path;
use crate::query::Query;
use crate::reporting::Reporting;
use crate::reports::{ReportHandle, Reports};
use crate::retry::RetryPolicy;
use crate::templates::Templates;

/// A client for one account.
///
/// Cheap to clone; clones share connections, the limit on requests at once, the retry budget and
/// the hooks. Make one per credential: two clients for the same user do not know of each other's
/// requests.
///
/// All methods may be dropped at any await. A request that has left is then heard out in the
/// background and may still have its effect; it keeps its place among the requests at once until
/// its answer came, or for [`ClientBuilder::abandoned_grace`].
#[derive(Clone)]
pub struct Client {
    wire: Arc<Wire>,
    policy: Arc<RetryPolicy>,
}

impl Client {
    /// Starts a client for an API key or a [`Credential`].
    pub fn builder(credential: impl Into<Credential>) -> ClientBuilder {
        ClientBuilder::new(credential.into())
    }

    pub(crate) fn new(wire: Wire, policy: RetryPolicy) -> Self {
        Self {
            wire: Arc::new(wire),
            policy: Arc::new(policy),
        }
    }

    /// The same client with another retry policy; everything else stays shared.
    #[must_use]
    pub fn with_retry(&self, policy: RetryPolicy) -> Self {
        Self {
            wire: Arc::clone(&self.wire),
            policy: Arc::new(policy),
        }
    }

    /// How many requests may run at once now: a gauge for metrics.
    pub fn limit(&self) -> usize {
        self.wire.limiter.limit()
    }

    /// How many of them are taken now, by running requests and by abandoned ones the server may
    /// still be busy with.
    pub fn in_flight(&self) -> usize {
        self.wire.limiter.in_flight()
    }

    /// The account's audiences.
    pub fn lists(&self) -> Lists {
        Lists::new(self.clone())
    }

    /// One audience. The id is checked when a request is made.
    pub fn list(&self, list_id: impl Into<String>) -> ListHandle {
        ListHandle::new(self.clone(), list_id.into())
    }

    /// The account's audiences as the beta surface has them.
    pub fn audiences(&self) -> Audiences {
        Audiences::new(self.clone())
    }

    /// The account's campaigns.
    pub fn campaigns(&self) -> Campaigns {
        Campaigns::new(self.clone())
    }

    /// The folders of its campaigns.
    pub fn campaign_folders(&self) -> CampaignFolders {
        CampaignFolders::new(self.clone())
    }

    /// The reports of campaigns that were sent.
    pub fn reports(&self) -> Reports {
        Reports::new(self.clone())
    }

    /// The report of one campaign. The id is checked when a request is made.
    pub fn report(&self, campaign_id: impl Into<String>) -> ReportHandle {
        ReportHandle::new(self.clone(), campaign_id.into())
    }

    /// The account's classic automations.
    pub fn automations(&self) -> Automations {
        Automations::new(self.clone())
    }

    /// The account's templates.
    pub fn templates(&self) -> Templates {
        Templates::new(self.clone())
    }

    /// The folders of its templates.
    pub fn template_folders(&self) -> TemplateFolders {
        TemplateFolders::new(self.clone())
    }

    /// The files the account stores.
    pub fn files(&self) -> Files {
        Files::new(self.clone())
    }

    /// The account's landing pages.
    pub fn landing_pages(&self) -> LandingPages {
        LandingPages::new(self.clone())
    }

    /// Figures of landing pages and surveys.
    pub fn reporting(&self) -> Reporting {
        Reporting::new(self.clone())
    }

    /// The account's stores.
    pub fn stores(&self) -> Stores {
        Stores::new(self.clone())
    }

    /// One store. The id is checked when a request is made.
    pub fn store(&self, store_id: impl Into<String>) -> StoreHandle {
        StoreHandle::new(self.clone(), store_id.into())
    }

    /// Replies to campaigns.
    pub fn conversations(&self) -> Conversations {
        Conversations::new(self.clone())
    }

    /// The domains the account may send from.
    pub fn verified_domains(&self) -> VerifiedDomains {
        VerifiedDomains::new(self.clone())
    }

    /// Exports of the whole account.
    pub fn account_exports(&self) -> AccountExports {
        AccountExports::new(self.clone())
    }

    /// The account's batches.
    pub fn batches(&self) -> Batches {
        Batches::new(self.clone())
    }

    /// Addresses told when a batch is finished.
    pub fn batch_webhooks(&self) -> BatchWebhooks {
        BatchWebhooks::new(self.clone())
    }

    /// Any `GET`, decoded.
    pub async fn get<T: DeserializeOwned>(&self, path: &Path, query: &Query) -> Result<Fetched<T>> {
        let (operation, answer) = self.read(path, query).await?;
        decoded(&operation, answer)
    }

    /// Any `GET`, as the body's bytes.
    pub async fn get_bytes(&self, path: &Path, query: &Query) -> Result<Fetched<Bytes>> {
        let (_, answer) = self.read(path, query).await?;
        Ok(Fetched::new(answer.body, answer.meta))
    }

    /// One page of any collection, its rows left as JSON. `items_key` is the envelope's key of
    /// the items, such as `emails` for `/reports/{campaign_id}/email-activity`.
    pub async fn get_rows(
        &self,
        path: &Path,
        items_key: &'static str,
        query: &Query,
    ) -> Result<RawPage> {
        self.get_rows_with(path, items_key, query, [], |row, []| row)
            .await
    }

    /// [`Client::get_rows`], with each row put through `row` as it is found, together with the text of the values of its
    /// fields `names`: JSON, or `None` where the row has no such field. That spares looking for them again.
    ///
    /// When an error is given back, `row` may have seen rows.
    pub async fn get_rows_with<R, const N: usize>(
        &self,
        path: &Path,
        items_key: &'static str,
        query: &Query,
        names: [&str; N],
        row: impl FnMut(Bytes, [Option<&str>; N]) -> R,
    ) -> Result<RawPage<R>> {
        let (operation, answer) = self.read(path, query).await?;
        json::raw_page(&answer.body, items_key, names, row, &operation, answer.meta)
    }

    /// All pages of any collection by `count` and `offset`, to the first short one. `query` must
    /// not name these two. `count` is cut to [`crate::MAX_COUNT`].
    ///
    /// On a collection that changes meanwhile, such a walk can miss rows and see others twice.
    pub fn row_pages(
        &self,
        path: Path,
        items_key: &'static str,
        query: Query,
        count: u32,
    ) -> impl Stream<Item = Result<RawPage>> + Send + 'static + use<> {
        Collection {
            client: self.clone(),
            path,
            items_key,
        }
        .pages(Selection {
            filters: query,
            count: Some(count),
            offset: None,
        })
    }

    /// All pages of any collection paged by `count` and `cursor`, such as
    /// `/audiences/{audience_id}/contacts`, to the one that names no next page. `query` must not
    /// name these two. `count` is cut to [`crate::MAX_COUNT`].
    ///
    /// Begins at `cursor`, which is [`RawPage::next_cursor`] of an earlier page, or at the
    /// beginning. `fields`, where given, must have `next_cursor`; otherwise the stream gives
    /// [`Error::Request`].
    pub fn cursor_pages(
        &self,
        path: Path,
        items_key: &'static str,
        query: Query,
        count: u32,
        cursor: Option<String>,
    ) -> impl Stream<Item = Result<RawPage>> + Send + 'static + use<> {
        Collection {
            client: self.clone(),
            path,
            items_key,
        }
        .cursor_pages(CursorSelection {
            filters: query,
            count: Some(count),
            cursor,
        })
    }

    /// Any `POST`, decoded. Repeated only when it was never sent, and on 429.
    pub async fn post<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        path: &Path,
        query: &Query,
        body: &B,
    ) -> Result<Fetched<T>> {
        self.write(Method::POST, path, query, Some(body), false)
            .await
    }

    /// Any `POST`, as the answer's bytes: empty for 204, although its headers promise JSON.
    pub async fn post_bytes<B: Serialize + ?Sized>(
        &self,
        path: &Path,
        query: &Query,
        body: &B,
    ) -> Result<Fetched<Bytes>> {
        let (_, answer) = self
            .send(Method::POST, path, query, Some(body), false)
            .await?;
        Ok(Fetched::new(answer.body, answer.meta))
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    pub(crate) fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    pub(crate) async fn read(&self, path: &Path, query: &Query) -> Result<(Operation, Answer)> {
        self.send(Method::GET, path, query, None::<&()>, true).await
    }

    /// A call that changes something and answers with JSON.
    pub(crate) async fn write<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &Path,
        query: &Query,
        body: Option<&B>,
        idempotent: bool,
    ) -> Result<Fetched<T>> {
        let (operation, answer) = self.send(method, path, query, body, idempotent).await?;
        decoded(&operation, answer)
    }

    /// A call that changes something and answers with 204.
    pub(crate) async fn change<B: Serialize + ?Sized>(
        &self,
        method: Method,
        path: &Path,
        body: Option<&B>,
        idempotent: bool,
    ) -> Result<Fetched<()>> {
        let (_, answer) = self
            .send(method, path, &Query::new(), body, idempotent)
            .await?;
        Ok(Fetched::new((), answer.meta))
    }

    async fn send<B: Serialize + ?Sized>(
        &self,
        method: Method,
        path: &Path,
        query: &Query,
        body: Option<&B>,
        idempotent: bool,
    ) -> Result<(Operation, Answer)> {
        let body = body
            .map(serde_json::to_vec)
            .transpose()
            .map_err(|_| Error::request("the body", "cannot be written as JSON"))?
            .map(Bytes::from);
        let call = Call {
            method,
            path,
            query,
            body,
            idempotent,
        };
        let answer = self.wire.call(&call, &self.policy).await?;
        Ok((call.operation(), answer))
    }
}

fn decoded<T: DeserializeOwned>(operation: &Operation, answer: Answer) -> Result<Fetched<T>> {
    let value = json::decode(&answer.body, operation, &answer.meta)?;
    Ok(Fetched::new(value, answer.meta))
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("transport", &self.wire.transport)
            .field("retry", &self.policy)
            .field("limit", &self.limit())
            .finish_non_exhaustive()
    }
}
