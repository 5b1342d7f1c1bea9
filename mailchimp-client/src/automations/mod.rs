//! `/automations`: classic automations. Customer journeys are not in here.

mod automation;
mod email;

use chrono::{DateTime, Utc};

use crate::client::Client;
use crate::endpoint::{collection, list_request, object};
use crate::error::Result;
use crate::fetched::Fetched;
use crate::members::segment;
use crate::paging::PageRequest;
use crate::path::Path;
use crate::query::FieldSelection;

pub use automation::{
    Automation, AutomationHours, AutomationRuntime, AutomationStatus, AutomationTrigger,
};
pub use email::{AutomationDelay, AutomationEmail, QueuedSubscriber, RemovedSubscriber};

/// The classic automations of an account; made by [`Client::automations`].
#[derive(Debug, Clone)]
pub struct Automations {
    client: Client,
}

impl Automations {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/automations",
        "automations": Automation, ListAutomations,
        /// One page of automations.
        page list,
        /// All automations that match.
        stream stream,
    }

    object! {
        "/automations/{workflow_id}" (workflow_id: &str): Automation,
        /// One automation.
        get
    }

    collection! {
        "/automations/{workflow_id}/emails" (workflow_id: &str),
        "emails": AutomationEmail, PageRequest,
        /// The mails of an automation. Pages are not documented here.
        page emails,
        /// All mails of an automation.
        stream emails_stream,
    }

    object! {
        "/automations/{workflow_id}/emails/{workflow_email_id}"
            (workflow_id: &str, workflow_email_id: &str): AutomationEmail,
        /// One mail of an automation.
        email
    }

    collection! {
        "/automations/{workflow_id}/emails/{workflow_email_id}/queue"
            (workflow_id: &str, workflow_email_id: &str),
        "queue": QueuedSubscriber, PageRequest,
        /// Who will get a mail, and when. Pages are not documented here, although it can be long.
        page queue,
        /// All who will get a mail.
        stream queue_stream,
    }

    /// One who will get a mail. `key` is the subscriber hash or the address.
    pub async fn queued(
        &self,
        workflow_id: &str,
        workflow_email_id: &str,
        key: &str,
        request: &FieldSelection,
    ) -> Result<Fetched<QueuedSubscriber>> {
        const ONE: &str =
            "/automations/{workflow_id}/emails/{workflow_email_id}/queue/{subscriber_hash}";
        let path = Path::new(ONE, &[workflow_id, workflow_email_id, &segment(key)])?;
        self.client.get(&path, &request.query()?).await
    }

    collection! {
        "/automations/{workflow_id}/removed-subscribers" (workflow_id: &str),
        "subscribers": RemovedSubscriber, PageRequest,
        /// Who was taken out of an automation. Pages are not documented here.
        page removed_subscribers,
        /// All who were taken out of an automation.
        stream removed_subscribers_stream,
    }

    /// One who was taken out. `key` is the subscriber hash or the address.
    pub async fn removed_subscriber(
        &self,
        workflow_id: &str,
        key: &str,
        request: &FieldSelection,
    ) -> Result<Fetched<RemovedSubscriber>> {
        const ONE: &str = "/automations/{workflow_id}/removed-subscribers/{subscriber_hash}";
        let path = Path::new(ONE, &[workflow_id, &segment(key)])?;
        self.client.get(&path, &request.query()?).await
    }
}

list_request! {
    /// Filters and page of [`Automations::list`]. There is no order to ask for.
    ListAutomations {
        /// Created in this second or before.
        before_create_time: DateTime<Utc>,
        /// Created after this second.
        since_create_time: DateTime<Utc>,
        /// Started in this second or before.
        before_start_time: DateTime<Utc>,
        /// Started after this second.
        since_start_time: DateTime<Utc>,
        /// Only this status.
        status: AutomationStatus,
    }
}
