//! The producers of a log over restarts: when they are written down, and how they come back.
//!
//! A small snapshot is a record of the state store, with every checkpoint; most partitions never
//! have another. A large one is a file, made seldom, that the state store names once it is durable;
//! two are kept. What stands in the log behind the snapshot is read again at a start. A log start
//! that passes what no snapshot has takes one along.
//!
//! Must always hold: a snapshot says nothing of what may still be cut off, and a log whose snapshot
//! is lost remembers what its batches say.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use logboom_protocol::records::{
    BatchHeader, CheckedBatch, ControlRecord, Inflater, RawBatch, StampedBatch,
};

use super::ahead::Ahead;
use super::indexing::behind_damage;
use super::{Finding, Hole, Log, LogView, Segment};
use crate::directory::Shared;
use crate::disk::{Disk, ReadAt};
use crate::error::{Corruption, Damage, Doing as _, StorageError};
use crate::flush::NewFile;
use crate::producers::{BatchFacts, Producers};
use crate::scan::{self, End, Expected, Place};
use crate::segment::{FileName, HEADER_BYTES, partition_dir};
use crate::state::{GroupState, ProducerSnapshot, StateRecord};

/// The most bytes of a snapshot that goes into the state store, some 25 producers.
const RECORD_BYTES_MAX: usize = 4 << 10;
/// Bytes appended from one file to the next, at least.
const FILE_EVERY_BYTES: u64 = 16 << 20;
/// And at least so many times its own bytes.
const FILE_EVERY_TIMES: u64 = 64;
/// The most bytes of a file that is read: beyond any limit of producers.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// The producers, and what of them is written down.
#[derive(Debug)]
pub(super) struct Remembered {
    pub(super) producers: Producers,
    /// The offset of the last snapshot.
    saved_offset: Option<i64>,
    /// Bytes appended since.
    unsaved_bytes: u64,
    /// The offsets of the snapshots that lie in files, oldest first.
    files: Vec<i64>,
    /// Whether something is missing that stands in a damaged part of the log.
    pub(super) is_partial: bool,
}

/// A snapshot on its way into the state store.
pub(super) struct Saving {
    pub(super) record: StateRecord,
    /// What has to be durable before.
    pub(super) file: Option<NewFile>,
}

impl Remembered {
    /// Nothing, from `start_offset` on.
    pub(super) fn nothing(shared: &Shared, start_offset: i64) -> Self {
        let producers = Producers::new(start_offset, shared.options.producers);
        let (saved_offset, files) = (None, Vec::new());
        Self { producers, saved_offset, unsaved_bytes: 0, files, is_partial: false }
    }

    pub(super) fn record(&mut self, batches: &[StampedBatch]) {
        for batch in batches {
            self.record_one(batch.header(), batch.size(), || batch.parts().concat().into());
        }
    }

    fn record_read(&mut self, batch: &RawBatch<'_>) {
        let bytes = batch.bytes();
        self.record_one(batch.header(), bytes.len(), || Bytes::copy_from_slice(bytes));
    }

    /// - `bytes`: of the whole batch; only a control batch is looked into.
    fn record_one(&mut self, header: &BatchHeader, size: usize, bytes: impl FnOnce() -> Bytes) {
        let checked = || CheckedBatch::check(bytes()).ok();
        let control = header.attributes.is_control().then(checked).flatten();
        let control = control.and_then(|batch| control_of(&batch));
        self.producers.record(&BatchFacts::new(header, control.as_ref()));
        self.unsaved_bytes += size as u64;
    }

    /// Whether a snapshot is worth its place, now that the log is flushed anyway.
    fn is_due(&self, checkpoint_bytes: u64) -> bool {
        if self.is_partial {
            return false;
        }
        let every = if self.fits_record() {
            checkpoint_bytes
        } else {
            let bytes = self.producers.snapshot_bytes_max();
            FILE_EVERY_BYTES.max(bytes as u64 * FILE_EVERY_TIMES)
        };
        self.unsaved_bytes >= every && !self.is_saved()
    }

    /// Whether a snapshot needs no file.
    fn fits_record(&self) -> bool {
        self.producers.snapshot_bytes_max() <= RECORD_BYTES_MAX
    }

    fn is_saved(&self) -> bool {
        self.saved_offset == Some(self.producers.committed_offset())
    }
}

fn control_of(batch: &CheckedBatch) -> Option<ControlRecord> {
    let records = batch.records(&mut Inflater::default()).ok()?;
    ControlRecord::from_record(&records.iter().next()?.ok()?)
}

impl Log {
    /// What is known of the producers of the log.
    #[must_use]
    pub fn producers(&self) -> &Producers {
        &self.remembered.producers
    }

    /// Forgets producers that wrote nothing for `expiration_ms` milliseconds; returns how many.
    ///
    /// - `now_ms`: milliseconds since the Unix epoch.
    pub fn expire_producers(&mut self, now_ms: i64, expiration_ms: i64) -> usize {
        self.remembered.producers.expire(now_ms, expiration_ms)
    }

    /// The snapshot that goes with a flush, where one is due: in a file, or of what is committed
    /// before it is durable.
    pub(super) fn due_snapshot(&mut self) -> Option<Saving> {
        let is_ahead = self.remembered.producers.committed_offset() > self.flushed_offset;
        let goes_along = is_ahead || !self.remembered.fits_record();
        (goes_along && self.is_snapshot_due()).then(|| self.snapshot())
    }

    /// Writes down what is committed and durable, where that is due and needs no file: a log that
    /// was written to and then left alone is not read again at a start for its producers.
    pub(super) fn save_committed(&mut self) {
        let is_durable = self.remembered.producers.committed_offset() <= self.flushed_offset;
        if is_durable && self.remembered.fits_record() && self.is_snapshot_due() {
            let Saving { record, .. } = self.snapshot();
            self.view.shared.state.submit_lazily(&[self.record(record)]);
        }
    }

    fn is_snapshot_due(&self) -> bool {
        self.remembered.is_due(self.view.shared.options.checkpoint_bytes.into())
    }

    /// The snapshot that goes with a clean stop, so that the next start needn't read the log.
    pub(super) fn last_snapshot(&mut self) -> Option<Saving> {
        if self.remembered.is_partial {
            return None;
        }
        // On a full disk one in a file was let go.
        let offset = self.remembered.producers.committed_offset();
        let is_named = |group: Option<&GroupState>| {
            group.and_then(|it| it.producers.as_ref()).is_some_and(|it| it.offset == offset)
        };
        let is_saved =
            self.remembered.is_saved() && self.view.shared.state.group(self.key(), is_named);
        (!is_saved).then(|| self.snapshot())
    }

    /// The snapshot that goes with a log start that moves to `offset`, where there are producers
    /// and the one that the state store names is older than that.
    pub(super) fn snapshot_before(&mut self, offset: i64) -> Option<Saving> {
        let reaches = |group: Option<&GroupState>| {
            group.and_then(|it| it.producers.as_ref()).is_some_and(|it| it.offset >= offset)
        };
        let is_known = self.remembered.producers.is_empty()
            || self.view.shared.state.group(self.key(), reaches);
        if is_known {
            return None;
        }
        if !self.remembered.is_partial {
            return Some(self.snapshot());
        }
        // What is damaged behind the log start is remembered when it is repaired, from this on.
        let (view, named) = (Arc::clone(&self.view), self.named_snapshot());
        let restoring = Restoring { until: offset, ..Restoring::of(&view, named.as_ref()) };
        let producers = restoring.run(&mut Vec::new()).producers;
        (producers.committed_offset() == offset)
            .then(|| self.saving(&producers, self.place_before(offset)))
    }

    fn named_snapshot(&self) -> Option<ProducerSnapshot> {
        let named = |group: &GroupState| group.producers.as_deref().cloned();
        self.view.shared.state.group(self.key(), |group| group.and_then(named))
    }

    /// The state that a leader has at `offset`, on its way into a log that begins there.
    pub(super) fn snapshot_of(&self, offset: i64, producers: &Producers) -> Saving {
        assert_eq!(producers.committed_offset(), offset, "the state of another offset");
        self.saving(producers, (offset, Place { position: HEADER_BYTES, offset }))
    }

    /// Goes on with the state of which [`Self::snapshot_of`] is written down.
    pub(super) fn take_over(&mut self, producers: Producers, in_file: bool) {
        self.remembered.saved_offset = Some(producers.committed_offset());
        self.remembered.unsaved_bytes = 0;
        self.let_go_of_files();
        self.remembered.files.extend(in_file.then(|| producers.committed_offset()));
        self.remembered.producers = producers;
    }

    /// The state at the high watermark, on its way.
    fn snapshot(&mut self) -> Saving {
        let offset = self.remembered.producers.committed_offset();
        let saving = self.saving(&self.remembered.producers, self.place_before(offset));
        self.remembered.saved_offset = Some(offset);
        self.remembered.unsaved_bytes = 0;
        if saving.file.is_some() {
            self.let_go_of_files();
            self.remembered.files.push(offset);
        }
        saving
    }

    /// What has to be written for the state of producers.
    ///
    /// - `from`: where what follows is read from on, behind the base offset of its segment.
    fn saving(&self, producers: &Producers, from: (i64, Place)) -> Saving {
        let offset = producers.committed_offset();
        let content =
            if producers.is_empty() { Vec::new() } else { producers.snapshot(&self.view.key) };
        let is_small = content.len() <= RECORD_BYTES_MAX;
        let (segment_base_offset, at) = from;
        let snapshot = ProducerSnapshot {
            offset,
            bytes: is_small.then(|| Bytes::copy_from_slice(&content)),
            segment_base_offset,
            position: at.position,
            position_offset: at.offset,
        };
        let dir = partition_dir(&self.view.shared.root, &self.view.key);
        let path = FileName::Producers { offset }.path(&dir);
        let file = (!is_small).then_some(NewFile { path, dir, bytes: content });
        Saving { record: StateRecord::Producers(snapshot), file }
    }

    /// Makes a snapshot's file on this thread, durable with its name; returns whether there was
    /// room.
    pub(super) fn make(&self, file: &NewFile) -> Result<bool, StorageError> {
        let made = file.make(&*self.view.shared.disk);
        made.inspect_err(|error| self.view.shared.health.fail(error))
    }

    /// Remembers the producers anew, from the last snapshot and the log, where a part of it
    /// couldn't be read before. Waits for the device then.
    pub fn remember_anew(&mut self) {
        if self.remembered.is_partial {
            let (view, named) = (Arc::clone(&self.view), self.named_snapshot());
            self.remembered = Restoring::of(&view, named.as_ref()).run(&mut Vec::new());
        }
    }

    /// Where a batch begins at or before `offset`, and in which segment, as far as that is at hand.
    fn place_before(&self, offset: i64) -> (i64, Place) {
        let segments = self.view.segments();
        let at = segments.partition_point(|segment| segment.base_offset <= offset);
        let Some(segment) = at.checked_sub(1).and_then(|at| segments.get(at)) else {
            return (offset, Place { position: HEADER_BYTES, offset });
        };
        let base_offset = segment.base_offset;
        let relative = u32::try_from(offset - base_offset).unwrap_or(u32::MAX);
        let file = segment.get_open(&self.view.shared, &self.view.key);
        // An entry that came from a file was not looked at yet.
        let entry = file.and_then(|file| {
            let index = file.index();
            index.floor_offset(relative).filter(|entry| !index.is_hearsay(entry))
        });
        let place = entry.map(|entry| Place {
            position: entry.position,
            offset: base_offset + i64::from(entry.relative_offset),
        });
        (base_offset, place.unwrap_or(Place { position: HEADER_BYTES, offset: base_offset }))
    }

    /// Lets go of the files that are no longer needed.
    fn let_go_of_files(&mut self) {
        let dir = partition_dir(&self.view.shared.root, &self.view.key);
        let named = self.view.shared.state.group(&self.view.key, |group| {
            group.and_then(|group| group.producers.as_ref()).map(|snapshot| snapshot.offset)
        });
        self.remembered.files.retain(|file| {
            let is_kept = Some(*file) == named;
            if !is_kept {
                self.view
                    .shared
                    .disk
                    .remove(&FileName::Producers { offset: *file }.path(&dir))
                    .ok();
            }
            is_kept
        });
    }
}

/// Reads back what the producers of a log were.
pub(super) struct Restoring<'a> {
    pub(super) view: &'a LogView,
    /// The last snapshot.
    pub(super) snapshot: Option<&'a ProducerSnapshot>,
    /// The last segment's file, if it was read just now.
    pub(super) tail: Option<Arc<Ahead>>,
    /// Batches from here on aren't looked at.
    pub(super) until: i64,
}

impl<'a> Restoring<'a> {
    pub(super) fn of(view: &'a LogView, snapshot: Option<&'a ProducerSnapshot>) -> Self {
        Self { view, snapshot, tail: None, until: i64::MAX }
    }

    /// The producers as the snapshot and the log behind it say. What of the log can't be read is
    /// fenced.
    ///
    /// - `findings`: what went wrong.
    pub(super) fn run(self, findings: &mut Vec<Finding>) -> Remembered {
        let shared = &self.view.shared;
        let (log_start_offset, end_offset) = (self.view.log_start_offset(), self.view.end_offset());
        // One that lies beyond the end speaks of batches that are lost.
        let snapshot = self.snapshot.filter(|snapshot| snapshot.offset <= end_offset);
        let mut remembered = Remembered::nothing(shared, log_start_offset);
        if let Some((producers, is_named)) = snapshot.and_then(|named| self.load(named, findings)) {
            let offset = producers.committed_offset();
            remembered.saved_offset = is_named.then_some(offset);
            remembered.producers = producers;
        }
        let files = snapshot.filter(|snapshot| snapshot.bytes.is_none());
        remembered.files = files.map(|_| self.files()).unwrap_or_default();
        self.replay(&mut remembered, snapshot, findings);
        remembered.producers.commit(self.view.high_watermark().min(self.until));
        remembered
    }

    /// The state of the named snapshot, or else of an older one that is still there; and whether it
    /// is the named one.
    fn load(
        &self,
        named: &ProducerSnapshot,
        findings: &mut Vec<Finding>,
    ) -> Option<(Producers, bool)> {
        let shared = &self.view.shared;
        let options = shared.options.producers;
        let load = |bytes: &[u8]| Producers::load(bytes, &self.view.key, options);
        match &named.bytes {
            Some(bytes) if bytes.is_empty() => {
                return Some((Producers::new(named.offset, options), true));
            }
            // Its frame was checked.
            Some(bytes) => return load(bytes).ok().map(|producers| (producers, true)),
            None => {}
        }
        let dir = partition_dir(&shared.root, &self.view.key);
        let older = self.files().into_iter().rev().filter(|offset| *offset < named.offset);
        for offset in std::iter::once(named.offset).chain(older) {
            let path = FileName::Producers { offset }.path(&dir);
            let loaded = read_file(&*shared.disk, &path)
                .map_err(|error| error.to_string())
                .and_then(|bytes| load(&bytes).map_err(|error| error.to_string()));
            match loaded {
                Ok(producers) => return Some((producers, offset == named.offset)),
                Err(what) => findings.push(Finding::Producers { path, what }),
            }
        }
        None
    }

    /// The offsets of the snapshots that lie in files, oldest first.
    fn files(&self) -> Vec<i64> {
        let dir = partition_dir(&self.view.shared.root, &self.view.key);
        let paths = self.view.shared.disk.list(&dir).unwrap_or_default();
        let names = paths.iter().filter_map(|path| FileName::parse(path));
        let mut offsets: Vec<i64> = names
            .filter_map(|name| match name {
                FileName::Producers { offset } => Some(offset),
                FileName::Segment { .. } | FileName::Index { .. } => None,
            })
            .collect();
        offsets.sort_unstable();
        offsets
    }

    /// Records what stands in the log behind the snapshot. What can't be read isn't remembered, but
    /// what is behind it.
    fn replay(
        &self,
        remembered: &mut Remembered,
        snapshot: Option<&ProducerSnapshot>,
        findings: &mut Vec<Finding>,
    ) {
        let from = remembered.producers.end_offset();
        let is_behind = |it: &&Arc<Segment>| it.end_offset() > from && it.base_offset < self.until;
        for segment in self.view.segments().iter().filter(is_behind) {
            let hint = snapshot.filter(|snapshot| {
                snapshot.segment_base_offset == segment.base_offset
                    && snapshot.position_offset <= from
                    && (HEADER_BYTES..segment.log_bytes()).contains(&snapshot.position)
            });
            let start = Place { position: HEADER_BYTES, offset: segment.base_offset };
            let start = hint.map_or(start, |snapshot| Place {
                position: snapshot.position,
                offset: snapshot.position_offset,
            });
            // A start isn't held up by what a reader will be told.
            if let Err(error) = self.replay_segment(segment, start, remembered, findings) {
                let what = match error {
                    StorageError::Corrupt(corruption) => corruption.what,
                    error => Damage::Unreadable(error.to_string()),
                };
                let start = Place { position: HEADER_BYTES, offset: segment.base_offset };
                let all = Hole::between(start, segment.end(), what);
                self.fence(segment, vec![all.clone()], &all, remembered, findings);
            }
        }
    }

    /// Takes a part of a segment out of service that can't be read: who leads would take a batch
    /// that stands there for a new one.
    fn fence(
        &self,
        segment: &Segment,
        holes: Vec<Hole>,
        new: &Hole,
        remembered: &mut Remembered,
        findings: &mut Vec<Finding>,
    ) {
        remembered.is_partial |= new.end_offset > remembered.producers.end_offset();
        segment.fence(holes);
        let (path, position) = (segment.path(&self.view.shared, &self.view.key), new.position);
        let what = new.damage.clone();
        findings.push(Finding::Damaged {
            corruption: Corruption { path, position: position.into(), what },
            offset: new.offset,
            end_offset: new.end_offset,
        });
    }

    fn replay_segment(
        &self,
        segment: &Arc<Segment>,
        start: Place,
        remembered: &mut Remembered,
        findings: &mut Vec<Finding>,
    ) -> Result<(), StorageError> {
        let is_last = self.view.segments().last().is_some_and(|last| Arc::ptr_eq(last, segment));
        let opened;
        let file: &dyn ReadAt = match &self.tail {
            Some(tail) if is_last => &**tail,
            _ => {
                opened = segment.open(&self.view.shared, &self.view.key)?;
                &*opened.file
            }
        };
        let (path, epochs) = (segment.path(&self.view.shared, &self.view.key), self.view.epochs());
        let expected = Expected { epochs: &epochs, gaps: false };
        let (mut place, end) = (start, segment.end());
        while place.position < end.position && place.offset < self.until {
            if let Some(hole) = segment.hole_at(place.position) {
                remembered.is_partial |= hole.end_offset > remembered.producers.end_offset();
                place = Place { position: hole.end_position, offset: hole.end_offset };
                continue;
            }
            let limit = segment.hole_behind(place.position).unwrap_or(end.position);
            let limit = limit.min(end.position);
            let mut record = |_, batch: &RawBatch<'_>| {
                if batch.header().base_offset < self.until {
                    remembered.record_read(batch);
                }
            };
            let (behind, why) = scan::scan(file, &path, place, limit, &expected, &mut record)?;
            let progress = behind != place;
            place = behind;
            let what = match why {
                End::Limit if progress => continue,
                End::Damaged(what) => what,
                End::Zeros | End::Limit => Damage::NotWritten,
            };
            let next = behind_damage(file, &path, place, end, &epochs)?;
            let hole = Hole::between(place, next.unwrap_or(end), what);
            let mut holes = segment.holes();
            holes.push(hole.clone());
            holes.sort_by_key(|hole| hole.position);
            self.fence(segment, holes, &hole, remembered, findings);
            place = next.unwrap_or(end);
        }
        Ok(())
    }
}

fn read_file(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>, StorageError> {
    let file = disk.open(path).doing("open", path)?;
    let length = file.length().doing("measure", path)?.min(FILE_BYTES_MAX);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let read = file.read_at(0, &mut bytes).doing("read", path)?;
    bytes.truncate(read);
    Ok(bytes)
}
