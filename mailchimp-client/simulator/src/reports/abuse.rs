//! Who called a campaign spam: by campaign and by audience.

use super::people::People;
use crate::campaigns::Campaign;
use crate::endpoint::Asked;
use crate::fields::View;
use crate::links::link;
use crate::object::Object;
use crate::problem::Problem;
use crate::render::Answer;

/// A complaint: the campaign and the recipient.
type Complaint<'a> = (&'a Campaign, u32);

fn id((campaign, recipient): Complaint<'_>) -> u64 {
    (u64::from(campaign.number) + 1) * 10_000_000 + u64::from(recipient)
}

fn of(campaign: &Campaign) -> impl Iterator<Item = Complaint<'_>> {
    let complainers = campaign.totals().complainers.iter();
    complainers.map(move |&recipient| (campaign, recipient))
}

fn write(asked: &Asked<'_>, complaint: Complaint<'_>, out: &mut String, view: View<'_>) {
    let (campaign, recipient) = complaint;
    let mut people = People::new(asked.account, campaign);
    people.turn_to(recipient);
    let mut object = Object::new(out, view);
    object.number("id", id(complaint));
    object
        .text("campaign_id", &campaign.id)
        .text("list_id", &campaign.list);
    if !asked.call.path.starts_with(&["lists".to_owned()]) {
        object.flag(
            "list_is_active",
            asked.account.audience(&campaign.list).is_some(),
        );
    }
    people.write_address(&mut object);
    people.write_member(&mut object);
    object.time("date", people.fate().complained_at.unwrap_or(0));
    let path = format!("reports/{}/abuse-reports/{}", campaign.id, id(complaint));
    let links = [link(asked.context, "self", &path, "GET")];
    object.value("_links", links.into_iter().collect());
    object.end();
}

/// The complaint with the id at the second place of the path.
fn single(asked: &Asked<'_>, complaints: &[Complaint<'_>]) -> Result<Answer, Problem> {
    let wanted: Option<u64> = asked.id(1).parse().ok();
    let found = complaints.iter().find(|&&found| Some(id(found)) == wanted);
    let selection = asked.call.query.selection()?;
    let mut out = String::new();
    let found = *found.ok_or_else(Problem::not_found)?;
    write(asked, found, &mut out, selection.root());
    Ok(Answer::text(out, 0))
}

fn of_campaign<'a>(asked: &Asked<'a>) -> Result<Vec<Complaint<'a>>, Problem> {
    Ok(of(super::campaign(asked)?).collect())
}

fn of_list<'a>(asked: &Asked<'a>) -> Result<Vec<Complaint<'a>>, Problem> {
    let list = asked.audience(0)?;
    Ok(asked
        .account
        .campaigns
        .sent_to(&list.id)
        .flat_map(of)
        .collect())
}

/// `GET /reports/{campaign_id}/abuse-reports`: all of them, whatever `count` says.
pub(super) fn in_campaign(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let found = of_campaign(asked)?;
    asked.written_whole(
        "abuse_reports",
        found.len(),
        &[("campaign_id", asked.id(0).into())],
        |out, view, position| {
            if let Some(&complaint) = found.get(position) {
                write(asked, complaint, out, view);
            }
        },
    )
}

/// `GET /reports/{campaign_id}/abuse-reports/{report_id}`.
pub(super) fn one_in_campaign(asked: &Asked<'_>) -> Result<Answer, Problem> {
    single(asked, &of_campaign(asked)?)
}

/// `GET /lists/{list_id}/abuse-reports`.
pub(super) fn in_list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    let found = of_list(asked)?;
    asked.written(
        "abuse_reports",
        found.len(),
        &[("list_id", asked.id(0).into())],
        |out, view, position| {
            if let Some(&complaint) = found.get(position) {
                write(asked, complaint, out, view);
            }
        },
    )
}

/// `GET /lists/{list_id}/abuse-reports/{report_id}`.
pub(super) fn one_in_list(asked: &Asked<'_>) -> Result<Answer, Problem> {
    single(asked, &of_list(asked)?)
}
