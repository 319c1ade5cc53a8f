//! Where records lie: partitions, offsets, and what is written down beside a committed one.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::ConsumerError;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    #[must_use]
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// What a group commits for a partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OffsetAndMetadata {
    /// The next record to read.
    pub offset: i64,
    /// The leader epoch of the last record that was read, where it is known (KIP-320).
    pub leader_epoch: Option<i32>,
    /// Whatever the application wants to find beside it.
    pub metadata: String,
}

impl From<i64> for OffsetAndMetadata {
    /// An offset without anything beside it.
    fn from(offset: i64) -> Self {
        Self { offset, ..Self::default() }
    }
}

/// A record that was found by its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetAndTimestamp {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, milliseconds since 1970, where brokers tell it.
    pub timestamp: Option<i64>,
    /// Its leader epoch, where brokers tell it (KIP-320).
    pub leader_epoch: Option<i32>,
}

/// From where a partition is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// What the group has committed, or, where that is nothing or there is no group, where
    /// `auto.offset.reset` says.
    Committed,
    /// The first record that is kept.
    Earliest,
    /// What is written from now on.
    Latest,
    /// This offset, inclusive.
    Offset(i64),
    /// The first record whose timestamp is at least this, milliseconds since 1970; where there is
    /// none, what is written from now on.
    Timestamp(i64),
}

impl Start {
    /// - `call`: who is told.
    ///
    /// # Errors
    /// It is an offset that there can't be.
    pub(crate) fn check(self, call: &str) -> Result<(), ConsumerError> {
        match self {
            Self::Offset(offset) => check_offset(offset, call),
            _ => Ok(()),
        }
    }

    /// The first record that is not older than so long.
    #[must_use]
    pub fn ago(age: Duration) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = now.saturating_sub(age).as_millis();
        Self::Timestamp(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

/// - `call`: who is told.
///
/// # Errors
/// There can't be such an offset.
pub(crate) fn check_offset(offset: i64, call: &str) -> Result<(), ConsumerError> {
    let rule =
        || ConsumerError::config(call, format!("offsets begin with 0, and {offset} is none"));
    if offset < 0 { Err(rule()) } else { Ok(()) }
}

/// A partition of which nothing can be read for now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Stuck {
    /// Which one.
    pub partition: TopicPartition,
    /// For how long, since the first attempt failed.
    pub lasting: Duration,
    /// Why the last attempt failed.
    pub error: ConsumerError,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_written_as_kafka_writes_them() {
        assert_eq!(TopicPartition::new("t", 3).to_string(), "t-3");
    }

    #[test]
    fn an_age_beyond_1970_is_1970() {
        assert_eq!(Start::ago(Duration::MAX), Start::Timestamp(0));
        assert!(matches!(Start::ago(Duration::from_secs(1)), Start::Timestamp(at) if at > 0));
    }
}
