//! Encoding and decoding of metadata records.

use alloc::vec::Vec;
use core::fmt;

use bytes::{Bytes, BytesMut};

use logboom_protocol::units::Uuid;
use logboom_protocol::wire::{Reader, Writer};
use logboom_protocol::{CompactString, Fault, FieldError};

use super::{
    BrokerRegistration, ConfigResource, Endpoint, MetadataRecord, Partition, ResourceKind,
};

/// Bytes that are no metadata record of this broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRecord {
    /// A type that this broker doesn't know: the log is of a newer one.
    UnknownType(u8),
    /// A version of a known type that this broker doesn't know.
    UnknownVersion {
        /// The type's name.
        record: &'static str,
        /// The version found.
        version: u8,
        /// The greatest one known.
        known: u8,
    },
    /// A field is broken, or there is something behind the last one.
    Field(FieldError),
    /// A resource type that has no configuration.
    UnknownResource(i8),
    /// The bytes are read as a record, but are not what that record is encoded as.
    NotCanonical {
        /// The type's name.
        record: &'static str,
    },
}

impl fmt::Display for BadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(tag) => write!(f, "metadata record of unknown type {tag}"),
            Self::UnknownVersion { record, version, known } => {
                write!(f, "{record} record of version {version}, known up to {known}")
            }
            Self::Field(error) => write!(f, "metadata record: {error}"),
            Self::UnknownResource(kind) => write!(f, "Config record of resource type {kind}"),
            Self::NotCanonical { record } => {
                write!(f, "{record} record in bytes that no broker writes")
            }
        }
    }
}

impl core::error::Error for BadRecord {}

impl From<FieldError> for BadRecord {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

/// A type's number, name and greatest version.
type Kind = (u8, &'static str, u8);

const CLUSTER_ID: Kind = (1, "ClusterId", 0);
const BROKER: Kind = (2, "Broker", 0);
const TOPIC: Kind = (3, "Topic", 0);
const PARTITION: Kind = (4, "Partition", 0);
const TOPIC_DELETED: Kind = (5, "TopicDeleted", 0);
const CONFIG: Kind = (6, "Config", 0);
const PRODUCER_ID_BLOCK: Kind = (7, "ProducerIdBlock", 0);
const FEATURE_LEVEL: Kind = (8, "FeatureLevel", 0);

const KINDS: [Kind; 8] =
    [CLUSTER_ID, BROKER, TOPIC, PARTITION, TOPIC_DELETED, CONFIG, PRODUCER_ID_BLOCK, FEATURE_LEVEL];

/// Strings and lists have compact lengths.
const COMPACT: bool = true;

impl MetadataRecord {
    fn kind(&self) -> Kind {
        match self {
            Self::ClusterId(_) => CLUSTER_ID,
            Self::Broker(_) => BROKER,
            Self::Topic { .. } => TOPIC,
            Self::Partition { .. } => PARTITION,
            Self::TopicDeleted { .. } => TOPIC_DELETED,
            Self::Config { .. } => CONFIG,
            Self::ProducerIdBlock { .. } => PRODUCER_ID_BLOCK,
            Self::FeatureLevel { .. } => FEATURE_LEVEL,
        }
    }

    /// The record's bytes, the value of one record of the metadata log.
    ///
    /// # Errors
    /// A string of more than 32,767 bytes. No decision makes one.
    pub fn encode(&self) -> Result<Bytes, FieldError> {
        let (tag, name, version) = self.kind();
        let mut w = Writer::new(BytesMut::new());
        w.raw(&[tag, version]);
        self.write(&mut w).map_err(|error| FieldError { field: name, ..error })?;
        Ok(w.into_inner().freeze())
    }

    fn write(&self, w: &mut Writer) -> Result<(), FieldError> {
        match self {
            Self::ClusterId(id) | Self::TopicDeleted { id } => w.uuid(*id),
            Self::Broker(broker) => write_broker(broker, w)?,
            Self::Topic { id, name } => {
                w.uuid(*id);
                w.string(name, COMPACT)?;
            }
            Self::Partition { topic_id, index, partition } => {
                w.uuid(*topic_id);
                w.i32(*index);
                write_partition(partition, w)?;
            }
            Self::Config { resource, name, value } => {
                w.i8(resource.kind.to_wire());
                w.string(&resource.name, COMPACT)?;
                w.string(name, COMPACT)?;
                w.nullable_string(value.as_deref(), COMPACT)?;
            }
            Self::ProducerIdBlock { next_producer_id } => w.i64(*next_producer_id),
            Self::FeatureLevel { name, level } => {
                w.string(name, COMPACT)?;
                w.i16(*level);
            }
        }
        Ok(())
    }

    /// The record whose bytes these are.
    ///
    /// # Errors
    /// [`BadRecord`] for everything that [`Self::encode`] doesn't write.
    pub fn decode(bytes: &Bytes) -> Result<Self, BadRecord> {
        let mut r = Reader::new(bytes);
        let (tag, record, _) = read_kind(&mut r)?;
        let decoded = Self::read(tag, &mut r)?;
        r.finish().map_err(|fault| FieldError { field: record, fault })?;
        // Lengths in too many bytes, and what is no UTF-8, are read but never written.
        if decoded.encode().as_ref() == Ok(bytes) {
            Ok(decoded)
        } else {
            Err(BadRecord::NotCanonical { record })
        }
    }

    fn read(tag: u8, r: &mut Reader<'_>) -> Result<Self, BadRecord> {
        Ok(match tag {
            1 => Self::ClusterId(at("cluster id", r.uuid())?),
            2 => Self::Broker(read_broker(r)?),
            3 => Self::Topic {
                id: at("topic id", r.uuid())?,
                name: at("topic name", r.string(COMPACT))?,
            },
            4 => Self::Partition {
                topic_id: at("topic id", r.uuid())?,
                index: at("partition", r.i32())?,
                partition: read_partition(r)?,
            },
            5 => Self::TopicDeleted { id: at("topic id", r.uuid())? },
            6 => Self::Config {
                resource: read_resource(r)?,
                name: at("key", r.string(COMPACT))?,
                value: at("value", r.nullable_string(COMPACT))?,
            },
            7 => Self::ProducerIdBlock { next_producer_id: at("producer id", r.i64())? },
            8 => Self::FeatureLevel {
                name: at("feature", r.string(COMPACT))?,
                level: at("level", r.i16())?,
            },
            _ => return Err(BadRecord::UnknownType(tag)),
        })
    }
}

fn at<T>(field: &'static str, result: Result<T, Fault>) -> Result<T, FieldError> {
    result.map_err(|fault| FieldError { field, fault })
}

fn read_kind(r: &mut Reader<'_>) -> Result<Kind, BadRecord> {
    let [tag, version] = at("type and version", r.u16())?.to_be_bytes();
    let kind = KINDS.into_iter().find(|(known, ..)| *known == tag);
    let (_, record, known) = kind.ok_or(BadRecord::UnknownType(tag))?;
    if version > known {
        return Err(BadRecord::UnknownVersion { record, version, known });
    }
    Ok((tag, record, known))
}

fn write_broker(broker: &BrokerRegistration, w: &mut Writer) -> Result<(), FieldError> {
    w.i32(broker.id);
    w.uuid(broker.directory_id);
    w.uuid(broker.incarnation);
    w.nullable_string(broker.rack.as_deref(), COMPACT)?;
    w.array(&broker.endpoints, COMPACT, |w, endpoint| {
        w.string(&endpoint.listener, COMPACT)?;
        w.string(&endpoint.host, COMPACT)?;
        w.u16(endpoint.port);
        w.i16(endpoint.security_protocol);
        Ok(())
    })
}

fn read_broker(r: &mut Reader<'_>) -> Result<BrokerRegistration, FieldError> {
    Ok(BrokerRegistration {
        id: at("broker id", r.i32())?,
        directory_id: at("directory id", r.uuid())?,
        incarnation: at("incarnation", r.uuid())?,
        rack: at("rack", r.nullable_string(COMPACT))?,
        endpoints: r.array(COMPACT, ENDPOINT_BYTES_MIN, read_endpoint)?,
    })
}

/// Two empty strings, the port and the security protocol.
const ENDPOINT_BYTES_MIN: usize = 6;

fn read_endpoint(r: &mut Reader<'_>) -> Result<Endpoint, FieldError> {
    Ok(Endpoint {
        listener: at("listener", r.string(COMPACT))?,
        host: at("host", r.string(COMPACT))?,
        port: at("port", r.u16())?,
        security_protocol: at("security protocol", r.i16())?,
    })
}

fn write_partition(partition: &Partition, w: &mut Writer) -> Result<(), FieldError> {
    let brokers = |w: &mut Writer, ids: &[i32]| {
        w.array(ids, COMPACT, |w, id| {
            w.i32(*id);
            Ok(())
        })
    };
    brokers(w, &partition.replicas)?;
    w.array(&partition.directories, COMPACT, |w, id| {
        w.uuid(*id);
        Ok(())
    })?;
    brokers(w, &partition.target_replicas)?;
    w.i32(partition.leader);
    w.i32(partition.leader_epoch);
    Ok(())
}

fn read_partition(r: &mut Reader<'_>) -> Result<Partition, FieldError> {
    Ok(Partition {
        replicas: read_list(r, "replicas", size_of::<i32>(), |r| r.i32())?,
        directories: read_list(r, "directories", size_of::<Uuid>(), |r| r.uuid())?,
        target_replicas: read_list(r, "target replicas", size_of::<i32>(), |r| r.i32())?,
        leader: at("leader", r.i32())?,
        leader_epoch: at("leader epoch", r.i32())?,
    })
}

/// A list whose elements take `element_bytes` each.
fn read_list<T>(
    r: &mut Reader<'_>,
    field: &'static str,
    element_bytes: usize,
    element: impl Fn(&mut Reader<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, FieldError> {
    r.array(COMPACT, element_bytes, |r| Ok::<_, FieldError>(element(r)?))
        .map_err(|error| FieldError { field, ..error })
}

fn read_resource(r: &mut Reader<'_>) -> Result<ConfigResource, BadRecord> {
    let number = at("resource type", r.i8())?;
    let kind = ResourceKind::from_wire(number).ok_or(BadRecord::UnknownResource(number))?;
    let name: CompactString = at("resource name", r.string(COMPACT))?;
    Ok(ConfigResource { kind, name })
}
