// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! OffsetCommit: commits consumer offsets of a group.

use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `OffsetCommitRequest`, versions 2-10.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetCommitRequest {
    /// In all versions.
    pub group_id: CompactString,
    /// In all versions. Default -1.
    pub generation_id_or_member_epoch: i32,
    /// In all versions.
    pub member_id: CompactString,
    /// From version 7 on.
    pub group_instance_id: Option<CompactString>,
    /// Up to version 4. Default -1. Lost in versions without it.
    pub retention_time_ms: i64,
    /// In all versions.
    pub topics: Vec<OffsetCommitRequestTopic>,
}

impl Default for OffsetCommitRequest {
    fn default() -> Self {
        Self {
            group_id: CompactString::const_new(""),
            generation_id_or_member_epoch: -1,
            member_id: CompactString::const_new(""),
            group_instance_id: None,
            retention_time_ms: -1,
            topics: Vec::new(),
        }
    }
}

impl OffsetCommitRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 8;
        let this = Self {
            group_id: r.string(flexible).at("OffsetCommitRequest.group_id")?,
            generation_id_or_member_epoch: r
                .i32()
                .at("OffsetCommitRequest.generation_id_or_member_epoch")?,
            member_id: r.string(flexible).at("OffsetCommitRequest.member_id")?,
            group_instance_id: if version >= 7 {
                r.nullable_string(flexible).at("OffsetCommitRequest.group_instance_id")?
            } else {
                None
            },
            retention_time_ms: if version <= 4 {
                r.i64().at("OffsetCommitRequest.retention_time_ms")?
            } else {
                -1
            },
            topics: r
                .array(flexible, 3, |r| OffsetCommitRequestTopic::read(r, version))
                .at("OffsetCommitRequest.topics")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 8;
        w.string(&self.group_id, flexible).at("OffsetCommitRequest.group_id")?;
        w.i32(self.generation_id_or_member_epoch);
        w.string(&self.member_id, flexible).at("OffsetCommitRequest.member_id")?;
        if version >= 7 {
            w.nullable_string(self.group_instance_id.as_deref(), flexible)
                .at("OffsetCommitRequest.group_instance_id")?;
        } else if self.group_instance_id.is_some() {
            return Err(Fault::NotInVersion).at("OffsetCommitRequest.group_instance_id");
        }
        if version <= 4 {
            w.i64(self.retention_time_ms);
        }
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("OffsetCommitRequest.topics")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`OffsetCommitRequest`], versions 2-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetCommitRequestTopic {
    /// Up to version 9. Lost in versions without it.
    pub name: CompactString,
    /// From version 10 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// In all versions.
    pub partitions: Vec<OffsetCommitRequestPartition>,
}

impl OffsetCommitRequestTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 8;
        let this = Self {
            name: if version <= 9 {
                r.string(flexible).at("OffsetCommitRequestTopic.name")?
            } else {
                CompactString::const_new("")
            },
            topic_id: if version >= 10 {
                r.uuid().at("OffsetCommitRequestTopic.topic_id")?
            } else {
                Uuid::ZERO
            },
            partitions: r
                .array(flexible, 14, |r| OffsetCommitRequestPartition::read(r, version))
                .at("OffsetCommitRequestTopic.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 8;
        if version <= 9 {
            w.string(&self.name, flexible).at("OffsetCommitRequestTopic.name")?;
        }
        if version >= 10 {
            w.uuid(self.topic_id);
        }
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("OffsetCommitRequestTopic.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`OffsetCommitRequest`], versions 2-10.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetCommitRequestPartition {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub committed_offset: i64,
    /// From version 6 on. Default -1. Lost in versions without it.
    pub committed_leader_epoch: i32,
    /// In all versions.
    pub committed_metadata: Option<CompactString>,
}

impl Default for OffsetCommitRequestPartition {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            committed_metadata: Some(CompactString::const_new("")),
        }
    }
}

impl OffsetCommitRequestPartition {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 8;
        let this = Self {
            partition_index: r.i32().at("OffsetCommitRequestPartition.partition_index")?,
            committed_offset: r.i64().at("OffsetCommitRequestPartition.committed_offset")?,
            committed_leader_epoch: if version >= 6 {
                r.i32().at("OffsetCommitRequestPartition.committed_leader_epoch")?
            } else {
                -1
            },
            committed_metadata: r
                .nullable_string(flexible)
                .at("OffsetCommitRequestPartition.committed_metadata")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 8;
        w.i32(self.partition_index);
        w.i64(self.committed_offset);
        if version >= 6 {
            w.i32(self.committed_leader_epoch);
        }
        w.nullable_string(self.committed_metadata.as_deref(), flexible)
            .at("OffsetCommitRequestPartition.committed_metadata")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `OffsetCommitResponse`, versions 2-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetCommitResponse {
    /// From version 3 on. Lost in versions without it.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub topics: Vec<OffsetCommitResponseTopic>,
}

impl OffsetCommitResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 8;
        let this = Self {
            throttle_time_ms: if version >= 3 {
                r.i32().at("OffsetCommitResponse.throttle_time_ms")?
            } else {
                0
            },
            topics: r
                .array(flexible, 3, |r| OffsetCommitResponseTopic::read(r, version))
                .at("OffsetCommitResponse.topics")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 8;
        if version >= 3 {
            w.i32(self.throttle_time_ms);
        }
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("OffsetCommitResponse.topics")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`OffsetCommitResponse`], versions 2-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetCommitResponseTopic {
    /// Up to version 9. Lost in versions without it.
    pub name: CompactString,
    /// From version 10 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// In all versions.
    pub partitions: Vec<OffsetCommitResponsePartition>,
}

impl OffsetCommitResponseTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 8;
        let this = Self {
            name: if version <= 9 {
                r.string(flexible).at("OffsetCommitResponseTopic.name")?
            } else {
                CompactString::const_new("")
            },
            topic_id: if version >= 10 {
                r.uuid().at("OffsetCommitResponseTopic.topic_id")?
            } else {
                Uuid::ZERO
            },
            partitions: r
                .array(flexible, 6, |r| OffsetCommitResponsePartition::read(r, version))
                .at("OffsetCommitResponseTopic.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 8;
        if version <= 9 {
            w.string(&self.name, flexible).at("OffsetCommitResponseTopic.name")?;
        }
        if version >= 10 {
            w.uuid(self.topic_id);
        }
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("OffsetCommitResponseTopic.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`OffsetCommitResponse`], versions 2-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetCommitResponsePartition {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub error_code: ErrorCode,
}

impl OffsetCommitResponsePartition {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 8;
        let this = Self {
            partition_index: r.i32().at("OffsetCommitResponsePartition.partition_index")?,
            error_code: r.error().at("OffsetCommitResponsePartition.error_code")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 8;
        w.i32(self.partition_index);
        w.error(self.error_code);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for OffsetCommitRequest {
    const API: ApiKey = ApiKey::OffsetCommit;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for OffsetCommitResponse {
    const API: ApiKey = ApiKey::OffsetCommit;
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

impl crate::Request for OffsetCommitRequest {
    type Response = OffsetCommitResponse;
}
