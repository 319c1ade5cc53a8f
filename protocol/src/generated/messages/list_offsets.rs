// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! ListOffsets: finds offsets by timestamp or by a special timestamp (earliest, latest, ...).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `ListOffsetsRequest`, versions 1-11.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListOffsetsRequest {
    /// In all versions.
    pub replica_id: i32,
    /// From version 2 on.
    pub isolation_level: i8,
    /// In all versions.
    pub topics: Vec<ListOffsetsTopic>,
    /// From version 10 on. Lost in versions without it.
    pub timeout_ms: i32,
}

impl ListOffsetsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            replica_id: r.i32().at("ListOffsetsRequest.replica_id")?,
            isolation_level: if version >= 2 {
                r.i8().at("ListOffsetsRequest.isolation_level")?
            } else {
                0
            },
            topics: r
                .array(flexible, 3, |r| ListOffsetsTopic::read(r, version))
                .at("ListOffsetsRequest.topics")?,
            timeout_ms: if version >= 10 {
                r.i32().at("ListOffsetsRequest.timeout_ms")?
            } else {
                0
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 6;
        w.i32(self.replica_id);
        if version >= 2 {
            w.i8(self.isolation_level);
        } else if self.isolation_level != 0 {
            return Err(Fault::NotInVersion).at("ListOffsetsRequest.isolation_level");
        }
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("ListOffsetsRequest.topics")?;
        if version >= 10 {
            w.i32(self.timeout_ms);
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`ListOffsetsRequest`], versions 1-11.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListOffsetsTopic {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<ListOffsetsPartition>,
}

impl ListOffsetsTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            name: r.string(flexible).at("ListOffsetsTopic.name")?,
            partitions: r
                .array(flexible, 12, |r| ListOffsetsPartition::read(r, version))
                .at("ListOffsetsTopic.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 6;
        w.string(&self.name, flexible).at("ListOffsetsTopic.name")?;
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("ListOffsetsTopic.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`ListOffsetsRequest`], versions 1-11.
#[derive(Debug, Clone, PartialEq)]
pub struct ListOffsetsPartition {
    /// In all versions.
    pub partition_index: i32,
    /// From version 4 on. Default -1. Lost in versions without it.
    pub current_leader_epoch: i32,
    /// In all versions.
    pub timestamp: i64,
}

impl Default for ListOffsetsPartition {
    fn default() -> Self {
        Self { partition_index: 0, current_leader_epoch: -1, timestamp: 0 }
    }
}

impl ListOffsetsPartition {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            partition_index: r.i32().at("ListOffsetsPartition.partition_index")?,
            current_leader_epoch: if version >= 4 {
                r.i32().at("ListOffsetsPartition.current_leader_epoch")?
            } else {
                -1
            },
            timestamp: r.i64().at("ListOffsetsPartition.timestamp")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 6;
        w.i32(self.partition_index);
        if version >= 4 {
            w.i32(self.current_leader_epoch);
        }
        w.i64(self.timestamp);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `ListOffsetsResponse`, versions 1-11.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListOffsetsResponse {
    /// From version 2 on. Lost in versions without it.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub topics: Vec<ListOffsetsTopicResponse>,
}

impl ListOffsetsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            throttle_time_ms: if version >= 2 {
                r.i32().at("ListOffsetsResponse.throttle_time_ms")?
            } else {
                0
            },
            topics: r
                .array(flexible, 3, |r| ListOffsetsTopicResponse::read(r, version))
                .at("ListOffsetsResponse.topics")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 6;
        if version >= 2 {
            w.i32(self.throttle_time_ms);
        }
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("ListOffsetsResponse.topics")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`ListOffsetsResponse`], versions 1-11.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListOffsetsTopicResponse {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<ListOffsetsPartitionResponse>,
}

impl ListOffsetsTopicResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            name: r.string(flexible).at("ListOffsetsTopicResponse.name")?,
            partitions: r
                .array(flexible, 22, |r| ListOffsetsPartitionResponse::read(r, version))
                .at("ListOffsetsTopicResponse.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 6;
        w.string(&self.name, flexible).at("ListOffsetsTopicResponse.name")?;
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("ListOffsetsTopicResponse.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`ListOffsetsResponse`], versions 1-11.
#[derive(Debug, Clone, PartialEq)]
pub struct ListOffsetsPartitionResponse {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions. Default -1.
    pub timestamp: i64,
    /// In all versions. Default -1.
    pub offset: i64,
    /// From version 4 on. Default -1.
    pub leader_epoch: i32,
}

impl Default for ListOffsetsPartitionResponse {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: ErrorCode::NONE,
            timestamp: -1,
            offset: -1,
            leader_epoch: -1,
        }
    }
}

impl ListOffsetsPartitionResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            partition_index: r.i32().at("ListOffsetsPartitionResponse.partition_index")?,
            error_code: r.error().at("ListOffsetsPartitionResponse.error_code")?,
            timestamp: r.i64().at("ListOffsetsPartitionResponse.timestamp")?,
            offset: r.i64().at("ListOffsetsPartitionResponse.offset")?,
            leader_epoch: if version >= 4 {
                r.i32().at("ListOffsetsPartitionResponse.leader_epoch")?
            } else {
                -1
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 6;
        w.i32(self.partition_index);
        w.error(self.error_code);
        w.i64(self.timestamp);
        w.i64(self.offset);
        if version >= 4 {
            w.i32(self.leader_epoch);
        } else if self.leader_epoch != -1 {
            return Err(Fault::NotInVersion).at("ListOffsetsPartitionResponse.leader_epoch");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for ListOffsetsRequest {
    const API: ApiKey = ApiKey::ListOffsets;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for ListOffsetsResponse {
    const API: ApiKey = ApiKey::ListOffsets;
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

impl crate::Request for ListOffsetsRequest {
    type Response = ListOffsetsResponse;
}
