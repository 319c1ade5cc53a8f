//! Appending, rolling, flushing: what the owner of a log does all day.

use std::io;
use std::iter;
use std::path::PathBuf;
use std::slice;
use std::sync::Arc;

use logboom_protocol::records::{BatchHeader, StampedBatch, layout};

use super::indexing::write_index;
use super::runs::{self, Fill};
use super::snapshots::Saving;
use super::{Log, Segment};
use crate::disk::DiskFile;
use crate::error::{Damage, Doing as _, StorageError};
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

/// A segment whose file is made and that is not part of the log yet.
#[derive(Debug)]
pub(super) struct NewSegment {
    pub(super) file: Arc<OpenFile>,
    pub(super) segment: Arc<Segment>,
    /// Bytes of the file that can be written without asking for space.
    reserved: u32,
}

impl Active {
    /// After a start the age of the segment stands in its first batch. Where that can't be read,
    /// the segment is as young as the next one.
    fn learn_first_timestamp(&mut self, file: &OpenFile) {
        let segment = &self.segment;
        if segment.log_bytes() == HEADER_BYTES || segment.hole_at(HEADER_BYTES).is_some() {
            return;
        }
        let mut head = [0; layout::HEADER_BYTES];
        if let Ok(layout::HEADER_BYTES) = file.file.read_at(HEADER_BYTES.into(), &mut head) {
            let header = BatchHeader::from_bytes(&head);
            let is_first = header.base_offset == segment.base_offset;
            self.first_timestamp = is_first.then_some(header.max_timestamp);
        }
    }
}

/// Reserves `wanted` bytes of a file, or where there is no room for so many just those `needed`;
/// returns which.
fn reserve(file: &dyn DiskFile, wanted: u32, needed: u32) -> io::Result<u32> {
    match file.reserve(wanted.into()) {
        Ok(()) => Ok(wanted),
        Err(e) if wanted == needed => Err(e),
        Err(_) => file.reserve(needed.into()).map(|()| needed),
    }
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

impl Unflushed {
    /// Where the first segment begins that the manifest doesn't name yet.
    fn first_unnamed(&self) -> Option<i64> {
        self.records.iter().find_map(|(_, record)| match record {
            StateRecord::Segment(entry) => Some(entry.base_offset),
            _ => None,
        })
    }
}

impl Log {
    /// Appends batches at the end of the log, all or none, in one write a segment.
    ///
    /// - `batches`: in the order of their offsets, the first at [`Log::end_offset`], each where the
    ///   one before ends, all of the epoch [`Log::epoch`].
    ///
    /// On return they are visible to whoever may read beyond the high watermark. They are durable
    /// when [`Log::flushed_offset`] has passed them.
    ///
    /// # Errors
    /// A write that fails takes the directory out of service. With any other error, such as
    /// [`StorageError::NoSpace`], or [`StorageError::FlushUnderWay`] while an epoch begins, nothing
    /// was written.
    ///
    /// # Panics
    /// If the offsets or the epoch are not as said: the caller assigned them wrongly.
    pub fn append(&mut self, batches: &[StampedBatch]) -> Result<(), StorageError> {
        self.view.shared.health.check(&self.view.shared.root)?;
        if self.begins_epoch {
            return Err(StorageError::FlushUnderWay);
        }
        self.check_places(batches);
        self.look_at_active()?;
        let active = self.active.as_ref().map(|active| Fill {
            base_offset: active.segment.base_offset,
            bytes: active.segment.log_bytes() as usize,
            first_timestamp: active.first_timestamp,
        });
        let runs = runs::split(active, batches, &self.options);
        let new = self.make_room(&runs)?;
        for (run, new) in runs.iter().zip(iter::once(None).chain(new.into_iter().map(Some))) {
            if let Some(new) = new {
                self.seal();
                self.begin(new);
            }
            self.append_to_active(run)?;
        }
        Ok(())
    }

    fn check_places(&self, batches: &[StampedBatch]) {
        let (epoch, mut offset) = (self.epoch(), self.end_offset());
        for batch in batches {
            let header = batch.header();
            assert_eq!(
                header.base_offset, offset,
                "a batch belongs at the end of {}",
                self.view.key
            );
            assert_eq!(header.leader_epoch, epoch, "the epoch of {} at {offset}", self.view.key);
            offset = batch.end_offset();
        }
    }

    /// Opens the active segment's file before the first append after a start: at a clean stop
    /// nobody has. One that isn't what was left there is taken out of service, and the log goes on
    /// in a new one.
    fn look_at_active(&mut self) -> Result<(), StorageError> {
        let Some(active) = self.active.as_mut().filter(|it| it.first_timestamp.is_none()) else {
            return Ok(());
        };
        match active.segment.open(&self.view.shared, &self.view.key) {
            Ok(file) => active.learn_first_timestamp(&file),
            Err(StorageError::Corrupt(corruption)) => self.fence_active(corruption.what),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Takes all of the active segment out of service, up to where it is known to end.
    fn fence_active(&mut self, damage: Damage) {
        let Some(active) = self.active.take() else { return };
        let Segment { base_offset, generation, .. } = *active.segment;
        let fenced = Segment::new(base_offset, generation, active.segment.end());
        if !matches!(damage, Damage::Header(_)) {
            let state = &self.view.shared.state;
            let caching = state.group(self.key(), |group| group.is_some_and(|it| it.caching));
            self.note(StateRecord::Flags { caching, lossy: true });
        }
        fenced.fence_all(damage);
        self.view.shared.suspect(self.view.key, base_offset);
        let (length, max_timestamp) = (fenced.log_bytes(), i64::MIN);
        self.found_seal = Some(Box::new(Sealed { length, max_timestamp }));
        self.generation = self.view.next_generation(self.generation);
        let mut segments = self.view.segments().to_vec();
        segments.pop();
        segments.push(Arc::new(fenced));
        self.view.set_segments(segments);
    }

    /// Reserves what the runs need, in the active segment and in new ones; or nothing.
    fn make_room(&mut self, runs: &[&[StampedBatch]]) -> Result<Vec<NewSegment>, StorageError> {
        let Some((first, others)) = runs.split_first() else { return Ok(Vec::new()) };
        self.reserve_active(runs::bytes(first))?;
        let mut new: Vec<NewSegment> = Vec::new();
        for run in others {
            let Some(batch) = run.first() else { continue };
            let base_offset = batch.header().base_offset;
            match self.create_segment(base_offset, self.generation, runs::bytes(run)) {
                Ok(segment) => new.push(segment),
                Err(error) => {
                    new.iter().for_each(|new| self.drop_files(&new.segment));
                    return Err(error);
                }
            }
        }
        Ok(new)
    }

    /// Sees to it that the active segment has room for `bytes` more.
    fn reserve_active(&mut self, bytes: u32) -> Result<(), StorageError> {
        let Some(active) = self.active.as_mut().filter(|_| bytes > 0) else { return Ok(()) };
        let needed = active.segment.log_bytes().saturating_add(bytes);
        if needed <= active.reserved {
            return Ok(());
        }
        let file = match &active.dirty {
            Some(file) => Arc::clone(file),
            None => active.segment.open(&self.view.shared, &self.view.key)?,
        };
        let options = &self.view.shared.options;
        let step = active.reserved.clamp(options.reserve_bytes_min, options.reserve_bytes_max);
        let wanted = active.reserved.saturating_add(step).max(needed);
        let path = || active.segment.path(&self.view.shared, &self.view.key);
        active.reserved = reserve(&*file.file, wanted, needed).doing("reserve", &path())?;
        Ok(())
    }

    fn append_to_active(&mut self, batches: &[StampedBatch]) -> Result<(), StorageError> {
        let Some(active) = self.active.as_mut().filter(|_| !batches.is_empty()) else {
            return Ok(());
        };
        let segment = Arc::clone(&active.segment);
        let Place { position: start, mut offset } = segment.end();
        let mut position = start;
        let mut parts = Vec::with_capacity(2 * batches.len());
        let mut places = Vec::with_capacity(batches.len());
        for batch in batches {
            places.push(Place { position, offset });
            parts.extend(batch.parts());
            offset = batch.end_offset();
            position += runs::bytes(slice::from_ref(batch));
        }
        let file = match &active.dirty {
            Some(file) => Arc::clone(file),
            None => segment.open(&self.view.shared, &self.view.key)?,
        };
        if let Err(source) = file.file.write_at(start.into(), &parts) {
            let path = segment.path(&self.view.shared, &self.view.key);
            let error = StorageError::Io { doing: "write", path, source };
            self.view.shared.health.fail(&error);
            return Err(error);
        }
        if let Some(first) = batches.first() {
            active.first_timestamp.get_or_insert(first.header().max_timestamp);
        }
        segment.grow(Place { position, offset });
        segment.note(&file, batches, &places);
        active.dirty = Some(file);
        self.remembered.record(batches);
        self.unchecked_bytes += u64::from(position - start);
        Ok(())
    }

    /// Seals the active segment, if there is one, and begins another at the end of the log.
    pub(super) fn roll(&mut self) -> Result<(), StorageError> {
        let new = self.create_segment(self.end_offset(), self.generation, 0)?;
        self.seal();
        self.begin(new);
        Ok(())
    }

    /// Begins another segment where the last one holds an offset, for whoever wants to look into
    /// that one; durable when it returns. Waits for the device.
    ///
    /// # Errors
    /// As [`Log::append`], and [`StorageError::FlushUnderWay`].
    pub fn seal_at(&mut self, offset: i64) -> Result<(), StorageError> {
        self.check_at_rest()?;
        let holds = |active: &Active| {
            active.segment.base_offset <= offset && active.segment.log_bytes() > HEADER_BYTES
        };
        if !self.active.as_deref().is_some_and(holds) {
            return Ok(());
        }
        self.roll()?;
        self.flush_now()
    }

    /// Makes the file of a segment, reserved and headed, but not flushed.
    ///
    /// - `bytes`: of batches that it must have room for.
    pub(super) fn create_segment(
        &mut self,
        base_offset: i64,
        generation: u32,
        bytes: u32,
    ) -> Result<NewSegment, StorageError> {
        let shared = Arc::clone(&self.view.shared);
        let dir = partition_dir(&shared.root, &self.view.key);
        if self.view.segments().is_empty() {
            shared.disk.create_dir(&dir).doing("create", &dir)?;
            self.note_dir(shared.root.join(PARTITIONS));
        }
        let end = Place { position: HEADER_BYTES, offset: base_offset };
        let index = Index::new(shared.options.index_interval_bytes);
        let segment = Arc::new(Segment::new(base_offset, generation, end));
        let path = segment.path(&shared, &self.view.key);
        // What is there without being in the manifest is garbage from before a crash.
        shared.remove_if_there(&path)?;
        let file = shared.disk.create(&path).doing("create", &path)?;
        let needed = HEADER_BYTES.saturating_add(bytes);
        let wanted = shared.options.reserve_bytes_min.max(needed);
        let reserved =
            reserve(&*file, wanted, needed).doing("reserve", &path).inspect_err(|_| {
                shared.remove_if_there(&path).unwrap_or(());
            })?;
        let (key, epoch, salt) = (self.view.key, self.epoch(), shared.next_salt());
        let header = SegmentHeader { key, base_offset, generation, epoch, salt };
        if let Err(source) = file.write_at(0, &[&header.to_bytes()]) {
            let error = StorageError::Io { doing: "write", path, source };
            shared.health.fail(&error);
            return Err(error);
        }
        let open = Arc::new(OpenFile::new(file, index));
        shared.files.forget(segment.file_key(&key));
        let file = shared.files.get(segment.file_key(&key), || Ok::<_, StorageError>(open))?;
        self.note_dir(dir);
        Ok(NewSegment { file, segment, reserved })
    }

    /// Has the next flush make the names in a directory durable.
    fn note_dir(&mut self, dir: PathBuf) {
        // Inner ones come first.
        let dirs = &mut self.unflushed().dirs;
        if !dirs.contains(&dir) {
            dirs.insert(0, dir);
        }
    }

    /// Has the state store learn something with the next flush.
    fn note(&mut self, record: StateRecord) {
        let record = self.record(record);
        self.unflushed().records.push(record);
    }

    pub(super) fn unflushed(&mut self) -> &mut Unflushed {
        self.unflushed.get_or_insert_default()
    }

    /// Takes what the next flush has to do. The first time it also says that the log is no longer
    /// closed where it was.
    pub(super) fn take_unflushed(&mut self) -> Unflushed {
        let mut unflushed = self.unflushed.take().map_or_else(Unflushed::default, |it| *it);
        if std::mem::take(&mut self.is_reopened) {
            let state = &self.view.shared.state;
            let found = state.group(&self.view.key, |group| group.and_then(|g| g.checkpoint));
            let open = found.map(|found| Checkpoint { closed: false, ..found });
            let record = open.map(|open| self.record(StateRecord::Checkpoint(open)));
            unflushed.records.splice(0..0, record);
        }
        unflushed
    }

    /// Whether everything that was appended or changed is durable, or on its way.
    pub(super) fn is_flushed(&self) -> bool {
        self.unflushed.is_none() && self.flushed_offset == self.end_offset()
    }

    /// Lets the active segment be as it is.
    pub(super) fn seal(&mut self) {
        let Some(active) = self.active.take() else { return };
        let segment = &active.segment;
        let path = segment.path(&self.view.shared, &self.view.key);
        self.unflushed().files.extend(active.dirty.map(|file| (file, path)));
        // After a start it may not be known; retention reads it when it needs it.
        let max_timestamp = self.view.timestamp_at_hand(segment);
        let sealed = Sealed { length: segment.log_bytes(), max_timestamp };
        self.note(StateRecord::Sealed(sealed));
        segment.set_max_timestamp(max_timestamp);
        write_index(&self.view.shared, &self.view.key, segment);
    }

    /// Makes a segment the active one.
    pub(super) fn begin(&mut self, new: NewSegment) {
        let NewSegment { file, segment, reserved } = new;
        let entry = SegmentEntry {
            base_offset: segment.base_offset,
            generation: segment.generation,
            sealed: None,
        };
        let mut segments = self.view.segments().to_vec();
        if let Some(seal) = self.found_seal.take() {
            self.note(StateRecord::Sealed(*seal));
            // One of which nothing was good is replaced.
            self.replaced = segments.pop_if(|last| last.base_offset == segment.base_offset);
            segments
                .last()
                .iter()
                .for_each(|last| write_index(&self.view.shared, &self.view.key, last));
        }
        self.note(StateRecord::Segment(entry));
        segments.push(Arc::clone(&segment));
        self.view.set_segments(segments);
        let dirty = Some(file);
        self.active = Some(Box::new(Active { segment, dirty, reserved, first_timestamp: None }));
    }

    /// Asks for everything appended so far to be made durable; returns the offset up to which it
    /// will be, exclusive, or `None` where there is nothing to do or a flush is under way.
    ///
    /// When `done` is called with success, the owner calls [`Log::on_flushed`] with that offset.
    pub fn flush(&mut self, done: FlushDone) -> Option<i64> {
        if self.flushing || self.is_flushed() {
            return None;
        }
        let snapshot = self.due_snapshot();
        Some(self.flush_and_learn(None, snapshot, done))
    }

    /// Has everything appended so far made durable; returns the offset up to which it will be,
    /// exclusive.
    ///
    /// - `more`: what the state store learns in the same step.
    /// - `snapshot`: of the producers; with `more` it is no later than that.
    pub(super) fn flush_and_learn(
        &mut self,
        more: Option<StateRecord>,
        snapshot: Option<Saving>,
        done: FlushDone,
    ) -> i64 {
        let unflushed = self.take_unflushed();
        self.being_named = unflushed.first_unnamed();
        let Unflushed { mut files, dirs, mut records } = unflushed;
        records.extend(more.map(|record| self.record(record)));
        if let Some(active) = &mut self.active {
            let path = active.segment.path(&self.view.shared, &self.view.key);
            files.extend(active.dirty.take().map(|file| (file, path)));
        }
        let mut lazy_records: Vec<_> = self.checkpoint().into_iter().collect();
        let mut new_file = None;
        if let Some(Saving { record, file }) = snapshot {
            let record = self.record(record);
            match file {
                Some(file) => new_file = Some((file, record)),
                None => lazy_records.push(record),
            }
        }
        self.flushing = true;
        let view = Arc::clone(&self.view);
        let job = FlushJob { view, files, dirs, records, new_file, lazy_records, done };
        self.view.shared.flushes.push(job);
        self.end_offset()
    }

    /// A flush succeeded: everything below `offset` is durable.
    ///
    /// # Panics
    /// If no flush was under way, or it is beyond the end.
    pub fn on_flushed(&mut self, offset: i64) {
        assert!(self.flushing, "no flush of {} was under way", self.view.key);
        assert!(offset <= self.end_offset(), "flushed to {offset} of {}", self.end_offset());
        if self.being_named.is_some() {
            self.drop_replaced();
        }
        (self.flushing, self.begins_epoch, self.being_named) = (false, false, None);
        self.flushed_offset = self.flushed_offset.max(offset);
    }

    /// Below it everything survives a kill of the process, though not a power cut; exclusive, never
    /// below [`Log::flushed_offset`]. With `write.caching` a replica counts up to here.
    ///
    /// What was appended is in the page cache, and a start finds it there in the segments that the
    /// durable manifest names. Others are garbage to it, so this stays where a segment begins that
    /// was rolled to, until a flush behind that is over.
    #[must_use]
    pub fn cached_offset(&self) -> i64 {
        let unnamed = || self.unflushed.as_ref().and_then(|unflushed| unflushed.first_unnamed());
        self.being_named.or_else(unnamed).unwrap_or_else(|| self.end_offset())
    }

    /// A flush failed. The directory is out of service; nothing more becomes durable.
    pub fn on_flush_failed(&mut self) {
        self.flushing = false;
    }

    /// The checkpoint that will hold once everything appended so far is durable, where one is due.
    pub(super) fn checkpoint(&mut self) -> Option<(GroupKey, StateRecord)> {
        if self.unchecked_bytes < self.view.shared.options.checkpoint_bytes.into() {
            return None;
        }
        self.unchecked_bytes = 0;
        Some(self.record(StateRecord::Checkpoint(self.checkpoint_at_end()?)))
    }

    pub(super) fn checkpoint_at_end(&self) -> Option<Checkpoint> {
        self.active.as_ref().map(|active| self.checkpoint_in(&active.segment))
    }

    /// The checkpoint of a log that ends where a segment does.
    pub(super) fn checkpoint_in(&self, segment: &Segment) -> Checkpoint {
        Checkpoint {
            flushed_offset: segment.end_offset(),
            segment_base_offset: segment.base_offset,
            position: segment.log_bytes(),
            high_watermark: self.view.high_watermark(),
            closed: false,
        }
    }
}
