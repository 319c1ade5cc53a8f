// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! CreatePartitions: adds partitions to topics.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `CreatePartitionsRequest`, versions 0-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatePartitionsRequest {
    /// In all versions.
    pub topics: Vec<CreatePartitionsTopic>,
    /// In all versions.
    pub timeout_ms: i32,
    /// In all versions.
    pub validate_only: bool,
}

impl CreatePartitionsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            topics: r
                .array(flexible, 7, |r| CreatePartitionsTopic::read(r, version))
                .at("CreatePartitionsRequest.topics")?,
            timeout_ms: r.i32().at("CreatePartitionsRequest.timeout_ms")?,
            validate_only: r.bool().at("CreatePartitionsRequest.validate_only")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("CreatePartitionsRequest.topics")?;
        w.i32(self.timeout_ms);
        w.bool(self.validate_only);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`CreatePartitionsRequest`], versions 0-3.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatePartitionsTopic {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub count: i32,
    /// In all versions.
    pub assignments: Option<Vec<CreatePartitionsAssignment>>,
}

impl Default for CreatePartitionsTopic {
    fn default() -> Self {
        Self { name: CompactString::const_new(""), count: 0, assignments: Some(Vec::new()) }
    }
}

impl CreatePartitionsTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            name: r.string(flexible).at("CreatePartitionsTopic.name")?,
            count: r.i32().at("CreatePartitionsTopic.count")?,
            assignments: r
                .nullable_array(flexible, 2, |r| CreatePartitionsAssignment::read(r, version))
                .at("CreatePartitionsTopic.assignments")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.string(&self.name, flexible).at("CreatePartitionsTopic.name")?;
        w.i32(self.count);
        w.nullable_array(self.assignments.as_deref(), flexible, |w, one| one.write(w, version))
            .at("CreatePartitionsTopic.assignments")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`CreatePartitionsRequest`], versions 0-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatePartitionsAssignment {
    /// In all versions.
    pub broker_ids: Vec<i32>,
}

impl CreatePartitionsAssignment {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            broker_ids: r
                .array(flexible, 4, Reader::i32)
                .at("CreatePartitionsAssignment.broker_ids")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.array(&self.broker_ids, flexible, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("CreatePartitionsAssignment.broker_ids")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `CreatePartitionsResponse`, versions 0-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatePartitionsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub results: Vec<CreatePartitionsTopicResult>,
}

impl CreatePartitionsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            throttle_time_ms: r.i32().at("CreatePartitionsResponse.throttle_time_ms")?,
            results: r
                .array(flexible, 5, |r| CreatePartitionsTopicResult::read(r, version))
                .at("CreatePartitionsResponse.results")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i32(self.throttle_time_ms);
        w.array(&self.results, flexible, |w, one| one.write(w, version))
            .at("CreatePartitionsResponse.results")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`CreatePartitionsResponse`], versions 0-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatePartitionsTopicResult {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
}

impl CreatePartitionsTopicResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            name: r.string(flexible).at("CreatePartitionsTopicResult.name")?,
            error_code: r.error().at("CreatePartitionsTopicResult.error_code")?,
            error_message: r
                .nullable_string(flexible)
                .at("CreatePartitionsTopicResult.error_message")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.string(&self.name, flexible).at("CreatePartitionsTopicResult.name")?;
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), flexible)
            .at("CreatePartitionsTopicResult.error_message")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for CreatePartitionsRequest {
    const API: ApiKey = ApiKey::CreatePartitions;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for CreatePartitionsResponse {
    const API: ApiKey = ApiKey::CreatePartitions;
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

impl crate::Request for CreatePartitionsRequest {
    type Response = CreatePartitionsResponse;
}
