// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! ListPartitionReassignments: lists reassignments under way (KIP-455).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `ListPartitionReassignmentsRequest`, version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct ListPartitionReassignmentsRequest {
    /// In all versions. Default 60000.
    pub timeout_ms: i32,
    /// In all versions.
    pub topics: Option<Vec<ListPartitionReassignmentsTopics>>,
}

impl Default for ListPartitionReassignmentsRequest {
    fn default() -> Self {
        Self { timeout_ms: 60000, topics: None }
    }
}

impl ListPartitionReassignmentsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            timeout_ms: r.i32().at("ListPartitionReassignmentsRequest.timeout_ms")?,
            topics: r
                .nullable_array(true, 3, |r| ListPartitionReassignmentsTopics::read(r, version))
                .at("ListPartitionReassignmentsRequest.topics")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.timeout_ms);
        w.nullable_array(self.topics.as_deref(), true, |w, one| one.write(w, version))
            .at("ListPartitionReassignmentsRequest.topics")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`ListPartitionReassignmentsRequest`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListPartitionReassignmentsTopics {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partition_indexes: Vec<i32>,
}

impl ListPartitionReassignmentsTopics {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("ListPartitionReassignmentsTopics.name")?,
            partition_indexes: r
                .array(true, 4, Reader::i32)
                .at("ListPartitionReassignmentsTopics.partition_indexes")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("ListPartitionReassignmentsTopics.name")?;
        w.array(&self.partition_indexes, true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("ListPartitionReassignmentsTopics.partition_indexes")?;
        w.uvarint(0);
        Ok(())
    }
}

/// `ListPartitionReassignmentsResponse`, version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct ListPartitionReassignmentsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub topics: Vec<OngoingTopicReassignment>,
}

impl Default for ListPartitionReassignmentsResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            topics: Vec::new(),
        }
    }
}

impl ListPartitionReassignmentsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("ListPartitionReassignmentsResponse.throttle_time_ms")?,
            error_code: r.error().at("ListPartitionReassignmentsResponse.error_code")?,
            error_message: r
                .nullable_string(true)
                .at("ListPartitionReassignmentsResponse.error_message")?,
            topics: r
                .array(true, 3, |r| OngoingTopicReassignment::read(r, version))
                .at("ListPartitionReassignmentsResponse.topics")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("ListPartitionReassignmentsResponse.error_message")?;
        w.array(&self.topics, true, |w, one| one.write(w, version))
            .at("ListPartitionReassignmentsResponse.topics")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`ListPartitionReassignmentsResponse`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OngoingTopicReassignment {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<OngoingPartitionReassignment>,
}

impl OngoingTopicReassignment {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("OngoingTopicReassignment.name")?,
            partitions: r
                .array(true, 8, |r| OngoingPartitionReassignment::read(r, version))
                .at("OngoingTopicReassignment.partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("OngoingTopicReassignment.name")?;
        w.array(&self.partitions, true, |w, one| one.write(w, version))
            .at("OngoingTopicReassignment.partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`ListPartitionReassignmentsResponse`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OngoingPartitionReassignment {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub replicas: Vec<i32>,
    /// In all versions.
    pub adding_replicas: Vec<i32>,
    /// In all versions.
    pub removing_replicas: Vec<i32>,
}

impl OngoingPartitionReassignment {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            partition_index: r.i32().at("OngoingPartitionReassignment.partition_index")?,
            replicas: r.array(true, 4, Reader::i32).at("OngoingPartitionReassignment.replicas")?,
            adding_replicas: r
                .array(true, 4, Reader::i32)
                .at("OngoingPartitionReassignment.adding_replicas")?,
            removing_replicas: r
                .array(true, 4, Reader::i32)
                .at("OngoingPartitionReassignment.removing_replicas")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.partition_index);
        w.array(&self.replicas, true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("OngoingPartitionReassignment.replicas")?;
        w.array(&self.adding_replicas, true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("OngoingPartitionReassignment.adding_replicas")?;
        w.array(&self.removing_replicas, true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("OngoingPartitionReassignment.removing_replicas")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for ListPartitionReassignmentsRequest {
    const API: ApiKey = ApiKey::ListPartitionReassignments;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for ListPartitionReassignmentsResponse {
    const API: ApiKey = ApiKey::ListPartitionReassignments;
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

impl crate::Request for ListPartitionReassignmentsRequest {
    type Response = ListPartitionReassignmentsResponse;
}
