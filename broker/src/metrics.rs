//! What is counted, and how it is told.
//!
//! A broker has its own counters, so that several may run in a process. Counting is an atomic
//! addition; everything else happens when somebody asks.
//!
//! Must always hold: a series is in [`TABLE`] or isn't told; no label has values that clients
//! choose, but for the names of groups, whose series are bounded.

mod render;
mod table;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use logboom_protocol::{ApiKey, ErrorCode};

pub(crate) use render::Exposition;
pub(crate) use table::{Kind, TABLE};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicI64);

impl Gauge {
    pub(crate) fn move_by(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, count: usize) {
        self.0.store(i64::try_from(count).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A part of a whole, 0 to 1, that is set now and then.
#[derive(Debug, Default)]
pub(crate) struct Ratio(AtomicU64);

impl Ratio {
    pub(crate) fn set(&self, ratio: f64) {
        self.0.store(ratio.to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// The upper bounds of a histogram's buckets in microseconds, inclusive.
pub(crate) const BOUNDS_US: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 5_000_000, 30_000_000,
];

/// How long something took, by buckets.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// The last is for what is longer than every bound.
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    pub(crate) fn observe(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// The counts of the buckets, each with those before it, and the sum in microseconds.
    pub(crate) fn read(&self) -> ([u64; BOUNDS_US.len() + 1], u64) {
        let mut all = 0;
        let counts = std::array::from_fn(|index| {
            all += self.buckets[index].load(Ordering::Relaxed);
            all
        });
        (counts, self.sum_us.load(Ordering::Relaxed))
    }
}

/// What is counted of an API.
#[derive(Debug, Default)]
pub(crate) struct ApiMetrics {
    /// From the request's last byte to the answer's first.
    pub(crate) seconds: Histogram,
    /// Connections that were closed instead of an answer.
    pub(crate) closed: Counter,
}

/// APIs have numbers below this, in the protocol of clients.
const APIS: usize = 128;
/// Errors have numbers from −1; what is greater shares the last place.
const ERRORS: usize = 160;

/// How often each error was answered.
#[derive(Debug)]
pub(crate) struct Errors(Box<[Counter]>);

impl Default for Errors {
    fn default() -> Self {
        Self((0..ERRORS).map(|_| Counter::default()).collect())
    }
}

impl Errors {
    /// Counts an answer, if it is an error.
    pub(crate) fn count(&self, code: ErrorCode) {
        if code != ErrorCode::NONE {
            let index = usize::try_from(i32::from(code.0) + 1).unwrap_or(0).min(ERRORS - 1);
            self.0[index].add(1);
        }
    }

    /// Those that were answered, and how often.
    pub(crate) fn read(&self) -> impl Iterator<Item = (ErrorCode, u64)> {
        let codes = (-1_i16..).map(ErrorCode);
        codes.zip(self.0.iter().map(Counter::get)).filter(|(_, count)| *count > 0)
    }
}

/// The counters of a broker.
#[derive(Debug)]
pub(crate) struct Metrics {
    apis: Box<[ApiMetrics]>,
    pub(crate) produce_errors: Errors,
    pub(crate) fetch_errors: Errors,
    pub(crate) received_bytes: Counter,
    pub(crate) sent_bytes: Counter,
    pub(crate) connections_accepted: Counter,
    pub(crate) connections_refused: Counter,
    pub(crate) connections_expelled: Counter,
    pub(crate) connections_open: Gauge,
    pub(crate) queued_bytes: Gauge,
    pub(crate) queued_response_bytes: Gauge,
    pub(crate) produce_batches: Counter,
    pub(crate) produce_records: Counter,
    pub(crate) produce_bytes: Counter,
    pub(crate) flush_seconds: Histogram,
    pub(crate) flushes_failed: Counter,
    pub(crate) controller_decisions: Counter,
    pub(crate) cleaner_seconds: Histogram,
    pub(crate) cleaner_errors: Counter,
    pub(crate) cleaner_threads_busy: Gauge,
    pub(crate) cleaner_dirty_ratio_max: Ratio,
    pub(crate) cleaner_read_bytes: Counter,
    pub(crate) cleaner_written_bytes: Counter,
    pub(crate) cleaner_removed_records: Counter,
    pub(crate) scrub_read_bytes: Counter,
    pub(crate) scrub_rounds: Counter,
    pub(crate) damaged_segments: Counter,
    pub(crate) damaged_partitions: Gauge,
    pub(crate) repaired_segments: Counter,
    pub(crate) repair_fetched_bytes: Counter,
    pub(crate) repair_failures: Counter,
    // Where this broker decides.
    pub(crate) balance_moves: Counter,
    pub(crate) balance_moves_left: Gauge,
    pub(crate) balance_bytes_left: Gauge,
    pub(crate) balance_seconds_left: Gauge,
    pub(crate) balance_unmet: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            apis: (0..APIS).map(|_| ApiMetrics::default()).collect(),
            produce_errors: Errors::default(),
            fetch_errors: Errors::default(),
            received_bytes: Counter::default(),
            sent_bytes: Counter::default(),
            connections_accepted: Counter::default(),
            connections_refused: Counter::default(),
            connections_expelled: Counter::default(),
            connections_open: Gauge::default(),
            queued_bytes: Gauge::default(),
            queued_response_bytes: Gauge::default(),
            produce_batches: Counter::default(),
            produce_records: Counter::default(),
            produce_bytes: Counter::default(),
            flush_seconds: Histogram::default(),
            flushes_failed: Counter::default(),
            controller_decisions: Counter::default(),
            cleaner_seconds: Histogram::default(),
            cleaner_errors: Counter::default(),
            cleaner_threads_busy: Gauge::default(),
            cleaner_dirty_ratio_max: Ratio::default(),
            cleaner_read_bytes: Counter::default(),
            cleaner_written_bytes: Counter::default(),
            cleaner_removed_records: Counter::default(),
            scrub_read_bytes: Counter::default(),
            scrub_rounds: Counter::default(),
            damaged_segments: Counter::default(),
            damaged_partitions: Gauge::default(),
            repaired_segments: Counter::default(),
            repair_fetched_bytes: Counter::default(),
            repair_failures: Counter::default(),
            balance_moves: Counter::default(),
            balance_moves_left: Gauge::default(),
            balance_bytes_left: Gauge::default(),
            balance_seconds_left: Gauge::default(),
            balance_unmet: Gauge::default(),
        }
    }
}

impl Metrics {
    /// What is counted of an API.
    pub(crate) fn api(&self, api: ApiKey) -> &ApiMetrics {
        let index = usize::try_from(api.to_wire()).unwrap_or(0).min(APIS - 1);
        &self.apis[index]
    }
}
