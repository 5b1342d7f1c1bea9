//! `/templates`: designs of campaigns. An account export has their HTML.

use chrono::{DateTime, Utc};

use crate::client::Client;
use crate::endpoint::{collection, list_request, object};
use crate::field::{JsonObject, Timestamp};
use crate::open_enum::{SortDir, open_enum};
use crate::record::record;

/// The templates of an account; made by [`Client::templates`].
#[derive(Debug, Clone)]
pub struct Templates {
    client: Client,
}

impl Templates {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/templates",
        "templates": Template, ListTemplates,
        /// One page of templates.
        page list,
        /// All templates that match.
        stream stream,
    }

    object! {
        "/templates/{template_id}" (template_id: u64): Template,
        /// One template.
        get
    }

    object! {
        "/templates/{template_id}/default-content" (template_id: u64): TemplateContent,
        /// What stands in the sections of a template before anyone writes in them.
        default_content
    }
}

open_enum! {
    /// What templates can be sorted by.
    TemplateSort {
        /// Time of creation.
        DateCreated = "date_created",
        /// Time of the last change.
        DateEdited = "date_edited",
        /// Name.
        Name = "name",
    }
}

list_request! {
    /// Filters, order and page of [`Templates::list`].
    ListTemplates {
        /// Only templates made by this user.
        created_by: String,
        /// Created after this second.
        since_date_created: DateTime<Utc>,
        /// Created in this second or before.
        before_date_created: DateTime<Utc>,
        /// Only this kind.
        kind as "type": TemplateKind,
        /// Only this category.
        category: String,
        /// Only templates in this folder.
        folder_id: String,
        /// Only this kind of content; of [`TemplateKind::User`] alone.
        content_type: TemplateContentType,
        /// Order. Without it the order is not documented.
        sort_field: TemplateSort,
        /// Direction of the order.
        sort_dir: SortDir,
    }
}

open_enum! {
    /// Where a template comes from.
    TemplateKind {
        /// The account.
        User = "user",
        /// Mailchimp's layouts.
        Base = "base",
        /// Mailchimp's themes.
        Gallery = "gallery",
    }
}

open_enum! {
    /// How a template is made.
    TemplateContentType {
        /// With the legacy editor.
        Template = "template",
        /// With the editor for several channels.
        Multichannel = "multichannel",
        /// As HTML.
        Html = "html",
    }
}

record! {
    /// A template.
    Template {
        /// Id of the template.
        id: u64,
        /// Where it comes from.
        #[serde(rename = "type")]
        kind: TemplateKind,
        /// Name.
        name: String,
        /// Whether it is made by dragging blocks.
        drag_and_drop: bool,
        /// Whether it fits itself to small screens.
        responsive: bool,
        /// Category.
        category: String,
        /// When it was made.
        date_created: Timestamp,
        /// When it was last changed.
        date_edited: Timestamp,
        /// Who made it.
        created_by: String,
        /// Who changed it last.
        edited_by: String,
        /// `false` when its user has deleted it: templates are never gone.
        active: bool,
        /// Its folder; blank without one.
        folder_id: String,
        /// Address of a small picture.
        thumbnail: String,
        /// Where others can take it from.
        share_url: String,
        /// How it is made.
        content_type: TemplateContentType,
    }
}

record! {
    /// What stands in the sections of a template.
    TemplateContent {
        /// Name of a section to its HTML.
        sections: JsonObject,
    }
}
