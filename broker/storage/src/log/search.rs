//! Looking for a record by its timestamp.

use std::sync::Arc;

use logboom_protocol::records::{BatchHeader, CheckedBatch, Inflater, layout};

use super::{LogView, Segment};
use crate::error::{Damage, Doing as _, StorageError};
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

impl LogView {
    /// The first record, from the log start on, whose timestamp is at least `timestamp`; `None` if
    /// there is none. It may lie behind the high watermark. Waits for the device.
    ///
    /// # Errors
    /// What the device says, or damage in a batch that has to be looked into.
    pub fn find_timestamp(
        &self,
        timestamp: i64,
        inflater: &mut Inflater,
    ) -> Result<Option<TimedOffset>, StorageError> {
        let epochs = self.epochs();
        for segment in self.segments().iter() {
            let entry = segment.with_index(&self.shared, &self.key, &epochs, |index| {
                index.floor_timestamp(timestamp)
            })?;
            let Some(entry) = entry else { continue };
            let from = entry.position.max(HEADER_BYTES);
            if let Some(found) = self.find_in(segment, from, timestamp, inflater)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn find_in(
        &self,
        segment: &Arc<Segment>,
        from: u32,
        timestamp: i64,
        inflater: &mut Inflater,
    ) -> Result<Option<TimedOffset>, StorageError> {
        let file = segment.open(&self.shared, &self.key)?;
        let path = segment.path(&self.shared, &self.key);
        let log_start_offset = self.log_start_offset();
        let (mut position, limit) = (from, segment.log_bytes());
        while position < limit {
            if let Some(hole) = segment.holes.iter().find(|hole| hole.position == position) {
                position = hole.end_position;
                continue;
            }
            let mut head = [0; layout::HEADER_BYTES];
            file.file.read_at(position.into(), &mut head).doing("read", &path)?;
            let header = BatchHeader::from_bytes(&head);
            let size = usize::try_from(header.length).unwrap_or(0) + layout::LENGTH_OVERHEAD;
            if header.max_timestamp >= timestamp {
                let mut bytes = vec![0; size.min((limit - position) as usize)];
                file.file.read_at(position.into(), &mut bytes).doing("read", &path)?;
                let corrupt =
                    |error| StorageError::corrupt(&path, position.into(), Damage::Batch(error));
                let batch = CheckedBatch::check(bytes.into()).map_err(corrupt)?;
                let records = batch.records(inflater).map_err(corrupt)?;
                for record in &records {
                    let record = record.map_err(corrupt)?;
                    if record.timestamp >= timestamp && record.offset >= log_start_offset {
                        let (offset, timestamp) = (record.offset, record.timestamp);
                        let leader_epoch = header.leader_epoch;
                        return Ok(Some(TimedOffset { offset, timestamp, leader_epoch }));
                    }
                }
            }
            position = position.saturating_add(u32::try_from(size).unwrap_or(u32::MAX));
        }
        Ok(None)
    }
}
