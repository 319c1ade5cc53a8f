//! Reading: from the map what is hot, from the device what is not.
//!
//! Must always hold: a slice of a map lies below the end of what never changes again, and its
//! checksums were seen to be right by this process. Anything else is read into memory, checked,
//! and only then handed out.

use std::sync::Arc;

use bytes::Bytes;

use logboom_protocol::records::{BatchHeader, RawBatches, layout};

use super::{LogView, Segment};
use crate::error::{Damage, Doing as _, StorageError};
use crate::scan::{self, Expected, LENGTH_OVERHEAD, Place};
use crate::segment::HEADER_BYTES;

/// Up to where a reader may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadUntil {
    /// Consumers.
    HighWatermark,
    /// Replicas.
    End,
}

/// What a read found.
#[derive(Debug)]
pub enum Found {
    /// Nothing: the offset is the end of what may be read.
    Nothing,
    /// Whole batches, at hand. The first may begin below the offset that was asked for.
    Batches(Bytes),
    /// Whole batches that have to be read from the device; not on a thread that others wait for.
    Cold(ColdRead),
}

/// A read that may have to wait for the device.
#[derive(Debug)]
pub struct ColdRead {
    view: Arc<LogView>,
    segment: Arc<Segment>,
    start: u32,
    end: u32,
    /// The offset of the first batch, at least.
    offset: i64,
}

/// Bytes between the places whose presence in the page cache is asked for.
const PROBE_BYTES: u32 = 512 << 10;

impl LogView {
    /// Finds the batches from the one that holds `offset` on, up to about `bytes_max`, within one
    /// segment. The first batch is found whole whatever its size.
    ///
    /// Where the batch with `offset` is gone (compaction), the next one is found.
    ///
    /// # Errors
    /// [`StorageError::OutOfRange`], or [`StorageError::Corrupt`] where the batch is damaged.
    pub fn read(
        self: &Arc<Self>,
        offset: i64,
        bytes_max: u32,
        until: ReadUntil,
    ) -> Result<Found, StorageError> {
        let end_offset = match until {
            ReadUntil::HighWatermark => self.high_watermark(),
            ReadUntil::End => self.end_offset(),
        };
        let log_start_offset = self.log_start_offset();
        if offset < log_start_offset || offset > end_offset {
            return Err(StorageError::OutOfRange { offset, log_start_offset, end_offset });
        }
        let segments = self.segments();
        let at = segments.partition_point(|segment| segment.base_offset <= offset);
        for segment in &segments[at.saturating_sub(1)..] {
            if offset >= end_offset || segment.base_offset >= end_offset {
                return Ok(Found::Nothing);
            }
            if segment.end_offset() > offset {
                let found = self.read_segment(segment, offset, bytes_max, end_offset)?;
                if !matches!(found, Found::Nothing) {
                    return Ok(found);
                }
            }
        }
        Ok(Found::Nothing)
    }

    fn read_segment(
        self: &Arc<Self>,
        segment: &Arc<Segment>,
        offset: i64,
        bytes_max: u32,
        end_offset: i64,
    ) -> Result<Found, StorageError> {
        // One snapshot: the owner may append meanwhile.
        let end = segment.end();
        let limit = end.position;
        let Some(first) = self.locate(segment, offset, end)? else { return Ok(Found::Nothing) };
        if first.header.base_offset >= end_offset {
            return Ok(Found::Nothing);
        }
        let mut stop = limit;
        if end.offset > end_offset {
            let behind = self.locate(segment, end_offset, end)?;
            stop = behind.map_or(limit, |batch| batch.position);
        }
        stop = self.stop_at_hole(segment, first.position, stop);
        let first_end = first.position + first.size;
        let wanted = first.position.saturating_add(bytes_max);
        let end = if wanted >= stop {
            stop
        } else {
            let epochs = self.epochs();
            let entry = segment
                .with_index(&self.shared, &self.key, &epochs, |i| i.floor_position(wanted))?;
            entry.map_or(first_end, |entry| entry.position).max(first_end)
        };
        let (start, offset) = (first.position, first.header.base_offset);
        let read = ColdRead {
            view: Arc::clone(self),
            segment: Arc::clone(segment),
            start,
            end: end.max(first_end),
            offset,
        };
        if read.is_hot()? { read.lend().map(Found::Batches) } else { Ok(Found::Cold(read)) }
    }

    /// The end of a read that must not reach into a damaged part.
    fn stop_at_hole(&self, segment: &Segment, position: u32, stop: u32) -> u32 {
        let hole = segment.holes.iter().find(|hole| hole.position >= position);
        hole.map_or(stop, |hole| hole.position.min(stop))
    }

    /// Where the batch that holds `offset` begins, its base offset, and the greatest timestamp of
    /// the segment.
    pub(super) fn batch_at(
        &self,
        segment: &Segment,
        offset: i64,
    ) -> Result<Option<(u32, i64, i64)>, StorageError> {
        let epochs = self.epochs();
        let latest = segment.with_index(&self.shared, &self.key, &epochs, |index| {
            index.max_timestamp().unwrap_or(i64::MIN)
        })?;
        let found = self.locate(segment, offset, segment.end())?;
        Ok(found.map(|batch| (batch.position, batch.header.base_offset, latest)))
    }

    /// The batch that holds `offset`, or the first one behind it.
    fn locate(
        &self,
        segment: &Segment,
        offset: i64,
        end: Place,
    ) -> Result<Option<Located>, StorageError> {
        let limit = end.position;
        let relative = u32::try_from(offset.saturating_sub(segment.base_offset)).unwrap_or(0);
        let epochs = self.epochs();
        let entry =
            segment.with_index(&self.shared, &self.key, &epochs, |i| i.floor_offset(relative))?;
        let mut position = entry.map_or(HEADER_BYTES, |entry| entry.position);
        let from = entry.map_or(0, |entry| i64::from(entry.relative_offset));
        let mut expected = segment.base_offset + from;
        let file = segment.open(&self.shared, &self.key)?;
        let path = || segment.path(&self.shared, &self.key);
        while position < limit {
            if let Some(hole) = segment.holes.iter().find(|h| h.position == position) {
                if offset < hole.end_offset {
                    return Err(StorageError::corrupt(
                        &path(),
                        position.into(),
                        hole.damage.clone(),
                    ));
                }
                (position, expected) = (hole.end_position, hole.end_offset);
                continue;
            }
            let mut head = [0; layout::HEADER_BYTES];
            let read = file.file.read_at(position.into(), &mut head).doing("read", &path())?;
            let header = BatchHeader::from_bytes(&head);
            let found = header.base_offset;
            if found != expected {
                let what = Damage::Relation { field: "base offset", expected, found };
                return Err(StorageError::corrupt(&path(), position.into(), what));
            }
            let size = u32::try_from(header.length).ok();
            let size = size.and_then(|length| length.checked_add(LENGTH_OVERHEAD));
            let size = size.filter(|&size| read == head.len() && size <= limit - position);
            let (Some(size), layout::MAGIC) = (size, header.magic) else {
                let what = Damage::Header("no batch where one was appended");
                return Err(StorageError::corrupt(&path(), position.into(), what));
            };
            expected = found.saturating_add(header.last_offset_delta.into()).saturating_add(1);
            if expected > offset {
                return Ok(Some(Located { position, size, header }));
            }
            position += size;
        }
        if offset >= end.offset {
            return Ok(None);
        }
        let what = Damage::Relation { field: "end offset", expected: end.offset, found: expected };
        Err(StorageError::corrupt(&path(), position.into(), what))
    }
}

/// A batch in a segment's file. Nothing but its length and magic was looked at.
struct Located {
    position: u32,
    size: u32,
    header: BatchHeader,
}

impl ColdRead {
    /// Whether the bytes can be lent from the map: checked, and in memory.
    fn is_hot(&self) -> Result<bool, StorageError> {
        if !self.segment.is_verified(self.start, self.end) {
            return Ok(false);
        }
        let file = self.segment.open(&self.view.shared, &self.view.key)?;
        let mut at = self.start;
        while at < self.end {
            // Where the file system can't tell, it is one that lives in memory.
            if file.file.is_cached(at.into()) == Some(false) {
                return Ok(false);
            }
            at = at.saturating_add(PROBE_BYTES);
        }
        Ok(file.file.is_cached((self.end - 1).into()) != Some(false))
    }

    fn lend(&self) -> Result<Bytes, StorageError> {
        let file = self.segment.open(&self.view.shared, &self.view.key)?;
        let path = || self.segment.path(&self.view.shared, &self.view.key);
        file.stable(self.start, self.end).doing("map", &path())
    }

    /// Reads the batches from the device and checks every one.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] with the place of the first batch that is not what was appended,
    /// if it is the first of all; what is good before a bad one is returned.
    pub fn run(self) -> Result<Bytes, StorageError> {
        let file = self.segment.open(&self.view.shared, &self.view.key)?;
        let path = self.segment.path(&self.view.shared, &self.view.key);
        let mut bytes = vec![0; (self.end - self.start) as usize];
        let read = file.file.read_at(self.start.into(), &mut bytes).doing("read", &path)?;
        bytes.truncate(read);
        let epochs = self.view.epochs();
        let expected =
            Expected { segment_base_offset: self.segment.base_offset, epochs: &epochs, gaps: true };
        let (mut good, mut offset, mut damage) = (0, self.offset, None);
        for batch in RawBatches::new(&bytes) {
            let checked = batch
                .map_err(Damage::Batch)
                .and_then(|batch| scan::check_batch(&batch, offset, &expected).map(|()| batch));
            match checked {
                Ok(batch) => {
                    let header = batch.header();
                    offset = header.base_offset + i64::from(header.last_offset_delta) + 1;
                    good += batch.bytes().len();
                }
                Err(what) => {
                    damage = Some(what);
                    break;
                }
            }
        }
        let good_end = self.start + u32::try_from(good).unwrap_or(u32::MAX);
        if good > 0 {
            self.segment.mark_verified(self.start, good_end);
            bytes.truncate(good);
            return Ok(bytes.into());
        }
        let what = damage.unwrap_or(Damage::Short {
            expected: (self.end - self.start).into(),
            present: read as u64,
        });
        Err(StorageError::corrupt(&path, self.start.into(), what))
    }
}
