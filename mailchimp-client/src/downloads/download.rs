//! A file as it comes, with what it takes to go on after a cut.

use std::fmt;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::header::{IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Method};
use tokio::time::{sleep, timeout};

use super::answer::{content_length, contradicts, is_encoded, part, size_without_part, validator};
use super::link::{Ask, Link, Unopened};
use super::problem::{DownloadError, DownloadProblem};
use super::{DownloadOptions, ResumePoint};
use crate::client::Client;
use crate::error::{Error, Operation, Result};
use crate::retry::Cause;
use crate::transport::{BodyStream, TransportError, TransportErrorKind, TransportResponse};

/// What errors and hooks call a download: its link is a secret.
const DOWNLOAD: &str = "{download_url}";

/// A file that has come this far is worth as many tries again.
const PROGRESS: u64 = 1024 * 1024;

/// A file as it comes; made by [`Client::download`].
///
/// `Debug` shows how far it is.
pub struct Download {
    client: Client,
    link: Link,
    options: DownloadOptions,
    /// `None` before the first answer and after a cut.
    body: Option<BodyStream>,
    /// Bytes of the body that the caller has already.
    pass_over: u64,
    start: u64,
    position: u64,
    total: Option<u64>,
    validator: Option<String>,
    setbacks: u32,
    /// Where counting them began.
    counted_from: u64,
    /// The caller knows `start`.
    is_open: bool,
    is_over: bool,
}

/// Why there is no more of the file.
struct Stop {
    problem: DownloadProblem,
    cause: Option<TransportError>,
    is_final: bool,
}

impl Stop {
    fn last(problem: DownloadProblem) -> Self {
        Self {
            problem,
            cause: None,
            is_final: true,
        }
    }

    /// Another try may help.
    fn setback(problem: DownloadProblem) -> Self {
        Self {
            problem,
            cause: None,
            is_final: false,
        }
    }

    fn into_error(self, position: u64, retries_spent: bool) -> Error {
        Error::Download(Box::new(DownloadError {
            problem: self.problem,
            position,
            retries_spent,
            source: self.cause,
        }))
    }
}

impl From<TransportError> for Stop {
    fn from(error: TransportError) -> Self {
        let stop = Self::setback(DownloadProblem::Transport(error.kind()));
        Self {
            cause: Some(error),
            ..stop
        }
    }
}

impl Download {
    pub(super) async fn open(client: Client, url: &str, options: DownloadOptions) -> Result<Self> {
        let link = Link::parse(url, client.wire().loopback_links)
            .map_err(|problem| Stop::last(problem).into_error(0, false))?;
        if options.idle_timeout.is_zero() {
            return Err(Error::request("idle_timeout", "is zero"));
        }
        let (position, validator) = match options.resume.clone() {
            Some(resume) => (resume.position, Some(resume.validator)),
            None => (0, None),
        };
        let mut download = Self {
            client,
            link,
            options,
            body: None,
            pass_over: 0,
            start: position,
            position,
            total: None,
            validator,
            setbacks: 0,
            counted_from: position,
            is_open: false,
            is_over: false,
        };
        while download.body.is_none() && !download.is_over {
            if let Err(stop) = download.connect().await {
                download.stopped(stop).await?;
            }
        }
        download.is_open = true;
        Ok(download)
    }

    /// Where in the file the first chunk belongs: at the position of
    /// [`DownloadOptions::resume`], or at 0 when the host gives the whole file again, because it
    /// changed or the host knows no parts. What there was of it is worthless then.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// How many bytes of the file there are until here, those before [`Download::start`]
    /// included.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The size of the file in bytes, if the host told it.
    pub fn total_bytes(&self) -> Option<u64> {
        self.total
    }

    /// Where another download can go on, if the host told what the file is known by.
    pub fn resume_point(&self) -> Option<ResumePoint> {
        Some(ResumePoint {
            position: self.position,
            validator: self.validator.clone()?,
        })
    }

    /// The next bytes, or `None` once the whole file has come.
    ///
    /// After a cut the rest is asked for, if the host told what the file is known by: no byte is
    /// given twice or left out. May be dropped and called again at any time, also after an error,
    /// which is then met again or overcome.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            if self.is_over {
                return Ok(None);
            }
            let outcome = if self.body.is_none() {
                self.connect().await.map(|()| None)
            } else {
                self.receive().await
            };
            match outcome {
                Ok(Some(chunk)) => return Ok(Some(chunk)),
                Ok(None) => {}
                Err(stop) => self.stopped(stop).await?,
            }
        }
    }

    /// All chunks. Ends with the file, or after the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        stream::try_unfold(self, |mut download| async move {
            let chunk = download.next_chunk().await?;
            Ok(chunk.map(|chunk| (chunk, download)))
        })
    }

    /// Waits before the next try, or gives up.
    async fn stopped(&mut self, stop: Stop) -> Result<()> {
        self.body = None;
        if stop.is_final {
            return Err(stop.into_error(self.position, false));
        }
        if self.position.saturating_sub(self.counted_from) >= PROGRESS {
            self.setbacks = 0;
            self.counted_from = self.position;
        }
        self.setbacks += 1;
        let policy = self.client.policy();
        let are_spent = self.setbacks >= policy.max_attempts;
        if are_spent || !self.can_go_on() {
            self.setbacks = 0;
            return Err(stop.into_error(self.position, are_spent));
        }
        sleep(policy.wait(self.setbacks, Cause::Other, None, 1.0)).await;
        Ok(())
    }

    /// Whether anything would tell that the rest is of the same file.
    fn can_go_on(&self) -> bool {
        self.position == 0 || self.validator.is_some()
    }

    /// Opens the link at the position reached.
    async fn connect(&mut self) -> Result<(), Stop> {
        if !self.can_go_on() {
            return Err(Stop::last(DownloadProblem::NotResumable));
        }
        let operation = Operation::new(Method::GET, DOWNLOAD.into());
        let ask = Ask {
            operation: &operation,
            headers: self.range()?,
            redirects: self.options.redirects,
            patience: self.options.idle_timeout,
        };
        let response = match self.client.wire().open(&self.link, &ask).await {
            Ok(response) => response,
            Err(Unopened::Refused(problem)) => return Err(Stop::last(problem)),
            Err(Unopened::Failed(error)) => return Err(error.into()),
        };
        match response.status.as_u16() {
            status @ (200 | 206) => {
                if is_encoded(&response.headers) {
                    return Err(Stop::last(DownloadProblem::Encoded));
                }
                if status == 200 {
                    self.whole(response)
                } else {
                    self.part(response)
                }
            }
            416 if self.position > 0 => self.no_part(&response.headers),
            300..=399 => Err(Stop::last(DownloadProblem::Redirect)),
            status @ (408 | 429 | 500..=599) => Err(Stop::setback(DownloadProblem::Status(status))),
            status => Err(Stop::last(DownloadProblem::Status(status))),
        }
    }

    fn range(&self) -> Result<HeaderMap, Stop> {
        let mut headers = HeaderMap::new();
        if self.position == 0 {
            return Ok(headers);
        }
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| Stop::last(DownloadProblem::Changed))
        };
        headers.insert(RANGE, value(&format!("bytes={}-", self.position))?);
        if let Some(validator) = &self.validator {
            headers.insert(IF_RANGE, value(validator)?);
        }
        Ok(headers)
    }

    /// The whole file comes, asked for or not.
    fn whole(&mut self, response: TransportResponse) -> Result<(), Stop> {
        let validator = validator(&response.headers);
        let total = content_length(&response.headers);
        if validator.is_none() || validator != self.validator {
            self.begin_again()?;
        }
        self.check_size(total)?;
        self.pass_over = self.position;
        self.validator = validator;
        self.total = total.or(self.total);
        self.body = Some(response.body);
        Ok(())
    }

    /// The rest of the file comes, from where it was asked for.
    fn part(&mut self, response: TransportResponse) -> Result<(), Stop> {
        let Some(part) = part(&response.headers) else {
            return Err(Stop::last(DownloadProblem::Range));
        };
        if part.begin != self.position || self.position == 0 {
            return Err(Stop::last(DownloadProblem::Range));
        }
        // A host that heeds `If-Range` sends no part of another file; this is for those that do.
        let known = self.validator.as_deref();
        if known.is_some_and(|known| contradicts(&response.headers, known)) {
            return Err(Stop::last(DownloadProblem::Changed));
        }
        self.check_size(part.total)?;
        self.pass_over = 0;
        self.total = part.total.or(self.total);
        self.body = Some(response.body);
        Ok(())
    }

    /// The host says that the file ends before the position.
    fn no_part(&mut self, headers: &HeaderMap) -> Result<(), Stop> {
        let size = size_without_part(headers);
        if size == Some(self.position) {
            // Nothing is left of it.
            self.check_size(size)?;
            self.total = size;
            self.is_over = true;
            return Ok(());
        }
        self.begin_again()
    }

    /// Forgets what an earlier download left, which is of another file. Once the caller knows
    /// where the first chunk belongs, it is too late for that.
    fn begin_again(&mut self) -> Result<(), Stop> {
        if self.is_open && self.position > 0 {
            return Err(Stop::last(DownloadProblem::Changed));
        }
        self.start = 0;
        self.position = 0;
        self.counted_from = 0;
        self.total = None;
        self.validator = None;
        Ok(())
    }

    /// Compares the size the host announced with what is known and allowed.
    fn check_size(&self, announced: Option<u64>) -> Result<(), Stop> {
        let Some(actual) = announced else {
            return Ok(());
        };
        if self.total.is_some_and(|total| total != actual) {
            return Err(Stop::last(DownloadProblem::Changed));
        }
        match self.options.expected_bytes {
            Some(expected) if expected != actual => {
                Err(Stop::last(DownloadProblem::Size { expected, actual }))
            }
            _ => self.check_limit(actual),
        }
    }

    fn check_limit(&self, bytes: u64) -> Result<(), Stop> {
        let limit = self.options.limit_bytes;
        if bytes > limit {
            return Err(Stop::last(DownloadProblem::TooLarge { limit }));
        }
        Ok(())
    }

    /// Waits for more of the body. `None` when what came is of no use.
    async fn receive(&mut self) -> Result<Option<Bytes>, Stop> {
        let Some(body) = &mut self.body else {
            return Ok(None);
        };
        let chunk = timeout(self.options.idle_timeout, body.next())
            .await
            .map_err(|_| TransportError::new(TransportErrorKind::Timeout))?;
        let Some(chunk) = chunk else {
            return self.end().map(|()| None);
        };
        let mut chunk = chunk?;
        let known = usize::try_from(self.pass_over)
            .unwrap_or(usize::MAX)
            .min(chunk.len());
        self.pass_over -= known as u64;
        let chunk = chunk.split_off(known);
        if chunk.is_empty() {
            return Ok(None);
        }
        let position = self.position + chunk.len() as u64;
        self.check_limit(position)?;
        if let Some(expected) = self.total.or(self.options.expected_bytes)
            && position > expected
        {
            return Err(Stop::last(DownloadProblem::Size {
                expected,
                actual: position,
            }));
        }
        self.position = position;
        Ok(Some(chunk))
    }

    /// The body is over. Whether the file is, its size says.
    fn end(&mut self) -> Result<(), Stop> {
        let actual = self.position;
        if self.pass_over > 0 || self.total.is_some_and(|total| actual < total) {
            return Err(TransportError::new(TransportErrorKind::Body).into());
        }
        match self.options.expected_bytes {
            Some(expected) if expected != actual => {
                Err(Stop::last(DownloadProblem::Size { expected, actual }))
            }
            _ => {
                self.body = None;
                self.is_over = true;
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("start", &self.start)
            .field("position", &self.position)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}
