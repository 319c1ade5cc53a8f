// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DescribeTransactions: describes transactions (KIP-664).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `DescribeTransactionsRequest`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeTransactionsRequest {
    /// In all versions.
    pub transactional_ids: Vec<CompactString>,
}

impl DescribeTransactionsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            transactional_ids: r
                .array(true, 1, |r| r.string(true))
                .at("DescribeTransactionsRequest.transactional_ids")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.array(&self.transactional_ids, true, |w, one| Ok(w.string(one, true)?))
            .at("DescribeTransactionsRequest.transactional_ids")?;
        w.uvarint(0);
        Ok(())
    }
}

/// `DescribeTransactionsResponse`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeTransactionsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub transaction_states: Vec<TransactionState>,
}

impl DescribeTransactionsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("DescribeTransactionsResponse.throttle_time_ms")?,
            transaction_states: r
                .array(true, 28, |r| TransactionState::read(r, version))
                .at("DescribeTransactionsResponse.transaction_states")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.array(&self.transaction_states, true, |w, one| one.write(w, version))
            .at("DescribeTransactionsResponse.transaction_states")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeTransactionsResponse`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransactionState {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub transactional_id: CompactString,
    /// In all versions.
    pub transaction_state: CompactString,
    /// In all versions.
    pub transaction_timeout_ms: i32,
    /// In all versions.
    pub transaction_start_time_ms: i64,
    /// In all versions.
    pub producer_id: i64,
    /// In all versions.
    pub producer_epoch: i16,
    /// In all versions.
    pub topics: Vec<TopicData>,
}

impl TransactionState {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            error_code: r.error().at("TransactionState.error_code")?,
            transactional_id: r.string(true).at("TransactionState.transactional_id")?,
            transaction_state: r.string(true).at("TransactionState.transaction_state")?,
            transaction_timeout_ms: r.i32().at("TransactionState.transaction_timeout_ms")?,
            transaction_start_time_ms: r.i64().at("TransactionState.transaction_start_time_ms")?,
            producer_id: r.i64().at("TransactionState.producer_id")?,
            producer_epoch: r.i16().at("TransactionState.producer_epoch")?,
            topics: r
                .array(true, 3, |r| TopicData::read(r, version))
                .at("TransactionState.topics")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.error(self.error_code);
        w.string(&self.transactional_id, true).at("TransactionState.transactional_id")?;
        w.string(&self.transaction_state, true).at("TransactionState.transaction_state")?;
        w.i32(self.transaction_timeout_ms);
        w.i64(self.transaction_start_time_ms);
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        w.array(&self.topics, true, |w, one| one.write(w, version))
            .at("TransactionState.topics")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeTransactionsResponse`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicData {
    /// In all versions.
    pub topic: CompactString,
    /// In all versions.
    pub partitions: Vec<i32>,
}

impl TopicData {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            topic: r.string(true).at("TopicData.topic")?,
            partitions: r.array(true, 4, Reader::i32).at("TopicData.partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.topic, true).at("TopicData.topic")?;
        w.array(&self.partitions, true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("TopicData.partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for DescribeTransactionsRequest {
    const API: ApiKey = ApiKey::DescribeTransactions;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DescribeTransactionsResponse {
    const API: ApiKey = ApiKey::DescribeTransactions;
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

impl crate::Request for DescribeTransactionsRequest {
    type Response = DescribeTransactionsResponse;
}
