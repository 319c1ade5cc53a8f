//! What a client is to do, and what it takes.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::Failure;

/// What a client is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work<'a> {
    pub(crate) bootstrap: &'a str,
    pub(crate) topic: &'a str,
    /// Of a value.
    pub(crate) bytes: usize,
    pub(crate) records: u64,
    pub(crate) kind: Kind,
}

/// Kinds of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sends as fast as goes, and waits for the last acknowledgement.
    Produce,
    /// Reads from the start as fast as goes.
    Consume,
    /// Sends at a rate, and reads it back in the same process.
    Through,
}

impl FromStr for Kind {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        match text {
            "produce" => Ok(Self::Produce),
            "consume" => Ok(Self::Consume),
            "through" => Ok(Self::Through),
            _ => Err(format!("{text} is no work; there are produce, consume and through").into()),
        }
    }
}

/// The clocks from a moment on.
pub(crate) struct Meter {
    began: Instant,
    cpu: Duration,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), cpu: cpu() }
    }

    /// What so many records took since then.
    pub(crate) fn stop(self, records: u64) -> Spent {
        let (time, cpu) = (self.began.elapsed(), cpu() - self.cpu);
        Spent { records, time, cpu, rss_kib: peak_rss_kib(), latency: None }
    }
}

/// What work took.
pub(crate) struct Spent {
    records: u64,
    time: Duration,
    cpu: Duration,
    rss_kib: u64,
    latency: Option<Histogram<u64>>,
}

impl Spent {
    /// - `latency`: microseconds.
    pub(crate) fn with_latency(mut self, latency: Histogram<u64>) -> Self {
        self.latency = Some(latency);
        self
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quantile = |q| self.latency.as_ref().map(|told| told.value_at_quantile(q));
        let spent = json!({
            "records": self.records,
            "seconds": self.time.as_secs_f64(),
            "cpu_seconds": self.cpu.as_secs_f64(),
            "peak_rss_kib": self.rss_kib,
            "p50_us": quantile(0.5),
            "p99_us": quantile(0.99),
        });
        write!(f, "{spent}")
    }
}

/// The processor's time that this process has used.
fn cpu() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec.unsigned_abs(), u32::try_from(used.tv_nsec).unwrap_or(0))
}

fn peak_rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB"));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// Microseconds since 1970.
pub(crate) fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A histogram of microseconds.
pub(crate) fn histogram() -> Result<Histogram<u64>, Failure> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

/// Puts the time at which a record was due into its value.
pub(crate) fn mark(value: &mut [u8], micros: u64) {
    value[..8].copy_from_slice(&micros.to_be_bytes());
}

/// How long ago the record of that value was due.
pub(crate) fn age(value: &[u8]) -> u64 {
    let marked = value.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    now_micros().saturating_sub(marked).max(1)
}

/// When each record of a rate is due, counted from `began` (microseconds since 1970).
pub(crate) fn due(began: u64, number: u64) -> u64 {
    began + number * 1_000_000 / crate::RATE
}
