//! Producer state: what one partition remembers of its idempotent and transactional producers.
//!
//! ```text
//!                 high watermark                            log end
//!   ─── committed ──────┤├────────────── overlay ──────────────┤
//!       an entry per     │ batches in the order of the log, and │
//!       producer; open   │ per producer its entry as it will    │
//!       and aborted      │ be when they are committed           │
//!       transactions     │                                      │
//!            ▲  │        │   │                    ▲        │
//!   load ────┘  └▶ snapshot  └──▶ commit folds    record   truncate drops
//! ```
//!
//! Only a leader validates, with [`Producers::check`], before it appends. Everybody, the leader
//! too and before its next check, then tells [`Producers::record`] what stands in the log, and
//! that is never refused: what one replica's clock expired another may still know.
//!
//! The module knows no clock, no file and no raft; time, bytes and the high watermark come as
//! arguments. Offsets, ids and timestamps are plain integers, as in [`BatchHeader`].
//!
//! **Invariant:** what lies below the high watermark is never taken back, so no truncation
//! invalidates a snapshot.
//!
//! **Invariant:** batches apply in the order of their offsets, each once. A snapshot and the log
//! from any offset at or below the snapshot's give the state again.
//!
//! **Invariant:** the committed layer is a function of the log and the limit, whatever the steps
//! in which the high watermark moved; only [`Producers::expire`] depends on the caller.
//!
//! Source: KIP-98, KIP-360, KIP-447; the reference's `ProducerStateManager`,
//! `ProducerAppendInfo` and `TransactionIndex` for what is answered when.
//!
//! [`BatchHeader`]: logboom_protocol::records::BatchHeader

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;

mod committed;
mod entry;
mod facts;
mod snapshot;
mod verdict;

#[cfg(test)]
mod tests;

use committed::Committed;

pub use committed::AbortedTransaction;
pub use entry::{BATCHES_PER_PRODUCER, ProducerEntry};
pub use facts::{BatchFacts, BatchKind, Outcome};
pub use snapshot::SnapshotError;
pub use verdict::{ProducerError, Verdict};

/// Room for this many batches is kept in an empty overlay; more is given back.
const OVERLAY_KEPT_BATCHES: usize = 64;

/// Limits of the producer state of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducersOptions {
    /// Committed producers without an open transaction that a partition remembers; those with one
    /// don't count. Beyond it those that wrote least recently, by offset, are forgotten, a
    /// sixteenth of the limit at a time.
    ///
    /// Each takes at most 450 bytes of memory and 159 of a snapshot.
    pub producers_max: NonZeroU32,
}

impl ProducersOptions {
    /// At most 7 MB of a partition. A producer has to be overtaken by so many others between two of
    /// its batches before its retries are no longer recognized.
    pub const PRODUCERS_MAX_DEFAULT: NonZeroU32 = NonZeroU32::new(16_384).expect("not zero");
}

impl Default for ProducersOptions {
    fn default() -> Self {
        Self { producers_max: Self::PRODUCERS_MAX_DEFAULT }
    }
}

/// The producer state of a partition, in two layers.
///
/// **Invariant:** `committed_offset ≤ end_offset`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Producers {
    /// The committed layer holds every batch below it (exclusive) and none beyond.
    committed_offset: i64,
    /// Batches below it (exclusive) were recorded.
    end_offset: i64,
    options: ProducersOptions,
    /// `None` as long as there is nothing to remember: most partitions have no such producer.
    layers: Option<Box<Layers>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Layers {
    committed: Committed,
    /// Batches of producers at or above the committed offset, in the order of the log.
    overlay: VecDeque<BatchFacts>,
    /// **Invariant:** one for each producer in the overlay: its committed entry with its batches
    /// in the overlay applied.
    heads: BTreeMap<i64, Head>,
}

/// What a producer will be once the overlay is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    entry: ProducerEntry,
    /// Batches in the overlay that are its own, at least 1.
    pending: usize,
}

impl Producers {
    /// The state of a log without producers below `start_offset`, where recording begins.
    ///
    /// # Panics
    /// If `start_offset` is negative.
    #[must_use]
    pub fn new(start_offset: i64, options: ProducersOptions) -> Self {
        assert!(start_offset >= 0, "start offset {start_offset}");
        Self { committed_offset: start_offset, end_offset: start_offset, options, layers: None }
    }

    /// Records a batch that stands in the log, without judging it.
    ///
    /// To be called for every batch, so that [`Self::end_offset`] is right; one without a
    /// producer costs a comparison. A batch whose base offset is below the end changes nothing: it
    /// is known already. A gap before it is what compaction leaves.
    pub fn record(&mut self, facts: &BatchFacts) {
        if facts.base_offset < self.end_offset {
            return;
        }
        self.end_offset = facts.last_offset().saturating_add(1);
        if facts.matters() {
            self.layers.get_or_insert_default().push(*facts);
        }
    }

    /// Folds into the committed layer what lies below `high_watermark` (exclusive).
    ///
    /// Going back changes nothing. Where the high watermark is beyond what was recorded, it counts
    /// as far as that; to be called again when more is. A batch that it divides stays in the
    /// overlay.
    pub fn commit(&mut self, high_watermark: i64) {
        let mut reached = high_watermark.min(self.end_offset);
        if reached <= self.committed_offset {
            return;
        }
        if let Some(layers) = &mut self.layers {
            while let Some(facts) = layers.overlay.pop_front_if(|f| f.last_offset() < reached) {
                layers.fold(&facts, self.options.producers_max);
            }
            if let Some(divided) = layers.overlay.front() {
                reached = reached.min(divided.base_offset);
            }
            layers.give_back_room();
        }
        self.committed_offset = reached.max(self.committed_offset);
        self.drop_empty_layers();
    }

    /// Forgets the batches at or beyond `cut`, the new end of the log (exclusive).
    ///
    /// A batch that the cut divides is forgotten whole. Below the committed offset nothing is
    /// forgotten: a replica that was reset has its leader's committed state above its own end.
    /// NB: a log that lost what was committed (`write.caching`) needs an older snapshot or a new
    /// state; its owner compares the cut with [`Self::committed_offset`].
    pub fn truncate(&mut self, cut: i64) {
        if cut >= self.end_offset {
            return;
        }
        let mut end_offset = cut;
        if let Some(layers) = &mut self.layers {
            while let Some(facts) = layers.overlay.pop_back_if(|f| f.last_offset() >= cut) {
                end_offset = end_offset.min(facts.base_offset);
            }
            layers.rebuild_heads();
            layers.give_back_room();
        }
        self.end_offset = end_offset.max(self.committed_offset);
        self.drop_empty_layers();
    }

    /// What of a leader's state a replica takes that begins its log anew at `offset`: producers
    /// that wrote nothing from there on. The others come with the log.
    ///
    /// # Panics
    /// If `offset` is negative.
    #[must_use]
    pub fn before(mut self, offset: i64) -> Self {
        assert!(offset >= 0, "start offset {offset}");
        if let Some(layers) = &mut self.layers {
            layers.overlay.clear();
            layers.committed.expire(|_, entry| entry.last_offset() >= offset);
            layers.rebuild_heads();
        }
        (self.committed_offset, self.end_offset) = (offset, offset);
        self.drop_empty_layers();
        self
    }

    /// Judges a batch that a leader is about to append, by everything recorded so far.
    ///
    /// - `facts`: of a data batch from a client or a coordinator; its offsets don't matter, and
    ///   neither does its timestamp.
    ///
    /// A batch without a producer, and a marker, are always [`Verdict::New`].
    ///
    /// # Errors
    /// [`ProducerError`]; nothing may be appended.
    pub fn check(&self, facts: &BatchFacts) -> Result<Verdict, ProducerError> {
        verdict::check(self.entry(facts.producer_id), facts, self.committed_offset)
    }

    /// Forgets committed producers that wrote nothing for `expiration_ms` milliseconds
    /// (`producer.id.expiration.ms`); returns how many.
    ///
    /// - `now_ms`: milliseconds since the Unix epoch, to compare with the producers' timestamps.
    ///
    /// Producers with an open transaction or with batches above the high watermark stay.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) -> usize {
        let Some(layers) = &mut self.layers else { return 0 };
        let Layers { committed, heads, .. } = &mut **layers;
        let expired = committed.expire(|producer_id, entry| {
            let idle_ms = now_ms.saturating_sub(entry.last_timestamp());
            idle_ms >= expiration_ms && !heads.contains_key(&producer_id)
        });
        self.drop_empty_layers();
        expired
    }

    /// Forgets aborted transactions that end before `log_start_offset` (inclusive); no producer.
    pub fn advance_log_start(&mut self, log_start_offset: i64) {
        if let Some(layers) = &mut self.layers {
            layers.committed.drop_aborted_before(log_start_offset);
        }
        self.drop_empty_layers();
    }

    /// The offset below which no transaction is open (exclusive), at most `high_watermark`, at
    /// least `log_start_offset`.
    ///
    /// To be called after [`Self::commit`] with the same high watermark. A transaction whose
    /// marker isn't committed is open.
    #[must_use]
    pub fn last_stable_offset(&self, log_start_offset: i64, high_watermark: i64) -> i64 {
        let first_open = self.committed().and_then(Committed::first_open_offset);
        first_open.map_or(high_watermark, |first| first.max(log_start_offset).min(high_watermark))
    }

    /// The aborted transactions that have a part in `fetch_offset..upper_bound_offset`, in the
    /// order of their markers.
    ///
    /// - `upper_bound_offset`: exclusive, at most the last stable offset.
    pub fn aborted_transactions(
        &self,
        fetch_offset: i64,
        upper_bound_offset: i64,
    ) -> impl Iterator<Item = &AbortedTransaction> {
        self.committed()
            .into_iter()
            .flat_map(move |committed| committed.aborted_within(fetch_offset, upper_bound_offset))
    }

    /// What is known of a producer at the log end, the overlay included.
    #[must_use]
    pub fn entry(&self, producer_id: i64) -> Option<&ProducerEntry> {
        let layers = self.layers.as_ref()?;
        let head = layers.heads.get(&producer_id).map(|head| &head.entry);
        head.or_else(|| layers.committed.entry(producer_id))
    }

    /// What is known of every producer at the log end, by id.
    pub fn entries(&self) -> impl Iterator<Item = (i64, &ProducerEntry)> {
        let layers = self.layers.as_deref();
        let mut ids: Vec<i64> = layers.map_or_else(Vec::new, |layers| {
            let committed = layers.committed.producers().map(|(id, _)| id);
            committed.chain(layers.heads.keys().copied()).collect()
        });
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| Some((id, self.entry(id)?)))
    }

    /// The last batch with records of every producer, committed or not: its producer's id, and its
    /// last offset, inclusive. A producer may have one of each.
    pub(crate) fn last_batches(&self) -> impl Iterator<Item = (i64, i64)> {
        let layers = self.layers.as_deref();
        let entries = layers.into_iter().flat_map(|layers| {
            let heads = layers.heads.iter().map(|(id, head)| (*id, &head.entry));
            layers.committed.producers().chain(heads)
        });
        entries.filter_map(|(id, entry)| Some((id, entry.last_data_offset()?)))
    }

    /// The committed layer holds the log below it (exclusive).
    #[must_use]
    pub fn committed_offset(&self) -> i64 {
        self.committed_offset
    }

    /// The end of what was recorded (exclusive), committed or not.
    #[must_use]
    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// How many producers the committed layer knows.
    #[must_use]
    pub fn producer_count(&self) -> usize {
        self.committed().map_or(0, Committed::producer_count)
    }

    /// How many transactions are open in the committed layer.
    #[must_use]
    pub fn open_transaction_count(&self) -> usize {
        self.committed().map_or(0, Committed::open_count)
    }

    /// Whether there is nothing to remember: no producer, no aborted transaction, no overlay.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.is_none()
    }

    /// Checks the relations between the layers.
    ///
    /// # Panics
    /// If one doesn't hold. For tests and simulation: it takes time linear in the state.
    pub fn check_invariants(&self) {
        let Self { committed_offset, end_offset, .. } = *self;
        assert!(committed_offset <= end_offset, "{committed_offset} above {end_offset}");
        let Some(layers) = &self.layers else { return };
        assert!(!layers.is_empty(), "empty layers are given back");
        layers.committed.check_invariants(committed_offset, self.options.producers_max);
        let mut floor = committed_offset;
        for facts in &layers.overlay {
            assert!(facts.base_offset >= floor, "{facts:?} below {floor}");
            floor = facts.last_offset().saturating_add(1);
        }
        assert!(floor <= end_offset, "the overlay ends at {floor}, beyond {end_offset}");
        let mut rebuilt = layers.clone();
        rebuilt.rebuild_heads();
        assert_eq!(rebuilt.heads, layers.heads);
    }

    fn committed(&self) -> Option<&Committed> {
        self.layers.as_ref().map(|layers| &layers.committed)
    }

    fn drop_empty_layers(&mut self) {
        if self.layers.as_ref().is_some_and(|layers| layers.is_empty()) {
            self.layers = None;
        }
    }
}

impl Layers {
    fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.overlay.is_empty()
    }

    /// Adds a batch to the overlay.
    fn push(&mut self, facts: BatchFacts) {
        self.apply_to_head(&facts);
        self.overlay.push_back(facts);
    }

    fn apply_to_head(&mut self, facts: &BatchFacts) {
        let committed = &self.committed;
        let head = self.heads.entry(facts.producer_id).or_insert_with(|| {
            let entry = committed.entry(facts.producer_id).cloned();
            Head { entry: entry.unwrap_or_else(|| ProducerEntry::new(facts)), pending: 0 }
        });
        head.entry.apply(facts);
        head.pending += 1;
    }

    /// Applies a batch that has just left the overlay at its front.
    fn fold(&mut self, facts: &BatchFacts, producers_max: NonZeroU32) {
        self.committed.apply(facts);
        let head = self.heads.get_mut(&facts.producer_id).expect("each batch above has a head");
        head.pending -= 1;
        if head.pending == 0 {
            self.heads.remove(&facts.producer_id);
        }
        let forgotten = self.committed.enforce(producers_max);
        // NB: a head stands on the entry that was forgotten. Without this the verdicts would
        // depend on when the high watermark moved.
        if forgotten.iter().any(|producer_id| self.heads.contains_key(producer_id)) {
            self.rebuild_heads();
        }
    }

    fn rebuild_heads(&mut self) {
        self.heads.clear();
        let overlay = std::mem::take(&mut self.overlay);
        for facts in &overlay {
            self.apply_to_head(facts);
        }
        self.overlay = overlay;
    }

    fn give_back_room(&mut self) {
        if self.overlay.is_empty() && self.overlay.capacity() > OVERLAY_KEPT_BATCHES {
            self.overlay.shrink_to(OVERLAY_KEPT_BATCHES);
        }
    }
}
