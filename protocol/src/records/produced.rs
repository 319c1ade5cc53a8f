//! What a producer may send.
//!
//! Must always hold: every record of a [`ProducedBatch`] has been walked over, compressed or not.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use super::source::SliceSource;
use super::walk::walk;
use super::{
    BatchError, BatchHeader, CheckedBatch, Codec, Inflater, RecordSummary, StampedBatch,
    TimestampType, crc32c, layout as at,
};
use crate::units::{LeaderEpoch, Offset};

/// A batch that a producer may append: all its records are well-formed and count from 0.
#[derive(Debug, Clone)]
pub struct ProducedBatch {
    batch: CheckedBatch,
    summary: RecordSummary,
}

impl ProducedBatch {
    /// Checks bytes that a producer sent for one partition.
    ///
    /// Compressed records are inflated once, through a buffer of fixed size, and not kept. Rules
    /// that depend on the topic (greatest size, keys of compacted topics, range of timestamps) are
    /// the caller's, who finds what they need in [`Self::summary`].
    ///
    /// # Errors
    /// What is wrong with the batch or its first bad record; [`BatchError::error_code`] is the
    /// answer.
    #[inline]
    pub fn check(bytes: Bytes, inflater: &mut Inflater) -> Result<Self, BatchError> {
        let batch = CheckedBatch::check(bytes)?;
        check_header(batch.header())?;
        let summary = match batch.codec()? {
            Codec::None => {
                let records = batch.bytes().get(at::RECORDS_AT..).unwrap_or_default();
                walk(&mut SliceSource::new(records), batch.header())?
            }
            codec => inflater.walk(codec, &batch.record_bytes(), batch.header())?,
        };
        Ok(Self { batch, summary })
    }

    /// The batch as it came.
    #[must_use]
    pub fn batch(&self) -> &CheckedBatch {
        &self.batch
    }

    /// The fields of its header as they came.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        self.batch.header()
    }

    /// What its records say together.
    #[must_use]
    pub fn summary(&self) -> &RecordSummary {
        &self.summary
    }

    /// The same records in a batch of another codec (`compression.type` of the topic). What the
    /// header says besides the codec stays: producer, sequence, timestamps.
    ///
    /// # Errors
    /// [`BatchError::Codec`] for a codec that this build leaves out, [`BatchError::TooLarge`] where
    /// the batch would reach 2 GiB, [`BatchError::Inflated`] as [`CheckedBatch::records`].
    pub fn recompress(&self, codec: Codec, inflater: &mut Inflater) -> Result<Self, BatchError> {
        let records = codec.compress(self.batch.records(inflater)?.bytes())?;
        let length = at::HEADER_BYTES.saturating_sub(at::LENGTH_OVERHEAD);
        let length = length.saturating_add(records.len());
        let mut header = *self.header();
        header.length = i32::try_from(length).map_err(|_| BatchError::TooLarge)?;
        header.attributes = header.attributes.with_codec(codec.number());
        let head = header.to_bytes();
        header.crc = crc32c(&[head.get(at::ATTRIBUTES_AT..).unwrap_or_default(), &records]);
        let bytes = [&header.to_bytes()[..], &records].concat();
        Ok(Self { batch: CheckedBatch::check(bytes.into())?, summary: self.summary })
    }

    /// Gives the batch its place in the log.
    ///
    /// The records stay as they are. The CRC stays too unless the timestamps change: by
    /// [`Stamps::log_append_time`], or because the producer's greatest timestamp was wrong, which
    /// is put right as in the reference.
    ///
    /// # Panics
    /// If the offsets would leave 64 bits: the caller assigned them wrongly.
    #[must_use]
    pub fn stamp(&self, stamps: &Stamps) -> StampedBatch {
        let mut header = *self.header();
        let max_timestamp = stamps.log_append_time.unwrap_or(self.summary.max_timestamp);
        let records = self.batch.record_bytes();
        if stamps.log_append_time.is_some() || max_timestamp != header.max_timestamp {
            header.max_timestamp = max_timestamp;
            if stamps.log_append_time.is_some() {
                header.attributes = header.attributes.with_log_append_time();
            }
            let head = header.to_bytes();
            header.crc = crc32c(&[head.get(at::ATTRIBUTES_AT..).unwrap_or_default(), &records]);
        }
        StampedBatch::place(header, records, stamps.base_offset, stamps.leader_epoch)
    }
}

/// What a leader adds to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamps {
    /// The offset of the first record, inclusive.
    pub base_offset: Offset,
    /// The epoch in which the leader appends.
    pub leader_epoch: LeaderEpoch,
    /// The broker's time in milliseconds, where the topic wants it instead of the producer's.
    pub log_append_time: Option<i64>,
}

/// What holds only for batches that come from producers.
fn check_header(header: &BatchHeader) -> Result<(), BatchError> {
    let attributes = header.attributes;
    let refuse = |reason| Err(BatchError::Attributes { attributes: attributes.0, reason });
    let &BatchHeader { record_count: count, last_offset_delta, base_offset: base, .. } = header;
    if base != 0 {
        return Err(BatchError::Offsets { base, last_delta: last_offset_delta });
    }
    if attributes.is_control() {
        return refuse("clients do not write control records");
    }
    if attributes.timestamp_type() == TimestampType::LogAppendTime {
        return Err(BatchError::LogAppendTime);
    }
    if attributes.has_delete_horizon() {
        return refuse("only compaction sets a delete horizon");
    }
    if count < 1 || last_offset_delta.checked_add(1) != Some(count) {
        return Err(BatchError::Count { count, last_offset_delta });
    }
    let &BatchHeader { producer_id: id, producer_epoch: epoch, base_sequence: sequence, .. } =
        header;
    let anonymous = id < 0 && !attributes.is_transactional();
    if !anonymous && (id < 0 || sequence < 0) {
        return Err(BatchError::Producer { id, epoch, sequence });
    }
    Ok(())
}
