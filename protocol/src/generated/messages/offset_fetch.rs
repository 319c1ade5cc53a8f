// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! OffsetFetch: reads committed offsets of one or several groups.

use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `OffsetFetchRequest`, versions 1-10.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchRequest {
    /// Up to version 7.
    pub group_id: CompactString,
    /// Up to version 7. Null only in versions 2-7.
    pub topics: Option<Vec<OffsetFetchRequestTopic>>,
    /// From version 8 on.
    pub groups: Vec<OffsetFetchRequestGroup>,
    /// From version 7 on.
    pub require_stable: bool,
}

impl Default for OffsetFetchRequest {
    fn default() -> Self {
        Self {
            group_id: CompactString::const_new(""),
            topics: Some(Vec::new()),
            groups: Vec::new(),
            require_stable: false,
        }
    }
}

impl OffsetFetchRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            group_id: if version <= 7 {
                r.string(flexible).at("OffsetFetchRequest.group_id")?
            } else {
                CompactString::const_new("")
            },
            topics: if version <= 7 {
                if version >= 2 {
                    r.nullable_array(flexible, 3, |r| OffsetFetchRequestTopic::read(r, version))
                        .at("OffsetFetchRequest.topics")?
                } else {
                    Some(
                        r.array(flexible, 3, |r| OffsetFetchRequestTopic::read(r, version))
                            .at("OffsetFetchRequest.topics")?,
                    )
                }
            } else {
                Some(Vec::new())
            },
            groups: if version >= 8 {
                r.array(flexible, 3, |r| OffsetFetchRequestGroup::read(r, version))
                    .at("OffsetFetchRequest.groups")?
            } else {
                Vec::new()
            },
            require_stable: if version >= 7 {
                r.bool().at("OffsetFetchRequest.require_stable")?
            } else {
                false
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 6;
        if version <= 7 {
            w.string(&self.group_id, flexible).at("OffsetFetchRequest.group_id")?;
        } else if !self.group_id.is_empty() {
            return Err(Fault::NotInVersion).at("OffsetFetchRequest.group_id");
        }
        if version <= 7 {
            if version >= 2 {
                w.nullable_array(self.topics.as_deref(), flexible, |w, one| one.write(w, version))
                    .at("OffsetFetchRequest.topics")?;
            } else {
                let value =
                    self.topics.as_ref().ok_or(Fault::Null).at("OffsetFetchRequest.topics")?;
                w.array(value, flexible, |w, one| one.write(w, version))
                    .at("OffsetFetchRequest.topics")?;
            }
        } else if self.topics != Some(Vec::new()) {
            return Err(Fault::NotInVersion).at("OffsetFetchRequest.topics");
        }
        if version >= 8 {
            w.array(&self.groups, flexible, |w, one| one.write(w, version))
                .at("OffsetFetchRequest.groups")?;
        } else if !self.groups.is_empty() {
            return Err(Fault::NotInVersion).at("OffsetFetchRequest.groups");
        }
        if version >= 7 {
            w.bool(self.require_stable);
        } else if self.require_stable {
            return Err(Fault::NotInVersion).at("OffsetFetchRequest.require_stable");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`OffsetFetchRequest`], versions 1-7.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchRequestTopic {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partition_indexes: Vec<i32>,
}

impl OffsetFetchRequestTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            name: r.string(flexible).at("OffsetFetchRequestTopic.name")?,
            partition_indexes: r
                .array(flexible, 4, Reader::i32)
                .at("OffsetFetchRequestTopic.partition_indexes")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 6;
        w.string(&self.name, flexible).at("OffsetFetchRequestTopic.name")?;
        w.array(&self.partition_indexes, flexible, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("OffsetFetchRequestTopic.partition_indexes")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`OffsetFetchRequest`], versions 8-10.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchRequestGroup {
    /// In all versions.
    pub group_id: CompactString,
    /// From version 9 on. Lost in versions without it.
    pub member_id: Option<CompactString>,
    /// From version 9 on. Default -1. Lost in versions without it.
    pub member_epoch: i32,
    /// In all versions.
    pub topics: Option<Vec<OffsetFetchRequestTopics>>,
}

impl Default for OffsetFetchRequestGroup {
    fn default() -> Self {
        Self {
            group_id: CompactString::const_new(""),
            member_id: None,
            member_epoch: -1,
            topics: Some(Vec::new()),
        }
    }
}

impl OffsetFetchRequestGroup {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            group_id: r.string(true).at("OffsetFetchRequestGroup.group_id")?,
            member_id: if version >= 9 {
                r.nullable_string(true).at("OffsetFetchRequestGroup.member_id")?
            } else {
                None
            },
            member_epoch: if version >= 9 {
                r.i32().at("OffsetFetchRequestGroup.member_epoch")?
            } else {
                -1
            },
            topics: r
                .nullable_array(true, 3, |r| OffsetFetchRequestTopics::read(r, version))
                .at("OffsetFetchRequestGroup.topics")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.group_id, true).at("OffsetFetchRequestGroup.group_id")?;
        if version >= 9 {
            w.nullable_string(self.member_id.as_deref(), true)
                .at("OffsetFetchRequestGroup.member_id")?;
        }
        if version >= 9 {
            w.i32(self.member_epoch);
        }
        w.nullable_array(self.topics.as_deref(), true, |w, one| one.write(w, version))
            .at("OffsetFetchRequestGroup.topics")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`OffsetFetchRequest`], versions 8-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchRequestTopics {
    /// Versions 8-9. Lost in versions without it.
    pub name: CompactString,
    /// From version 10 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// In all versions.
    pub partition_indexes: Vec<i32>,
}

impl OffsetFetchRequestTopics {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: if version <= 9 {
                r.string(true).at("OffsetFetchRequestTopics.name")?
            } else {
                CompactString::const_new("")
            },
            topic_id: if version >= 10 {
                r.uuid().at("OffsetFetchRequestTopics.topic_id")?
            } else {
                Uuid::ZERO
            },
            partition_indexes: r
                .array(true, 4, Reader::i32)
                .at("OffsetFetchRequestTopics.partition_indexes")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        if version <= 9 {
            w.string(&self.name, true).at("OffsetFetchRequestTopics.name")?;
        }
        if version >= 10 {
            w.uuid(self.topic_id);
        }
        w.array(&self.partition_indexes, true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("OffsetFetchRequestTopics.partition_indexes")?;
        w.uvarint(0);
        Ok(())
    }
}

/// `OffsetFetchResponse`, versions 1-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchResponse {
    /// From version 3 on. Lost in versions without it.
    pub throttle_time_ms: i32,
    /// Up to version 7.
    pub topics: Vec<OffsetFetchResponseTopic>,
    /// Versions 2-7. Lost in versions without it.
    pub error_code: ErrorCode,
    /// From version 8 on.
    pub groups: Vec<OffsetFetchResponseGroup>,
}

impl OffsetFetchResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            throttle_time_ms: if version >= 3 {
                r.i32().at("OffsetFetchResponse.throttle_time_ms")?
            } else {
                0
            },
            topics: if version <= 7 {
                r.array(flexible, 3, |r| OffsetFetchResponseTopic::read(r, version))
                    .at("OffsetFetchResponse.topics")?
            } else {
                Vec::new()
            },
            error_code: if (2..=7).contains(&version) {
                r.error().at("OffsetFetchResponse.error_code")?
            } else {
                ErrorCode::NONE
            },
            groups: if version >= 8 {
                r.array(flexible, 5, |r| OffsetFetchResponseGroup::read(r, version))
                    .at("OffsetFetchResponse.groups")?
            } else {
                Vec::new()
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 6;
        if version >= 3 {
            w.i32(self.throttle_time_ms);
        }
        if version <= 7 {
            w.array(&self.topics, flexible, |w, one| one.write(w, version))
                .at("OffsetFetchResponse.topics")?;
        } else if !self.topics.is_empty() {
            return Err(Fault::NotInVersion).at("OffsetFetchResponse.topics");
        }
        if (2..=7).contains(&version) {
            w.error(self.error_code);
        }
        if version >= 8 {
            w.array(&self.groups, flexible, |w, one| one.write(w, version))
                .at("OffsetFetchResponse.groups")?;
        } else if !self.groups.is_empty() {
            return Err(Fault::NotInVersion).at("OffsetFetchResponse.groups");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`OffsetFetchResponse`], versions 1-7.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchResponseTopic {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<OffsetFetchResponsePartition>,
}

impl OffsetFetchResponseTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            name: r.string(flexible).at("OffsetFetchResponseTopic.name")?,
            partitions: r
                .array(flexible, 16, |r| OffsetFetchResponsePartition::read(r, version))
                .at("OffsetFetchResponseTopic.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 6;
        w.string(&self.name, flexible).at("OffsetFetchResponseTopic.name")?;
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("OffsetFetchResponseTopic.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`OffsetFetchResponse`], versions 1-7.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchResponsePartition {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub committed_offset: i64,
    /// Versions 5-7. Default -1. Lost in versions without it.
    pub committed_leader_epoch: i32,
    /// In all versions.
    pub metadata: Option<CompactString>,
    /// In all versions.
    pub error_code: ErrorCode,
}

impl Default for OffsetFetchResponsePartition {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            metadata: Some(CompactString::const_new("")),
            error_code: ErrorCode::NONE,
        }
    }
}

impl OffsetFetchResponsePartition {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            partition_index: r.i32().at("OffsetFetchResponsePartition.partition_index")?,
            committed_offset: r.i64().at("OffsetFetchResponsePartition.committed_offset")?,
            committed_leader_epoch: if version >= 5 {
                r.i32().at("OffsetFetchResponsePartition.committed_leader_epoch")?
            } else {
                -1
            },
            metadata: r.nullable_string(flexible).at("OffsetFetchResponsePartition.metadata")?,
            error_code: r.error().at("OffsetFetchResponsePartition.error_code")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 6;
        w.i32(self.partition_index);
        w.i64(self.committed_offset);
        if version >= 5 {
            w.i32(self.committed_leader_epoch);
        }
        w.nullable_string(self.metadata.as_deref(), flexible)
            .at("OffsetFetchResponsePartition.metadata")?;
        w.error(self.error_code);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`OffsetFetchResponse`], versions 8-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchResponseGroup {
    /// In all versions.
    pub group_id: CompactString,
    /// In all versions.
    pub topics: Vec<OffsetFetchResponseTopics>,
    /// In all versions.
    pub error_code: ErrorCode,
}

impl OffsetFetchResponseGroup {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            group_id: r.string(true).at("OffsetFetchResponseGroup.group_id")?,
            topics: r
                .array(true, 3, |r| OffsetFetchResponseTopics::read(r, version))
                .at("OffsetFetchResponseGroup.topics")?,
            error_code: r.error().at("OffsetFetchResponseGroup.error_code")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.group_id, true).at("OffsetFetchResponseGroup.group_id")?;
        w.array(&self.topics, true, |w, one| one.write(w, version))
            .at("OffsetFetchResponseGroup.topics")?;
        w.error(self.error_code);
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`OffsetFetchResponse`], versions 8-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchResponseTopics {
    /// Versions 8-9. Lost in versions without it.
    pub name: CompactString,
    /// From version 10 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// In all versions.
    pub partitions: Vec<OffsetFetchResponsePartitions>,
}

impl OffsetFetchResponseTopics {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: if version <= 9 {
                r.string(true).at("OffsetFetchResponseTopics.name")?
            } else {
                CompactString::const_new("")
            },
            topic_id: if version >= 10 {
                r.uuid().at("OffsetFetchResponseTopics.topic_id")?
            } else {
                Uuid::ZERO
            },
            partitions: r
                .array(true, 20, |r| OffsetFetchResponsePartitions::read(r, version))
                .at("OffsetFetchResponseTopics.partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        if version <= 9 {
            w.string(&self.name, true).at("OffsetFetchResponseTopics.name")?;
        }
        if version >= 10 {
            w.uuid(self.topic_id);
        }
        w.array(&self.partitions, true, |w, one| one.write(w, version))
            .at("OffsetFetchResponseTopics.partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`OffsetFetchResponse`], versions 8-10.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchResponsePartitions {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub committed_offset: i64,
    /// In all versions. Default -1.
    pub committed_leader_epoch: i32,
    /// In all versions.
    pub metadata: Option<CompactString>,
    /// In all versions.
    pub error_code: ErrorCode,
}

impl Default for OffsetFetchResponsePartitions {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            metadata: Some(CompactString::const_new("")),
            error_code: ErrorCode::NONE,
        }
    }
}

impl OffsetFetchResponsePartitions {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            partition_index: r.i32().at("OffsetFetchResponsePartitions.partition_index")?,
            committed_offset: r.i64().at("OffsetFetchResponsePartitions.committed_offset")?,
            committed_leader_epoch: r
                .i32()
                .at("OffsetFetchResponsePartitions.committed_leader_epoch")?,
            metadata: r.nullable_string(true).at("OffsetFetchResponsePartitions.metadata")?,
            error_code: r.error().at("OffsetFetchResponsePartitions.error_code")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.partition_index);
        w.i64(self.committed_offset);
        w.i32(self.committed_leader_epoch);
        w.nullable_string(self.metadata.as_deref(), true)
            .at("OffsetFetchResponsePartitions.metadata")?;
        w.error(self.error_code);
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for OffsetFetchRequest {
    const API: ApiKey = ApiKey::OffsetFetch;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for OffsetFetchResponse {
    const API: ApiKey = ApiKey::OffsetFetch;
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

impl crate::Request for OffsetFetchRequest {
    type Response = OffsetFetchResponse;
}
