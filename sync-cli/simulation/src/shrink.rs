//! Making a failing scenario small enough to read.

use std::time::Duration;

use crate::bug::Bug;
use crate::scenario::{AudiencePlan, Scenario, ServerDate, TimeFilters};

type Reduction = fn(&mut Scenario);

/// What is tried, the largest simplifications first. Each leaves a scenario that is already so as it is.
const REDUCTIONS: [Reduction; 34] = [
    |it| it.imports.truncate(1),
    |it| it.imports.truncate(2),
    |it| it.directory = false,
    |it| it.mailchimp_faults = 0.0,
    |it| it.sink_faults = 0.0,
    |it| it.state_faults = 0.0,
    |it| it.reject_every = 0,
    |it| it.kills = 0,
    |it| it.kills /= 2,
    |it| it.kills = it.kills.saturating_sub(1),
    |it| it.edits = 0,
    |it| it.clock_jumps = 0,
    |it| it.mutations = 0,
    |it| it.mutations /= 2,
    |it| it.mutations -= it.mutations / 8,
    |it| it.mutations = it.mutations.saturating_sub(1),
    |it| it.rounds = 1,
    |it| it.rounds = (it.rounds - 1).max(1),
    |it| each(it, |audience| audience.members = 0),
    |it| each(it, |audience| audience.members /= 2),
    |it| each(it, |audience| audience.members -= audience.members / 8),
    |it| {
        each(it, |audience| {
            audience.members = audience.members.saturating_sub(1);
        });
    },
    |it| each(it, |audience| audience.bursts = 0),
    |it| it.visibility_lag = Duration::ZERO,
    |it| it.mutation_chance = 0.0,
    |it| it.workers = 1,
    |it| it.date = ServerDate::Right,
    |it| it.filters = TimeFilters::default(),
    |it| it.totals_low_by = 0,
    |it| it.future_stamps = Duration::ZERO,
    |it| it.drain_rate = None,
    |it| it.older_rules = false,
    |it| it.commit_records = 20_000,
    |it| it.page = 50,
];

/// Changes every audience.
fn each(scenario: &mut Scenario, change: fn(&mut AudiencePlan)) {
    scenario.audiences.iter_mut().for_each(change);
}

impl Scenario {
    /// The smallest scenario found that still goes wrong in the same way.
    ///
    /// Plays it a few hundred times.
    #[must_use]
    pub fn shrunk(&self, bug: Option<Bug>) -> Self {
        let mut smallest = self.clone();
        let kind = |scenario: &Self| scenario.play(bug, false).violation.map(|found| found.kind);
        let wanted = kind(self);
        if wanted.is_none() {
            return smallest;
        }
        loop {
            let before = smallest.clone();
            for reduce in REDUCTIONS {
                let mut smaller = smallest.clone();
                reduce(&mut smaller);
                if smaller != smallest && kind(&smaller) == wanted {
                    smallest = smaller;
                }
            }
            if smallest == before {
                return smallest;
            }
        }
    }
}
