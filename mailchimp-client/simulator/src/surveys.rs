//! Surveys, their questions, and who answered what.

use serde_json::{Value, json};

use crate::audience::Audience;
use crate::endpoint::{Asked, Endpoint};
use crate::generate::{address_hash, write_address};
use crate::links::link;
use crate::member::{contact_id, hex};
use crate::problem::Problem;
use crate::render::Answer;
use crate::roster::Entry;
use crate::timestamp;

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::whole("/lists/{list_id}/surveys", of_list),
    Endpoint::whole("/lists/{list_id}/surveys/{survey_id}", one_of_list),
    Endpoint::paged("/reporting/surveys", list),
    Endpoint::whole("/reporting/surveys/{survey_id}", get),
    Endpoint::whole("/reporting/surveys/{survey_id}/questions", questions),
    Endpoint::whole(
        "/reporting/surveys/{survey_id}/questions/{question_id}",
        one_question,
    ),
    Endpoint::whole(
        "/reporting/surveys/{survey_id}/questions/{question_id}/answers",
        answers,
    ),
    Endpoint::whole("/reporting/surveys/{survey_id}/responses", responses),
    Endpoint::whole(
        "/reporting/surveys/{survey_id}/responses/{response_id}",
        one_response,
    ),
];

/// Question types, one question of each in every survey.
const KINDS: [&str; 5] = ["pickOne", "pickMany", "range", "text", "email"];

fn id(entry: Entry) -> String {
    (700 + entry.number).to_string()
}

fn question_id(entry: Entry, position: usize) -> String {
    format!("{}{position}", id(entry))
}

fn response_id(entry: Entry, response: u32) -> String {
    format!("{}000{response}", id(entry))
}

/// Surveys belong to the first audience.
fn audience<'a>(asked: &Asked<'a>) -> Option<&'a Audience> {
    asked.account.audiences.first()
}

fn find(asked: &Asked<'_>, position: usize) -> Result<Entry, Problem> {
    let mut all = asked.account.surveys.iter();
    all.find(|&entry| id(entry) == asked.id(position))
        .ok_or_else(Problem::not_found)
}

/// `GET /lists/{list_id}/surveys`. Nobody documents the shape; here it is that of the report.
fn of_list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let list = asked.audience(0)?;
    let own = audience(asked).is_some_and(|own| own.id == list.id);
    let found: Vec<Entry> = asked.account.surveys.iter().filter(|_| own).collect();
    let rows = asked.all("surveys", &found, |&entry| survey_json(asked, entry));
    asked.answer(rows.with("list_id", list.id.clone().into()).unpaged())
}

/// `GET /lists/{list_id}/surveys/{survey_id}`.
fn one_of_list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let list = asked.audience(0)?;
    let own = audience(asked).is_some_and(|own| own.id == list.id);
    asked.one_of(find(asked, 1).ok().filter(|_| own), |entry| {
        survey_json(asked, entry)
    })
}

/// `GET /reporting/surveys`.
fn list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let found: Vec<Entry> = asked.account.surveys.iter().collect();
    asked.answer(asked.all("surveys", &found, |&entry| survey_json(asked, entry)))
}

/// `GET /reporting/surveys/{survey_id}`.
fn get(asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.one(survey_json(asked, find(asked, 0)?))
}

fn survey_json(asked: &Asked<'_>, entry: Entry) -> Value {
    let published = entry.number.is_multiple_of(2);
    let list = audience(asked);
    let path = format!("reporting/surveys/{}", id(entry));
    json!({
        "id": id(entry),
        "web_id": 8_000_000 + entry.number,
        "list_id": list.map_or("", |list| &list.id),
        "list_name": list.map_or("", |list| &list.name),
        "title": format!("How \"was\" it? №{}", entry.number),
        "url": format!("https://us6.list-manage.test/survey?id={}", id(entry)),
        "status": if published { "published" } else { "unpublished" },
        "published_at": timestamp::text(if published { entry.created_at + 60 } else { 0 }),
        "created_at": timestamp::text(entry.created_at),
        "updated_at": timestamp::text(entry.updated_at),
        "total_responses": asked.account.survey_responses,
        "_links": [link(asked.context, "self", &path, "GET")],
    })
}

/// `GET /reporting/surveys/{survey_id}/questions`.
fn questions(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let entry = find(asked, 0)?;
    let rows = asked.rows("questions", KINDS.len(), |position| {
        question_json(asked, entry, position)
    });
    asked.answer(rows.unpaged())
}

fn question(asked: &Asked<'_>, entry: Entry) -> Option<usize> {
    (0..KINDS.len()).find(|&position| question_id(entry, position) == asked.id(1))
}

/// `GET /reporting/surveys/{survey_id}/questions/{question_id}`.
fn one_question(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let entry = find(asked, 0)?;
    let found = question(asked, entry);
    asked.one_of(
        found.and_then(|position| question_json(asked, entry, position)),
        |json| json,
    )
}

fn question_json(asked: &Asked<'_>, entry: Entry, position: usize) -> Option<Value> {
    let kind = *KINDS.get(position)?;
    let picks = kind.starts_with("pick");
    let responses = asked.account.survey_responses;
    let mut value = json!({
        "id": question_id(entry, position),
        "survey_id": id(entry),
        "query": format!("What about \"{kind}\"?"),
        "type": kind,
        "total_responses": responses,
        "is_required": position == 0,
        "has_other": picks,
        "contact_counts": {"known": responses, "unknown": 0, "new": 0},
    });
    match kind {
        "range" => {
            value["average_rating"] = 3.5.into();
            value["range_low_label"] = "bad".into();
            value["range_high_label"] = "güt".into();
        }
        "text" => value["placeholder_label"] = "".into(),
        "email" => {
            value["subscribe_checkbox_enabled"] = true.into();
            value["subscribe_checkbox_label"] = "Yes, \"please\"".into();
            value["merge_field"] = json!({"id": 1, "label": "First Name", "type": "text"});
        }
        _ => {
            value["other_label"] = "Other…".into();
            value["options"] = json!([
                {"label": "Tea", "id": "1", "count": responses},
                {"label": "Cake \"& more\"", "id": "2", "count": 0},
            ]);
        }
    }
    Some(value)
}

/// What a response says to a question.
fn answer_to(asked: &Asked<'_>, kind: &str, response: u32) -> String {
    match kind {
        "range" => "4".to_owned(),
        "text" => "line one\nline \"two\" 🍰".to_owned(),
        "email" => address(response),
        _ if asked.account.survey_responses == response + 1 => "Cake \"& more\"".to_owned(),
        _ => "Tea".to_owned(),
    }
}

fn address(response: u32) -> String {
    let mut address = String::new();
    write_address(&mut address, response);
    address
}

/// `GET /reporting/surveys/{survey_id}/questions/{question_id}/answers`.
fn answers(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let entry = find(asked, 0)?;
    let position = question(asked, entry).ok_or_else(Problem::not_found)?;
    let kind = KINDS.get(position).copied().unwrap_or("");
    let count = asked.account.survey_responses as usize;
    let rows = asked.rows("answers", count, |at| {
        let response = u32::try_from(at).ok()?;
        let mut answer = response_json(asked, entry, response);
        answer["id"] = format!("{}{response}", question_id(entry, position)).into();
        answer["value"] = answer_to(asked, kind, response).into();
        Some(answer)
    });
    asked.answer(rows.unpaged())
}

/// `GET /reporting/surveys/{survey_id}/responses`.
fn responses(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let entry = find(asked, 0)?;
    let count = asked.account.survey_responses as usize;
    let rows = asked.rows("responses", count, |at| {
        Some(response_json(asked, entry, u32::try_from(at).ok()?))
    });
    asked.answer(rows.unpaged())
}

/// `GET /reporting/surveys/{survey_id}/responses/{response_id}`.
fn one_response(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let entry = find(asked, 0)?;
    let mut all = 0..asked.account.survey_responses;
    let found = all.find(|&response| response_id(entry, response) == asked.id(1));
    asked.one_of(found, |response| {
        let mut value = response_json(asked, entry, response);
        let results = KINDS.iter().enumerate().map(|(position, kind)| {
            json!({
                "question_id": question_id(entry, position),
                "question_type": kind,
                "query": format!("What about \"{kind}\"?"),
                "answer": answer_to(asked, kind, response),
            })
        });
        value["results"] = results.collect();
        value
    })
}

/// Every third response is from nobody that is known.
fn response_json(asked: &Asked<'_>, entry: Entry, response: u32) -> Value {
    let known = audience(asked).filter(|_| response % 3 != 2);
    let hash = address_hash(response);
    let contact = known.map_or(Value::Null, |audience| {
        let slot = audience.find_hash(&hash).unwrap_or(0);
        let contact = contact_id(asked.context.settings.seed, audience.web_id(slot));
        json!({
            "email_id": hex(&hash),
            "contact_id": hex(&contact),
            "status": "Subscribed",
            "email": address(response),
            "phone": "",
            "full_name": "",
            "consents_to_one_to_one_messaging": true,
            "avatar_url": "",
        })
    });
    json!({
        "response_id": response_id(entry, response),
        "submitted_at": timestamp::text(entry.created_at + 3600 + response),
        "contact": contact,
        "is_new_contact": false,
    })
}
