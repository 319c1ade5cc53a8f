//! Looking for a record by its timestamp.
//!
//! Must always hold: no batch is believed before it was read whole and checked, and no answer is
//! given from behind one that is damaged.

use logboom_protocol::records::{BatchError, CheckedBatch, Inflater, RawBatch};

use super::locate::{FromDevice, Lookup};
use super::{LogView, Segment};
use crate::error::{Damage, StorageError};
use crate::scan::{self, Expected, Place};
use crate::segment::HEADER_BYTES;

/// A record found by its timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOffset {
    /// The record's offset.
    pub offset: i64,
    /// Its timestamp, milliseconds.
    pub timestamp: i64,
    /// The leader epoch of its batch.
    pub leader_epoch: i32,
}

/// Bytes that are read at once; a batch larger than that is read in one piece.
const PIECE_BYTES: usize = 64 << 10;

impl LogView {
    /// The first record, from the log start on, whose timestamp is at least `timestamp`; `None` if
    /// there is none. It may lie behind the high watermark. Waits for the device.
    ///
    /// # Errors
    /// What the device says, or damage in a batch that has to be looked into. What was fenced when
    /// the log was opened is passed over.
    pub fn find_timestamp(
        &self,
        timestamp: i64,
        inflater: &mut Inflater,
    ) -> Result<Option<TimedOffset>, StorageError> {
        self.with_segments(|segments| {
            for segment in segments {
                if let Some(found) = self.find_in(segment, timestamp, inflater)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })
    }

    /// The first record, from the log start on, with the greatest timestamp of all; `None` for an
    /// empty log. It may lie behind the high watermark. Waits for the device.
    ///
    /// # Errors
    /// As [`Self::find_timestamp`].
    pub fn find_max_timestamp(
        &self,
        inflater: &mut Inflater,
    ) -> Result<Option<TimedOffset>, StorageError> {
        self.with_segments(|segments| {
            let mut best: Option<TimedOffset> = None;
            for segment in segments {
                let latest = self.latest_timestamp(segment)?;
                if best.is_none_or(|best| best.timestamp < latest) {
                    let least = best.map_or(i64::MIN, |best| best.timestamp + 1);
                    best = self.find_latest_in(segment, least, latest, inflater)?.or(best);
                }
            }
            Ok(best)
        })
    }

    /// The first record with the greatest timestamp of a segment, if that is at least `least`.
    ///
    /// - `latest`: at least that timestamp. It is more where the record is damaged or lies before
    ///   the log start, and then it takes a search by halves.
    fn find_latest_in(
        &self,
        segment: &Segment,
        least: i64,
        latest: i64,
        inflater: &mut Inflater,
    ) -> Result<Option<TimedOffset>, StorageError> {
        if let Some(found) = self.find_in(segment, latest, inflater)? {
            return Ok(Some(found));
        }
        let Some(mut best) = self.find_in(segment, least, inflater)? else { return Ok(None) };
        // Exclusive: nothing is as late.
        let mut bound = latest;
        while best.timestamp + 1 < bound {
            // The greater half is never empty, and no sum overflows.
            let middle = best.timestamp + (bound.abs_diff(best.timestamp) / 2).cast_signed();
            match self.find_in(segment, middle, inflater)? {
                Some(later) => best = later,
                None => bound = middle,
            }
        }
        Ok(Some(best))
    }

    fn find_in(
        &self,
        segment: &Segment,
        timestamp: i64,
        inflater: &mut Inflater,
    ) -> Result<Option<TimedOffset>, StorageError> {
        let start_offset = self.log_start_offset();
        if segment.is_lost() || segment.end_offset() <= start_offset {
            return Ok(None);
        }
        let latest = segment.max_timestamp();
        if latest != i64::MIN && latest < timestamp {
            return Ok(None);
        }
        let file = segment.open(&self.shared, &self.key)?;
        self.extend_index(segment, &file, 0)?;
        let lookup = Lookup::new(self, segment, &file);
        let mut at = lookup.start_by_timestamp(timestamp, start_offset)?;
        let wanted =
            |found: &TimedOffset| found.timestamp >= timestamp && found.offset >= start_offset;
        let mut bytes = Vec::new();
        while at.position < lookup.end.position {
            if let Some(hole) = segment.hole_at(at.position) {
                at = Place { position: hole.end_position, offset: hole.end_offset };
                continue;
            }
            at = match lookup.find_in_piece(at, &mut bytes, wanted, inflater)? {
                Ok(found) => return Ok(Some(found)),
                Err(behind) => behind,
            };
        }
        Ok(None)
    }
}

impl Lookup<'_> {
    /// From where on to look for a timestamp: where the index says, but not before the batch that
    /// holds the log start. What lies below that may be damaged, and nobody has to know.
    fn start_by_timestamp(&self, timestamp: i64, start_offset: i64) -> Result<Place, StorageError> {
        let base = self.segment.base_offset;
        let mut start = Place { position: HEADER_BYTES, offset: base };
        if base < start_offset
            && let Some(head) = self.locate(start_offset, &FromDevice)?
        {
            start = head.at;
        }
        let mut entry = self.file.index().floor_timestamp(timestamp);
        while let Some(found) = entry.filter(|entry| entry.position > start.position) {
            if self.confirms(&found, &FromDevice)? {
                let offset = base + i64::from(found.relative_offset);
                return Ok(Place { position: found.position, offset });
            }
            if self.file.index().is_hearsay(&found) {
                self.view.rebuild_index(self.segment, self.file)?;
                entry = self.file.index().floor_timestamp(timestamp);
            } else {
                entry = self.file.index().floor_position(found.position - 1);
            }
        }
        Ok(start)
    }

    /// Reads a piece of the file at a place and looks through its batches; returns the record, or
    /// the place behind the last whole batch.
    fn find_in_piece(
        &self,
        at: Place,
        bytes: &mut Vec<u8>,
        wanted: impl Fn(&TimedOffset) -> bool,
        inflater: &mut Inflater,
    ) -> Result<Result<TimedOffset, Place>, StorageError> {
        let corrupt = |at: Place, what| self.corrupt(at.position, what);
        let limit = self.segment.hole_behind(at.position).unwrap_or(self.end.position);
        let left = limit.min(self.end.position).saturating_sub(at.position) as usize;
        self.read_piece(at, left.min(PIECE_BYTES), bytes)?;
        match RawBatch::split_first(bytes) {
            Err(BatchError::Truncated { needed, .. }) if bytes.len() < needed && needed <= left => {
                // It is believed no further than the segment goes.
                self.read_piece(at, needed, bytes)?;
            }
            _ => {}
        }
        let (mut at, mut rest) = (at, &bytes[..]);
        loop {
            let (batch, behind) = match RawBatch::split_first(rest) {
                Ok(split) => split,
                Err(BatchError::Truncated { .. }) if rest.len() < bytes.len() => {
                    return Ok(Err(at));
                }
                Err(error) => return Err(corrupt(at, Damage::Batch(error))),
            };
            let found = self.find_in_batch(&batch, at, &wanted, inflater);
            if let Some(found) = found.map_err(|what| corrupt(at, what))? {
                return Ok(Ok(found));
            }
            let header = batch.header();
            at.offset = header.base_offset + i64::from(header.last_offset_delta) + 1;
            at.position += u32::try_from(batch.bytes().len()).unwrap_or(u32::MAX);
            rest = behind;
            if rest.is_empty() {
                return Ok(Err(at));
            }
        }
    }

    fn read_piece(
        &self,
        at: Place,
        length: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<(), StorageError> {
        bytes.resize(length, 0);
        let read = self.file.file.read_at(at.position.into(), bytes);
        bytes.truncate(read.map_err(|source| self.unreadable(source))?);
        Ok(())
    }

    /// The first record of a batch that is wanted, once the batch was found to be right.
    fn find_in_batch(
        &self,
        batch: &RawBatch<'_>,
        at: Place,
        wanted: impl Fn(&TimedOffset) -> bool,
        inflater: &mut Inflater,
    ) -> Result<Option<TimedOffset>, Damage> {
        let expected = Expected { epochs: &self.epochs, gaps: false };
        scan::check_batch(batch, at.offset, &expected)?;
        let header = batch.header();
        let leader_epoch = header.leader_epoch;
        let last = TimedOffset {
            offset: header.base_offset + i64::from(header.last_offset_delta),
            timestamp: header.max_timestamp,
            leader_epoch,
        };
        // Any other record would be wanted even less.
        if !wanted(&last) {
            return Ok(None);
        }
        let batch = CheckedBatch::check(batch.bytes().to_vec().into()).map_err(Damage::Batch)?;
        for record in &batch.records(inflater).map_err(Damage::Batch)? {
            let record = record.map_err(Damage::Batch)?;
            let (offset, timestamp) = (record.offset, record.timestamp);
            let found = TimedOffset { offset, timestamp, leader_epoch };
            if wanted(&found) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
