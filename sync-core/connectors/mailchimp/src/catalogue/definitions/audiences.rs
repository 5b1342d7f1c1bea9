//! Audiences as the newer calls show them, which are in beta and may change. Only they show contacts without an e-mail address.

use sync_core::FieldType::{Integer, Json, Text, Timestamp};

use crate::catalogue::definition::{Changes, Parent, Rows, StreamDefinition};

pub(super) const STREAMS: &[StreamDefinition] = &[
    StreamDefinition {
        name: "audiences",
        about: "An audience and the channels it uses.",
        path: "/audiences",
        query: &[],
        rows: Rows::Pages("audiences"),
        linked: &[],
        item: Some("/audiences/{id}"),
        key: &["id"],
        parent: None,
        changes: Changes::Untold,
        remembered: true,
        by_default: true,
        cost: "one for each 1,000 audiences",
        fields: &[
            ("id", Text),
            ("name", Text),
            ("stats.total_contacts", Integer),
            ("enabled_channels", Json),
        ],
    },
    StreamDefinition {
        name: "audience_contacts",
        about: "A contact of an audience, with or without an e-mail address.",
        path: "/audiences/{audience_id}/contacts",
        query: &[],
        rows: Rows::Cursor("contacts"),
        linked: &[],
        item: Some("/audiences/{audience_id}/contacts/{id}"),
        key: &["audience_id", "id"],
        parent: Some(Parent {
            stream: "audiences",
            ids: &[("id", "audience_id")],
            gate: &[],
        }),
        // A change moves this time, so nothing but a removal waits for the next full read.
        changes: Changes::Since {
            parameter: "updated_since",
            field: "last_updated_at",
            sort: None,
        },
        remembered: true,
        // Most of them are members as well, and the terms of use of beta calls are their own.
        by_default: false,
        cost: "one for each audience and each 1,000 of its contacts",
        fields: &[
            ("id", Text),
            ("language", Text),
            ("status", Text),
            ("email_channel.email", Text),
            ("email_channel.hashed_email", Text),
            ("email_channel.effective_subscription_status.value", Text),
            ("email_channel.marketing_consent.status", Text),
            ("email_channel.marketing_consent.source.name", Text),
            ("email_channel.source.name", Text),
            ("sms_channel.sms_phone", Text),
            ("sms_channel.hashed_sms_phone", Text),
            ("sms_channel.effective_subscription_status.value", Text),
            ("sms_channel.marketing_consent.status", Text),
            ("sms_channel.marketing_consent.source.name", Text),
            ("sms_channel.source.name", Text),
            ("merge_fields", Json),
            ("tags", Json),
            ("source.name", Text),
            ("created_at", Timestamp),
            ("last_updated_at", Timestamp),
        ],
    },
];
