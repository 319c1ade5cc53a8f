//! Where our errors become the protocol's.

use logboom_protocol::ErrorCode;
use logboom_storage::StorageError;

use crate::partition::{AppendError, Partition};

/// The code for what the storage says to a writer.
pub(super) fn storage_code(error: &StorageError) -> ErrorCode {
    match error {
        StorageError::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
        StorageError::Corrupt(_) => ErrorCode::CORRUPT_MESSAGE,
        StorageError::Deleted { .. } => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        _ => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}

/// The code for what the storage says to a reader; damage is told to the operator.
pub(super) fn read_code(partition: &Partition, error: &StorageError) -> ErrorCode {
    if !matches!(error, StorageError::OutOfRange { .. } | StorageError::Deleted { .. }) {
        let (topic, number) = (&partition.topic, partition.key.partition);
        tracing::error!(%topic, partition = number, %error, "read");
    }
    match storage_code(error) {
        // Another replica has it, and leads in a moment or is asked for it. A corrupt message ends
        // a Java consumer.
        ErrorCode::CORRUPT_MESSAGE if partition.is_shared() => ErrorCode::KAFKA_STORAGE_ERROR,
        code => code,
    }
}

/// The code for a batch that wasn't appended.
pub(super) fn append_code(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Producer(error) => error.error_code(),
        AppendError::Storage(error) => storage_code(error),
        AppendError::FlushFailed => ErrorCode::KAFKA_STORAGE_ERROR,
        AppendError::Gone | AppendError::NotLeader => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        AppendError::NotEnoughReplicas => ErrorCode::NOT_ENOUGH_REPLICAS,
        AppendError::NotEnoughReplicasAfterAppend => ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    }
}
