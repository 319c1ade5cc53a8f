//! What compaction makes of a batch: the same one, one with fewer records, or one without any.
//!
//! Must always hold: what is left of a batch keeps its base offset, last offset, producer, leader
//! epoch and codec, and every record that is left its offset, timestamp, key, value and headers.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::record::RecordIter;
use super::source::{SliceSource, Source as _};
use super::{
    Attributes, BatchError, BatchHeader, Codec, Inflater, RawBatch, Record, TimestampType, crc32c,
    layout as at,
};
use crate::wire::{uvarint_size, zigzag};

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retained {
    /// Nothing of it was removed, and it stays as it is.
    Whole,
    /// It was made anew.
    Rewritten {
        /// The greatest timestamp of what is left, milliseconds.
        max_timestamp: i64,
        /// Records that are left, at least 1.
        records: i32,
    },
    /// No record is left.
    Nothing,
}

/// Removes records from batches. It holds what that needs, so keep one a thread.
#[derive(Debug, Default)]
pub struct Retainer {
    inflater: Inflater,
    /// The parts `start..end` of the records that are left, each as long as it can be.
    spans: Vec<(usize, usize)>,
    /// Records made anew.
    made: Vec<u8>,
}

/// What a walk over the records learned.
struct Left {
    records: i32,
    max_timestamp: i64,
    /// Whether one without a value is among them.
    tombstones: bool,
}

impl Retainer {
    /// Calls `each` for the records of a batch, in order, until it says `false`; returns whether
    /// it never did.
    ///
    /// - `batch`: checked.
    ///
    /// # Errors
    /// As [`super::CheckedBatch::records`], or the first record that isn't one.
    pub fn visit(
        &mut self,
        batch: &RawBatch<'_>,
        mut each: impl FnMut(&Record<'_>) -> bool,
    ) -> Result<bool, BatchError> {
        let inflated = self.inflated(batch)?;
        let records = inflated.as_deref().unwrap_or(stored_records(batch));
        for record in RecordIter::over(records, batch.header()) {
            if !each(&record?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Appends to `out` what is left of a batch when only the records stay for which `keep` says
    /// so; nothing where none does, or where the batch stays as it is.
    ///
    /// - `batch`: checked.
    /// - `horizon_ms`: from when on tombstones may be removed. It takes the place of the batch's
    ///   base timestamp where a tombstone is left and the batch has none yet (KIP-534); `None` sets
    ///   none.
    ///
    /// # Errors
    /// As [`Self::visit`], [`BatchError::TooLarge`] where the batch would reach 2 GiB; then nothing
    /// is appended.
    pub fn retain(
        &mut self,
        batch: &RawBatch<'_>,
        horizon_ms: Option<i64>,
        out: &mut Vec<u8>,
        keep: impl FnMut(&Record<'_>) -> bool,
    ) -> Result<Retained, BatchError> {
        let header = batch.header();
        let inflated = self.inflated(batch)?;
        let records = inflated.as_deref().unwrap_or(stored_records(batch));
        let left = self.walk(records, header, keep)?;
        if left.records == 0 {
            return Ok(Retained::Nothing);
        }
        let needs_horizon = left.tombstones && !header.attributes.has_delete_horizon();
        let horizon = match horizon_ms.filter(|_| needs_horizon) {
            Some(horizon) => self.rebase(records, header, horizon)?.then_some(horizon),
            None => None,
        };
        if left.records == header.record_count && horizon.is_none() {
            return Ok(Retained::Whole);
        }
        if horizon.is_none() {
            self.made.clear();
            for &(start, end) in &self.spans {
                self.made.extend(records.get(start..end).unwrap_or_default());
            }
        }
        let max_timestamp = match header.attributes.timestamp_type() {
            TimestampType::LogAppendTime => header.max_timestamp,
            TimestampType::CreateTime => left.max_timestamp,
        };
        let mut new = BatchHeader { record_count: left.records, max_timestamp, ..*header };
        if let Some(horizon) = horizon {
            new.attributes = header.attributes.with_delete_horizon();
            new.base_timestamp = horizon;
        }
        let codec = Codec::from_number(header.attributes.codec_number())?;
        if codec == Codec::None {
            write(new, &self.made, out)?;
        } else {
            write(new, &codec.compress(&self.made)?, out)?;
        }
        Ok(Retained::Rewritten { max_timestamp, records: left.records })
    }

    /// The records of a batch in memory of their own, if they are compressed.
    fn inflated(&mut self, batch: &RawBatch<'_>) -> Result<Option<bytes::Bytes>, BatchError> {
        match Codec::from_number(batch.header().attributes.codec_number())? {
            Codec::None => Ok(None),
            // Without records there is nothing to inflate, and a codec may not like that.
            _ if batch.header().record_count == 0 => Ok(None),
            codec => self.inflater.inflate(codec, stored_records(batch)).map(Some),
        }
    }

    /// Finds the parts that stay.
    fn walk(
        &mut self,
        records: &[u8],
        header: &BatchHeader,
        mut keep: impl FnMut(&Record<'_>) -> bool,
    ) -> Result<Left, BatchError> {
        self.spans.clear();
        let mut left = Left { records: 0, max_timestamp: i64::MIN, tombstones: false };
        let mut iter = RecordIter::over(records, header);
        let mut start = 0;
        while let Some(record) = iter.next() {
            let record = record?;
            let end = records.len().saturating_sub(iter.rest_bytes());
            if keep(&record) {
                left.records = left.records.saturating_add(1);
                left.max_timestamp = left.max_timestamp.max(record.timestamp);
                left.tombstones |= record.value.is_none();
                match self.spans.last_mut().filter(|last| last.1 == start) {
                    Some(last) => last.1 = end,
                    None => self.spans.push((start, end)),
                }
            }
            start = end;
        }
        Ok(left)
    }

    /// Makes the records that stay anew, relative to another base timestamp; `false` where a
    /// timestamp is too far from it, and nothing is to be changed.
    fn rebase(
        &mut self,
        records: &[u8],
        header: &BatchHeader,
        base: i64,
    ) -> Result<bool, BatchError> {
        self.made.clear();
        let is_stamped = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        for &(start, end) in &self.spans {
            let mut source = SliceSource::new(records.get(start..end).unwrap_or_default());
            while !source.rest.is_empty() {
                let broken = |stop| SliceSource::new(&[]).error(stop, 0);
                let length = usize::try_from(source.varint().map_err(broken)?).unwrap_or(0);
                let body = source.run(length).map_err(broken)?;
                let mut fields = SliceSource::new(body);
                let attributes = fields.byte().map_err(broken)?;
                let delta = fields.varlong().map_err(broken)?;
                let timestamp = header.base_timestamp.checked_add(delta);
                let delta = match timestamp.and_then(|timestamp| timestamp.checked_sub(base)) {
                    Some(delta) => delta,
                    // The batch's own timestamp counts.
                    None if is_stamped => 0,
                    None => return Ok(false),
                };
                let rest = fields.rest;
                let bytes = rest.len().saturating_add(uvarint_size(zigzag(delta)));
                let bytes = i64::try_from(bytes.saturating_add(1)).unwrap_or(i64::MAX);
                put_varint(bytes, &mut self.made);
                self.made.push(attributes);
                put_varint(delta, &mut self.made);
                self.made.extend(rest);
            }
        }
        Ok(true)
    }
}

/// The records of a batch as they are stored.
fn stored_records<'a>(batch: &RawBatch<'a>) -> &'a [u8] {
    batch.bytes().get(at::RECORDS_AT..).unwrap_or_default()
}

/// A batch of which no record is left, as its producer's last batch stays: its header.
///
/// # Panics
/// Never: a header alone is small.
#[must_use]
pub fn emptied_batch(header: &BatchHeader) -> [u8; at::HEADER_BYTES] {
    let attributes = header.attributes.without_records();
    let header = BatchHeader { attributes, base_timestamp: -1, record_count: 0, ..*header };
    finished(header, &[]).expect("a header alone is small")
}

/// An empty batch of nobody that stands for offsets of which nothing is left.
///
/// - `base_offset`, `last_offset_delta`: the offsets, both ends inclusive.
///
/// # Panics
/// Never: a header alone is small.
#[must_use]
pub fn gap_batch(
    base_offset: i64,
    last_offset_delta: i32,
    leader_epoch: i32,
) -> [u8; at::HEADER_BYTES] {
    let header = BatchHeader {
        base_offset,
        length: 0,
        leader_epoch,
        magic: at::MAGIC,
        crc: 0,
        attributes: Attributes::default(),
        last_offset_delta,
        base_timestamp: -1,
        max_timestamp: -1,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: 0,
    };
    finished(header, &[]).expect("a header alone is small")
}

/// Appends a batch with its length and checksum put right.
fn write(header: BatchHeader, records: &[u8], out: &mut Vec<u8>) -> Result<(), BatchError> {
    let head = finished(header, records)?;
    out.reserve(head.len().saturating_add(records.len()));
    out.extend(head);
    out.extend(records);
    Ok(())
}

fn finished(mut header: BatchHeader, records: &[u8]) -> Result<[u8; at::HEADER_BYTES], BatchError> {
    let length = at::HEADER_BYTES.saturating_sub(at::LENGTH_OVERHEAD);
    let length = length.saturating_add(records.len());
    header.length = i32::try_from(length).map_err(|_| BatchError::TooLarge)?;
    let head = header.to_bytes();
    header.crc = crc32c(&[head.get(at::ATTRIBUTES_AT..).unwrap_or_default(), records]);
    Ok(header.to_bytes())
}

fn put_varint(value: i64, out: &mut Vec<u8>) {
    let mut value = zigzag(value);
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}
