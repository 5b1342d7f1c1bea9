//! Whether one member is at the sink as the source has it.

use mailchimp_simulator::Status;
use ometria_simulator::{Claim, ListingView};
use serde::Deserialize;

use crate::people::{People, Person};
use crate::process::collection;
use crate::scenario::SinkKind;
use crate::world::World;

/// What is wrong about a member at the sink of an import; `None`: nothing.
pub(super) fn differs(
    world: &World,
    people: &People,
    import: usize,
    person: &Person,
) -> Option<String> {
    let plan = world.scenario.imports.get(import)?;
    match plan.sink {
        SinkKind::Rows => row(world, import, person),
        SinkKind::Contacts => contact(world, people, plan.audience, person),
        SinkKind::Records => record(world, person),
    }
}

#[derive(Deserialize)]
struct Row<'a> {
    status: &'a str,
    email_address: &'a str,
    merge_fields: Names,
}

#[derive(Deserialize)]
struct Names {
    #[serde(rename = "FNAME")]
    first: String,
}

fn row(world: &World, import: usize, person: &Person) -> Option<String> {
    let Some(bytes) = world.rows.get(&import)?.get(&person.contact) else {
        return Some("missing at the sink".to_owned());
    };
    let Ok(row) = serde_json::from_slice::<Row<'_>>(&bytes) else {
        return Some("a row that cannot be read".to_owned());
    };
    if row.status != person.status.as_str() {
        return Some(format!(
            "{} at the sink, {} in truth",
            row.status,
            person.status.as_str()
        ));
    }
    if row.email_address != person.address {
        return Some("an old address at the sink".to_owned());
    }
    (row.merge_fields.first != person.name.as_deref().unwrap_or_default())
        .then(|| "an old name at the sink".to_owned())
}

fn record(world: &World, person: &Person) -> Option<String> {
    let Some(row) = world.ometria.row(&person.contact) else {
        return Some("no row at the record endpoint".to_owned());
    };
    let expected = [
        ("status", person.status.as_str()),
        ("email", person.address.as_str()),
        ("firstname", person.name.as_deref().unwrap_or_default()),
        ("lastname", person.last_name.as_deref().unwrap_or_default()),
    ];
    let wrong = expected
        .into_iter()
        .find(|(name, value)| row.get(*name).and_then(|field| field.as_str()) != Some(value));
    wrong.map(|(name, _)| format!("an old {name} at the record endpoint"))
}

/// The listings that a member has, or had before its address changed.
pub(super) fn listings_of(world: &World, audience: usize, contact: &str) -> Vec<ListingView> {
    let collection = collection(audience);
    let first = world.ometria.listing(&collection, contact);
    let later = (1..).map_while(|number| {
        world
            .ometria
            .listing(&collection, &format!("{contact}~{number}"))
    });
    first.into_iter().chain(later).collect()
}

fn contact(world: &World, people: &People, audience: usize, person: &Person) -> Option<String> {
    let has_address = |listing: &ListingView| {
        let email = listing.fields.get("email").and_then(|email| email.as_str());
        email.is_some_and(|email| email.eq_ignore_ascii_case(&person.address))
    };
    let mut listings = listings_of(world, audience, &person.contact);
    listings.retain(has_address);
    let Some(latest) = listings.last() else {
        return Some("no listing with the member's address".to_owned());
    };
    let wrong = listing_differs(people, person, latest)?;
    // Of two records about one change Ometria may have taken the successor's and refused the other. Then the change counts as
    // refused, the former listing stays the member's, and the successor is left to the day when the member is gone.
    let refused = world.scenario.reject_every > 0;
    let another = refused
        && listings
            .iter()
            .any(|listing| listing_differs(people, person, listing).is_none());
    (!another).then_some(wrong)
}

fn listing_differs(people: &People, person: &Person, listing: &ListingView) -> Option<String> {
    if let Some(name) = &person.name
        && listing
            .fields
            .get("firstname")
            .and_then(|name| name.as_str())
            != Some(name)
    {
        return Some("an old name in the listing".to_owned());
    }
    let claim = listing.claim;
    let wrong = match person.status {
        Status::Subscribed => must_be_in(people, person) && claim != Some(Claim::OptedIn),
        Status::Unsubscribed => {
            claim != Some(Claim::OptedOut) || listing.forced_claim != Some(Claim::OptedOut)
        }
        Status::Cleaned => claim != Some(Claim::OptedOut),
        Status::Pending | Status::Transactional | Status::Archived => claim == Some(Claim::OptedIn),
    };
    wrong.then(|| {
        let forced = listing.forced_claim;
        format!(
            "{} and the listing claims {claim:?}, forced {forced:?}",
            person.status.as_str()
        )
    })
}

/// Whether nothing at all speaks against opting a subscribed member in.
///
/// Members about whom an opt-out is known that may still count are left out: what may be claimed about them is a matter
/// of rules that stand elsewhere, and [`super::consent`] sees to it that it is not too much.
fn must_be_in(people: &People, person: &Person) -> bool {
    let outs = people.outs.iter().map(|out| (&out.address, &out.contact));
    let haunted = people
        .haunted
        .iter()
        .map(|(address, contact)| (address, contact));
    let somebody_else = outs.chain(haunted).any(|(address, contact)| {
        address.eq_ignore_ascii_case(&person.address) && *contact != person.contact
    });
    let newer = match (person.opted_in, person.touched_while_out) {
        (_, None) => true,
        (Some(into), Some(out)) => into.timestamp() > out.timestamp(),
        (None, Some(_)) => false,
    };
    newer && !somebody_else
}
