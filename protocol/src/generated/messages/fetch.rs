// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! Fetch: reads record batches from partitions, with or without a fetch session (KIP-227).

use bytes::Bytes;
use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `FetchRequest`, versions 4-18.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchRequest {
    /// From version 12 on, tag 0. Lost in versions without it.
    pub cluster_id: Option<CompactString>,
    /// Up to version 14. Default -1.
    pub replica_id: i32,
    /// From version 15 on, tag 1.
    pub replica_state: ReplicaState,
    /// In all versions.
    pub max_wait_ms: i32,
    /// In all versions.
    pub min_bytes: i32,
    /// In all versions. Default 2147483647.
    pub max_bytes: i32,
    /// In all versions.
    pub isolation_level: i8,
    /// From version 7 on. Lost in versions without it.
    pub session_id: i32,
    /// From version 7 on. Default -1. Lost in versions without it.
    pub session_epoch: i32,
    /// In all versions.
    pub topics: Vec<FetchTopic>,
    /// From version 7 on.
    pub forgotten_topics_data: Vec<ForgottenTopic>,
    /// From version 11 on. Lost in versions without it.
    pub rack_id: CompactString,
}

impl Default for FetchRequest {
    fn default() -> Self {
        Self {
            cluster_id: None,
            replica_id: -1,
            replica_state: ReplicaState::default(),
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: i32::MAX,
            isolation_level: 0,
            session_id: 0,
            session_epoch: -1,
            topics: Vec::new(),
            forgotten_topics_data: Vec::new(),
            rack_id: CompactString::const_new(""),
        }
    }
}

impl FetchRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 12;
        let mut this = Self {
            cluster_id: None,
            replica_id: if version <= 14 { r.i32().at("FetchRequest.replica_id")? } else { -1 },
            replica_state: ReplicaState::default(),
            max_wait_ms: r.i32().at("FetchRequest.max_wait_ms")?,
            min_bytes: r.i32().at("FetchRequest.min_bytes")?,
            max_bytes: r.i32().at("FetchRequest.max_bytes")?,
            isolation_level: r.i8().at("FetchRequest.isolation_level")?,
            session_id: if version >= 7 { r.i32().at("FetchRequest.session_id")? } else { 0 },
            session_epoch: if version >= 7 {
                r.i32().at("FetchRequest.session_epoch")?
            } else {
                -1
            },
            topics: r
                .array(flexible, 3, |r| FetchTopic::read(r, version))
                .at("FetchRequest.topics")?,
            forgotten_topics_data: if version >= 7 {
                r.array(flexible, 3, |r| ForgottenTopic::read(r, version))
                    .at("FetchRequest.forgotten_topics_data")?
            } else {
                Vec::new()
            },
            rack_id: if version >= 11 {
                r.string(flexible).at("FetchRequest.rack_id")?
            } else {
                CompactString::const_new("")
            },
        };
        if flexible {
            r.tagged_fields(|tag, r| {
                match tag {
                    0 => this.cluster_id = r.nullable_string(true).at("FetchRequest.cluster_id")?,
                    1 if version >= 15 => {
                        this.replica_state =
                            ReplicaState::read(r, version).at("FetchRequest.replica_state")?
                    }
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 12;
        if version <= 14 {
            w.i32(self.replica_id);
        } else if self.replica_id != -1 {
            return Err(Fault::NotInVersion).at("FetchRequest.replica_id");
        }
        w.i32(self.max_wait_ms);
        w.i32(self.min_bytes);
        w.i32(self.max_bytes);
        w.i8(self.isolation_level);
        if version >= 7 {
            w.i32(self.session_id);
        }
        if version >= 7 {
            w.i32(self.session_epoch);
        }
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("FetchRequest.topics")?;
        if version >= 7 {
            w.array(&self.forgotten_topics_data, flexible, |w, one| one.write(w, version))
                .at("FetchRequest.forgotten_topics_data")?;
        } else if !self.forgotten_topics_data.is_empty() {
            return Err(Fault::NotInVersion).at("FetchRequest.forgotten_topics_data");
        }
        if version >= 11 {
            w.string(&self.rack_id, flexible).at("FetchRequest.rack_id")?;
        }
        if version < 15 && self.replica_state != ReplicaState::default() {
            return Err(Fault::NotInVersion).at("FetchRequest.replica_state");
        }
        if flexible {
            w.uvarint(
                u32::from(self.cluster_id.is_some())
                    + u32::from(version >= 15 && self.replica_state != ReplicaState::default()),
            );
            if self.cluster_id.is_some() {
                w.tagged_field(0, |w| {
                    w.nullable_string(self.cluster_id.as_deref(), true)
                        .at("FetchRequest.cluster_id")?;
                    Ok(())
                })?;
            }
            if version >= 15 && self.replica_state != ReplicaState::default() {
                w.tagged_field(1, |w| {
                    self.replica_state.write(w, version).at("FetchRequest.replica_state")?;
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// Part of [`FetchRequest`], versions 15-18.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaState {
    /// In all versions. Default -1.
    pub replica_id: i32,
    /// In all versions. Default -1.
    pub replica_epoch: i64,
}

impl Default for ReplicaState {
    fn default() -> Self {
        Self { replica_id: -1, replica_epoch: -1 }
    }
}

impl ReplicaState {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            replica_id: r.i32().at("ReplicaState.replica_id")?,
            replica_epoch: r.i64().at("ReplicaState.replica_epoch")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.replica_id);
        w.i64(self.replica_epoch);
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`FetchRequest`], versions 4-18.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchTopic {
    /// Up to version 12. Lost in versions without it.
    pub topic: CompactString,
    /// From version 13 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// In all versions.
    pub partitions: Vec<FetchPartition>,
}

impl FetchTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 12;
        let this = Self {
            topic: if version <= 12 {
                r.string(flexible).at("FetchTopic.topic")?
            } else {
                CompactString::const_new("")
            },
            topic_id: if version >= 13 { r.uuid().at("FetchTopic.topic_id")? } else { Uuid::ZERO },
            partitions: r
                .array(flexible, 16, |r| FetchPartition::read(r, version))
                .at("FetchTopic.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 12;
        if version <= 12 {
            w.string(&self.topic, flexible).at("FetchTopic.topic")?;
        }
        if version >= 13 {
            w.uuid(self.topic_id);
        }
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("FetchTopic.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`FetchRequest`], versions 4-18.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchPartition {
    /// In all versions.
    pub partition: i32,
    /// From version 9 on. Default -1. Lost in versions without it.
    pub current_leader_epoch: i32,
    /// In all versions.
    pub fetch_offset: i64,
    /// From version 12 on. Default -1.
    pub last_fetched_epoch: i32,
    /// From version 5 on. Default -1. Lost in versions without it.
    pub log_start_offset: i64,
    /// In all versions.
    pub partition_max_bytes: i32,
    /// From version 17 on, tag 0. Lost in versions without it.
    pub replica_directory_id: Uuid,
    /// From version 18 on, tag 1. Default 9223372036854775807. Lost in versions without it.
    pub high_watermark: i64,
}

impl Default for FetchPartition {
    fn default() -> Self {
        Self {
            partition: 0,
            current_leader_epoch: -1,
            fetch_offset: 0,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 0,
            replica_directory_id: Uuid::ZERO,
            high_watermark: i64::MAX,
        }
    }
}

impl FetchPartition {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 12;
        let mut this = Self {
            partition: r.i32().at("FetchPartition.partition")?,
            current_leader_epoch: if version >= 9 {
                r.i32().at("FetchPartition.current_leader_epoch")?
            } else {
                -1
            },
            fetch_offset: r.i64().at("FetchPartition.fetch_offset")?,
            last_fetched_epoch: if version >= 12 {
                r.i32().at("FetchPartition.last_fetched_epoch")?
            } else {
                -1
            },
            log_start_offset: if version >= 5 {
                r.i64().at("FetchPartition.log_start_offset")?
            } else {
                -1
            },
            partition_max_bytes: r.i32().at("FetchPartition.partition_max_bytes")?,
            replica_directory_id: Uuid::ZERO,
            high_watermark: i64::MAX,
        };
        if flexible {
            r.tagged_fields(|tag, r| {
                match tag {
                    0 if version >= 17 => {
                        this.replica_directory_id =
                            r.uuid().at("FetchPartition.replica_directory_id")?
                    }
                    1 if version >= 18 => {
                        this.high_watermark = r.i64().at("FetchPartition.high_watermark")?
                    }
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 12;
        w.i32(self.partition);
        if version >= 9 {
            w.i32(self.current_leader_epoch);
        }
        w.i64(self.fetch_offset);
        if version >= 12 {
            w.i32(self.last_fetched_epoch);
        } else if self.last_fetched_epoch != -1 {
            return Err(Fault::NotInVersion).at("FetchPartition.last_fetched_epoch");
        }
        if version >= 5 {
            w.i64(self.log_start_offset);
        }
        w.i32(self.partition_max_bytes);
        if flexible {
            w.uvarint(
                u32::from(version >= 17 && self.replica_directory_id != Uuid::ZERO)
                    + u32::from(version >= 18 && self.high_watermark != i64::MAX),
            );
            if version >= 17 && self.replica_directory_id != Uuid::ZERO {
                w.tagged_field(0, |w| {
                    w.uuid(self.replica_directory_id);
                    Ok(())
                })?;
            }
            if version >= 18 && self.high_watermark != i64::MAX {
                w.tagged_field(1, |w| {
                    w.i64(self.high_watermark);
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// Part of [`FetchRequest`], versions 7-18.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForgottenTopic {
    /// Versions 7-12. Lost in versions without it.
    pub topic: CompactString,
    /// From version 13 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// In all versions.
    pub partitions: Vec<i32>,
}

impl ForgottenTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 12;
        let this = Self {
            topic: if version <= 12 {
                r.string(flexible).at("ForgottenTopic.topic")?
            } else {
                CompactString::const_new("")
            },
            topic_id: if version >= 13 {
                r.uuid().at("ForgottenTopic.topic_id")?
            } else {
                Uuid::ZERO
            },
            partitions: r.array(flexible, 4, Reader::i32).at("ForgottenTopic.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 12;
        if version <= 12 {
            w.string(&self.topic, flexible).at("ForgottenTopic.topic")?;
        }
        if version >= 13 {
            w.uuid(self.topic_id);
        }
        w.array(&self.partitions, flexible, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("ForgottenTopic.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `FetchResponse`, versions 4-18.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// From version 7 on. Lost in versions without it.
    pub error_code: ErrorCode,
    /// From version 7 on.
    pub session_id: i32,
    /// In all versions.
    pub responses: Vec<FetchableTopicResponse>,
    /// From version 16 on, tag 0.
    pub node_endpoints: Vec<NodeEndpoint>,
}

impl FetchResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 12;
        let mut this = Self {
            throttle_time_ms: r.i32().at("FetchResponse.throttle_time_ms")?,
            error_code: if version >= 7 {
                r.error().at("FetchResponse.error_code")?
            } else {
                ErrorCode::NONE
            },
            session_id: if version >= 7 { r.i32().at("FetchResponse.session_id")? } else { 0 },
            responses: r
                .array(flexible, 3, |r| FetchableTopicResponse::read(r, version))
                .at("FetchResponse.responses")?,
            node_endpoints: Vec::new(),
        };
        if flexible {
            r.tagged_fields(|tag, r| {
                match tag {
                    0 if version >= 16 => {
                        this.node_endpoints = r
                            .array(true, 11, |r| NodeEndpoint::read(r, version))
                            .at("FetchResponse.node_endpoints")?
                    }
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 12;
        w.i32(self.throttle_time_ms);
        if version >= 7 {
            w.error(self.error_code);
        }
        if version >= 7 {
            w.i32(self.session_id);
        } else if self.session_id != 0 {
            return Err(Fault::NotInVersion).at("FetchResponse.session_id");
        }
        w.array(&self.responses, flexible, |w, one| one.write(w, version))
            .at("FetchResponse.responses")?;
        if version < 16 && !self.node_endpoints.is_empty() {
            return Err(Fault::NotInVersion).at("FetchResponse.node_endpoints");
        }
        if flexible {
            w.uvarint(u32::from(version >= 16 && !self.node_endpoints.is_empty()));
            if version >= 16 && !self.node_endpoints.is_empty() {
                w.tagged_field(0, |w| {
                    w.array(&self.node_endpoints, true, |w, one| one.write(w, version))
                        .at("FetchResponse.node_endpoints")?;
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// Part of [`FetchResponse`], versions 4-18.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchableTopicResponse {
    /// Up to version 12. Lost in versions without it.
    pub topic: CompactString,
    /// From version 13 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// In all versions.
    pub partitions: Vec<PartitionData>,
}

impl FetchableTopicResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 12;
        let this = Self {
            topic: if version <= 12 {
                r.string(flexible).at("FetchableTopicResponse.topic")?
            } else {
                CompactString::const_new("")
            },
            topic_id: if version >= 13 {
                r.uuid().at("FetchableTopicResponse.topic_id")?
            } else {
                Uuid::ZERO
            },
            partitions: r
                .array(flexible, 30, |r| PartitionData::read(r, version))
                .at("FetchableTopicResponse.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 12;
        if version <= 12 {
            w.string(&self.topic, flexible).at("FetchableTopicResponse.topic")?;
        }
        if version >= 13 {
            w.uuid(self.topic_id);
        }
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("FetchableTopicResponse.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`FetchResponse`], versions 4-18.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionData {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub high_watermark: i64,
    /// In all versions. Default -1.
    pub last_stable_offset: i64,
    /// From version 5 on. Default -1. Lost in versions without it.
    pub log_start_offset: i64,
    /// From version 12 on, tag 0.
    pub diverging_epoch: EpochEndOffset,
    /// From version 12 on, tag 1.
    pub current_leader: LeaderIdAndEpoch,
    /// From version 12 on, tag 2.
    pub snapshot_id: SnapshotId,
    /// In all versions.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// From version 11 on. Default -1.
    pub preferred_read_replica: i32,
    /// In all versions. Record batches.
    pub records: Option<Bytes>,
}

impl Default for PartitionData {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: ErrorCode::NONE,
            high_watermark: 0,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging_epoch: EpochEndOffset::default(),
            current_leader: LeaderIdAndEpoch::default(),
            snapshot_id: SnapshotId::default(),
            aborted_transactions: Some(Vec::new()),
            preferred_read_replica: -1,
            records: Some(Bytes::new()),
        }
    }
}

impl PartitionData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 12;
        let mut this = Self {
            partition_index: r.i32().at("PartitionData.partition_index")?,
            error_code: r.error().at("PartitionData.error_code")?,
            high_watermark: r.i64().at("PartitionData.high_watermark")?,
            last_stable_offset: r.i64().at("PartitionData.last_stable_offset")?,
            log_start_offset: if version >= 5 {
                r.i64().at("PartitionData.log_start_offset")?
            } else {
                -1
            },
            diverging_epoch: EpochEndOffset::default(),
            current_leader: LeaderIdAndEpoch::default(),
            snapshot_id: SnapshotId::default(),
            aborted_transactions: r
                .nullable_array(flexible, 16, |r| AbortedTransaction::read(r, version))
                .at("PartitionData.aborted_transactions")?,
            preferred_read_replica: if version >= 11 {
                r.i32().at("PartitionData.preferred_read_replica")?
            } else {
                -1
            },
            records: r.nullable_bytes(flexible).at("PartitionData.records")?,
        };
        if flexible {
            r.tagged_fields(|tag, r| {
                match tag {
                    0 => {
                        this.diverging_epoch =
                            EpochEndOffset::read(r, version).at("PartitionData.diverging_epoch")?
                    }
                    1 => {
                        this.current_leader =
                            LeaderIdAndEpoch::read(r, version).at("PartitionData.current_leader")?
                    }
                    2 => {
                        this.snapshot_id =
                            SnapshotId::read(r, version).at("PartitionData.snapshot_id")?
                    }
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 12;
        w.i32(self.partition_index);
        w.error(self.error_code);
        w.i64(self.high_watermark);
        w.i64(self.last_stable_offset);
        if version >= 5 {
            w.i64(self.log_start_offset);
        }
        w.nullable_array(self.aborted_transactions.as_deref(), flexible, |w, one| {
            one.write(w, version)
        })
        .at("PartitionData.aborted_transactions")?;
        if version >= 11 {
            w.i32(self.preferred_read_replica);
        } else if self.preferred_read_replica != -1 {
            return Err(Fault::NotInVersion).at("PartitionData.preferred_read_replica");
        }
        w.nullable_bytes(self.records.as_deref(), flexible).at("PartitionData.records")?;
        if version < 12 && self.diverging_epoch != EpochEndOffset::default() {
            return Err(Fault::NotInVersion).at("PartitionData.diverging_epoch");
        }
        if version < 12 && self.current_leader != LeaderIdAndEpoch::default() {
            return Err(Fault::NotInVersion).at("PartitionData.current_leader");
        }
        if version < 12 && self.snapshot_id != SnapshotId::default() {
            return Err(Fault::NotInVersion).at("PartitionData.snapshot_id");
        }
        if flexible {
            w.uvarint(
                u32::from(self.diverging_epoch != EpochEndOffset::default())
                    + u32::from(self.current_leader != LeaderIdAndEpoch::default())
                    + u32::from(self.snapshot_id != SnapshotId::default()),
            );
            if self.diverging_epoch != EpochEndOffset::default() {
                w.tagged_field(0, |w| {
                    self.diverging_epoch.write(w, version).at("PartitionData.diverging_epoch")?;
                    Ok(())
                })?;
            }
            if self.current_leader != LeaderIdAndEpoch::default() {
                w.tagged_field(1, |w| {
                    self.current_leader.write(w, version).at("PartitionData.current_leader")?;
                    Ok(())
                })?;
            }
            if self.snapshot_id != SnapshotId::default() {
                w.tagged_field(2, |w| {
                    self.snapshot_id.write(w, version).at("PartitionData.snapshot_id")?;
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// Part of [`FetchResponse`], versions 12-18.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochEndOffset {
    /// In all versions. Default -1.
    pub epoch: i32,
    /// In all versions. Default -1.
    pub end_offset: i64,
}

impl Default for EpochEndOffset {
    fn default() -> Self {
        Self { epoch: -1, end_offset: -1 }
    }
}

impl EpochEndOffset {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            epoch: r.i32().at("EpochEndOffset.epoch")?,
            end_offset: r.i64().at("EpochEndOffset.end_offset")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.epoch);
        w.i64(self.end_offset);
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`FetchResponse`], versions 12-18.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaderIdAndEpoch {
    /// In all versions. Default -1.
    pub leader_id: i32,
    /// In all versions. Default -1.
    pub leader_epoch: i32,
}

impl Default for LeaderIdAndEpoch {
    fn default() -> Self {
        Self { leader_id: -1, leader_epoch: -1 }
    }
}

impl LeaderIdAndEpoch {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            leader_id: r.i32().at("LeaderIdAndEpoch.leader_id")?,
            leader_epoch: r.i32().at("LeaderIdAndEpoch.leader_epoch")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.leader_id);
        w.i32(self.leader_epoch);
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`FetchResponse`], versions 12-18.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotId {
    /// In all versions. Default -1.
    pub end_offset: i64,
    /// In all versions. Default -1.
    pub epoch: i32,
}

impl Default for SnapshotId {
    fn default() -> Self {
        Self { end_offset: -1, epoch: -1 }
    }
}

impl SnapshotId {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            end_offset: r.i64().at("SnapshotId.end_offset")?,
            epoch: r.i32().at("SnapshotId.epoch")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i64(self.end_offset);
        w.i32(self.epoch);
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`FetchResponse`], versions 4-18.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AbortedTransaction {
    /// In all versions.
    pub producer_id: i64,
    /// In all versions.
    pub first_offset: i64,
}

impl AbortedTransaction {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 12;
        let this = Self {
            producer_id: r.i64().at("AbortedTransaction.producer_id")?,
            first_offset: r.i64().at("AbortedTransaction.first_offset")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 12;
        w.i64(self.producer_id);
        w.i64(self.first_offset);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`FetchResponse`], versions 16-18.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeEndpoint {
    /// In all versions.
    pub node_id: i32,
    /// In all versions.
    pub host: CompactString,
    /// In all versions.
    pub port: i32,
    /// In all versions.
    pub rack: Option<CompactString>,
}

impl NodeEndpoint {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            node_id: r.i32().at("NodeEndpoint.node_id")?,
            host: r.string(true).at("NodeEndpoint.host")?,
            port: r.i32().at("NodeEndpoint.port")?,
            rack: r.nullable_string(true).at("NodeEndpoint.rack")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.node_id);
        w.string(&self.host, true).at("NodeEndpoint.host")?;
        w.i32(self.port);
        w.nullable_string(self.rack.as_deref(), true).at("NodeEndpoint.rack")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for FetchRequest {
    const API: ApiKey = ApiKey::Fetch;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for FetchResponse {
    const API: ApiKey = ApiKey::Fetch;
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

impl crate::Request for FetchRequest {
    type Response = FetchResponse;
}
