// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! CreateTopics: creates topics.

use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `CreateTopicsRequest`, versions 2-7.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTopicsRequest {
    /// In all versions.
    pub topics: Vec<CreatableTopic>,
    /// In all versions. Default 60000.
    pub timeout_ms: i32,
    /// In all versions.
    pub validate_only: bool,
}

impl Default for CreateTopicsRequest {
    fn default() -> Self {
        Self { topics: Vec::new(), timeout_ms: 60000, validate_only: false }
    }
}

impl CreateTopicsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 5;
        let this = Self {
            topics: r
                .array(flexible, 10, |r| CreatableTopic::read(r, version))
                .at("CreateTopicsRequest.topics")?,
            timeout_ms: r.i32().at("CreateTopicsRequest.timeout_ms")?,
            validate_only: r.bool().at("CreateTopicsRequest.validate_only")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 5;
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("CreateTopicsRequest.topics")?;
        w.i32(self.timeout_ms);
        w.bool(self.validate_only);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`CreateTopicsRequest`], versions 2-7.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatableTopic {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub num_partitions: i32,
    /// In all versions.
    pub replication_factor: i16,
    /// In all versions.
    pub assignments: Vec<CreatableReplicaAssignment>,
    /// In all versions.
    pub configs: Vec<CreatableTopicConfig>,
}

impl CreatableTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 5;
        let this = Self {
            name: r.string(flexible).at("CreatableTopic.name")?,
            num_partitions: r.i32().at("CreatableTopic.num_partitions")?,
            replication_factor: r.i16().at("CreatableTopic.replication_factor")?,
            assignments: r
                .array(flexible, 6, |r| CreatableReplicaAssignment::read(r, version))
                .at("CreatableTopic.assignments")?,
            configs: r
                .array(flexible, 3, |r| CreatableTopicConfig::read(r, version))
                .at("CreatableTopic.configs")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 5;
        w.string(&self.name, flexible).at("CreatableTopic.name")?;
        w.i32(self.num_partitions);
        w.i16(self.replication_factor);
        w.array(&self.assignments, flexible, |w, one| one.write(w, version))
            .at("CreatableTopic.assignments")?;
        w.array(&self.configs, flexible, |w, one| one.write(w, version))
            .at("CreatableTopic.configs")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`CreateTopicsRequest`], versions 2-7.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatableReplicaAssignment {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub broker_ids: Vec<i32>,
}

impl CreatableReplicaAssignment {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 5;
        let this = Self {
            partition_index: r.i32().at("CreatableReplicaAssignment.partition_index")?,
            broker_ids: r
                .array(flexible, 4, Reader::i32)
                .at("CreatableReplicaAssignment.broker_ids")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 5;
        w.i32(self.partition_index);
        w.array(&self.broker_ids, flexible, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("CreatableReplicaAssignment.broker_ids")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`CreateTopicsRequest`], versions 2-7.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatableTopicConfig {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub value: Option<CompactString>,
}

impl Default for CreatableTopicConfig {
    fn default() -> Self {
        Self { name: CompactString::const_new(""), value: Some(CompactString::const_new("")) }
    }
}

impl CreatableTopicConfig {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 5;
        let this = Self {
            name: r.string(flexible).at("CreatableTopicConfig.name")?,
            value: r.nullable_string(flexible).at("CreatableTopicConfig.value")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 5;
        w.string(&self.name, flexible).at("CreatableTopicConfig.name")?;
        w.nullable_string(self.value.as_deref(), flexible).at("CreatableTopicConfig.value")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `CreateTopicsResponse`, versions 2-7.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateTopicsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub topics: Vec<CreatableTopicResult>,
}

impl CreateTopicsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 5;
        let this = Self {
            throttle_time_ms: r.i32().at("CreateTopicsResponse.throttle_time_ms")?,
            topics: r
                .array(flexible, 6, |r| CreatableTopicResult::read(r, version))
                .at("CreateTopicsResponse.topics")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 5;
        w.i32(self.throttle_time_ms);
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("CreateTopicsResponse.topics")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`CreateTopicsResponse`], versions 2-7.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatableTopicResult {
    /// In all versions.
    pub name: CompactString,
    /// From version 7 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// From version 5 on, tag 0. Lost in versions without it.
    pub topic_config_error_code: ErrorCode,
    /// From version 5 on. Default -1. Lost in versions without it.
    pub num_partitions: i32,
    /// From version 5 on. Default -1. Lost in versions without it.
    pub replication_factor: i16,
    /// From version 5 on. Lost in versions without it.
    pub configs: Option<Vec<CreatableTopicConfigs>>,
}

impl Default for CreatableTopicResult {
    fn default() -> Self {
        Self {
            name: CompactString::const_new(""),
            topic_id: Uuid::ZERO,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            topic_config_error_code: ErrorCode::NONE,
            num_partitions: -1,
            replication_factor: -1,
            configs: Some(Vec::new()),
        }
    }
}

impl CreatableTopicResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 5;
        let mut this = Self {
            name: r.string(flexible).at("CreatableTopicResult.name")?,
            topic_id: if version >= 7 {
                r.uuid().at("CreatableTopicResult.topic_id")?
            } else {
                Uuid::ZERO
            },
            error_code: r.error().at("CreatableTopicResult.error_code")?,
            error_message: r.nullable_string(flexible).at("CreatableTopicResult.error_message")?,
            topic_config_error_code: ErrorCode::NONE,
            num_partitions: if version >= 5 {
                r.i32().at("CreatableTopicResult.num_partitions")?
            } else {
                -1
            },
            replication_factor: if version >= 5 {
                r.i16().at("CreatableTopicResult.replication_factor")?
            } else {
                -1
            },
            configs: if version >= 5 {
                r.nullable_array(flexible, 6, |r| CreatableTopicConfigs::read(r, version))
                    .at("CreatableTopicResult.configs")?
            } else {
                Some(Vec::new())
            },
        };
        if flexible {
            r.tagged_fields(|tag, r| {
                match tag {
                    0 => {
                        this.topic_config_error_code =
                            r.error().at("CreatableTopicResult.topic_config_error_code")?
                    }
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 5;
        w.string(&self.name, flexible).at("CreatableTopicResult.name")?;
        if version >= 7 {
            w.uuid(self.topic_id);
        }
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), flexible)
            .at("CreatableTopicResult.error_message")?;
        if version >= 5 {
            w.i32(self.num_partitions);
        }
        if version >= 5 {
            w.i16(self.replication_factor);
        }
        if version >= 5 {
            w.nullable_array(self.configs.as_deref(), flexible, |w, one| one.write(w, version))
                .at("CreatableTopicResult.configs")?;
        }
        if flexible {
            w.uvarint(u32::from(self.topic_config_error_code != ErrorCode::NONE));
            if self.topic_config_error_code != ErrorCode::NONE {
                w.tagged_field(0, |w| {
                    w.error(self.topic_config_error_code);
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// Part of [`CreateTopicsResponse`], versions 5-7.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatableTopicConfigs {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub value: Option<CompactString>,
    /// In all versions.
    pub read_only: bool,
    /// In all versions. Default -1.
    pub config_source: i8,
    /// In all versions.
    pub is_sensitive: bool,
}

impl Default for CreatableTopicConfigs {
    fn default() -> Self {
        Self {
            name: CompactString::const_new(""),
            value: Some(CompactString::const_new("")),
            read_only: false,
            config_source: -1,
            is_sensitive: false,
        }
    }
}

impl CreatableTopicConfigs {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("CreatableTopicConfigs.name")?,
            value: r.nullable_string(true).at("CreatableTopicConfigs.value")?,
            read_only: r.bool().at("CreatableTopicConfigs.read_only")?,
            config_source: r.i8().at("CreatableTopicConfigs.config_source")?,
            is_sensitive: r.bool().at("CreatableTopicConfigs.is_sensitive")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("CreatableTopicConfigs.name")?;
        w.nullable_string(self.value.as_deref(), true).at("CreatableTopicConfigs.value")?;
        w.bool(self.read_only);
        w.i8(self.config_source);
        w.bool(self.is_sensitive);
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for CreateTopicsRequest {
    const API: ApiKey = ApiKey::CreateTopics;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for CreateTopicsResponse {
    const API: ApiKey = ApiKey::CreateTopics;
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

impl crate::Request for CreateTopicsRequest {
    type Response = CreateTopicsResponse;
}
