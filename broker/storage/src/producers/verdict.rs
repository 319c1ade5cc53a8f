//! What a leader answers to a producer's batch before it appends it.
//!
//! | the producer | the batch | answer |
//! | --- | --- | --- |
//! | is unknown | begins anywhere | new |
//! | is known in the same epoch | is one of its last five | duplicate |
//! | is known in a newer epoch | is any | 47 `INVALID_PRODUCER_EPOCH` |
//! | is known in an older epoch | doesn't begin at 0 | 45 `OUT_OF_ORDER_SEQUENCE_NUMBER` |
//! | is known in the same epoch | doesn't follow its last | 45 `OUT_OF_ORDER_SEQUENCE_NUMBER` |
//! | has a transaction open | is outside of it | 48 `INVALID_TXN_STATE` |
//! | is known | is any other | new |
//!
//! Must always hold: the first line that fits counts, as in the reference; what is new follows
//! the recorded batches without a gap.
//!
//! Source: KIP-98; the reference's `ProducerAppendInfo` and `UnifiedLog`.

use std::fmt;

use logboom_protocol::ErrorCode;

use super::entry::ProducerEntry;
use super::facts::{BatchFacts, BatchKind};

/// What is to be done with a batch that is not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is to be appended.
    New,
    /// It stands in the log already and is not appended again. Its producer is answered as it
    /// would have been, under the same condition as the original.
    Duplicate {
        /// Offset of the original's first record, inclusive.
        base_offset: i64,
        /// Offset of the original's last record, inclusive.
        last_offset: i64,
        /// The original's greatest timestamp, milliseconds: its log append time where the topic
        /// has one.
        timestamp: i64,
        /// Whether the original is below the high watermark. If not, the answer waits until the
        /// high watermark is above `last_offset`.
        committed: bool,
    },
}

/// Why a batch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProducerError {
    /// Its sequence numbers don't follow: `OUT_OF_ORDER_SEQUENCE_NUMBER` (45).
    OutOfOrderSequence {
        /// The producer.
        producer_id: i64,
        /// The epoch of the batch.
        producer_epoch: i16,
        /// The last epoch known, at most that of the batch.
        current_epoch: i16,
        /// The sequence number that would have been right; 0 in a new epoch.
        expected: i32,
        /// The batch's first sequence number.
        found: i32,
    },
    /// It comes from an epoch that has been replaced: `INVALID_PRODUCER_EPOCH` (47).
    InvalidEpoch {
        /// The producer.
        producer_id: i64,
        /// The epoch of the batch.
        producer_epoch: i16,
        /// The last epoch known.
        current_epoch: i16,
    },
    /// It is outside of its producer's open transaction: `INVALID_TXN_STATE` (48).
    TransactionOpen {
        /// The producer.
        producer_id: i64,
        /// Offset of the first record of the transaction, inclusive.
        first_offset: i64,
    },
}

impl ProducerError {
    /// The answer on the wire.
    #[must_use]
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
            Self::InvalidEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
            Self::TransactionOpen { .. } => ErrorCode::INVALID_TXN_STATE,
        }
    }
}

impl fmt::Display for ProducerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrderSequence {
                producer_id,
                producer_epoch,
                current_epoch,
                expected,
                found,
            } => write!(
                f,
                "producer {producer_id} in epoch {producer_epoch} (last known {current_epoch}): \
                 sequence number {found}, {expected} expected"
            ),
            Self::InvalidEpoch { producer_id, producer_epoch, current_epoch } => write!(
                f,
                "producer {producer_id}: epoch {producer_epoch} was replaced by {current_epoch}"
            ),
            Self::TransactionOpen { producer_id, first_offset } => write!(
                f,
                "producer {producer_id}: a batch outside of the transaction that it has open \
                 from offset {first_offset} on"
            ),
        }
    }
}

impl std::error::Error for ProducerError {}

/// Judges a batch by the entry of its producer; see [`super::Producers::check`].
pub(super) fn check(
    entry: Option<&ProducerEntry>,
    facts: &BatchFacts,
    committed_offset: i64,
) -> Result<Verdict, ProducerError> {
    let &BatchFacts { producer_id, producer_epoch, kind, .. } = facts;
    let is_data = matches!(kind, BatchKind::Plain | BatchKind::Transactional);
    let Some(entry) = entry.filter(|_| is_data) else { return Ok(Verdict::New) };
    if let Some(duplicate) = find_duplicate(entry, facts, committed_offset) {
        return Ok(duplicate);
    }
    let current_epoch = entry.epoch();
    if producer_epoch < current_epoch {
        return Err(ProducerError::InvalidEpoch { producer_id, producer_epoch, current_epoch });
    }
    let expected = if producer_epoch == current_epoch { entry.next_sequence() } else { 0 };
    let found = facts.base_sequence;
    // What a coordinator writes for a producer has no sequence numbers.
    if found >= 0 && found != expected {
        return Err(ProducerError::OutOfOrderSequence {
            producer_id,
            producer_epoch,
            current_epoch,
            expected,
            found,
        });
    }
    match entry.current_txn_first_offset() {
        Some(first_offset) if kind == BatchKind::Plain => {
            Err(ProducerError::TransactionOpen { producer_id, first_offset })
        }
        _ => Ok(Verdict::New),
    }
}

fn find_duplicate(
    entry: &ProducerEntry,
    facts: &BatchFacts,
    committed_offset: i64,
) -> Option<Verdict> {
    if facts.producer_epoch != entry.epoch() {
        return None;
    }
    let original = entry.find_batch(facts.base_sequence, facts.last_sequence()?)?;
    Some(Verdict::Duplicate {
        base_offset: original.base_offset(),
        last_offset: original.last_offset,
        timestamp: original.timestamp,
        committed: original.last_offset < committed_offset,
    })
}
