//! `/lists/{list_id}/merge-fields`: what an audience stores about its members.

use crate::client::Client;
use crate::endpoint::{collection, list_request, object};
use crate::open_enum::open_enum;
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

    collection! {
        "/lists/{list_id}/merge-fields" [self.list_id],
        "merge_fields": MergeField, ListMergeFields,
        /// One page of merge fields. The address, `EMAIL`, is not among them.
        page list,
        /// All merge fields that match.
        stream stream,
    }

    object! {
        "/lists/{list_id}/merge-fields/{merge_id}" [self.list_id] (merge_id: u64): MergeField,
        /// One merge field.
        get
    }
}

list_request! {
    /// Filters and page of [`MergeFields::list`].
    ListMergeFields {
        /// Only fields of this type.
        kind as "type": MergeFieldType,
        /// Only required fields, or only others.
        required: bool,
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
