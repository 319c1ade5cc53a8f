//! Which partition.

use core::fmt;

use crate::Uuid;

/// Names a group: a partition of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// The topic; a topic created again under its name has another id.
    pub topic_id: Uuid,
    /// The partition's number, from 0.
    pub partition: i32,
}

impl GroupKey {
    /// Stands for the data directory itself where a record of its state store is about no group.
    pub const DIRECTORY: Self = Self { topic_id: Uuid::ZERO, partition: -1 };
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic_id, self.partition)
    }
}
