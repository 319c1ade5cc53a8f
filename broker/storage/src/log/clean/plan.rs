//! What of a log is to be compacted, and whether it is time to.
//!
//! Source: Kafka's `LogCleanerManager.cleanableOffsets`; KIP-58, KIP-354.

use logboom_protocol::records::{BatchHeader, layout};

use super::super::{LogView, Segment};
use crate::error::{Doing as _, StorageError};
use crate::segment::HEADER_BYTES;

/// How a topic's logs are compacted. Names in the docs are the reference broker's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompactionOptions {
    /// Bytes up to which small segments become one (`segment.bytes`).
    pub segment_bytes: u32,
    /// The part of the log that is dirty before it is compacted (`min.cleanable.dirty.ratio`).
    pub min_dirty_ratio: f64,
    /// Milliseconds for which a record is left alone (`min.compaction.lag.ms`).
    pub min_lag_ms: i64,
    /// Milliseconds after which it is looked at whatever the ratio (`max.compaction.lag.ms`).
    pub max_lag_ms: i64,
    /// Milliseconds for which tombstones stay (`delete.retention.ms`).
    pub delete_retention_ms: i64,
}

/// The part of a log that can be compacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleanable {
    /// Where it begins: below are no two records of a key; inclusive.
    pub first_dirty_offset: i64,
    /// Where it ends, exclusive.
    pub end_offset: i64,
    /// Bytes of the segments before it.
    pub clean_bytes: u64,
    /// Bytes of its segments.
    pub dirty_bytes: u64,
    /// Whether a record in it has waited too long.
    pub is_overdue: bool,
}

impl Cleanable {
    /// Which part of what there is is dirty, 0 to 1.
    #[must_use]
    pub fn dirty_ratio(&self) -> f64 {
        let total = self.clean_bytes + self.dirty_bytes;
        if total == 0 { 0.0 } else { self.dirty_bytes as f64 / total as f64 }
    }

    /// Whether it is time to compact it.
    #[must_use]
    pub fn is_due(&self, options: &CompactionOptions) -> bool {
        self.dirty_bytes > 0 && (self.is_overdue || self.dirty_ratio() > options.min_dirty_ratio)
    }
}

/// What is looked at of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) base_offset: i64,
    pub(super) end_offset: i64,
    pub(super) bytes: u64,
    /// The least `i64` where it isn't known or makes no difference.
    pub(super) max_timestamp: i64,
    /// Of its first batch; the same.
    pub(super) first_timestamp: i64,
    /// Whether a part of it is damaged.
    pub(super) has_holes: bool,
}

/// Where a log stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) log_start_offset: i64,
    /// Up to where it was compacted before.
    pub(super) clean_offset: i64,
    /// Behind it nothing may be touched, exclusive.
    pub(super) ceiling: i64,
}

/// The part of a log that can be compacted.
///
/// - `segments`: all but the last.
pub(super) fn plan(
    segments: &[Facts],
    bounds: Bounds,
    now_ms: i64,
    options: &CompactionOptions,
) -> Cleanable {
    let first_dirty_offset = bounds.clean_offset.max(bounds.log_start_offset);
    let is_dirty = |it: &&Facts| it.end_offset > first_dirty_offset;
    let dirty = segments.iter().filter(is_dirty);
    let is_settled = |it: &&Facts| {
        let is_young =
            options.min_lag_ms > 0 && it.max_timestamp > now_ms.saturating_sub(options.min_lag_ms);
        it.end_offset <= bounds.ceiling && !is_young && !it.has_holes
    };
    let may_clean = segments.iter().take_while(|it| !it.has_holes).count();
    let cleanable = segments[..may_clean].iter().filter(is_dirty).take_while(is_settled);
    let end_offset = cleanable.clone().last().map_or(first_dirty_offset, |it| it.end_offset);
    let oldest = dirty.map(|it| it.first_timestamp).filter(|time| *time > 0).min();
    Cleanable {
        first_dirty_offset,
        end_offset,
        clean_bytes: segments.iter().filter(|it| !is_dirty(it)).map(|it| it.bytes).sum(),
        dirty_bytes: cleanable.map(|it| it.bytes).sum(),
        is_overdue: oldest.is_some_and(|time| now_ms.saturating_sub(time) > options.max_lag_ms),
    }
}

impl LogView {
    /// The part of the log that can be compacted at this moment. May wait for the device.
    ///
    /// - `ceiling`: behind it nothing is touched, exclusive; nor behind the high watermark.
    /// - `now_ms`: milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// What the device says, or [`StorageError::Deleted`].
    pub fn cleanable(
        &self,
        ceiling: i64,
        now_ms: i64,
        options: &CompactionOptions,
    ) -> Result<Cleanable, StorageError> {
        self.check_there()?;
        // A segment is part of the manifest as sealed once the next one is.
        let (clean_offset, named) = self.shared.state.group(&self.key, |group| {
            let last = group.and_then(|group| group.segments.last());
            (group.map_or(0, |group| group.clean_offset), last.map_or(0, |last| last.base_offset))
        });
        let bounds = Bounds {
            log_start_offset: self.log_start_offset(),
            clean_offset,
            ceiling: ceiling.min(self.high_watermark()).min(named),
        };
        let dirty_from = bounds.clean_offset.max(bounds.log_start_offset);
        let mut facts = Vec::new();
        let segments = self.segments();
        for segment in segments.split_last().map_or(&[][..], |(_, sealed)| sealed) {
            let is_dirty = segment.end_offset() > dirty_from;
            let ages = is_dirty && options.min_lag_ms > 0;
            let expires = is_dirty && options.max_lag_ms < i64::MAX;
            facts.push(Facts {
                base_offset: segment.base_offset,
                end_offset: segment.end_offset(),
                bytes: segment.log_bytes().into(),
                max_timestamp: if ages { self.latest_timestamp(segment)? } else { i64::MIN },
                first_timestamp: if expires { self.first_timestamp(segment)? } else { i64::MIN },
                has_holes: segment.is_damaged(),
            });
        }
        Ok(plan(&facts, bounds, now_ms, options))
    }

    /// The greatest timestamp of a segment's first batch.
    fn first_timestamp(&self, segment: &Segment) -> Result<i64, StorageError> {
        let path = segment.path(&self.shared, &self.key);
        let file = segment.open(&self.shared, &self.key)?;
        let mut head = [0; layout::HEADER_BYTES];
        let read = file.file.read_at(HEADER_BYTES.into(), &mut head).doing("read", &path)?;
        let header = BatchHeader::from_bytes(&head);
        let is_first = read == head.len() && header.base_offset == segment.base_offset;
        Ok(if is_first { header.max_timestamp } else { i64::MIN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: CompactionOptions = CompactionOptions {
        segment_bytes: 1000,
        min_dirty_ratio: 0.5,
        min_lag_ms: 0,
        max_lag_ms: i64::MAX,
        delete_retention_ms: 0,
    };

    /// Segments of ten offsets and a hundred bytes, a second apart.
    fn segments(count: i64) -> Vec<Facts> {
        (0..count)
            .map(|i| Facts {
                base_offset: i * 10,
                end_offset: i * 10 + 10,
                bytes: 100,
                max_timestamp: i * 1000 + 999,
                first_timestamp: i * 1000,
                has_holes: false,
            })
            .collect()
    }

    fn bounds(clean_offset: i64, ceiling: i64) -> Bounds {
        Bounds { log_start_offset: 0, clean_offset, ceiling }
    }

    #[test]
    fn what_is_dirty_ends_at_the_ceiling_and_counts_from_where_it_was_clean() {
        let plan = |clean, ceiling| plan(&segments(6), bounds(clean, ceiling), 0, &OPTIONS);
        let all = plan(0, 60);
        assert_eq!((all.first_dirty_offset, all.end_offset), (0, 60));
        assert_eq!((all.clean_bytes, all.dirty_bytes), (0, 600));
        let some = plan(40, 59);
        assert_eq!((some.end_offset, some.clean_bytes, some.dirty_bytes), (50, 400, 100));
        assert!(!some.is_due(&OPTIONS) && plan(30, 70).dirty_ratio() == 0.5);
        assert!(!plan(30, 70).is_due(&OPTIONS) && plan(29, 70).is_due(&OPTIONS));
        let none = plan(60, 60);
        assert_eq!((none.end_offset, none.dirty_bytes), (60, 0));
        assert!(!none.is_due(&CompactionOptions { min_dirty_ratio: 0.0, ..OPTIONS }));
        assert_eq!(plan(0, 9).end_offset, 0, "no segment lies wholly below");
    }

    #[test]
    fn a_log_start_behind_the_clean_offset_is_where_it_begins() {
        let bounds = Bounds { log_start_offset: 25, clean_offset: 10, ceiling: 99 };
        let plan = plan(&segments(4), bounds, 0, &OPTIONS);
        assert_eq!((plan.first_dirty_offset, plan.clean_bytes, plan.dirty_bytes), (25, 200, 200));
    }

    #[test]
    fn young_records_wait_and_old_ones_are_overdue() {
        let young = CompactionOptions { min_lag_ms: 1500, ..OPTIONS };
        // At 5,000 what is younger than 3,500 is left alone: segment 3 has a record of 3,999.
        assert_eq!(plan(&segments(6), bounds(0, 60), 5000, &young).end_offset, 30);
        let old = CompactionOptions { max_lag_ms: 3000, min_dirty_ratio: 1.0, ..OPTIONS };
        let overdue = |clean, now| plan(&segments(6), bounds(clean, 60), now, &old).is_due(&old);
        // A timestamp of 0 is none.
        assert!(!overdue(0, 4000) && overdue(0, 4001) && !overdue(20, 5000) && overdue(20, 5001));
        assert!(!overdue(60, 99_999), "nothing is dirty");
    }

    #[test]
    fn nothing_at_or_behind_damage_is_touched() {
        let mut damaged = segments(6);
        damaged[3].has_holes = true;
        assert_eq!(plan(&damaged, bounds(10, 60), 0, &OPTIONS).end_offset, 30);
        assert_eq!(plan(&damaged, bounds(45, 60), 0, &OPTIONS).end_offset, 45);
    }
}
