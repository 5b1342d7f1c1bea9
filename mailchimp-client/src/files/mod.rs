//! `/file-manager`: stored files and their folders.

use chrono::{DateTime, Utc};

use crate::client::Client;
use crate::endpoint::{collection, list_request, object};
use crate::field::Timestamp;
use crate::open_enum::{SortDir, open_enum};
use crate::record::record;

/// The stored files of an account; made by [`Client::files`].
#[derive(Debug, Clone)]
pub struct Files {
    client: Client,
}

impl Files {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/file-manager/files",
        "files": StoredFile, ListFiles,
        /// One page of files. The envelope has `total_file_size`, in bytes.
        page list,
        /// All files that match. There is no filter by time of change.
        stream stream,
    }

    object! {
        "/file-manager/files/{file_id}" (file_id: u64): StoredFile,
        /// One file. Its bytes are at [`StoredFile::full_size_url`]: see [`Client::download`].
        get
    }

    collection! {
        "/file-manager/folders",
        "folders": FileFolder, ListFileFolders,
        /// One page of folders.
        page folders,
        /// All folders that match.
        stream folders_stream,
    }

    object! {
        "/file-manager/folders/{folder_id}" (folder_id: u64): FileFolder,
        /// One folder.
        folder
    }

    collection! {
        "/file-manager/folders/{folder_id}/files" (folder_id: u64),
        "files": StoredFile, ListFiles,
        /// One page of the files in a folder.
        page files_in,
        /// All files in a folder that match.
        stream files_in_stream,
    }
}

open_enum! {
    /// What files can be sorted by.
    FileSort {
        /// Time of upload.
        AddedDate = "added_date",
        /// Name.
        Name = "name",
        /// Size.
        Size = "size",
    }
}

list_request! {
    /// Filters, order and page of [`Files::list`] and [`Files::files_in`].
    ListFiles {
        /// Only this kind.
        kind as "type": FileKind,
        /// Only files uploaded by this user.
        created_by: String,
        /// Uploaded in this second or before.
        before_created_at: DateTime<Utc>,
        /// Uploaded after this second.
        since_created_at: DateTime<Utc>,
        /// Order. Without it the order is not documented.
        sort_field: FileSort,
        /// Direction of the order.
        sort_dir: SortDir,
    }
}

list_request! {
    /// Filters and page of [`Files::folders`].
    ListFileFolders {
        /// Only folders made by this user.
        created_by: String,
        /// Made in this second or before.
        before_created_at: DateTime<Utc>,
        /// Made after this second.
        since_created_at: DateTime<Utc>,
    }
}

open_enum! {
    /// The kind of a file.
    FileKind {
        /// A picture.
        Image = "image",
        /// Anything else.
        File = "file",
    }
}

record! {
    /// A stored file. There is no checksum and no time of change.
    StoredFile {
        /// Id of the file.
        id: u64,
        /// Its folder.
        folder_id: u64,
        /// Its kind.
        #[serde(rename = "type")]
        kind: FileKind,
        /// Its name.
        name: String,
        /// Where it is, in public. Another host than the API's: the credential must not go there,
        /// and [`Client::download`] does not send it.
        full_size_url: String,
        /// Where a small picture of it is.
        thumbnail_url: String,
        /// Size in bytes.
        size: u64,
        /// When it was uploaded.
        created_at: Timestamp,
        /// Who uploaded it.
        created_by: String,
        /// Width of a picture in pixels.
        width: u64,
        /// Height of a picture in pixels.
        height: u64,
    }
}

record! {
    /// A folder of stored files.
    FileFolder {
        /// Id of the folder.
        id: u64,
        /// Its name.
        name: String,
        /// How many files are in it.
        file_count: u64,
        /// When it was made.
        created_at: Timestamp,
        /// Who made it.
        created_by: String,
    }
}
