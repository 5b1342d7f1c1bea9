//! The account itself, its audiences, single members, and the search for members.

use serde_json::{Value, json};

use crate::account::Account;
use crate::audience::Audience;
use crate::campaigns::Campaign;
use crate::fields::View;
use crate::links::{self, link};
use crate::listing::Class;
use crate::member_row::{RowWriter, Shape};
use crate::problem::Problem;
use crate::query::Call;
use crate::render::{Answer, Rows};
use crate::simulator::Context;
use crate::spec::Status;
use crate::timestamp;

/// `GET /`.
pub(crate) fn root(
    account: &Account,
    context: &Context<'_>,
    call: &Call,
) -> Result<Answer, Problem> {
    let subscribers: usize = account
        .audiences
        .iter()
        .map(|audience| shown(audience, Status::Subscribed))
        .sum();
    let value = json!({
        "account_id": "8d3a3db4d97663a9074efcc16",
        "login_id": "56a9e1d2",
        "account_name": "Freddie's Jokes",
        "email": "owner@mail.test",
        "first_name": "Freddie",
        "last_name": "Chimp",
        "username": "freddie",
        "avatar_url": "",
        "role": "owner",
        "member_since": "2013-04-05T10:11:12+00:00",
        "pricing_plan_type": "monthly",
        "first_payment": "2013-04-06T10:11:12+00:00",
        "account_timezone": "Europe/London",
        "account_industry": "E-Commerce and Retail",
        "contact": {
            "company": "Freddie's Jokes", "addr1": "1 Test Street", "addr2": "", "city": "London",
            "state": "", "zip": "N1 1AA", "country": "GB",
        },
        "pro_enabled": false,
        "last_login": timestamp::text(context.second()),
        "total_subscribers": subscribers,
        "industry_stats": {"open_rate": 0.17, "bounce_rate": 0.005, "click_rate": 0.023},
        "_links": [link(context, "self", "", "GET"), link(context, "lists", "lists", "GET")],
    });
    Answer::selected(value, call)
}

/// `GET /lists`.
pub(crate) fn lists(
    account: &Account,
    context: &Context<'_>,
    call: &Call,
) -> Result<Answer, Problem> {
    let query = &call.query;
    let since = query.time("since_date_created");
    let before = query.time("before_date_created");
    let email = query.get("email");
    let sent_since = query.time("since_campaign_last_sent");
    let sent_before = query.time("before_campaign_last_sent");
    let with_store = query.flag("has_ecommerce_store");
    let mut found: Vec<&Audience> = account
        .audiences
        .iter()
        .filter(|audience| {
            let created = i64::from(audience.created_at);
            // A list that nothing was sent to passes no filter by what was.
            let sent = i64::from(last_sent(account, audience));
            since.is_none_or(|since| created > since)
                && before.is_none_or(|before| created <= before)
                && sent_since.is_none_or(|since| sent > since)
                && sent_before.is_none_or(|before| sent <= before && sent > 0)
                && (!with_store || account.stores.iter().any(|store| store.list == audience.id))
                && email.is_none_or(|email| audience.find(email).is_some())
        })
        .collect();
    match query.get("sort_field") {
        None => {}
        Some("date_created") => {
            found.sort_by_key(|audience| audience.created_at);
            if query.get("sort_dir") == Some("DESC") {
                found.reverse();
            }
        }
        Some(_) => return Err(Problem::not_one_of("sort_field", &["date_created"])),
    }
    let contacts = query.flag("include_total_contacts");
    let rows = Rows::new("lists", found.len(), |position| {
        found
            .get(position)
            .map(|audience| list_json(account, context, audience, contacts))
    });
    let made = account.audiences.len();
    rows.with(
        "constraints",
        json!({"may_create": true, "max_instances": 100, "current_total_instances": made}),
    )
    .with("_links", links::own(context, "lists"))
    .answer(context, call)
}

/// `GET /lists/{list_id}`.
pub(crate) fn list(
    account: &Account,
    context: &Context<'_>,
    audience: &Audience,
    call: &Call,
) -> Result<Answer, Problem> {
    let contacts = call.query.flag("include_total_contacts");
    Answer::selected(list_json(account, context, audience, contacts), call)
}

/// When a campaign was last sent to an audience; zero for never.
fn last_sent(account: &Account, audience: &Audience) -> u32 {
    let sent = account.campaigns.sent_to(&audience.id);
    sent.map(Campaign::send_time).max().unwrap_or(0)
}

fn shown(audience: &Audience, status: Status) -> usize {
    audience.listing.count(Class::Of(status))
}

fn list_json(
    account: &Account,
    context: &Context<'_>,
    audience: &Audience,
    total_contacts: bool,
) -> Value {
    let sent = account.campaigns.sent_to(&audience.id).count();
    // Percentages, unlike the rates of reports.
    let (open_rate, click_rate) = if sent > 0 { (40.25, 20.5) } else { (0.0, 0.0) };
    let unsubscribed = shown(audience, Status::Unsubscribed);
    let path = format!("lists/{}", audience.id);
    let mut list = json!({
        "id": audience.id,
        "web_id": audience.web_id(0) >> 32,
        "name": audience.name,
        "contact": {
            "company": "Freddie's Jokes", "address1": "1 Test Street", "address2": "",
            "city": "London", "state": "", "zip": "N1 1AA", "country": "GB", "phone": "",
        },
        "permission_reminder": "You signed up on our website.",
        "use_archive_bar": true,
        "campaign_defaults": {
            "from_name": "Freddie", "from_email": "owner@mail.test", "subject": "",
            "language": "en",
        },
        "notify_on_subscribe": "",
        "notify_on_unsubscribe": "",
        "date_created": timestamp::text(audience.created_at),
        "list_rating": 0,
        "email_type_option": false,
        "subscribe_url_short": format!("http://eepurl.test/{}", audience.id),
        "subscribe_url_long": format!("https://signup.test/subscribe?id={}", audience.id),
        "beamer_address": "",
        "visibility": "prv",
        "double_optin": false,
        "has_welcome": false,
        "marketing_permissions": audience.definitions.marketing_permissions,
        "modules": [],
        "stats": {
            "member_count": shown(audience, Status::Subscribed),
            "unsubscribe_count": unsubscribed,
            "cleaned_count": shown(audience, Status::Cleaned),
            "member_count_since_send": shown(audience, Status::Subscribed),
            "unsubscribe_count_since_send": unsubscribed,
            "cleaned_count_since_send": shown(audience, Status::Cleaned),
            "campaign_count": sent,
            "campaign_last_sent": timestamp::text(last_sent(account, audience)),
            "merge_field_count": audience.definitions.merge_fields.len(),
            "avg_sub_rate": 0,
            "avg_unsub_rate": 0,
            "target_sub_rate": 0,
            "open_rate": open_rate,
            "click_rate": click_rate,
            "last_sub_date": "",
            "last_unsub_date": "",
        },
        "_links": [
            link(context, "self", &path, "GET"),
            link(context, "members", &format!("{path}/members"), "GET"),
        ],
    });
    if total_contacts {
        let total: usize = Status::ALL
            .into_iter()
            .map(|status| shown(audience, status))
            .sum();
        list["stats"]["total_contacts"] = total.into();
    }
    list
}

/// `GET /lists/{list_id}/members/{subscriber_hash}`.
pub(crate) fn member(
    context: &Context<'_>,
    audience: &Audience,
    key: &str,
    call: &Call,
) -> Result<Answer, Problem> {
    let selection = call.query.selection()?;
    let slot = audience.find(key).ok_or_else(Problem::not_found)?;
    member_answer(context, audience, slot, selection.root())
}

/// A member as it is now, whatever lists show.
pub(crate) fn member_answer(
    context: &Context<'_>,
    audience: &Audience,
    slot: u32,
    view: View<'_>,
) -> Result<Answer, Problem> {
    let member = audience.member(slot).ok_or_else(Problem::not_found)?;
    let mut out = String::with_capacity(2048);
    RowWriter::new(context, audience, view, Shape::Member).write(&mut out, slot, member);
    Ok(Answer::text(out, 0))
}

/// `GET /search-members`: whole addresses as exact matches, the beginning of an address or a name in the full search.
pub(crate) fn search(
    account: &Account,
    context: &Context<'_>,
    call: &Call,
) -> Result<Answer, Problem> {
    const MOST: usize = 30;
    let query = call.query.get("query").unwrap_or("").to_lowercase();
    if query.is_empty() {
        return Err(Problem::bad_request("The query parameter is required."));
    }
    let list = call.query.get("list_id");
    let mut exact = Vec::new();
    let mut full = Vec::new();
    let audiences = account
        .audiences
        .iter()
        .filter(|held| list.is_none_or(|id| held.id == id));
    for audience in audiences {
        let mut writer = RowWriter::new(context, audience, View::All, Shape::Member);
        let mut row = |slot| {
            let mut text = String::new();
            writer.write(&mut text, slot, audience.member(slot)?);
            serde_json::from_str::<Value>(&text).ok()
        };
        if query.contains('@') {
            exact.extend(audience.find(&query).and_then(&mut row));
        }
        let mut scratch = crate::member::Profile::default();
        let starting = audience.members().filter(|(_, member)| {
            audience
                .profile_in(member, &mut scratch)
                .email
                .to_lowercase()
                .starts_with(&query)
        });
        let slots: Vec<u32> = starting.map(|(slot, _)| slot).take(MOST).collect();
        full.extend(slots.into_iter().filter_map(row));
    }
    let value = json!({
        "exact_matches": {"total_items": exact.len(), "members": exact},
        "full_search": {"total_items": full.len(), "members": full},
        "_links": links::own(context, "search-members"),
    });
    Answer::selected(value, call)
}
