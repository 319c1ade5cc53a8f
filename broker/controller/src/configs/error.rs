//! Why a configuration is not changed or described.

use core::fmt;

use logboom_protocol::{CompactString, ErrorCode};

use crate::config::{ConfigError, Definition};
use crate::record::ResourceKind;
use crate::topics::NameError;

/// What is wrong with one resource of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigChangeError {
    /// The resource is in the request more than once.
    DuplicateResource,
    /// More resources in one request than are described.
    TooManyResources {
        /// The most.
        limit: usize,
    },
    /// A key is there more than once.
    DuplicateKey(CompactString),
    /// A key without a value.
    NoValue(CompactString),
    /// The same, in the request that creates a topic.
    NoValueOfNewTopic(CompactString),
    /// A kind of resource that has no configuration here.
    ResourceType(i8),
    /// A resource that must have a name has none.
    EmptyName(ResourceKind),
    /// The name is not one of a topic.
    TopicName(NameError),
    /// No topic has that name.
    UnknownTopic,
    /// The name of a broker that is no number of one.
    BrokerName(CompactString),
    /// No broker of that id is registered.
    UnknownBroker(i32),
    /// Another broker's configuration, which only that one knows.
    OtherBroker {
        /// The broker that was asked.
        this: i32,
    },
    /// An operation that is none of set, delete, append and subtract.
    Operation(i8),
    /// To append to, or to subtract from, what is no list.
    NotAList(&'static str),
    /// A key that only a broker's file can set.
    ReadOnly(&'static str),
    /// A key of one broker that is to be set for all.
    ForOneBroker {
        /// The key.
        name: &'static str,
        /// The command that sets it.
        by: &'static str,
    },
    /// A key of all brokers together that is to be set for one.
    ForAllBrokers {
        /// The key.
        name: &'static str,
        /// The command that sets it.
        by: &'static str,
    },
    /// A key or a value of a topic, a group or a subscription.
    Value(ConfigError),
    /// A key or a value of a broker.
    BrokerValue(ConfigError),
    /// A value longer than the metadata log holds.
    TooLong {
        /// The key.
        name: &'static str,
        /// Bytes of the value.
        length: usize,
        /// The most.
        limit: usize,
    },
    /// `min.compaction.lag.ms` is greater than `max.compaction.lag.ms`.
    CompactionLag {
        /// The former.
        min: i64,
        /// The latter.
        max: i64,
    },
    /// A value of a group outside of what the broker allows.
    OutOfBounds {
        /// The key.
        name: &'static str,
        /// The value.
        value: i64,
        /// The broker's bounds, both included.
        least: i64,
        /// The greatest value.
        most: i64,
    },
}

impl ConfigChangeError {
    /// A key or value of `kind`.
    pub(super) fn value(kind: ResourceKind, error: ConfigError) -> Self {
        match kind {
            ResourceKind::Broker => Self::BrokerValue(error),
            _ => Self::Value(error),
        }
    }

    /// No configuration of `kind` is called `name`.
    pub(super) fn unknown(kind: ResourceKind, name: &str) -> Self {
        Self::value(kind, ConfigError::Unknown { name: name.into() })
    }

    /// `definition` is no list.
    pub(super) fn not_a_list(definition: &Definition) -> Self {
        Self::NotAList(definition.name)
    }

    /// The protocol's code.
    ///
    /// The reference calls a wrong value of a broker an invalid request (KAFKA-13609), and so do
    /// we; a key that doesn't exist is an invalid configuration everywhere.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::DuplicateResource
            | Self::DuplicateKey(_)
            | Self::NoValue(_)
            | Self::ResourceType(_)
            | Self::EmptyName(_)
            | Self::BrokerName(_)
            | Self::OtherBroker { .. }
            | Self::Operation(_)
            | Self::ReadOnly(_)
            | Self::BrokerValue(ConfigError::Type { .. } | ConfigError::Rule { .. }) => {
                ErrorCode::INVALID_REQUEST
            }
            Self::NoValueOfNewTopic(_)
            | Self::NotAList(_)
            | Self::Value(_)
            | Self::BrokerValue(ConfigError::Unknown { .. } | ConfigError::NotInFile { .. })
            | Self::ForOneBroker { .. }
            | Self::ForAllBrokers { .. }
            | Self::TooLong { .. }
            | Self::CompactionLag { .. }
            | Self::OutOfBounds { .. } => ErrorCode::INVALID_CONFIG,
            Self::TooManyResources { .. } => ErrorCode::POLICY_VIOLATION,
            Self::TopicName(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
            Self::UnknownTopic => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Self::UnknownBroker(_) => ErrorCode::BROKER_ID_NOT_REGISTERED,
        }
    }
}

impl fmt::Display for ConfigChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateResource => f.write_str("the resource is there more than once"),
            Self::TooManyResources { limit } => {
                write!(f, "more than {limit} resources in one request")
            }
            Self::DuplicateKey(name) => write!(f, "{name} is there more than once"),
            Self::NoValue(name) | Self::NoValueOfNewTopic(name) => write!(f, "{name} has no value"),
            Self::ResourceType(number) => write!(f, "resource type {number} has no configuration"),
            Self::EmptyName(kind) => write!(f, "the {kind} needs a name"),
            Self::TopicName(error) => error.fmt(f),
            Self::UnknownTopic => f.write_str("no topic has that name"),
            Self::BrokerName(name) => write!(f, "{name} is no broker id"),
            Self::UnknownBroker(id) => write!(f, "broker {id} is not registered"),
            Self::OtherBroker { this } => write!(f, "this is broker {this}; ask the other one"),
            Self::Operation(number) => {
                write!(f, "operation {number}; 0 set, 1 delete, 2 append, 3 subtract")
            }
            Self::NotAList(name) => write!(f, "{name} is no list"),
            Self::ReadOnly(name) => write!(f, "{name} is set in the broker's file only"),
            Self::ForOneBroker { name, by } => {
                write!(f, "{name} is of one broker, and not of all: name it, or use `{by}`")
            }
            Self::ForAllBrokers { name, by } => {
                write!(
                    f,
                    "{name} is of all brokers, and not of one: set their default, or use \
                           `{by}`"
                )
            }
            Self::Value(error) | Self::BrokerValue(error) => error.fmt(f),
            Self::TooLong { name, length, limit } => {
                write!(f, "{name} has {length} bytes, at most {limit}")
            }
            Self::CompactionLag { min, max } => {
                write!(f, "min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})")
            }
            Self::OutOfBounds { name, value, least, most } => {
                write!(f, "{name}={value}: the broker allows {least} to {most}")
            }
        }
    }
}

impl core::error::Error for ConfigChangeError {}
