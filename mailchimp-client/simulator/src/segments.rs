//! Tags and segments, and who is in them.

use serde_json::{Value, json};

use crate::audience::Audience;
use crate::definitions::{Segment, SegmentRule};
use crate::links::{self, link};
use crate::member_list::{write_rows, write_tail};
use crate::member_row::Shape;
use crate::problem::Problem;
use crate::query::Call;
use crate::render::{Answer, Rows};
use crate::simulator::Context;
use crate::spec::Status;
use crate::timestamp;

/// The statuses that a segment shows: without flags neither cleaned, transactional nor unsubscribed members.
#[derive(Debug, Clone, Copy)]
struct Included {
    cleaned: bool,
    transactional: bool,
    unsubscribed: bool,
}

impl Included {
    const BY_DEFAULT: Self = Self {
        cleaned: false,
        transactional: false,
        unsubscribed: false,
    };

    fn asked(call: &Call) -> Self {
        Self {
            cleaned: call.query.flag("include_cleaned"),
            transactional: call.query.flag("include_transactional"),
            unsubscribed: call.query.flag("include_unsubscribed"),
        }
    }

    fn takes(self, status: Status) -> bool {
        match status {
            Status::Subscribed | Status::Pending => true,
            Status::Cleaned => self.cleaned,
            Status::Transactional => self.transactional,
            Status::Unsubscribed => self.unsubscribed,
            Status::Archived => false,
        }
    }

    fn slots(self, audience: &Audience, segment: u32) -> impl Iterator<Item = u32> {
        let slots = audience.segment_members(segment);
        (0..slots.len())
            .map(move |position| slots[position])
            .filter(move |&slot| {
                audience
                    .shown(slot)
                    .is_some_and(|member| self.takes(member.status))
            })
    }
}

/// `GET /lists/{list_id}/segments`. A type that does not exist finds nothing, and that is not an error.
pub(crate) fn segments(
    context: &Context<'_>,
    audience: &Audience,
    call: &Call,
) -> Result<Answer, Problem> {
    let kind = call.query.get("type");
    let within = |name: &str, at: u32| {
        let (since, before) = (format!("since_{name}"), format!("before_{name}"));
        let at = i64::from(at);
        call.query.time(&since).is_none_or(|since| at > since)
            && call.query.time(&before).is_none_or(|before| at <= before)
    };
    let found: Vec<&Segment> = audience
        .definitions
        .segments
        .iter()
        .filter(|segment| kind.is_none_or(|kind| segment.rule.kind() == kind))
        .filter(|segment| within("created_at", segment.created_at))
        .filter(|segment| within("updated_at", segment.updated_at))
        .collect();
    let included = Included::asked(call);
    let rows = Rows::new("segments", found.len(), |position| {
        found
            .get(position)
            .map(|segment| segment_json(context, audience, segment, included))
    });
    rows.with("list_id", audience.id.clone().into())
        .with(
            "_links",
            links::own(context, &format!("lists/{}/segments", audience.id)),
        )
        .answer(context, call)
}

/// `GET /lists/{list_id}/segments/{segment_id}`.
pub(crate) fn segment(
    context: &Context<'_>,
    audience: &Audience,
    id: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let segment = find(audience, id)?;
    Answer::selected(
        segment_json(context, audience, segment, Included::asked(call)),
        call,
    )
}

/// `GET /lists/{list_id}/segments/{segment_id}/members`: pages over everybody the flags include, with a total that counts
/// them as if there were no flags. So it was seen on the live API.
pub(crate) fn members(
    context: &Context<'_>,
    audience: &Audience,
    id: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let segment = find(audience, id)?;
    let paging = call.query.paging(context.settings.page_clamp)?;
    let selection = call.query.selection()?;
    let root = selection.root();
    let total = Included::BY_DEFAULT.slots(audience, segment.id).count();
    let included = Included::asked(call).slots(audience, segment.id);
    let mut slots: Vec<u32> = included.skip(paging.offset).take(paging.count).collect();
    call.twist.rows(&mut slots);
    let mut out = String::from("{");
    let view = root.child("members");
    let rows = write_rows(
        &mut out,
        context,
        audience,
        view,
        Shape::SegmentMember,
        &slots,
    );
    let separator = if rows.is_some() { "," } else { "" };
    let path = format!("lists/{}/segments/{id}/members", audience.id);
    write_tail(&mut out, context, call, root, separator, total, &path);
    Ok(Answer::text(out, rows.unwrap_or(0)))
}

/// `GET /lists/{list_id}/tag-search`: all tags, or those whose name begins so, whatever the case.
pub(crate) fn tag_search(
    context: &Context<'_>,
    audience: &Audience,
    call: &Call,
) -> Result<Answer, Problem> {
    let beginning = call.query.get("name").unwrap_or("").to_lowercase();
    let found: Vec<&Segment> = audience
        .definitions
        .tags()
        .filter(|tag| tag.name.to_lowercase().starts_with(&beginning))
        .collect();
    Rows::new("tags", found.len(), |position| {
        found
            .get(position)
            .map(|tag| json!({"id": tag.id, "name": tag.name}))
    })
    .answer(context, call)
}

/// `GET /lists/{list_id}/members/{subscriber_hash}/tags`: all of them, however many.
pub(crate) fn member_tags(
    context: &Context<'_>,
    audience: &Audience,
    key: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let slot = audience.find(key).ok_or_else(Problem::not_found)?;
    let member = audience.member(slot).ok_or_else(Problem::not_found)?;
    let tags = audience.profile(member).tags;
    let path = format!("lists/{}/members/{key}/tags", audience.id);
    Rows::new("tags", tags.len(), |position| {
        let held = tags.get(position)?;
        let name = audience
            .definitions
            .segment(held.segment)
            .map_or("", |tag| tag.name.as_str());
        Some(json!({"id": held.segment, "name": name, "date_added": timestamp::text(held.added)}))
    })
    .with("_links", links::own(context, &path))
    .answer(context, call)
}

fn find<'a>(audience: &'a Audience, id: &str) -> Result<&'a Segment, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found())?;
    audience
        .definitions
        .segment(id)
        .ok_or_else(Problem::not_found)
}

fn segment_json(
    context: &Context<'_>,
    audience: &Audience,
    segment: &Segment,
    included: Included,
) -> Value {
    let path = format!("lists/{}/segments/{}", audience.id, segment.id);
    let mut value = json!({
        "id": segment.id,
        "name": segment.name,
        "member_count": included.slots(audience, segment.id).count(),
        "type": segment.rule.kind(),
        "created_at": timestamp::text(segment.created_at),
        "updated_at": timestamp::text(segment.updated_at),
        "list_id": audience.id,
        "_links": [link(context, "self", &path, "GET")],
    });
    if let SegmentRule::Saved {
        merge_field,
        value: wanted,
    } = &segment.rule
    {
        value["options"] = json!({
            "match": "all",
            "conditions": [{
                "condition_type": "TextMerge", "field": merge_field, "op": "is", "value": wanted,
            }],
        });
    }
    value
}

impl SegmentRule {
    fn kind(&self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Saved { .. } => "saved",
        }
    }
}
