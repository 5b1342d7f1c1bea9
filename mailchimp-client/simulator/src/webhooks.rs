//! Webhooks of an audience: kept and listed. The simulator does no I/O, so nothing is delivered and no URL is tried.

use serde_json::{Map, Value, json};

use crate::audience::Audience;
use crate::definitions::ten_hex;
use crate::links::{self, link};
use crate::member::mix;
use crate::problem::Problem;
use crate::query::Call;
use crate::render::{Answer, Rows};
use crate::simulator::Context;

const EVENTS: [&str; 6] = [
    "subscribe",
    "unsubscribe",
    "profile",
    "cleaned",
    "upemail",
    "campaign",
];
const SOURCES: [&str; 3] = ["user", "admin", "api"];

#[derive(Debug)]
pub(crate) struct Webhook {
    id: String,
    url: String,
    /// In the order of [`EVENTS`].
    events: [bool; 6],
    /// In the order of [`SOURCES`].
    sources: [bool; 3],
}

/// `GET /lists/{list_id}/webhooks`.
pub(crate) fn list(
    context: &Context<'_>,
    audience: &Audience,
    call: &Call,
) -> Result<Answer, Problem> {
    let hooks = &audience.webhooks;
    Rows::new("webhooks", hooks.len(), |position| {
        hooks
            .get(position)
            .map(|hook| webhook_json(context, audience, hook))
    })
    .with("list_id", audience.id.clone().into())
    .with(
        "_links",
        links::own(context, &format!("lists/{}/webhooks", audience.id)),
    )
    .unpaged()
    .answer(context, call)
}

/// `GET /lists/{list_id}/webhooks/{webhook_id}`.
pub(crate) fn get(
    context: &Context<'_>,
    audience: &Audience,
    id: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let hook = audience.webhooks.iter().find(|hook| hook.id == id);
    let hook = hook.ok_or_else(Problem::not_found)?;
    Answer::selected(webhook_json(context, audience, hook), call)
}

/// `POST /lists/{list_id}/webhooks`. Only this answer has the signing secret. `number` counts the account's webhooks.
pub(crate) fn create(
    context: &Context<'_>,
    audience: &mut Audience,
    number: u32,
    call: &Call,
) -> Result<Answer, Problem> {
    let body = call.object()?;
    let url = body.get("url").and_then(Value::as_str).unwrap_or("");
    check_url(audience, url, None)?;
    let drawn = mix(context.settings.seed ^ (u64::from(number) << 8));
    let mut hook = Webhook {
        id: ten_hex(drawn),
        url: url.to_owned(),
        events: [false; 6],
        sources: [false; 3],
    };
    hook.apply(&body);
    let mut value = webhook_json(context, audience, &hook);
    value["signing_secret"] = format!("{:016x}{:016x}", mix(drawn), mix(!drawn)).into();
    audience.webhooks.push(hook);
    Ok(Answer::json(&value))
}

/// `PATCH /lists/{list_id}/webhooks/{webhook_id}`.
pub(crate) fn patch(
    context: &Context<'_>,
    audience: &mut Audience,
    id: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let body = call.object()?;
    if let Some(url) = body.get("url").and_then(Value::as_str) {
        check_url(audience, url, Some(id))?;
    }
    let hook = audience.webhooks.iter_mut().find(|hook| hook.id == id);
    hook.ok_or_else(Problem::not_found)?.apply(&body);
    get(context, audience, id, call)
}

/// `DELETE /lists/{list_id}/webhooks/{webhook_id}`.
pub(crate) fn delete(audience: &mut Audience, id: &str) -> Result<Answer, Problem> {
    let before = audience.webhooks.len();
    audience.webhooks.retain(|hook| hook.id != id);
    if audience.webhooks.len() == before {
        Err(Problem::not_found())
    } else {
        Ok(Answer::nothing())
    }
}

/// Refuses what is no URL, and a URL that another hook has; other query parameters do not make it another one.
fn check_url(audience: &Audience, url: &str, own: Option<&str>) -> Result<(), Problem> {
    let refuse = |message: &str| {
        let detail = "The resource submitted could not be validated. For field-specific details, \
                      see the 'errors' array.";
        Err(Problem::invalid_resource(detail, &[("url", message)]))
    };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return refuse("Please provide a valid URL.");
    }
    let bare = |url: &str| url.split('?').next().unwrap_or("").to_owned();
    let mut others = audience
        .webhooks
        .iter()
        .filter(|hook| Some(hook.id.as_str()) != own);
    if others.any(|hook| bare(&hook.url) == bare(url)) {
        return refuse("Sorry, you can't set up multiple WebHooks for one URL");
    }
    Ok(())
}

impl Webhook {
    /// A webhook that was made on the site, for everything but what the API does.
    pub(crate) fn made_on_site(number: u32) -> Self {
        Self {
            id: ten_hex(mix(0x3eb << 40 | u64::from(number))),
            url: format!("https://hooks.test/lists?n={number}&q=\"1\""),
            events: [true; 6],
            sources: [true, true, false],
        }
    }

    fn apply(&mut self, body: &Map<String, Value>) {
        if let Some(url) = body.get("url").and_then(Value::as_str) {
            url.clone_into(&mut self.url);
        }
        set_flags(body.get("events"), &EVENTS, &mut self.events);
        set_flags(body.get("sources"), &SOURCES, &mut self.sources);
    }
}

fn set_flags(given: Option<&Value>, names: &[&str], flags: &mut [bool]) {
    for (name, flag) in names.iter().zip(flags) {
        if let Some(set) = given
            .and_then(|given| given.get(name))
            .and_then(Value::as_bool)
        {
            *flag = set;
        }
    }
}

fn webhook_json(context: &Context<'_>, audience: &Audience, hook: &Webhook) -> Value {
    let flags = |names: &[&str], flags: &[bool]| -> Value {
        names
            .iter()
            .zip(flags)
            .map(|(name, flag)| ((*name).to_owned(), json!(flag)))
            .collect()
    };
    let path = format!("lists/{}/webhooks/{}", audience.id, hook.id);
    json!({
        "id": hook.id,
        "url": hook.url,
        "events": flags(&EVENTS, &hook.events),
        "sources": flags(&SOURCES, &hook.sources),
        "signing_enabled": true,
        "list_id": audience.id,
        "_links": [link(context, "self", &path, "GET"), link(context, "delete", &path, "DELETE")],
    })
}
