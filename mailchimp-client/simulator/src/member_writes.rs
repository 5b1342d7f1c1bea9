//! What the API lets a client do to members.

use serde_json::{Map, Value};

use crate::audience::Audience;
use crate::fields::View;
use crate::lists::member_answer;
use crate::member::{Location, Member, Profile, hash_of, parse_hex};
use crate::problem::Problem;
use crate::query::Call;
use crate::render::Answer;
use crate::simulator::Context;
use crate::spec::{MergeFieldKind, Status};
use crate::timestamp;

type Body = Map<String, Value>;

const MERGE_TEXT_BYTES: usize = 255;

/// `POST /lists/{list_id}/members`.
pub(crate) fn add(
    context: &Context<'_>,
    audience: &mut Audience,
    call: &Call,
) -> Result<Answer, Problem> {
    let body = call.object()?;
    let address = required_text(&body, "email_address")?;
    let status = required_status(&body, "status")?;
    let hash = hash_of(address);
    if let Some(slot) = audience.find_hash(&hash) {
        let archived = audience
            .member(slot)
            .is_some_and(|held| held.status == Status::Archived);
        if !archived {
            return Err(Problem::member_exists(address));
        }
        return change(context, audience, slot, &body, Some(status));
    }
    create(context, audience, &body, address, status, call)
}

/// `PUT /lists/{list_id}/members/{subscriber_hash}`. An unknown key makes a member under the body's address.
pub(crate) fn upsert(
    context: &Context<'_>,
    audience: &mut Audience,
    key: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let body = call.object()?;
    let status = optional_status(&body, "status")?;
    if let Some(slot) = audience.find(key) {
        return change(context, audience, slot, &body, status);
    }
    let address = required_text(&body, "email_address")?;
    if audience.find_hash(&hash_of(address)).is_some() {
        return Err(Problem::member_exists(address));
    }
    let if_new = optional_status(&body, "status_if_new")?;
    let status = if_new.or(status).ok_or_else(|| blank("status_if_new"))?;
    create(context, audience, &body, address, status, call)
}

/// `PATCH /lists/{list_id}/members/{subscriber_hash}`.
pub(crate) fn patch(
    context: &Context<'_>,
    audience: &mut Audience,
    key: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let body = call.object()?;
    let status = optional_status(&body, "status")?;
    let slot = audience.find(key).ok_or_else(Problem::not_found)?;
    if audience
        .member(slot)
        .is_some_and(|member| member.status == Status::Archived)
    {
        return Err(Problem::bad_request(
            "An archived contact cannot be updated with PATCH.",
        ));
    }
    change(context, audience, slot, &body, status)
}

/// `DELETE /lists/{list_id}/members/{subscriber_hash}`: archives.
pub(crate) fn archive(
    context: &Context<'_>,
    audience: &mut Audience,
    key: &str,
) -> Result<Answer, Problem> {
    let slot = audience.find(key).ok_or_else(Problem::not_found)?;
    let status = audience.member(slot).map(|member| member.status);
    if matches!(
        status,
        Some(Status::Archived | Status::Pending | Status::Cleaned)
    ) {
        return Err(Problem::not_archivable());
    }
    audience.update(slot, context.moment(), |member, _| {
        member.status = Status::Archived;
    });
    Ok(Answer::nothing())
}

/// `POST …/actions/delete-permanent`. Only the hash is promised to work as key.
pub(crate) fn forget(
    context: &Context<'_>,
    audience: &mut Audience,
    key: &str,
) -> Result<Answer, Problem> {
    let slot = by_hash(audience, key)?;
    audience.forget(slot, context.moment());
    Ok(Answer::nothing())
}

/// `POST …/tags`: adds and removes tags, naming unknown ones into being. Only the hash is promised to work as key.
pub(crate) fn tags(
    context: &Context<'_>,
    audience: &mut Audience,
    key: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let slot = by_hash(audience, key)?;
    let body = call.object()?;
    let tags = body
        .get("tags")
        .and_then(Value::as_array)
        .ok_or_else(|| blank("tags"))?;
    let mut wanted = Vec::new();
    for tag in tags {
        let name = tag
            .get("name")
            .and_then(Value::as_str)
            .ok_or_else(|| blank("name"))?;
        let active = match tag.get("status").and_then(Value::as_str) {
            Some("active") => true,
            Some("inactive") => false,
            _ => return Err(invalid("status", "Value must be one of: inactive, active")),
        };
        wanted.push((name, active));
    }
    let now = context.second();
    let wanted: Vec<(u32, bool)> = wanted
        .into_iter()
        .map(|(name, active)| (audience.definitions.tag_or_new(name, now), active))
        .collect();
    audience.update(slot, context.moment(), |_, profile| {
        for &(tag, active) in &wanted {
            profile.set_tag(tag, active, now);
        }
    });
    Ok(Answer::nothing())
}

fn by_hash(audience: &Audience, key: &str) -> Result<u32, Problem> {
    parse_hex(key)
        .and_then(|hash| audience.find_hash(&hash))
        .ok_or_else(Problem::not_found)
}

fn create(
    context: &Context<'_>,
    audience: &mut Audience,
    body: &Body,
    address: &str,
    status: Status,
    call: &Call,
) -> Result<Answer, Problem> {
    check_address(context, address)?;
    if audience.is_forgotten(&hash_of(address)) {
        return Err(Problem::forgotten(address));
    }
    let now = context.second();
    let mut profile = Profile::new(address, "API - Generic");
    let tags: Vec<&str> = body
        .get("tags")
        .and_then(Value::as_array)
        .map(|tags| tags.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    for name in tags {
        let tag = audience.definitions.tag_or_new(name, now);
        profile.set_tag(tag, true, now);
    }
    apply(
        audience,
        body,
        &mut profile,
        !call.query.flag("skip_merge_validation"),
    )?;
    let mut member = Member::created(profile, status, now);
    if let Some(at) = time(body, "timestamp_opt") {
        member.timestamp_opt = at;
    }
    let slot = audience
        .create(member, context.moment())
        .ok_or_else(Problem::internal)?;
    member_answer(context, audience, slot, View::All)
}

fn change(
    context: &Context<'_>,
    audience: &mut Audience,
    slot: u32,
    body: &Body,
    status: Option<Status>,
) -> Result<Answer, Problem> {
    let before = audience.member(slot).ok_or_else(Problem::not_found)?;
    let mut profile = audience.profile(before);
    let barred = matches!(before.status, Status::Unsubscribed | Status::Cleaned);
    if barred && status == Some(Status::Subscribed) {
        return Err(Problem::compliance(&profile.email));
    }
    if let Some(address) = body.get("email_address").and_then(Value::as_str)
        && address != profile.email
    {
        check_address(context, address)?;
        let hash = hash_of(address);
        if audience.find_hash(&hash).is_some_and(|other| other != slot) {
            return Err(Problem::member_exists(address));
        }
        if audience.is_forgotten(&hash) {
            return Err(Problem::forgotten(address));
        }
        address.clone_into(&mut profile.email);
    }
    // A change does not have to fill required fields that it does not name.
    apply(audience, body, &mut profile, false)?;
    let opted_in = time(body, "timestamp_opt");
    audience.update(slot, context.moment(), |member, held| {
        *held = profile;
        member.status = status.unwrap_or(member.status);
        member.timestamp_opt = opted_in.unwrap_or(member.timestamp_opt);
    });
    member_answer(context, audience, slot, View::All)
}

/// Puts what the body says into a profile.
fn apply(
    audience: &Audience,
    body: &Body,
    profile: &mut Profile,
    check_required: bool,
) -> Result<(), Problem> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    merge_fields(audience, body, profile, check_required)?;
    if let Some(chosen) = body.get("interests").and_then(Value::as_object) {
        for interest in audience.definitions.interests() {
            if let Some(chosen) = chosen.get(&interest.id).and_then(Value::as_bool) {
                profile.set_interest(interest.number, chosen);
            }
        }
    }
    match text("email_type") {
        None => {}
        Some("html") => profile.text_only = false,
        Some("text") => profile.text_only = true,
        Some(_) => return Err(invalid("email_type", "Value must be one of: html, text")),
    }
    if let Some(language) = text("language") {
        language.clone_into(&mut profile.language);
    }
    if let Some(vip) = body.get("vip").and_then(Value::as_bool) {
        profile.vip = vip;
    }
    if let Some(ip) = text("ip_signup") {
        ip.clone_into(&mut profile.ip_signup);
    }
    if let Some(ip) = text("ip_opt") {
        ip.clone_into(&mut profile.ip_opt);
    }
    if let Some(at) = time(body, "timestamp_signup") {
        profile.timestamp_signup = at;
    }
    if let Some(location) = body.get("location") {
        let number = |name: &str| location.get(name).and_then(Value::as_f64);
        if let (Some(latitude), Some(longitude)) = (number("latitude"), number("longitude")) {
            profile.location = Some(Location {
                latitude,
                longitude,
                ..Location::UNKNOWN
            });
        }
    }
    if let Some(permissions) = body.get("marketing_permissions").and_then(Value::as_array) {
        for permission in permissions {
            if let Some(enabled) = permission.get("enabled").and_then(Value::as_bool) {
                profile.marketing_permission = enabled;
            }
        }
    }
    Ok(())
}

/// Merge fields: unknown tags are ignored, tags left out keep their value.
fn merge_fields(
    audience: &Audience,
    body: &Body,
    profile: &mut Profile,
    check_required: bool,
) -> Result<(), Problem> {
    let empty = Map::new();
    let given = body
        .get("merge_fields")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let mut errors = Vec::new();
    for field in &audience.definitions.merge_fields {
        let tag = field.spec.tag.as_str();
        let is_empty = |value: &Value| value.is_null() || value == "";
        match given.get(tag) {
            Some(value) if !is_empty(value) => match merge_value(field.spec.kind, value) {
                Ok(value) => profile.set_merge_value(field.merge_id, value),
                Err(message) => errors.push((tag, message)),
            },
            None if !(check_required && field.spec.required) => {}
            _ if check_required && field.spec.required => {
                errors.push((tag, "Please enter a value"));
            }
            _ => profile.set_merge_value(field.merge_id, "".into()),
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem::invalid_resource(
        "Your merge fields were invalid.",
        &errors,
    ))
}

/// A merge value as it is read back.
fn merge_value(kind: MergeFieldKind, value: &Value) -> Result<Value, &'static str> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match kind {
        MergeFieldKind::Number => {
            let number = value.as_f64().or_else(|| text.trim().parse().ok());
            let number = number
                .filter(|number| number.is_finite())
                .ok_or("Please enter a number")?;
            let whole = text.trim().parse::<i64>().ok().map(Value::from);
            Ok(whole.unwrap_or_else(|| number.into()))
        }
        MergeFieldKind::Address => {
            let part = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or("");
            if ["addr1", "city", "state", "zip"]
                .into_iter()
                .any(|name| part(name).is_empty())
            {
                return Err("Please enter a complete address");
            }
            let names = ["addr1", "addr2", "city", "state", "zip", "country"];
            Ok(names
                .into_iter()
                .map(|name| (name.to_owned(), Value::from(part(name))))
                .collect())
        }
        MergeFieldKind::Date => {
            let formats = ["%Y-%m-%d", "%m/%d/%Y", "%Y/%m/%d"];
            let date = formats
                .into_iter()
                .find_map(|format| chrono::NaiveDate::parse_from_str(&text, format).ok())
                .ok_or("Please enter a valid date")?;
            Ok(date.to_string().into())
        }
        _ => {
            let mut end = text.len().min(MERGE_TEXT_BYTES);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            Ok(text.get(..end).unwrap_or_default().into())
        }
    }
}

fn check_address(context: &Context<'_>, address: &str) -> Result<(), Problem> {
    let plausible = address.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && domain.contains('.')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
    });
    if !plausible || address.contains(char::is_whitespace) {
        return Err(Problem::invalid_resource(
            "Please provide a valid email address.",
            &[],
        ));
    }
    let domain = address.rsplit('@').next().unwrap_or("");
    if context.settings.refuse_example_com && domain.eq_ignore_ascii_case("example.com") {
        let detail = format!("{address} looks fake or invalid, please enter a real email address.");
        return Err(Problem::invalid_resource(&detail, &[]));
    }
    Ok(())
}

fn time(body: &Body, name: &str) -> Option<u32> {
    let second = timestamp::parse(body.get(name)?.as_str()?)?;
    u32::try_from(second).ok()
}

fn required_text<'a>(body: &'a Body, name: &str) -> Result<&'a str, Problem> {
    body.get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| blank(name))
}

fn required_status(body: &Body, name: &str) -> Result<Status, Problem> {
    optional_status(body, name)?.ok_or_else(|| blank(name))
}

fn optional_status(body: &Body, name: &str) -> Result<Option<Status>, Problem> {
    let Some(value) = body.get(name).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let status = value
        .as_str()
        .and_then(Status::parse)
        .filter(|held| *held != Status::Archived);
    let message = "Value must be one of: subscribed, unsubscribed, cleaned, pending, transactional";
    status.map(Some).ok_or_else(|| invalid(name, message))
}

fn blank(field: &str) -> Problem {
    invalid(field, "This value should not be blank.")
}

fn invalid(field: &str, message: &str) -> Problem {
    Problem::invalid_resource(
        "The resource submitted could not be validated. For field-specific details, see the \
         'errors' array.",
        &[(field, message)],
    )
}
