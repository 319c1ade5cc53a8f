// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DescribeProducers: tells a partition's producer state (KIP-664).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `DescribeProducersRequest`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeProducersRequest {
    /// In all versions.
    pub topics: Vec<TopicRequest>,
}

impl DescribeProducersRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            topics: r
                .array(true, 3, |r| TopicRequest::read(r, version))
                .at("DescribeProducersRequest.topics")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.array(&self.topics, true, |w, one| one.write(w, version))
            .at("DescribeProducersRequest.topics")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeProducersRequest`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicRequest {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partition_indexes: Vec<i32>,
}

impl TopicRequest {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("TopicRequest.name")?,
            partition_indexes: r
                .array(true, 4, Reader::i32)
                .at("TopicRequest.partition_indexes")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("TopicRequest.name")?;
        w.array(&self.partition_indexes, true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("TopicRequest.partition_indexes")?;
        w.uvarint(0);
        Ok(())
    }
}

/// `DescribeProducersResponse`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeProducersResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub topics: Vec<TopicResponse>,
}

impl DescribeProducersResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("DescribeProducersResponse.throttle_time_ms")?,
            topics: r
                .array(true, 3, |r| TopicResponse::read(r, version))
                .at("DescribeProducersResponse.topics")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.array(&self.topics, true, |w, one| one.write(w, version))
            .at("DescribeProducersResponse.topics")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeProducersResponse`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicResponse {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<PartitionResponse>,
}

impl TopicResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("TopicResponse.name")?,
            partitions: r
                .array(true, 9, |r| PartitionResponse::read(r, version))
                .at("TopicResponse.partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("TopicResponse.name")?;
        w.array(&self.partitions, true, |w, one| one.write(w, version))
            .at("TopicResponse.partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeProducersResponse`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartitionResponse {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub active_producers: Vec<ProducerState>,
}

impl PartitionResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            partition_index: r.i32().at("PartitionResponse.partition_index")?,
            error_code: r.error().at("PartitionResponse.error_code")?,
            error_message: r.nullable_string(true).at("PartitionResponse.error_message")?,
            active_producers: r
                .array(true, 37, |r| ProducerState::read(r, version))
                .at("PartitionResponse.active_producers")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.partition_index);
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("PartitionResponse.error_message")?;
        w.array(&self.active_producers, true, |w, one| one.write(w, version))
            .at("PartitionResponse.active_producers")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeProducersResponse`], version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct ProducerState {
    /// In all versions.
    pub producer_id: i64,
    /// In all versions.
    pub producer_epoch: i32,
    /// In all versions. Default -1.
    pub last_sequence: i32,
    /// In all versions. Default -1.
    pub last_timestamp: i64,
    /// In all versions.
    pub coordinator_epoch: i32,
    /// In all versions. Default -1.
    pub current_txn_start_offset: i64,
}

impl Default for ProducerState {
    fn default() -> Self {
        Self {
            producer_id: 0,
            producer_epoch: 0,
            last_sequence: -1,
            last_timestamp: -1,
            coordinator_epoch: 0,
            current_txn_start_offset: -1,
        }
    }
}

impl ProducerState {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            producer_id: r.i64().at("ProducerState.producer_id")?,
            producer_epoch: r.i32().at("ProducerState.producer_epoch")?,
            last_sequence: r.i32().at("ProducerState.last_sequence")?,
            last_timestamp: r.i64().at("ProducerState.last_timestamp")?,
            coordinator_epoch: r.i32().at("ProducerState.coordinator_epoch")?,
            current_txn_start_offset: r.i64().at("ProducerState.current_txn_start_offset")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i64(self.producer_id);
        w.i32(self.producer_epoch);
        w.i32(self.last_sequence);
        w.i64(self.last_timestamp);
        w.i32(self.coordinator_epoch);
        w.i64(self.current_txn_start_offset);
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for DescribeProducersRequest {
    const API: ApiKey = ApiKey::DescribeProducers;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DescribeProducersResponse {
    const API: ApiKey = ApiKey::DescribeProducers;
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

impl crate::Request for DescribeProducersRequest {
    type Response = DescribeProducersResponse;
}
