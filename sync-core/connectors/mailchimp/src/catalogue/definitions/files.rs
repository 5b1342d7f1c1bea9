//! Files that were uploaded.

use sync_core::FieldType::{Integer, Text, Timestamp};

use crate::catalogue::definition::{Changes, Rows, StreamDefinition};

pub(super) const STREAMS: &[StreamDefinition] = &[
    StreamDefinition {
        name: "files",
        about: "A file: its name, size and public address.",
        path: "/file-manager/files",
        query: &[],
        rows: Rows::Pages("files"),
        linked: &[],
        item: Some("/file-manager/files/{id}"),
        key: &["id"],
        parent: None,
        changes: Changes::Since {
            parameter: "since_created_at",
            field: "created_at",
            sort: Some("added_date"),
        },
        remembered: true,
        by_default: true,
        cost: "one for each 1,000 files",
        fields: &[
            ("id", Integer),
            ("folder_id", Integer),
            ("type", Text),
            ("name", Text),
            ("full_size_url", Text),
            ("thumbnail_url", Text),
            ("size", Integer),
            ("created_at", Timestamp),
            ("created_by", Text),
            ("width", Integer),
            ("height", Integer),
        ],
    },
    StreamDefinition {
        name: "file_folders",
        about: "A folder of files.",
        path: "/file-manager/folders",
        query: &[],
        rows: Rows::Pages("folders"),
        linked: &[],
        item: Some("/file-manager/folders/{id}"),
        key: &["id"],
        parent: None,
        changes: Changes::Untold,
        remembered: true,
        by_default: true,
        cost: "one for each 1,000 folders",
        fields: &[
            ("id", Integer),
            ("name", Text),
            ("file_count", Integer),
            ("created_at", Timestamp),
            ("created_by", Text),
        ],
    },
];
