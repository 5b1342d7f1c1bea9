//! What must be true, judged by what the people did and by what the services hold. Asks no code under test.

mod consent;
mod delivered;
mod ending;

use std::collections::HashSet;

use chrono::{DateTime, SubsecRound, Utc};
use sync_core::Key;

use crate::scenario::SinkKind;
use crate::world::{Kind, World};

pub(crate) use self::consent::nobody_was_opted_in_again;
pub(crate) use self::ending::sink_equals_source;

/// No checkpoint is ahead of what the sink took.
///
/// Everyone who did not change since well before the run began that first said so, and whose last change lies within what the checkpoint
/// calls complete, is at the sink as the source has them, or was named as rejected.
pub(crate) fn after_commit(
    world: &World,
    import: usize,
    until: Option<DateTime<Utc>>,
    rejected: &HashSet<Key>,
) {
    let Some(until) = until else { return };
    let Some(began) = world.covers(import, until) else {
        return;
    };
    let Some(plan) = world.scenario.imports.get(import) else {
        return;
    };
    // What waits has been taken, and shows later.
    if plan.sink == SinkKind::Contacts && world.ometria.waiting() > 0 {
        return;
    }
    let people = world.people();
    for person in people.audiences[plan.audience].values() {
        let covered =
            person.touched.trunc_subsecs(0) <= until && world.shows(person.touched) <= began;
        if !covered || rejected.contains(&Key::new(person.contact.as_str())) {
            continue;
        }
        if let Some(what) = delivered::differs(world, &people, import, person) {
            world.fail(
                Kind::Checkpoint,
                format!(
                    "import {import} is committed as complete until {until}, but {} of {}: {what}",
                    person.contact, person.touched,
                ),
            );
            return;
        }
    }
}
