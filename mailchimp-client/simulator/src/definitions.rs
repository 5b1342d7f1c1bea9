//! What an audience defines for its members: merge fields, interest groups, tags and saved segments; and the endpoints
//! that list merge fields and groups.

use serde_json::{Value, json};

use crate::audience::Audience;
use crate::changes::Refused;
use crate::links::{self, link};
use crate::member::mix;
use crate::problem::Problem;
use crate::query::Call;
use crate::render::{Answer, Rows};
use crate::simulator::Context;
use crate::spec::{AudienceSpec, MergeFieldKind, MergeFieldSpec};

/// The definitions of one audience.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    pub(crate) merge_fields: Vec<MergeField>,
    pub(crate) categories: Vec<Category>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) marketing_permissions: bool,
    next_merge_id: u32,
    next_segment_id: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct MergeField {
    pub(crate) merge_id: u32,
    pub(crate) spec: MergeFieldSpec,
}

#[derive(Debug)]
pub(crate) struct Category {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) interests: Vec<Interest>,
}

#[derive(Debug)]
pub(crate) struct Interest {
    /// Number that members hold.
    pub(crate) number: u32,
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) created_at: u32,
    pub(crate) updated_at: u32,
    pub(crate) rule: SegmentRule,
}

#[derive(Debug, Clone)]
pub(crate) enum SegmentRule {
    /// A tag.
    Static,
    Saved {
        merge_field: String,
        value: String,
    },
}

impl Definitions {
    pub(crate) fn new(spec: &AudienceSpec, seed: u64, audience: u32, now: u32) -> Self {
        let mut definitions = Self {
            marketing_permissions: spec.marketing_permissions,
            next_merge_id: 1,
            next_segment_id: 10_000 * (audience + 1),
            ..Self::default()
        };
        for field in &spec.merge_fields {
            definitions.add_merge_field(field.clone());
        }
        for tag in &spec.tags {
            definitions.tag_or_new(&tag.name, now);
        }
        for segment in &spec.segments {
            let rule = SegmentRule::Saved {
                merge_field: segment.merge_field.clone(),
                value: segment.value.clone(),
            };
            definitions.add_segment(&segment.name, rule, now);
        }
        let mut number = 0;
        for (position, group) in spec.groups.iter().enumerate() {
            let salt = seed ^ (u64::from(audience) << 32) ^ ((position as u64) << 16);
            let interests = group
                .interests
                .iter()
                .map(|name| {
                    number += 1;
                    let id = ten_hex(mix(salt ^ u64::from(number)));
                    Interest {
                        number,
                        id,
                        name: name.clone(),
                    }
                })
                .collect();
            let category = Category {
                id: ten_hex(mix(!salt)),
                title: group.title.clone(),
                interests,
            };
            definitions.categories.push(category);
        }
        definitions
    }

    /// Defines a merge field, unless its tag is taken.
    pub(crate) fn add_merge_field(&mut self, spec: MergeFieldSpec) -> bool {
        if self.merge_field(&spec.tag).is_some() {
            return false;
        }
        let merge_id = self.next_merge_id;
        self.next_merge_id += 1;
        self.merge_fields.push(MergeField { merge_id, spec });
        true
    }

    pub(crate) fn merge_field(&self, tag: &str) -> Option<&MergeField> {
        self.merge_fields.iter().find(|field| field.spec.tag == tag)
    }

    pub(crate) fn interests(&self) -> impl Iterator<Item = &Interest> {
        self.categories
            .iter()
            .flat_map(|category| &category.interests)
    }

    /// Adds an interest to the category with this title.
    pub(crate) fn add_interest(&mut self, category: &str, name: &str) -> Result<(), Refused> {
        if self.interests().any(|interest| interest.name == name) {
            return Err(Refused::Taken);
        }
        let last = self.interests().map(|interest| interest.number).max();
        let number = last.unwrap_or(0) + 1;
        let category = self
            .categories
            .iter_mut()
            .find(|held| held.title == category)
            .ok_or(Refused::UnknownDefinition)?;
        let salt = u64::from_str_radix(&category.id, 16).unwrap_or(0);
        category.interests.push(Interest {
            number,
            id: ten_hex(mix(salt ^ u64::from(number))),
            name: name.to_owned(),
        });
        Ok(())
    }

    /// The tag with this name, defined now if it was not.
    pub(crate) fn tag_or_new(&mut self, name: &str, now: u32) -> u32 {
        match self.tag(name) {
            Some(id) => id,
            None => self.add_segment(name, SegmentRule::Static, now),
        }
    }

    pub(crate) fn tag(&self, name: &str) -> Option<u32> {
        self.tags().find(|tag| tag.name == name).map(|tag| tag.id)
    }

    pub(crate) fn tags(&self) -> impl Iterator<Item = &Segment> {
        self.segments
            .iter()
            .filter(|segment| matches!(segment.rule, SegmentRule::Static))
    }

    pub(crate) fn segment(&self, id: u32) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.id == id)
    }

    fn add_segment(&mut self, name: &str, rule: SegmentRule, now: u32) -> u32 {
        let id = self.next_segment_id;
        self.next_segment_id += 1;
        let name = name.to_owned();
        self.segments.push(Segment {
            id,
            name,
            created_at: now,
            updated_at: now,
            rule,
        });
        id
    }
}

/// An id in the style of lists, categories and interests.
pub(crate) fn ten_hex(number: u64) -> String {
    format!("{:010x}", number >> 24)
}

/// `GET /lists/{list_id}/merge-fields`: by tag, as seen on the live API.
pub(crate) fn merge_fields(
    context: &Context<'_>,
    audience: &Audience,
    call: &Call,
) -> Result<Answer, Problem> {
    let kind = call.query.get("type");
    let required = call
        .query
        .get("required")
        .map(|_| call.query.flag("required"));
    let mut fields: Vec<&MergeField> = audience
        .definitions
        .merge_fields
        .iter()
        .filter(|field| kind.is_none_or(|kind| field.spec.kind.as_str() == kind))
        .filter(|field| required.is_none_or(|required| field.spec.required == required))
        .collect();
    fields.sort_by(|a, b| a.spec.tag.cmp(&b.spec.tag));
    let rows = Rows::new("merge_fields", fields.len(), |position| {
        fields
            .get(position)
            .map(|field| merge_field_json(context, audience, field))
    });
    rows.with("list_id", audience.id.clone().into())
        .with(
            "_links",
            links::own(context, &format!("lists/{}/merge-fields", audience.id)),
        )
        .answer(context, call)
}

/// `GET /lists/{list_id}/merge-fields/{merge_id}`.
pub(crate) fn merge_field(
    context: &Context<'_>,
    audience: &Audience,
    merge_id: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let field = audience
        .definitions
        .merge_fields
        .iter()
        .find(|field| field.merge_id.to_string() == merge_id)
        .ok_or_else(Problem::not_found)?;
    Answer::selected(merge_field_json(context, audience, field), call)
}

fn merge_field_json(context: &Context<'_>, audience: &Audience, field: &MergeField) -> Value {
    let options = match field.spec.kind {
        MergeFieldKind::Address => json!({"default_country": 164}),
        MergeFieldKind::Phone => json!({"phone_format": "none"}),
        MergeFieldKind::Date => json!({"date_format": "MM/DD/YYYY"}),
        MergeFieldKind::Birthday => json!({"date_format": "MM/DD"}),
        MergeFieldKind::Radio | MergeFieldKind::Dropdown => json!({"choices": field.spec.choices}),
        MergeFieldKind::Text => json!({"size": 25}),
        _ => json!({}),
    };
    let path = format!("lists/{}/merge-fields/{}", audience.id, field.merge_id);
    json!({
        "merge_id": field.merge_id,
        "tag": field.spec.tag,
        "name": field.spec.name,
        "type": field.spec.kind.as_str(),
        "required": field.spec.required,
        "default_value": "",
        "public": true,
        "display_order": field.merge_id + 1,
        "options": options,
        "help_text": "",
        "list_id": audience.id,
        "_links": [link(context, "self", &path, "GET"), link(context, "delete", &path, "DELETE")],
    })
}

/// `GET /lists/{list_id}/interest-categories`.
pub(crate) fn categories(
    context: &Context<'_>,
    audience: &Audience,
    call: &Call,
) -> Result<Answer, Problem> {
    let kind = call.query.get("type");
    let found: Vec<(usize, &Category)> = audience
        .definitions
        .categories
        .iter()
        .enumerate()
        .filter(|_| kind.is_none_or(|kind| kind == "checkboxes"))
        .collect();
    let rows = Rows::new("categories", found.len(), |position| {
        found
            .get(position)
            .map(|&(order, category)| category_json(context, audience, category, order))
    });
    rows.with("list_id", audience.id.clone().into())
        .with(
            "_links",
            links::own(
                context,
                &format!("lists/{}/interest-categories", audience.id),
            ),
        )
        .answer(context, call)
}

/// `GET /lists/{list_id}/interest-categories/{interest_category_id}`.
pub(crate) fn category(
    context: &Context<'_>,
    audience: &Audience,
    id: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let (order, category) = find_category(audience, id)?;
    Answer::selected(category_json(context, audience, category, order), call)
}

fn find_category<'a>(audience: &'a Audience, id: &str) -> Result<(usize, &'a Category), Problem> {
    let mut categories = audience.definitions.categories.iter().enumerate();
    categories
        .find(|(_, category)| category.id == id)
        .ok_or_else(Problem::not_found)
}

fn category_json(
    context: &Context<'_>,
    audience: &Audience,
    category: &Category,
    order: usize,
) -> Value {
    let path = format!("lists/{}/interest-categories/{}", audience.id, category.id);
    json!({
        "list_id": audience.id,
        "id": category.id,
        "title": category.title,
        "display_order": order,
        "type": "checkboxes",
        "_links": [link(context, "self", &path, "GET")],
    })
}

/// `GET /lists/{list_id}/interest-categories/{interest_category_id}/interests`.
pub(crate) fn interests(
    context: &Context<'_>,
    audience: &Audience,
    category: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let (_, category) = find_category(audience, category)?;
    let rows = Rows::new("interests", category.interests.len(), |position| {
        let interest = category.interests.get(position)?;
        Some(interest_json(
            context, audience, category, interest, position,
        ))
    });
    let path = format!(
        "lists/{}/interest-categories/{}/interests",
        audience.id, category.id
    );
    rows.with("list_id", audience.id.clone().into())
        .with("category_id", category.id.clone().into())
        .with("_links", links::own(context, &path))
        .answer(context, call)
}

/// `GET /lists/{list_id}/interest-categories/{interest_category_id}/interests/{interest_id}`.
pub(crate) fn interest(
    context: &Context<'_>,
    audience: &Audience,
    category: &str,
    id: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let (_, category) = find_category(audience, category)?;
    let mut interests = category.interests.iter().enumerate();
    let (order, interest) = interests
        .find(|(_, interest)| interest.id == id)
        .ok_or_else(Problem::not_found)?;
    Answer::selected(
        interest_json(context, audience, category, interest, order),
        call,
    )
}

fn interest_json(
    context: &Context<'_>,
    audience: &Audience,
    category: &Category,
    interest: &Interest,
    order: usize,
) -> Value {
    let path = format!(
        "lists/{}/interest-categories/{}/interests/{}",
        audience.id, category.id, interest.id
    );
    json!({
        "category_id": category.id,
        "list_id": audience.id,
        "id": interest.id,
        "name": interest.name,
        // A string on the live API too.
        "subscriber_count": audience.interest_count(interest.number).to_string(),
        "display_order": order + 1,
        "_links": [link(context, "self", &path, "GET")],
    })
}
