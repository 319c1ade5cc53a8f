//! What makes a log shorter: truncation of its tail, a log start that moves, retention.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::append::Unflushed;
use super::snapshots::Saving;
use super::{Log, Segment};
use crate::error::{Damage, Doing as _, StorageError};
use crate::files::OpenFile;
use crate::flush::{FlushDone, NewFile};
use crate::options::LogOptions;
use crate::producers::Producers;
use crate::segment::{HEADER_BYTES, PARTITIONS, partition_dir};
use crate::state::{EpochStart, GroupState, LogStart, Sealed, StateRecord};

/// A log start that is on its way into the state store.
#[derive(Debug)]
#[must_use = "the log goes on with it when it is there"]
pub struct MovingStart {
    offset: i64,
    /// How many of the first segments go. One that is rolled to meanwhile isn't in the manifest
    /// yet, so whatever lies below it stays.
    gone_count: usize,
    flushes_to: i64,
}

impl MovingStart {
    /// The offset up to which the flush goes that it moves with, exclusive.
    #[must_use]
    pub fn flushes_to(&self) -> i64 {
        self.flushes_to
    }
}

impl Log {
    /// Drops everything at and behind `offset`, and the control entries behind
    /// `control_sequence`; durable when it returns. Waits for the device.
    ///
    /// Nothing is cut in place: the file that holds the cut is sealed at its surviving length, and
    /// the next append goes into a new one. So a cut needs no room but the state store's. Readers
    /// keep what they hold.
    ///
    /// - `offset`: where a batch begins, or a damaged part; at least the high watermark.
    /// - `epoch`: the last epoch that survives.
    /// - `behind`: what the group learns in the same step, in order: the epoch and the control
    ///   entries that begin at the cut.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] where no batch begins at `offset`,
    /// [`StorageError::FlushUnderWay`]: nothing has changed. A failed write or flush takes the
    /// directory out of service.
    ///
    /// # Panics
    /// If `offset` is below the high watermark: committed records are never cut.
    pub fn truncate_to(
        &mut self,
        offset: i64,
        epoch: i32,
        control_sequence: u64,
        behind: &[StateRecord],
    ) -> Result<(), StorageError> {
        let high_watermark = self.view.high_watermark();
        assert!(offset >= high_watermark, "cut at {offset}, committed to {high_watermark}");
        self.check_at_rest()?;
        let segments = self.view.segments();
        let (kept, seal) = self.cut_segments(&segments, offset)?;
        if let Some(active) = self.active.as_mut().filter(|a| a.segment.base_offset >= offset) {
            // Nothing in it survives.
            active.dirty = None;
        }
        let mut records = vec![StateRecord::Cut { offset, epoch, control_sequence }];
        if let (Some(last), Some(seal)) = (kept.last(), seal) {
            records.push(StateRecord::Sealed(seal));
            // Only this says at which offset the sealed segment ends, as long as it is the last.
            records.push(StateRecord::Checkpoint(self.checkpoint_in(last)));
        }
        records.extend(behind.iter().cloned());
        self.commit_behind_writes(&records)?;
        self.active = None;
        self.found_seal = seal.map(Box::new);
        self.generation = self.view.next_generation(self.generation);
        self.view.set_segments(kept);
        self.refresh_epochs();
        self.remembered.producers.truncate(offset);
        self.flushed_offset = offset;
        // Where nothing survives, the first keeps its place until another is made there.
        let gone = segments.iter().skip(1).filter(|segment| segment.base_offset >= offset);
        gone.for_each(|gone| self.drop_files(gone));
        Ok(())
    }

    /// The segments that a cut leaves, and how the last of them is sealed.
    fn cut_segments(
        &self,
        segments: &[Arc<Segment>],
        offset: i64,
    ) -> Result<(Vec<Arc<Segment>>, Option<Sealed>), StorageError> {
        let survives = |s: &&Arc<Segment>| s.base_offset < offset;
        let mut kept: Vec<Arc<Segment>> = segments.iter().take_while(survives).cloned().collect();
        let (last, length, max_timestamp) = if let Some(last) = kept.pop() {
            let (position, max_timestamp) = self.cut_place(&last, offset)?;
            (last, position, max_timestamp)
        } else if let Some(first) = segments.first() {
            assert_eq!(first.base_offset, offset, "a cut of {} below its start", self.view.key);
            (Arc::clone(first), HEADER_BYTES, i64::MIN)
        } else {
            return Ok((kept, None));
        };
        let shorter = last.shortened(length, offset);
        shorter.set_max_timestamp(max_timestamp);
        kept.push(Arc::new(shorter));
        Ok((kept, Some(Sealed { length, max_timestamp })))
    }

    /// Where in the segment's file the batch with `offset` begins, and the greatest timestamp of
    /// the batches before it, or one that is greater; the least `i64` where it isn't known.
    fn cut_place(&self, segment: &Segment, offset: i64) -> Result<(u32, i64), StorageError> {
        let latest = self.view.timestamp_at_hand(segment);
        if segment.end_offset() <= offset {
            return Ok((segment.log_bytes(), latest));
        }
        if let Some(hole) = segment.holes().iter().find(|hole| hole.offset == offset) {
            return Ok((hole.position, latest));
        }
        let found = self.view.batch_at(segment, offset)?;
        let path = segment.path(&self.view.shared, &self.view.key);
        match found {
            // The timestamps behind the cut count as well; they only keep the segment longer.
            Some((position, base_offset, latest)) if base_offset == offset => {
                Ok((position, latest))
            }
            Some((position, base_offset, _)) => {
                let what =
                    Damage::Relation { field: "base offset", expected: offset, found: base_offset };
                Err(StorageError::corrupt(&path, position.into(), what))
            }
            None => Err(StorageError::corrupt(&path, 0, Damage::Header("no batch at the cut"))),
        }
    }

    /// Refuses where the directory has failed, or a job holds files and records of this log.
    pub(super) fn check_at_rest(&self) -> Result<(), StorageError> {
        self.view.shared.health.check(&self.view.shared.root)?;
        if self.flushing { Err(StorageError::FlushUnderWay) } else { Ok(()) }
    }

    /// Flushes what was appended, on this thread.
    ///
    /// # Errors
    /// [`StorageError::FlushUnderWay`]; any other takes the directory out of service.
    pub fn flush_now(&mut self) -> Result<(), StorageError> {
        self.flush_with(&[])
    }

    /// Flushes what was appended, and writes down `more` behind it, in one step.
    fn flush_with(&mut self, more: &[StateRecord]) -> Result<(), StorageError> {
        self.check_at_rest()?;
        if more.is_empty() && self.is_flushed() {
            return Ok(());
        }
        self.commit_behind_writes(more)?;
        self.flushed_offset = self.end_offset();
        Ok(())
    }

    /// Makes all that was written durable, and then what waits for it with `more`, in one step.
    fn commit_behind_writes(&mut self, more: &[StateRecord]) -> Result<(), StorageError> {
        let Unflushed { files, dirs, mut records } = self.take_unflushed();
        self.sync_files(files)?;
        self.sync_dirs(&dirs)?;
        records.extend(more.iter().map(|record| self.record(record.clone())));
        if !records.is_empty() {
            self.view.shared.commit(&records)?;
        }
        self.drop_replaced();
        Ok(())
    }

    /// Makes all files durable. Their names, and what the state store is to learn of them, wait.
    fn sync_files(&mut self, mut files: Vec<(Arc<OpenFile>, PathBuf)>) -> Result<(), StorageError> {
        if let Some(active) = &mut self.active {
            let path = active.segment.path(&self.view.shared, &self.view.key);
            files.extend(active.dirty.take().map(|file| (file, path)));
        }
        files.iter().try_for_each(|(file, path)| self.check_flush(file.file.sync(), path))
    }

    fn sync_dirs(&self, dirs: &[PathBuf]) -> Result<(), StorageError> {
        let disk = &self.view.shared.disk;
        dirs.iter().try_for_each(|dir| self.check_flush(disk.sync_dir(dir), dir))
    }

    /// Takes the directory out of service where a flush failed. A full disk loses writes like any
    /// other failure.
    fn check_flush(&self, flushed: io::Result<()>, path: &Path) -> Result<(), StorageError> {
        flushed.map_err(|source| {
            let error = StorageError::Io { doing: "flush", path: path.to_owned(), source };
            self.view.shared.health.fail(&error);
            error
        })
    }

    /// Moves the log start forward (DeleteRecords, retention); durable when it returns. Waits for
    /// the device. Segments wholly below are removed; readers keep what they hold.
    ///
    /// # Errors
    /// [`StorageError::OutOfRange`] behind the high watermark, [`StorageError::FlushUnderWay`];
    /// any other takes the directory out of service. A start that lies below the present one
    /// changes nothing.
    pub fn set_log_start(&mut self, offset: i64) -> Result<(), StorageError> {
        if !self.would_move(offset)? {
            return Ok(());
        }
        let producers = self.snapshot_of_what_goes(offset)?;
        // The manifest learns of the segments in the same step in which it learns which of them go.
        let records: Vec<_> =
            producers.into_iter().chain([StateRecord::LogStart(self.start_at(offset))]).collect();
        let gone_count = self.count_below(offset);
        self.flush_with(&records)?;
        self.drop_below(offset, gone_count);
        Ok(())
    }

    /// The same, with what waits for the device done as a flush is; `None` where nothing changes.
    ///
    /// - `start`: with the control entries that go, as the group has decided it.
    ///
    /// When `done` is called with success, the owner calls [`Log::on_flushed`] with
    /// [`MovingStart::flushes_to`], and then [`Log::on_log_start_moved`].
    ///
    /// # Errors
    /// As [`Self::set_log_start`]; `done` is dropped then.
    pub fn move_log_start(
        &mut self,
        start: LogStart,
        done: FlushDone,
    ) -> Result<Option<MovingStart>, StorageError> {
        let LogStart { offset, .. } = start;
        if !self.would_move(offset)? {
            return Ok(None);
        }
        let gone_count = self.count_below(offset);
        let snapshot = self.snapshot_before(offset).or_else(|| self.due_snapshot());
        let learns = StateRecord::LogStart(start);
        let flushes_to = self.flush_and_learn(Some(learns), snapshot, done);
        Ok(Some(MovingStart { offset, gone_count, flushes_to }))
    }

    /// A log start, with all control entries up to it before it: what it leaves behind is
    /// committed, and where nothing stands behind the last of them, so are they.
    ///
    /// # Panics
    /// Never: a log that is open has a group.
    #[must_use]
    pub fn start_at(&self, offset: i64) -> LogStart {
        let state = &self.view.shared.state;
        let start = |group: Option<&GroupState>| group.map(|group| group.start_at(offset));
        state.group(&self.view.key, start).expect("a log that is open has a group")
    }

    /// A log start that was moved is durable: removes what lies wholly below.
    pub fn on_log_start_moved(&mut self, moved: MovingStart) {
        self.drop_below(moved.offset, moved.gone_count);
    }

    /// Whether the log start may be moved to `offset`, and isn't there.
    fn would_move(&self, offset: i64) -> Result<bool, StorageError> {
        let (log_start_offset, end_offset) =
            (self.view.log_start_offset(), self.view.high_watermark());
        if offset > end_offset {
            return Err(StorageError::OutOfRange { offset, log_start_offset, end_offset });
        }
        if offset <= log_start_offset {
            return Ok(false);
        }
        self.check_at_rest()?;
        Ok(true)
    }

    /// How many of the segments lie wholly below `offset`, as the manifest will find.
    fn count_below(&self, offset: i64) -> usize {
        let segments = self.view.segments();
        segments.iter().skip(1).take_while(|s| s.base_offset <= offset).count()
    }

    /// Goes on with a log start that is durable, and without the first segments.
    fn drop_below(&mut self, offset: i64, gone_count: usize) {
        self.view.log_start_offset.store(offset, Ordering::Release);
        self.remembered.producers.advance_log_start(offset);
        let segments = self.view.segments();
        self.view.set_segments(segments[gone_count..].to_vec());
        for gone in &segments[..gone_count] {
            self.drop_files(gone);
        }
        self.refresh_epochs();
    }

    /// The producers, where some of what a log start of `offset` leaves behind is written down in
    /// the log alone: what lies below the log start isn't read at a start. On a full disk they may
    /// be too many, and the log start moves nevertheless.
    fn snapshot_of_what_goes(&mut self, offset: i64) -> Result<Option<StateRecord>, StorageError> {
        let Some(Saving { record, file }) = self.snapshot_before(offset) else { return Ok(None) };
        let is_made = file.map_or(Ok(true), |file| self.make(&file))?;
        Ok(is_made.then_some(record))
    }

    /// Gives all up and begins anew, empty, at a leader's log start; durable when it returns.
    /// Waits for the device. Readers keep what they hold.
    ///
    /// - `epochs`: the leader's, as far as they begin at or before `offset`; not empty.
    /// - `producers`: the leader's state at `offset`.
    /// - `behind`: what else the group learns in the same step, in order: its control entries.
    ///
    /// # Errors
    /// [`StorageError::FlushUnderWay`], [`StorageError::NoSpace`] where the producers are too many
    /// for the room there is: nothing has changed. Any other takes the directory out of service.
    ///
    /// # Panics
    /// If there is no epoch, or a record doesn't fit.
    pub fn reset_to(
        &mut self,
        offset: i64,
        epochs: &[EpochStart],
        producers: Producers,
        behind: &[StateRecord],
    ) -> Result<(), StorageError> {
        self.check_at_rest()?;
        assert!(!epochs.is_empty(), "{}: a log has an epoch", self.view.key);
        let Saving { record: snapshot, file } = self.snapshot_of(offset, &producers);
        if let Some(file) = &file {
            self.make_in_dir(file)?;
        }
        let epochs = epochs.iter().copied().map(StateRecord::Epoch);
        let records = std::iter::once(StateRecord::Reset { offset })
            .chain(epochs)
            .chain(behind.iter().cloned())
            .chain([snapshot]);
        let records: Vec<_> = records.map(|record| self.record(record)).collect();
        // What was appended and not flushed is given up with the rest.
        (self.active, self.found_seal) = (None, None);
        (self.unflushed, self.is_reopened, self.replaced) = (None, false, None);
        self.generation = self.view.next_generation(self.generation);
        let segments = self.view.segments();
        self.view.shared.commit(&records)?;
        self.take_over(producers, file.is_some());
        self.view.set_segments(Vec::new());
        // A reader takes the high watermark first: the new start is never behind it.
        self.view.high_watermark.store(offset, Ordering::Release);
        self.view.log_start_offset.store(offset, Ordering::Release);
        self.refresh_epochs();
        self.flushed_offset = offset;
        segments.iter().for_each(|segment| self.drop_files(segment));
        Ok(())
    }

    /// Makes a file in the partition's directory, which an empty log doesn't have.
    fn make_in_dir(&self, file: &NewFile) -> Result<(), StorageError> {
        let shared = &self.view.shared;
        if self.view.segments().is_empty() {
            shared.disk.create_dir(&file.dir).doing("create", &file.dir)?;
            self.sync_dirs(&[shared.root.join(PARTITIONS)])?;
        }
        if self.make(file)? {
            Ok(())
        } else {
            Err(StorageError::NoSpace { path: file.path.clone() })
        }
    }

    /// Removes the files of the segment in whose place another was made, now that the state store
    /// knows that one. It is made only where all others are named, so it is the first of its flush.
    pub(super) fn drop_replaced(&mut self) {
        if let Some(replaced) = self.replaced.take() {
            self.drop_files(&replaced);
        }
    }

    /// Removes the files of a segment that the manifest no longer names. What can't be removed now
    /// is garbage, and goes at the next start.
    pub(super) fn drop_files(&self, segment: &Segment) {
        segment.set_removed();
        let dir = partition_dir(&self.view.shared.root, &self.view.key);
        for name in [segment.file_name(), segment.index_name()] {
            self.view.shared.disk.remove(&name.path(&dir)).unwrap_or(());
        }
        // Behind the removal, so that nobody opens the file again.
        self.view.shared.files.forget(segment.file_key(&self.view.key));
    }

    /// Where the log start goes by the options of retention; `None` where it stays.
    ///
    /// - `now_ms`: milliseconds since the Unix epoch.
    ///
    /// The active segment is sealed first where all of it is too old. After a start this may read
    /// its index.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn retention_start(&mut self, now_ms: i64) -> Result<Option<i64>, StorageError> {
        let high_watermark = self.view.high_watermark();
        let too_old = |latest: i64| {
            let keeps = self.options.retention_ms;
            keeps >= 0 && latest != i64::MIN && now_ms.saturating_sub(latest) > keeps
        };
        let expired = self.active.as_ref().is_some_and(|active| {
            active.segment.end_offset() == high_watermark && too_old(self.latest(&active.segment))
        });
        let mut facts = Vec::new();
        for segment in self.view.segments().iter() {
            facts.push(SegmentFacts {
                end_offset: segment.end_offset(),
                bytes: segment.log_bytes().into(),
                max_timestamp: self.latest(segment),
            });
        }
        know_timestamps(&mut facts);
        if !expired {
            facts.pop();
        }
        let total = self.view.bytes();
        let start = plan_retention(&facts, total, high_watermark, now_ms, &self.options);
        // What lies below the log start is gone already.
        let start = start.filter(|start| *start > self.view.log_start_offset());
        if expired && start == Some(high_watermark) {
            self.roll()?;
        }
        Ok(start)
    }

    /// The greatest timestamp of a segment, as far as it is known and makes a difference. Records
    /// whose producer gives none (−1) say nothing of their age.
    fn latest(&self, segment: &Segment) -> i64 {
        if self.options.retention_ms < 0 {
            return i64::MIN;
        }
        let latest = self.view.latest_timestamp(segment).ok();
        latest.filter(|latest| *latest >= 0).unwrap_or(i64::MIN)
    }
}

/// What retention looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentFacts {
    pub(crate) end_offset: i64,
    pub(crate) bytes: u64,
    pub(crate) max_timestamp: i64,
}

/// A timestamp that isn't known, as where something is damaged, counts as that of the next segment
/// of which it is.
fn know_timestamps(segments: &mut [SegmentFacts]) {
    let mut next = i64::MIN;
    for segment in segments.iter_mut().rev() {
        if segment.max_timestamp == i64::MIN {
            segment.max_timestamp = next;
        }
        next = segment.max_timestamp;
    }
}

/// The new log start: behind the oldest segments that are too old, or too much.
///
/// - `segments`: those that may go, oldest first.
/// - `total_bytes`: of all segments.
pub(crate) fn plan_retention(
    segments: &[SegmentFacts],
    total_bytes: u64,
    high_watermark: i64,
    now_ms: i64,
    options: &LogOptions,
) -> Option<i64> {
    let limit = u64::try_from(options.retention_bytes).ok();
    let mut kept_bytes = total_bytes;
    let mut start = None;
    for segment in segments.iter().take_while(|s| s.end_offset <= high_watermark) {
        let age = now_ms.saturating_sub(segment.max_timestamp);
        // A timestamp that isn't known is not too old.
        let known = segment.max_timestamp != i64::MIN;
        let too_old = options.retention_ms >= 0 && known && age > options.retention_ms;
        // As in the reference: a segment goes only if the limit is still met without it.
        let left = kept_bytes.saturating_sub(segment.bytes);
        let too_much = limit.is_some_and(|limit| left >= limit);
        if !too_old && !too_much {
            break;
        }
        kept_bytes = left;
        start = Some(segment.end_offset);
    }
    start
}
