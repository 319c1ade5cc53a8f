//! Appending, rolling, flushing: what the owner of a log does all day.

use std::path::PathBuf;
use std::sync::Arc;

use logboom_protocol::records::StampedBatch;

use super::indexing::write_index;
use super::{Log, Segment};
use crate::error::{Doing as _, StorageError};
use crate::files::OpenFile;
use crate::flush::{FlushDone, FlushJob};
use crate::index::Index;
use crate::scan::Place;
use crate::segment::{HEADER_BYTES, PARTITIONS, SegmentHeader, partition_dir};
use crate::state::{Checkpoint, GroupKey, Sealed, SegmentEntry, StateRecord};

/// The segment that is appended to.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) segment: Arc<Segment>,
    /// Held while it has bytes that are not flushed, so that nobody closes it.
    pub(super) dirty: Option<Arc<OpenFile>>,
    /// Bytes of the file that can be written without asking for space.
    pub(super) reserved: u32,
    /// The greatest timestamp of the first batch, from which the segment's age counts.
    pub(super) first_timestamp: Option<i64>,
}

/// What a flush has to do besides the active segment's file.
#[derive(Debug, Default)]
pub(super) struct Unflushed {
    /// Sealed segments with bytes that are not flushed, oldest first.
    pub(super) files: Vec<(Arc<OpenFile>, PathBuf)>,
    /// Directories with new names.
    pub(super) dirs: Vec<PathBuf>,
    /// What the state store is to learn once the files are durable, in order.
    pub(super) records: Vec<(GroupKey, StateRecord)>,
}

impl Log {
    /// Appends batches at the end of the log, in one write.
    ///
    /// - `batches`: in the order of their offsets, the first at [`Log::end_offset`], each where the
    ///   one before ends, all of the epoch [`Log::epoch`].
    ///
    /// On return they are visible to whoever may read beyond the high watermark. They are durable
    /// when [`Log::flushed_offset`] has passed them.
    ///
    /// # Errors
    /// [`StorageError::NoSpace`] with nothing written; any other error takes the directory out of
    /// service.
    ///
    /// # Panics
    /// If the offsets or the epoch are not as said: the caller assigned them wrongly.
    pub fn append(&mut self, batches: &[StampedBatch]) -> Result<(), StorageError> {
        self.shared.health.check(&self.shared.root)?;
        let mut rest = batches;
        while let Some(first) = rest.first() {
            if self.active.is_none() || self.is_full(first) {
                self.roll()?;
            }
            let count = self.fitting(rest);
            let (now, later) = rest.split_at(count);
            self.append_to_active(now)?;
            rest = later;
        }
        Ok(())
    }

    /// Whether the active segment is to be sealed before `batch`.
    fn is_full(&self, batch: &StampedBatch) -> bool {
        let Some(active) = &self.active else { return true };
        let used = active.segment.log_bytes();
        if used == HEADER_BYTES {
            return false;
        }
        let header = batch.header();
        let too_large = used as usize + batch.size() > self.options.segment_bytes as usize;
        // Offsets within a segment are 32 bits wide.
        let too_far = batch.end_offset() - active.segment.base_offset > i64::from(u32::MAX);
        let too_old = active.first_timestamp.is_some_and(|first| {
            header.max_timestamp.saturating_sub(first) > self.options.segment_ms
        });
        too_large || too_far || too_old
    }

    /// How many of `batches` go into the active segment together, at least one.
    fn fitting(&self, batches: &[StampedBatch]) -> usize {
        let Some(active) = &self.active else { return 0 };
        let mut bytes = active.segment.log_bytes() as usize;
        let fits = batches.iter().take_while(|batch| {
            bytes += batch.size();
            bytes <= self.options.segment_bytes as usize
        });
        fits.count().max(1)
    }

    fn append_to_active(&mut self, batches: &[StampedBatch]) -> Result<(), StorageError> {
        let epoch = self.epoch();
        let Some(active) = &mut self.active else { return Ok(()) };
        let segment = Arc::clone(&active.segment);
        let (mut position, mut offset) = (segment.log_bytes(), segment.end_offset());
        let start = position;
        let mut parts = Vec::with_capacity(2 * batches.len());
        let mut places = Vec::with_capacity(batches.len());
        for batch in batches {
            let header = batch.header();
            assert_eq!(header.base_offset, offset, "a batch belongs at the end of {}", self.key);
            assert_eq!(header.leader_epoch, epoch, "the epoch of {} at {offset}", self.key);
            places.push(Place { position, offset });
            parts.extend(batch.parts());
            offset = batch.end_offset();
            // A batch larger than the segment has one of its own.
            position = u32::try_from(position as usize + batch.size()).map_err(|_| {
                StorageError::NoSpace { path: segment.path(&self.shared, &self.key) }
            })?;
        }
        let file = match &active.dirty {
            Some(file) => Arc::clone(file),
            None => segment.open(&self.shared, &self.key)?,
        };
        let path = || segment.path(&self.shared, &self.key);
        if position > active.reserved {
            let step = active.reserved.clamp(
                self.shared.options.reserve_bytes_min,
                self.shared.options.reserve_bytes_max,
            );
            let wanted = active.reserved.saturating_add(step).max(position);
            file.file.reserve(wanted.into()).doing("reserve", &path())?;
            active.reserved = wanted;
        }
        if let Err(source) = file.file.write_at(start.into(), &parts) {
            let error = StorageError::Io { doing: "write", path: path(), source };
            self.shared.health.fail(&error);
            return Err(error);
        }
        if let Some(first) = batches.first() {
            active.first_timestamp.get_or_insert(first.header().max_timestamp);
        }
        segment.grow(Place { position, offset });
        segment.note(&file, batches, &places);
        active.dirty = Some(file);
        self.unchecked_bytes += u64::from(position - start);
        Ok(())
    }

    /// Seals the active segment, if there is one, and begins another at the end of the log.
    fn roll(&mut self) -> Result<(), StorageError> {
        let base_offset = self.end_offset();
        let (file, segment) = self.create_segment(base_offset, 0)?;
        self.seal();
        self.begin(file, segment);
        Ok(())
    }

    /// Seals a segment that is too old to keep, so that it can go.
    pub(super) fn roll_expired(&mut self) -> Result<(), StorageError> {
        self.roll()
    }

    /// Makes the file of a segment, reserved and headed, but not flushed.
    pub(super) fn create_segment(
        &mut self,
        base_offset: i64,
        generation: u32,
    ) -> Result<(Arc<OpenFile>, Arc<Segment>), StorageError> {
        let shared = Arc::clone(&self.shared);
        let dir = partition_dir(&shared.root, &self.key);
        if self.view.segments().is_empty() {
            shared.disk.create_dir(&dir).doing("create", &dir)?;
            self.unflushed.dirs.push(shared.root.join(PARTITIONS));
        }
        let end = Place { position: HEADER_BYTES, offset: base_offset };
        let index = Index::new(shared.options.index_interval_bytes);
        let segment = Arc::new(Segment::new(base_offset, generation, end));
        let path = segment.path(&shared, &self.key);
        // What is there without being in the manifest is garbage from before a crash.
        shared.remove_if_there(&path)?;
        let file = shared.disk.create(&path).doing("create", &path)?;
        let reserve = shared.options.reserve_bytes_min.max(HEADER_BYTES);
        if let Err(error) = file.reserve(reserve.into()).doing("reserve", &path) {
            shared.remove_if_there(&path).unwrap_or(());
            return Err(error);
        }
        let (key, epoch, salt) = (self.key, self.epoch(), shared.next_salt());
        let header = SegmentHeader { key, base_offset, generation, epoch, salt };
        if let Err(source) = file.write_at(0, &[&header.to_bytes()]) {
            let error = StorageError::Io { doing: "write", path, source };
            shared.health.fail(&error);
            return Err(error);
        }
        let open = Arc::new(OpenFile::new(file, index));
        shared.files.forget(segment.file_key(&key));
        let open = shared.files.get(segment.file_key(&key), || Ok::<_, StorageError>(open))?;
        if !self.unflushed.dirs.contains(&dir) {
            self.unflushed.dirs.insert(0, dir);
        }
        Ok((open, segment))
    }

    /// Lets the active segment be as it is.
    pub(super) fn seal(&mut self) {
        let Some(active) = self.active.take() else { return };
        let segment = &active.segment;
        let path = segment.path(&self.shared, &self.key);
        self.unflushed.files.extend(active.dirty.map(|file| (file, path)));
        // After a start only the index knows the timestamps from before it.
        let max_timestamp = self.view.latest_timestamp(segment).unwrap_or(i64::MIN);
        let sealed = Sealed { length: segment.log_bytes(), max_timestamp };
        self.unflushed.records.push((self.key, StateRecord::Sealed(sealed)));
        segment.set_max_timestamp(max_timestamp);
        write_index(&self.shared, &self.key, segment);
    }

    /// Makes a segment the active one.
    pub(super) fn begin(&mut self, file: Arc<OpenFile>, segment: Arc<Segment>) {
        let entry = SegmentEntry {
            base_offset: segment.base_offset,
            generation: segment.generation,
            sealed: None,
        };
        self.unflushed.records.push((self.key, StateRecord::Segment(entry)));
        let mut segments = self.view.segments().to_vec();
        segments.push(Arc::clone(&segment));
        self.view.set_segments(segments);
        let reserved = self.shared.options.reserve_bytes_min.max(HEADER_BYTES);
        self.active = Some(Active { segment, dirty: Some(file), reserved, first_timestamp: None });
    }

    /// Asks for everything appended so far to be made durable; returns the offset up to which it
    /// will be, exclusive, or `None` where there is nothing to do or a flush is under way.
    ///
    /// When `done` is called with success, the owner calls [`Log::on_flushed`] with that offset.
    pub fn flush(&mut self, done: FlushDone) -> Option<i64> {
        let end_offset = self.end_offset();
        let nothing = self.unflushed.files.is_empty() && self.unflushed.records.is_empty();
        if self.flushing || (nothing && self.flushed_offset == end_offset) {
            return None;
        }
        let Unflushed { mut files, dirs, records } = std::mem::take(&mut self.unflushed);
        if let Some(active) = &mut self.active {
            let path = active.segment.path(&self.shared, &self.key);
            files.extend(active.dirty.take().map(|file| (file, path)));
        }
        let lazy_records = self.checkpoint().into_iter().collect();
        self.flushing = true;
        self.shared.flushes.push(FlushJob { files, dirs, records, lazy_records, done });
        Some(end_offset)
    }

    /// A flush succeeded: everything below `offset` is durable.
    ///
    /// # Panics
    /// If no flush was under way, or it is beyond the end.
    pub fn on_flushed(&mut self, offset: i64) {
        assert!(self.flushing, "no flush of {} was under way", self.key);
        assert!(offset <= self.end_offset(), "flushed to {offset} of {}", self.end_offset());
        self.flushing = false;
        self.flushed_offset = self.flushed_offset.max(offset);
    }

    /// A flush failed. The directory is out of service; nothing more becomes durable.
    pub fn on_flush_failed(&mut self) {
        self.flushing = false;
    }

    /// The checkpoint that will hold once everything appended so far is durable, where one is due.
    fn checkpoint(&mut self) -> Option<(GroupKey, StateRecord)> {
        if self.unchecked_bytes < self.shared.options.checkpoint_bytes.into() {
            return None;
        }
        self.unchecked_bytes = 0;
        Some(self.record(StateRecord::Checkpoint(self.checkpoint_at_end()?)))
    }

    pub(super) fn checkpoint_at_end(&self) -> Option<Checkpoint> {
        let segment = &self.active.as_ref()?.segment;
        Some(Checkpoint {
            flushed_offset: segment.end_offset(),
            segment_base_offset: segment.base_offset,
            position: segment.log_bytes(),
            high_watermark: self.view.high_watermark(),
            producers_offset: None,
            closed: false,
        })
    }
}
