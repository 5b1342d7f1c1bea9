//! `/batch-webhooks`: addresses told when a batch is finished.

use crate::client::Client;
use crate::endpoint::{collection, object};
use crate::paging::PageRequest;
use crate::record::record;

/// The batch webhooks of an account, 20 at most; made by [`Client::batch_webhooks`].
#[derive(Debug, Clone)]
pub struct BatchWebhooks {
    client: Client,
}

impl BatchWebhooks {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/batch-webhooks",
        "webhooks": BatchWebhook, PageRequest,
        /// One page of batch webhooks.
        page list,
        /// All batch webhooks.
        stream stream,
    }

    object! {
        "/batch-webhooks/{batch_webhook_id}" (batch_webhook_id: &str): BatchWebhook,
        /// One batch webhook.
        get
    }
}

record! {
    /// An address told when a batch is finished.
    BatchWebhook {
        /// Id of the webhook.
        id: String,
        /// The address.
        url: String,
        /// Whether it is told.
        enabled: bool,
    }
}
