//! Why a record wasn't sent.

use std::fmt;
use std::time::Duration;

use logboom_client::{ClientError, PropertyError, Remedy};
use logboom_protocol::ErrorCode;
use logboom_protocol::records::BatchError;

/// Why a record wasn't sent, or may not have been.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ProduceError {
    /// What the cluster says, or why it can't be asked.
    Cluster(ClientError),
    /// It is larger than a request may be (`max.request.size`).
    TooLarge {
        /// Bytes that it may take.
        bytes: usize,
        /// The most that it may take.
        limit: usize,
    },
    /// It can't be a record of a batch.
    Record(BatchError),
    /// It wasn't appended because another record was refused that it travelled with. It may be sent
    /// again.
    OtherRefused {
        /// The topic and the partition that it was for, as "partition t-0".
        what: String,
    },
    /// There was no room for it (`buffer.memory`) within `max.block.ms`.
    NoRoom {
        /// How long it waited: what was left when there was nothing else to wait for.
        after: Duration,
    },
    /// It wasn't acknowledged within `delivery.timeout.ms`.
    Late {
        /// The topic and the partition that it was for, as "partition t-0".
        what: String,
        /// The limit.
        after: Duration,
        /// Whether it may have been appended all the same: it was sent, and no answer came.
        may_be_appended: bool,
        /// What went wrong last.
        last: Option<Box<ClientError>>,
    },
    /// It was sent, its answer was lost, and now the broker doesn't know any more whether it has
    /// it: it has been started anew, for example.
    Forgotten {
        /// The topic and the partition that it was for, as "partition t-0".
        what: String,
        /// What the broker says.
        last: Box<ClientError>,
    },
    /// The producer has ended before it was acknowledged: it was closed, or its runtime is gone.
    /// What was under way may have been appended.
    Closed,
    /// The producer has ended by a fault of its own. What was under way may have been appended.
    Broken,
}

impl ProduceError {
    /// What to do about it. Before a record is sent again see [`Self::may_be_appended`].
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Cluster(error) => error.remedy(),
            Self::TooLarge { .. } | Self::Record(_) => Remedy::FixCall,
            Self::OtherRefused { .. }
            | Self::NoRoom { .. }
            | Self::Late { .. }
            | Self::Forgotten { .. } => Remedy::Retry,
            Self::Closed | Self::Broken => Remedy::GiveUp,
        }
    }

    /// Whether the record may be in the log all the same, as far as the last answer tells, so that
    /// who sends it again may double it, also with idempotence: it is another record then. A batch
    /// whose first attempt wasn't answered, and whose second was refused for good, may be there.
    #[must_use]
    pub fn may_be_appended(&self) -> bool {
        match self {
            Self::Cluster(error) => leaves_open(error),
            Self::Late { may_be_appended, .. } => *may_be_appended,
            Self::Forgotten { .. } | Self::Closed | Self::Broken => true,
            Self::TooLarge { .. }
            | Self::Record(_)
            | Self::OtherRefused { .. }
            | Self::NoRoom { .. } => false,
        }
    }

    /// The broker's error code, if that is why.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Cluster(error) => error.code(),
            Self::Late { last, .. } => last.as_ref().and_then(|error| error.code()),
            Self::Forgotten { last, .. } => last.code(),
            _ => None,
        }
    }
}

/// Whether a batch may be in the log all the same that was answered so.
pub(crate) fn leaves_open(error: &ClientError) -> bool {
    match error {
        ClientError::Connection { .. } | ClientError::Unanswered { .. } => true,
        // A broker that doesn't know what has happened doesn't say that nothing has.
        ClientError::Refused { code, .. } | ClientError::RefusedRecords { code, .. } => {
            code.is_retriable() || *code == ErrorCode::UNKNOWN_SERVER_ERROR || code.name().is_none()
        }
        // It is told before anything is sent.
        _ => false,
    }
}

impl fmt::Display for ProduceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(error) => write!(f, "{error}"),
            Self::TooLarge { bytes, limit } => {
                write!(
                    f,
                    "a record of {bytes} bytes; max.request.size and buffer.memory allow {limit}"
                )
            }
            Self::Record(error) => write!(f, "{error}"),
            Self::OtherRefused { what } => {
                write!(f, "{what}: not appended because another record of its batch was refused")
            }
            Self::NoRoom { after } => {
                write!(f, "buffer.memory was full for {} ms (max.block.ms)", after.as_millis())
            }
            Self::Late { what, after, may_be_appended, last } => {
                write!(f, "{what}: not acknowledged within {} ms", after.as_millis())?;
                if *may_be_appended {
                    f.write_str(", but perhaps appended")?;
                }
                last.as_ref().map_or(Ok(()), |last| write!(f, "; {last}"))
            }
            Self::Forgotten { what, last } => {
                write!(f, "{what}: perhaps appended, the broker doesn't know any more; {last}")
            }
            Self::Closed => f.write_str("the producer was closed"),
            Self::Broken => f.write_str("the producer has ended by a fault of its own"),
        }
    }
}

impl std::error::Error for ProduceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Cluster(error) => Some(error),
            Self::Record(error) => Some(error),
            Self::Late { last, .. } => last.as_deref().map(|last| last as _),
            Self::Forgotten { last, .. } => Some(&**last),
            _ => None,
        }
    }
}

impl From<ClientError> for ProduceError {
    fn from(error: ClientError) -> Self {
        Self::Cluster(error)
    }
}

/// Why a producer can't be made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum BuildError {
    /// A setting has a value that is none.
    Property(PropertyError),
    /// Settings that don't go together, or one that is missing.
    Settings(String),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Property(error) => write!(f, "{error}"),
            Self::Settings(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Property(error) => Some(error),
            Self::Settings(_) => None,
        }
    }
}

impl From<PropertyError> for BuildError {
    fn from(error: PropertyError) -> Self {
        Self::Property(error)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_error_leads_to_what_it_comes_from() {
        let code = ErrorCode::REQUEST_TIMED_OUT;
        let refused = || ClientError::Refused { what: "t".to_owned(), code, message: None };
        let late = ProduceError::Late {
            what: "partition t-0".to_owned(),
            after: Duration::ZERO,
            may_be_appended: false,
            last: Some(Box::new(ClientError::Deadline {
                doing: "ask".to_owned(),
                limit: Duration::ZERO,
                last: Box::new(refused()),
            })),
        };
        let last = late.source().and_then(std::error::Error::source).unwrap();
        assert_eq!(last.to_string(), refused().to_string());
        assert!(last.source().is_none());
        assert!(ProduceError::from(refused()).source().unwrap().is::<ClientError>());
        assert!(ProduceError::Closed.source().is_none());
    }

    #[test]
    fn what_a_broker_doesn_t_rule_out_may_be_appended() {
        let may_be = |error: ClientError| ProduceError::from(error).may_be_appended();
        let refused = |code| ClientError::Refused { what: "t".to_owned(), code, message: None };
        assert!(may_be(refused(ErrorCode::REQUEST_TIMED_OUT)));
        assert!(may_be(refused(ErrorCode::UNKNOWN_SERVER_ERROR)));
        assert!(!may_be(refused(ErrorCode::INVALID_RECORD)));
        assert!(!may_be(ClientError::UnknownBroker { broker_id: 0 }), "nobody was sent anything");
    }
}
