//! Templates and what they hold by default.

use serde_json::{Value, json};

use crate::endpoint::{Asked, Endpoint};
use crate::folders;
use crate::links::link;
use crate::problem::Problem;
use crate::render::Answer;
use crate::roster::Entry;
use crate::timestamp;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::paged("/templates", list),
    Endpoint::whole("/templates/{template_id}", get),
    Endpoint::whole("/templates/{template_id}/default-content", content),
];

/// Ids start here.
const FIRST: u32 = 5000;

/// The id of a template.
pub(crate) fn id(number: u32) -> u32 {
    FIRST + number
}

/// The number behind an id.
pub(crate) fn number(id: &str) -> Option<u32> {
    id.parse::<u32>().ok()?.checked_sub(FIRST)
}

fn find(asked: &Asked<'_>) -> Option<Entry> {
    asked.account.templates.get(number(asked.id(0))?)
}

/// `GET /templates`. Deleted ones are there and not active.
fn list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut found: Vec<Entry> = asked
        .account
        .templates
        .iter()
        .filter(|entry| {
            asked.within("date_created", entry.created_at)
                && asked.is("type", kind(entry))
                && asked.is("content_type", content_type(entry))
                && asked.is("created_by", "Freddie")
                && asked.is("folder_id", &folder(asked, entry))
                && asked.is("category", category(entry).unwrap_or(""))
        })
        .collect();
    asked.sort(
        &mut found,
        &["date_created", "date_edited", "name"],
        |entry, by| match by {
            "name" => (name(entry), 0),
            "date_edited" => (String::new(), edited_at(entry)),
            _ => (String::new(), entry.created_at),
        },
    )?;
    asked.answer(asked.all("templates", &found, |entry| template_json(asked, entry)))
}

/// `GET /templates/{template_id}`.
fn get(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.one_of(find(asked), |entry| template_json(asked, &entry))
}

/// `GET /templates/{template_id}/default-content`: sections by name, none for every third template.
fn content(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.one_of(find(asked), |entry| {
        let sections = if entry.number % 3 == 2 {
            json!({})
        } else {
            json!({
                "header": "<h1 class=\"h1\">Ünïcode</h1>",
                "std_content00": format!("<p>Revision {}</p>", entry.revision),
                "weird \"key\", 1": "",
            })
        };
        json!({
            "sections": sections,
            "_links": [link(asked.context, "self", &asked.call.path.join("/"), "GET")],
        })
    })
}

fn kind(entry: &Entry) -> &'static str {
    ["user", "gallery", "base"][entry.number as usize % 3]
}

fn content_type(entry: &Entry) -> &'static str {
    ["template", "html", "multichannel"][entry.number as usize % 3]
}

fn category(entry: &Entry) -> Option<&'static str> {
    [None, Some(""), Some("Newsletters")][entry.number as usize % 3]
}

fn name(entry: &Entry) -> String {
    match entry.number % 3 {
        1 => format!("\"Vorlage\" ü {}", entry.number),
        _ => format!("Template {}", entry.number),
    }
}

/// Zero for one that was never edited.
fn edited_at(entry: &Entry) -> u32 {
    if entry.revision == 0 && entry.number % 2 == 1 {
        0
    } else {
        entry.updated_at
    }
}

fn folder(asked: &Asked<'_>, entry: &Entry) -> String {
    match entry.number.checked_rem(asked.account.folders.templates) {
        Some(folder) if entry.number.is_multiple_of(2) => folders::id(folders::TEMPLATES, folder),
        _ => String::new(),
    }
}

fn template_json(asked: &Asked<'_>, entry: &Entry) -> Value {
    let id = id(entry.number);
    let path = format!("templates/{id}");
    let mut value = json!({
        "id": id,
        "type": kind(entry),
        "name": name(entry),
        "drag_and_drop": entry.number.is_multiple_of(2),
        "responsive": true,
        "category": category(entry),
        "date_created": timestamp::text(entry.created_at),
        "date_edited": timestamp::text(edited_at(entry)),
        "created_by": "Freddie",
        "edited_by": if entry.revision == 0 { "" } else { "Freddie" },
        "active": entry.number % 4 != 3,
        "thumbnail": "",
        "share_url": format!("https://us6.admin.test/templates/share?id={id}"),
        "content_type": content_type(entry),
        "_links": [
            link(asked.context, "self", &path, "GET"),
            link(asked.context, "default-content", &format!("{path}/default-content"), "GET"),
        ],
    });
    let folder = folder(asked, entry);
    if !folder.is_empty() {
        value["folder_id"] = folder.into();
    }
    value
}
