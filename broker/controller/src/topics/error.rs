//! Why a topic is not created, changed or deleted.

use core::fmt;

use logboom_protocol::{CompactString, ErrorCode};

use crate::configs::ConfigChangeError;

use super::name::NameError;

/// What is wrong with one topic of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum TopicError {
    /// The topic is in the request more than once.
    Duplicate,
    /// The name is not allowed.
    Name(NameError),
    /// Another topic has the name but for `.` and `_`.
    Collides {
        /// The other topic.
        other: CompactString,
    },
    /// There is a topic of that name.
    Exists,
    /// There is none of that name.
    UnknownName,
    /// There is none of that id.
    UnknownId,
    /// Name and id are given, or neither.
    NameOrId,
    /// Replicas are given one by one, and in number as well.
    AssignmentAndCount,
    /// A number of partitions that is neither positive nor −1.
    PartitionCount(i32),
    /// Not more partitions than there are.
    NotMore {
        /// Partitions that there are.
        partitions: usize,
        /// Partitions that there should be.
        wanted: i32,
    },
    /// Something is found by the number of its partitions.
    CountInUse,
    /// A number of replicas that is neither positive nor −1.
    ReplicationFactor(i64),
    /// Fewer brokers than replicas.
    TooFewBrokers {
        /// Replicas of a partition.
        replicas: usize,
        /// Brokers that there are.
        brokers: usize,
    },
    /// No broker is in contact.
    NobodyInContact {
        /// Replicas of a partition.
        replicas: usize,
    },
    /// Fewer brokers in contact than are a majority of the replicas.
    TooFewInContact {
        /// Replicas of a partition.
        replicas: usize,
        /// Brokers that are in contact.
        in_contact: usize,
    },
    /// Brokers have no capacity for it.
    NoRoom(CompactString),
    /// The replicas that were given don't fit.
    Assignment(AssignmentError),
    /// A configuration of the new topic.
    Config(ConfigChangeError),
    /// More new partitions in one request than it may have.
    TooManyPartitions {
        /// The most.
        limit: usize,
    },
    /// `delete.topic.enable` is off.
    DeletionDisabled {
        /// Whether the request's version has an error code for that.
        has_code: bool,
    },
}

/// What is wrong with replicas that were given one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssignmentError {
    /// A partition twice.
    Duplicate(i32),
    /// Partitions that are not 0, 1, 2 and so on.
    Gap(i32),
    /// A partition without replicas.
    Empty,
    /// A broker that isn't registered.
    UnknownBroker(i32),
    /// A broker twice for one partition.
    BrokerTwice(i32),
    /// A new partition, none of whose brokers is in contact.
    AllFenced(i32),
    /// More or fewer replicas than the partitions before.
    Length {
        /// Replicas of the partitions before.
        expected: usize,
        /// Replicas of this one.
        found: usize,
    },
    /// More or fewer assignments than new partitions.
    Count {
        /// New partitions.
        expected: usize,
        /// Assignments.
        found: usize,
    },
}

impl TopicError {
    /// The protocol's code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Duplicate
            | Self::NameOrId
            | Self::AssignmentAndCount
            | Self::Name(NameError::Reserved)
            | Self::DeletionDisabled { has_code: false } => ErrorCode::INVALID_REQUEST,
            Self::Name(_) | Self::Collides { .. } => ErrorCode::INVALID_TOPIC_EXCEPTION,
            Self::Exists => ErrorCode::TOPIC_ALREADY_EXISTS,
            Self::UnknownName => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Self::UnknownId => ErrorCode::UNKNOWN_TOPIC_ID,
            Self::PartitionCount(_) | Self::NotMore { .. } | Self::CountInUse => {
                ErrorCode::INVALID_PARTITIONS
            }
            Self::ReplicationFactor(_)
            | Self::TooFewBrokers { .. }
            | Self::NobodyInContact { .. }
            | Self::TooFewInContact { .. } => ErrorCode::INVALID_REPLICATION_FACTOR,
            Self::Assignment(_) => ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            Self::Config(error) => error.code(),
            Self::TooManyPartitions { .. } | Self::NoRoom(_) => ErrorCode::POLICY_VIOLATION,
            Self::DeletionDisabled { has_code: true } => ErrorCode::TOPIC_DELETION_DISABLED,
        }
    }
}

impl From<AssignmentError> for TopicError {
    fn from(error: AssignmentError) -> Self {
        Self::Assignment(error)
    }
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate => f.write_str("the topic is in the request more than once"),
            Self::Name(error) => error.fmt(f),
            Self::Collides { other } => {
                write!(f, "topic {other} has the same name but for '.' and '_'")
            }
            Self::Exists => f.write_str("the topic exists already"),
            Self::UnknownName => f.write_str("no topic has that name"),
            Self::UnknownId => f.write_str("no topic has that id"),
            Self::NameOrId => f.write_str("give either a name or an id"),
            Self::AssignmentAndCount => f.write_str(
                "with replica assignments, partitions and replication factor must be -1",
            ),
            Self::PartitionCount(count) => {
                write!(f, "{count} partitions; a positive number, or -1 for the default")
            }
            Self::NotMore { partitions, wanted } => {
                write!(f, "the topic has {partitions} partitions, {wanted} are not more")
            }
            Self::CountInUse => f.write_str(
                "groups are found by the number of its partitions, and would be lost with \
                 another; offsets.topic.num.partitions counts when the topic is made",
            ),
            Self::ReplicationFactor(factor) => {
                write!(f, "replication factor {factor}; a positive number, or -1 for the default")
            }
            // These two as the reference says it, which scripts look for.
            Self::TooFewBrokers { replicas, brokers } => write!(
                f,
                "Unable to replicate the partition {replicas} time(s): The target replication \
                 factor of {replicas} cannot be reached because only {brokers} broker(s) are \
                 registered."
            ),
            Self::NobodyInContact { replicas } => write!(
                f,
                "Unable to replicate the partition {replicas} time(s): All brokers are currently \
                 fenced."
            ),
            Self::TooFewInContact { replicas, in_contact } => write!(
                f,
                "Unable to replicate the partition {replicas} time(s): only {in_contact} \
                 broker(s) are in contact, which is no majority, so that nobody would lead"
            ),
            Self::Assignment(error) => error.fmt(f),
            Self::Config(error) => error.fmt(f),
            Self::NoRoom(why) => f.write_str(why),
            Self::TooManyPartitions { limit } => {
                write!(f, "more than {limit} new partitions in one request")
            }
            Self::DeletionDisabled { .. } => f.write_str("delete.topic.enable is false"),
        }
    }
}

/// As the reference says it.
impl fmt::Display for AssignmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(index) => {
                write!(f, "Found multiple manual partition assignments for partition {index}")
            }
            Self::Gap(_) => {
                f.write_str("partitions should be a consecutive 0-based integer sequence")
            }
            Self::Empty => {
                f.write_str("The manual partition assignment includes an empty replica list.")
            }
            Self::UnknownBroker(id) => write!(
                f,
                "The manual partition assignment includes broker {id}, but no such broker is \
                 registered."
            ),
            Self::BrokerTwice(id) => write!(
                f,
                "The manual partition assignment includes the broker {id} more than once."
            ),
            Self::AllFenced(index) => write!(
                f,
                "All brokers specified in the manual partition assignment for partition {index} \
                 are fenced or in controlled shutdown."
            ),
            Self::Length { expected, found } => write!(
                f,
                "The manual partition assignment includes a partition with {found} replica(s), \
                 but this is not consistent with previous partitions, which have {expected} \
                 replica(s)."
            ),
            Self::Count { expected, found } => write!(
                f,
                "Attempted to add {expected} additional partition(s), but only {found} \
                 assignment(s) were specified."
            ),
        }
    }
}

impl core::error::Error for TopicError {}
