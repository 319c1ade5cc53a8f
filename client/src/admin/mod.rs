//! What an operator asks of a cluster: topics, records' ends, configurations, log directories.
//!
//! Each call is one request to the broker that can answer it, repeated until the call's deadline
//! while the answer is a retriable error. After a lost answer a repetition of what was done already
//! says "exists already" or "there is none".

mod broker_state;
mod cluster;
mod configs;
mod log_dirs;
mod offsets;
mod partitions;
mod quorum;
mod reassignments;
mod records;
mod topics;
mod voters;

pub use broker_state::{BrokerState, Damage, LogDirState};
pub use cluster::ClusterDescription;
pub use configs::{ConfigChange, ConfigEntry, ConfigOperation, ConfigResource, ConfigSource};
pub use log_dirs::{LogDir, LogDirReplica};
pub use offsets::{FoundOffset, IsolationLevel, OffsetSpec};
pub use partitions::{PartitionCursor, PartitionPage};
pub use quorum::{QuorumDescription, QuorumReplica};
pub use reassignments::{Reassignment, WishedReplicas};
pub use topics::{CreatedTopic, NewTopic};

use crate::{BrokerAddress, ClientError};

/// The one result of an answer about one thing.
pub(crate) fn only<T>(
    address: &BrokerAddress,
    results: Vec<T>,
    what: impl FnOnce() -> String,
) -> Result<T, ClientError> {
    let lacks = || ClientError::Unanswered { address: address.clone(), what: what() };
    results.into_iter().next().ok_or_else(lacks)
}

/// As Kafka's `timeout_ms`.
pub(crate) fn millis(timeout: std::time::Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}
