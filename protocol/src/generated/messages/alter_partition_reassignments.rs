// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! AlterPartitionReassignments: starts or cancels the reassignment of partitions (KIP-455).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `AlterPartitionReassignmentsRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterPartitionReassignmentsRequest {
    /// In all versions. Default 60000.
    pub timeout_ms: i32,
    /// From version 1 on. Default true.
    pub allow_replication_factor_change: bool,
    /// In all versions.
    pub topics: Vec<ReassignableTopic>,
}

impl Default for AlterPartitionReassignmentsRequest {
    fn default() -> Self {
        Self { timeout_ms: 60000, allow_replication_factor_change: true, topics: Vec::new() }
    }
}

impl AlterPartitionReassignmentsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            timeout_ms: r.i32().at("AlterPartitionReassignmentsRequest.timeout_ms")?,
            allow_replication_factor_change: if version >= 1 {
                r.bool().at("AlterPartitionReassignmentsRequest.allow_replication_factor_change")?
            } else {
                true
            },
            topics: r
                .array(true, 3, |r| ReassignableTopic::read(r, version))
                .at("AlterPartitionReassignmentsRequest.topics")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.timeout_ms);
        if version >= 1 {
            w.bool(self.allow_replication_factor_change);
        } else if !self.allow_replication_factor_change {
            return Err(Fault::NotInVersion)
                .at("AlterPartitionReassignmentsRequest.allow_replication_factor_change");
        }
        w.array(&self.topics, true, |w, one| one.write(w, version))
            .at("AlterPartitionReassignmentsRequest.topics")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`AlterPartitionReassignmentsRequest`], versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReassignableTopic {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<ReassignablePartition>,
}

impl ReassignableTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("ReassignableTopic.name")?,
            partitions: r
                .array(true, 6, |r| ReassignablePartition::read(r, version))
                .at("ReassignableTopic.partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("ReassignableTopic.name")?;
        w.array(&self.partitions, true, |w, one| one.write(w, version))
            .at("ReassignableTopic.partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`AlterPartitionReassignmentsRequest`], versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReassignablePartition {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub replicas: Option<Vec<i32>>,
}

impl ReassignablePartition {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            partition_index: r.i32().at("ReassignablePartition.partition_index")?,
            replicas: r
                .nullable_array(true, 4, Reader::i32)
                .at("ReassignablePartition.replicas")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.partition_index);
        w.nullable_array(self.replicas.as_deref(), true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("ReassignablePartition.replicas")?;
        w.uvarint(0);
        Ok(())
    }
}

/// `AlterPartitionReassignmentsResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterPartitionReassignmentsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// From version 1 on. Default true. Lost in versions without it.
    pub allow_replication_factor_change: bool,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub responses: Vec<ReassignableTopicResponse>,
}

impl Default for AlterPartitionReassignmentsResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            allow_replication_factor_change: true,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            responses: Vec::new(),
        }
    }
}

impl AlterPartitionReassignmentsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("AlterPartitionReassignmentsResponse.throttle_time_ms")?,
            allow_replication_factor_change: if version >= 1 {
                r.bool()
                    .at("AlterPartitionReassignmentsResponse.allow_replication_factor_change")?
            } else {
                true
            },
            error_code: r.error().at("AlterPartitionReassignmentsResponse.error_code")?,
            error_message: r
                .nullable_string(true)
                .at("AlterPartitionReassignmentsResponse.error_message")?,
            responses: r
                .array(true, 3, |r| ReassignableTopicResponse::read(r, version))
                .at("AlterPartitionReassignmentsResponse.responses")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        if version >= 1 {
            w.bool(self.allow_replication_factor_change);
        }
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("AlterPartitionReassignmentsResponse.error_message")?;
        w.array(&self.responses, true, |w, one| one.write(w, version))
            .at("AlterPartitionReassignmentsResponse.responses")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`AlterPartitionReassignmentsResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReassignableTopicResponse {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<ReassignablePartitionResponse>,
}

impl ReassignableTopicResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("ReassignableTopicResponse.name")?,
            partitions: r
                .array(true, 8, |r| ReassignablePartitionResponse::read(r, version))
                .at("ReassignableTopicResponse.partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("ReassignableTopicResponse.name")?;
        w.array(&self.partitions, true, |w, one| one.write(w, version))
            .at("ReassignableTopicResponse.partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`AlterPartitionReassignmentsResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct ReassignablePartitionResponse {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
}

impl Default for ReassignablePartitionResponse {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
        }
    }
}

impl ReassignablePartitionResponse {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            partition_index: r.i32().at("ReassignablePartitionResponse.partition_index")?,
            error_code: r.error().at("ReassignablePartitionResponse.error_code")?,
            error_message: r
                .nullable_string(true)
                .at("ReassignablePartitionResponse.error_message")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.partition_index);
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("ReassignablePartitionResponse.error_message")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for AlterPartitionReassignmentsRequest {
    const API: ApiKey = ApiKey::AlterPartitionReassignments;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for AlterPartitionReassignmentsResponse {
    const API: ApiKey = ApiKey::AlterPartitionReassignments;
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

impl crate::Request for AlterPartitionReassignmentsRequest {
    type Response = AlterPartitionReassignmentsResponse;
}
