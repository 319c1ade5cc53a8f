//! The scrub: all logs, one after the other, at a pace that nobody notices.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use logboom_storage::{CleanError, StorageError};

use super::{Pacing, Shared};
use crate::cleaner::Throttle;
use crate::cluster::METADATA;
use crate::partition::Partition;

const RATE: &str = "log.scrub.bytes.per.second";
/// How often it is looked whether it is switched on.
const IDLE: Duration = Duration::from_secs(5);
/// From the begin of a round to that of the next, at least.
const ROUND_MIN: Duration = Duration::from_secs(24 * 3600);

impl Shared {
    /// The thread that scrubs.
    pub(super) fn scrub(&self) {
        let mut next_round = self.rests.now();
        loop {
            if self.node.integer(RATE) > 0 && self.rests.now() >= next_round {
                let begun = self.rests.now();
                if !self.scrub_round(self.rests.chance()) {
                    return;
                }
                next_round = begun + ROUND_MIN;
            }
            if self.rest(IDLE) {
                return;
            }
        }
    }

    /// Looks through all logs once; returns whether the broker goes on.
    ///
    /// - `random`: says where it begins.
    pub(super) fn scrub_round(&self, random: u64) -> bool {
        let mut all = self.node.registry.all();
        all.extend(self.node.registry.get(METADATA.topic_id, METADATA.partition));
        all.sort_by_key(|partition| partition.key);
        let extents: Vec<Extent> = all.iter().map(extent).collect();
        let Some((first, offset)) = beginning(&extents, random) else { return true };
        all.rotate_left(first);
        let mut throttle = Throttle::default();
        for (i, partition) in all.iter().enumerate() {
            let from = if i == 0 { offset } else { 0 };
            if !self.scrub_log(partition, from..i64::MAX, &mut throttle) {
                return false;
            }
        }
        let went_on = self.scrub_log(&all[0], 0..offset, &mut throttle);
        self.node.metrics.scrub_rounds.add(usize::from(went_on));
        went_on
    }

    /// Looks through the segments of a log that begin in a range; returns whether the broker goes
    /// on.
    fn scrub_log(
        &self,
        partition: &Arc<Partition>,
        range: Range<i64>,
        throttle: &mut Throttle,
    ) -> bool {
        let mut offset = range.start;
        while offset < range.end && !partition.is_deleted() {
            // While it is switched off it rests where it is.
            while self.node.integer(RATE) <= 0 {
                if self.rest(IDLE) {
                    return false;
                }
            }
            let pace = std::mem::take(throttle);
            let mut pacing = Pacing { shared: self, throttle: pace, key: RATE };
            let scrubbed = partition.view.scrub(offset, &mut pacing);
            *throttle = pacing.throttle;
            match scrubbed {
                Ok(None) => return true,
                Ok(Some(found)) => {
                    let bytes = usize::try_from(found.bytes).unwrap_or(usize::MAX);
                    self.node.metrics.scrub_read_bytes.add(bytes);
                    if let Some((corruption, _)) = found.damage {
                        self.node.metrics.damaged_segments.add(1);
                        tracing::warn!(topic = %partition.topic, %corruption, "found by the scrub");
                    }
                    offset = found.end_offset;
                }
                Err(CleanError::Stopped) => return false,
                Err(CleanError::Storage(StorageError::Deleted { .. })) => return true,
                Err(CleanError::Storage(error)) => {
                    tracing::warn!(topic = %partition.topic, %error, "not scrubbed");
                    return true;
                }
            }
        }
        true
    }
}

/// What a log has: bytes, and offsets.
type Extent = (u64, Range<i64>);

fn extent(partition: &Arc<Partition>) -> Extent {
    let view = &partition.view;
    (view.bytes(), view.log_start_offset()..view.end_offset())
}

/// Where a round begins: a log, and an offset in it; each byte as likely as any other.
///
/// - `random`: any number.
fn beginning(all: &[Extent], random: u64) -> Option<(usize, i64)> {
    let total: u64 = all.iter().map(|(bytes, _)| bytes).sum();
    let mut at = random.checked_rem(total).unwrap_or(0);
    for (i, (bytes, offsets)) in all.iter().enumerate() {
        if at < *bytes {
            let count = i128::from(offsets.end - offsets.start);
            let part = count * i128::from(at) / i128::from(*bytes);
            return Some((i, offsets.start + i64::try_from(part).unwrap_or(0)));
        }
        at -= bytes;
    }
    (!all.is_empty()).then_some((0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_begins_anywhere_and_where_much_is_more_often() {
        assert_eq!(beginning(&[], 7), None);
        assert_eq!(beginning(&[(0, 5..5)], 7), Some((0, 0)), "nothing was written");
        let all = [(100, 0..10), (0, 3..3), (300, 1_000..1_030)];
        let begins = |random| beginning(&all, random).unwrap();
        assert_eq!([begins(0), begins(99)], [(0, 0), (0, 9)]);
        assert_eq!([begins(100), begins(399)], [(2, 1_000), (2, 1_029)]);
        assert_eq!(begins(400 + 250), (2, 1_015), "any number");
        let first = (0..400).filter(|random| begins(*random).0 == 0).count();
        assert_eq!(first, 100);
    }
}
