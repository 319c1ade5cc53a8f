//! The segments of a log, as its owner and its readers share them.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::directory::Shared;
use crate::error::{Damage, Doing as _, StorageError};
use crate::files::{FileKey, OpenFile};
use crate::index::{self, Index};
use crate::scan::{self, Expected, Place};
use crate::segment::{FileName, HEADER_BYTES, SegmentHeader, partition_dir};
use crate::state::{EpochStart, GroupKey};

/// A part of a segment that was damaged when it was opened, and is not served.
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
    /// `None` until somebody needs it.
    index: RwLock<Option<Index>>,
    /// The greatest timestamp; the least `i64` where it isn't known.
    max_timestamp: AtomicI64,
    /// Damaged parts, in order; nearly always none.
    pub(crate) holes: Vec<Hole>,
    /// The parts `start..end` of the file whose checksums this process has seen to be right.
    verified: Mutex<Vec<(u32, u32)>>,
}

/// How many separate verified parts of a segment are remembered.
const VERIFIED_PARTS_MAX: usize = 64;

impl Segment {
    pub(crate) fn new(base_offset: i64, generation: u32, end: Place, index: Option<Index>) -> Self {
        Self {
            base_offset,
            generation,
            end: RwLock::new(end),
            index: RwLock::new(index),
            max_timestamp: AtomicI64::new(i64::MIN),
            holes: Vec::new(),
            verified: Mutex::default(),
        }
    }

    /// The segment as far as `position`, where the batch with `offset` began.
    pub(crate) fn shortened(&self, position: u32, offset: i64) -> Self {
        let end = Place { position, offset };
        let mut shorter = Self::new(self.base_offset, self.generation, end, None);
        shorter.holes = self.holes.iter().filter(|h| h.position < position).cloned().collect();
        let parts = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let below = parts.iter().filter(|part| part.0 < position);
        shorter.verified =
            Mutex::new(below.map(|&(start, end)| (start, end.min(position))).collect());
        shorter
    }

    /// Says where the segment ends after its file was read.
    pub(crate) fn finish(&mut self, end: Place, index: Option<Index>) {
        self.end = RwLock::new(end);
        self.index = RwLock::new(index);
    }

    pub(crate) fn max_timestamp(&self) -> i64 {
        self.max_timestamp.load(Ordering::Relaxed)
    }

    pub(crate) fn set_max_timestamp(&self, timestamp: i64) {
        self.max_timestamp.store(timestamp, Ordering::Relaxed);
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
        shared.files.get(self.file_key(key), || {
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
            file.read_at(0, &mut header).doing("read", &path)?;
            let header =
                SegmentHeader::from_bytes(&header).map_err(|what| corrupt(Damage::Header(what)))?;
            if header.key != *key
                || header.base_offset != self.base_offset
                || header.generation != self.generation
            {
                return Err(corrupt(Damage::Header("another segment's file")));
            }
            Ok(Arc::new(OpenFile::new(file)))
        })
    }

    /// Calls `look` with the index, which is loaded or made anew where it isn't there.
    pub(crate) fn with_index<T>(
        &self,
        shared: &Shared,
        key: &GroupKey,
        epochs: &[EpochStart],
        look: impl FnOnce(&Index) -> T,
    ) -> Result<T, StorageError> {
        if let Some(index) = &*self.index.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(look(index));
        }
        let loaded = self.load_index(shared, key, epochs)?;
        let mut slot = self.index.write().unwrap_or_else(PoisonError::into_inner);
        Ok(look(slot.get_or_insert(loaded)))
    }

    /// Notes a batch that was appended in the index.
    pub(crate) fn change_index(&self, change: impl FnOnce(&mut Index)) {
        let mut slot = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = &mut *slot {
            change(index);
        }
    }

    fn load_index(
        &self,
        shared: &Shared,
        key: &GroupKey,
        epochs: &[EpochStart],
    ) -> Result<Index, StorageError> {
        let log_bytes = self.log_bytes();
        let path = self.index_name().path(&partition_dir(&shared.root, key));
        if let Some(index) = read_index(shared, &path, log_bytes) {
            return Ok(index);
        }
        let file = self.open(shared, key)?;
        let path = self.path(shared, key);
        let mut index = Index::new(shared.options.index_interval_bytes);
        let mut place = Place { position: HEADER_BYTES, offset: self.base_offset };
        let expected = Expected { segment_base_offset: self.base_offset, epochs, gaps: false };
        // Behind a damaged part the index goes on at the next good batch.
        for hole in &self.holes {
            scan::scan(&*file.file, &path, place, hole.position, &expected, &mut index)?;
            place = Place { position: hole.end_position, offset: hole.end_offset };
        }
        scan::scan(&*file.file, &path, place, log_bytes, &expected, &mut index)?;
        Ok(index)
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

    /// Whether the checksums of `start..end` were seen to be right.
    pub(crate) fn is_verified(&self, start: u32, end: u32) -> bool {
        let parts = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().any(|&(from, to)| from <= start && end <= to)
    }
}

/// The index in a file, if it fits the segment.
fn read_index(shared: &Shared, path: &std::path::Path, log_bytes: u32) -> Option<Index> {
    let file = shared.disk.open(path).ok()?;
    let length = usize::try_from(file.length().ok()?).ok()?;
    // An entry a batch is the most that an index can have.
    if length > log_bytes as usize {
        return None;
    }
    let mut bytes = vec![0; length];
    let read = file.read_at(0, &mut bytes).ok()?;
    Index::from_bytes(&bytes[..read], log_bytes)
}

/// Writes the index of a sealed segment. What fails is made anew when it is needed.
pub(crate) fn write_index(shared: &Shared, key: &GroupKey, segment: &Segment) {
    let slot = segment.index.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(index) = &*slot {
        let path = segment.index_name().path(&partition_dir(&shared.root, key));
        let bytes = index.to_bytes(segment.log_bytes());
        index::write(&*shared.disk, &path, &bytes).unwrap_or(());
    }
}
