// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! ConsumerGroupHeartbeat: heartbeat of a consumer group member of the new protocol, with its assignment (KIP-848).

use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `ConsumerGroupHeartbeatRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerGroupHeartbeatRequest {
    /// In all versions.
    pub group_id: CompactString,
    /// In all versions.
    pub member_id: CompactString,
    /// In all versions.
    pub member_epoch: i32,
    /// In all versions.
    pub instance_id: Option<CompactString>,
    /// In all versions.
    pub rack_id: Option<CompactString>,
    /// In all versions. Default -1.
    pub rebalance_timeout_ms: i32,
    /// In all versions.
    pub subscribed_topic_names: Option<Vec<CompactString>>,
    /// From version 1 on.
    pub subscribed_topic_regex: Option<CompactString>,
    /// In all versions.
    pub server_assignor: Option<CompactString>,
    /// In all versions.
    pub topic_partitions: Option<Vec<RequestTopicPartitions>>,
}

impl Default for ConsumerGroupHeartbeatRequest {
    fn default() -> Self {
        Self {
            group_id: CompactString::const_new(""),
            member_id: CompactString::const_new(""),
            member_epoch: 0,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: -1,
            subscribed_topic_names: None,
            subscribed_topic_regex: None,
            server_assignor: None,
            topic_partitions: None,
        }
    }
}

impl ConsumerGroupHeartbeatRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            group_id: r.string(true).at("ConsumerGroupHeartbeatRequest.group_id")?,
            member_id: r.string(true).at("ConsumerGroupHeartbeatRequest.member_id")?,
            member_epoch: r.i32().at("ConsumerGroupHeartbeatRequest.member_epoch")?,
            instance_id: r.nullable_string(true).at("ConsumerGroupHeartbeatRequest.instance_id")?,
            rack_id: r.nullable_string(true).at("ConsumerGroupHeartbeatRequest.rack_id")?,
            rebalance_timeout_ms: r
                .i32()
                .at("ConsumerGroupHeartbeatRequest.rebalance_timeout_ms")?,
            subscribed_topic_names: r
                .nullable_array(true, 1, |r| r.string(true))
                .at("ConsumerGroupHeartbeatRequest.subscribed_topic_names")?,
            subscribed_topic_regex: if version >= 1 {
                r.nullable_string(true)
                    .at("ConsumerGroupHeartbeatRequest.subscribed_topic_regex")?
            } else {
                None
            },
            server_assignor: r
                .nullable_string(true)
                .at("ConsumerGroupHeartbeatRequest.server_assignor")?,
            topic_partitions: r
                .nullable_array(true, 18, |r| RequestTopicPartitions::read(r, version))
                .at("ConsumerGroupHeartbeatRequest.topic_partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.group_id, true).at("ConsumerGroupHeartbeatRequest.group_id")?;
        w.string(&self.member_id, true).at("ConsumerGroupHeartbeatRequest.member_id")?;
        w.i32(self.member_epoch);
        w.nullable_string(self.instance_id.as_deref(), true)
            .at("ConsumerGroupHeartbeatRequest.instance_id")?;
        w.nullable_string(self.rack_id.as_deref(), true)
            .at("ConsumerGroupHeartbeatRequest.rack_id")?;
        w.i32(self.rebalance_timeout_ms);
        w.nullable_array(self.subscribed_topic_names.as_deref(), true, |w, one| {
            Ok(w.string(one, true)?)
        })
        .at("ConsumerGroupHeartbeatRequest.subscribed_topic_names")?;
        if version >= 1 {
            w.nullable_string(self.subscribed_topic_regex.as_deref(), true)
                .at("ConsumerGroupHeartbeatRequest.subscribed_topic_regex")?;
        } else if self.subscribed_topic_regex.is_some() {
            return Err(Fault::NotInVersion)
                .at("ConsumerGroupHeartbeatRequest.subscribed_topic_regex");
        }
        w.nullable_string(self.server_assignor.as_deref(), true)
            .at("ConsumerGroupHeartbeatRequest.server_assignor")?;
        w.nullable_array(self.topic_partitions.as_deref(), true, |w, one| one.write(w, version))
            .at("ConsumerGroupHeartbeatRequest.topic_partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`ConsumerGroupHeartbeatRequest`], versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestTopicPartitions {
    /// In all versions.
    pub topic_id: Uuid,
    /// In all versions.
    pub partitions: Vec<i32>,
}

impl RequestTopicPartitions {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            topic_id: r.uuid().at("RequestTopicPartitions.topic_id")?,
            partitions: r.array(true, 4, Reader::i32).at("RequestTopicPartitions.partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.uuid(self.topic_id);
        w.array(&self.partitions, true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("RequestTopicPartitions.partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

/// `ConsumerGroupHeartbeatResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConsumerGroupHeartbeatResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub member_id: Option<CompactString>,
    /// In all versions.
    pub member_epoch: i32,
    /// In all versions.
    pub heartbeat_interval_ms: i32,
    /// In all versions.
    pub assignment: Option<Assignment>,
}

impl ConsumerGroupHeartbeatResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("ConsumerGroupHeartbeatResponse.throttle_time_ms")?,
            error_code: r.error().at("ConsumerGroupHeartbeatResponse.error_code")?,
            error_message: r
                .nullable_string(true)
                .at("ConsumerGroupHeartbeatResponse.error_message")?,
            member_id: r.nullable_string(true).at("ConsumerGroupHeartbeatResponse.member_id")?,
            member_epoch: r.i32().at("ConsumerGroupHeartbeatResponse.member_epoch")?,
            heartbeat_interval_ms: r
                .i32()
                .at("ConsumerGroupHeartbeatResponse.heartbeat_interval_ms")?,
            assignment: r
                .nullable_struct(|r| Assignment::read(r, version))
                .at("ConsumerGroupHeartbeatResponse.assignment")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("ConsumerGroupHeartbeatResponse.error_message")?;
        w.nullable_string(self.member_id.as_deref(), true)
            .at("ConsumerGroupHeartbeatResponse.member_id")?;
        w.i32(self.member_epoch);
        w.i32(self.heartbeat_interval_ms);
        w.nullable_struct(self.assignment.as_ref(), |w, value| value.write(w, version))
            .at("ConsumerGroupHeartbeatResponse.assignment")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`ConsumerGroupHeartbeatResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Assignment {
    /// In all versions.
    pub topic_partitions: Vec<ResponseTopicPartitions>,
}

impl Assignment {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            topic_partitions: r
                .array(true, 18, |r| ResponseTopicPartitions::read(r, version))
                .at("Assignment.topic_partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.array(&self.topic_partitions, true, |w, one| one.write(w, version))
            .at("Assignment.topic_partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`ConsumerGroupHeartbeatResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResponseTopicPartitions {
    /// In all versions.
    pub topic_id: Uuid,
    /// In all versions.
    pub partitions: Vec<i32>,
}

impl ResponseTopicPartitions {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            topic_id: r.uuid().at("ResponseTopicPartitions.topic_id")?,
            partitions: r.array(true, 4, Reader::i32).at("ResponseTopicPartitions.partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.uuid(self.topic_id);
        w.array(&self.partitions, true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("ResponseTopicPartitions.partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for ConsumerGroupHeartbeatRequest {
    const API: ApiKey = ApiKey::ConsumerGroupHeartbeat;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for ConsumerGroupHeartbeatResponse {
    const API: ApiKey = ApiKey::ConsumerGroupHeartbeat;
    const KIND: MessageKind = MessageKind::Response;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }

    fn throttle_time_ms(&self) -> i32 {
        self.throttle_time_ms
    }
}

impl crate::Request for ConsumerGroupHeartbeatRequest {
    type Response = ConsumerGroupHeartbeatResponse;
}
