// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! OffsetDelete: deletes committed offsets of a group (KIP-496).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `OffsetDeleteRequest`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteRequest {
    /// In all versions.
    pub group_id: CompactString,
    /// In all versions.
    pub topics: Vec<OffsetDeleteRequestTopic>,
}

impl OffsetDeleteRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            group_id: r.string(false).at("OffsetDeleteRequest.group_id")?,
            topics: r
                .array(false, 6, |r| OffsetDeleteRequestTopic::read(r, version))
                .at("OffsetDeleteRequest.topics")?,
        };
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.group_id, false).at("OffsetDeleteRequest.group_id")?;
        w.array(&self.topics, false, |w, one| one.write(w, version))
            .at("OffsetDeleteRequest.topics")?;
        Ok(())
    }
}

/// Part of [`OffsetDeleteRequest`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteRequestTopic {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<OffsetDeleteRequestPartition>,
}

impl OffsetDeleteRequestTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(false).at("OffsetDeleteRequestTopic.name")?,
            partitions: r
                .array(false, 4, |r| OffsetDeleteRequestPartition::read(r, version))
                .at("OffsetDeleteRequestTopic.partitions")?,
        };
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.name, false).at("OffsetDeleteRequestTopic.name")?;
        w.array(&self.partitions, false, |w, one| one.write(w, version))
            .at("OffsetDeleteRequestTopic.partitions")?;
        Ok(())
    }
}

/// Part of [`OffsetDeleteRequest`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteRequestPartition {
    /// In all versions.
    pub partition_index: i32,
}

impl OffsetDeleteRequestPartition {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this =
            Self { partition_index: r.i32().at("OffsetDeleteRequestPartition.partition_index")? };
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.partition_index);
        Ok(())
    }
}

/// `OffsetDeleteResponse`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteResponse {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub topics: Vec<OffsetDeleteResponseTopic>,
}

impl OffsetDeleteResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            error_code: r.error().at("OffsetDeleteResponse.error_code")?,
            throttle_time_ms: r.i32().at("OffsetDeleteResponse.throttle_time_ms")?,
            topics: r
                .array(false, 6, |r| OffsetDeleteResponseTopic::read(r, version))
                .at("OffsetDeleteResponse.topics")?,
        };
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.error(self.error_code);
        w.i32(self.throttle_time_ms);
        w.array(&self.topics, false, |w, one| one.write(w, version))
            .at("OffsetDeleteResponse.topics")?;
        Ok(())
    }
}

/// Part of [`OffsetDeleteResponse`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteResponseTopic {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<OffsetDeleteResponsePartition>,
}

impl OffsetDeleteResponseTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(false).at("OffsetDeleteResponseTopic.name")?,
            partitions: r
                .array(false, 6, |r| OffsetDeleteResponsePartition::read(r, version))
                .at("OffsetDeleteResponseTopic.partitions")?,
        };
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.name, false).at("OffsetDeleteResponseTopic.name")?;
        w.array(&self.partitions, false, |w, one| one.write(w, version))
            .at("OffsetDeleteResponseTopic.partitions")?;
        Ok(())
    }
}

/// Part of [`OffsetDeleteResponse`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteResponsePartition {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub error_code: ErrorCode,
}

impl OffsetDeleteResponsePartition {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            partition_index: r.i32().at("OffsetDeleteResponsePartition.partition_index")?,
            error_code: r.error().at("OffsetDeleteResponsePartition.error_code")?,
        };
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.partition_index);
        w.error(self.error_code);
        Ok(())
    }
}

impl crate::Message for OffsetDeleteRequest {
    const API: ApiKey = ApiKey::OffsetDelete;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for OffsetDeleteResponse {
    const API: ApiKey = ApiKey::OffsetDelete;
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

impl crate::Request for OffsetDeleteRequest {
    type Response = OffsetDeleteResponse;
}
