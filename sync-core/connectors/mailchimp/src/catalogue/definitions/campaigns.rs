//! Campaigns and what belongs to each.

use sync_core::FieldType::{Boolean, Integer, Json, Text, Timestamp};

use crate::catalogue::definition::{Changes, Parent, Rows, StreamDefinition};

pub(super) const STREAMS: &[StreamDefinition] = &[
    StreamDefinition {
        name: "campaigns",
        about: "A campaign: what is sent, to whom, and how far it has got.",
        path: "/campaigns",
        query: &[],
        rows: Rows::Pages("campaigns"),
        item: Some("/campaigns/{id}"),
        key: &["id"],
        parent: None,
        changes: Changes::Since {
            parameter: "since_create_time",
            field: "create_time",
            sort: Some("create_time"),
        },
        remembered: true,
        by_default: true,
        cost: "one for each 1,000 campaigns",
        fields: &[
            ("id", Text),
            ("web_id", Integer),
            ("create_time", Timestamp),
            ("send_time", Timestamp),
            ("status", Text),
            ("resendable", Boolean),
            ("tracking", Json),
        ],
    },
    StreamDefinition {
        name: "campaign_content",
        about: "The HTML and text of a campaign.",
        path: "/campaigns/{campaign_id}/content",
        query: &[],
        rows: Rows::Single,
        item: Some("/campaigns/{campaign_id}/content"),
        key: &["campaign_id"],
        parent: Some(Parent {
            stream: "campaigns",
            ids: &[("id", "campaign_id")],
            gate: &[],
        }),
        changes: Changes::Untold,
        remembered: true,
        by_default: false,
        cost: "one for each campaign",
        fields: &[("html", Text), ("plain_text", Text)],
    },
];
