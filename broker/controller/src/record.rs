//! Metadata records: the facts of which the cluster's metadata is made, and their bytes.
//!
//! A record is the value of one record of the metadata log; the records of one decision are one
//! batch there, so that a decision is kept as a whole or not at all. The batch has the checksum.
//!
//! | bytes | field |
//! | ---: | --- |
//! | 1 | type |
//! | 1 | version of the type's format, from 0 |
//! | n | fields; `docs/format.md` has the table |
//!
//! Integers are big-endian. Strings and lists begin with a varint of their length and one, as in
//! flexible versions of the protocol; a string or an id that may be missing has 0 for null.
//!
//! Must always hold: a record that was encoded decodes to itself, from every version of its format
//! that there was; any bytes give the one record of which they are the encoding in their version,
//! or [`BadRecord`]; decoding takes at most
//! [`memory_limit`](logboom_protocol::wire::memory_limit) of their length.

mod codec;
mod fields;
mod partition;

use alloc::string::ToString as _;
use alloc::vec::Vec;

use logboom_protocol::CompactString;
use logboom_protocol::units::Uuid;

pub use self::codec::BadRecord;
pub use self::partition::{LeaderReport, NO_BROKER, Partition};

/// One fact about the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataRecord {
    /// The cluster's id; the first record of every metadata log.
    ClusterId(Uuid),
    /// A broker registered, or did so again; it is in contact from now on. Or a node that is only a
    /// controller did.
    Broker(BrokerRegistration),
    /// A broker is out of contact, or is again in contact.
    BrokerFenced {
        /// A broker that is registered.
        id: i32,
        /// Whether it is out of contact.
        fenced: bool,
    },
    /// A broker is none of the cluster any more. The partitions that name it still do.
    BrokerRemoved {
        /// A broker that is registered.
        id: i32,
    },
    /// A topic was created; its partitions follow.
    Topic {
        /// The topic's id, never used before.
        id: Uuid,
        /// Its name.
        name: CompactString,
    },
    /// A partition was created, or has changed.
    Partition {
        /// The topic.
        topic_id: Uuid,
        /// The partition's number: one that exists, or the next.
        index: i32,
        /// All that is known of it now.
        partition: Partition,
    },
    /// Who leads partitions, and who votes in them, as their leaders say. What is older than what
    /// is known, and what is about partitions that don't exist, is passed over.
    Leaders(Vec<LeaderReport>),
    /// A topic is gone, with its partitions and its configuration.
    TopicDeleted {
        /// The topic.
        id: Uuid,
    },
    /// A configuration was set, or removed.
    Config {
        /// What it configures.
        resource: ConfigResource,
        /// The key.
        name: CompactString,
        /// The value, or `None` where it was removed.
        value: Option<CompactString>,
    },
    /// Producer ids below this one have been handed out, or will be.
    ProducerIdBlock {
        /// The first id of the next block.
        next_producer_id: i64,
    },
    /// A feature of the cluster has a level from now on; 0 is off.
    FeatureLevel {
        /// The feature.
        name: CompactString,
        /// Its level, at least 0.
        level: i16,
    },
}

/// What a broker says of itself when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerRegistration {
    /// The broker's id (`node.id`), at least 0.
    pub id: i32,
    /// The id of its data directory (KIP-853).
    pub directory_id: Uuid,
    /// Tells this life of the process from every other.
    pub incarnation: Uuid,
    /// Where it stands (`broker.rack`).
    pub rack: Option<CompactString>,
    /// Where clients reach it; nowhere for one that is only a controller.
    pub endpoints: Vec<Endpoint>,
    /// Where other brokers reach it; `None` for one that has none beside it.
    pub peer: Option<PeerAddress>,
}

impl BrokerRegistration {
    /// Whether it serves clients, and has copies of partitions; otherwise it is only a controller.
    #[must_use]
    pub fn is_broker(&self) -> bool {
        !self.endpoints.is_empty()
    }
}

/// Where a broker listens to other brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAddress {
    /// The host: a name, which is resolved at each attempt, or an address.
    pub host: CompactString,
    /// The port.
    pub port: u16,
}

/// An advertised listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name.
    pub listener: CompactString,
    /// The host, as clients are told it.
    pub host: CompactString,
    /// The port.
    pub port: u16,
    /// Kafka's number of the security protocol: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// What has a configuration of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    /// The kind of thing.
    pub kind: ResourceKind,
    /// Its name; the empty name of a broker stands for all of them.
    pub name: CompactString,
}

/// The kinds of things that have a configuration, with their numbers on the wire and on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum ResourceKind {
    /// A topic.
    Topic = 2,
    /// A broker, or all brokers.
    Broker = 4,
    /// A subscription to clients' metrics (KIP-714).
    ClientMetrics = 16,
    /// A consumer group.
    Group = 32,
}

impl ResourceKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Topic, Self::Broker, Self::ClientMetrics, Self::Group];

    /// The kind of a number.
    #[must_use]
    pub fn from_wire(number: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.to_wire() == number)
    }

    /// The number of the kind.
    #[must_use]
    pub const fn to_wire(self) -> i8 {
        self as i8
    }
}

impl ConfigResource {
    /// The resource of a topic.
    #[must_use]
    pub fn topic(name: &str) -> Self {
        Self { kind: ResourceKind::Topic, name: name.into() }
    }

    /// The resource of one broker.
    #[must_use]
    pub fn broker(id: i32) -> Self {
        Self { kind: ResourceKind::Broker, name: id.to_string().into() }
    }

    /// The resource of all brokers (KIP-226).
    #[must_use]
    pub fn all_brokers() -> Self {
        Self { kind: ResourceKind::Broker, name: CompactString::const_new("") }
    }
}

#[cfg(test)]
mod tests;
