//! Opening a log: after a clean stop from the manifest alone, otherwise by reading the tail.
//!
//! | found behind the last good batch | means | done |
//! | --- | --- | --- |
//! | zeros | the end | the log goes on in the same file |
//! | bytes, nothing good behind them | a torn tail | sealed and reported; a new file |
//! | a good batch that continues the offsets | damage | fenced, the log goes on behind it |
//! | less than the checkpoint proves | loss | fenced, no offset is used twice |
//!
//! A replica among others says to them that it has all up to its end, so behind what is proven it
//! ends before the damage; below, the damage is fenced, and another replica has what is missing.
//! One that is alone ends there too where a power cut left a batch in parts: it was never flushed,
//! nor what lies behind it, and consumers would wait before it for ever.
//!
//! Where a log ends before something, the replica is lossy, unless what happened explains it: a
//! write that was cut short, or that a power cut left in parts, has sectors that are still as they
//! were reserved. Anything else may have been acknowledged.
//!
//! Must always hold: an offset that was acknowledged is never given to another record.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU32};
use std::sync::{Arc, RwLock};

use logboom_protocol::records::RawBatch;

use super::ahead::{self, Ahead};
use super::append::Active;
use super::indexing::write_index;
use super::replicas::{ASIDE, Deletion};
use super::snapshots::{Restoring, Saving};
use super::{Finding, Hole, Log, LogView, Segment, listed};
use crate::directory::{Directory, LeftBy, Shared};
use crate::disk::{DiskFile, ReadAt};
use crate::error::{Corruption, Damage, Doing as _, StorageError};
use crate::files::OpenFile;
use crate::index::Index;
use crate::options::LogOptions;
use crate::scan::{Behind, End, Expected, Place, look_behind, scan, was_whole};
use crate::segment::{FileName, HEADER_BYTES, partition_dir};
use crate::state::{
    Checkpoint, EpochStart, GroupKey, GroupState, Sealed, SegmentEntry, StateRecord,
};

impl Directory {
    /// Opens the log of a group that was created here, with what was found wrong. Logs may be
    /// opened on several threads at once.
    ///
    /// - `options`: shared by many logs where they are in an [`Arc`].
    ///
    /// # Errors
    /// What the device says. Damage is no error: what isn't damaged is served.
    ///
    /// # Panics
    /// If the group wasn't created here.
    pub fn open_log(
        &self,
        key: GroupKey,
        options: impl Into<Arc<LogOptions>>,
    ) -> Result<(Log, Vec<Finding>), StorageError> {
        self.open_as(key, options.into(), false)
    }

    /// The same for a replica among others: behind what is proven to have been flushed, the log
    /// ends where it is damaged.
    ///
    /// # Errors
    /// As [`Self::open_log`].
    ///
    /// # Panics
    /// If the group wasn't created here.
    pub fn open_replica(
        &self,
        key: GroupKey,
        options: impl Into<Arc<LogOptions>>,
    ) -> Result<(Log, Vec<Finding>), StorageError> {
        self.open_as(key, options.into(), true)
    }

    fn open_as(
        &self,
        key: GroupKey,
        options: Arc<LogOptions>,
        is_among_others: bool,
    ) -> Result<(Log, Vec<Finding>), StorageError> {
        let state = self.shared.state.group(&key, |group| group.cloned());
        let state = state.expect("a log is opened where its group was created");
        let (shared, findings) = (Arc::clone(&self.shared), Vec::new());
        let (is_caching, is_lossy, tail) = (state.caching, false, None);
        let mut opening =
            Opening { key, shared, is_among_others, is_caching, findings, is_lossy, tail };
        opening.remove_garbage(&state)?;
        let log = opening.open(&state, options)?;
        if log.found_seal.is_none() {
            self.shared.settle([key])?;
        }
        Ok((log, opening.findings))
    }
}

struct Opening {
    key: GroupKey,
    shared: Arc<Shared>,
    is_among_others: bool,
    /// Whether something may have been acknowledged that wasn't flushed.
    is_caching: bool,
    findings: Vec<Finding>,
    /// Something is missing that may have been acknowledged.
    is_lossy: bool,
    /// The last segment's file, where it was read.
    tail: Option<Arc<Ahead>>,
}

/// The last segment as it was found.
struct Tail {
    segment: Segment,
    max_timestamp: i64,
    reserved: u32,
    /// Whether the log may go on in its file.
    goes_on: bool,
    /// Whether it is as a clean stop left it.
    is_reopened: bool,
    /// Bytes behind the checkpoint, which were read.
    read_bytes: u32,
}

/// The file of the last segment, and what is expected of it.
#[derive(Clone, Copy)]
struct TailFile<'a> {
    /// As the device holds it.
    file: &'a dyn ReadAt,
    /// As readers see it; after a failed flush they may see more.
    cached: &'a dyn DiskFile,
    path: &'a Path,
    /// Bytes of the file behind which nothing was ever written.
    written: u32,
    epochs: &'a [EpochStart],
    /// Everything below was flushed or committed; exclusive.
    proven: i64,
}

/// The end of what is proven to have been flushed, exclusive: a record of the state store that
/// names an offset was written only when the log was flushed up to it.
pub(crate) fn proven(state: &GroupState) -> i64 {
    let checkpoint = state.checkpoint.map_or(0, |checkpoint| checkpoint.flushed_offset);
    let checkpoint = checkpoint.max(committed(state));
    let epoch = state.epochs.last().map_or(0, |start| start.start_offset);
    let control = state.controls.last().map_or(0, |entry| entry.offset);
    checkpoint.max(state.log_start.offset).max(epoch).max(control)
}

/// The end of what is proven to have been committed, exclusive.
fn committed(state: &GroupState) -> i64 {
    let checkpoint = state.checkpoint.map_or(0, |checkpoint| checkpoint.high_watermark);
    let producers = state.producers.as_ref().map_or(0, |snapshot| snapshot.offset);
    checkpoint.max(producers).max(state.log_start.offset)
}

/// Where reading a tail begins: with what the producers are replayed from, where that is near.
fn replayed_from(state: &GroupState, start: Place, written: u32) -> u32 {
    let last = state.segments.last().map(|last| last.base_offset);
    let snapshot = state.producers.as_ref().filter(|s| Some(s.segment_base_offset) == last);
    let from = snapshot.map_or(start.position, |s| s.position.min(start.position));
    if written.saturating_sub(from) <= ahead::PIECE_BYTES { from } else { start.position }
}

/// Whether a part of `start..end` may be in the page cache.
fn is_in_page_cache(file: &dyn DiskFile, start: u32, end: u32) -> bool {
    const PAGE_BYTES: u32 = 4096;
    let pages = start / PAGE_BYTES..end.div_ceil(PAGE_BYTES);
    pages.into_iter().any(|page| file.is_cached((page * PAGE_BYTES).into()) != Some(false))
}

/// The last segment after a clean stop, from the checkpoint alone.
fn as_left(entry: &SegmentEntry, checkpoint: &Checkpoint) -> Tail {
    let end = Place { position: checkpoint.position, offset: checkpoint.flushed_offset };
    Tail {
        segment: Segment::new(entry.base_offset, entry.generation, end),
        // Not known without reading; retention reads the index.
        max_timestamp: i64::MIN,
        reserved: checkpoint.position,
        goes_on: true,
        is_reopened: true,
        read_bytes: 0,
    }
}

/// The last segment after a cut behind which nothing was appended: what its file holds behind the
/// cut is the log's no more.
fn as_cut(entry: &SegmentEntry, sealed: Sealed, checkpoint: &Checkpoint) -> Tail {
    let max_timestamp = sealed.max_timestamp;
    Tail { max_timestamp, goes_on: false, is_reopened: false, ..as_left(entry, checkpoint) }
}

impl Opening {
    fn open(&mut self, state: &GroupState, options: Arc<LogOptions>) -> Result<Log, StorageError> {
        let mut segments = self.sealed(state);
        let mut active = None;
        let mut found_seal = None;
        let (mut is_reopened, mut read_bytes) = (false, 0);
        if let Some(entry) = state.segments.last() {
            let tail = self.tail(entry, state)?;
            let Tail { segment, max_timestamp, reserved, goes_on, .. } = tail;
            (is_reopened, read_bytes) = (tail.is_reopened, tail.read_bytes);
            if self.is_lossy {
                // Before the seal: the log is never shorter without it.
                let flags = StateRecord::Flags { caching: state.caching, lossy: true };
                self.shared.commit(&[(self.key, flags)])?;
            }
            if !goes_on {
                found_seal = Some(Sealed { length: segment.log_bytes(), max_timestamp });
                segment.set_max_timestamp(max_timestamp);
            }
            let segment = Arc::new(segment);
            segments.push(Arc::clone(&segment));
            if goes_on {
                let dirty = None;
                active = Some(Box::new(Active { segment, dirty, reserved, first_timestamp: None }));
            }
        }
        let (proven, segments_empty) = (proven(state), segments.is_empty());
        let end_offset = segments.last().map_or(state.log_start.offset, |s| s.end_offset());
        let newest = state.segments.iter().map(|segment| segment.generation).max();
        let view = LogView {
            key: self.key,
            shared: Arc::clone(&self.shared),
            log_start_offset: AtomicI64::new(state.log_start.offset),
            high_watermark: AtomicI64::new(committed(state).min(end_offset)),
            segments: RwLock::new(listed(segments)),
            epochs: RwLock::new(Arc::clone(&state.epochs)),
            deletion: Deletion::default(),
            generation: AtomicU32::new(newest.unwrap_or(0)),
        };
        assert!(segments_empty || end_offset >= proven, "{}: {end_offset}, {proven}", self.key);
        let restoring = Restoring::of(&view, state.producers.as_deref());
        let restoring = Restoring { tail: self.tail.take(), ..restoring };
        let remembered = restoring.run(&mut self.findings);
        let mut log = Log {
            view: Arc::new(view),
            options,
            found_seal: None,
            replaced: None,
            generation: state.segments.last().map_or(0, |last| last.generation),
            flushed_offset: end_offset,
            active,
            unflushed: None,
            is_reopened,
            flushing: false,
            being_named: None,
            begins_epoch: false,
            unchecked_bytes: read_bytes.into(),
            remembered,
        };
        if let Some(offset) = log.view.damage().map(|damage| damage.start) {
            self.shared.suspect(self.key, offset);
        }
        if let Some(seal) = found_seal {
            log.go_on_in_new_file(seal)?;
        } else if self.findings.is_empty() {
            // The next start needn't read it again.
            let checkpoint: Vec<_> = log.checkpoint().into_iter().collect();
            self.shared.state.submit_lazily(&checkpoint);
        }
        Ok(log)
    }

    /// The last segment: what a clean stop or a cut left of it, or what stands in its file.
    fn tail(&mut self, entry: &SegmentEntry, state: &GroupState) -> Result<Tail, StorageError> {
        let in_it = |c: &Checkpoint| c.segment_base_offset == entry.base_offset;
        match (state.checkpoint.filter(in_it), entry.sealed) {
            (Some(checkpoint), Some(sealed)) => Ok(as_cut(entry, sealed, &checkpoint)),
            (Some(checkpoint), None) if self.was_closed(state) => Ok(as_left(entry, &checkpoint)),
            _ => self.read_tail(entry, state),
        }
    }

    /// Whether the log was closed by the life that stopped cleanly. A life may stop without having
    /// opened a log that the life before it left as it was.
    fn was_closed(&self, state: &GroupState) -> bool {
        self.shared.left_by == LeftBy::CleanStop && state.checkpoint.is_some_and(|c| c.closed)
    }

    /// The segments but the last, which the manifest knows wholly.
    fn sealed(&self, state: &GroupState) -> Vec<Arc<Segment>> {
        let pairs = state.segments.windows(2);
        pairs
            .map(|pair| {
                let (entry, next) = (pair[0], pair[1]);
                let sealed = entry.sealed.expect("only the last segment is not sealed");
                let end = Place { position: sealed.length, offset: next.base_offset };
                let segment = Segment::new(entry.base_offset, entry.generation, end);
                segment.set_max_timestamp(sealed.max_timestamp);
                Arc::new(segment)
            })
            .collect()
    }

    /// Reads the last segment from the checkpoint on, and makes durable what is good.
    fn read_tail(
        &mut self,
        entry: &SegmentEntry,
        state: &GroupState,
    ) -> Result<Tail, StorageError> {
        let checkpoint = state.checkpoint.filter(|c| c.segment_base_offset == entry.base_offset);
        let start = Place { position: HEADER_BYTES, offset: entry.base_offset };
        let start = checkpoint.map_or(start, |checkpoint| Place {
            position: checkpoint.position,
            offset: checkpoint.flushed_offset,
        });
        let proven = proven(state);
        let mut segment = Segment::new(entry.base_offset, entry.generation, start);
        let path = segment.path(&self.shared, &self.key);
        let (file, corruption, start) = match segment.open(&self.shared, &self.key) {
            Ok(file) => (file, None, start),
            Err(StorageError::Corrupt(Corruption { what: Damage::Missing, .. })) => {
                return Ok(self.lost(segment, path, start, proven));
            }
            // By the order of writes the header of a segment that is named is durable, so this is
            // damage. Where the log ends is found all the same.
            Err(StorageError::Corrupt(corruption)) => {
                let file = self.shared.disk.open(&path).doing("open", &path)?;
                let start = Place { position: HEADER_BYTES, offset: entry.base_offset };
                let index = Index::new(self.shared.options.index_interval_bytes);
                (Arc::new(OpenFile::new(file, index)), Some(corruption), start)
            }
            Err(other) => return Err(other),
        };
        // What the page cache holds may never have reached the device.
        file.file.sync().doing("flush", &path).inspect_err(|e| self.shared.health.fail(e))?;
        let in_file = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        let reserved = in_file(file.file.length().doing("measure", &path)?);
        let written = in_file(file.file.written().doing("measure", &path)?);
        // Nothing behind a seal is the log's.
        let written = entry.sealed.map_or(written, |sealed| written.min(sealed.length));
        let uncached = file.file.uncached().doing("open", &path)?;
        let ahead = Arc::new(Ahead::new(uncached, written));
        ahead.begin_at(replayed_from(state, start, written)).doing("read", &path)?;
        self.tail = Some(Arc::clone(&ahead));
        let epochs = &state.epochs;
        let cached = &*file.file;
        let tail = TailFile { file: &*ahead, cached, path: &path, written, epochs, proven };
        let mut index = Index::new(self.shared.options.index_interval_bytes);
        file.file.set_read_ahead(false);
        let (mut end, mut goes_on) = self.scan_tail(&tail, start, &segment, &mut index)?;
        file.file.set_read_ahead(true);
        if let Some(Corruption { what: what @ Damage::Header(_), .. }) = corruption {
            // Whose batches these are is not certain without the header.
            segment.fence(Vec::new());
            let from = Place { position: HEADER_BYTES, offset: entry.base_offset };
            if self.keeps(end, proven) {
                self.fence(&segment, &path, from, end, what);
            } else {
                let proven = proven.max(from.offset);
                (end, goes_on, self.is_lossy) = (Place { offset: proven, ..from }, false, true);
                if from == end {
                    self.note_end(&path, from, what);
                } else {
                    self.fence(&segment, &path, from, end, what);
                }
            }
        }
        // Where it was read from a checkpoint on, or past damage, the index doesn't know it.
        let latest = index.max_timestamp(end.position);
        segment.finish(end);
        segment.learn_latest(&index);
        *file.index_mut() = index;
        let max_timestamp = latest.unwrap_or(i64::MIN);
        // What is damaged is to be sealed: then it can be repaired.
        let goes_on = goes_on && entry.sealed.is_none() && !segment.is_damaged();
        let known = checkpoint.map_or(HEADER_BYTES, |checkpoint| checkpoint.position);
        let read_bytes = end.position.saturating_sub(known);
        Ok(Tail { segment, max_timestamp, reserved, goes_on, is_reopened: false, read_bytes })
    }

    /// Scans to the end of the log, past what is damaged; returns the end, and whether the log may
    /// go on in this file.
    fn scan_tail(
        &mut self,
        tail: &TailFile<'_>,
        start: Place,
        segment: &Segment,
        index: &mut Index,
    ) -> Result<(Place, bool), StorageError> {
        let TailFile { file, cached, path, written, epochs, proven } = *tail;
        let segment_base_offset = segment.base_offset;
        let expected = Expected { epochs, gaps: false };
        let mut place = start;
        loop {
            let mut note = |position, batch: &RawBatch<'_>| {
                index.note_read(segment_base_offset, position, batch);
            };
            let (end, why) = scan(file, path, place, written, &expected, &mut note)?;
            segment.mark_verified(place.position, end.position);
            place = end;
            let damage = match why {
                End::Damaged(damage) => damage,
                End::Zeros | End::Limit => Damage::NotWritten,
            };
            let behind = look_behind(file, path, place, written, &expected)?;
            let keeps = matches!(behind, Behind::Batch(behind) if self.keeps(behind, proven));
            // What a power cut left in parts was never flushed, nor anything behind it.
            let was_flushed = || was_whole(file, path, place, written, &expected);
            let is_torn = keeps
                && place.offset >= proven
                && self.shared.left_by == LeftBy::PowerCut
                && !was_flushed()?;
            match behind {
                Behind::Batch(behind) if keeps && !is_torn => {
                    self.fence(segment, path, place, behind, damage);
                    place = behind;
                }
                _ if place.offset < proven => {
                    let behind = Place { position: place.position, offset: proven };
                    self.fence(segment, path, place, behind, damage);
                    self.is_lossy = true;
                    return Ok((behind, false));
                }
                Behind::Zeros => {
                    // They are free to be written to, unless the page cache still holds what a
                    // failed flush has lost.
                    let goes_on = !is_in_page_cache(cached, place.position, written)
                        || look_behind(cached, path, place, written, &expected)? == Behind::Zeros;
                    self.is_lossy |= self.is_caching && !goes_on;
                    return Ok((place, goes_on));
                }
                Behind::Garbage | Behind::Batch(_) => {
                    // A kill cuts the last write short, and leaves nothing behind it.
                    let is_explained =
                        behind == Behind::Garbage || self.shared.left_by == LeftBy::PowerCut;
                    self.is_lossy |= !is_explained || self.is_caching || was_flushed()?;
                    self.note_end(path, place, damage);
                    return Ok((place, false));
                }
            }
        }
    }

    /// Whether the log goes on behind damage that ends here. Among others a replica claims no
    /// offsets of which nothing is left and that aren't proven to have been flushed.
    fn keeps(&self, behind: Place, proven: i64) -> bool {
        behind.offset <= proven || !self.is_among_others
    }

    /// The log ends before something.
    fn note_end(&mut self, path: &Path, end: Place, what: Damage) {
        self.findings.push(Finding::TornTail {
            path: path.to_owned(),
            position: end.position.into(),
            end_offset: end.offset,
            what,
        });
    }

    /// Takes what lies between two places out of service.
    fn fence(
        &mut self,
        segment: &Segment,
        path: &Path,
        from: Place,
        behind: Place,
        damage: Damage,
    ) {
        let (position, what) = (from.position.into(), damage.clone());
        self.findings.push(Finding::Damaged {
            corruption: Corruption { path: path.to_owned(), position, what },
            offset: from.offset,
            end_offset: behind.offset,
        });
        let mut holes = segment.holes();
        holes.push(Hole::between(from, behind, damage));
        segment.fence(holes);
    }

    /// The last segment's file is not there. It was, with its name, before it was named, so this is
    /// loss, and how much was behind the checkpoint nobody knows.
    fn lost(&mut self, mut segment: Segment, path: PathBuf, start: Place, proven: i64) -> Tail {
        let end = Place { position: start.position, offset: proven.max(start.offset) };
        let (offset, end_offset) = (segment.base_offset, end.offset);
        segment.finish(end);
        segment.fence_all(Damage::Missing);
        self.is_lossy = true;
        self.findings.push(Finding::Gone { path, offset, end_offset });
        Tail {
            segment,
            max_timestamp: i64::MIN,
            reserved: 0,
            goes_on: false,
            is_reopened: false,
            read_bytes: 0,
        }
    }

    /// Removes files that the manifest doesn't name, or puts them aside where that is not certain.
    fn remove_garbage(&self, state: &GroupState) -> Result<(), StorageError> {
        if self.was_closed(state) {
            return Ok(());
        }
        let dir = partition_dir(&self.shared.root, &self.key);
        let files = match self.shared.disk.list(&dir) {
            Ok(files) => files,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e).doing("list", &dir),
        };
        let named = |base: i64, number: u32| {
            state.segments.iter().any(|s| s.base_offset == base && s.generation == number)
        };
        let in_files = state.producers.as_ref().is_some_and(|snapshot| snapshot.bytes.is_none());
        for path in files {
            let kept = match FileName::parse(&path) {
                Some(
                    FileName::Segment { base_offset, generation }
                    | FileName::Index { base_offset, generation },
                ) => named(base_offset, generation),
                Some(FileName::Producers { .. }) => in_files,
                None => true,
            };
            if kept {
                continue;
            }
            if self.shared.state.dropped().is_some() {
                // The frame that is lost may have named it.
                let aside = path.with_added_extension(ASIDE);
                self.shared.disk.rename(&path, &aside).doing("rename", &path)?;
            } else {
                self.shared.disk.remove(&path).doing("remove", &path)?;
            }
        }
        if state.segments.is_empty() {
            // Where its name failed to be flushed it may be seen, and no later flush keep it.
            self.shared.remove_dir_if_empty(&dir)?;
        }
        Ok(())
    }
}

impl Log {
    /// Goes on in a new file behind the last segment as it was found; durable when it returns. On a
    /// full disk the first append that has room does it, and until then the log is read.
    fn go_on_in_new_file(&mut self, seal: Sealed) -> Result<(), StorageError> {
        self.generation = self.view.next_generation(self.generation);
        self.found_seal = Some(Box::new(seal));
        match self.roll() {
            Err(StorageError::NoSpace { .. }) => Ok(()),
            rolled => rolled.and_then(|()| self.flush_now()),
        }
    }

    /// Flushes, and writes down where the log ends, so that the next start needn't read it.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn close(mut self) -> Result<(), StorageError> {
        self.flush_now()?;
        if self.view.segments().is_empty() {
            return Ok(());
        }
        let checkpoint = self.checkpoint_at_end().map(|it| Checkpoint { closed: true, ..it });
        let checkpoint = checkpoint.map(|it| self.record(StateRecord::Checkpoint(it)));
        let mut records: Vec<_> = checkpoint.into_iter().collect();
        if let Some(Saving { record, file }) = self.last_snapshot() {
            let made = file.map_or(Ok(true), |file| self.make(&file))?;
            records.extend(made.then(|| self.record(record)));
        }
        if let Some(active) = &self.active {
            write_index(&self.view.shared, &self.view.key, &active.segment);
        }
        // The mark that the directory was closed takes it along.
        self.view.shared.state.submit_lazily(&records);
        if self.found_seal.is_none() {
            // There was no room for the seal when it was opened, and there was since.
            self.view.shared.settle([self.view.key])?;
        }
        Ok(())
    }
}
