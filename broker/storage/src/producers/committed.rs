//! The lower layer: the state of all producers at the high watermark.
//!
//! Must always hold: it is a function of the batches applied, in their order, and of the limit;
//! only expiry takes anything from outside.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;

use super::entry::{ProducerEntry, TransactionStep};
use super::facts::{BatchFacts, Outcome};

/// When there are too many producers, this fraction of the limit is forgotten at once, so that
/// the search for the oldest is paid for by as many newcomers.
const FORGOTTEN_FRACTION: usize = 16;

/// A transaction whose records are not to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// The producer.
    pub producer_id: i64,
    /// Offset of its first record, inclusive.
    pub first_offset: i64,
    /// Offset of its marker, inclusive.
    pub last_offset: i64,
    /// The last stable offset (exclusive) once the marker is committed: where the next open
    /// transaction begins, or the offset after the marker.
    pub last_stable_offset: i64,
}

/// Everything that is known below the high watermark.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Committed {
    /// By id, so that the bytes of a snapshot depend on nothing but the state.
    producers: BTreeMap<i64, ProducerEntry>,
    /// **Invariant:** the first offsets of the open transactions of `producers`.
    open: BTreeSet<i64>,
    /// **Invariant:** in the order of the markers.
    aborted: VecDeque<AbortedTransaction>,
}

impl Committed {
    /// Applies the next batch of the log.
    pub(super) fn apply(&mut self, facts: &BatchFacts) {
        let entry = self.producers.entry(facts.producer_id);
        match entry.or_insert_with(|| ProducerEntry::new(facts)).apply(facts) {
            TransactionStep::None => {}
            TransactionStep::Began { first_offset } => {
                self.open.insert(first_offset);
            }
            TransactionStep::Ended { first_offset, outcome } => {
                self.open.remove(&first_offset);
                if outcome == Outcome::Abort {
                    self.note_aborted(first_offset, facts);
                }
            }
        }
    }

    fn note_aborted(&mut self, first_offset: i64, marker: &BatchFacts) {
        let last_offset = marker.last_offset();
        let next_open = self.open.first().copied();
        self.aborted.push_back(AbortedTransaction {
            producer_id: marker.producer_id,
            first_offset,
            last_offset,
            last_stable_offset: next_open.unwrap_or(last_offset.saturating_add(1)),
        });
    }

    /// Puts an entry back that a snapshot holds. Returns whether its transaction, if one is open,
    /// begins where no other does.
    pub(super) fn restore_producer(&mut self, producer_id: i64, entry: ProducerEntry) -> bool {
        let is_alone = entry.current_txn_first_offset.is_none_or(|first| self.open.insert(first));
        self.producers.insert(producer_id, entry);
        is_alone
    }

    /// Puts an aborted transaction back, after those whose markers are before its own.
    pub(super) fn restore_aborted(&mut self, aborted: AbortedTransaction) {
        self.aborted.push_back(aborted);
    }

    /// Forgets producers without an open transaction, those with the lowest last offset first, if
    /// there are more than `producers_max` of them. Returns the forgotten ones.
    pub(super) fn enforce(&mut self, producers_max: NonZeroU32) -> Vec<i64> {
        let limit = usize::try_from(producers_max.get()).unwrap_or(usize::MAX);
        let idle_count = self.producers.len() - self.open.len();
        if idle_count <= limit {
            return Vec::new();
        }
        let excess = idle_count - (limit - limit / FORGOTTEN_FRACTION);
        let idle = self.producers.iter().filter(|(_, e)| e.current_txn_first_offset.is_none());
        let mut oldest: Vec<_> = idle.map(|(&id, entry)| (entry.last_offset, id)).collect();
        oldest.select_nth_unstable(excess - 1);
        oldest.truncate(excess);
        let forgotten: Vec<_> = oldest.into_iter().map(|(_, producer_id)| producer_id).collect();
        for producer_id in &forgotten {
            self.producers.remove(producer_id);
        }
        forgotten
    }

    /// Forgets the producers without an open transaction that `is_expired`; returns how many.
    pub(super) fn expire(&mut self, is_expired: impl Fn(i64, &ProducerEntry) -> bool) -> usize {
        let before = self.producers.len();
        self.producers.retain(|&producer_id, entry| {
            entry.current_txn_first_offset.is_some() || !is_expired(producer_id, entry)
        });
        before - self.producers.len()
    }

    /// Forgets aborted transactions whose markers are below `offset`.
    pub(super) fn drop_aborted_before(&mut self, offset: i64) {
        let kept = self.aborted.partition_point(|aborted| aborted.last_offset < offset);
        self.aborted.drain(..kept);
        if self.aborted.is_empty() {
            self.aborted = VecDeque::new();
        }
    }

    /// See [`super::Producers::aborted_transactions`].
    pub(super) fn aborted_within(
        &self,
        fetch_offset: i64,
        upper_bound_offset: i64,
    ) -> impl Iterator<Item = &AbortedTransaction> {
        let start = self.aborted.partition_point(|aborted| aborted.last_offset < fetch_offset);
        let mut is_done = false;
        self.aborted
            .range(start..)
            // All that end after this one begin at or beyond its last stable offset.
            .take_while(move |aborted| {
                let is_beyond = aborted.last_stable_offset >= upper_bound_offset;
                !std::mem::replace(&mut is_done, is_beyond)
            })
            .filter(move |aborted| aborted.first_offset < upper_bound_offset)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.producers.is_empty() && self.aborted.is_empty()
    }

    pub(super) fn entry(&self, producer_id: i64) -> Option<&ProducerEntry> {
        self.producers.get(&producer_id)
    }

    /// In ascending order of the ids.
    pub(super) fn producers(&self) -> impl ExactSizeIterator<Item = (i64, &ProducerEntry)> {
        self.producers.iter().map(|(&producer_id, entry)| (producer_id, entry))
    }

    /// In the order of the markers.
    pub(super) fn aborted(&self) -> impl ExactSizeIterator<Item = &AbortedTransaction> {
        self.aborted.iter()
    }

    pub(super) fn producer_count(&self) -> usize {
        self.producers.len()
    }

    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Offset of the first record of the oldest open transaction, inclusive.
    pub(super) fn first_open_offset(&self) -> Option<i64> {
        self.open.first().copied()
    }

    /// See [`super::Producers::check_invariants`].
    pub(super) fn check_invariants(&self, committed_offset: i64, producers_max: NonZeroU32) {
        let mut open = BTreeSet::new();
        for (producer_id, entry) in &self.producers {
            assert!(entry.last_offset < committed_offset, "{producer_id}: {entry:?}");
            let batches = entry.batches.as_slice();
            assert!(batches.is_sorted_by(|a, b| a.last_offset < b.base_offset()), "{entry:?}");
            open.extend(entry.current_txn_first_offset);
        }
        assert_eq!(open, self.open);
        let idle_count = self.producers.len() - open.len();
        assert!(u32::try_from(idle_count).is_ok_and(|idle| idle <= producers_max.get()));
        assert!(self.aborted.iter().is_sorted_by(|a, b| a.last_offset < b.last_offset));
        assert!(self.aborted.back().is_none_or(|last| last.last_offset < committed_offset));
    }
}
