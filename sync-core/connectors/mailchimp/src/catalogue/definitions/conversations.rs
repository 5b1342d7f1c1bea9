//! Conversations with members. Deprecated: what came by the newer inbox is not in them.

use sync_core::FieldType::{Boolean, Integer, Text, Timestamp};

use crate::catalogue::definition::{Changes, Parent, Rows, StreamDefinition};

pub(super) const STREAMS: &[StreamDefinition] = &[
    StreamDefinition {
        name: "conversations",
        about: "A conversation.",
        path: "/conversations",
        query: &[],
        rows: Rows::Pages("conversations"),
        linked: &[],
        item: Some("/conversations/{id}"),
        key: &["id"],
        parent: None,
        changes: Changes::Untold,
        remembered: true,
        by_default: true,
        cost: "one for each 1,000 conversations",
        fields: &[
            ("id", Text),
            ("message_count", Integer),
            ("campaign_id", Text),
            ("list_id", Text),
            ("unread_messages", Integer),
            ("from_label", Text),
            ("from_email", Text),
            ("subject", Text),
            ("last_message.from_label", Text),
            ("last_message.from_email", Text),
            ("last_message.subject", Text),
            ("last_message.message", Text),
            ("last_message.read", Boolean),
            ("last_message.timestamp", Timestamp),
        ],
    },
    StreamDefinition {
        name: "conversation_messages",
        about: "A message of a conversation.",
        path: "/conversations/{conversation_id}/messages",
        query: &[],
        rows: Rows::Pages("conversation_messages"),
        linked: &[],
        item: Some("/conversations/{conversation_id}/messages/{id}"),
        key: &["conversation_id", "id"],
        parent: Some(Parent {
            stream: "conversations",
            ids: &[("id", "conversation_id")],
            gate: &["message_count", "unread_messages", "last_message.timestamp"],
        }),
        changes: Changes::Untold,
        remembered: true,
        by_default: true,
        cost: "one for each conversation",
        fields: &[
            ("id", Text),
            // A number in the documentation, unlike everywhere else.
            ("list_id", Text),
            ("from_label", Text),
            ("from_email", Text),
            ("subject", Text),
            ("message", Text),
            ("read", Boolean),
            ("timestamp", Timestamp),
        ],
    },
];
