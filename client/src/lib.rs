//! A cluster that speaks the Kafka protocol, seen from outside.
//!
//! ```text
//!   admin    groups    produce    fetch       what a caller wants, one file a noun
//!     └─────────┴──┬──────┴─────────┘
//!               Cluster                      who leads what; tries again within a deadline
//!                  │ one per broker
//!             Connection                     requests in flight, answers in order
//!                  │
//!            logboom-protocol
//! ```
//!
//! It is what the producer, the consumer and the command line stand on. It knows the protocol and
//! sockets; it knows no buffer of records and nothing of our own broker.
//!
//! # What must always hold
//!
//! - Every call ends by a deadline, and every queue has a limit: [`ClientConfig`] names them all,
//!   by Kafka's names where Kafka has one. Only [`GroupMember::join`] lasts as long as others take.
//! - An error says what failed, why, and by [`ClientError::remedy`] whether to try again, to change
//!   the call, or to give up.
//! - A call that is dropped before it ends leaves everything usable; what it has sent may still
//!   happen.
//! - Nothing that a broker sends makes this crate panic or take more memory than
//!   [`ClientConfig::response_bytes_max`] a connection and what decoding makes of it.

//!
//! # What it tells of itself
//!
//! By the `metrics` facade; nothing is counted once a record:
//!
//! | name: `logboom_client_…` | what |
//! | --- | --- |
//! | `connections_total` | connections that stood |
//! | `connection_failures_total` | those that didn't come to stand |
//! | `disconnects_total` | connections that ended, however |
//! | `request_seconds{api}` | requests that were answered, and how long that took |
//! | `throttled_total` | answers that asked for silence (KIP-219) |
//! | `metadata_total` | answers about brokers and topics |
//! | `retries_total` | calls that were tried again |
//!
//! By `tracing`: WARN for a connection that doesn't come to stand, DEBUG for what passes: one that
//! stands, one that has ended, an answer about brokers and topics, a call that is tried again, each
//! with its reason. Nothing secret is in any of it.

mod address;
mod admin;
mod backoff;
mod cluster;
mod config;
mod connection;
mod epochs;
mod error;
mod fetch;
mod first_record;
mod groups;
mod partitioner;
mod produce;
mod properties;
mod race;
mod security;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use address::{AddressError, BrokerAddress};
pub use admin::{
    BrokerState, ClusterDescription, ConfigChange, ConfigEntry, ConfigOperation, ConfigResource,
    ConfigSource, CreatedTopic, Damage, FoundOffset, IsolationLevel, LogDir, LogDirReplica,
    LogDirState, NewTopic, OffsetSpec, PartitionCursor, PartitionPage, QuorumDescription,
    QuorumReplica, Reassignment, WishedReplicas,
};
pub use cluster::{Broker, Cluster, ClusterImage, LeaderHint, Partition, Topic};
pub use config::ClientConfig;
pub use connection::{Connection, Versions};
pub use epochs::{EpochEnd, EpochQuestion};
pub use error::{ClientError, Disconnect, RefusedRecord, Remedy};
pub use fetch::{FetchLimits, FetchPosition, FetchedPartition, visit_records};
pub use first_record::{FirstRecord, FirstRecordResult};
pub use groups::{
    Assignment, Assignor, Beat, CommittedOffset, Committer, GroupDescription, GroupFilter,
    GroupMember, GroupMemberDescription, Joined, ListedGroup, MemberConfig, OffsetToCommit,
    PartitionOffset, UnknownAssignor,
};
pub use partitioner::{murmur2, partition_of_key};
pub use produce::{Acks, PartitionBatch, PostedBatches, Produced};
pub use properties::{Properties, PropertyError};
pub use security::{
    Plain, Protecting, SaslExchange, SaslMechanism, SaslStep, Security, Stream, Transport,
};
#[cfg(feature = "scram")]
pub use security::{Scram, ScramHash};
#[cfg(feature = "tls")]
pub use security::{Tls, TlsError};
