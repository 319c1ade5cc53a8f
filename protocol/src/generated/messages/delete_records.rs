// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DeleteRecords: moves the log start of partitions forward.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `DeleteRecordsRequest`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteRecordsRequest {
    /// In all versions.
    pub topics: Vec<DeleteRecordsTopic>,
    /// In all versions.
    pub timeout_ms: i32,
}

impl DeleteRecordsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            topics: r
                .array(flexible, 3, |r| DeleteRecordsTopic::read(r, version))
                .at("DeleteRecordsRequest.topics")?,
            timeout_ms: r.i32().at("DeleteRecordsRequest.timeout_ms")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("DeleteRecordsRequest.topics")?;
        w.i32(self.timeout_ms);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DeleteRecordsRequest`], versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteRecordsTopic {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<DeleteRecordsPartition>,
}

impl DeleteRecordsTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            name: r.string(flexible).at("DeleteRecordsTopic.name")?,
            partitions: r
                .array(flexible, 12, |r| DeleteRecordsPartition::read(r, version))
                .at("DeleteRecordsTopic.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.string(&self.name, flexible).at("DeleteRecordsTopic.name")?;
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("DeleteRecordsTopic.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DeleteRecordsRequest`], versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteRecordsPartition {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub offset: i64,
}

impl DeleteRecordsPartition {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            partition_index: r.i32().at("DeleteRecordsPartition.partition_index")?,
            offset: r.i64().at("DeleteRecordsPartition.offset")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i32(self.partition_index);
        w.i64(self.offset);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `DeleteRecordsResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteRecordsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub topics: Vec<DeleteRecordsTopicResult>,
}

impl DeleteRecordsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            throttle_time_ms: r.i32().at("DeleteRecordsResponse.throttle_time_ms")?,
            topics: r
                .array(flexible, 3, |r| DeleteRecordsTopicResult::read(r, version))
                .at("DeleteRecordsResponse.topics")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i32(self.throttle_time_ms);
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("DeleteRecordsResponse.topics")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DeleteRecordsResponse`], versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteRecordsTopicResult {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<DeleteRecordsPartitionResult>,
}

impl DeleteRecordsTopicResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            name: r.string(flexible).at("DeleteRecordsTopicResult.name")?,
            partitions: r
                .array(flexible, 14, |r| DeleteRecordsPartitionResult::read(r, version))
                .at("DeleteRecordsTopicResult.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.string(&self.name, flexible).at("DeleteRecordsTopicResult.name")?;
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("DeleteRecordsTopicResult.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DeleteRecordsResponse`], versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteRecordsPartitionResult {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub low_watermark: i64,
    /// In all versions.
    pub error_code: ErrorCode,
}

impl DeleteRecordsPartitionResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            partition_index: r.i32().at("DeleteRecordsPartitionResult.partition_index")?,
            low_watermark: r.i64().at("DeleteRecordsPartitionResult.low_watermark")?,
            error_code: r.error().at("DeleteRecordsPartitionResult.error_code")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i32(self.partition_index);
        w.i64(self.low_watermark);
        w.error(self.error_code);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for DeleteRecordsRequest {
    const API: ApiKey = ApiKey::DeleteRecords;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DeleteRecordsResponse {
    const API: ApiKey = ApiKey::DeleteRecords;
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

impl crate::Request for DeleteRecordsRequest {
    type Response = DeleteRecordsResponse;
}
