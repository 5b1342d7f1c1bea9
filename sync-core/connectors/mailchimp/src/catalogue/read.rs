//! One read of a stream: many parents at once, progress in the order in which it may be stored.

mod batches;
mod gathering;
mod unit;
mod workers;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sync_core::{Clock, Result};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use self::batches::Ways;
use self::gathering::{Gathered, Gathering};
use self::unit::Unit;
use self::workers::Shared;
use super::account::CatalogueAccount;
use super::definition::{Changes, StreamDefinition};
use super::descent::{Descent, Lineage, Root};
use super::progress::Progress;
use super::record::StreamRecord;
use super::settings::StreamSettings;
use crate::background::Batches;
use crate::error::stopped;
use crate::notice::ReadHooks;

/// Pages of one parent that are asked for at once, while there are other parents.
const AHEAD_BELOW: usize = 2;

/// Pages of the only collection that are asked for at once.
const AHEAD: usize = 10;

/// What a read needs to know.
pub(super) struct Task {
    pub(super) account: CatalogueAccount,
    pub(super) definition: &'static StreamDefinition,
    pub(super) settings: StreamSettings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hooks: Arc<dyn ReadHooks>,
    pub(super) progress: Progress,
    pub(super) what: What,
}

/// What is wanted of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// What has changed, and batches with cursors.
    Changes,
    /// The keys of everything.
    Keys,
}

/// Reads the stream and hands over batches, until the end or until nobody takes them.
pub(super) async fn read(task: Task, batches: Batches<StreamRecord>) -> Result<()> {
    let Task {
        account,
        definition,
        settings,
        clock,
        hooks,
        mut progress,
        what,
    } = task;
    let now = clock.now();
    let periodic = definition.changes == Changes::Periodic && what == What::Changes;
    if periodic && progress.rests(now, settings.period()) {
        return Ok(());
    }
    let account_id = account.id().await?;
    let lineage = Arc::new(Lineage::of(definition)?);
    progress.begin(now, settings.full_read());
    let roots = lineage.roots(&account).await?;
    let shared = Arc::new(Shared {
        account,
        account_id,
        lineage,
        since: since(definition, &progress, &settings),
        full: progress.full,
        what,
        ahead: if definition.parent.is_some() {
            AHEAD_BELOW
        } else {
            AHEAD
        },
        hooks,
    });
    let (units, waiting) = mpsc::channel(settings.parents_at_once);
    let waiting = Arc::new(Mutex::new(waiting));
    let (teller, told) = mpsc::channel(settings.parents_at_once);
    // Dropped with this future: nothing goes on reading for nobody.
    let mut tasks = JoinSet::new();
    for _ in 0..settings.parents_at_once {
        tasks.spawn(shared.clone().work(waiting.clone(), teller.clone()));
    }
    drop(waiting);
    let gated = shared.lineage.has_gate();
    let names: BTreeSet<String> = roots.iter().map(Root::name).collect();
    if gated {
        let due = due(roots, &progress);
        let ways = Ways::choose(definition, due, &mut progress, &settings);
        tasks.spawn(hand_out(ways.by_pages, units.clone()));
        let by_batches = ways.by_batches;
        tasks.spawn(shared.clone().batch(by_batches, units, teller.clone()));
    } else {
        let descent = Descent::new(roots, progress.after.clone());
        tasks.spawn(shared.clone().descend(descent, units, teller.clone()));
    }
    drop(teller);
    let mut gathering = Gathering::new(definition.name, progress, gated);
    gathering.drain(told, &batches, what).await?;
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| stopped().caused_by(error))?;
    }
    if what == What::Changes && !gathering.nobody_listens {
        if let Some(notice) = gathering.notice() {
            shared.hooks.on_notice(definition.name, &notice);
        }
        gathering.progress.end(gathering.failed > 0);
        if gated {
            // Whoever is gone needs no gate any more.
            gathering
                .progress
                .parents
                .retain(|name, _| names.contains(name));
        }
        let last = gathering.batch(Gathered::default(), true)?;
        batches.send(last).await;
    }
    Ok(())
}

/// The parents whose gate has moved since they were read.
fn due(roots: Vec<Root>, progress: &Progress) -> Vec<Unit> {
    roots
        .into_iter()
        .map(|root| (root.name(), root))
        .filter(|(name, root)| progress.is_due(name, root.gate.unwrap_or_default()))
        .enumerate()
        .map(|(index, (name, root))| Unit {
            index,
            until: progress.parents.get(&name).and_then(|read| read.until),
            ids: root.ids,
            gate: root.gate,
            rows: root.rows,
            first: None,
        })
        .collect()
}

/// The filter of a read that does not read everything.
fn since(
    definition: &'static StreamDefinition,
    progress: &Progress,
    settings: &StreamSettings,
) -> Option<(&'static str, String)> {
    let Changes::Since { parameter, .. } = definition.changes else {
        return None;
    };
    let until = progress.complete_until.filter(|_| !progress.full)?;
    let since = until.checked_sub_signed(settings.lookback())?;
    Some((parameter, query_time(since)))
}

fn query_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

async fn hand_out(due: Vec<Unit>, units: mpsc::Sender<Unit>) {
    for unit in due {
        if units.send(unit).await.is_err() {
            return;
        }
    }
}
