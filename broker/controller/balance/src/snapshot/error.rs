//! What can't be in a snapshot.

use alloc::string::String;
use core::fmt;

use super::{AMOUNT_MAX, BROKERS_MAX, PARTITIONS_MAX, REPLICAS_MAX, TOTAL_MAX, WEIGHT_MAX};
use crate::resource::Resource;

/// Why there can be no such snapshot: whoever made it has to put it right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotError {
    /// More than [`BROKERS_MAX`].
    TooManyBrokers,
    /// More than [`PARTITIONS_MAX`].
    TooManyPartitions,
    /// A broker's id below 0.
    NegativeBroker(i32),
    /// A broker named twice.
    BrokerTwice(i32),
    /// A broker's weight of 0 or more than [`WEIGHT_MAX`].
    Weight(i32, u32),
    /// A broker's capacity of 0, of more than [`AMOUNT_MAX`], or of what has none.
    Capacity(i32, Resource),
    /// A topic named twice.
    TopicTwice(String),
    /// A topic's place beyond the last.
    UnknownTopic(u32),
    /// A partition's number below 0.
    NegativePartition(i32),
    /// A topic's place and the number of a partition that is named twice.
    PartitionTwice(u32, i32),
    /// A partition's number and its replicas, none or more than [`REPLICAS_MAX`].
    ReplicaCount(i32, usize),
    /// A partition's number and the broker that it names and nobody knows.
    UnknownBroker(i32, i32),
    /// A partition's number and the broker that has two of its replicas.
    ReplicaTwice(i32, i32),
    /// A partition's number and the leader that has no replica.
    LeaderElsewhere(i32, i32),
    /// A partition's number and its leader, though nobody can lead it.
    LedByNobody(i32, i32),
    /// A partition's number and what its replicas take too much of.
    TooMuch(i32, Resource),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyBrokers => write!(f, "more than {BROKERS_MAX} brokers"),
            Self::TooManyPartitions => write!(f, "more than {PARTITIONS_MAX} partitions"),
            Self::NegativeBroker(id) => write!(f, "broker {id}: ids are 0 or more"),
            Self::BrokerTwice(id) => write!(f, "broker {id} is named twice"),
            Self::Weight(id, weight) => {
                write!(f, "broker {id}: weight {weight} is not between 1 and {WEIGHT_MAX}")
            }
            Self::Capacity(id, resource) => {
                write!(f, "broker {id}: its {resource} are not between 1 and {AMOUNT_MAX}")
            }
            Self::TopicTwice(name) => write!(f, "topic {name} is named twice"),
            Self::UnknownTopic(place) => write!(f, "there is no topic at place {place}"),
            Self::NegativePartition(index) => write!(f, "partition {index}: numbers are 0 or more"),
            Self::PartitionTwice(topic, index) => {
                write!(f, "partition {index} of the topic at place {topic} is named twice")
            }
            Self::ReplicaCount(index, count) => {
                write!(
                    f,
                    "partition {index}: {count} replicas are not between 1 and {REPLICAS_MAX}"
                )
            }
            Self::UnknownBroker(index, id) => {
                write!(f, "partition {index}: there is no broker {id}")
            }
            Self::ReplicaTwice(index, id) => {
                write!(f, "partition {index}: two replicas on broker {id}")
            }
            Self::LeaderElsewhere(index, id) => {
                write!(f, "partition {index}: its leader {id} has no replica")
            }
            Self::LedByNobody(index, id) => {
                write!(f, "partition {index}: it has a leader, {id}, and has none")
            }
            Self::TooMuch(index, resource) => write!(
                f,
                "partition {index}: its {resource} are more than {AMOUNT_MAX}, or all together \
                 more than {TOTAL_MAX}"
            ),
        }
    }
}

impl core::error::Error for SnapshotError {}
