//! The facts of a batch that matter to producer state, and the arithmetic of sequence numbers.
//!
//! Must always hold: any header gives facts; offsets and sequences never overflow.

use logboom_protocol::records::{BatchHeader, ControlRecord, ControlType};

/// What producer state wants to know of a batch in the log, or of one that is to be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchFacts {
    /// Id of the producer; negative if it has none.
    pub producer_id: i64,
    /// Offset of the first record, inclusive; of no account before the batch has its place.
    pub base_offset: i64,
    /// Greatest timestamp of the records, milliseconds, as the log has it.
    pub max_timestamp: i64,
    /// Sequence number of the first record; negative if it has none, as in what coordinators
    /// write for a transaction.
    pub base_sequence: i32,
    /// Offset of the last record minus the base offset, and so for the sequence numbers.
    pub last_offset_delta: i32,
    /// Epoch of the producer.
    pub producer_epoch: i16,
    /// What the batch is.
    pub kind: BatchKind,
}

/// What a batch is to a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchKind {
    /// Records outside of any transaction.
    Plain,
    /// Records of the producer's transaction.
    Transactional,
    /// The marker that ends the producer's transaction.
    Marker {
        /// How.
        outcome: Outcome,
        /// The epoch of the transaction coordinator; `None` if the marker's value is unreadable.
        coordinator_epoch: Option<i32>,
    },
    /// A control batch that ends no transaction: of another type, or emptied by compaction.
    OtherControl,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its records are not to be read.
    Abort,
    /// Its records are to be read.
    Commit,
}

impl BatchFacts {
    /// The facts of a batch with this header.
    ///
    /// - `control`: its first record, if it is a control batch that has one and it is readable.
    #[must_use]
    pub fn new(header: &BatchHeader, control: Option<&ControlRecord>) -> Self {
        let kind = match (header.attributes.is_control(), header.attributes.is_transactional()) {
            (true, _) => control.map_or(BatchKind::OtherControl, BatchKind::of_control),
            (false, true) => BatchKind::Transactional,
            (false, false) => BatchKind::Plain,
        };
        Self {
            producer_id: header.producer_id,
            base_offset: header.base_offset,
            max_timestamp: header.max_timestamp,
            base_sequence: header.base_sequence,
            last_offset_delta: header.last_offset_delta.max(0),
            producer_epoch: header.producer_epoch,
            kind,
        }
    }

    /// Offset of the last record, inclusive.
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Sequence number of the last record, or `None` if the batch has none.
    #[must_use]
    pub fn last_sequence(&self) -> Option<i32> {
        (self.base_sequence >= 0)
            .then(|| sequence_after(self.base_sequence, self.last_offset_delta))
    }

    /// Whether the batch changes the state of a producer.
    pub(super) fn matters(&self) -> bool {
        self.producer_id >= 0 && self.kind != BatchKind::OtherControl
    }
}

impl BatchKind {
    fn of_control(control: &ControlRecord) -> Self {
        let coordinator_epoch = control.coordinator_epoch;
        match control.kind {
            ControlType::Abort => Self::Marker { outcome: Outcome::Abort, coordinator_epoch },
            ControlType::Commit => Self::Marker { outcome: Outcome::Commit, coordinator_epoch },
            ControlType::Other(_) => Self::OtherControl,
        }
    }
}

/// The sequence number `count` records after `sequence`; both at least 0. After 2147483647 comes 0.
pub(super) fn sequence_after(sequence: i32, count: i32) -> i32 {
    // Wrapping and clearing the sign is arithmetic modulo 2^31.
    sequence.wrapping_add(count) & i32::MAX
}

/// The sequence number `count` records before `sequence`; both at least 0.
pub(super) fn sequence_before(sequence: i32, count: i32) -> i32 {
    sequence.wrapping_sub(count) & i32::MAX
}
