//! `/campaign-folders` and `/template-folders`.

use crate::client::Client;
use crate::endpoint::{collection, object};
use crate::paging::PageRequest;
use crate::record::record;

/// The folders of campaigns; made by [`Client::campaign_folders`].
#[derive(Debug, Clone)]
pub struct CampaignFolders {
    client: Client,
}

impl CampaignFolders {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/campaign-folders",
        "folders": Folder, PageRequest,
        /// One page of folders.
        page list,
        /// All folders.
        stream stream,
    }

    object! {
        "/campaign-folders/{folder_id}" (folder_id: &str): Folder,
        /// One folder.
        get
    }
}

/// The folders of templates; made by [`Client::template_folders`].
#[derive(Debug, Clone)]
pub struct TemplateFolders {
    client: Client,
}

impl TemplateFolders {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    collection! {
        "/template-folders",
        "folders": Folder, PageRequest,
        /// One page of folders.
        page list,
        /// All folders.
        stream stream,
    }

    object! {
        "/template-folders/{folder_id}" (folder_id: &str): Folder,
        /// One folder.
        get
    }
}

record! {
    /// A folder of campaigns or of templates.
    Folder {
        /// Name.
        name: String,
        /// Id of the folder.
        id: String,
        /// How many campaigns or templates are in it.
        count: u64,
    }
}
