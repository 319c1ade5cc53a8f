//! Encoding and decoding of metadata records.

use core::fmt;

use bytes::{Bytes, BytesMut};

use logboom_protocol::wire::{Reader, Writer};
use logboom_protocol::{CompactString, FieldError};

use super::fields::{
    COMPACT, at, read_broker, read_partition, read_reports, write_broker, write_partition,
    write_report,
};
use super::{ConfigResource, MetadataRecord, ResourceKind};

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

/// A type's number, name and newest version, which is the one that is written.
type Kind = (u8, &'static str, u8);

const CLUSTER_ID: Kind = (1, "ClusterId", 0);
const BROKER: Kind = (2, "Broker", 1);
const TOPIC: Kind = (3, "Topic", 0);
const PARTITION: Kind = (4, "Partition", 1);
const TOPIC_DELETED: Kind = (5, "TopicDeleted", 0);
const CONFIG: Kind = (6, "Config", 0);
const PRODUCER_ID_BLOCK: Kind = (7, "ProducerIdBlock", 0);
const FEATURE_LEVEL: Kind = (8, "FeatureLevel", 0);
const BROKER_FENCED: Kind = (9, "BrokerFenced", 0);
const BROKER_REMOVED: Kind = (10, "BrokerRemoved", 0);
const LEADERS: Kind = (11, "Leaders", 0);

const KINDS: [Kind; 11] = [
    CLUSTER_ID,
    BROKER,
    TOPIC,
    PARTITION,
    TOPIC_DELETED,
    CONFIG,
    PRODUCER_ID_BLOCK,
    FEATURE_LEVEL,
    BROKER_FENCED,
    BROKER_REMOVED,
    LEADERS,
];

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
            Self::BrokerFenced { .. } => BROKER_FENCED,
            Self::BrokerRemoved { .. } => BROKER_REMOVED,
            Self::Leaders(_) => LEADERS,
        }
    }

    /// The record's bytes, the value of one record of the metadata log.
    ///
    /// # Errors
    /// A string of more than 32,767 bytes. No decision makes one.
    pub fn encode(&self) -> Result<Bytes, FieldError> {
        let (_, _, newest) = self.kind();
        self.encode_as(newest)
    }

    /// The bytes in a version of the type's format, without what that doesn't have.
    pub(super) fn encode_as(&self, version: u8) -> Result<Bytes, FieldError> {
        let (tag, name, _) = self.kind();
        let mut w = Writer::new(BytesMut::new());
        w.raw(&[tag, version]);
        self.write(&mut w, version).map_err(|error| FieldError { field: name, ..error })?;
        Ok(w.into_inner().freeze())
    }

    fn write(&self, w: &mut Writer, version: u8) -> Result<(), FieldError> {
        match self {
            Self::ClusterId(id) | Self::TopicDeleted { id } => w.uuid(*id),
            Self::Broker(broker) => write_broker(broker, version, w)?,
            Self::Topic { id, name } => {
                w.uuid(*id);
                w.string(name, COMPACT)?;
            }
            Self::Partition { topic_id, index, partition } => {
                w.uuid(*topic_id);
                w.i32(*index);
                write_partition(partition, version, w)?;
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
            Self::BrokerFenced { id, fenced } => {
                w.i32(*id);
                w.bool(*fenced);
            }
            Self::BrokerRemoved { id } => w.i32(*id),
            Self::Leaders(reports) => w.array(reports, COMPACT, write_report)?,
        }
        Ok(())
    }

    /// The record whose bytes these are.
    ///
    /// # Errors
    /// [`BadRecord`] for everything that [`Self::encode`] doesn't write.
    pub fn decode(bytes: &Bytes) -> Result<Self, BadRecord> {
        let mut r = Reader::new(bytes);
        let (tag, record, version) = read_kind(&mut r)?;
        let decoded = Self::read(tag, version, &mut r)?;
        r.finish().map_err(|fault| FieldError { field: record, fault })?;
        // Lengths in too many bytes, booleans above 1, and what is no UTF-8, are read but never
        // written.
        if decoded.encode_as(version).as_ref() == Ok(bytes) {
            Ok(decoded)
        } else {
            Err(BadRecord::NotCanonical { record })
        }
    }

    fn read(tag: u8, version: u8, r: &mut Reader<'_>) -> Result<Self, BadRecord> {
        Ok(match tag {
            1 => Self::ClusterId(at("cluster id", r.uuid())?),
            2 => Self::Broker(read_broker(version, r)?),
            3 => Self::Topic {
                id: at("topic id", r.uuid())?,
                name: at("topic name", r.string(COMPACT))?,
            },
            4 => Self::Partition {
                topic_id: at("topic id", r.uuid())?,
                index: at("partition", r.i32())?,
                partition: read_partition(version, r)?,
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
            9 => Self::BrokerFenced {
                id: at("broker id", r.i32())?,
                fenced: at("fenced", r.bool())?,
            },
            10 => Self::BrokerRemoved { id: at("broker id", r.i32())? },
            11 => Self::Leaders(read_reports(r)?),
            _ => return Err(BadRecord::UnknownType(tag)),
        })
    }
}

/// A record's type, its name, and the version in which it is written.
fn read_kind(r: &mut Reader<'_>) -> Result<Kind, BadRecord> {
    let [tag, version] = at("type and version", r.u16())?.to_be_bytes();
    let kind = KINDS.into_iter().find(|(known, ..)| *known == tag);
    let (_, record, known) = kind.ok_or(BadRecord::UnknownType(tag))?;
    if version > known {
        return Err(BadRecord::UnknownVersion { record, version, known });
    }
    Ok((tag, record, version))
}

fn read_resource(r: &mut Reader<'_>) -> Result<ConfigResource, BadRecord> {
    let number = at("resource type", r.i8())?;
    let kind = ResourceKind::from_wire(number).ok_or(BadRecord::UnknownResource(number))?;
    let name: CompactString = at("resource name", r.string(COMPACT))?;
    Ok(ConfigResource { kind, name })
}
