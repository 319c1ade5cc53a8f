// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! TxnOffsetCommit: commits offsets within a transaction.

use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `TxnOffsetCommitRequest`, versions 0-6.
#[derive(Debug, Clone, PartialEq)]
pub struct TxnOffsetCommitRequest {
    /// In all versions.
    pub transactional_id: CompactString,
    /// In all versions.
    pub group_id: CompactString,
    /// In all versions.
    pub producer_id: i64,
    /// In all versions.
    pub producer_epoch: i16,
    /// From version 3 on. Default -1.
    pub generation_id_or_member_epoch: i32,
    /// From version 3 on.
    pub member_id: CompactString,
    /// From version 3 on.
    pub group_instance_id: Option<CompactString>,
    /// In all versions.
    pub topics: Vec<TxnOffsetCommitRequestTopic>,
}

impl Default for TxnOffsetCommitRequest {
    fn default() -> Self {
        Self {
            transactional_id: CompactString::const_new(""),
            group_id: CompactString::const_new(""),
            producer_id: 0,
            producer_epoch: 0,
            generation_id_or_member_epoch: -1,
            member_id: CompactString::const_new(""),
            group_instance_id: None,
            topics: Vec::new(),
        }
    }
}

impl TxnOffsetCommitRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            transactional_id: r.string(flexible).at("TxnOffsetCommitRequest.transactional_id")?,
            group_id: r.string(flexible).at("TxnOffsetCommitRequest.group_id")?,
            producer_id: r.i64().at("TxnOffsetCommitRequest.producer_id")?,
            producer_epoch: r.i16().at("TxnOffsetCommitRequest.producer_epoch")?,
            generation_id_or_member_epoch: if version >= 3 {
                r.i32().at("TxnOffsetCommitRequest.generation_id_or_member_epoch")?
            } else {
                -1
            },
            member_id: if version >= 3 {
                r.string(flexible).at("TxnOffsetCommitRequest.member_id")?
            } else {
                CompactString::const_new("")
            },
            group_instance_id: if version >= 3 {
                r.nullable_string(flexible).at("TxnOffsetCommitRequest.group_instance_id")?
            } else {
                None
            },
            topics: r
                .array(flexible, 3, |r| TxnOffsetCommitRequestTopic::read(r, version))
                .at("TxnOffsetCommitRequest.topics")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        w.string(&self.transactional_id, flexible).at("TxnOffsetCommitRequest.transactional_id")?;
        w.string(&self.group_id, flexible).at("TxnOffsetCommitRequest.group_id")?;
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        if version >= 3 {
            w.i32(self.generation_id_or_member_epoch);
        } else if self.generation_id_or_member_epoch != -1 {
            return Err(Fault::NotInVersion)
                .at("TxnOffsetCommitRequest.generation_id_or_member_epoch");
        }
        if version >= 3 {
            w.string(&self.member_id, flexible).at("TxnOffsetCommitRequest.member_id")?;
        } else if !self.member_id.is_empty() {
            return Err(Fault::NotInVersion).at("TxnOffsetCommitRequest.member_id");
        }
        if version >= 3 {
            w.nullable_string(self.group_instance_id.as_deref(), flexible)
                .at("TxnOffsetCommitRequest.group_instance_id")?;
        } else if self.group_instance_id.is_some() {
            return Err(Fault::NotInVersion).at("TxnOffsetCommitRequest.group_instance_id");
        }
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("TxnOffsetCommitRequest.topics")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`TxnOffsetCommitRequest`], versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TxnOffsetCommitRequestTopic {
    /// Up to version 5. Lost in versions without it.
    pub name: CompactString,
    /// From version 6 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// In all versions.
    pub partitions: Vec<TxnOffsetCommitRequestPartition>,
}

impl TxnOffsetCommitRequestTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            name: if version <= 5 {
                r.string(flexible).at("TxnOffsetCommitRequestTopic.name")?
            } else {
                CompactString::const_new("")
            },
            topic_id: if version >= 6 {
                r.uuid().at("TxnOffsetCommitRequestTopic.topic_id")?
            } else {
                Uuid::ZERO
            },
            partitions: r
                .array(flexible, 14, |r| TxnOffsetCommitRequestPartition::read(r, version))
                .at("TxnOffsetCommitRequestTopic.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        if version <= 5 {
            w.string(&self.name, flexible).at("TxnOffsetCommitRequestTopic.name")?;
        }
        if version >= 6 {
            w.uuid(self.topic_id);
        }
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("TxnOffsetCommitRequestTopic.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`TxnOffsetCommitRequest`], versions 0-6.
#[derive(Debug, Clone, PartialEq)]
pub struct TxnOffsetCommitRequestPartition {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub committed_offset: i64,
    /// From version 2 on. Default -1. Lost in versions without it.
    pub committed_leader_epoch: i32,
    /// In all versions.
    pub committed_metadata: Option<CompactString>,
}

impl Default for TxnOffsetCommitRequestPartition {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            committed_metadata: Some(CompactString::const_new("")),
        }
    }
}

impl TxnOffsetCommitRequestPartition {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            partition_index: r.i32().at("TxnOffsetCommitRequestPartition.partition_index")?,
            committed_offset: r.i64().at("TxnOffsetCommitRequestPartition.committed_offset")?,
            committed_leader_epoch: if version >= 2 {
                r.i32().at("TxnOffsetCommitRequestPartition.committed_leader_epoch")?
            } else {
                -1
            },
            committed_metadata: r
                .nullable_string(flexible)
                .at("TxnOffsetCommitRequestPartition.committed_metadata")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        w.i32(self.partition_index);
        w.i64(self.committed_offset);
        if version >= 2 {
            w.i32(self.committed_leader_epoch);
        }
        w.nullable_string(self.committed_metadata.as_deref(), flexible)
            .at("TxnOffsetCommitRequestPartition.committed_metadata")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `TxnOffsetCommitResponse`, versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TxnOffsetCommitResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub topics: Vec<TxnOffsetCommitResponseTopic>,
}

impl TxnOffsetCommitResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            throttle_time_ms: r.i32().at("TxnOffsetCommitResponse.throttle_time_ms")?,
            topics: r
                .array(flexible, 3, |r| TxnOffsetCommitResponseTopic::read(r, version))
                .at("TxnOffsetCommitResponse.topics")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        w.i32(self.throttle_time_ms);
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("TxnOffsetCommitResponse.topics")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`TxnOffsetCommitResponse`], versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TxnOffsetCommitResponseTopic {
    /// Up to version 5. Lost in versions without it.
    pub name: CompactString,
    /// From version 6 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// In all versions.
    pub partitions: Vec<TxnOffsetCommitResponsePartition>,
}

impl TxnOffsetCommitResponseTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            name: if version <= 5 {
                r.string(flexible).at("TxnOffsetCommitResponseTopic.name")?
            } else {
                CompactString::const_new("")
            },
            topic_id: if version >= 6 {
                r.uuid().at("TxnOffsetCommitResponseTopic.topic_id")?
            } else {
                Uuid::ZERO
            },
            partitions: r
                .array(flexible, 6, |r| TxnOffsetCommitResponsePartition::read(r, version))
                .at("TxnOffsetCommitResponseTopic.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        if version <= 5 {
            w.string(&self.name, flexible).at("TxnOffsetCommitResponseTopic.name")?;
        }
        if version >= 6 {
            w.uuid(self.topic_id);
        }
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("TxnOffsetCommitResponseTopic.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`TxnOffsetCommitResponse`], versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TxnOffsetCommitResponsePartition {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub error_code: ErrorCode,
}

impl TxnOffsetCommitResponsePartition {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            partition_index: r.i32().at("TxnOffsetCommitResponsePartition.partition_index")?,
            error_code: r.error().at("TxnOffsetCommitResponsePartition.error_code")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        w.i32(self.partition_index);
        w.error(self.error_code);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for TxnOffsetCommitRequest {
    const API: ApiKey = ApiKey::TxnOffsetCommit;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for TxnOffsetCommitResponse {
    const API: ApiKey = ApiKey::TxnOffsetCommit;
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

impl crate::Request for TxnOffsetCommitRequest {
    type Response = TxnOffsetCommitResponse;
}
