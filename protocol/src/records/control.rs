//! Control records: what brokers write for clients and brokers, not for applications.
//!
//! | | fields |
//! | --- | --- |
//! | key | version `i16` (0), type `i16` |
//! | value of abort and commit | version `i16` (0), coordinator epoch `i32` |
//!
//! Must always hold: an unknown type is no error; whoever reads skips it.
//!
//! Source: KIP-98, "Control messages".

use super::{BatchBuilder, CheckedBatch, Codec, ProducerState, Record};

/// What a control record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlType {
    /// The transaction of the batch's producer was aborted.
    Abort,
    /// The transaction of the batch's producer was committed.
    Commit,
    /// Anything else: the reference's metadata log uses 2 and more.
    Other(i16),
}

impl ControlType {
    const fn number(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::Other(number) => number,
        }
    }
}

/// A record of a control batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlRecord {
    /// What it says.
    pub kind: ControlType,
    /// The epoch of the transaction coordinator, for abort and commit.
    pub coordinator_epoch: Option<i32>,
}

impl ControlRecord {
    /// Reads a record of a control batch; `None` if its key is too short to be one.
    #[must_use]
    pub fn from_record(record: &Record<'_>) -> Option<Self> {
        let key = record.key?;
        let number = i16::from_be_bytes(*key.get(2..)?.first_chunk()?);
        let kind = match number {
            0 => ControlType::Abort,
            1 => ControlType::Commit,
            other => ControlType::Other(other),
        };
        let epoch = || Some(i32::from_be_bytes(*record.value?.get(2..)?.first_chunk()?));
        let coordinator_epoch = match kind {
            ControlType::Abort | ControlType::Commit => epoch(),
            ControlType::Other(_) => None,
        };
        Some(Self { kind, coordinator_epoch })
    }
}

/// The batch that ends a transaction on a partition: one control record, one offset.
///
/// - `producer`: its sequence is not used.
/// - `timestamp`: milliseconds.
///
/// # Panics
/// If the producer's id or epoch is negative: nobody has a transaction without them.
#[must_use]
pub fn end_transaction_batch(
    producer: ProducerState,
    committed: bool,
    coordinator_epoch: i32,
    timestamp: i64,
) -> CheckedBatch {
    let kind = if committed { ControlType::Commit } else { ControlType::Abort };
    let producer = ProducerState { base_sequence: -1, transactional: true, ..producer };
    let mut builder = BatchBuilder::new(Codec::None).producer(producer).control();
    let mut key = [0; 4];
    key[2..].copy_from_slice(&kind.number().to_be_bytes());
    let mut value = [0; 6];
    value[2..].copy_from_slice(&coordinator_epoch.to_be_bytes());
    let batch = builder
        .append(timestamp, Some(&key), Some(&value), &[])
        .and_then(|()| builder.build())
        .and_then(CheckedBatch::check);
    batch.expect("a record of ten bytes, and a producer")
}
