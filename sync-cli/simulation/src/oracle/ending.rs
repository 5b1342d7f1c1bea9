//! Once the world stands still and one more run is over, the sink is what the source is.

use ometria_simulator::Claim;
use serde_json::Value;

use super::delivered;
use crate::scenario::SinkKind;
use crate::world::{Kind, World, audience_id};

/// No member missing, none stale, none too many.
pub(crate) fn sink_equals_source(world: &World) {
    for index in 0..world.scenario.imports.len() {
        if let Some(what) = everyone_is_there(world, index).or_else(|| nobody_else_is(world, index))
        {
            world.fail(
                Kind::Ending,
                format!("in the end, at the sink of import {index}: {what}"),
            );
        }
    }
}

fn everyone_is_there(world: &World, index: usize) -> Option<String> {
    let plan = world.scenario.imports.get(index)?;
    let people = world.people();
    let handle = world.mailchimp.audience(&audience_id(plan.audience));
    let truth = handle.members();
    if truth.len() != people.audiences[plan.audience].len() {
        return Some("the simulation lost count of the members".to_owned());
    }
    for member in truth {
        let Some(person) = people.audiences[plan.audience].get(&member.contact_id) else {
            return Some(format!(
                "the simulation does not know {}",
                member.contact_id
            ));
        };
        if person.status != member.status || person.address != member.email_address {
            return Some(format!(
                "the simulation is wrong about {}",
                member.contact_id
            ));
        }
        if let Some(what) = delivered::differs(world, &people, index, person) {
            return Some(format!("{} of {}: {what}", person.contact, person.touched));
        }
        if plan.sink == SinkKind::Rows {
            let row = world.rows.get(&index)?.get(&person.contact);
            let row = row.and_then(|row| serde_json::from_slice::<Value>(&row).ok());
            if row != handle.member(&person.contact) {
                return Some(format!(
                    "{}: not the row that the source has",
                    person.contact
                ));
            }
        }
    }
    None
}

/// Whoever is gone from the source is gone from the sink.
fn nobody_else_is(world: &World, index: usize) -> Option<String> {
    let plan = world.scenario.imports.get(index)?;
    let people = world.people();
    let present = &people.audiences[plan.audience];
    match plan.sink {
        SinkKind::Rows => {
            let rows = world.rows.get(&index)?.all();
            let extra = rows
                .keys()
                .find(|key| !present.contains_key(key.as_str()))?;
            Some(format!("{extra} is gone from the source and still there"))
        }
        SinkKind::Contacts => {
            let collection = crate::process::collection(plan.audience);
            let of_audience = world
                .ometria
                .listings()
                .into_iter()
                .filter(|it| it.collection == collection);
            let mut still_in = of_audience.filter(|listing| {
                let contact = listing.id.split('~').next().unwrap_or_default();
                listing.claim != Some(Claim::OptedOut) && !present.contains_key(contact)
            });
            let still = still_in.next()?;
            Some(format!(
                "{} is gone from the source and claims {:?}",
                still.id, still.claim
            ))
        }
        // Rows cannot be taken back there.
        SinkKind::Records => None,
    }
}
