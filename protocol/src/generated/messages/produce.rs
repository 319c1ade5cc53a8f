// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! Produce: appends record batches to partitions.

use bytes::Bytes;
use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `ProduceRequest`, versions 3-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProduceRequest {
    /// In all versions.
    pub transactional_id: Option<CompactString>,
    /// In all versions.
    pub acks: i16,
    /// In all versions.
    pub timeout_ms: i32,
    /// In all versions.
    pub topic_data: Vec<TopicProduceData>,
}

impl ProduceRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 9;
        let this = Self {
            transactional_id: r.nullable_string(flexible).at("ProduceRequest.transactional_id")?,
            acks: r.i16().at("ProduceRequest.acks")?,
            timeout_ms: r.i32().at("ProduceRequest.timeout_ms")?,
            topic_data: r
                .array(flexible, 3, |r| TopicProduceData::read(r, version))
                .at("ProduceRequest.topic_data")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 9;
        w.nullable_string(self.transactional_id.as_deref(), flexible)
            .at("ProduceRequest.transactional_id")?;
        w.i16(self.acks);
        w.i32(self.timeout_ms);
        w.array(&self.topic_data, flexible, |w, one| one.write(w, version))
            .at("ProduceRequest.topic_data")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`ProduceRequest`], versions 3-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicProduceData {
    /// Up to version 12. Lost in versions without it.
    pub name: CompactString,
    /// From version 13 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// In all versions.
    pub partition_data: Vec<PartitionProduceData>,
}

impl TopicProduceData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 9;
        let this = Self {
            name: if version <= 12 {
                r.string(flexible).at("TopicProduceData.name")?
            } else {
                CompactString::const_new("")
            },
            topic_id: if version >= 13 {
                r.uuid().at("TopicProduceData.topic_id")?
            } else {
                Uuid::ZERO
            },
            partition_data: r
                .array(flexible, 6, |r| PartitionProduceData::read(r, version))
                .at("TopicProduceData.partition_data")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 9;
        if version <= 12 {
            w.string(&self.name, flexible).at("TopicProduceData.name")?;
        }
        if version >= 13 {
            w.uuid(self.topic_id);
        }
        w.array(&self.partition_data, flexible, |w, one| one.write(w, version))
            .at("TopicProduceData.partition_data")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`ProduceRequest`], versions 3-13.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionProduceData {
    /// In all versions.
    pub index: i32,
    /// In all versions. Record batches.
    pub records: Option<Bytes>,
}

impl Default for PartitionProduceData {
    fn default() -> Self {
        Self { index: 0, records: Some(Bytes::new()) }
    }
}

impl PartitionProduceData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 9;
        let this = Self {
            index: r.i32().at("PartitionProduceData.index")?,
            records: r.nullable_bytes(flexible).at("PartitionProduceData.records")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 9;
        w.i32(self.index);
        w.nullable_bytes(self.records.as_deref(), flexible).at("PartitionProduceData.records")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `ProduceResponse`, versions 3-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProduceResponse {
    /// In all versions.
    pub responses: Vec<TopicProduceResponse>,
    /// In all versions.
    pub throttle_time_ms: i32,
    /// From version 10 on, tag 0.
    pub node_endpoints: Vec<NodeEndpoint>,
}

impl ProduceResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 9;
        let mut this = Self {
            responses: r
                .array(flexible, 3, |r| TopicProduceResponse::read(r, version))
                .at("ProduceResponse.responses")?,
            throttle_time_ms: r.i32().at("ProduceResponse.throttle_time_ms")?,
            node_endpoints: Vec::new(),
        };
        if flexible {
            r.tagged_fields(|tag, r| {
                match tag {
                    0 if version >= 10 => {
                        this.node_endpoints = r
                            .array(true, 11, |r| NodeEndpoint::read(r, version))
                            .at("ProduceResponse.node_endpoints")?
                    }
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 9;
        w.array(&self.responses, flexible, |w, one| one.write(w, version))
            .at("ProduceResponse.responses")?;
        w.i32(self.throttle_time_ms);
        if version < 10 && !self.node_endpoints.is_empty() {
            return Err(Fault::NotInVersion).at("ProduceResponse.node_endpoints");
        }
        if flexible {
            w.uvarint(u32::from(version >= 10 && !self.node_endpoints.is_empty()));
            if version >= 10 && !self.node_endpoints.is_empty() {
                w.tagged_field(0, |w| {
                    w.array(&self.node_endpoints, true, |w, one| one.write(w, version))
                        .at("ProduceResponse.node_endpoints")?;
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// Part of [`ProduceResponse`], versions 3-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicProduceResponse {
    /// Up to version 12. Lost in versions without it.
    pub name: CompactString,
    /// From version 13 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// In all versions.
    pub partition_responses: Vec<PartitionProduceResponse>,
}

impl TopicProduceResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 9;
        let this = Self {
            name: if version <= 12 {
                r.string(flexible).at("TopicProduceResponse.name")?
            } else {
                CompactString::const_new("")
            },
            topic_id: if version >= 13 {
                r.uuid().at("TopicProduceResponse.topic_id")?
            } else {
                Uuid::ZERO
            },
            partition_responses: r
                .array(flexible, 22, |r| PartitionProduceResponse::read(r, version))
                .at("TopicProduceResponse.partition_responses")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 9;
        if version <= 12 {
            w.string(&self.name, flexible).at("TopicProduceResponse.name")?;
        }
        if version >= 13 {
            w.uuid(self.topic_id);
        }
        w.array(&self.partition_responses, flexible, |w, one| one.write(w, version))
            .at("TopicProduceResponse.partition_responses")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`ProduceResponse`], versions 3-13.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionProduceResponse {
    /// In all versions.
    pub index: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub base_offset: i64,
    /// In all versions. Default -1.
    pub log_append_time_ms: i64,
    /// From version 5 on. Default -1. Lost in versions without it.
    pub log_start_offset: i64,
    /// From version 8 on. Lost in versions without it.
    pub record_errors: Vec<BatchIndexAndErrorMessage>,
    /// From version 8 on. Lost in versions without it.
    pub error_message: Option<CompactString>,
    /// From version 10 on, tag 0.
    pub current_leader: LeaderIdAndEpoch,
}

impl Default for PartitionProduceResponse {
    fn default() -> Self {
        Self {
            index: 0,
            error_code: ErrorCode::NONE,
            base_offset: 0,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            error_message: None,
            current_leader: LeaderIdAndEpoch::default(),
        }
    }
}

impl PartitionProduceResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 9;
        let mut this = Self {
            index: r.i32().at("PartitionProduceResponse.index")?,
            error_code: r.error().at("PartitionProduceResponse.error_code")?,
            base_offset: r.i64().at("PartitionProduceResponse.base_offset")?,
            log_append_time_ms: r.i64().at("PartitionProduceResponse.log_append_time_ms")?,
            log_start_offset: if version >= 5 {
                r.i64().at("PartitionProduceResponse.log_start_offset")?
            } else {
                -1
            },
            record_errors: if version >= 8 {
                r.array(flexible, 6, |r| BatchIndexAndErrorMessage::read(r, version))
                    .at("PartitionProduceResponse.record_errors")?
            } else {
                Vec::new()
            },
            error_message: if version >= 8 {
                r.nullable_string(flexible).at("PartitionProduceResponse.error_message")?
            } else {
                None
            },
            current_leader: LeaderIdAndEpoch::default(),
        };
        if flexible {
            r.tagged_fields(|tag, r| {
                match tag {
                    0 if version >= 10 => {
                        this.current_leader = LeaderIdAndEpoch::read(r, version)
                            .at("PartitionProduceResponse.current_leader")?
                    }
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 9;
        w.i32(self.index);
        w.error(self.error_code);
        w.i64(self.base_offset);
        w.i64(self.log_append_time_ms);
        if version >= 5 {
            w.i64(self.log_start_offset);
        }
        if version >= 8 {
            w.array(&self.record_errors, flexible, |w, one| one.write(w, version))
                .at("PartitionProduceResponse.record_errors")?;
        }
        if version >= 8 {
            w.nullable_string(self.error_message.as_deref(), flexible)
                .at("PartitionProduceResponse.error_message")?;
        }
        if version < 10 && self.current_leader != LeaderIdAndEpoch::default() {
            return Err(Fault::NotInVersion).at("PartitionProduceResponse.current_leader");
        }
        if flexible {
            w.uvarint(u32::from(
                version >= 10 && self.current_leader != LeaderIdAndEpoch::default(),
            ));
            if version >= 10 && self.current_leader != LeaderIdAndEpoch::default() {
                w.tagged_field(0, |w| {
                    self.current_leader
                        .write(w, version)
                        .at("PartitionProduceResponse.current_leader")?;
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// Part of [`ProduceResponse`], versions 8-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchIndexAndErrorMessage {
    /// In all versions.
    pub batch_index: i32,
    /// In all versions.
    pub batch_index_error_message: Option<CompactString>,
}

impl BatchIndexAndErrorMessage {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 9;
        let this = Self {
            batch_index: r.i32().at("BatchIndexAndErrorMessage.batch_index")?,
            batch_index_error_message: r
                .nullable_string(flexible)
                .at("BatchIndexAndErrorMessage.batch_index_error_message")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 9;
        w.i32(self.batch_index);
        w.nullable_string(self.batch_index_error_message.as_deref(), flexible)
            .at("BatchIndexAndErrorMessage.batch_index_error_message")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`ProduceResponse`], versions 10-13.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaderIdAndEpoch {
    /// In all versions. Default -1.
    pub leader_id: i32,
    /// In all versions. Default -1.
    pub leader_epoch: i32,
}

impl Default for LeaderIdAndEpoch {
    fn default() -> Self {
        Self { leader_id: -1, leader_epoch: -1 }
    }
}

impl LeaderIdAndEpoch {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            leader_id: r.i32().at("LeaderIdAndEpoch.leader_id")?,
            leader_epoch: r.i32().at("LeaderIdAndEpoch.leader_epoch")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.leader_id);
        w.i32(self.leader_epoch);
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`ProduceResponse`], versions 10-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeEndpoint {
    /// In all versions.
    pub node_id: i32,
    /// In all versions.
    pub host: CompactString,
    /// In all versions.
    pub port: i32,
    /// In all versions.
    pub rack: Option<CompactString>,
}

impl NodeEndpoint {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            node_id: r.i32().at("NodeEndpoint.node_id")?,
            host: r.string(true).at("NodeEndpoint.host")?,
            port: r.i32().at("NodeEndpoint.port")?,
            rack: r.nullable_string(true).at("NodeEndpoint.rack")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.node_id);
        w.string(&self.host, true).at("NodeEndpoint.host")?;
        w.i32(self.port);
        w.nullable_string(self.rack.as_deref(), true).at("NodeEndpoint.rack")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for ProduceRequest {
    const API: ApiKey = ApiKey::Produce;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for ProduceResponse {
    const API: ApiKey = ApiKey::Produce;
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

impl crate::Request for ProduceRequest {
    type Response = ProduceResponse;
}
