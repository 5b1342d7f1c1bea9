//! The file manager, and the host that its files are downloaded from.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::account::Account;
use crate::endpoint::{Asked, Endpoint};
use crate::links::link;
use crate::member::mix;
use crate::problem::Problem;
use crate::render::Answer;
use crate::roster::{Entry, Roster, below};
use crate::timestamp;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::paged("/file-manager/files", list),
    Endpoint::whole("/file-manager/files/{file_id}", get),
    Endpoint::paged("/file-manager/folders", folders),
    Endpoint::whole("/file-manager/folders/{folder_id}", one_folder),
    Endpoint::paged("/file-manager/folders/{folder_id}/files", in_folder),
];

/// Files are downloaded from below this path, which is not part of the API.
pub(crate) const HOST: &str = "/file-host/";

/// How [`HOST`] is named in rules and statistics.
pub(crate) const HOST_TEMPLATE: &str = "/file-host/{file_id}";

/// Ids of files start here.
const FIRST: u32 = 40_000;

/// Ids of folders start here.
const FIRST_FOLDER: u32 = 300;

/// The file manager of an account.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) held: Roster,
    pub(crate) folders: Roster,
    /// Mean size in bytes.
    pub(crate) bytes: u32,
    pub(crate) seed: u64,
}

/// The id of a file.
pub(crate) fn id(number: u32) -> u32 {
    FIRST + number
}

/// The number behind an id.
pub(crate) fn number(id: &str) -> Option<u32> {
    id.parse::<u32>().ok()?.checked_sub(FIRST)
}

impl Files {
    fn size(&self, entry: Entry) -> u32 {
        if entry.number == 1 {
            return 0;
        }
        let part = below(entry.draw(self.seed, 0xf11e), self.bytes.saturating_add(1));
        (self.bytes / 2).saturating_add(part)
    }

    /// Part of a file's content. Nothing of it is kept.
    fn content(&self, entry: Entry, from: u32, to: u32) -> Bytes {
        let seed = entry.draw(self.seed, 0xc0de);
        let words = (from / 8)..to.div_ceil(8);
        let start = from % 8;
        let content = words.flat_map(|word| mix(seed ^ u64::from(word)).to_le_bytes());
        content
            .skip(start as usize)
            .take(to.saturating_sub(from) as usize)
            .collect()
    }

    /// Every second file is an image, every third lies in a folder.
    fn folder(&self, entry: Entry) -> u32 {
        let Some(number) = u32::try_from(self.folders.len()).ok() else {
            return 0;
        };
        match (entry.number / 3).checked_rem(number) {
            Some(folder) if entry.number.is_multiple_of(3) => FIRST_FOLDER + folder,
            _ => 0,
        }
    }
}

fn kind(entry: Entry) -> &'static str {
    if entry.number.is_multiple_of(2) {
        "image"
    } else {
        "file"
    }
}

/// Two files may have the same name, and names hold what paths may not.
fn name(entry: Entry) -> String {
    match entry.number % 6 {
        0 | 2 => "photo.png".to_owned(),
        3 => format!("Prïce \"list\" 100%, №{}.pdf", entry.number),
        4 => format!("../up and/down?{}.jpg", entry.number),
        _ => format!("file-{}.csv", entry.number),
    }
}

fn find(asked: &Asked<'_>) -> Option<Entry> {
    asked.account.files.held.get(number(asked.id(0))?)
}

/// `GET /file-manager/files`.
fn list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    answer(asked, |_| true)
}

/// `GET /file-manager/folders/{folder_id}/files`.
fn in_folder(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let folder = folder(asked).ok_or_else(Problem::not_found)?;
    answer(asked, |entry| {
        asked.account.files.folder(entry) == FIRST_FOLDER + folder.number
    })
}

fn answer(asked: &Asked<'_>, wanted: impl Fn(Entry) -> bool) -> Result<Answer, Problem> {
    let files = &asked.account.files;
    let mut found: Vec<Entry> = files
        .held
        .iter()
        .filter(|&entry| {
            wanted(entry)
                && asked.within("created_at", entry.created_at)
                && asked.is("type", kind(entry))
                && asked.is("created_by", "Freddie")
        })
        .collect();
    asked.sort(
        &mut found,
        &["added_date", "name", "size"],
        |&entry, by| match by {
            "name" => (name(entry), 0),
            "size" => (String::new(), files.size(entry)),
            _ => (String::new(), entry.created_at),
        },
    )?;
    let total: u64 = found
        .iter()
        .map(|&entry| u64::from(files.size(entry)))
        .sum();
    let rows = asked.all("files", &found, |&entry| file_json(asked, entry));
    asked.answer(rows.with("total_file_size", total.into()))
}

/// `GET /file-manager/files/{file_id}`.
fn get(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.one_of(find(asked), |entry| file_json(asked, entry))
}

fn file_json(asked: &Asked<'_>, entry: Entry) -> Value {
    let files = &asked.account.files;
    let id = id(entry.number);
    let url = format!("{}{HOST}{id}", asked.context.origin);
    let image = kind(entry) == "image";
    json!({
        "id": id,
        "folder_id": files.folder(entry),
        "type": kind(entry),
        "name": name(entry),
        "full_size_url": url,
        "thumbnail_url": if image { format!("{url}?thumbnail=1") } else { String::new() },
        "size": files.size(entry),
        "created_at": timestamp::text(entry.created_at),
        "created_by": "Freddie",
        "width": if image { 640 } else { 0 },
        "height": if image { 480 } else { 0 },
        "_links": [link(asked.context, "self", &format!("file-manager/files/{id}"), "GET")],
    })
}

/// `GET /file-manager/folders`.
fn folders(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let found: Vec<Entry> = asked
        .account
        .files
        .folders
        .iter()
        .filter(|entry| {
            asked.within("created_at", entry.created_at) && asked.is("created_by", "Freddie")
        })
        .collect();
    asked.answer(asked.all("folders", &found, |&entry| folder_json(asked, entry)))
}

fn folder(asked: &Asked<'_>) -> Option<Entry> {
    let number = asked.ids.number(0)?.checked_sub(FIRST_FOLDER)?;
    asked.account.files.folders.get(number)
}

/// `GET /file-manager/folders/{folder_id}`.
fn one_folder(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.one_of(folder(asked), |entry| folder_json(asked, entry))
}

fn folder_json(asked: &Asked<'_>, entry: Entry) -> Value {
    let id = FIRST_FOLDER + entry.number;
    let files = &asked.account.files;
    let held = files.held.iter().filter(|&file| files.folder(file) == id);
    json!({
        "id": id,
        "name": format!("Ördner \"{}\"", entry.number),
        "file_count": held.count(),
        "created_at": timestamp::text(entry.created_at),
        "created_by": "Freddie",
        "_links": [link(asked.context, "self", &format!("file-manager/folders/{id}"), "GET")],
    })
}

/// Gives out a file or the range of it that was asked for, as a public file host does: to anybody, except to whoever
/// shows a credential, so that a client that sends its key here is found out.
pub(crate) fn download(
    account: &Account,
    id: &str,
    method: &Method,
    headers: &HeaderMap,
) -> Response<Bytes> {
    let files = &account.files;
    if headers.contains_key(header::AUTHORIZATION) {
        return empty(StatusCode::BAD_REQUEST);
    }
    if *method != Method::GET && *method != Method::HEAD {
        return empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    let Some(entry) = number(id).and_then(|number| files.held.get(number)) else {
        return empty(StatusCode::NOT_FOUND);
    };
    let size = files.size(entry);
    let range = headers
        .get(header::RANGE)
        .and_then(|range| range.to_str().ok())
        .and_then(|range| Range::parse(range, size));
    let (status, from, to) = match range {
        None => (StatusCode::OK, 0, size),
        Some(Range::Part(from, to)) => (StatusCode::PARTIAL_CONTENT, from, to),
        Some(Range::Outside) => {
            let mut response = empty(StatusCode::RANGE_NOT_SATISFIABLE);
            set(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes */{size}"),
            );
            return response;
        }
    };
    let body = if *method == Method::HEAD {
        Bytes::new()
    } else {
        files.content(entry, from, to)
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    set(
        &mut response,
        header::CONTENT_TYPE,
        "application/octet-stream",
    );
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    let tag = format!("\"{:016x}\"", entry.draw(files.seed, 0xe7a6));
    set(&mut response, header::ETAG, &tag);
    if status == StatusCode::PARTIAL_CONTENT {
        let last = to.saturating_sub(1);
        set(
            &mut response,
            header::CONTENT_RANGE,
            &format!("bytes {from}-{last}/{size}"),
        );
    }
    response
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

fn set(response: &mut Response<Bytes>, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// One range of bytes: first, and the one after the last.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    Part(u32, u32),
    Outside,
}

impl Range {
    /// Reads `bytes=…`. Anything else, several ranges among it, is ignored, as RFC 9110 allows.
    fn parse(text: &str, size: u32) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        let (from, to) = if first.is_empty() {
            let length: u32 = last.parse().ok()?;
            (size.saturating_sub(length), size)
        } else {
            let from: u32 = first.parse().ok()?;
            let to = if last.is_empty() {
                size
            } else {
                last.parse::<u32>().ok()?.saturating_add(1).min(size)
            };
            (from, to)
        };
        Some(if from < to {
            Self::Part(from, to)
        } else {
            Self::Outside
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_defines_them() {
        let read = |text: &str| Range::parse(text, 100);
        assert_eq!(read("bytes=0-9"), Some(Range::Part(0, 10)));
        assert_eq!(read("bytes=90-"), Some(Range::Part(90, 100)));
        assert_eq!(read("bytes=-5"), Some(Range::Part(95, 100)));
        assert_eq!(read("bytes=50-999"), Some(Range::Part(50, 100)));
        assert_eq!(read("bytes=100-"), Some(Range::Outside));
        assert_eq!(read("bytes=0-1,5-6"), None);
        assert_eq!(read("pages=0-1"), None);
    }
}
