//! What it costs to announce new records: the engine's own time of a first load into a sink that takes everything, with the
//! keys of new records written down before they are sent, and without.
//!
//! Run with `cargo run --release -p sync-local --example announcement_cost [RECORDS]`; on Linux, where the processor time of
//! a process can be read.

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use sync_core::{
    AsJson, Batch, BatchReader, Change, Clock, Cursor, Import, ImportId, JsonMapping, JsonRecord,
    Key, Keyed, LedgerEntry, LedgerKey, LedgerView, Mapping, Pipeline, Position, Prepared, Report,
    Result, Shutdown, Sink, Source, Stream, SystemClock,
};
use sync_local::LocalState;

/// Records a batch, as many as a page of the source has.
const PAGE: u64 = 1_000;
/// Rounds of both, in turn: a machine that is busy with something else is busy during both.
const ROUNDS: u32 = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    let records: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(500_000), |text| text.parse())?;
    for _ in 0..ROUNDS {
        for announces in [false, true] {
            let dir = tempfile::tempdir_in(".")?;
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let state = LocalState::open(dir.path(), &clock)?;
            let import = ImportId::new("cost");
            let inner = JsonMapping::new(import.scope(), Stream::new("records"));
            let mut pipeline = Pipeline::builder(
                import,
                Arc::new(Numbers { records }),
                Arc::new(Announcing { announces, inner }),
                Box::new(Nowhere),
                Arc::new(state.clone()),
            )
            .build();
            let (started, before) = (Instant::now(), processor_seconds()?);
            let run = pipeline.run(&Shutdown::never()).await;
            let (after, seconds) = (processor_seconds()?, started.elapsed().as_secs_f64());
            let a_million = (after - before) * 1e6 / records as f64;
            println!(
                "announced: {announces:5}  {:?} {} records, {seconds:.1} s, {a_million:.2} processor seconds a million",
                run.outcome, run.counts.accepted,
            );
            state.close().await;
        }
    }
    Ok(())
}

/// Of this process, its threads together. The kernel counts in hundredths of a second.
fn processor_seconds() -> std::result::Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, behind_name) = stat.rsplit_once(')').ok_or("not a stat file")?;
    let ticks = behind_name.split_whitespace().skip(11).take(2);
    Ok(ticks
        .filter_map(|text| text.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0)
}

struct Number(u64);

impl Keyed for Number {
    fn key(&self) -> Key {
        // Like a digest: spread without any order.
        let high = mix(self.0.wrapping_add(0x9e37_79b9_7f4a_7c15));
        Key::new(format!("{high:016x}{:016x}", mix(high)))
    }
}

impl AsJson for Number {
    fn as_json(&self) -> Bytes {
        format!("{{\"number\":{}}}", self.0).into()
    }
}

/// Spreads numbers without any order (the finalizer of splitmix64).
fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

struct Numbers {
    records: u64,
}

#[async_trait]
impl Source for Numbers {
    type Record = Number;

    fn name(&self) -> &'static str {
        "numbers"
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn read(&self, _: Position) -> Result<Box<dyn BatchReader<Change<Number>>>> {
        Ok(Box::new(Counting {
            next: 0,
            records: self.records,
        }))
    }

    async fn fetch(&self, keys: &[Key]) -> Result<Vec<Option<Number>>> {
        Ok(keys.iter().map(|_| None).collect())
    }

    fn keys(&self) -> Result<Option<Box<dyn BatchReader<Key>>>> {
        Ok(None)
    }
}

struct Counting {
    next: u64,
    records: u64,
}

#[async_trait]
impl BatchReader<Change<Number>> for Counting {
    async fn next_batch(&mut self) -> Result<Option<Batch<Change<Number>>>> {
        if self.next >= self.records {
            return Ok(None);
        }
        let until = self.records.min(self.next + PAGE);
        let items = (self.next..until).map(|n| Change::Present(Number(n)));
        let batch = Batch {
            resume: Some(Cursor {
                state: until.into(),
                complete_until: None,
            }),
            ..Batch::of(items.collect())
        };
        self.next = until;
        Ok(Some(batch))
    }
}

/// The mapping of JSON records, which announces, and the same without.
struct Announcing {
    announces: bool,
    inner: JsonMapping,
}

impl Mapping<Number, JsonRecord> for Announcing {
    fn lookups(&self, change: &Change<Number>) -> Vec<LedgerKey> {
        self.inner.lookups(change)
    }

    fn prepare(&self, change: Change<Number>, ledger: &LedgerView<'_>) -> Prepared<JsonRecord> {
        self.inner.prepare(change, ledger)
    }

    fn meanwhile(&self, known: Option<&LedgerEntry>, next: &LedgerEntry) -> Option<Box<[u8]>> {
        let inner: &dyn Mapping<Number, JsonRecord> = &self.inner;
        self.announces.then(|| inner.meanwhile(known, next))?
    }
}

/// Takes everything.
struct Nowhere;

#[async_trait]
impl Sink<JsonRecord> for Nowhere {
    fn name(&self) -> &'static str {
        "nowhere"
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn write(&mut self, _: Vec<JsonRecord>) -> Result<Report> {
        Ok(Report::default())
    }

    async fn flush(&mut self) -> Result<Report> {
        Ok(Report::default())
    }

    async fn abort(&mut self) {}
}
