//! The log of one partition.
//!
//! ```text
//!   log start        high watermark   flushed        end
//!       │                  │             │            │
//!   ────▼──────────────────▼─────────────▼────────────▼─ ─ ─ ─
//!   [ sealed ][ sealed ][ active: batches ............ │ zeros ]
//!       └── readers ──────┘              └ page cache ─┘
//! ```
//!
//! A [`Log`] has one owner, who appends, rolls, cuts and asks for flushes. Any number of readers
//! hold the [`LogView`] that it publishes. An empty log has no directory and no file.
//!
//! **Invariant:** `log_start_offset ≤ high_watermark ≤ end_offset`, `flushed_offset ≤ end_offset`.
//!
//! **Invariant:** nothing is written in place. A cut seals the file at its surviving length and the
//! log goes on in a new one.

mod ahead;
mod append;
mod clean;
mod cut;
mod epoch;
mod finding;
mod indexing;
mod locate;
mod open;
mod read;
mod repair;
mod replicas;
mod runs;
mod scrub;
mod search;
mod segments;
mod snapshots;
#[cfg(test)]
mod tests;
mod trash;

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use append::{Active, Unflushed};
pub use clean::{
    CleanError, CleanStats, Cleanable, Cleaned, Cleaning, CleaningRequest, CompactionOptions,
    LastBatches, Pace,
};
pub use cut::MovingStart;
pub use epoch::Beginning;
pub use finding::Finding;
pub(crate) use open::proven;
pub use read::{ColdRead, Found, ReadUntil};
pub use repair::{OtherReplicas, RepairError};
use replicas::Deletion;
pub(crate) use replicas::STEP_GROUPS_MAX;
pub use scrub::Scrubbed;
pub use search::TimedOffset;
pub(crate) use segments::{Hole, Segment};
use snapshots::Remembered;
pub(crate) use trash::Trash;

use crate::directory::Shared;
use crate::options::LogOptions;
use crate::state::{EpochStart, GroupKey, Sealed, StateRecord};

/// The log of one partition, in the hands of its owner.
#[derive(Debug)]
pub struct Log {
    view: Arc<LogView>,
    options: Arc<LogOptions>,
    /// The end of the last segment where nothing may be appended to it, as it was found or cut:
    /// what the state store has of it, or learns when the next one begins.
    found_seal: Option<Box<Sealed>>,
    /// A segment of which nothing is left, in whose place another was made: its files go once the
    /// state store knows.
    replaced: Option<Arc<Segment>>,
    /// The generation of new segments; a cut begins another, so that no file's name is used twice
    /// in a life.
    generation: u32,
    /// The end of what is on stable storage, exclusive.
    flushed_offset: i64,
    /// The segment that is appended to; none while the log has never held a batch.
    active: Option<Box<Active>>,
    /// What the next flush has to do besides the active segment's file; nearly always nothing.
    unflushed: Option<Box<Unflushed>>,
    /// Whether the state store has the log as closed where it is. From the first append on that is
    /// its end no more; the first flush says so before anything is acknowledged.
    is_reopened: bool,
    /// Whether a flush was asked for and is not over.
    flushing: bool,
    /// Where the first segment begins that this flush has the manifest name, if it has.
    being_named: Option<i64>,
    /// Whether that flush makes the beginning of an epoch durable: nothing is written before.
    begins_epoch: bool,
    /// Bytes appended since the last checkpoint.
    unchecked_bytes: u64,
    remembered: Remembered,
}

/// What readers see of a log. Never waits for its owner.
#[derive(Debug)]
pub struct LogView {
    pub(crate) key: GroupKey,
    shared: Arc<Shared>,
    log_start_offset: AtomicI64,
    high_watermark: AtomicI64,
    segments: RwLock<Arc<[Arc<Segment>]>>,
    epochs: RwLock<Arc<[EpochStart]>>,
    pub(crate) deletion: Deletion,
    /// The greatest generation that a file got, in the log or on its way there.
    generation: AtomicU32,
}

impl Log {
    /// The partition.
    #[must_use]
    pub fn key(&self) -> &GroupKey {
        &self.view.key
    }

    /// What readers hold.
    #[must_use]
    pub fn view(&self) -> &Arc<LogView> {
        &self.view
    }

    /// The offset that the next record gets, exclusive end of the log.
    #[must_use]
    pub fn end_offset(&self) -> i64 {
        self.view.end_offset()
    }

    /// Below it everything is on stable storage, exclusive.
    #[must_use]
    pub fn flushed_offset(&self) -> i64 {
        self.flushed_offset
    }

    /// The epoch of what is appended.
    #[must_use]
    pub fn epoch(&self) -> i32 {
        self.view.epochs().last().map_or(0, |start| start.epoch)
    }

    /// Goes on with other options. What was rolled stays as it is.
    pub fn set_options(&mut self, options: impl Into<Arc<LogOptions>>) {
        self.options = options.into();
    }

    /// Publishes how far readers may read.
    ///
    /// # Panics
    /// If it goes back, or beyond the end of the log.
    pub fn set_high_watermark(&mut self, offset: i64) {
        let (before, end) = (self.view.high_watermark(), self.end_offset());
        assert!(before <= offset && offset <= end, "high watermark {before} → {offset} of {end}");
        self.view.high_watermark.store(offset, Ordering::Release);
        self.remembered.producers.commit(offset);
        self.save_committed();
    }

    fn record(&self, record: StateRecord) -> (GroupKey, StateRecord) {
        (self.view.key, record)
    }
}

impl LogView {
    /// The first offset that is kept, inclusive.
    #[must_use]
    pub fn log_start_offset(&self) -> i64 {
        self.log_start_offset.load(Ordering::Acquire)
    }

    /// Below it everything is committed, exclusive.
    #[must_use]
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark.load(Ordering::Acquire)
    }

    /// The offset that the next record gets, exclusive.
    #[must_use]
    pub fn end_offset(&self) -> i64 {
        let last = self.segments().last().map(|segment| segment.end_offset());
        last.unwrap_or_else(|| self.log_start_offset())
    }

    /// The epoch of the batch with that offset.
    #[must_use]
    pub fn epoch_at(&self, offset: i64) -> Option<i32> {
        crate::scan::epoch_at(&self.epochs(), offset)
    }

    /// Where an epoch ends: the greatest epoch not above `epoch`, and the first offset behind it.
    /// Below all that are known, `epoch` itself and where the first of them begins; `None` above.
    #[must_use]
    pub fn epoch_end(&self, epoch: i32) -> Option<(i32, i64)> {
        let epochs = self.epochs();
        let next = epochs.partition_point(|start| start.epoch <= epoch);
        let end_offset = match epochs.get(next) {
            Some(next) => next.start_offset,
            None if epochs.last()?.epoch == epoch => self.end_offset(),
            None => return None,
        };
        let floor = next.checked_sub(1).map_or(epoch, |floor| epochs[floor].epoch);
        Some((floor, end_offset))
    }

    /// A generation that no file has, above `generation`: whoever makes a file that is not part of
    /// the log yet, owner or not, must not meet another's.
    fn next_generation(&self, generation: u32) -> u32 {
        let next = |before: u32| Some(before.max(generation) + 1);
        let order = Ordering::SeqCst;
        let before = self.generation.fetch_update(order, order, next).unwrap_or(generation);
        before.max(generation) + 1
    }

    /// Bytes of all its segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments().iter().map(|segment| u64::from(segment.log_bytes())).sum()
    }

    fn segments(&self) -> Arc<[Arc<Segment>]> {
        Arc::clone(&self.segments.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_segments(&self, segments: Vec<Arc<Segment>>) {
        *self.segments.write().unwrap_or_else(PoisonError::into_inner) = listed(segments);
    }

    fn epochs(&self) -> Arc<[EpochStart]> {
        Arc::clone(&self.epochs.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_epochs(&self, epochs: Arc<[EpochStart]>) {
        *self.epochs.write().unwrap_or_else(PoisonError::into_inner) = epochs;
    }
}

/// A list to be shared; an empty one takes no memory.
fn listed(segments: Vec<Arc<Segment>>) -> Arc<[Arc<Segment>]> {
    if segments.is_empty() { Arc::default() } else { segments.into() }
}
