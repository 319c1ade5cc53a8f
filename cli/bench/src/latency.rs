//! How long things took, and which percentiles may be told.
//!
//! Must always hold: a percentile is told only with [`SAMPLES_BEYOND_MIN`] samples beyond it; what
//! took longer than can be told counts as the longest time that can; what never came lies beyond
//! all that did, so that it can lower no percentile.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::numbers::real;

/// As few samples beyond a percentile make it a matter of chance.
pub(crate) const SAMPLES_BEYOND_MIN: u64 = 20;
/// The longest time that can be told, an hour.
const LATENCY_US_MAX: u64 = 3_600_000_000;
/// How exactly, in digits.
const DIGITS: u8 = 3;
/// Percentiles that are told.
const PERCENTILES: [f64; 6] = [50.0, 90.0, 99.0, 99.9, 99.99, 99.999];
/// A share such as 0.1 % has no exact binary form; a millionth of a sample decides nothing.
const ROUNDING: f64 = 1e-6;
/// Parts of a halving of what lies beyond, in the curve of a distribution.
const CURVE_STEPS: u32 = 4;

/// How long each of many took.
#[derive(Debug, Clone)]
pub(crate) struct Latencies {
    /// Microseconds, with three digits.
    times: Histogram<u64>,
    /// Those that never came.
    lost: u64,
}

/// What a number of latencies came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// Samples, those that never came among them.
    pub(crate) count: u64,
    /// Those that never came: longer than all others, for the percentiles.
    pub(crate) lost: u64,
    /// Of those that came, as the next two.
    pub(crate) mean_us: f64,
    pub(crate) min_us: u64,
    pub(crate) max_us: u64,
    /// Those with enough samples beyond them, from the least on.
    pub(crate) percentiles: Vec<Percentile>,
    /// More of them, from the least on, for a picture.
    pub(crate) curve: Vec<Percentile>,
}

/// So many in a hundred samples took at most so long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Percentile {
    pub(crate) percent: f64,
    pub(crate) us: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_max(LATENCY_US_MAX, DIGITS);
        Self { times: histogram.expect("the limits are constants that it takes"), lost: 0 }
    }
}

impl Latencies {
    /// Adds a sample, nanoseconds.
    pub(crate) fn record(&mut self, nanos: u64) {
        self.times.saturating_record(nanos / 1_000);
    }

    /// Adds some that never came.
    pub(crate) fn lose(&mut self, samples: u64) {
        self.lost += samples;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.times.add(&other.times).expect("all have the same limits");
        self.lost += other.lost;
    }

    pub(crate) fn clear(&mut self) {
        self.times.reset();
        self.lost = 0;
    }

    pub(crate) fn count(&self) -> u64 {
        self.times.len() + self.lost
    }

    /// The longest of those that came, if any did.
    pub(crate) fn max_us(&self) -> Option<u64> {
        (!self.times.is_empty()).then(|| self.times.max())
    }

    /// The percentile, if enough samples are beyond it, and it isn't one of those that never came.
    pub(crate) fn percentile(&self, percent: f64) -> Option<u64> {
        let (all, came) = (real(self.count()), real(self.times.len()));
        let rank = (all * percent / 100.0 - ROUNDING).ceil().max(1.0);
        // Between two ranks, where rounding decides nothing.
        let value = || self.times.value_at_quantile((rank - 0.5) / came);
        (is_told(percent, self.count()) && rank <= came).then(value)
    }

    /// What is told of them; `None` where none came.
    pub(crate) fn summary(&self) -> Option<Latency> {
        let told = |percent: f64| Some(Percentile { percent, us: self.percentile(percent)? });
        Some(Latency {
            count: self.count(),
            lost: self.lost,
            mean_us: self.times.mean(),
            min_us: self.times.min(),
            max_us: self.max_us()?,
            percentiles: PERCENTILES.into_iter().filter_map(told).collect(),
            curve: curve_percents().map_while(told).collect(),
        })
    }
}

/// Whether a percentile of so many samples has enough of them beyond it.
pub(crate) fn is_told(percent: f64, count: u64) -> bool {
    let beyond = real(count) * (100.0 - percent) / 100.0 + ROUNDING;
    beyond >= real(SAMPLES_BEYOND_MIN)
}

/// Percents of which each lies nearer to 100 than the last one by the same factor.
fn curve_percents() -> impl Iterator<Item = f64> {
    let step = |at: u32| 0.5_f64.powf(f64::from(at) / f64::from(CURVE_STEPS));
    (0..=26 * CURVE_STEPS).map(move |at| 100.0 * (1.0 - step(at)))
}

impl Latency {
    /// A percentile that is told.
    pub(crate) fn percentile(&self, percent: f64) -> Option<u64> {
        let found = self.percentiles.iter().find(|told| (told.percent - percent).abs() < 1e-9);
        found.map(|told| told.us)
    }
}

/// "p99.9".
pub(crate) fn name(percent: f64) -> String {
    format!("p{percent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: u64) -> Latencies {
        let mut latencies = Latencies::default();
        (1..=count).for_each(|us| latencies.record(us * 1_000));
        latencies
    }

    #[test]
    fn a_percentile_is_told_with_twenty_samples_beyond_it_and_not_with_nineteen() {
        for (percent, enough) in
            [(50.0, 40), (90.0, 200), (99.0, 2_000), (99.9, 20_000), (99.99, 200_000)]
        {
            assert!(is_told(percent, enough), "{percent}");
            assert!(!is_told(percent, enough - 1), "{percent}");
        }
        let told = |count| of(count).summary().unwrap().percentiles.len();
        assert_eq!([told(39), told(40), told(1_999), told(2_000)], [0, 1, 2, 3]);
    }

    #[test]
    fn values_are_those_of_the_samples_within_three_digits() {
        let latency = of(20_000).summary().unwrap();
        for (percent, us) in [(50.0, 10_000), (90.0, 18_000), (99.0, 19_800), (99.9, 19_980)] {
            let told = latency.percentile(percent).unwrap();
            assert!(told.abs_diff(us) <= us / 1_000, "{percent}: {told}");
        }
        assert_eq!(latency.percentile(99.99), None);
        assert_eq!((latency.count, latency.min_us), (20_000, 1));
        assert!(latency.max_us.abs_diff(20_000) <= 20);
        assert!((latency.mean_us - 10_000.5).abs() < 10.0);
        let last = latency.curve.last().unwrap();
        assert!(is_told(last.percent, 20_000) && last.percent > 99.8, "{last:?}");
    }

    #[test]
    fn none_is_nothing_and_too_long_is_the_longest() {
        assert_eq!(Latencies::default().summary(), None);
        let mut latencies = Latencies::default();
        latencies.record(u64::MAX);
        assert!(latencies.max_us() >= Some(LATENCY_US_MAX));
        latencies.clear();
        assert_eq!(latencies.count(), 0);
    }

    #[test]
    fn two_together_are_all_their_samples() {
        let mut all = of(100);
        all.add(&of(50));
        assert_eq!((all.count(), all.max_us()), (150, Some(100)));
    }

    #[test]
    fn what_never_came_lies_beyond_all_that_did() {
        let mut latencies = of(2_000);
        latencies.lose(2_000);
        let latency = latencies.summary().unwrap();
        assert_eq!((latency.count, latency.lost), (4_000, 2_000));
        assert_eq!(latency.percentile(50.0), Some(2_000), "the slowest of those that came");
        assert_eq!(latency.percentile(90.0), None, "nobody knows how long it takes");
        let mut all = of(2_000);
        all.add(&latencies);
        assert_eq!(all.percentile(50.0), Some(1_500));
        latencies.clear();
        assert_eq!(latencies.count(), 0);
        latencies.lose(1);
        assert_eq!((latencies.count(), latencies.summary()), (1, None));
    }
}
