//! What is known of one producer: its epoch, its last batches, its open transaction.
//!
//! Must always hold: the batches are of the entry's epoch and in the order of their offsets.

use super::facts::{BatchFacts, BatchKind, Outcome, sequence_after, sequence_before};

/// Batches of a producer that are recognized when they come again. A producer may have so many
/// requests in flight (`max.in.flight.requests.per.connection` with idempotence).
pub const BATCHES_PER_PRODUCER: usize = 5;

/// What a partition knows of a producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerEntry {
    pub(super) epoch: i16,
    /// −1 before the first marker.
    pub(super) coordinator_epoch: i32,
    /// Offset of its last record, a marker's too, inclusive.
    pub(super) last_offset: i64,
    pub(super) last_timestamp: i64,
    pub(super) current_txn_first_offset: Option<i64>,
    pub(super) batches: RecentBatches,
}

/// A batch that would be recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct BatchTrace {
    /// At least 0.
    pub(super) last_sequence: i32,
    /// At least 0.
    pub(super) last_offset_delta: i32,
    /// Inclusive.
    pub(super) last_offset: i64,
    /// Greatest of the batch, milliseconds.
    pub(super) timestamp: i64,
}

/// The last batches of a producer, oldest first.
///
/// **Invariant:** places from `count` on hold the default, so that equality is that of the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RecentBatches {
    count: u8,
    places: [BatchTrace; BATCHES_PER_PRODUCER],
}

const _: () = assert!(BATCHES_PER_PRODUCER <= u8::MAX as usize, "the count is one byte");

/// What a batch did to the transaction of its producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransactionStep {
    None,
    Began { first_offset: i64 },
    Ended { first_offset: i64, outcome: Outcome },
}

impl ProducerEntry {
    /// The entry of a producer that is unknown so far, before `first` is applied to it.
    pub(super) fn new(first: &BatchFacts) -> Self {
        Self {
            epoch: first.producer_epoch,
            coordinator_epoch: -1,
            last_offset: -1,
            last_timestamp: -1,
            current_txn_first_offset: None,
            batches: RecentBatches::default(),
        }
    }

    /// Takes over what a batch in the log says, even if no leader should have let it pass.
    pub(super) fn apply(&mut self, facts: &BatchFacts) -> TransactionStep {
        if self.epoch != facts.producer_epoch {
            self.epoch = facts.producer_epoch;
            self.batches = RecentBatches::default();
        }
        self.last_offset = facts.last_offset();
        self.last_timestamp = facts.max_timestamp;
        if let BatchKind::Marker { outcome, coordinator_epoch } = facts.kind {
            self.coordinator_epoch = coordinator_epoch.unwrap_or(self.coordinator_epoch);
            return match self.current_txn_first_offset.take() {
                Some(first_offset) => TransactionStep::Ended { first_offset, outcome },
                None => TransactionStep::None,
            };
        }
        if let Some(last_sequence) = facts.last_sequence() {
            self.batches.push(BatchTrace {
                last_sequence,
                last_offset_delta: facts.last_offset_delta,
                last_offset: facts.last_offset(),
                timestamp: facts.max_timestamp,
            });
        }
        if facts.kind == BatchKind::Transactional && self.current_txn_first_offset.is_none() {
            self.current_txn_first_offset = Some(facts.base_offset);
            return TransactionStep::Began { first_offset: facts.base_offset };
        }
        TransactionStep::None
    }

    /// The epoch of its last batch or marker.
    #[must_use]
    pub fn epoch(&self) -> i16 {
        self.epoch
    }

    /// The coordinator's epoch of its last marker; −1 before the first.
    #[must_use]
    pub fn coordinator_epoch(&self) -> i32 {
        self.coordinator_epoch
    }

    /// The sequence number of its last record in this epoch, or `None` before the first.
    #[must_use]
    pub fn last_sequence(&self) -> Option<i32> {
        self.batches.as_slice().last().map(|batch| batch.last_sequence)
    }

    /// The sequence number with which its next batch in this epoch has to begin.
    #[must_use]
    pub fn next_sequence(&self) -> i32 {
        self.last_sequence().map_or(0, |last| sequence_after(last, 1))
    }

    /// The greatest timestamp of its last batch or marker, milliseconds.
    #[must_use]
    pub fn last_timestamp(&self) -> i64 {
        self.last_timestamp
    }

    /// The offset of its last record or marker, inclusive.
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.last_offset
    }

    /// The offset of the last record of its last batch in this epoch, inclusive; no marker's.
    pub(super) fn last_data_offset(&self) -> Option<i64> {
        self.batches.as_slice().last().map(|batch| batch.last_offset)
    }

    /// The offset of the first record of its open transaction, if it has one.
    #[must_use]
    pub fn current_txn_first_offset(&self) -> Option<i64> {
        self.current_txn_first_offset
    }

    /// The batch of its last ones with exactly these sequence numbers, first and last inclusive.
    pub(super) fn find_batch(&self, first: i32, last: i32) -> Option<&BatchTrace> {
        let mut batches = self.batches.as_slice().iter();
        batches.find(|batch| batch.last_sequence == last && batch.first_sequence() == first)
    }
}

impl BatchTrace {
    pub(super) fn first_sequence(&self) -> i32 {
        sequence_before(self.last_sequence, self.last_offset_delta)
    }

    pub(super) fn base_offset(&self) -> i64 {
        self.last_offset.saturating_sub(i64::from(self.last_offset_delta))
    }
}

impl RecentBatches {
    pub(super) fn as_slice(&self) -> &[BatchTrace] {
        &self.places[..usize::from(self.count)]
    }

    /// How many there are, at most [`BATCHES_PER_PRODUCER`].
    pub(super) fn count(&self) -> u8 {
        self.count
    }

    /// Adds the newest; the oldest makes room for it.
    pub(super) fn push(&mut self, batch: BatchTrace) {
        if usize::from(self.count) == BATCHES_PER_PRODUCER {
            self.places.rotate_left(1);
            self.count -= 1;
        }
        self.places[usize::from(self.count)] = batch;
        self.count += 1;
    }
}
