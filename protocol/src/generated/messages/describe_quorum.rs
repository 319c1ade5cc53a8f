// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DescribeQuorum: describes the quorum of the metadata log (KIP-595).

use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `DescribeQuorumRequest`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeQuorumRequest {
    /// In all versions.
    pub topics: Vec<RequestTopicData>,
}

impl DescribeQuorumRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            topics: r
                .array(true, 3, |r| RequestTopicData::read(r, version))
                .at("DescribeQuorumRequest.topics")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.array(&self.topics, true, |w, one| one.write(w, version))
            .at("DescribeQuorumRequest.topics")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeQuorumRequest`], versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestTopicData {
    /// In all versions.
    pub topic_name: CompactString,
    /// In all versions.
    pub partitions: Vec<RequestPartitionData>,
}

impl RequestTopicData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            topic_name: r.string(true).at("RequestTopicData.topic_name")?,
            partitions: r
                .array(true, 5, |r| RequestPartitionData::read(r, version))
                .at("RequestTopicData.partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.topic_name, true).at("RequestTopicData.topic_name")?;
        w.array(&self.partitions, true, |w, one| one.write(w, version))
            .at("RequestTopicData.partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeQuorumRequest`], versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestPartitionData {
    /// In all versions.
    pub partition_index: i32,
}

impl RequestPartitionData {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self { partition_index: r.i32().at("RequestPartitionData.partition_index")? };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.partition_index);
        w.uvarint(0);
        Ok(())
    }
}

/// `DescribeQuorumResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeQuorumResponse {
    /// In all versions.
    pub error_code: ErrorCode,
    /// From version 2 on. Lost in versions without it.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub topics: Vec<ResponseTopicData>,
    /// From version 2 on.
    pub nodes: Vec<Node>,
}

impl Default for DescribeQuorumResponse {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            topics: Vec::new(),
            nodes: Vec::new(),
        }
    }
}

impl DescribeQuorumResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            error_code: r.error().at("DescribeQuorumResponse.error_code")?,
            error_message: if version >= 2 {
                r.nullable_string(true).at("DescribeQuorumResponse.error_message")?
            } else {
                Some(CompactString::const_new(""))
            },
            topics: r
                .array(true, 3, |r| ResponseTopicData::read(r, version))
                .at("DescribeQuorumResponse.topics")?,
            nodes: if version >= 2 {
                r.array(true, 6, |r| Node::read(r, version)).at("DescribeQuorumResponse.nodes")?
            } else {
                Vec::new()
            },
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.error(self.error_code);
        if version >= 2 {
            w.nullable_string(self.error_message.as_deref(), true)
                .at("DescribeQuorumResponse.error_message")?;
        }
        w.array(&self.topics, true, |w, one| one.write(w, version))
            .at("DescribeQuorumResponse.topics")?;
        if version >= 2 {
            w.array(&self.nodes, true, |w, one| one.write(w, version))
                .at("DescribeQuorumResponse.nodes")?;
        } else if !self.nodes.is_empty() {
            return Err(Fault::NotInVersion).at("DescribeQuorumResponse.nodes");
        }
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeQuorumResponse`], versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResponseTopicData {
    /// In all versions.
    pub topic_name: CompactString,
    /// In all versions.
    pub partitions: Vec<ResponsePartitionData>,
}

impl ResponseTopicData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            topic_name: r.string(true).at("ResponseTopicData.topic_name")?,
            partitions: r
                .array(true, 25, |r| ResponsePartitionData::read(r, version))
                .at("ResponseTopicData.partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.topic_name, true).at("ResponseTopicData.topic_name")?;
        w.array(&self.partitions, true, |w, one| one.write(w, version))
            .at("ResponseTopicData.partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeQuorumResponse`], versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct ResponsePartitionData {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// From version 2 on. Lost in versions without it.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub leader_id: i32,
    /// In all versions.
    pub leader_epoch: i32,
    /// In all versions.
    pub high_watermark: i64,
    /// In all versions.
    pub current_voters: Vec<ReplicaState>,
    /// In all versions.
    pub observers: Vec<ReplicaState>,
}

impl Default for ResponsePartitionData {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            leader_id: 0,
            leader_epoch: 0,
            high_watermark: 0,
            current_voters: Vec::new(),
            observers: Vec::new(),
        }
    }
}

impl ResponsePartitionData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            partition_index: r.i32().at("ResponsePartitionData.partition_index")?,
            error_code: r.error().at("ResponsePartitionData.error_code")?,
            error_message: if version >= 2 {
                r.nullable_string(true).at("ResponsePartitionData.error_message")?
            } else {
                Some(CompactString::const_new(""))
            },
            leader_id: r.i32().at("ResponsePartitionData.leader_id")?,
            leader_epoch: r.i32().at("ResponsePartitionData.leader_epoch")?,
            high_watermark: r.i64().at("ResponsePartitionData.high_watermark")?,
            current_voters: r
                .array(true, 13, |r| ReplicaState::read(r, version))
                .at("ResponsePartitionData.current_voters")?,
            observers: r
                .array(true, 13, |r| ReplicaState::read(r, version))
                .at("ResponsePartitionData.observers")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.partition_index);
        w.error(self.error_code);
        if version >= 2 {
            w.nullable_string(self.error_message.as_deref(), true)
                .at("ResponsePartitionData.error_message")?;
        }
        w.i32(self.leader_id);
        w.i32(self.leader_epoch);
        w.i64(self.high_watermark);
        w.array(&self.current_voters, true, |w, one| one.write(w, version))
            .at("ResponsePartitionData.current_voters")?;
        w.array(&self.observers, true, |w, one| one.write(w, version))
            .at("ResponsePartitionData.observers")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeQuorumResponse`], version 2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Node {
    /// In all versions.
    pub node_id: i32,
    /// In all versions.
    pub listeners: Vec<Listener>,
}

impl Node {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            node_id: r.i32().at("Node.node_id")?,
            listeners: r.array(true, 5, |r| Listener::read(r, version)).at("Node.listeners")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.node_id);
        w.array(&self.listeners, true, |w, one| one.write(w, version)).at("Node.listeners")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeQuorumResponse`], version 2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Listener {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub host: CompactString,
    /// In all versions.
    pub port: u16,
}

impl Listener {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("Listener.name")?,
            host: r.string(true).at("Listener.host")?,
            port: r.u16().at("Listener.port")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("Listener.name")?;
        w.string(&self.host, true).at("Listener.host")?;
        w.u16(self.port);
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeQuorumResponse`], versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaState {
    /// In all versions.
    pub replica_id: i32,
    /// From version 2 on.
    pub replica_directory_id: Uuid,
    /// In all versions.
    pub log_end_offset: i64,
    /// From version 1 on. Default -1. Lost in versions without it.
    pub last_fetch_timestamp: i64,
    /// From version 1 on. Default -1. Lost in versions without it.
    pub last_caught_up_timestamp: i64,
}

impl Default for ReplicaState {
    fn default() -> Self {
        Self {
            replica_id: 0,
            replica_directory_id: Uuid::ZERO,
            log_end_offset: 0,
            last_fetch_timestamp: -1,
            last_caught_up_timestamp: -1,
        }
    }
}

impl ReplicaState {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            replica_id: r.i32().at("ReplicaState.replica_id")?,
            replica_directory_id: if version >= 2 {
                r.uuid().at("ReplicaState.replica_directory_id")?
            } else {
                Uuid::ZERO
            },
            log_end_offset: r.i64().at("ReplicaState.log_end_offset")?,
            last_fetch_timestamp: if version >= 1 {
                r.i64().at("ReplicaState.last_fetch_timestamp")?
            } else {
                -1
            },
            last_caught_up_timestamp: if version >= 1 {
                r.i64().at("ReplicaState.last_caught_up_timestamp")?
            } else {
                -1
            },
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.replica_id);
        if version >= 2 {
            w.uuid(self.replica_directory_id);
        } else if self.replica_directory_id != Uuid::ZERO {
            return Err(Fault::NotInVersion).at("ReplicaState.replica_directory_id");
        }
        w.i64(self.log_end_offset);
        if version >= 1 {
            w.i64(self.last_fetch_timestamp);
        }
        if version >= 1 {
            w.i64(self.last_caught_up_timestamp);
        }
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for DescribeQuorumRequest {
    const API: ApiKey = ApiKey::DescribeQuorum;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DescribeQuorumResponse {
    const API: ApiKey = ApiKey::DescribeQuorum;
    const KIND: MessageKind = MessageKind::Response;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Request for DescribeQuorumRequest {
    type Response = DescribeQuorumResponse;
}
