//! How batches divide among segments: pure, so that all room can be made before the first write.
//!
//! Must always hold: a run fits into one segment, or is one batch that is larger than any.

use logboom_protocol::records::StampedBatch;

use crate::options::LogOptions;
use crate::segment::HEADER_BYTES;

/// How full a segment is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fill {
    pub(super) base_offset: i64,
    /// Bytes of its log, header included.
    pub(super) bytes: usize,
    /// The greatest timestamp of its first batch, from which its age counts.
    pub(super) first_timestamp: Option<i64>,
}

impl Fill {
    /// A segment that is about to begin with `batch`.
    fn new(batch: &StampedBatch) -> Self {
        let base_offset = batch.header().base_offset;
        Self { base_offset, bytes: HEADER_BYTES as usize, first_timestamp: None }
    }

    /// Whether `batch` may go into the segment. The first batch always may.
    fn takes(&self, batch: &StampedBatch, options: &LogOptions) -> bool {
        let is_small = self.bytes + batch.size() <= options.segment_bytes as usize;
        // Offsets within a segment are 32 bits wide.
        let is_near = batch.end_offset() - self.base_offset <= i64::from(u32::MAX);
        let is_young = self.first_timestamp.is_none_or(|first| {
            batch.header().max_timestamp.saturating_sub(first) <= options.segment_ms
        });
        self.bytes == HEADER_BYTES as usize || (is_small && is_near && is_young)
    }

    fn add(&mut self, batch: &StampedBatch) {
        self.bytes += batch.size();
        self.first_timestamp.get_or_insert(batch.header().max_timestamp);
    }
}

/// Splits batches into what goes into the active segment, perhaps nothing, and what goes into each
/// new one behind it.
///
/// - `active`: `None` where there is none.
pub(super) fn split<'a>(
    active: Option<Fill>,
    batches: &'a [StampedBatch],
    options: &LogOptions,
) -> Vec<&'a [StampedBatch]> {
    let (mut runs, mut start, mut fill) = (Vec::new(), 0, active);
    for (at, batch) in batches.iter().enumerate() {
        if !fill.is_some_and(|fill| fill.takes(batch, options)) {
            runs.push(&batches[start..at]);
            (start, fill) = (at, Some(Fill::new(batch)));
        }
        fill.iter_mut().for_each(|fill| fill.add(batch));
    }
    runs.push(&batches[start..]);
    runs
}

/// Bytes that a run takes.
pub(super) fn bytes(run: &[StampedBatch]) -> u32 {
    let bytes: usize = run.iter().map(StampedBatch::size).sum();
    u32::try_from(bytes).expect("a segment, and a batch, has fewer than 2^32 bytes")
}

#[cfg(test)]
mod tests {
    use super::super::tests::batch;
    use super::*;

    fn lengths(active: Option<Fill>, batches: &[StampedBatch], options: &LogOptions) -> Vec<usize> {
        split(active, batches, options).iter().map(|run| run.len()).collect()
    }

    #[test]
    fn batches_divide_where_a_segment_is_full_too_old_or_too_wide() {
        let batches: Vec<StampedBatch> = (0..6).map(|i| batch(i, 0, 1, 100)).collect();
        let size = batches[0].size();
        let three = u32::try_from(HEADER_BYTES as usize + 3 * size).unwrap();
        let options = LogOptions { segment_bytes: three, ..LogOptions::default() };
        assert_eq!(lengths(None, &batches, &options), [0, 3, 3]);
        let bytes = HEADER_BYTES as usize + size;
        let active = Fill { base_offset: -1, bytes, first_timestamp: Some(1_000) };
        assert_eq!(lengths(Some(active), &batches, &options), [2, 3, 1]);
        assert_eq!(lengths(Some(active), &[], &options), [0]);
        let tiny = LogOptions { segment_bytes: 10, ..options };
        assert_eq!(lengths(None, &batches, &tiny), [0, 1, 1, 1, 1, 1, 1], "each has its own");
        // The timestamps are 1,000 + offset.
        let old = LogOptions { segment_ms: 2, ..LogOptions::default() };
        assert_eq!(lengths(None, &batches, &old), [0, 3, 3]);
        let far = Fill { base_offset: 3 - i64::from(u32::MAX), ..active };
        assert_eq!(lengths(Some(far), &batches, &LogOptions::default()), [3, 3]);
    }
}
