//! Why a partition is not moved.

use core::fmt;

use logboom_protocol::{CompactString, ErrorCode};

use crate::topics::AssignmentError;

/// What is wrong with the move of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReassignmentError {
    /// There is no topic of that name.
    UnknownTopic(CompactString),
    /// The topic has no such partition.
    UnknownPartition(CompactString, i32),
    /// A move is taken back where none is under way.
    NoneInProgress,
    /// The replicas that were given don't fit.
    Assignment(AssignmentError),
    /// More or fewer replicas, where the request says that their number stays.
    ReplicationFactor {
        /// Replicas that are wished for now.
        from: usize,
        /// Replicas that were given.
        to: usize,
    },
}

impl ReassignmentError {
    /// The protocol's code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownTopic(_) | Self::UnknownPartition(..) => {
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            }
            Self::NoneInProgress => ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
            Self::Assignment(_) => ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            Self::ReplicationFactor { .. } => ErrorCode::INVALID_REPLICATION_FACTOR,
        }
    }
}

/// As the reference says it.
impl fmt::Display for ReassignmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTopic(topic) => write!(f, "Unable to find a topic named {topic}."),
            Self::UnknownPartition(topic, index) => {
                write!(f, "Unable to find partition {topic}:{index}.")
            }
            Self::NoneInProgress => f.write_str("No partition reassignment is in progress."),
            Self::Assignment(error) => error.fmt(f),
            Self::ReplicationFactor { from, to } => {
                write!(f, "The replication factor is changed from {from} to {to}")
            }
        }
    }
}

impl core::error::Error for ReassignmentError {}

impl From<AssignmentError> for ReassignmentError {
    fn from(error: AssignmentError) -> Self {
        Self::Assignment(error)
    }
}
