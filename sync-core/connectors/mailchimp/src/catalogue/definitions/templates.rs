//! Templates of e-mails.

use sync_core::FieldType::{Boolean, Integer, Json, Text, Timestamp};

use crate::catalogue::definition::{Changes, Parent, Rows, StreamDefinition};

pub(super) const STREAMS: &[StreamDefinition] = &[
    StreamDefinition {
        name: "templates",
        about: "A template; `active` is false once its user deleted it.",
        path: "/templates",
        query: &[],
        rows: Rows::Pages("templates"),
        item: Some("/templates/{id}"),
        key: &["id"],
        parent: None,
        // `since_date_created` would hide that one was edited.
        changes: Changes::Untold,
        remembered: true,
        by_default: true,
        cost: "one for each 1,000 templates",
        fields: &[
            ("id", Integer),
            ("type", Text),
            ("name", Text),
            ("drag_and_drop", Boolean),
            ("responsive", Boolean),
            ("category", Text),
            ("date_created", Timestamp),
            ("date_edited", Timestamp),
            ("created_by", Text),
            ("edited_by", Text),
            ("active", Boolean),
            ("folder_id", Text),
            ("thumbnail", Text),
            ("share_url", Text),
            ("content_type", Text),
        ],
    },
    StreamDefinition {
        name: "template_default_content",
        about: "The sections of a template, with what stands in them.",
        path: "/templates/{template_id}/default-content",
        query: &[],
        rows: Rows::Single,
        item: Some("/templates/{template_id}/default-content"),
        key: &["template_id"],
        parent: Some(Parent {
            stream: "templates",
            ids: &[("id", "template_id")],
            gate: &["date_edited"],
        }),
        changes: Changes::Untold,
        remembered: true,
        by_default: true,
        cost: "one for each template",
        fields: &[("sections", Json)],
    },
    StreamDefinition {
        name: "template_folders",
        about: "A folder of templates.",
        path: "/template-folders",
        query: &[],
        rows: Rows::Pages("folders"),
        item: Some("/template-folders/{id}"),
        key: &["id"],
        parent: None,
        changes: Changes::Untold,
        remembered: true,
        by_default: true,
        cost: "one for each 1,000 folders",
        fields: &[("name", Text), ("id", Text), ("count", Integer)],
    },
];
