//! Encoding and decoding of the records of `__consumer_offsets`.
//!
//! Every function goes through the fields in their order on the wire.

use core::fmt;

use bytes::{Bytes, BytesMut};

use logboom_protocol::units::Uuid;
use logboom_protocol::wire::{Reader, Writer};
use logboom_protocol::{CompactString, Fault, FieldError};

use super::{CommittedOffset, Decoded, EncodedRecord, GroupMetadata, GroupRecord, MemberMetadata};

/// The version of an offset's key that is written; 0 has the same fields.
const OFFSET_KEY: i16 = 1;
/// The version of a group's key.
const GROUP_KEY: i16 = 2;
/// The version of an offset's value that is written.
const OFFSET_VALUE: i16 = 4;
/// The only one that says when the offset expires.
const EXPIRING_OFFSET_VALUE: i16 = 1;
/// The version of a group's value that is written.
const GROUP_VALUE: i16 = 3;
/// The newest version of a value that is read.
const VALUE_MAX: i16 = 4;
/// From this version on values are flexible.
const FLEXIBLE_FROM: i16 = 4;
/// The tag of the topic's id in an offset's value.
const TOPIC_ID_TAG: u32 = 0;
/// Where there is no time.
const NO_TIME: i64 = -1;
/// Bytes of the shortest member.
const MEMBER_BYTES_MIN: usize = 18;

/// Bytes that are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRecord {
    /// A value of a version that isn't known.
    UnknownVersion(i16),
    /// A field is broken, or there is something behind the last one.
    Field(FieldError),
}

impl fmt::Display for BadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownVersion(version) => {
                write!(f, "group record of value version {version}, known up to {VALUE_MAX}")
            }
            Self::Field(error) => write!(f, "group record: {error}"),
        }
    }
}

impl core::error::Error for BadRecord {}

impl From<FieldError> for BadRecord {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

impl From<Fault> for BadRecord {
    fn from(fault: Fault) -> Self {
        Self::Field(fault.into())
    }
}

impl GroupRecord {
    /// The record's bytes.
    ///
    /// # Errors
    /// A string that is longer than 32,767 bytes.
    pub fn encode(&self) -> Result<EncodedRecord, Fault> {
        let mut key = Writer::new(BytesMut::new());
        match self {
            Self::Offset { group, topic, partition, value } => {
                key.i16(OFFSET_KEY);
                key.string(group, false)?;
                key.string(topic, false)?;
                key.i32(*partition);
                let value = value.as_ref().map(encode_offset).transpose()?;
                Ok(EncodedRecord { key: key.into_inner().freeze(), value })
            }
            Self::Group { group, value } => {
                key.i16(GROUP_KEY);
                key.string(group, false)?;
                let value = value.as_ref().map(encode_group).transpose()?;
                Ok(EncodedRecord { key: key.into_inner().freeze(), value })
            }
        }
    }

    /// Reads a record. Bytes of members are slices of `value`.
    ///
    /// # Errors
    /// [`BadRecord`]: a key of a version that is known is broken, or its value is.
    pub fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Decoded, BadRecord> {
        let mut reader = Reader::new(key);
        let version = reader.i16()?;
        let record = match version {
            0..=OFFSET_KEY => Self::Offset {
                group: reader.string(false)?,
                topic: reader.string(false)?,
                partition: reader.i32()?,
                value: value.map(decode_offset).transpose()?,
            },
            GROUP_KEY => Self::Group {
                group: reader.string(false)?,
                value: value.map(decode_group).transpose()?,
            },
            other => return Ok(Decoded::Unknown(other)),
        };
        reader.finish()?;
        Ok(Decoded::Known(record))
    }
}

fn encode_offset(value: &CommittedOffset) -> Result<Bytes, Fault> {
    let mut w = Writer::new(BytesMut::with_capacity(64));
    let is_expiring = value.expires_ms.is_some();
    let version = if is_expiring { EXPIRING_OFFSET_VALUE } else { OFFSET_VALUE };
    w.i16(version);
    w.i64(value.offset);
    if !is_expiring {
        w.i32(value.leader_epoch);
    }
    w.string(&value.metadata, version >= FLEXIBLE_FROM)?;
    w.i64(value.committed_ms);
    match value.expires_ms {
        Some(expires_ms) => w.i64(expires_ms),
        None if value.topic_id.is_zero() => w.uvarint(0),
        None => {
            // One tag, its size, and the id.
            w.uvarint(1);
            w.uvarint(TOPIC_ID_TAG);
            w.uvarint(16);
            w.uuid(value.topic_id);
        }
    }
    Ok(w.into_inner().freeze())
}

fn value_version(reader: &mut Reader<'_>) -> Result<i16, BadRecord> {
    match reader.i16()? {
        version @ 0..=VALUE_MAX => Ok(version),
        other => Err(BadRecord::UnknownVersion(other)),
    }
}

fn decode_offset(value: &Bytes) -> Result<CommittedOffset, BadRecord> {
    let mut r = Reader::new(value);
    let version = value_version(&mut r)?;
    let is_flexible = version >= FLEXIBLE_FROM;
    let offset = r.i64()?;
    let leader_epoch = if version >= 3 { r.i32()? } else { -1 };
    let metadata = r.string(is_flexible)?;
    let committed_ms = r.i64()?;
    let expires_ms = if version == EXPIRING_OFFSET_VALUE { r.i64()? } else { NO_TIME };
    let mut topic_id = Uuid::ZERO;
    if is_flexible {
        r.tagged_fields(|tag, r| {
            if tag != TOPIC_ID_TAG {
                return Ok(false);
            }
            topic_id = r.uuid()?;
            Ok(true)
        })?;
    }
    r.finish()?;
    let expires_ms = (expires_ms != NO_TIME).then_some(expires_ms);
    Ok(CommittedOffset { offset, leader_epoch, metadata, committed_ms, expires_ms, topic_id })
}

fn encode_group(value: &GroupMetadata) -> Result<Bytes, Fault> {
    let mut w = Writer::new(BytesMut::new());
    w.i16(GROUP_VALUE);
    w.string(&value.protocol_type, false)?;
    w.i32(value.generation);
    w.nullable_string(value.protocol.as_deref(), false)?;
    w.nullable_string(value.leader.as_deref(), false)?;
    w.i64(value.state_since_ms);
    w.count(Some(value.members.len()), false)?;
    for member in &value.members {
        w.string(&member.member_id, false)?;
        w.nullable_string(member.instance_id.as_deref(), false)?;
        w.string(&member.client_id, false)?;
        w.string(&member.client_host, false)?;
        w.i32(member.rebalance_timeout_ms);
        w.i32(member.session_timeout_ms);
        w.bytes(&member.subscription, false)?;
        w.bytes(&member.assignment, false)?;
    }
    Ok(w.into_inner().freeze())
}

fn decode_group(value: &Bytes) -> Result<GroupMetadata, BadRecord> {
    let mut r = Reader::new(value);
    let version = value_version(&mut r)?;
    let is_flexible = version >= FLEXIBLE_FROM;
    let group = GroupMetadata {
        protocol_type: r.string(is_flexible)?,
        generation: r.i32()?,
        protocol: r.nullable_string(is_flexible)?,
        leader: r.nullable_string(is_flexible)?,
        state_since_ms: if version >= 2 { r.i64()? } else { NO_TIME },
        members: r.array(is_flexible, MEMBER_BYTES_MIN, |r| decode_member(r, version))?,
    };
    if is_flexible {
        r.tagged_fields(|_, _| Ok(false))?;
    }
    r.finish()?;
    Ok(group)
}

fn decode_member(r: &mut Reader<'_>, version: i16) -> Result<MemberMetadata, FieldError> {
    let is_flexible = version >= FLEXIBLE_FROM;
    let member_id = r.string(is_flexible)?;
    let instance_id = if version >= 3 { r.nullable_string(is_flexible)? } else { None };
    let client_id: CompactString = r.string(is_flexible)?;
    let client_host = r.string(is_flexible)?;
    let rebalance_timeout_ms = if version >= 1 { r.i32()? } else { -1 };
    let session_timeout_ms = r.i32()?;
    let member = MemberMetadata {
        member_id,
        instance_id,
        client_id,
        client_host,
        // What has none of its own has had the session's.
        rebalance_timeout_ms: match rebalance_timeout_ms {
            -1 => session_timeout_ms,
            timeout_ms => timeout_ms,
        },
        session_timeout_ms,
        subscription: r.bytes(is_flexible)?,
        assignment: r.bytes(is_flexible)?,
    };
    if is_flexible {
        r.tagged_fields(|_, _| Ok(false))?;
    }
    Ok(member)
}
