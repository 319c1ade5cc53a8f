//! Compaction: of the records of each key only the last stays.
//!
//! ```text
//!            clean                     dirty               not to be touched
//!   [ a b . c ][ . d e ]│[ a f b ][ g a ][ f h ]│[ younger than the lag ][ active ]
//!                       ▲                       ▲
//!                 clean offset             end, at most the high watermark
//!
//!   plan ─▶ map: last offset of each key in the dirty part ─▶ for each group of segments, oldest
//!   first: one new file with what is left ─▶ flushed ─▶ one frame of the manifest ─▶ old files go
//! ```
//!
//! The first three run on a thread of their own, from a [`LogView`] and without the log's owner,
//! who only takes the step with the frame ([`Log::swap`]). A cut, a log start that moves or a
//! deletion meanwhile makes that step refuse, and the new file is garbage.
//!
//! Offsets stay without gaps all the same: where whole batches are gone, a batch without records
//! stands for their offsets. So everything that is checked of a log holds for a cleaned one too.
//!
//! Must always hold:
//! - Of every key below the end of the log the last record stays, with its offset; one without a
//!   value at least until `delete.retention.ms` after the first cleaning that left it, and until
//!   all replicas are compacted beyond it.
//! - Groups are swapped in the order of their offsets. So no record comes to light again because a
//!   newer one of its key went first.
//! - The last segment and what lies behind the high watermark is never touched.
//! - What is damaged is not compacted, and neither is anything behind it.
//!
//! Source: KIP-58, KIP-354, KIP-534; Kafka's `Cleaner`.

mod map;
mod pass;
mod plan;
pub(super) mod rewrite;
pub(super) mod swap;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use logboom_protocol::records::{RawBatch, Retainer};

use self::map::OffsetMap;
use self::pass::{Reading, Step};
pub use self::plan::{Cleanable, CompactionOptions};
use self::rewrite::{Output, Rewriting};
pub use self::swap::Cleaned;
use super::{Log, LogView, Segment};
use crate::error::StorageError;

/// Slows compaction down, and stops it.
pub trait Pace {
    /// So many bytes were read or written; may wait. `false` stops.
    fn moved(&mut self, bytes: usize) -> bool;
}

/// Why a cleaning ended before its end.
#[derive(Debug)]
pub enum CleanError {
    /// It was told to stop.
    Stopped,
    /// The log can't be read, or the new file not be written. The log is as it was.
    Storage(StorageError),
}

impl fmt::Display for CleanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped"),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CleanError {}

impl From<StorageError> for CleanError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// The last batches with records of the producers of a log: producer id, and last offset.
pub type LastBatches = HashSet<(i64, i64)>;

/// What a cleaning begins with.
#[derive(Debug)]
pub struct CleaningRequest {
    /// The part of the log to be compacted.
    pub cleanable: Cleanable,
    /// How the topic wants it.
    pub options: CompactionOptions,
    /// Batches that stay, even without records; [`Log::last_batches`].
    pub last_batches: LastBatches,
    /// Up to where all replicas are compacted, exclusive: only below may a tombstone go.
    pub compacted_by_all: i64,
    /// Milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// Bytes of memory for the keys, at most.
    pub map_bytes: usize,
    /// Another one for each cleaning.
    pub seed: u128,
}

/// What a cleaning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CleanStats {
    /// Bytes of the log that were read, those of the dirty part twice.
    pub read_bytes: u64,
    /// Bytes of new files.
    pub written_bytes: u64,
    /// Bytes of the files in whose place they stand.
    pub replaced_bytes: u64,
    /// Records that were removed.
    pub removed_records: u64,
    /// Keys in the map.
    pub keys: usize,
    /// Whether the map was full before the end of the dirty part.
    pub map_full: bool,
}

/// A cleaning of one log that is under way.
#[derive(Debug)]
pub struct Cleaning {
    view: Arc<LogView>,
    request: CleaningRequest,
    map: OffsetMap,
    /// Up to where the map knows the log, exclusive.
    end_offset: i64,
    /// Segments that are still to be made anew, oldest first.
    left: VecDeque<Arc<Segment>>,
    retainer: Retainer,
    buffer: Vec<u8>,
    made: Vec<u8>,
    stats: CleanStats,
}

impl Cleaning {
    /// Reads the dirty part of a log and remembers the last offset of each key; `None` where
    /// nothing can be compacted. Waits for the device.
    ///
    /// # Errors
    /// [`CleanError`]; [`StorageError::Corrupt`] where the log is damaged.
    pub fn begin(
        view: &Arc<LogView>,
        request: CleaningRequest,
        pace: &mut dyn Pace,
    ) -> Result<Option<Self>, CleanError> {
        let Cleanable { first_dirty_offset, end_offset, .. } = request.cleanable;
        let keys = end_offset.saturating_sub(first_dirty_offset).max(0).cast_unsigned();
        let map = OffsetMap::new(request.map_bytes, keys, request.seed);
        let mut cleaning = Self {
            view: Arc::clone(view),
            request,
            map,
            end_offset: first_dirty_offset,
            left: VecDeque::new(),
            retainer: Retainer::default(),
            buffer: Vec::new(),
            made: Vec::new(),
            stats: CleanStats::default(),
        };
        let segments = view.segments();
        cleaning.fill_map(&segments, pace)?;
        cleaning.stats.keys = cleaning.map.len();
        if cleaning.end_offset == first_dirty_offset {
            return Ok(None);
        }
        let below = segments.iter().take_while(|it| it.base_offset < cleaning.end_offset);
        cleaning.left = below.cloned().collect();
        Ok(Some(cleaning))
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> CleanStats {
        self.stats
    }

    /// Makes the next new segment, durable with its name, of as many as fit into one; `None` when
    /// there are no more. The owner of the log puts it in its place ([`Log::swap`]) before the next
    /// is made: where it doesn't, the cleaning is over.
    ///
    /// # Errors
    /// [`CleanError`]. A failed write or flush takes the directory out of service.
    pub fn next(&mut self, pace: &mut dyn Pace) -> Result<Option<Cleaned>, CleanError> {
        let Some(first) = self.left.front() else { return Ok(None) };
        let mut output = Output::create(&self.view, first)?;
        let segment_bytes = self.request.options.segment_bytes;
        let mut group: Vec<Arc<Segment>> = Vec::new();
        let Self { request, map, stats, retainer, buffer, made, .. } = self;
        let mut rewriting = Rewriting {
            map,
            end_offset: self.end_offset,
            compacted_by_all: request.compacted_by_all,
            now_ms: request.now_ms,
            horizon_ms: request.now_ms.saturating_add(request.options.delete_retention_ms),
            last_batches: &request.last_batches,
            retainer,
            made,
            stats,
        };
        while let Some(segment) = self
            .left
            .pop_front_if(|segment| group.is_empty() || output.fits(segment, segment_bytes))
        {
            let segment = group.push_mut(segment);
            let mut reading = Reading { view: &self.view, segment, buffer };
            let read = reading.run(pace, &mut |batch, pace| {
                rewriting.batch(batch, &mut output).and_then(|()| output.spill(pace))?;
                Ok(Step::GoOn)
            })?;
            rewriting.stats.read_bytes += read;
        }
        let is_changed = output.is_changed || group.len() > 1;
        let clean_offset = self.left.is_empty().then_some(self.end_offset);
        let cleaned = if is_changed { Some(output.finish(group, pace)?) } else { None };
        let cleaned = Cleaned { new: cleaned, clean_offset };
        self.stats.written_bytes += cleaned.written_bytes();
        self.stats.replaced_bytes += cleaned.replaced_bytes();
        Ok(Some(cleaned))
    }

    /// Puts the last offset of each key of the dirty part into the map, as far as there is room.
    fn fill_map(
        &mut self,
        segments: &[Arc<Segment>],
        pace: &mut dyn Pace,
    ) -> Result<(), CleanError> {
        let Cleanable { first_dirty_offset, end_offset, .. } = self.request.cleanable;
        let is_dirty = |it: &&Arc<Segment>| {
            it.end_offset() > first_dirty_offset && it.end_offset() <= end_offset
        };
        let Self { map, retainer, buffer, view, stats, end_offset: reached, .. } = self;
        for segment in segments.iter().filter(is_dirty) {
            let mut is_full = false;
            let mut note = |batch: &RawBatch<'_>, _: &mut dyn Pace| {
                let behind = pass::end_of(batch);
                if behind <= first_dirty_offset {
                    return Ok(Step::GoOn);
                }
                if pass::is_of_transaction(batch) {
                    return Ok(Step::Stop);
                }
                let whole = retainer.visit(batch, |record| {
                    let is_new = record.offset >= first_dirty_offset;
                    let key = record.key.filter(|_| is_new);
                    let fits = key.is_none_or(|key| map.put(key, record.offset));
                    if !fits {
                        *reached = record.offset.max(*reached);
                    }
                    fits
                });
                is_full = !whole.map_err(|error| pass::broken(view, segment, error))?;
                if is_full {
                    return Ok(Step::Stop);
                }
                *reached = behind;
                Ok(Step::GoOn)
            };
            let mut reading = Reading { view, segment, buffer };
            stats.read_bytes += reading.run(pace, &mut note)?;
            stats.map_full |= is_full;
            if *reached < segment.end_offset() {
                break;
            }
        }
        Ok(())
    }
}

impl Log {
    /// The last batch with records of every producer that is known, committed or not.
    #[must_use]
    pub fn last_batches(&self) -> LastBatches {
        self.remembered.producers.last_batches().collect()
    }
}
