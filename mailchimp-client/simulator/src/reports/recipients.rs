//! Sub-reports with a row for each recipient, or each who did something. Rows are made when they are on the page.

use serde_json::Value;

use super::campaign;
use super::people::People;
use crate::campaigns::Campaign;
use crate::campaigns::engagement::{Action, Event};
use crate::endpoint::Asked;
use crate::fields::View;
use crate::links;
use crate::object::Object;
use crate::problem::Problem;
use crate::render::Answer;

/// Appends one recipient's row.
type Write<'w> = dyn Fn(&mut People<'_>, &mut Object<'_, '_>) + 'w;

/// A page of rows for the recipients in a list.
fn page(
    asked: &Asked<'_>,
    key: &'static str,
    of: &Recipients<'_>,
    others: &[(&'static str, Value)],
    write: &Write<'_>,
) -> Result<Answer, Problem> {
    let mut people = People::new(asked.account, of.campaign());
    let path = asked.call.path.join("/");
    let mut others = others.to_vec();
    others.push(("campaign_id", of.campaign().id.clone().into()));
    asked.written(key, of.len(), &others, |out, view, position| {
        people.turn_to(of.nth(position));
        row(asked, &mut people, out, view, &path, write);
    })
}

/// The row of the recipient whose id stands at a position of the path, if `of` has it.
fn single(
    asked: &Asked<'_>,
    of: &Recipients<'_>,
    id: usize,
    write: &Write<'_>,
) -> Result<Answer, Problem> {
    let mut people = People::new(asked.account, of.campaign());
    let found = people.find(asked.id(id)).filter(|&found| of.has(found));
    people.turn_to(found.ok_or_else(Problem::not_found)?);
    let selection = asked.call.query.selection()?;
    let (parent, _) = asked.call.path.split_at(asked.call.path.len() - 1);
    let mut out = String::new();
    let view = selection.root();
    row(asked, &mut people, &mut out, view, &parent.join("/"), write);
    Ok(Answer::text(out, 0))
}

fn row(
    asked: &Asked<'_>,
    people: &mut People<'_>,
    out: &mut String,
    view: View<'_>,
    path: &str,
    write: &Write<'_>,
) {
    let mut object = Object::new(out, view);
    people.write_ids(&mut object);
    people.write_address(&mut object);
    write(people, &mut object);
    let origin = asked.context.origin;
    object.part("_links", |out, view| {
        links::write_parent(out, origin, path, view);
    });
    object.end();
}

/// The recipients that a sub-report has rows for.
enum Recipients<'a> {
    All(&'a Campaign),
    Some(&'a Campaign, Vec<u32>),
}

impl<'a> Recipients<'a> {
    fn campaign(&self) -> &'a Campaign {
        match self {
            Self::All(campaign) | Self::Some(campaign, _) => campaign,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::All(campaign) => campaign.recipients() as usize,
            Self::Some(_, recipients) => recipients.len(),
        }
    }

    fn nth(&self, position: usize) -> u32 {
        match self {
            Self::All(_) => u32::try_from(position).unwrap_or(u32::MAX),
            Self::Some(_, recipients) => recipients.get(position).copied().unwrap_or(u32::MAX),
        }
    }

    fn has(&self, recipient: u32) -> bool {
        match self {
            Self::All(_) => true,
            Self::Some(_, recipients) => recipients.contains(&recipient),
        }
    }
}

/// The second after which events count. A fraction of a second makes the live API fail, as users report.
fn since(asked: &Asked<'_>) -> Result<Option<i64>, Problem> {
    let query = &asked.call.query;
    if query.get("since").is_some_and(|text| text.contains('.')) {
        return Err(Problem::internal());
    }
    Ok(query.time("since"))
}

fn after(event: Event, since: Option<i64>) -> bool {
    since.is_none_or(|since| i64::from(event.at) > since)
}

/// `GET /reports/{campaign_id}/email-activity`: a row for everybody, whatever `since` says; it filters their events.
pub(super) fn activity(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let since = since(asked)?;
    let of = Recipients::All(campaign(asked)?);
    page(asked, "emails", &of, &[], &|people, object| {
        write_activity(people, object, since);
    })
}

/// `GET /reports/{campaign_id}/email-activity/{subscriber_hash}`.
pub(super) fn one_activity(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let since = since(asked)?;
    let of = Recipients::All(campaign(asked)?);
    single(asked, &of, 1, &|people, object| {
        write_activity(people, object, since);
    })
}

/// Somebody who did nothing has an empty list, and somebody who did nothing and is gone has none.
fn write_activity(people: &mut People<'_>, object: &mut Object<'_, '_>, since: Option<i64>) {
    let gone = people.is_gone();
    let campaign = people.campaign;
    let ip = people.fate().drawn;
    let events = people.events();
    if events.is_empty() && gone {
        return;
    }
    object.part("activity", |out, view| {
        out.push('[');
        let mut first = true;
        for event in events.iter().filter(|event| after(**event, since)) {
            if !first {
                out.push(',');
            }
            first = false;
            write_event(out, view, campaign, *event, ip);
        }
        out.push(']');
    });
}

fn write_event(out: &mut String, view: View<'_>, campaign: &Campaign, event: Event, ip: u64) {
    let mut object = Object::new(out, view);
    match event.action {
        Action::Open { .. } => object.text("action", "open"),
        Action::Click { link } => object
            .text("action", "click")
            .text("url", &campaign.url(link)),
        Action::Bounce { hard } => object
            .text("action", "bounce")
            .text("type", if hard { "hard" } else { "soft" }),
    };
    object.time("timestamp", event.at);
    if !matches!(event.action, Action::Bounce { .. }) {
        let [a, b, ..] = ip.to_be_bytes();
        object.text("ip", &format!("198.51.{a}.{b}"));
    }
    object.end();
}

/// `GET /reports/{campaign_id}/sent-to`.
pub(super) fn sent_to(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let of = Recipients::All(campaign(asked)?);
    page(asked, "sent_to", &of, &[], &write_sent_to)
}

/// `GET /reports/{campaign_id}/sent-to/{subscriber_hash}`.
pub(super) fn one_sent_to(asked: &Asked<'_>) -> Result<Answer, Problem> {
    single(asked, &Recipients::All(campaign(asked)?), 1, &write_sent_to)
}

fn write_sent_to(people: &mut People<'_>, object: &mut Object<'_, '_>) {
    people.write_member(object);
    let fate = people.fate();
    let opens = people
        .events()
        .iter()
        .filter(|event| matches!(event.action, Action::Open { .. }));
    let (count, last) = opens.fold((0_u32, 0), |(count, _), open| (count + 1, open.at));
    let status = match fate.bounced {
        None => "sent",
        Some(true) => "hard",
        Some(false) => "soft",
    };
    object
        .text("status", status)
        .number("open_count", count)
        .time("last_open", last)
        .text("absplit_group", "")
        .number("gmt_offset", 0_u32);
}

/// `GET /reports/{campaign_id}/open-details`: with `since` only those who opened later.
pub(super) fn opens(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let since = since(asked)?;
    let campaign = campaign(asked)?;
    let of = openers(campaign, since);
    let Recipients::Some(_, mut found) = of else {
        return Err(Problem::not_found());
    };
    let counts = |recipient: u32| {
        let mut events = Vec::new();
        campaign.events(recipient, &mut events);
        let opens = events
            .iter()
            .filter(|event| matches!(event.action, Action::Open { .. }));
        opens.count()
    };
    asked.sort(&mut found, &["opens_count"], |&recipient, _| {
        counts(recipient)
    })?;
    let totals = campaign.totals();
    let others = [
        ("total_opens", totals.opens.into()),
        ("total_proxy_excluded_opens", totals.real_opens.into()),
    ];
    let of = Recipients::Some(campaign, found);
    page(asked, "members", &of, &others, &|people, object| {
        write_opens(people, object, since);
    })
}

/// `GET /reports/{campaign_id}/open-details/{subscriber_hash}`.
pub(super) fn one_opens(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let of = openers(campaign(asked)?, None);
    single(asked, &of, 1, &|people, object| {
        write_opens(people, object, None);
    })
}

fn openers(campaign: &Campaign, since: Option<i64>) -> Recipients<'_> {
    let openers = match since {
        None => campaign.openers().to_vec(),
        Some(_) => campaign
            .having(|event| matches!(event.action, Action::Open { .. }) && after(*event, since))
            .collect(),
    };
    Recipients::Some(campaign, openers)
}

fn write_opens(people: &mut People<'_>, object: &mut Object<'_, '_>, since: Option<i64>) {
    people.write_status(object);
    people.write_member(object);
    let opens: Vec<(u32, bool)> = people
        .events()
        .iter()
        .filter(|event| after(**event, since))
        .filter_map(|event| match event.action {
            Action::Open { proxy } => Some((event.at, proxy)),
            _ => None,
        })
        .collect();
    let real = opens.iter().filter(|(_, proxy)| !proxy).count();
    object
        .number("opens_count", opens.len() as u64)
        .number("proxy_excluded_opens_count", real as u64)
        .part("opens", |out, view| {
            out.push('[');
            for (position, &(at, proxy)) in opens.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                let mut open = Object::new(out, view);
                open.time("timestamp", at).flag("is_proxy_open", proxy);
                open.end();
            }
            out.push(']');
        });
}

/// `GET /reports/{campaign_id}/unsubscribed`.
pub(super) fn unsubscribed(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let of = leavers(campaign(asked)?);
    page(asked, "unsubscribes", &of, &[], &write_unsubscribed)
}

/// `GET /reports/{campaign_id}/unsubscribed/{subscriber_hash}`.
pub(super) fn one_unsubscribed(asked: &Asked<'_>) -> Result<Answer, Problem> {
    single(asked, &leavers(campaign(asked)?), 1, &write_unsubscribed)
}

fn leavers(campaign: &Campaign) -> Recipients<'_> {
    let left = |number: &u32| {
        let recipient = campaign.engagement.recipient(*number);
        recipient.unsubscribed_at.is_some()
    };
    Recipients::Some(campaign, (0..campaign.recipients()).filter(left).collect())
}

fn write_unsubscribed(people: &mut People<'_>, object: &mut Object<'_, '_>) {
    people.write_member(object);
    let fate = people.fate();
    let reason = match fate.drawn >> 58 {
        0..16 => "None given",
        16..32 => "",
        32..48 => "Other: \"zu viele\"\nMails 🙈",
        _ => "NORMAL",
    };
    object
        .time("timestamp", fate.unsubscribed_at.unwrap_or(0))
        .text("reason", reason);
}

/// `GET /reports/{campaign_id}/click-details/{link_id}/members`.
pub(super) fn clickers(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (of, link) = clickers_of(asked)?;
    page(asked, "members", &of, &[], &|people, object| {
        write_clicks(people, object, link);
    })
}

/// `GET /reports/{campaign_id}/click-details/{link_id}/members/{subscriber_hash}`.
pub(super) fn one_clicker(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (of, link) = clickers_of(asked)?;
    single(asked, &of, 2, &|people, object| {
        write_clicks(people, object, link);
    })
}

fn clickers_of<'a>(asked: &Asked<'a>) -> Result<(Recipients<'a>, u8), Problem> {
    let campaign = campaign(asked)?;
    let link = campaign
        .link_of(asked.id(1))
        .ok_or_else(Problem::not_found)?;
    let clickers = campaign
        .having(|event| event.action == Action::Click { link })
        .collect();
    Ok((Recipients::Some(campaign, clickers), link))
}

fn write_clicks(people: &mut People<'_>, object: &mut Object<'_, '_>, link: u8) {
    people.write_member(object);
    people.write_status(object);
    let clicks = people
        .events()
        .iter()
        .filter(|event| event.action == Action::Click { link })
        .count();
    let url_id = people.campaign.link_id(link);
    object
        .number("clicks", clicks as u64)
        .text("url_id", &url_id);
}
