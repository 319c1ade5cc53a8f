//! The segments of a log, as its owner and its readers share them.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use logboom_protocol::records::StampedBatch;

use crate::directory::Shared;
use crate::error::{Damage, Doing as _, StorageError};
use crate::files::{FileKey, OpenFile};
use crate::index::Index;
use crate::scan::Place;
use crate::segment::{FileName, HEADER_BYTES, SegmentHeader, partition_dir};
use crate::state::GroupKey;

/// A part of a segment that is damaged, and is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hole {
    /// Where it begins in the file.
    pub(crate) position: u32,
    /// Where the next good batch begins, or where the log ends.
    pub(crate) end_position: u32,
    /// The first offset in it, inclusive.
    pub(crate) offset: i64,
    /// The first offset behind it.
    pub(crate) end_offset: i64,
    /// What is wrong there.
    pub(crate) damage: Damage,
}

impl Hole {
    /// The part between two places.
    pub(super) fn between(from: Place, behind: Place, damage: Damage) -> Self {
        Self {
            position: from.position,
            end_position: behind.position,
            offset: from.offset,
            end_offset: behind.offset,
            damage,
        }
    }
}

/// One segment.
///
/// **Invariant:** below `log_bytes` the file holds the log's batches, and they never change. Only
/// the owner of the log raises it, after the bytes are in the file.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: i64,
    pub(crate) generation: u32,
    /// Bytes of the file that are the log, header included, and the offset behind the last batch,
    /// exclusive. One value, so that a reader never sees one without the other.
    end: RwLock<Place>,
    latest: Mutex<Latest>,
    /// Damaged parts, in order; nearly always none.
    holes: RwLock<Vec<Hole>>,
    /// The parts `start..end` of the file whose checksums this process has seen to be right.
    verified: Mutex<Vec<(u32, u32)>>,
    /// Whether its files were removed, so that nobody makes one anew.
    removed: AtomicBool,
}

/// The greatest timestamp of the batches below a position; the least `i64` if there is none.
///
/// **Invariant:** never too small.
#[derive(Debug, Clone, Copy)]
struct Latest {
    below: u32,
    timestamp: i64,
}

/// How many separate verified parts of a segment are remembered.
const VERIFIED_PARTS_MAX: usize = 64;

impl Segment {
    pub(crate) fn new(base_offset: i64, generation: u32, end: Place) -> Self {
        Self {
            base_offset,
            generation,
            end: RwLock::new(end),
            latest: Mutex::new(Latest { below: HEADER_BYTES, timestamp: i64::MIN }),
            holes: RwLock::default(),
            verified: Mutex::default(),
            removed: AtomicBool::new(false),
        }
    }

    /// The segment as far as `position`, where the batch with `offset` began.
    pub(crate) fn shortened(&self, position: u32, offset: i64) -> Self {
        let end = Place { position, offset };
        let mut shorter = Self::new(self.base_offset, self.generation, end);
        let mut holes = self.holes();
        holes.retain(|hole| hole.position < position);
        shorter.holes = RwLock::new(holes);
        let parts = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let below = parts.iter().filter(|part| part.0 < position);
        shorter.verified =
            Mutex::new(below.map(|&(start, end)| (start, end.min(position))).collect());
        shorter
    }

    /// Takes all of it out of service, as far as it holds any offsets.
    pub(super) fn fence_all(&self, damage: Damage) {
        let start = Place { position: HEADER_BYTES, offset: self.base_offset };
        let hole = Hole::between(start, self.end(), damage);
        self.fence(Vec::from_iter((hole.offset < hole.end_offset).then_some(hole)));
    }

    /// Takes these parts out of service, and serves all others.
    ///
    /// - `holes`: in order.
    pub(super) fn fence(&self, holes: Vec<Hole>) {
        // What was seen to be right before isn't any more.
        let mut parts = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let touches =
            |part: &(u32, u32), hole: &Hole| part.0 < hole.end_position && hole.position < part.1;
        parts.retain(|part| !holes.iter().any(|hole| touches(part, hole)));
        drop(parts);
        *self.holes.write().unwrap_or_else(PoisonError::into_inner) = holes;
    }

    /// The damaged parts, in order.
    pub(crate) fn holes(&self) -> Vec<Hole> {
        self.holes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a part of it is damaged.
    pub(super) fn is_damaged(&self) -> bool {
        !self.holes.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Says where the segment ends after its file was read.
    pub(crate) fn finish(&mut self, end: Place) {
        self.end = RwLock::new(end);
    }

    /// The greatest timestamp; the least `i64` where it isn't known. Never too small.
    pub(crate) fn max_timestamp(&self) -> i64 {
        let log_bytes = self.log_bytes();
        let latest = *self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.below >= log_bytes { latest.timestamp } else { i64::MIN }
    }

    /// Says what the greatest timestamp of the whole segment is, which grows no more; the least
    /// `i64` changes nothing.
    pub(crate) fn set_max_timestamp(&self, timestamp: i64) {
        if timestamp != i64::MIN {
            self.set_latest(Latest { below: u32::MAX, timestamp });
        }
    }

    fn set_latest(&self, latest: Latest) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = latest;
    }

    /// Takes over what an index knows, where that is more.
    pub(super) fn learn_latest(&self, index: &Index) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(timestamp) = index.max_timestamp(index.covers())
            && latest.below < index.covers()
        {
            *latest = Latest { below: index.covers(), timestamp };
        }
    }

    /// Where the log ends in this segment at this moment.
    pub(crate) fn end(&self) -> Place {
        *self.end.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log_bytes(&self) -> u32 {
        self.end().position
    }

    pub(crate) fn end_offset(&self) -> i64 {
        self.end().offset
    }

    /// Publishes what was appended.
    pub(crate) fn grow(&self, end: Place) {
        self.mark_verified(self.log_bytes(), end.position);
        *self.end.write().unwrap_or_else(PoisonError::into_inner) = end;
    }

    pub(crate) fn file_name(&self) -> FileName {
        FileName::Segment { base_offset: self.base_offset, generation: self.generation }
    }

    pub(crate) fn index_name(&self) -> FileName {
        FileName::Index { base_offset: self.base_offset, generation: self.generation }
    }

    pub(crate) fn path(&self, shared: &Shared, key: &GroupKey) -> PathBuf {
        self.file_name().path(&partition_dir(&shared.root, key))
    }

    pub(crate) fn file_key(&self, key: &GroupKey) -> FileKey {
        let (base_offset, generation) = (self.base_offset, self.generation);
        FileKey { group: *key, base_offset, generation }
    }

    /// The open file; its header is checked when it is opened.
    pub(crate) fn open(
        &self,
        shared: &Shared,
        key: &GroupKey,
    ) -> Result<Arc<OpenFile>, StorageError> {
        let open = shared.files.get(self.file_key(key), || {
            let path = self.path(shared, key);
            let corrupt = |what| StorageError::corrupt(&path, 0, what);
            let file = match shared.disk.open(&path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    return Err(corrupt(Damage::Missing));
                }
                other => other.doing("open", &path)?,
            };
            let (expected, present) =
                (self.log_bytes().into(), file.length().doing("measure", &path)?);
            if present < expected {
                return Err(corrupt(Damage::Short { expected, present }));
            }
            let mut header = [0; HEADER_BYTES as usize];
            file.set_read_ahead(false);
            file.read_at(0, &mut header).doing("read", &path)?;
            file.set_read_ahead(true);
            let header =
                SegmentHeader::from_bytes(&header).map_err(|what| corrupt(Damage::Header(what)))?;
            if header.key != *key
                || header.base_offset != self.base_offset
                || header.generation != self.generation
            {
                return Err(corrupt(Damage::Header("another segment's file")));
            }
            let index = Index::new(shared.options.index_interval_bytes);
            Ok(Arc::new(OpenFile::new(file, index)))
        })?;
        // Looked at behind the opening: a name that was free again may be another life's file.
        if self.is_removed() {
            return Err(StorageError::corrupt(&self.path(shared, key), 0, Damage::Missing));
        }
        Ok(open)
    }

    /// The file if it is open already. Never waits for the device.
    pub(super) fn get_open(&self, shared: &Shared, key: &GroupKey) -> Option<Arc<OpenFile>> {
        shared.files.get_open(self.file_key(key)).filter(|_| !self.is_removed())
    }

    /// Notes batches that were appended, each at its place. Behind [`Self::grow`], so that an index
    /// that reaches to the end, by whomever it was made, is gone on with.
    pub(super) fn note(&self, file: &OpenFile, batches: &[StampedBatch], places: &[Place]) {
        let mut index = file.index_mut();
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        for (batch, place) in batches.iter().zip(places) {
            let timestamp = batch.header().max_timestamp;
            let relative = u32::try_from(place.offset - self.base_offset).unwrap_or(u32::MAX);
            let [head, _] = batch.parts();
            index.note(relative, place.position, head, timestamp);
            if latest.below == place.position {
                latest.below += u32::try_from(batch.size()).unwrap_or(0);
                latest.timestamp = latest.timestamp.max(timestamp);
            }
        }
    }

    /// Says that its files are about to be removed.
    pub(super) fn set_removed(&self) {
        self.removed.store(true, Ordering::SeqCst);
    }

    /// Whether its files were removed, or are about to be.
    pub(super) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::SeqCst)
    }

    /// The damaged part that begins at `position`.
    pub(super) fn hole_at(&self, position: u32) -> Option<Hole> {
        let holes = self.holes.read().unwrap_or_else(PoisonError::into_inner);
        holes.iter().find(|h| h.position == position && h.end_position > position).cloned()
    }

    /// Where the next damaged part behind `position` begins.
    pub(super) fn hole_behind(&self, position: u32) -> Option<u32> {
        let holes = self.holes.read().unwrap_or_else(PoisonError::into_inner);
        holes.iter().map(|hole| hole.position).find(|start| *start > position)
    }

    /// Whether nothing of it is served, so that nobody needs its file.
    pub(super) fn is_lost(&self) -> bool {
        let log_bytes = self.log_bytes();
        let all = |hole: &Hole| hole.position == HEADER_BYTES && hole.end_position >= log_bytes;
        log_bytes == HEADER_BYTES || self.holes().first().is_some_and(all)
    }

    /// Remembers that the checksums of `start..end` are right.
    pub(crate) fn mark_verified(&self, start: u32, end: u32) {
        let mut parts = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut start, mut end) = (start, end);
        parts.retain(|&(from, to)| {
            let touches = from <= end && start <= to;
            if touches {
                start = start.min(from);
                end = end.max(to);
            }
            !touches
        });
        if parts.len() == VERIFIED_PARTS_MAX {
            parts.remove(0);
        }
        parts.push((start, end));
    }

    /// Bytes that it takes on the heap besides itself.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        let parts = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let holes = self.holes.read().unwrap_or_else(PoisonError::into_inner);
        parts.capacity() * size_of::<(u32, u32)>() + holes.capacity() * size_of::<Hole>()
    }

    /// Whether the checksums of `start..end` were seen to be right.
    pub(crate) fn is_verified(&self, start: u32, end: u32) -> bool {
        let parts = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().any(|&(from, to)| from <= start && end <= to)
    }
}
