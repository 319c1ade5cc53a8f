//! What came, and when: counts of one client, and points over time of all.
//!
//! Must always hold: a run that goes on for ever keeps a bounded number of points.

use serde::{Deserialize, Serialize};

use crate::latency::Latencies;
use crate::numbers::seconds;

/// Points after which the interval between them doubles.
const POINTS_A_STAGE: usize = 1_800;

/// Records of one client, since the last look and in all.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    records: u64,
    bytes: u64,
    /// Those whose due time lies within what is measured.
    recent: Latencies,
}

/// A record that has come through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Nanoseconds since it was due; `None` where that isn't measured.
    pub(crate) latency: Option<u64>,
    /// Whether it never comes, however long it has taken to know that.
    pub(crate) is_lost: bool,
    /// Bytes of key and value; `None` where it came outside of what is measured.
    pub(crate) bytes: Option<u32>,
}

impl Tally {
    pub(crate) fn take(&mut self, samples: &[Sample]) {
        for sample in samples {
            match sample.latency {
                Some(_) if sample.is_lost => self.recent.lose(1),
                Some(latency) => self.recent.record(latency),
                None => {}
            }
            if let Some(bytes) = sample.bytes {
                self.count(1, bytes.into());
            }
        }
    }

    /// So many records never come.
    pub(crate) fn lose(&mut self, records: u64) {
        self.recent.lose(records);
    }

    pub(crate) fn count(&mut self, records: u64, bytes: u64) {
        self.records += records;
        self.bytes += bytes;
    }
}

/// What came within an interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    /// Seconds since measuring began, half-open.
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Where enough samples came.
    pub(crate) p50_us: Option<u64>,
    pub(crate) p99_us: Option<u64>,
    pub(crate) max_us: Option<u64>,
}

/// What all clients together have done over time.
#[derive(Debug)]
pub(crate) struct Timeline {
    interval: u64,
    /// Nanoseconds since measuring began.
    last: u64,
    records: u64,
    bytes: u64,
    all: Latencies,
    recent: Latencies,
    /// What came since the last point.
    open: (u64, u64),
    points: Vec<Point>,
}

impl Timeline {
    /// - `interval`: between points, nanoseconds.
    pub(crate) fn new(interval: u64) -> Self {
        Self {
            interval: interval.max(1),
            last: 0,
            records: 0,
            bytes: 0,
            all: Latencies::default(),
            recent: Latencies::default(),
            open: (0, 0),
            points: Vec::new(),
        }
    }

    /// Takes what a client has counted, and leaves it nothing.
    pub(crate) fn drain(&mut self, tally: &mut Tally) {
        self.open.0 += std::mem::take(&mut tally.records);
        self.open.1 += std::mem::take(&mut tally.bytes);
        if tally.recent.count() > 0 {
            self.recent.add(&tally.recent);
            tally.recent.clear();
        }
    }

    /// So many records never came, of all the time.
    pub(crate) fn lose(&mut self, records: u64) {
        self.all.lose(records);
    }

    /// Whether it is time for a point.
    ///
    /// - `now`: nanoseconds since measuring began.
    pub(crate) fn is_due(&self, now: u64) -> bool {
        now >= self.last.saturating_add(self.interval)
    }

    /// What was drained since the last point becomes a point.
    pub(crate) fn close(&mut self, now: u64) -> Option<&Point> {
        let (records, bytes) = std::mem::take(&mut self.open);
        self.records += records;
        self.bytes += bytes;
        self.all.add(&self.recent);
        let point = Point {
            from: seconds(self.last),
            to: seconds(now),
            records,
            bytes,
            p50_us: self.recent.percentile(50.0),
            p99_us: self.recent.percentile(99.0),
            max_us: self.recent.max_us(),
        };
        self.recent.clear();
        if now <= self.last {
            return None;
        }
        self.last = now;
        self.points.push(point);
        if self.points.len().is_multiple_of(POINTS_A_STAGE) {
            self.interval = self.interval.saturating_mul(2);
        }
        self.points.last()
    }

    /// The newest point.
    pub(crate) fn last(&self) -> Option<&Point> {
        self.points.last()
    }

    /// Records and bytes of all points.
    pub(crate) fn total(&self) -> (u64, u64) {
        (self.records, self.bytes)
    }

    pub(crate) fn latencies(&self) -> &Latencies {
        &self.all
    }

    pub(crate) fn into_points(self) -> Vec<Point> {
        self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn sample(latency_us: u64) -> Sample {
        Sample { latency: Some(latency_us * 1_000), is_lost: false, bytes: Some(10) }
    }

    #[test]
    fn a_point_has_what_came_since_the_last_one() {
        let mut timeline = Timeline::new(SECOND);
        let mut tally = Tally::default();
        tally.take(&[sample(5); 50]);
        timeline.drain(&mut tally);
        assert!(!timeline.is_due(SECOND - 1) && timeline.is_due(SECOND));
        let first = timeline.close(SECOND).unwrap().clone();
        assert_eq!((first.records, first.bytes), (50, 500));
        assert_eq!((first.p50_us, first.p99_us, first.max_us), (Some(5), None, Some(5)));
        tally.take(&[sample(7), Sample { latency: None, is_lost: true, bytes: None }]);
        tally.count(2, 3);
        timeline.drain(&mut tally);
        timeline.drain(&mut Tally::default());
        let second = timeline.close(2 * SECOND).unwrap().clone();
        assert_eq!((second.records, second.bytes, second.max_us), (3, 13, Some(7)));
        assert!((second.from - 1.0).abs() + (second.to - 2.0).abs() < 1e-9);
        assert_eq!(timeline.total(), (53, 513));
        assert_eq!(timeline.latencies().count(), 51);
    }

    #[test]
    fn what_has_failed_soon_makes_no_percentile_lower() {
        let mut timeline = Timeline::new(SECOND);
        let mut tally = Tally::default();
        tally.take(&[sample(1_000); 1_000]);
        let failed = Sample { latency: Some(1), is_lost: true, bytes: None };
        tally.take(&vec![failed; 1_000]);
        timeline.drain(&mut tally);
        let point = timeline.close(SECOND).unwrap();
        assert_eq!((point.records, point.p50_us, point.p99_us), (1_000, Some(1_000), None));
        let all = timeline.latencies().summary().unwrap();
        assert_eq!((all.count, all.lost, all.min_us), (2_000, 1_000, 1_000));
    }

    #[test]
    fn what_comes_in_no_time_is_counted_without_a_point() {
        let mut timeline = Timeline::new(SECOND);
        let mut tally = Tally::default();
        tally.take(&[sample(1)]);
        timeline.drain(&mut tally);
        assert_eq!(timeline.close(0), None);
        assert_eq!((timeline.total(), timeline.latencies().count()), ((1, 10), 1));
    }

    #[test]
    fn a_month_has_a_bounded_number_of_points() {
        let mut timeline = Timeline::new(SECOND);
        for now in 1..=30 * 24 * 3_600 {
            if timeline.is_due(now * SECOND) {
                timeline.close(now * SECOND);
            }
        }
        let points = timeline.into_points();
        assert!(points.len() < 12 * POINTS_A_STAGE, "{}", points.len());
        let gaps = points.windows(2).filter(|pair| pair[0].to < pair[1].from).count();
        assert_eq!(gaps, 0);
    }
}
