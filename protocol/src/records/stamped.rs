//! Batches with their place in a log: what storage appends.
//!
//! Must always hold: the records are those of a [`CheckedBatch`], and the header is that batch's
//! but for what its place changes.

use bytes::Bytes;

use super::{BatchHeader, CheckedBatch, layout as at};
use crate::units::{LeaderEpoch, Offset};

/// A batch with its place in the log, in two parts, so that the records are not copied.
///
/// It comes from a leader ([`super::ProducedBatch::stamp`], [`Self::by_broker`]), or as it is from
/// another replica ([`Self::from`] a checked batch).
#[derive(Debug, Clone)]
pub struct StampedBatch {
    header: BatchHeader,
    head: [u8; at::HEADER_BYTES],
    records: Bytes,
}

impl StampedBatch {
    /// Gives a batch that the broker itself made its place: control batches, and what coordinators
    /// write.
    ///
    /// # Panics
    /// If the offsets would leave 64 bits: the caller assigned them wrongly.
    #[must_use]
    pub fn by_broker(batch: &CheckedBatch, base_offset: Offset, leader_epoch: LeaderEpoch) -> Self {
        Self::place(*batch.header(), batch.record_bytes(), base_offset, leader_epoch)
    }

    pub(super) fn place(
        mut header: BatchHeader,
        records: Bytes,
        base_offset: Offset,
        leader_epoch: LeaderEpoch,
    ) -> Self {
        header.base_offset = base_offset.to_wire();
        header.leader_epoch = leader_epoch.to_wire();
        let records_max = i64::from(header.last_offset_delta) + 1;
        assert!(
            header.base_offset.checked_add(records_max).is_some(),
            "base offset {base_offset} leaves no room for {records_max} records"
        );
        Self { header, head: header.to_bytes(), records }
    }

    /// The fields of its header as the log has them.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Its bytes in two parts: the header, and the records as they came.
    #[must_use]
    pub fn parts(&self) -> [&[u8]; 2] {
        [&self.head, &self.records]
    }

    /// How many bytes it takes in the log.
    #[must_use]
    pub fn size(&self) -> usize {
        self.head.len() + self.records.len()
    }

    /// The offset that follows its last one, exclusive end of its range.
    #[must_use]
    pub fn end_offset(&self) -> i64 {
        // Checked when it was made.
        self.header.base_offset + i64::from(self.header.last_offset_delta) + 1
    }
}

/// A batch from another replica keeps the place that its leader gave it.
impl From<CheckedBatch> for StampedBatch {
    fn from(batch: CheckedBatch) -> Self {
        let header = *batch.header();
        Self { header, head: header.to_bytes(), records: batch.record_bytes() }
    }
}
