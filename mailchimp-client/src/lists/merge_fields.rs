//! `/lists/{list_id}/merge-fields`: what an audience stores about its members.

use futures::Stream;

use crate::client::Client;
use crate::error::Result;
use crate::fetched::Fetched;
use crate::open_enum::open_enum;
use crate::paging::{Collection, Page, Selection};
use crate::path::Path;
use crate::query::{FieldSelection, Query};
use crate::record::record;

/// The merge fields of one audience; made by [`crate::ListHandle::merge_fields`].
#[derive(Debug, Clone)]
pub struct MergeFields {
    client: Client,
    list_id: String,
}

impl MergeFields {
    pub(super) fn new(client: Client, list_id: String) -> Self {
        Self { client, list_id }
    }

    fn collection(&self) -> Result<Collection> {
        let path = Path::new("/lists/{list_id}/merge-fields", &[&self.list_id])?;
        Ok(Collection {
            client: self.client.clone(),
            path,
            items_key: "merge_fields",
        })
    }

    /// One page of merge fields. The address, `EMAIL`, is not among them.
    pub async fn list(&self, request: &ListMergeFields) -> Result<Fetched<Page<MergeField>>> {
        self.collection()?.page(request.selection()?).await
    }

    /// All merge fields that match.
    pub fn stream(
        &self,
        request: &ListMergeFields,
    ) -> Result<impl Stream<Item = Result<MergeField>> + Send + 'static + use<>> {
        Ok(self.collection()?.stream(request.selection()?))
    }

    /// One merge field.
    pub async fn get(
        &self,
        merge_id: u64,
        request: &FieldSelection,
    ) -> Result<Fetched<MergeField>> {
        const FIELD: &str = "/lists/{list_id}/merge-fields/{merge_id}";
        let path = Path::new(FIELD, &[&self.list_id, &merge_id.to_string()])?;
        self.client.get(&path, &request.query()?).await
    }
}

/// Filters and page of [`MergeFields::list`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListMergeFields {
    /// Rows per page; the server's default is 10, its documented maximum 1000.
    pub count: Option<u32>,
    /// Rows to skip.
    pub offset: Option<u64>,
    /// Members of the answer to send, as paths below the envelope: `merge_fields.tag`.
    pub fields: Vec<String>,
    /// Members of the answer to leave out.
    pub exclude_fields: Vec<String>,
    /// Only fields of this type.
    pub kind: Option<MergeFieldType>,
    /// Only required fields, or only others.
    pub required: Option<bool>,
}

impl ListMergeFields {
    fn selection(&self) -> Result<Selection> {
        let mut query = Query::new();
        query.selection(&self.fields, &self.exclude_fields)?;
        query.text("type", self.kind.as_ref().map(MergeFieldType::as_str));
        query.flag("required", self.required);
        Ok(Selection {
            filters: query,
            count: self.count,
            offset: self.offset,
        })
    }
}

open_enum! {
    /// The type of a merge field. Its values are blank text when nothing is set, in every type.
    MergeFieldType {
        /// Text of up to 255 bytes.
        Text = "text",
        /// A JSON number.
        Number = "number",
        /// An object of `addr1, addr2, city, state, zip, country`.
        Address = "address",
        /// A telephone number, as free text.
        Phone = "phone",
        /// `YYYY-MM-DD`, whatever the field's own date format says.
        Date = "date",
        /// A web address.
        Url = "url",
        /// The web address of an image.
        ImageUrl = "imageurl",
        /// One of several choices.
        Radio = "radio",
        /// One of several choices.
        Dropdown = "dropdown",
        /// `MM/DD`.
        Birthday = "birthday",
        /// A postal code of the United States.
        Zip = "zip",
    }
}

record! {
    /// A merge field.
    MergeField {
        /// Id in the audience; survives a change of tag or name.
        merge_id: u64,
        /// Key of the values inside members. It can be renamed, and reused after a deletion.
        tag: String,
        /// Name.
        name: String,
        /// Type.
        #[serde(rename = "type")]
        kind: MergeFieldType,
        /// Whether members must have a value.
        required: bool,
        /// Value of members that have none.
        default_value: String,
        /// Whether it is on the sign-up form.
        public: bool,
        /// Position on the sign-up form.
        display_order: i64,
        /// Options of some types.
        options: MergeFieldOptions,
        /// Help for the subscriber.
        help_text: String,
        /// The audience.
        list_id: String,
    }
}

record! {
    /// Options of a merge field, as far as its type has them.
    MergeFieldOptions {
        /// Number of the country of addresses that name none.
        default_country: i64,
        /// `US` or `International`.
        phone_format: String,
        /// Format of dates on forms.
        date_format: String,
        /// Choices.
        choices: Vec<String>,
        /// Length of the text box.
        size: u64,
    }
}
