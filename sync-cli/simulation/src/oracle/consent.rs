//! Nobody who opted out is opted in, at any instant.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ometria_simulator::{Claim, ConsentChange};

use crate::people::{OptOut, People};
use crate::process::{PASSES, collection};
use crate::scenario::SinkKind;
use crate::world::{Kind, RunTimes, World};

/// Goes through everything that ever happened to anybody's consent at Ometria.
///
/// Opting in is wrong if the newest decision of the person that the importer could know was an opt-out, in any audience:
/// one that showed when the run began that sent the opt-in and still shows, or one that an earlier complete run saw.
pub(crate) fn nobody_was_opted_in_again(world: &World) {
    let people = world.people();
    let addresses: BTreeSet<&str> = people.outs.iter().map(|out| out.address.as_str()).collect();
    for address in addresses {
        let mut may_mail = None;
        for change in world.ometria.consent_history(address) {
            let becomes_in = change.profile == Some(true) && may_mail != Some(true);
            may_mail = change.profile;
            let claims_in = change.claim == Some(Claim::OptedIn);
            if claims_in && change.forced {
                world.fail(Kind::Consent, "an opt-in was forced".to_owned());
                return;
            }
            if !becomes_in && !claims_in {
                continue;
            }
            if let Some(out) = stands_against(world, &people, address, &change) {
                let what = if becomes_in {
                    "opted in"
                } else {
                    "claimed to be opted in"
                };
                world.fail(Kind::Consent, format!(
                    "{what} at {} by listing {:?} of {:?}, though {} had opted out of audience {} at {}",
                    change.at,
                    change.id,
                    change.collection,
                    out.contact,
                    out.audience,
                    out.at,
                ));
                return;
            }
        }
    }
}

/// The opt-out that the importer knew and that no opt-in is newer than.
fn stands_against<'a>(
    world: &World,
    people: &'a People,
    address: &str,
    change: &ConsentChange,
) -> Option<&'a OptOut> {
    let claims_in = change.claim == Some(Claim::OptedIn);
    // What a record claims is the doing of the run that sent it, however long it waited to be worked off.
    let came = if claims_in {
        change.accepted_at
    } else {
        change.at
    };
    let run = sender(world, change, came)?;
    people
        .outs
        .iter()
        .filter(|out| out.address == address)
        .find(|out| {
            if importer_of(world, out.audience).is_none() {
                return false;
            }
            let newer = |at: DateTime<Utc>| at > out.at && at <= change.at;
            let opted_in = people
                .ins
                .iter()
                .any(|into| into.address == address && newer(into.at));
            !opted_in && (showed(world, out, &run, came) || was_seen(world, out, &run))
        })
}

/// The import of an audience's contacts.
fn importer_of(world: &World, audience: usize) -> Option<usize> {
    let imports = &mut world.scenario.imports.iter();
    imports.position(|import| import.sink == SinkKind::Contacts && import.audience == audience)
}

/// The run that sent this. Not one that begins in the moment in which it came, after another was killed: it has to read first.
fn sender(world: &World, change: &ConsentChange, came: DateTime<Utc>) -> Option<RunTimes> {
    let import = world.scenario.imports.iter().position(|import| {
        import.sink == SinkKind::Contacts
            && change.collection.as_deref() == Some(collection(import.audience).as_str())
    })?;
    world.runs(import).into_iter().rfind(|run| run.began < came)
}

/// Whether the opt-out showed from the run's beginning to this moment, untouched since before.
fn showed(world: &World, out: &OptOut, run: &RunTimes, at: DateTime<Utc>) -> bool {
    is_read_by(world, out, run) && out.hidden.is_none_or(|hidden| hidden > at)
}

/// Whether a run reads the opt-out, if it stays as it is. Passes over opt-outs read whatever shows when they begin; other
/// reads stop before the present.
fn is_read_by(world: &World, out: &OptOut, run: &RunTimes) -> bool {
    if world.has_passes() {
        world.shows_somewhere(out.changed) <= run.began
    } else {
        world.is_readable_by(run, out.stamped)
    }
}

/// Whether a run of the audience that was complete before this one saw it.
fn was_seen(world: &World, out: &OptOut, before: &RunTimes) -> bool {
    let runs = [
        importer_of(world, out.audience),
        Some(PASSES + out.audience),
    ]
    .into_iter()
    .flatten();
    runs.flat_map(|import| world.runs(import)).any(|run| {
        is_read_by(world, out, &run)
            && run.completed.is_some_and(|completed| {
                completed <= before.began && out.hidden.is_none_or(|hidden| hidden > completed)
            })
    })
}
