// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DescribeTopicPartitions: describes topics page by page (KIP-966).

use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `DescribeTopicPartitionsRequest`, version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeTopicPartitionsRequest {
    /// In all versions.
    pub topics: Vec<TopicRequest>,
    /// In all versions. Default 2000.
    pub response_partition_limit: i32,
    /// In all versions.
    pub cursor: Option<RequestCursor>,
}

impl Default for DescribeTopicPartitionsRequest {
    fn default() -> Self {
        Self { topics: Vec::new(), response_partition_limit: 2000, cursor: None }
    }
}

impl DescribeTopicPartitionsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            topics: r
                .array(true, 2, |r| TopicRequest::read(r, version))
                .at("DescribeTopicPartitionsRequest.topics")?,
            response_partition_limit: r
                .i32()
                .at("DescribeTopicPartitionsRequest.response_partition_limit")?,
            cursor: r
                .nullable_struct(|r| RequestCursor::read(r, version))
                .at("DescribeTopicPartitionsRequest.cursor")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.array(&self.topics, true, |w, one| one.write(w, version))
            .at("DescribeTopicPartitionsRequest.topics")?;
        w.i32(self.response_partition_limit);
        w.nullable_struct(self.cursor.as_ref(), |w, value| value.write(w, version))
            .at("DescribeTopicPartitionsRequest.cursor")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeTopicPartitionsRequest`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicRequest {
    /// In all versions.
    pub name: CompactString,
}

impl TopicRequest {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self { name: r.string(true).at("TopicRequest.name")? };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("TopicRequest.name")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeTopicPartitionsRequest`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestCursor {
    /// In all versions.
    pub topic_name: CompactString,
    /// In all versions.
    pub partition_index: i32,
}

impl RequestCursor {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            topic_name: r.string(true).at("RequestCursor.topic_name")?,
            partition_index: r.i32().at("RequestCursor.partition_index")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.topic_name, true).at("RequestCursor.topic_name")?;
        w.i32(self.partition_index);
        w.uvarint(0);
        Ok(())
    }
}

/// `DescribeTopicPartitionsResponse`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeTopicPartitionsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub topics: Vec<DescribeTopicPartitionsResponseTopic>,
    /// In all versions.
    pub next_cursor: Option<ResponseCursor>,
}

impl DescribeTopicPartitionsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("DescribeTopicPartitionsResponse.throttle_time_ms")?,
            topics: r
                .array(true, 26, |r| DescribeTopicPartitionsResponseTopic::read(r, version))
                .at("DescribeTopicPartitionsResponse.topics")?,
            next_cursor: r
                .nullable_struct(|r| ResponseCursor::read(r, version))
                .at("DescribeTopicPartitionsResponse.next_cursor")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.array(&self.topics, true, |w, one| one.write(w, version))
            .at("DescribeTopicPartitionsResponse.topics")?;
        w.nullable_struct(self.next_cursor.as_ref(), |w, value| value.write(w, version))
            .at("DescribeTopicPartitionsResponse.next_cursor")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeTopicPartitionsResponse`], version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeTopicPartitionsResponseTopic {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub name: Option<CompactString>,
    /// In all versions.
    pub topic_id: Uuid,
    /// In all versions.
    pub is_internal: bool,
    /// In all versions.
    pub partitions: Vec<DescribeTopicPartitionsResponsePartition>,
    /// In all versions. Default -2147483648.
    pub topic_authorized_operations: i32,
}

impl Default for DescribeTopicPartitionsResponseTopic {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            name: Some(CompactString::const_new("")),
            topic_id: Uuid::ZERO,
            is_internal: false,
            partitions: Vec::new(),
            topic_authorized_operations: i32::MIN,
        }
    }
}

impl DescribeTopicPartitionsResponseTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            error_code: r.error().at("DescribeTopicPartitionsResponseTopic.error_code")?,
            name: r.nullable_string(true).at("DescribeTopicPartitionsResponseTopic.name")?,
            topic_id: r.uuid().at("DescribeTopicPartitionsResponseTopic.topic_id")?,
            is_internal: r.bool().at("DescribeTopicPartitionsResponseTopic.is_internal")?,
            partitions: r
                .array(true, 20, |r| DescribeTopicPartitionsResponsePartition::read(r, version))
                .at("DescribeTopicPartitionsResponseTopic.partitions")?,
            topic_authorized_operations: r
                .i32()
                .at("DescribeTopicPartitionsResponseTopic.topic_authorized_operations")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.error(self.error_code);
        w.nullable_string(self.name.as_deref(), true)
            .at("DescribeTopicPartitionsResponseTopic.name")?;
        w.uuid(self.topic_id);
        w.bool(self.is_internal);
        w.array(&self.partitions, true, |w, one| one.write(w, version))
            .at("DescribeTopicPartitionsResponseTopic.partitions")?;
        w.i32(self.topic_authorized_operations);
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeTopicPartitionsResponse`], version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeTopicPartitionsResponsePartition {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub leader_id: i32,
    /// In all versions. Default -1.
    pub leader_epoch: i32,
    /// In all versions.
    pub replica_nodes: Vec<i32>,
    /// In all versions.
    pub isr_nodes: Vec<i32>,
    /// In all versions.
    pub eligible_leader_replicas: Option<Vec<i32>>,
    /// In all versions.
    pub last_known_elr: Option<Vec<i32>>,
    /// In all versions.
    pub offline_replicas: Vec<i32>,
}

impl Default for DescribeTopicPartitionsResponsePartition {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            partition_index: 0,
            leader_id: 0,
            leader_epoch: -1,
            replica_nodes: Vec::new(),
            isr_nodes: Vec::new(),
            eligible_leader_replicas: None,
            last_known_elr: None,
            offline_replicas: Vec::new(),
        }
    }
}

impl DescribeTopicPartitionsResponsePartition {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            error_code: r.error().at("DescribeTopicPartitionsResponsePartition.error_code")?,
            partition_index: r
                .i32()
                .at("DescribeTopicPartitionsResponsePartition.partition_index")?,
            leader_id: r.i32().at("DescribeTopicPartitionsResponsePartition.leader_id")?,
            leader_epoch: r.i32().at("DescribeTopicPartitionsResponsePartition.leader_epoch")?,
            replica_nodes: r
                .array(true, 4, Reader::i32)
                .at("DescribeTopicPartitionsResponsePartition.replica_nodes")?,
            isr_nodes: r
                .array(true, 4, Reader::i32)
                .at("DescribeTopicPartitionsResponsePartition.isr_nodes")?,
            eligible_leader_replicas: r
                .nullable_array(true, 4, Reader::i32)
                .at("DescribeTopicPartitionsResponsePartition.eligible_leader_replicas")?,
            last_known_elr: r
                .nullable_array(true, 4, Reader::i32)
                .at("DescribeTopicPartitionsResponsePartition.last_known_elr")?,
            offline_replicas: r
                .array(true, 4, Reader::i32)
                .at("DescribeTopicPartitionsResponsePartition.offline_replicas")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.error(self.error_code);
        w.i32(self.partition_index);
        w.i32(self.leader_id);
        w.i32(self.leader_epoch);
        w.array(&self.replica_nodes, true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("DescribeTopicPartitionsResponsePartition.replica_nodes")?;
        w.array(&self.isr_nodes, true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("DescribeTopicPartitionsResponsePartition.isr_nodes")?;
        w.nullable_array(self.eligible_leader_replicas.as_deref(), true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("DescribeTopicPartitionsResponsePartition.eligible_leader_replicas")?;
        w.nullable_array(self.last_known_elr.as_deref(), true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("DescribeTopicPartitionsResponsePartition.last_known_elr")?;
        w.array(&self.offline_replicas, true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("DescribeTopicPartitionsResponsePartition.offline_replicas")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeTopicPartitionsResponse`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResponseCursor {
    /// In all versions.
    pub topic_name: CompactString,
    /// In all versions.
    pub partition_index: i32,
}

impl ResponseCursor {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            topic_name: r.string(true).at("ResponseCursor.topic_name")?,
            partition_index: r.i32().at("ResponseCursor.partition_index")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.topic_name, true).at("ResponseCursor.topic_name")?;
        w.i32(self.partition_index);
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for DescribeTopicPartitionsRequest {
    const API: ApiKey = ApiKey::DescribeTopicPartitions;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DescribeTopicPartitionsResponse {
    const API: ApiKey = ApiKey::DescribeTopicPartitions;
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

impl crate::Request for DescribeTopicPartitionsRequest {
    type Response = DescribeTopicPartitionsResponse;
}
