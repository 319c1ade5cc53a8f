// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! ElectLeaders: elects preferred or unclean leaders.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `ElectLeadersRequest`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct ElectLeadersRequest {
    /// From version 1 on.
    pub election_type: i8,
    /// In all versions.
    pub topic_partitions: Option<Vec<TopicPartitions>>,
    /// In all versions. Default 60000.
    pub timeout_ms: i32,
}

impl Default for ElectLeadersRequest {
    fn default() -> Self {
        Self { election_type: 0, topic_partitions: Some(Vec::new()), timeout_ms: 60000 }
    }
}

impl ElectLeadersRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            election_type: if version >= 1 {
                r.i8().at("ElectLeadersRequest.election_type")?
            } else {
                0
            },
            topic_partitions: r
                .nullable_array(flexible, 3, |r| TopicPartitions::read(r, version))
                .at("ElectLeadersRequest.topic_partitions")?,
            timeout_ms: r.i32().at("ElectLeadersRequest.timeout_ms")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        if version >= 1 {
            w.i8(self.election_type);
        } else if self.election_type != 0 {
            return Err(Fault::NotInVersion).at("ElectLeadersRequest.election_type");
        }
        w.nullable_array(self.topic_partitions.as_deref(), flexible, |w, one| {
            one.write(w, version)
        })
        .at("ElectLeadersRequest.topic_partitions")?;
        w.i32(self.timeout_ms);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`ElectLeadersRequest`], versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicPartitions {
    /// In all versions.
    pub topic: CompactString,
    /// In all versions.
    pub partitions: Vec<i32>,
}

impl TopicPartitions {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            topic: r.string(flexible).at("TopicPartitions.topic")?,
            partitions: r.array(flexible, 4, Reader::i32).at("TopicPartitions.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.string(&self.topic, flexible).at("TopicPartitions.topic")?;
        w.array(&self.partitions, flexible, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("TopicPartitions.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `ElectLeadersResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ElectLeadersResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// From version 1 on.
    pub error_code: ErrorCode,
    /// In all versions.
    pub replica_election_results: Vec<ReplicaElectionResult>,
}

impl ElectLeadersResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            throttle_time_ms: r.i32().at("ElectLeadersResponse.throttle_time_ms")?,
            error_code: if version >= 1 {
                r.error().at("ElectLeadersResponse.error_code")?
            } else {
                ErrorCode::NONE
            },
            replica_election_results: r
                .array(flexible, 3, |r| ReplicaElectionResult::read(r, version))
                .at("ElectLeadersResponse.replica_election_results")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i32(self.throttle_time_ms);
        if version >= 1 {
            w.error(self.error_code);
        } else if self.error_code != ErrorCode::NONE {
            return Err(Fault::NotInVersion).at("ElectLeadersResponse.error_code");
        }
        w.array(&self.replica_election_results, flexible, |w, one| one.write(w, version))
            .at("ElectLeadersResponse.replica_election_results")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`ElectLeadersResponse`], versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReplicaElectionResult {
    /// In all versions.
    pub topic: CompactString,
    /// In all versions.
    pub partition_result: Vec<PartitionResult>,
}

impl ReplicaElectionResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            topic: r.string(flexible).at("ReplicaElectionResult.topic")?,
            partition_result: r
                .array(flexible, 8, |r| PartitionResult::read(r, version))
                .at("ReplicaElectionResult.partition_result")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.string(&self.topic, flexible).at("ReplicaElectionResult.topic")?;
        w.array(&self.partition_result, flexible, |w, one| one.write(w, version))
            .at("ReplicaElectionResult.partition_result")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`ElectLeadersResponse`], versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionResult {
    /// In all versions.
    pub partition_id: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
}

impl Default for PartitionResult {
    fn default() -> Self {
        Self {
            partition_id: 0,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
        }
    }
}

impl PartitionResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            partition_id: r.i32().at("PartitionResult.partition_id")?,
            error_code: r.error().at("PartitionResult.error_code")?,
            error_message: r.nullable_string(flexible).at("PartitionResult.error_message")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i32(self.partition_id);
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), flexible)
            .at("PartitionResult.error_message")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for ElectLeadersRequest {
    const API: ApiKey = ApiKey::ElectLeaders;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for ElectLeadersResponse {
    const API: ApiKey = ApiKey::ElectLeaders;
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

impl crate::Request for ElectLeadersRequest {
    type Response = ElectLeadersResponse;
}
