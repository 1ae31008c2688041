//! Metrics of an open `Kv`: a few additions for each operation, and no lock.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The kinds of operation, by the names that they have in the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Keys read: a `getMany` of ten is ten.
    Get,
    /// Pages of lists.
    List,
    /// Counts.
    Count,
    /// Pages of searches.
    Search,
    /// Commits of one set.
    Set,
    /// Commits of deletes alone.
    Delete,
    /// Commits of one touch.
    Touch,
    /// Commits of one patch.
    Patch,
    /// Commits of one message.
    Enqueue,
    /// All other commits.
    Atomic,
    /// Pages of the change log, and batches of watches.
    Changes,
    /// Claims and settlements of listeners.
    Queue,
    /// Locks, consumers, dead letters, trims, indexes.
    Other,
}

const NAMES: [&str; 13] = [
    "get", "list", "count", "search", "set", "delete", "touch", "patch", "enqueue", "atomic", "changes",
    "queue", "other",
];

/// The upper bounds of the latency buckets, in microseconds; one more has the longer ones.
const BUCKETS_US: [u64; 14] =
    [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000];

#[derive(Debug, Default)]
struct Counted {
    count: AtomicU64,
    errors: AtomicU64,
    total_ns: AtomicU64,
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
}

/// The counts of one `Kv`.
#[derive(Debug, Default)]
pub struct Metrics {
    operations: [Counted; NAMES.len()],
}

impl Metrics {
    /// Counts operations that ran together, each with the time of all of them.
    pub fn note(&self, operation: Operation, number: u64, took: Duration, ok: bool) {
        let Some(counted) = self.operations.get(operation as usize) else { return };
        counted.count.fetch_add(number, Ordering::Relaxed);
        if !ok {
            counted.errors.fetch_add(number, Ordering::Relaxed);
        }
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        counted.total_ns.fetch_add(ns.saturating_mul(number), Ordering::Relaxed);
        let bucket = BUCKETS_US.partition_point(|end| end * 1_000 < ns);
        if let Some(bucket) = counted.buckets.get(bucket) {
            bucket.fetch_add(number, Ordering::Relaxed);
        }
    }

    /// As JSON: `{"get":{"count":…,"errors":…,"avgLatencyMs":…},…}`, without operations that never happened.
    #[must_use]
    pub fn json(&self) -> String {
        let mut text = String::from("{");
        for (name, counted) in self.counted() {
            let count = counted.count.load(Ordering::Relaxed);
            let errors = counted.errors.load(Ordering::Relaxed);
            let comma = if text.len() > 1 { "," } else { "" };
            let average = seconds(counted) * 1_000.0 / as_f64(count.max(1));
            // Writing to memory cannot fail.
            let _ = write!(
                text,
                "{comma}\"{name}\":{{\"count\":{count},\"errors\":{errors},\"avgLatencyMs\":{average:.6}}}"
            );
        }
        text.push('}');
        text
    }

    /// In the text format of Prometheus.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut text = String::new();
        for (metric, help, kind) in [
            ("operations_total", "Operations, by their name.", "counter"),
            ("operation_errors_total", "Operations that failed.", "counter"),
            ("operation_duration_seconds", "How long operations took.", "histogram"),
        ] {
            let _ = writeln!(text, "# HELP keyval_{metric} {help}\n# TYPE keyval_{metric} {kind}");
            for (name, counted) in self.counted() {
                let label = format!("operation=\"{name}\"");
                match metric {
                    "operations_total" => line(&mut text, metric, &label, &counted.count),
                    "operation_errors_total" => line(&mut text, metric, &label, &counted.errors),
                    _ => histogram(&mut text, metric, &label, counted),
                }
            }
        }
        text
    }

    fn counted(&self) -> impl Iterator<Item = (&'static str, &Counted)> {
        let all = NAMES.into_iter().zip(&self.operations);
        all.filter(|(_, counted)| counted.count.load(Ordering::Relaxed) > 0)
    }
}

#[allow(clippy::cast_precision_loss)]
fn as_f64(count: u64) -> f64 {
    count as f64
}

fn seconds(counted: &Counted) -> f64 {
    as_f64(counted.total_ns.load(Ordering::Relaxed)) / 1e9
}

fn line(text: &mut String, metric: &str, label: &str, count: &AtomicU64) {
    let _ = writeln!(text, "keyval_{metric}{{{label}}} {}", count.load(Ordering::Relaxed));
}

/// Buckets are cumulative there.
fn histogram(text: &mut String, metric: &str, label: &str, counted: &Counted) {
    let mut sum = 0;
    let ends = BUCKETS_US.iter().map(|us| (as_f64(*us) / 1e6).to_string()).chain(["+Inf".to_string()]);
    for (end, bucket) in ends.zip(&counted.buckets) {
        sum += bucket.load(Ordering::Relaxed);
        let _ = writeln!(text, "keyval_{metric}_bucket{{{label},le=\"{end}\"}} {sum}");
    }
    let _ = writeln!(text, "keyval_{metric}_sum{{{label}}} {}", seconds(counted));
    let _ = writeln!(text, "keyval_{metric}_count{{{label}}} {sum}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_reported() {
        let metrics = Metrics::default();
        assert_eq!(metrics.json(), "{}");
        metrics.note(Operation::Get, 2, Duration::from_micros(7), true);
        metrics.note(Operation::Get, 1, Duration::from_secs(9), false);
        assert_eq!(metrics.json(), r#"{"get":{"count":3,"errors":1,"avgLatencyMs":3000.004667}}"#);
        let text = metrics.prometheus();
        for line in [
            "keyval_operations_total{operation=\"get\"} 3",
            "keyval_operation_errors_total{operation=\"get\"} 1",
            "keyval_operation_duration_seconds_bucket{operation=\"get\",le=\"0.000005\"} 0",
            "keyval_operation_duration_seconds_bucket{operation=\"get\",le=\"0.00001\"} 2",
            "keyval_operation_duration_seconds_bucket{operation=\"get\",le=\"1\"} 2",
            "keyval_operation_duration_seconds_bucket{operation=\"get\",le=\"+Inf\"} 3",
            "keyval_operation_duration_seconds_count{operation=\"get\"} 3",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
        }
    }
}
