//! What is left of each batch, and the file that it goes into.
//!
//! Must always hold: the batches of a new file continue each other from its base offset to where
//! the next segment begins; where batches are gone, one without records stands for their offsets.

use std::sync::Arc;

use logboom_protocol::records::{
    BatchHeader, RawBatch, Record, Retained, Retainer, emptied_batch, gap_batch, layout,
};

use super::super::{LogView, Segment};
use super::map::OffsetMap;
use super::pass::{end_of, is_of_transaction};
use super::swap::{NewFile, NewSegment};
use super::{CleanError, CleanStats, LastBatches, Pace};
use crate::directory::Shared;
use crate::error::{Doing as _, StorageError};
use crate::files::OpenFile;
use crate::index::Index;
use crate::log::indexing::write_index;
use crate::scan::Place;
use crate::segment::{HEADER_BYTES, SegmentHeader, partition_dir};

/// Decides what is left of batches.
pub(super) struct Rewriting<'a> {
    pub(super) map: &'a OffsetMap,
    /// Up to where the map knows the log, exclusive; behind it everything stays.
    pub(super) end_offset: i64,
    /// Up to where all replicas are compacted, exclusive.
    pub(super) compacted_by_all: i64,
    pub(super) now_ms: i64,
    /// From when on tombstones that are left may be removed.
    pub(super) horizon_ms: i64,
    pub(super) last_batches: &'a LastBatches,
    pub(super) retainer: &'a mut Retainer,
    /// A batch that was made anew.
    pub(super) made: &'a mut Vec<u8>,
    pub(super) stats: &'a mut CleanStats,
}

impl Rewriting<'_> {
    /// Writes what is left of a batch.
    pub(super) fn batch(
        &mut self,
        batch: &RawBatch<'_>,
        output: &mut Output,
    ) -> Result<(), CleanError> {
        let header = batch.header();
        if header.base_offset >= self.end_offset || is_of_transaction(batch) {
            output.take(batch.bytes(), header);
            return Ok(());
        }
        let (map, end_offset, compacted_by_all) =
            (self.map, self.end_offset, self.compacted_by_all);
        let attributes = header.attributes;
        let tombstones_stay =
            !attributes.has_delete_horizon() || self.now_ms < header.base_timestamp;
        let keep = |record: &Record<'_>| {
            let is_last = |key| map.get(key).is_none_or(|last| record.offset >= last);
            let stays =
                record.value.is_some() || tombstones_stay || record.offset >= compacted_by_all;
            record.offset >= end_offset || (record.key.is_some_and(is_last) && stays)
        };
        self.made.clear();
        // What the map doesn't know is not cleaned yet, and its time hasn't begun.
        let horizon_ms = (end_of(batch) <= end_offset).then_some(self.horizon_ms);
        let retained = self.retainer.retain(batch, horizon_ms, self.made, keep);
        match retained.map_err(|error| output.broken(error))? {
            Retained::Whole => output.take(batch.bytes(), header),
            Retained::Rewritten { max_timestamp, records } => {
                self.removed(header.record_count - records);
                output.is_changed = true;
                output.take(self.made, &BatchHeader { max_timestamp, ..*header });
            }
            Retained::Nothing => {
                self.removed(header.record_count);
                self.empty(batch, output);
            }
        }
        Ok(())
    }

    /// No record of a batch is left. The last one of a producer stays all the same: it has the
    /// producer's last sequence number.
    fn empty(&mut self, batch: &RawBatch<'_>, output: &mut Output) {
        let header = batch.header();
        let last_offset = end_of(batch) - 1;
        let is_last = header.producer_id >= 0
            && self.last_batches.contains(&(header.producer_id, last_offset));
        if is_last {
            output.is_changed |= header.record_count > 0;
            output.take(&emptied_batch(header), header);
        } else {
            output.add_gap(header);
        }
    }

    fn removed(&mut self, records: i32) {
        self.stats.removed_records += u64::try_from(records).unwrap_or(0);
    }
}

/// Offsets of which nothing is left, and that aren't written yet.
#[derive(Debug, Clone, Copy)]
struct Gap {
    base_offset: i64,
    last_offset_delta: i32,
    leader_epoch: i32,
}

/// A new file, as far as it is made.
pub(in crate::log) struct Output {
    file: NewFile,
    open: Arc<OpenFile>,
    base_offset: i64,
    generation: u32,
    /// What isn't in the file yet.
    buffer: Vec<u8>,
    /// Where it goes.
    position: u32,
    index: Index,
    gap: Option<Gap>,
    max_timestamp: i64,
    /// Whether it differs from what it is made of.
    pub(super) is_changed: bool,
}

/// Bytes that are collected before they are written.
const SPILL_BYTES: usize = 1 << 20;

impl Output {
    /// Makes the file, headed and not flushed.
    ///
    /// - `first`: the first segment in whose place it is to stand.
    pub(in crate::log) fn create(view: &Arc<LogView>, first: &Segment) -> Result<Self, CleanError> {
        let base_offset = first.base_offset;
        let generation = view.next_generation(first.generation);
        let start = Place { position: HEADER_BYTES, offset: base_offset };
        let segment = Segment::new(base_offset, generation, start);
        let (shared, key) = (&view.shared, view.key);
        let path = segment.path(shared, &key);
        let file = {
            // A directory that is of another life must not get it.
            let _there = view.deletion.hold_off().ok_or(StorageError::Deleted { key })?;
            shared.health.check(&shared.root)?;
            shared.remove_if_there(&path)?;
            shared.disk.create(&path).doing("create", &path)?
        };
        let epoch = view.epochs().last().map_or(0, |last| last.epoch);
        let header =
            SegmentHeader { key, base_offset, generation, epoch, salt: shared.next_salt() };
        let index = || Index::new(shared.options.index_interval_bytes);
        shared.files.forget(segment.file_key(&key));
        Ok(Self {
            open: Arc::new(OpenFile::new(file, index())),
            file: NewFile::new(view, path, segment.file_key(&key)),
            base_offset,
            generation,
            buffer: header.to_bytes().to_vec(),
            position: 0,
            index: index(),
            gap: None,
            max_timestamp: i64::MIN,
            is_changed: false,
        })
    }

    /// Whether what is left of a segment fits into the file, whatever that is.
    pub(super) fn fits(&self, segment: &Segment, segment_bytes: u32) -> bool {
        let bytes = u64::from(self.position) + self.buffer.len() as u64;
        let bytes = bytes + u64::from(segment.log_bytes() - HEADER_BYTES);
        let is_near = segment.end_offset() - self.base_offset <= i64::from(i32::MAX);
        is_near && bytes <= segment_bytes.into()
    }

    /// Writes a batch that stays.
    pub(in crate::log) fn take(&mut self, bytes: &[u8], header: &BatchHeader) {
        self.close_gap();
        let begun = self.buffer.len();
        self.buffer.extend(bytes);
        self.note(begun, header.max_timestamp);
    }

    /// Takes notice of the batch that begins at `begun` in the buffer and ends with it.
    fn note(&mut self, begun: usize, max_timestamp: i64) {
        let Some(head) = self.buffer[begun..].first_chunk::<{ layout::HEADER_BYTES }>() else {
            return;
        };
        let relative = BatchHeader::from_bytes(head).base_offset - self.base_offset;
        let relative = u32::try_from(relative).unwrap_or(u32::MAX);
        let position = self.position.saturating_add(u32::try_from(begun).unwrap_or(u32::MAX));
        self.index.note(relative, position, head, max_timestamp);
        self.max_timestamp = self.max_timestamp.max(max_timestamp);
    }

    /// Has the offsets of a batch stood for by one without records, together with those before
    /// where that is possible.
    fn add_gap(&mut self, header: &BatchHeader) {
        let (base_offset, leader_epoch) = (header.base_offset, header.leader_epoch);
        let is_one = header.record_count == 0 && header.producer_id < 0;
        self.is_changed |= !is_one;
        if let Some(gap) = self.gap.as_mut().filter(|gap| gap.leader_epoch == leader_epoch) {
            let delta = base_offset - gap.base_offset + i64::from(header.last_offset_delta);
            if let Ok(last_offset_delta) = i32::try_from(delta) {
                self.is_changed = true;
                gap.last_offset_delta = last_offset_delta;
                return;
            }
        }
        self.close_gap();
        let last_offset_delta = header.last_offset_delta;
        self.gap = Some(Gap { base_offset, last_offset_delta, leader_epoch });
    }

    fn close_gap(&mut self) {
        if let Some(Gap { base_offset, last_offset_delta, leader_epoch }) = self.gap.take() {
            let begun = self.buffer.len();
            self.buffer.extend(gap_batch(base_offset, last_offset_delta, leader_epoch));
            self.note(begun, -1);
        }
    }

    /// Writes what was collected, if that is enough.
    pub(in crate::log) fn spill(&mut self, pace: &mut dyn Pace) -> Result<(), CleanError> {
        if self.buffer.len() < SPILL_BYTES { Ok(()) } else { self.write(pace) }
    }

    fn write(&mut self, pace: &mut dyn Pace) -> Result<(), CleanError> {
        let shared = self.shared();
        let path = &self.file.path;
        let bytes = u32::try_from(self.buffer.len()).unwrap_or(u32::MAX);
        let end = self.position.checked_add(bytes).filter(|end| *end < u32::MAX);
        let end = end.ok_or_else(|| StorageError::NoSpace { path: path.clone() })?;
        shared.health.check(&shared.root)?;
        // So that a full disk shows here, where it does no harm, and not at the write.
        self.open.file.reserve(end.into()).doing("reserve", path)?;
        let written = self.open.file.write_at(self.position.into(), &[&self.buffer]);
        written.failing("write", path).inspect_err(|error| shared.health.fail(error))?;
        let moved = self.buffer.len();
        self.position = end;
        self.buffer.clear();
        if pace.moved(moved) { Ok(()) } else { Err(CleanError::Stopped) }
    }

    /// Makes the file durable with its name.
    pub(in crate::log) fn finish(
        mut self,
        replaced: Vec<Arc<Segment>>,
        pace: &mut dyn Pace,
    ) -> Result<NewSegment, CleanError> {
        self.close_gap();
        self.write(pace)?;
        let (view, shared) = (Arc::clone(&self.file.view), self.shared());
        let fail = |error: &StorageError| shared.health.fail(error);
        self.open.file.sync().failing("flush", &self.file.path).inspect_err(fail)?;
        let dir = partition_dir(&shared.root, &view.key);
        {
            let _there = view.deletion.hold_off();
            view.check_there()?;
            shared.disk.sync_dir(&dir).failing("flush", &dir).inspect_err(fail)?;
        }
        let end_offset = replaced.last().map_or(self.base_offset, |last| last.end_offset());
        let end = Place { position: self.position, offset: end_offset };
        let segment = Segment::new(self.base_offset, self.generation, end);
        segment.set_max_timestamp(self.max_timestamp);
        // Every batch was checked before it was written, and is in memory.
        segment.mark_verified(HEADER_BYTES, end.position);
        *self.open.index_mut() = self.index;
        let open = Arc::clone(&self.open);
        shared.files.get(segment.file_key(&view.key), || Ok::<_, StorageError>(open))?;
        write_index(&shared, &view.key, &segment);
        Ok(NewSegment { file: self.file, segment: Arc::new(segment), replaced })
    }

    fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.file.view.shared)
    }

    /// Records that can't be read, though their checksum is right.
    fn broken(&self, error: logboom_protocol::records::BatchError) -> CleanError {
        super::pass::broken(&self.file.view, &self.segment_read(), error)
    }

    fn segment_read(&self) -> Segment {
        let start = Place { position: HEADER_BYTES, offset: self.base_offset };
        Segment::new(self.base_offset, self.generation, start)
    }
}
