//! `GET /lists/{list_id}/members`: windows, orders, filters and pages over one audience.

use std::fmt::Write as _;

use crate::audience::Audience;
use crate::definitions::Definitions;
use crate::fields::View;
use crate::links;
use crate::listing::Class;
use crate::member::{Member, Profile, hex, unique_email_id};
use crate::member_row::{RowWriter, Shape};
use crate::problem::Problem;
use crate::query::{Call, Paging};
use crate::render::{Answer, write_str};
use crate::simulator::Context;
use crate::spec::Status;

/// What a list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// No order was asked for. The live one is undocumented; here it is that of `web_id`.
    Unspecified,
    LastChanged,
    TimestampOpt,
    TimestampSignup,
}

/// The filters that need a look at each member.
struct Filter<'a> {
    email_type: Option<&'a str>,
    since_opt: Option<i64>,
    before_opt: Option<i64>,
    unsubscribed_since: Option<i64>,
    unique_email_id: Option<&'a str>,
    vip_only: bool,
    interests: Option<InterestFilter>,
}

struct InterestFilter {
    numbers: Vec<u32>,
    mode: Match,
}

#[derive(Clone, Copy)]
enum Match {
    Any,
    All,
    None,
}

/// `GET /lists/{list_id}/members`.
pub(crate) fn list(
    context: &Context<'_>,
    audience: &Audience,
    call: &Call,
) -> Result<Answer, Problem> {
    let settings = context.settings;
    let query = &call.query;
    let paging = query.paging(settings.page_clamp)?;
    let descending = descending(call)?;
    let order = order(call)?;
    let filter = Filter::new(call, &audience.definitions)?;
    // A status that does not exist finds nobody, and that is not an error.
    let class = match query.get("status") {
        None => Some(Class::Default),
        Some(word) => Status::parse(word).map(Class::Of),
    };
    let since = query
        .time("since_last_changed")
        .map(|at| at - i64::from(settings.since_inclusive));
    let before = query
        .time("before_last_changed")
        .map(|at| at - i64::from(!settings.before_inclusive));
    let (total, slots) = match class {
        None => (0, Vec::new()),
        Some(class) => {
            let window = audience.listing.window(class, since, before);
            let untimed = since.is_none() && before.is_none();
            match order {
                Order::LastChanged if filter.is_open() => {
                    let page = page(window.clone(), paging, descending);
                    let mut slots: Vec<u32> = audience.listing.by_change(class, page).collect();
                    if descending {
                        slots.reverse();
                    }
                    (window.len(), slots)
                }
                Order::Unspecified if filter.is_open() && untimed => {
                    let total = audience.listing.count(class);
                    let page = page(0..total, paging, false);
                    (total, audience.listing.by_slot(class, page).collect())
                }
                _ => {
                    let found = audience.listing.by_change(class, window);
                    searched(audience, found, &filter, order, descending, paging)
                }
            }
        }
    };
    answer(context, audience, call, total, slots)
}

fn answer(
    context: &Context<'_>,
    audience: &Audience,
    call: &Call,
    total: usize,
    mut slots: Vec<u32>,
) -> Result<Answer, Problem> {
    call.twist.rows(&mut slots);
    let selection = call.query.selection()?;
    let root = selection.root();
    let mut out = String::with_capacity(1024 + slots.len() * 1280);
    out.push('{');
    let rows = write_rows(
        &mut out,
        context,
        audience,
        root.child("members"),
        Shape::Member,
        &slots,
    );
    let mut separator = if rows.is_some() { "," } else { "" };
    if matches!(root.child("list_id"), View::All) {
        out.push_str(separator);
        out.push_str(r#""list_id":"#);
        write_str(&mut out, &audience.id);
        separator = ",";
    }
    write_tail(
        &mut out,
        context,
        call,
        root,
        separator,
        total,
        &format!("lists/{}/members", audience.id),
    );
    Ok(Answer::text(out, rows.unwrap_or(0)))
}

/// Appends `"members":[…]` when it is wanted, and gives the number of rows.
pub(crate) fn write_rows(
    out: &mut String,
    context: &Context<'_>,
    audience: &Audience,
    view: View<'_>,
    shape: Shape,
    slots: &[u32],
) -> Option<usize> {
    if matches!(view, View::Nothing) {
        return None;
    }
    let mut writer = RowWriter::new(context, audience, view, shape);
    let mut rows = 0;
    out.push_str(r#""members":["#);
    for &slot in slots {
        let Some(member) = audience.shown(slot) else {
            continue;
        };
        if rows > 0 {
            out.push(',');
        }
        writer.write(out, slot, member);
        rows += 1;
    }
    out.push(']');
    Some(rows)
}

/// Appends `total_items` and `_links` as wanted, and closes the envelope.
pub(crate) fn write_tail(
    out: &mut String,
    context: &Context<'_>,
    call: &Call,
    root: View<'_>,
    mut separator: &'static str,
    total: usize,
    path: &str,
) {
    if matches!(root.child("total_items"), View::All) {
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            r#"{separator}"total_items":{}"#,
            call.twist.total_items(total)
        );
        separator = ",";
    }
    if let Some(own) = root.child("_links").prune(links::own(context, path)) {
        let _ = write!(out, r#"{separator}"_links":{own}"#);
    }
    out.push('}');
}

/// The part of a range of positions that a page shows, from either end.
fn page(range: std::ops::Range<usize>, paging: Paging, descending: bool) -> std::ops::Range<usize> {
    if descending {
        let end = range.end.saturating_sub(paging.offset).max(range.start);
        end.saturating_sub(paging.count).max(range.start)..end
    } else {
        let start = range.start.saturating_add(paging.offset).min(range.end);
        start..start.saturating_add(paging.count).min(range.end)
    }
}

/// Looks at every member in the window: for the filters and orders that have no index.
fn searched(
    audience: &Audience,
    found: impl Iterator<Item = u32>,
    filter: &Filter<'_>,
    order: Order,
    descending: bool,
    paging: Paging,
) -> (usize, Vec<u32>) {
    let mut scratch = Profile::default();
    let mut keyed: Vec<(u32, u32)> = found
        .filter_map(|slot| {
            let member = audience.shown(slot)?;
            if !filter.takes(audience, member, &mut scratch) {
                return None;
            }
            let key = match order {
                Order::Unspecified => 0,
                Order::LastChanged => member.last_changed,
                Order::TimestampOpt => member.timestamp_opt,
                Order::TimestampSignup => {
                    audience.profile_in(member, &mut scratch).timestamp_signup
                }
            };
            Some((key, slot))
        })
        .collect();
    keyed.sort_unstable();
    if descending {
        keyed.reverse();
    }
    let page = page(0..keyed.len(), paging, false);
    let slots = keyed
        .get(page)
        .unwrap_or_default()
        .iter()
        .map(|&(_, slot)| slot)
        .collect();
    (keyed.len(), slots)
}

fn order(call: &Call) -> Result<Order, Problem> {
    Ok(match call.query.get("sort_field") {
        None => Order::Unspecified,
        Some("last_changed") => Order::LastChanged,
        Some("timestamp_opt") => Order::TimestampOpt,
        Some("timestamp_signup") => Order::TimestampSignup,
        Some(_) => {
            return Err(Problem::invalid_resource(
                "The resource submitted could not be validated.",
                &[(
                    "sort_field",
                    "Value must be one of: timestamp_opt, timestamp_signup, last_changed",
                )],
            ));
        }
    })
}

/// Whether a list is asked for from its end. Only with a field to sort by.
fn descending(call: &Call) -> Result<bool, Problem> {
    match call.query.get("sort_dir") {
        None | Some("ASC") => Ok(false),
        Some("DESC") => Ok(call.query.get("sort_field").is_some()),
        Some(_) => Err(Problem::invalid_resource(
            "The resource submitted could not be validated.",
            &[("sort_dir", "Value must be one of: ASC, DESC")],
        )),
    }
}

impl<'a> Filter<'a> {
    fn new(call: &'a Call, definitions: &Definitions) -> Result<Self, Problem> {
        let query = &call.query;
        let status = query.get("status");
        if query.get("unsubscribed_since").is_some() && status != Some("unsubscribed") {
            return Err(Problem::bad_request(
                "The parameter unsubscribed_since needs the status unsubscribed.",
            ));
        }
        // No campaign was ever sent here, so with a status this filter takes everybody.
        if query.get("since_last_campaign").is_some() && status.is_none() {
            return Err(Problem::bad_request(
                "The parameter since_last_campaign needs a status.",
            ));
        }
        Ok(Self {
            email_type: query.get("email_type"),
            since_opt: query.time("since_timestamp_opt"),
            before_opt: query.time("before_timestamp_opt"),
            unsubscribed_since: query.time("unsubscribed_since"),
            unique_email_id: query.get("unique_email_id"),
            vip_only: query.flag("vip_only"),
            interests: InterestFilter::new(call, definitions)?,
        })
    }

    /// Whether everybody passes.
    fn is_open(&self) -> bool {
        self.email_type.is_none()
            && self.since_opt.is_none()
            && self.before_opt.is_none()
            && self.unsubscribed_since.is_none()
            && self.unique_email_id.is_none()
            && !self.vip_only
            && self.interests.is_none()
    }

    fn takes(&self, audience: &Audience, member: &Member, scratch: &mut Profile) -> bool {
        let opt_in = i64::from(member.timestamp_opt);
        let opt_in_known = member.timestamp_opt > 0;
        if self
            .since_opt
            .is_some_and(|since| !opt_in_known || opt_in <= since)
            || self
                .before_opt
                .is_some_and(|before| !opt_in_known || opt_in > before)
            || self
                .unsubscribed_since
                .is_some_and(|at| i64::from(member.unsubscribed_at) <= at)
            || self
                .unique_email_id
                .is_some_and(|id| hex(&unique_email_id(&member.hash)) != id)
        {
            return false;
        }
        if self.email_type.is_none() && !self.vip_only && self.interests.is_none() {
            return true;
        }
        let profile = audience.profile_in(member, scratch);
        let email_type = if profile.text_only { "text" } else { "html" };
        self.email_type.is_none_or(|wanted| wanted == email_type)
            && (!self.vip_only || profile.vip)
            && self
                .interests
                .as_ref()
                .is_none_or(|interests| interests.takes(profile))
    }
}

impl InterestFilter {
    fn new(call: &Call, definitions: &Definitions) -> Result<Option<Self>, Problem> {
        let query = &call.query;
        let parts =
            ["interest_category_id", "interest_ids", "interest_match"].map(|name| query.get(name));
        let (category, ids, mode) = match parts {
            [None, None, None] => return Ok(None),
            [Some(category), Some(ids), Some(mode)] => (category, ids, mode),
            _ => {
                return Err(Problem::bad_request(
                    "The parameters interest_category_id, interest_ids and interest_match go \
                     together.",
                ));
            }
        };
        let mode = match mode {
            "all" => Match::All,
            "none" => Match::None,
            _ => Match::Any,
        };
        let numbers = definitions
            .categories
            .iter()
            .filter(|held| held.id == category)
            .flat_map(|held| &held.interests)
            .filter(|interest| ids.split(',').any(|id| id.trim() == interest.id))
            .map(|interest| interest.number)
            .collect();
        Ok(Some(Self { numbers, mode }))
    }

    fn takes(&self, profile: &Profile) -> bool {
        let chosen = |number: &u32| profile.interests.contains(number);
        match self.mode {
            Match::Any => self.numbers.iter().any(chosen),
            Match::All => self.numbers.iter().all(chosen),
            Match::None => !self.numbers.iter().any(chosen),
        }
    }
}
