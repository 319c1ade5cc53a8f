//! What the replicas here take: measured now and then, and smoothed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use logboom_balance::snapshot::{AMOUNT_MAX, Load};
use logboom_storage::state::GroupKey;

use super::report::{Growth, Sums};
use crate::partition::Partition;

/// A new measurement counts for a fourth of a rate, what was before for the rest.
const SMOOTHING: u64 = 4;
/// What changes by less isn't told: so many bytes, or this part of what was told.
const NEWS_BYTES: u64 = 64 << 10;
const NEWS_PART: u64 = 32;
/// Between two sums that are kept, and how many are: a week.
const KEEP_EVERY_MS: u64 = 3_600_000;
const KEPT_MAX: usize = 7 * 24;
/// So many measurements a rate needs until it holds 99 hundredths of what is measured.
const SETTLED_AFTER: u32 = 16;
/// From when on it can be said how sums grow.
const GROWTH_AFTER_MS: u64 = 600_000;

const DAY_MS: i128 = 86_400_000;

/// The replicas of this broker, as they were measured last. Those that have nothing, and had
/// nothing, aren't here.
#[derive(Debug, Default)]
pub(super) struct Meter {
    gauges: HashMap<GroupKey, Gauge>,
    /// When it was measured.
    at: Option<u64>,
    /// How many times it was measured, as far as that matters.
    measured: u32,
    /// What all replicas together took: once rates held what is measured, and then each hour.
    kept: VecDeque<(u64, Sums)>,
    sums: Sums,
}

#[derive(Debug, Default)]
struct Gauge {
    /// The counters of the partition.
    taken: u64,
    given: u64,
    load: Load,
    /// What the broker that decides knows.
    told: Load,
    is_there: bool,
}

impl Meter {
    /// Measures.
    ///
    /// - `now`: milliseconds; greater than before.
    pub(super) fn measure(&mut self, partitions: &[Arc<Partition>], now: u64) {
        let over = self.at.replace(now).map(|before| now.saturating_sub(before).max(1));
        self.gauges.values_mut().for_each(|gauge| gauge.is_there = false);
        self.sums = Sums::default();
        for partition in partitions {
            let (taken, given) = (partition.traffic.taken.get(), partition.traffic.given.get());
            let disk_bytes = partition.view.bytes().min(AMOUNT_MAX);
            let load = if (taken, given, disk_bytes) == (0, 0, 0) {
                Load::default()
            } else {
                let gauge = self.gauges.entry(partition.key).or_default();
                gauge.read(disk_bytes, (taken, given), over);
                gauge.load
            };
            self.sums.add(&load, partition.leads());
        }
        self.gauges.retain(|_, gauge| gauge.is_there);
        let is_due = |last: &(u64, Sums)| now >= last.0 + KEEP_EVERY_MS;
        if over.is_some() {
            self.measured = self.measured.saturating_add(1).min(SETTLED_AFTER);
        }
        if self.measured == SETTLED_AFTER && self.kept.back().is_none_or(is_due) {
            self.kept.push_back((now, self.sums));
            if self.kept.len() > KEPT_MAX {
                self.kept.pop_front();
            }
        }
    }

    /// The loads that differ from what the broker that decides was told.
    pub(super) fn news(&self) -> Vec<(GroupKey, Load)> {
        let news = self.gauges.iter().filter(|(_, gauge)| gauge.is_news());
        news.map(|(key, gauge)| (*key, gauge.load)).collect()
    }

    /// It knows these.
    pub(super) fn told(&mut self, loads: &[(GroupKey, Load)]) {
        for (key, load) in loads {
            if let Some(gauge) = self.gauges.get_mut(key) {
                gauge.told = *load;
            }
        }
    }

    /// Another broker decides, and knows nothing.
    pub(super) fn forget_told(&mut self) {
        self.gauges.values_mut().for_each(|gauge| gauge.told = Load::default());
    }

    /// How what is here grows, once that can be said.
    pub(super) fn growth(&self) -> Option<Growth> {
        let (since, first) = self.kept.front()?;
        let over_ms = self.at?.saturating_sub(*since);
        let per_day = |now: i64, then: i64| {
            let day = i128::from(now - then) * DAY_MS / i128::from(over_ms.max(1));
            i64::try_from(day).unwrap_or(i64::MAX)
        };
        let per_day = std::array::from_fn(|it| per_day(self.sums.0[it], first.0[it]));
        (over_ms >= GROWTH_AFTER_MS).then_some(Growth { over_ms, per_day: Sums(per_day) })
    }
}

impl Gauge {
    /// - `counters`: what was taken and given since the start.
    /// - `over`: milliseconds since they were read last; `None` at first.
    fn read(&mut self, disk_bytes: u64, counters: (u64, u64), over: Option<u64>) {
        let rate = |before: u64, now: u64, rate: u64| {
            let Some(over) = over else { return 0 };
            let measured = now.saturating_sub(before).saturating_mul(1_000) / over;
            let smoothed = rate - rate / SMOOTHING + measured.min(AMOUNT_MAX) / SMOOTHING;
            // What is next to nothing comes to rest at nothing.
            if measured == 0 && smoothed < SMOOTHING { 0 } else { smoothed }
        };
        self.load = Load {
            disk_bytes,
            bytes_in: rate(self.taken, counters.0, self.load.bytes_in),
            bytes_out: rate(self.given, counters.1, self.load.bytes_out),
        };
        (self.taken, self.given) = counters;
        self.is_there = true;
    }

    fn is_news(&self) -> bool {
        let differs = |now: u64, told: u64| {
            now.abs_diff(told) > (told / NEWS_PART).max(NEWS_BYTES) || (now == 0) != (told == 0)
        };
        let Load { disk_bytes, bytes_in, bytes_out } = self.load;
        differs(disk_bytes, self.told.disk_bytes)
            || differs(bytes_in, self.told.bytes_in)
            || differs(bytes_out, self.told.bytes_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_comes_near_what_is_measured_and_goes_to_rest() {
        let mut gauge = Gauge::default();
        gauge.read(0, (5_000_000, 0), None);
        assert_eq!(gauge.load.bytes_in, 0, "nothing is known of the time before");
        for step in 1..=30 {
            gauge.read(0, (5_000_000 + step * 20_000, 0), Some(2_000));
        }
        assert!((9_990..=10_000).contains(&gauge.load.bytes_in), "{:?}", gauge.load);
        for _ in 0..60 {
            gauge.read(0, (5_600_000, 0), Some(2_000));
        }
        assert_eq!(gauge.load.bytes_in, 0);
    }

    #[test]
    fn what_has_hardly_changed_is_no_news() {
        let load = |disk_bytes| Load { disk_bytes, ..Load::default() };
        let news = |now, told| {
            let (load, told) = (load(now), load(told));
            Gauge { load, told, ..Gauge::default() }.is_news()
        };
        assert!(!news(0, 0) && !news(100 << 20, 101 << 20) && !news(5, 5_000));
        assert!(news(1, 0) && news(0, 1) && news(100 << 20, 110 << 20) && news(1 << 20, 0));
    }

    #[test]
    fn growth_is_counted_from_when_rates_hold_what_is_measured() {
        let (mut meter, mut gauge) = (Meter::default(), Gauge::default());
        for step in 0.. {
            meter.measure(&[], 1 + step * 10_000);
            gauge.read(0, (step * 100_000_000, 0), (step > 0).then_some(10_000));
            if let Some((since, _)) = meter.kept.front() {
                assert_eq!(*since, 1 + step * 10_000);
                break;
            }
        }
        assert!((9_890_000..=10_000_000).contains(&gauge.load.bytes_in), "{:?}", gauge.load);
    }

    #[test]
    fn sums_grow_as_between_the_first_that_was_kept_and_now() {
        let mut meter = Meter { at: Some(0), ..Meter::default() };
        meter.kept.push_back((0, Sums([1, 1_000, 0, 0, 1])));
        (meter.sums, meter.at) = (Sums([1, 3_000, 0, 0, 0]), Some(GROWTH_AFTER_MS - 1));
        assert_eq!(meter.growth(), None, "too early");
        meter.at = Some(43_200_000);
        let expected = Growth { over_ms: 43_200_000, per_day: Sums([0, 4_000, 0, 0, -2]) };
        assert_eq!(meter.growth(), Some(expected));
    }
}
