//! Account exports: one at a time, one a day, and a zip file at the end.

use std::io::Write as _;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use flate2::Crc;
use http::{HeaderMap, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::account::Account;
use crate::audience::Audience;
use crate::endpoint::{Asked, Endpoint, Ids};
use crate::links::link;
use crate::member::hex;
use crate::problem::Problem;
use crate::query::Call;
use crate::render::Answer;
use crate::simulator::Context;
use crate::spec::Status;
use crate::timestamp;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::paged("/account-exports", list).writable("GET, POST", start),
    Endpoint::whole("/account-exports/{export_id}", get),
];

/// Zip files are fetched from below this path, which is not part of the API.
pub(crate) const HOST: &str = "/account-export-files/";

/// How [`HOST`] is named in rules and statistics.
pub(crate) const HOST_TEMPLATE: &str = "/account-export-files/{export_id}";

const STAGES: [&str; 6] = [
    "audiences",
    "campaigns",
    "events",
    "gallery_files",
    "reports",
    "templates",
];

/// How long an export is listed.
const KEPT: TimeDelta = TimeDelta::days(90);

/// Time between two exports.
const APART: TimeDelta = TimeDelta::days(1);

/// Exports of an account, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Exports(Vec<Export>);

#[derive(Debug)]
struct Export {
    id: usize,
    started: DateTime<Utc>,
    stages: Vec<String>,
}

impl Export {
    /// When it is done: as long after its start as a batch takes.
    fn finished(&self, context: &Context<'_>) -> Option<DateTime<Utc>> {
        let step = TimeDelta::from_std(context.settings.batch_step).ok()?;
        let end = self.started.checked_add_signed(step.checked_mul(4)?)?;
        (end <= context.now).then_some(end)
    }
}

/// `POST /account-exports`.
fn start(
    account: &mut Account,
    context: &Context<'_>,
    call: &Call,
    _: Ids<'_>,
) -> Result<Answer, Problem> {
    let body = call.object()?;
    let stages: Vec<String> = body
        .get("include_stages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|stage| stage.as_str().map(str::to_owned))
        .collect();
    if stages.is_empty() || stages.iter().any(|stage| !STAGES.contains(&stage.as_str())) {
        return Err(Problem::not_one_of("include_stages", &STAGES));
    }
    if let Some(last) = account.exports.0.last() {
        if last.finished(context).is_none() {
            return Err(Problem::new(
                400,
                "Account Export in Progress",
                "There is an account export in progress. Wait for it to finish.",
            ));
        }
        if context.now - last.started < APART {
            return Err(Problem::new(
                400,
                "Too Many Account Exports",
                "An account can be exported once in 24 hours.",
            ));
        }
    }
    let id = account.exports.0.len() + 1;
    account.exports.0.push(Export {
        id,
        started: context.now,
        stages,
    });
    let export = account.exports.0.last();
    let export = export.ok_or_else(Problem::internal)?;
    Ok(Answer::json(&export_json(account, context, export)))
}

/// `GET /account-exports`: those of the last 90 days.
fn list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let now = asked.context.now;
    let all = asked.account.exports.0.iter();
    let found: Vec<&Export> = all.filter(|export| now - export.started < KEPT).collect();
    asked.answer(asked.all("exports", &found, |export| {
        export_json(asked.account, asked.context, export)
    }))
}

/// `GET /account-exports/{export_id}`.
fn get(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut all = asked.account.exports.0.iter();
    let found = all.find(|export| export.id.to_string() == asked.id(0));
    asked.one_of(found, |export| {
        export_json(asked.account, asked.context, export)
    })
}

fn export_json(account: &Account, context: &Context<'_>, export: &Export) -> Value {
    let finished = export.finished(context);
    let size = finished.map_or(0, |_| zip(&files(account, export)).len());
    let path = format!("account-exports/{}", export.id);
    json!({
        "export_id": export.id,
        "started": timestamp::text(timestamp::seconds(export.started)),
        "finished": finished.map_or_else(String::new, |at| timestamp::text(timestamp::seconds(at))),
        "size_in_bytes": size,
        "download_url": finished.map_or_else(String::new, |_| {
            format!("{}{HOST}{}.zip", context.origin, export.id)
        }),
        "_links": [link(context, "self", &path, "GET")],
    })
}

/// Gives out the zip file of a finished export to whoever has the link, and to nobody who also shows a credential.
pub(crate) fn download(
    account: &Account,
    context: &Context<'_>,
    file: &str,
    headers: &HeaderMap,
) -> Response<Bytes> {
    let wanted = file.strip_suffix(".zip");
    let export = account.exports.0.iter().find(|export| {
        Some(export.id.to_string().as_str()) == wanted && export.finished(context).is_some()
    });
    let (status, body) = match export {
        _ if headers.contains_key(header::AUTHORIZATION) => (StatusCode::BAD_REQUEST, Vec::new()),
        None => (StatusCode::NOT_FOUND, Vec::new()),
        Some(export) => (StatusCode::OK, zip(&files(account, export))),
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response
}

/// The files of an export. No vendor page shows the columns, so they are few.
fn files(account: &Account, export: &Export) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let has = |stage: &str| export.stages.iter().any(|held| held == stage);
    if has("audiences") {
        for audience in &account.audiences {
            for (status, name) in [
                (Status::Subscribed, "subscribed"),
                (Status::Unsubscribed, "unsubscribed"),
                (Status::Cleaned, "cleaned"),
                (Status::Transactional, "transactional"),
            ] {
                files.push((
                    format!("audiences/{}/{name}_members.csv", audience.id),
                    members(audience, status),
                ));
            }
        }
    }
    if has("campaigns") {
        let mut table = "Title,Subject,Unique Id\n".to_owned();
        for campaign in account.campaigns.held.iter().filter(|held| held.is_sent()) {
            let cells = [&campaign.title(), &campaign.subject(), &campaign.id];
            csv_line(&mut table, &cells.map(String::as_str));
        }
        files.push(("campaigns/campaigns.csv".to_owned(), table));
    }
    files
}

fn members(audience: &Audience, status: Status) -> String {
    let mut table = "Email Address,CONFIRM_TIME,LAST_CHANGED,EUID\n".to_owned();
    for (_, member) in audience.members().filter(|(_, held)| held.status == status) {
        let profile = audience.profile(member);
        csv_line(
            &mut table,
            &[
                &profile.email,
                &timestamp::text(member.timestamp_opt),
                &timestamp::text(member.last_changed),
                &hex(&member.hash),
            ],
        );
    }
    table
}

fn csv_line(out: &mut String, cells: &[&str]) {
    for (position, cell) in cells.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        out.push('"');
        out.push_str(&cell.replace('"', "\"\""));
        out.push('"');
    }
    out.push('\n');
}

/// A zip archive of uncompressed files, after the format's public application note.
fn zip(files: &[(String, String)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    for (name, content) in files {
        let mut sum = Crc::new();
        sum.update(content.as_bytes());
        let offset = size(out.len());
        // Version 2.0, names in UTF-8, stored, 1980-01-01.
        let mut head = vec![20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0];
        head.extend(sum.sum().to_le_bytes());
        head.extend(size(content.len()));
        head.extend(size(content.len()));
        head.extend(size(name.len()).iter().take(2));
        head.extend([0, 0]);
        // Writing to memory cannot fail.
        let _ = out.write_all(b"PK\x03\x04");
        out.extend(&head);
        out.extend(name.as_bytes());
        out.extend(content.as_bytes());
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&head);
        directory.extend([0; 10]);
        directory.extend(offset);
        directory.extend(name.as_bytes());
    }
    let start = size(out.len());
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        out.extend(size(files.len()).iter().take(2));
    }
    out.extend(size(directory.len()));
    out.extend(start);
    out.extend([0, 0]);
    out
}
