//! What can go wrong, in kinds that the application treats differently.
//!
//! Must always hold: an error names the thing and the reason, and says by
//! [`ConsumerError::remedy`] what to do. It can be cloned, because what ends a consumer is told
//! again at each call.

use std::fmt;
use std::time::Duration;

use logboom_client::{ClientError, PropertyError, Remedy};
use logboom_protocol::ErrorCode;
use logboom_protocol::records::BatchError;

use crate::TopicPartition;

/// Why a consumer can't do what it was asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConsumerError {
    /// A broker refuses, or can't be reached.
    Client(ClientError),
    /// A setting that can't be read.
    Property(PropertyError),
    /// Settings that don't fit together, or a call that doesn't fit to them.
    Config {
        /// The setting or the call.
        what: String,
        /// What it has to be.
        rule: String,
    },
    /// Nothing is committed for a partition, and `auto.offset.reset` is `none`.
    NoOffset {
        /// The partition.
        partition: TopicPartition,
    },
    /// A partition doesn't have, or not any more, the record that is next, and
    /// `auto.offset.reset` is `none`. So it is where its topic was deleted and made anew, which has
    /// another record there, if any. This is told every `retry.backoff.max.ms` until it is sought.
    OutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// What was to be read.
        offset: i64,
    },
    /// Records that were read have been lost by the cluster, and `auto.offset.reset` is `none`
    /// (KIP-320).
    Truncated {
        /// The partition.
        partition: TopicPartition,
        /// Up to where it was read, exclusive.
        offset: i64,
        /// From where on its records are others; `None` where no leader knows.
        diverging: Option<i64>,
    },
    /// Records that can't be read. Behind them the partition goes on: where a call for records has
    /// told this, [`seek`] to `next`. Where that isn't known, seek to the offset behind `offset`;
    /// while that is in the same batch, the next call tells this anew, of an offset further on.
    ///
    /// As an item of [`RecordBatch::records`] it needs no seek: what comes behind it is lent next.
    ///
    /// [`seek`]: crate::ConsumerControl::seek
    /// [`RecordBatch::records`]: crate::RecordBatch::records
    Damaged {
        /// The partition.
        partition: TopicPartition,
        /// The record that was next.
        offset: i64,
        /// Behind the batch that can't be read, and behind `offset`; `None` where its checksum is
        /// wrong, or wasn't looked at (`check.crcs`), because then its header may be, too.
        next: Option<i64>,
        /// What is wrong.
        error: BatchError,
    },
    /// Nobody has asked for records for so long (`max.poll.interval.ms`) that the consumer has left
    /// its group. It joins again now; what it had may have been read by others.
    PollInterval {
        /// The limit.
        limit: Duration,
    },
    /// The consumer doesn't read that partition.
    NotAssigned {
        /// The partition.
        partition: TopicPartition,
    },
    /// There is no `group.id`, without which nothing is committed.
    NoGroup,
    /// One of the consumer's own tasks has ended by a fault of ours, or with its runtime. Another
    /// consumer goes on where this one has committed.
    Broken {
        /// What the task did.
        task: &'static str,
    },
    /// The consumer is closed.
    Closed,
}

impl ConsumerError {
    /// What to do about it.
    ///
    /// `Retry`: call again, the consumer goes on by itself. `FixCall`: the application or its
    /// settings ask for what is not there or not allowed. `GiveUp`: neither helps.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Client(error) if self.is_rebalancing() || error.is_lost_membership() => {
                match error.code() {
                    // Somebody else has our name.
                    Some(ErrorCode::FENCED_INSTANCE_ID) => Remedy::GiveUp,
                    _ => Remedy::Retry,
                }
            }
            Self::Client(error) => error.remedy(),
            Self::PollInterval { .. } => Remedy::Retry,
            Self::Property(_)
            | Self::Config { .. }
            | Self::NoOffset { .. }
            | Self::OutOfRange { .. }
            | Self::Truncated { .. }
            | Self::Damaged { .. }
            | Self::NotAssigned { .. }
            | Self::NoGroup => Remedy::FixCall,
            Self::Broken { .. } | Self::Closed => Remedy::GiveUp,
        }
    }

    /// Whether a commit has come while the group shares anew: it may succeed behind the next call
    /// for records.
    #[must_use]
    pub fn is_rebalancing(&self) -> bool {
        let Self::Client(error) = self else { return false };
        error.code() == Some(ErrorCode::REBALANCE_IN_PROGRESS)
    }

    pub(crate) fn config(what: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::Config { what: what.into(), rule: rule.into() }
    }
}

impl From<ClientError> for ConsumerError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<PropertyError> for ConsumerError {
    fn from(error: PropertyError) -> Self {
        Self::Property(error)
    }
}

impl fmt::Display for ConsumerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Property(error) => error.fmt(f),
            Self::Config { what, rule } => write!(f, "{what}: {rule}"),
            Self::NoOffset { partition } => {
                write!(f, "partition {partition}: nothing is committed, and auto.offset.reset=none")
            }
            Self::OutOfRange { partition, offset } => write!(
                f,
                "partition {partition}: it has no offset {offset}, and auto.offset.reset=none"
            ),
            Self::Truncated { partition, offset, diverging } => {
                write!(f, "partition {partition}: it was read up to offset {offset}, but ")?;
                match diverging {
                    Some(diverging) => write!(f, "from offset {diverging} on it has other records"),
                    None => f.write_str("no leader knows what was read"),
                }
            }
            Self::Damaged { partition, offset, error, .. } => {
                write!(f, "partition {partition}: at offset {offset}: {error}")
            }
            Self::PollInterval { limit } => write!(
                f,
                "nobody has asked for records for {} ms (max.poll.interval.ms), so the consumer \
                 has left its group",
                limit.as_millis()
            ),
            Self::NotAssigned { partition } => {
                write!(f, "partition {partition}: the consumer doesn't read it")
            }
            Self::NoGroup => f.write_str("nothing is committed without a group.id"),
            Self::Broken { task } => {
                write!(f, "the consumer has ended by a fault of its own, {task}; make another one")
            }
            Self::Closed => f.write_str("the consumer is closed"),
        }
    }
}

impl std::error::Error for ConsumerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Client(error) => error.source(),
            Self::Property(error) => Some(error),
            Self::Damaged { error, .. } => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: ErrorCode) -> ConsumerError {
        ClientError::Refused { what: "group g".to_owned(), code, message: None }.into()
    }

    #[test]
    fn an_error_says_what_to_do() {
        let late = |code| {
            let last = ClientError::Refused { what: "group g".to_owned(), code, message: None };
            let (doing, limit) = ("join".to_owned(), Duration::from_secs(60));
            ConsumerError::from(ClientError::Deadline { doing, limit, last: Box::new(last) })
        };
        for (error, remedy) in [
            (late(ErrorCode::COORDINATOR_NOT_AVAILABLE), Remedy::Retry),
            (late(ErrorCode::INVALID_CONFIG), Remedy::FixCall),
            (refused(ErrorCode::REBALANCE_IN_PROGRESS), Remedy::Retry),
            (refused(ErrorCode::UNKNOWN_MEMBER_ID), Remedy::Retry),
            (refused(ErrorCode::FENCED_INSTANCE_ID), Remedy::GiveUp),
            (refused(ErrorCode::GROUP_AUTHORIZATION_FAILED), Remedy::FixCall),
            (ConsumerError::PollInterval { limit: Duration::ZERO }, Remedy::Retry),
            (ConsumerError::NoGroup, Remedy::FixCall),
            (ConsumerError::Closed, Remedy::GiveUp),
        ] {
            assert_eq!(error.remedy(), remedy, "{error}");
        }
    }
}
