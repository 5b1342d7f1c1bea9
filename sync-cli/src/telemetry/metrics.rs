//! Counters and gauges in Prometheus form. [`docs::metrics`](crate::docs::metrics) explains each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};
use sync_core::{Clock, Event, ImportId, Observer, RunContext, RunRecord};

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// Upper bounds in seconds: from one quick request to a first load of millions.
const RUN_BUCKETS: [f64; 9] = [
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 10_800.0, 43_200.0,
];

/// Upper bounds in seconds: from this machine to the server's own time limit.
const REQUEST_BUCKETS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// Name, unit and meaning of every counter.
const COUNTERS: [(&str, Unit, &str); 12] = [
    (
        "sync_runs_total",
        Unit::Count,
        "Runs that ended, by import and outcome.",
    ),
    (
        "sync_records_read_total",
        Unit::Count,
        "Changes the source gave.",
    ),
    (
        "sync_records_unchanged_total",
        Unit::Count,
        "Changes the sink already had or has no use for.",
    ),
    (
        "sync_records_accepted_total",
        Unit::Count,
        "Changes the sink took.",
    ),
    (
        "sync_records_rejected_total",
        Unit::Count,
        "Changes refused by mapping or sink.",
    ),
    (
        "sync_records_removed_total",
        Unit::Count,
        "Changes that were removals.",
    ),
    (
        "sync_failed_windows_total",
        Unit::Count,
        "Windows that could not be read.",
    ),
    ("sync_commits_total", Unit::Count, "Commits."),
    (
        "sync_requests_total",
        Unit::Count,
        "HTTP requests, by API, endpoint and outcome.",
    ),
    (
        "sync_retries_total",
        Unit::Count,
        "HTTP requests that were repeated, by API.",
    ),
    (
        "sync_response_bytes_total",
        Unit::Bytes,
        "Decoded bytes of answers, by API.",
    ),
    (
        "sync_notices_total",
        Unit::Count,
        "Things the sink noticed that are no rejection, by kind.",
    ),
];

const GAUGES: [(&str, Unit, &str); 6] = [
    (
        "sync_last_success_timestamp_seconds",
        Unit::Seconds,
        "When the last complete run ended.",
    ),
    (
        "sync_lag_seconds",
        Unit::Seconds,
        "Now minus the time up to which everything is delivered.",
    ),
    (
        "sync_run_active",
        Unit::Count,
        "1 while a run of the import is going on.",
    ),
    (
        "sync_requests_in_flight",
        Unit::Count,
        "Connections taken now, by account.",
    ),
    (
        "sync_connection_limit",
        Unit::Count,
        "Connections the client allows itself now, by account.",
    ),
    (
        "sync_expected_records",
        Unit::Count,
        "Records the run in progress expects to read.",
    ),
];

const HISTOGRAMS: [(&str, &str); 2] = [
    ("sync_run_duration_seconds", "How long runs took."),
    (
        "sync_request_duration_seconds",
        "How long HTTP requests took, by API.",
    ),
];

/// Answers how many connections are taken and how many are allowed.
type Connections = Box<dyn Fn() -> (usize, usize) + Send + Sync>;

/// All metrics of one process or one embedding. Not global: several may exist.
pub struct Metrics {
    recorder: PrometheusRecorder,
    clock: Arc<dyn Clock>,
    complete_until: Mutex<BTreeMap<ImportId, DateTime<Utc>>>,
    connections: Mutex<BTreeMap<String, Connections>>,
}

impl Metrics {
    /// Metrics that start at zero. `clock` tells the time for lags and timestamps.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let builder = PrometheusBuilder::new();
        let builder = with_buckets(builder, "sync_run_duration_seconds", &RUN_BUCKETS);
        let builder = with_buckets(builder, "sync_request_duration_seconds", &REQUEST_BUCKETS);
        let recorder = builder.build_recorder();
        for (name, unit, description) in COUNTERS {
            recorder.describe_counter(name.into(), Some(unit), description.into());
        }
        for (name, unit, description) in GAUGES {
            recorder.describe_gauge(name.into(), Some(unit), description.into());
        }
        for (name, description) in HISTOGRAMS {
            recorder.describe_histogram(name.into(), Some(Unit::Seconds), description.into());
        }
        Self {
            recorder,
            clock,
            complete_until: Mutex::default(),
            connections: Mutex::default(),
        }
    }

    /// The page a Prometheus server reads. Lags and connection gauges are computed now.
    pub fn render(&self) -> String {
        let now = self.clock.now();
        for (import, until) in &*lock(&self.complete_until) {
            let lag = (now - *until).to_std().unwrap_or_default();
            self.gauge("sync_lag_seconds", import)
                .set(lag.as_secs_f64());
        }
        for (account, connections) in &*lock(&self.connections) {
            let (in_flight, limit) = connections();
            let label = [("account", account.clone())];
            self.labelled_gauge("sync_requests_in_flight", &label)
                .set(in_flight as f64);
            self.labelled_gauge("sync_connection_limit", &label)
                .set(limit as f64);
        }
        self.recorder.handle().render()
    }

    /// Reports the connections of an account from now on: how many are taken, how many allowed.
    pub fn watch_connections(
        &self,
        account: &str,
        connections: impl Fn() -> (usize, usize) + Send + Sync + 'static,
    ) {
        lock(&self.connections).insert(account.to_owned(), Box::new(connections));
    }

    /// Everything up to `until` is delivered, as the state knows from earlier processes.
    pub fn delivered_until(&self, import: &ImportId, until: DateTime<Utc>) {
        lock(&self.complete_until).insert(import.clone(), until);
    }

    /// Stops reporting how far imports are that are not configured any more: their lag is not a number from now on.
    pub fn keep_only(&self, configured: impl Fn(&ImportId) -> bool) {
        lock(&self.complete_until).retain(|import, _| {
            let kept = configured(import);
            if !kept {
                self.gauge("sync_lag_seconds", import).set(f64::NAN);
            }
            kept
        });
    }

    /// One HTTP request ended.
    pub fn request(
        &self,
        api: &'static str,
        endpoint: String,
        outcome: String,
        elapsed: Duration,
        bytes: u64,
    ) {
        let labels = [
            ("api", api.to_owned()),
            ("endpoint", endpoint),
            ("outcome", outcome),
        ];
        self.labelled_counter("sync_requests_total", &labels)
            .increment(1);
        let api = [("api", api.to_owned())];
        if bytes > 0 {
            self.labelled_counter("sync_response_bytes_total", &api)
                .increment(bytes);
        }
        self.histogram("sync_request_duration_seconds", &api)
            .record(elapsed.as_secs_f64());
    }

    /// One HTTP request will be repeated.
    pub fn retry(&self, api: &'static str) {
        self.labelled_counter("sync_retries_total", &[("api", api.to_owned())])
            .increment(1);
    }

    /// The sink noticed something that is no rejection.
    pub fn notice(&self, kind: &'static str, count: u64) {
        self.labelled_counter("sync_notices_total", &[("kind", kind.to_owned())])
            .increment(count);
    }

    fn finished(&self, import: &ImportId, record: &RunRecord) {
        let outcome = record.outcome.map_or("unknown", sync_core::Outcome::as_str);
        let labels = [
            ("import", import.to_string()),
            ("outcome", outcome.to_owned()),
        ];
        self.labelled_counter("sync_runs_total", &labels)
            .increment(1);
        self.histogram(
            "sync_run_duration_seconds",
            &[("import", import.to_string())],
        )
        .record(record.elapsed.as_secs_f64());
        self.gauge("sync_run_active", import).set(0.0);
        self.counter("sync_records_rejected_total", import)
            .increment(record.counts.rejected);
        self.counter("sync_records_removed_total", import)
            .increment(record.counts.removed);
        if record.outcome == Some(sync_core::Outcome::Complete) {
            let seconds = self.clock.now().timestamp_millis() as f64 / 1_000.0;
            self.gauge("sync_last_success_timestamp_seconds", import)
                .set(seconds);
        }
        if let Some(until) = record.complete_until {
            self.delivered_until(import, until);
        }
    }

    fn counter(&self, name: &'static str, import: &ImportId) -> Counter {
        self.labelled_counter(name, &[("import", import.to_string())])
    }

    fn gauge(&self, name: &'static str, import: &ImportId) -> Gauge {
        self.labelled_gauge(name, &[("import", import.to_string())])
    }

    fn labelled_counter(&self, name: &'static str, labels: &[(&'static str, String)]) -> Counter {
        self.recorder
            .register_counter(&key(name, labels), &METADATA)
    }

    fn labelled_gauge(&self, name: &'static str, labels: &[(&'static str, String)]) -> Gauge {
        self.recorder.register_gauge(&key(name, labels), &METADATA)
    }

    fn histogram(&self, name: &'static str, labels: &[(&'static str, String)]) -> Histogram {
        self.recorder
            .register_histogram(&key(name, labels), &METADATA)
    }
}

fn with_buckets(builder: PrometheusBuilder, name: &str, bounds: &[f64]) -> PrometheusBuilder {
    // Only an empty list of bounds is refused.
    builder
        .set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds)
        .unwrap_or_else(|_| PrometheusBuilder::new())
}

fn key(name: &'static str, labels: &[(&'static str, String)]) -> Key {
    let labels: Vec<Label> = labels
        .iter()
        .map(|(name, value)| Label::new(*name, value.clone()))
        .collect();
    Key::from_parts(name, labels)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Observer for Metrics {
    fn on_event(&self, run: &RunContext, event: &Event<'_>) {
        let import = &run.import;
        match event {
            Event::Started => self.gauge("sync_run_active", import).set(1.0),
            Event::BatchRead {
                records,
                expected_total,
            } => {
                self.counter("sync_records_read_total", import)
                    .increment(*records);
                if let Some(expected) = expected_total {
                    self.gauge("sync_expected_records", import)
                        .set(*expected as f64);
                }
            }
            Event::BatchWritten { unchanged, .. } => {
                self.counter("sync_records_unchanged_total", import)
                    .increment(*unchanged);
            }
            Event::PartFailed { .. } => {
                self.counter("sync_failed_windows_total", import)
                    .increment(1);
            }
            Event::Committed {
                accepted,
                complete_until,
                ..
            } => {
                self.counter("sync_commits_total", import).increment(1);
                self.counter("sync_records_accepted_total", import)
                    .increment(*accepted);
                if let Some(until) = complete_until {
                    self.delivered_until(import, *until);
                }
            }
            Event::Finished(record) => self.finished(import, record),
            _ => {}
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use sync_core::{Counts, Outcome, RunId};

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn context() -> RunContext {
        RunContext {
            import: ImportId::new("abc"),
            run: RunId::starting_at(at(1_000)),
        }
    }

    #[test]
    fn a_finished_run_is_counted_and_its_lag_grows_with_the_clock() {
        let metrics = Metrics::new(Arc::new(|| at(1_500)));
        let record = RunRecord {
            id: context().run,
            import: context().import,
            started: at(1_000),
            elapsed: Duration::from_secs(7),
            outcome: Some(Outcome::Complete),
            counts: Counts {
                read: 3,
                rejected: 2,
                ..Counts::default()
            },
            complete_until: Some(at(990)),
            error: None,
            error_kind: None,
        };
        metrics.on_event(
            &context(),
            &Event::BatchRead {
                records: 3,
                expected_total: Some(9),
            },
        );
        metrics.on_event(&context(), &Event::Finished(&record));
        let page = metrics.render();
        for line in [
            "sync_runs_total{import=\"abc\",outcome=\"complete\"} 1",
            "sync_records_read_total{import=\"abc\"} 3",
            "sync_records_rejected_total{import=\"abc\"} 2",
            "sync_expected_records{import=\"abc\"} 9",
            "sync_last_success_timestamp_seconds{import=\"abc\"} 1500",
            "sync_lag_seconds{import=\"abc\"} 510",
            "sync_run_duration_seconds_bucket{import=\"abc\",le=\"15\"} 1",
        ] {
            assert!(
                page.lines().any(|found| found == line),
                "{line} is not in\n{page}"
            );
        }
    }

    #[test]
    fn every_metric_is_in_the_reference() {
        let reference = include_str!("../docs/metrics.md");
        let names = COUNTERS
            .iter()
            .map(|counter| counter.0)
            .chain(GAUGES.iter().map(|gauge| gauge.0))
            .chain(HISTOGRAMS.iter().map(|histogram| histogram.0));
        for name in names {
            assert!(reference.contains(&format!("`{name}`")), "{name}");
        }
    }
}
