//! Folders of campaigns and of templates: a name and a count.

use serde_json::{Value, json};

use crate::definitions::ten_hex;
use crate::endpoint::{Asked, Endpoint};
use crate::links::link;
use crate::member::mix;
use crate::problem::Problem;
use crate::render::Answer;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::paged("/campaign-folders", |asked| list(asked, CAMPAIGNS)),
    Endpoint::whole("/campaign-folders/{folder_id}", |asked| {
        get(asked, CAMPAIGNS)
    }),
    Endpoint::paged("/template-folders", |asked| list(asked, TEMPLATES)),
    Endpoint::whole("/template-folders/{folder_id}", |asked| {
        get(asked, TEMPLATES)
    }),
];

pub(crate) const CAMPAIGNS: &str = "campaign-folders";
pub(crate) const TEMPLATES: &str = "template-folders";

/// How many folders of each kind there are.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Folders {
    pub(crate) campaigns: u32,
    pub(crate) templates: u32,
}

/// The id of a folder of one kind.
pub(crate) fn id(kind: &str, number: u32) -> String {
    let salt = kind.len() as u64 ^ u64::from(kind.starts_with('t'));
    ten_hex(mix(salt << 32 | u64::from(number)))
}

fn count(asked: &Asked<'_>, kind: &str) -> u32 {
    if kind == CAMPAIGNS {
        asked.account.folders.campaigns
    } else {
        asked.account.folders.templates
    }
}

fn list(asked: &Asked<'_>, kind: &'static str) -> Result<Answer, Problem> {
    let folders: Vec<u32> = (0..count(asked, kind)).collect();
    asked.answer(asked.all("folders", &folders, |&number| {
        folder_json(asked, kind, number)
    }))
}

fn get(asked: &Asked<'_>, kind: &'static str) -> Result<Answer, Problem> {
    let found = (0..count(asked, kind)).find(|&number| id(kind, number) == asked.id(0));
    asked.one_of(found, |number| folder_json(asked, kind, number))
}

fn folder_json(asked: &Asked<'_>, kind: &str, number: u32) -> Value {
    let id = id(kind, number);
    let name = if number.is_multiple_of(2) {
        format!("Folder {number}")
    } else {
        format!("\"Ördner\" / {number}")
    };
    let path = format!("{kind}/{id}");
    json!({
        "name": name,
        "id": id,
        "count": number % 3,
        "_links": [link(asked.context, "self", &path, "GET")],
    })
}
