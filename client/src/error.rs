//! What can go wrong, in kinds that the caller treats differently.
//!
//! Must always hold: an error names the thing and the reason, and can be cloned, because all
//! requests of a connection that closes get the same one.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use logboom_protocol::records::BatchError;
use logboom_protocol::{ApiKey, DecodeError, EncodeError, ErrorCode, VersionRange};

use crate::BrokerAddress;

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same call may succeed later, perhaps with newer metadata.
    Retry,
    /// The call asks for what is not there or not allowed.
    FixCall,
    /// Nothing that the caller can change: the two sides don't understand each other.
    GiveUp,
}

/// Why a call failed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ClientError {
    /// There is no connection, or it ended before the answer. A request may have been carried out
    /// all the same.
    Connection {
        /// To where.
        address: BrokerAddress,
        /// Why.
        reason: Disconnect,
    },
    /// None of the known brokers can be reached.
    NoBroker {
        /// What happened at each of them.
        failures: Vec<(BrokerAddress, Disconnect)>,
    },
    /// No broker has answered yet.
    NoAnswer,
    /// The broker's answer is an error code.
    Refused {
        /// What was asked for, as "topic t" or "partition t-0".
        what: String,
        /// The code.
        code: ErrorCode,
        /// The broker's own words, if it has any.
        message: Option<String>,
    },
    /// The broker has appended nothing of a batch because of some of its records (KIP-467).
    RefusedRecords {
        /// What the batch was for, as "partition t-0".
        what: String,
        /// The code.
        code: ErrorCode,
        /// The broker's own words about the batch, if it has any.
        message: Option<String>,
        /// Those records, one at least. The others may be appended without them.
        records: Arc<[RefusedRecord]>,
    },
    /// No broker knows the topic.
    UnknownTopic {
        /// Its name.
        topic: String,
    },
    /// The topic has no such partition.
    UnknownPartition {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: i32,
        /// How many it has.
        partition_count: usize,
    },
    /// The partition has no leader at the moment.
    NoLeader {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// No broker has that number at the moment.
    UnknownBroker {
        /// The number.
        broker_id: i32,
    },
    /// There is no version of the API that both sides speak.
    UnsupportedVersion {
        /// The broker.
        address: BrokerAddress,
        /// The API.
        api: ApiKey,
        /// What we speak, or may use for this call.
        ours: VersionRange,
        /// What the broker speaks; `None` if it doesn't know the API.
        theirs: Option<VersionRange>,
    },
    /// A value that the request cannot carry.
    Encode(EncodeError),
    /// Records that cannot be a batch, or are none.
    Batch {
        /// Where they were to go, or came from.
        what: String,
        /// What is wrong with them.
        error: BatchError,
    },
    /// The answer doesn't contain what was asked for.
    Unanswered {
        /// The broker.
        address: BrokerAddress,
        /// What is missing.
        what: String,
    },
    /// The time for the call and all its repetitions is over.
    Deadline {
        /// What was to be done.
        doing: String,
        /// How long it was tried.
        limit: Duration,
        /// What happened the last time.
        last: Box<Self>,
    },
}

/// A record that is no good, and what the broker says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRecord {
    /// Its place in the batch, from 0.
    pub index: i32,
    /// The broker's own words, if it has any.
    pub message: Option<String>,
}

/// Why a connection doesn't stand, or stands no longer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Disconnect {
    /// The system refused or lost it.
    Io {
        /// What was done: "connect", "read", "write".
        doing: &'static str,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// It took too long to stand.
    ConnectTimeout {
        /// The limit.
        after: Duration,
    },
    /// The broker closed it.
    ByPeer,
    /// A request was not answered in time. Answers come in order, so nothing behind it is answered
    /// either.
    RequestTimeout {
        /// Whose answer is missing.
        api: ApiKey,
        /// The limit.
        after: Duration,
    },
    /// The length of a response is out of range.
    ResponseBytes {
        /// As sent.
        length: i32,
        /// The limit.
        limit: usize,
    },
    /// An answer to another request than the oldest one.
    CorrelationId {
        /// The request that was to be answered.
        api: ApiKey,
        /// Its id.
        expected: i32,
        /// What the response says.
        found: i32,
    },
    /// An answer to nothing.
    Unsolicited,
    /// An answer that is not what the protocol says.
    Malformed(DecodeError),
    /// The broker doesn't say which versions it speaks.
    Negotiation(ErrorCode),
    /// The broker and the client don't believe each other, or don't protect what they say in the
    /// same way.
    Authentication {
        /// How one said who one is: a mechanism of SASL, or "TLS".
        mechanism: String,
        /// Why that isn't believed.
        reason: String,
        /// The broker's code, if it has looked at that.
        code: Option<ErrorCode>,
    },
    /// The last handle was dropped, or the runtime has ended that it was made on.
    Dropped,
}

impl ClientError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Connection { reason, .. } => reason.remedy(),
            // Whom one broker refuses the others will, too, and attempts may lock an account. Else
            // one of them may come back.
            Self::NoBroker { failures } => {
                let remedy = |wanted| failures.iter().any(|(_, why)| why.remedy() == wanted);
                match () {
                    () if failures.iter().any(|(_, why)| why.is_refusal()) => Remedy::FixCall,
                    () if remedy(Remedy::Retry) => Remedy::Retry,
                    () if remedy(Remedy::FixCall) => Remedy::FixCall,
                    () => Remedy::GiveUp,
                }
            }
            Self::Refused { code, .. } | Self::RefusedRecords { code, .. }
                if code.is_retriable() =>
            {
                Remedy::Retry
            }
            // A code that is newer than this crate is as good as none.
            Self::Refused { code, .. } | Self::RefusedRecords { code, .. }
                if *code == ErrorCode::UNKNOWN_SERVER_ERROR || code.name().is_none() =>
            {
                Remedy::GiveUp
            }
            Self::NoAnswer | Self::NoLeader { .. } | Self::UnknownBroker { .. } => Remedy::Retry,
            Self::Refused { .. }
            | Self::RefusedRecords { .. }
            | Self::UnknownTopic { .. }
            | Self::UnknownPartition { .. }
            | Self::Encode(_)
            | Self::Batch { .. } => Remedy::FixCall,
            Self::UnsupportedVersion { .. } | Self::Unanswered { .. } => Remedy::GiveUp,
            // What kept the call from being done may pass, however long it has lasted.
            Self::Deadline { last, .. } => last.remedy(),
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        self.remedy() == Remedy::Retry
    }

    /// Whether what we know of leaders and brokers may be out of date.
    #[must_use]
    pub fn is_stale_metadata(&self) -> bool {
        match self {
            Self::Connection { .. } | Self::NoLeader { .. } | Self::UnknownBroker { .. } => true,
            Self::Refused { code, .. } => matches!(
                *code,
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                    | ErrorCode::UNKNOWN_TOPIC_ID
                    | ErrorCode::INCONSISTENT_TOPIC_ID
                    | ErrorCode::NOT_LEADER_OR_FOLLOWER
                    | ErrorCode::LEADER_NOT_AVAILABLE
                    | ErrorCode::REPLICA_NOT_AVAILABLE
                    | ErrorCode::FENCED_LEADER_EPOCH
                    | ErrorCode::UNKNOWN_LEADER_EPOCH
                    | ErrorCode::NOT_CONTROLLER
                    | ErrorCode::LISTENER_NOT_FOUND
                    | ErrorCode::KAFKA_STORAGE_ERROR
            ),
            _ => false,
        }
    }

    /// Whether a broker knows no such topic or partition: it was deleted, or is new.
    #[must_use]
    pub fn is_unknown_topic(&self) -> bool {
        let unknown = [ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::UNKNOWN_TOPIC_ID];
        self.code().is_some_and(|code| unknown.contains(&code))
    }

    /// Whether a member of a group isn't one any more, or has to join again before it may do that.
    #[must_use]
    pub fn is_lost_membership(&self) -> bool {
        matches!(
            self.code(),
            Some(
                ErrorCode::UNKNOWN_MEMBER_ID
                    | ErrorCode::ILLEGAL_GENERATION
                    | ErrorCode::REBALANCE_IN_PROGRESS
                    | ErrorCode::FENCED_INSTANCE_ID
            )
        )
    }

    /// The broker's error code, if that is what the call ended with.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } | Self::RefusedRecords { code, .. } => Some(*code),
            Self::Deadline { last, .. } => last.code(),
            _ => None,
        }
    }

    /// `Ok` for no error, else [`ClientError::Refused`].
    pub(crate) fn check(
        code: ErrorCode,
        message: Option<&str>,
        what: impl FnOnce() -> String,
    ) -> Result<(), Self> {
        if code.is_none() {
            return Ok(());
        }
        let message = message.filter(|text| !text.is_empty()).map(str::to_owned);
        Err(Self::Refused { what: what(), code, message })
    }
}

impl Disconnect {
    pub(crate) fn io(doing: &'static str, source: io::Error) -> Self {
        Self::Io { doing, source: Arc::new(source) }
    }

    /// What a transport or its first bytes failed by: what isn't believed now isn't in a second
    /// either, and a connection that was lost may stand then.
    pub(crate) fn unprotected(doing: &'static str, source: Arc<io::Error>) -> Self {
        if crate::security::is_disbelief(&source) {
            let (mechanism, reason) = ("TLS".to_owned(), source.to_string());
            Self::Authentication { mechanism, reason, code: None }
        } else {
            Self::Io { doing, source }
        }
    }

    /// Whether the broker has refused a name or a password.
    fn is_refusal(&self) -> bool {
        let wrong = Some(ErrorCode::SASL_AUTHENTICATION_FAILED);
        matches!(self, Self::Authentication { code, .. } if *code == wrong)
    }

    fn remedy(&self) -> Remedy {
        match self {
            Self::Io { .. }
            | Self::ConnectTimeout { .. }
            | Self::ByPeer
            | Self::RequestTimeout { .. }
            | Self::Dropped => Remedy::Retry,
            // Another attempt would meet the same program.
            Self::ResponseBytes { .. }
            | Self::CorrelationId { .. }
            | Self::Unsolicited
            | Self::Malformed(_)
            | Self::Negotiation(_) => Remedy::GiveUp,
            Self::Authentication { .. } => Remedy::FixCall,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection { address, reason } => write!(f, "broker {address}: {reason}"),
            Self::NoBroker { failures } => {
                f.write_str("no broker can be reached")?;
                let mut separator = ": ";
                for (address, reason) in failures {
                    write!(f, "{separator}{address}: {reason}")?;
                    separator = "; ";
                }
                Ok(())
            }
            Self::NoAnswer => f.write_str("no broker has answered yet"),
            Self::Refused { what, code, message: None } => write!(f, "{what}: {code}"),
            Self::Refused { what, code, message: Some(message) } => {
                write!(f, "{what}: {code}: {message}")
            }
            Self::RefusedRecords { what, code, message, records } => {
                write!(f, "{what}: {code}")?;
                let Some(first) = records.first() else { return Ok(()) };
                let words = first.message.as_ref().or(message.as_ref());
                write!(f, ": record {}: {}", first.index, words.map_or("refused", |words| words))
            }
            Self::UnknownTopic { topic } => write!(f, "topic {topic}: there is none of that name"),
            Self::UnknownPartition { topic, partition, partition_count } => {
                write!(f, "partition {topic}-{partition}: the topic has {partition_count}, ")?;
                f.write_str("numbered from 0")
            }
            Self::NoLeader { topic, partition } => {
                write!(f, "partition {topic}-{partition}: it has no leader")
            }
            Self::UnknownBroker { broker_id } => {
                write!(f, "broker {broker_id}: no such broker is alive")
            }
            Self::UnsupportedVersion { address, api, ours, theirs: Some(theirs) } => {
                write!(f, "broker {address}: {api} is served in versions {theirs}, used are {ours}")
            }
            Self::UnsupportedVersion { address, api, theirs: None, .. } => {
                write!(f, "broker {address}: {api} is not served")
            }
            Self::Encode(error) => write!(f, "{error}"),
            Self::Batch { what, error } => write!(f, "{what}: {error}"),
            Self::Unanswered { address, what } => {
                write!(f, "broker {address}: the answer lacks {what}")
            }
            Self::Deadline { doing, limit, last } => {
                write!(f, "{doing}: not done within {} ms; {last}", limit.as_millis())
            }
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connection { reason, .. } => Some(reason),
            Self::Encode(error) => Some(error),
            Self::Batch { error, .. } => Some(error),
            Self::Deadline { last, .. } => Some(&**last),
            _ => None,
        }
    }
}

impl From<EncodeError> for ClientError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::ConnectTimeout { after } => {
                write!(f, "connect: no answer within {} ms", after.as_millis())
            }
            Self::ByPeer => f.write_str("the broker closed the connection"),
            Self::RequestTimeout { api, after } => {
                write!(f, "{api} was not answered within {} ms", after.as_millis())
            }
            Self::ResponseBytes { length, limit } => {
                write!(f, "a response of {length} bytes, at most {limit} are taken; ")?;
                f.write_str("is this a Kafka listener without TLS?")
            }
            Self::CorrelationId { api, expected, found } => {
                write!(f, "{api}: an answer to request {found}, expected was {expected}")
            }
            Self::Unsolicited => f.write_str("an answer to no request"),
            Self::Malformed(error) => write!(f, "{error}"),
            Self::Negotiation(code) => write!(f, "ApiVersions: {code}"),
            Self::Authentication { mechanism, reason, .. } => write!(f, "{mechanism}: {reason}"),
            Self::Dropped => f.write_str("the connection is no longer used"),
        }
    }
}

impl std::error::Error for Disconnect {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(&**source),
            Self::Malformed(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: ErrorCode) -> ClientError {
        ClientError::Refused { what: "partition t-0".to_owned(), code, message: None }
    }

    #[test]
    fn every_code_that_asks_for_metadata_may_be_tried_again() {
        for code in ErrorCode::ALL {
            let error = refused(*code);
            assert!(!error.is_stale_metadata() || error.is_retriable(), "{error}");
        }
        assert!(refused(ErrorCode::NOT_LEADER_OR_FOLLOWER).is_stale_metadata());
        assert!(!refused(ErrorCode::REQUEST_TIMED_OUT).is_stale_metadata());
        assert_eq!(refused(ErrorCode::INVALID_CONFIG).remedy(), Remedy::FixCall);
        assert_eq!(refused(ErrorCode::UNKNOWN_SERVER_ERROR).remedy(), Remedy::GiveUp);
        assert_eq!(refused(ErrorCode(9_999)).remedy(), Remedy::GiveUp, "a broker that is newer");
    }

    #[test]
    fn whom_one_broker_refuses_the_others_need_not_be_asked() {
        let not_believed = |mechanism: &str, code| Disconnect::Authentication {
            mechanism: mechanism.to_owned(),
            reason: "who are you?".to_owned(),
            code,
        };
        let refused = not_believed("PLAIN", Some(ErrorCode::SASL_AUTHENTICATION_FAILED));
        let of = |failures: [Disconnect; 2]| {
            let address: BrokerAddress = "b:1".parse().unwrap();
            let failures = failures.map(|failure| (address.clone(), failure)).into();
            ClientError::NoBroker { failures }.remedy()
        };
        assert_eq!(of([Disconnect::ByPeer, refused]), Remedy::FixCall);
        let own = not_believed("TLS", None);
        assert_eq!(of([Disconnect::ByPeer, own.clone()]), Remedy::Retry, "it may be that one's");
        assert_eq!(of([Disconnect::Unsolicited, own]), Remedy::FixCall);
        assert_eq!(of([Disconnect::Unsolicited, Disconnect::ByPeer]), Remedy::Retry);
        assert_eq!(of([Disconnect::Unsolicited, Disconnect::Unsolicited]), Remedy::GiveUp);
    }

    #[test]
    fn an_error_names_the_thing_and_the_reason() {
        let address: BrokerAddress = "b:1".parse().unwrap();
        let failures = vec![
            (address.clone(), Disconnect::ByPeer),
            ("c:2".parse().unwrap(), Disconnect::Unsolicited),
        ];
        assert_eq!(
            ClientError::NoBroker { failures }.to_string(),
            "no broker can be reached: b:1: the broker closed the connection; \
             c:2: an answer to no request"
        );
        let last = Box::new(refused(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        let limit = Duration::from_secs(2);
        let error = ClientError::Deadline { doing: "produce".to_owned(), limit, last };
        assert_eq!(error.code(), Some(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        assert_eq!(error.remedy(), Remedy::Retry, "as what kept it");
        assert_eq!(
            error.to_string(),
            "produce: not done within 2000 ms; partition t-0: NOT_LEADER_OR_FOLLOWER (6)"
        );
    }
}
