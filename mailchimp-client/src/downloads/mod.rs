//! Files on other hosts than the API's: stored files, account exports, and batch results.

mod address;
mod answer;
mod download;
mod link;
mod problem;

use std::time::Duration;

use crate::client::Client;
use crate::error::Result;

pub(crate) use address::AllowedAddresses;
pub use download::Download;
pub(crate) use link::{Ask, Link, Unopened};
pub use problem::{DownloadError, DownloadProblem};

impl Client {
    /// Opens a file on another host, such as [`crate::StoredFile::full_size_url`] or
    /// [`crate::AccountExport::download_url`], and gives it as it comes.
    ///
    /// - The credential is not sent, and no place among the ten requests at once is taken.
    /// - The address must be https. Plain http and loopback hosts need
    ///   [`crate::ClientBuilder::loopback_downloads`].
    /// - Hosts on private, loopback, link-local and other special networks are refused, also
    ///   when they are behind a name: the connection is made to the very address that was
    ///   checked. With a transport of the caller's own ([`crate::ClientBuilder::transport`]) names
    ///   are resolved there, and only addresses written in the link are checked here.
    /// - Redirects are refused unless [`DownloadOptions::redirects`] allows some, and each target
    ///   is checked like the first address.
    ///
    /// Fails with [`crate::Error::Download`]. What is worth repeating is repeated as the
    /// client's [`crate::RetryPolicy`] allows.
    pub async fn download(&self, url: &str, options: &DownloadOptions) -> Result<Download> {
        Download::open(self.clone(), url, options.clone()).await
    }
}

/// How a file is downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadOptions {
    /// The size the file must have, in bytes, such as [`crate::StoredFile::size`]. Default: any.
    pub expected_bytes: Option<u64>,
    /// The largest size that is accepted, in bytes. Default 64 GiB.
    pub limit_bytes: u64,
    /// How long nothing may come before the connection is given up. Default 60 s.
    pub idle_timeout: Duration,
    /// How many redirects may be followed. Default none.
    pub redirects: u8,
    /// Where an earlier download ended: [`Download::resume_point`]. Default: the beginning.
    pub resume: Option<ResumePoint>,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self {
            expected_bytes: None,
            limit_bytes: 64 * 1024 * 1024 * 1024,
            idle_timeout: Duration::from_secs(60),
            redirects: 0,
            resume: None,
        }
    }
}

/// A place in a file where a download can go on, in this process or another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumePoint {
    /// How many bytes there are already.
    pub position: u64,
    /// What the host says the file is known by as long as it does not change: its strong `ETag`,
    /// or its `Last-Modified`.
    pub validator: String,
}
