//! `/lists/{list_id}/webhooks`: where Mailchimp posts changes of an audience.

use http::Method;
use serde::Serialize;

use crate::client::Client;
use crate::error::Result;
use crate::fetched::Fetched;
use crate::field::Field;
use crate::paging::{Collection, Page, Selection};
use crate::path::Path;
use crate::query::Query;
use crate::record::record;

const WEBHOOKS: &str = "/lists/{list_id}/webhooks";
const WEBHOOK: &str = "/lists/{list_id}/webhooks/{webhook_id}";

/// The webhooks of one audience; made by [`crate::ListHandle::webhooks`].
#[derive(Debug, Clone)]
pub struct Webhooks {
    client: Client,
    list_id: String,
}

impl Webhooks {
    pub(super) fn new(client: Client, list_id: String) -> Self {
        Self { client, list_id }
    }

    fn path(&self, webhook_id: &str) -> Result<Path> {
        Path::new(WEBHOOK, &[&self.list_id, webhook_id])
    }

    /// All webhooks; the endpoint has no pages.
    pub async fn list(&self) -> Result<Fetched<Page<Webhook>>> {
        let path = Path::new(WEBHOOKS, &[&self.list_id])?;
        let everything = Selection {
            filters: Query::new(),
            count: None,
            offset: None,
        };
        Collection {
            client: self.client.clone(),
            path,
            items_key: "webhooks",
        }
        .page(everything)
        .await
    }

    /// One webhook.
    pub async fn get(&self, webhook_id: &str) -> Result<Fetched<Webhook>> {
        self.client
            .get(&self.path(webhook_id)?, &Query::new())
            .await
    }

    /// Makes a webhook. Mailchimp first sends a `GET` to its URL, which must answer 200.
    ///
    /// The answer is the only one that holds [`Webhook::signing_secret`].
    pub async fn create(&self, body: &WebhookWrite) -> Result<Fetched<Webhook>> {
        let path = Path::new(WEBHOOKS, &[&self.list_id])?;
        self.client.post(&path, &Query::new(), body).await
    }

    /// Changes a webhook; what is absent stays.
    pub async fn update(&self, webhook_id: &str, body: &WebhookWrite) -> Result<Fetched<Webhook>> {
        let path = self.path(webhook_id)?;
        self.client
            .write(Method::PATCH, &path, &Query::new(), Some(body), true)
            .await
    }

    /// Deletes a webhook. A 404 after a repeated request can mean that the first went through.
    pub async fn delete(&self, webhook_id: &str) -> Result<Fetched<()>> {
        self.client
            .change(Method::DELETE, &self.path(webhook_id)?, None::<&()>, true)
            .await
    }
}

record! {
    /// A webhook. Serialising one writes its secret, if it holds one.
    Webhook {
        /// Id of the webhook.
        id: String,
        /// Where events are posted, as forms.
        url: String,
        /// Which events.
        events: WebhookEvents,
        /// Caused by whom.
        sources: WebhookSources,
        /// The audience.
        list_id: String,
        /// Whether posts are signed.
        signing_enabled: bool,
        /// The key of the signatures. Only in the answer to the call that made the webhook.
        signing_secret: String,
    }
}

record! {
    /// Events of a webhook. No event tells of tags, archiving, segments or lists.
    WebhookEvents {
        /// Someone subscribed.
        subscribe: bool,
        /// Someone opted out, or was deleted.
        unsubscribe: bool,
        /// A profile changed.
        profile: bool,
        /// An address was cleaned.
        cleaned: bool,
        /// An address changed.
        upemail: bool,
        /// A campaign was sent or cancelled.
        campaign: bool,
        /// Someone subscribed to SMS.
        sms_subscribe: bool,
        /// Someone opted out of SMS.
        sms_unsubscribe: bool,
        /// A telephone number changed.
        upsms: bool,
        /// An SMS campaign was sent or cancelled.
        sms_campaign: bool,
    }
}

impl WebhookEvents {
    /// All events that concern members by mail.
    pub fn members() -> Self {
        let on = || Field::Value(true);
        Self {
            subscribe: on(),
            unsubscribe: on(),
            profile: on(),
            cleaned: on(),
            upemail: on(),
            ..Self::default()
        }
    }
}

record! {
    /// Who causes the events of a webhook. What is absent gets an undocumented default: send all.
    WebhookSources {
        /// Subscribers.
        user: bool,
        /// People in the web application.
        admin: bool,
        /// Programs, this one included: a program that writes to Mailchimp hears itself.
        api: bool,
    }
}

impl WebhookSources {
    /// Exactly these.
    pub fn new(user: bool, admin: bool, api: bool) -> Self {
        Self {
            user: user.into(),
            admin: admin.into(),
            api: api.into(),
            ..Self::default()
        }
    }
}

/// What to set on a webhook.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct WebhookWrite {
    /// Where events are posted. Needed to make one. Two URLs that differ in their query only
    /// count as the same.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub url: Field<String>,
    /// Which events.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub events: Field<WebhookEvents>,
    /// Caused by whom.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub sources: Field<WebhookSources>,
}
