//! `/audiences`: the beta surface, and the only one that has contacts without an e-mail address.
//!
//! Given "as is" under terms of its own and may change at any time. See
//! <https://mailchimp.com/developer/marketing/docs/audiences-endpoints-beta/>.

mod contact;

use chrono::{DateTime, Utc};
use futures::Stream;

use crate::client::Client;
use crate::endpoint::{collection, object};
use crate::error::Result;
use crate::fetched::Fetched;
use crate::paging::{Collection, CursorSelection, Page, PageRequest};
use crate::path::Path;
use crate::query::Query;
use crate::record::record;

pub use contact::{
    ChannelConsent, ChannelSource, ChannelStatus, ConsentStatus, Contact, ContactStatus,
    EffectiveStatus, EmailChannel, SmsChannel,
};

/// The audiences of an account, beta; made by [`Client::audiences`].
#[derive(Debug, Clone)]
pub struct Audiences {
    client: Client,
}

impl Audiences {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/audiences",
        "audiences": Audience, PageRequest,
        /// One page of audiences.
        page list,
        /// All audiences.
        stream stream,
    }

    object! {
        "/audiences/{audience_id}" (audience_id: &str): Audience,
        /// One audience.
        get
    }

    fn contacts_of(&self, audience_id: &str) -> Result<Collection> {
        Ok(Collection {
            client: self.client.clone(),
            path: Path::new("/audiences/{audience_id}/contacts", &[audience_id])?,
            items_key: "contacts",
        })
    }

    /// One page of contacts. There is no count of all, and no order to ask for. The member
    /// `next_cursor` of [`Page::extra`] is the [`ListContacts::cursor`] of the next page; on the
    /// last one it is absent, `null` or blank.
    pub async fn contacts(
        &self,
        audience_id: &str,
        request: &ListContacts,
    ) -> Result<Fetched<Page<Contact>>> {
        self.contacts_of(audience_id)?
            .cursor_page(request.selection()?)
            .await
    }

    /// All contacts that match, page after page by cursor.
    ///
    /// `fields`, where given, must have `next_cursor`; otherwise the stream gives
    /// [`crate::Error::Request`].
    pub fn contacts_stream(
        &self,
        audience_id: &str,
        request: &ListContacts,
    ) -> Result<impl Stream<Item = Result<Contact>> + Send + 'static + use<>> {
        let contacts = self.contacts_of(audience_id)?;
        let pages = contacts.clone().cursor_pages(request.selection()?);
        Ok(contacts.flatten(pages))
    }

    object! {
        "/audiences/{audience_id}/contacts/{contact_id}"
            (audience_id: &str, contact_id: &str): Contact,
        /// One contact.
        contact
    }
}

/// Filters and page of [`Audiences::contacts`].
///
/// `*_since` leaves out its own second and `*_before` includes it, as documented.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListContacts {
    /// Rows per page; the server's default is 10, its documented maximum 1000.
    pub count: Option<u32>,
    /// Where the page begins; `None` for the first one.
    pub cursor: Option<String>,
    /// Members of the answer to send: `contacts.id`, `next_cursor`.
    pub fields: Vec<String>,
    /// Members of the answer to leave out.
    pub exclude_fields: Vec<String>,
    /// Created after this second.
    pub created_since: Option<DateTime<Utc>>,
    /// Created in this second or before.
    pub created_before: Option<DateTime<Utc>>,
    /// Changed after this second.
    pub updated_since: Option<DateTime<Utc>>,
    /// Changed in this second or before.
    pub updated_before: Option<DateTime<Utc>>,
}

impl ListContacts {
    fn selection(&self) -> Result<CursorSelection> {
        let mut query = Query::new();
        query.selection(&self.fields, &self.exclude_fields)?;
        query.time("created_since", self.created_since);
        query.time("created_before", self.created_before);
        query.time("updated_since", self.updated_since);
        query.time("updated_before", self.updated_before);
        Ok(CursorSelection {
            filters: query,
            count: self.count,
            cursor: self.cursor.clone(),
        })
    }
}

record! {
    /// An audience, beta.
    Audience {
        /// Id of the audience.
        id: String,
        /// Name.
        name: String,
        /// Figures.
        stats: AudienceStats,
        /// Channels it uses, such as `email` and `sms`.
        enabled_channels: Vec<String>,
    }
}

record! {
    /// Figures of an audience, beta.
    AudienceStats {
        /// Contacts of all kinds.
        total_contacts: u64,
    }
}
