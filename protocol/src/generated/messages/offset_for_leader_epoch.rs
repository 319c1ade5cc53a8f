// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! OffsetForLeaderEpoch: tells where a leader epoch ended (KIP-101, KIP-320).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `OffsetForLeaderEpochRequest`, versions 2-4.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetForLeaderEpochRequest {
    /// From version 3 on. Default -2. Lost in versions without it.
    pub replica_id: i32,
    /// In all versions.
    pub topics: Vec<OffsetForLeaderTopic>,
}

impl Default for OffsetForLeaderEpochRequest {
    fn default() -> Self {
        Self { replica_id: -2, topics: Vec::new() }
    }
}

impl OffsetForLeaderEpochRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            replica_id: if version >= 3 {
                r.i32().at("OffsetForLeaderEpochRequest.replica_id")?
            } else {
                -2
            },
            topics: r
                .array(flexible, 3, |r| OffsetForLeaderTopic::read(r, version))
                .at("OffsetForLeaderEpochRequest.topics")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        if version >= 3 {
            w.i32(self.replica_id);
        }
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("OffsetForLeaderEpochRequest.topics")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`OffsetForLeaderEpochRequest`], versions 2-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetForLeaderTopic {
    /// In all versions.
    pub topic: CompactString,
    /// In all versions.
    pub partitions: Vec<OffsetForLeaderPartition>,
}

impl OffsetForLeaderTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            topic: r.string(flexible).at("OffsetForLeaderTopic.topic")?,
            partitions: r
                .array(flexible, 12, |r| OffsetForLeaderPartition::read(r, version))
                .at("OffsetForLeaderTopic.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.string(&self.topic, flexible).at("OffsetForLeaderTopic.topic")?;
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("OffsetForLeaderTopic.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`OffsetForLeaderEpochRequest`], versions 2-4.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetForLeaderPartition {
    /// In all versions.
    pub partition: i32,
    /// In all versions. Default -1.
    pub current_leader_epoch: i32,
    /// In all versions.
    pub leader_epoch: i32,
}

impl Default for OffsetForLeaderPartition {
    fn default() -> Self {
        Self { partition: 0, current_leader_epoch: -1, leader_epoch: 0 }
    }
}

impl OffsetForLeaderPartition {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            partition: r.i32().at("OffsetForLeaderPartition.partition")?,
            current_leader_epoch: r.i32().at("OffsetForLeaderPartition.current_leader_epoch")?,
            leader_epoch: r.i32().at("OffsetForLeaderPartition.leader_epoch")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.i32(self.partition);
        w.i32(self.current_leader_epoch);
        w.i32(self.leader_epoch);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `OffsetForLeaderEpochResponse`, versions 2-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetForLeaderEpochResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub topics: Vec<OffsetForLeaderTopicResult>,
}

impl OffsetForLeaderEpochResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            throttle_time_ms: r.i32().at("OffsetForLeaderEpochResponse.throttle_time_ms")?,
            topics: r
                .array(flexible, 3, |r| OffsetForLeaderTopicResult::read(r, version))
                .at("OffsetForLeaderEpochResponse.topics")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.i32(self.throttle_time_ms);
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("OffsetForLeaderEpochResponse.topics")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`OffsetForLeaderEpochResponse`], versions 2-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetForLeaderTopicResult {
    /// In all versions.
    pub topic: CompactString,
    /// In all versions.
    pub partitions: Vec<EpochEndOffset>,
}

impl OffsetForLeaderTopicResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            topic: r.string(flexible).at("OffsetForLeaderTopicResult.topic")?,
            partitions: r
                .array(flexible, 18, |r| EpochEndOffset::read(r, version))
                .at("OffsetForLeaderTopicResult.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.string(&self.topic, flexible).at("OffsetForLeaderTopicResult.topic")?;
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("OffsetForLeaderTopicResult.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`OffsetForLeaderEpochResponse`], versions 2-4.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochEndOffset {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub partition: i32,
    /// In all versions. Default -1.
    pub leader_epoch: i32,
    /// In all versions. Default -1.
    pub end_offset: i64,
}

impl Default for EpochEndOffset {
    fn default() -> Self {
        Self { error_code: ErrorCode::NONE, partition: 0, leader_epoch: -1, end_offset: -1 }
    }
}

impl EpochEndOffset {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            error_code: r.error().at("EpochEndOffset.error_code")?,
            partition: r.i32().at("EpochEndOffset.partition")?,
            leader_epoch: r.i32().at("EpochEndOffset.leader_epoch")?,
            end_offset: r.i64().at("EpochEndOffset.end_offset")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.error(self.error_code);
        w.i32(self.partition);
        w.i32(self.leader_epoch);
        w.i64(self.end_offset);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for OffsetForLeaderEpochRequest {
    const API: ApiKey = ApiKey::OffsetForLeaderEpoch;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for OffsetForLeaderEpochResponse {
    const API: ApiKey = ApiKey::OffsetForLeaderEpoch;
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

impl crate::Request for OffsetForLeaderEpochRequest {
    type Response = OffsetForLeaderEpochResponse;
}
