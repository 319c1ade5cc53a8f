// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! AddPartitionsToTxn: adds partitions to a transaction; from version 4 on between brokers.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `AddPartitionsToTxnRequest`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnRequest {
    /// From version 4 on.
    pub transactions: Vec<AddPartitionsToTxnTransaction>,
    /// Up to version 3.
    pub v3_and_below_transactional_id: CompactString,
    /// Up to version 3.
    pub v3_and_below_producer_id: i64,
    /// Up to version 3.
    pub v3_and_below_producer_epoch: i16,
    /// Up to version 3.
    pub v3_and_below_topics: Vec<AddPartitionsToTxnTopic>,
}

impl AddPartitionsToTxnRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            transactions: if version >= 4 {
                r.array(flexible, 14, |r| AddPartitionsToTxnTransaction::read(r, version))
                    .at("AddPartitionsToTxnRequest.transactions")?
            } else {
                Vec::new()
            },
            v3_and_below_transactional_id: if version <= 3 {
                r.string(flexible).at("AddPartitionsToTxnRequest.v3_and_below_transactional_id")?
            } else {
                CompactString::const_new("")
            },
            v3_and_below_producer_id: if version <= 3 {
                r.i64().at("AddPartitionsToTxnRequest.v3_and_below_producer_id")?
            } else {
                0
            },
            v3_and_below_producer_epoch: if version <= 3 {
                r.i16().at("AddPartitionsToTxnRequest.v3_and_below_producer_epoch")?
            } else {
                0
            },
            v3_and_below_topics: if version <= 3 {
                r.array(flexible, 3, |r| AddPartitionsToTxnTopic::read(r, version))
                    .at("AddPartitionsToTxnRequest.v3_and_below_topics")?
            } else {
                Vec::new()
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        if version >= 4 {
            w.array(&self.transactions, flexible, |w, one| one.write(w, version))
                .at("AddPartitionsToTxnRequest.transactions")?;
        } else if !self.transactions.is_empty() {
            return Err(Fault::NotInVersion).at("AddPartitionsToTxnRequest.transactions");
        }
        if version <= 3 {
            w.string(&self.v3_and_below_transactional_id, flexible)
                .at("AddPartitionsToTxnRequest.v3_and_below_transactional_id")?;
        } else if !self.v3_and_below_transactional_id.is_empty() {
            return Err(Fault::NotInVersion)
                .at("AddPartitionsToTxnRequest.v3_and_below_transactional_id");
        }
        if version <= 3 {
            w.i64(self.v3_and_below_producer_id);
        } else if self.v3_and_below_producer_id != 0 {
            return Err(Fault::NotInVersion)
                .at("AddPartitionsToTxnRequest.v3_and_below_producer_id");
        }
        if version <= 3 {
            w.i16(self.v3_and_below_producer_epoch);
        } else if self.v3_and_below_producer_epoch != 0 {
            return Err(Fault::NotInVersion)
                .at("AddPartitionsToTxnRequest.v3_and_below_producer_epoch");
        }
        if version <= 3 {
            w.array(&self.v3_and_below_topics, flexible, |w, one| one.write(w, version))
                .at("AddPartitionsToTxnRequest.v3_and_below_topics")?;
        } else if !self.v3_and_below_topics.is_empty() {
            return Err(Fault::NotInVersion).at("AddPartitionsToTxnRequest.v3_and_below_topics");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AddPartitionsToTxnRequest`], versions 4-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnTransaction {
    /// In all versions.
    pub transactional_id: CompactString,
    /// In all versions.
    pub producer_id: i64,
    /// In all versions.
    pub producer_epoch: i16,
    /// In all versions.
    pub verify_only: bool,
    /// In all versions.
    pub topics: Vec<AddPartitionsToTxnTopic>,
}

impl AddPartitionsToTxnTransaction {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            transactional_id: r
                .string(true)
                .at("AddPartitionsToTxnTransaction.transactional_id")?,
            producer_id: r.i64().at("AddPartitionsToTxnTransaction.producer_id")?,
            producer_epoch: r.i16().at("AddPartitionsToTxnTransaction.producer_epoch")?,
            verify_only: r.bool().at("AddPartitionsToTxnTransaction.verify_only")?,
            topics: r
                .array(true, 3, |r| AddPartitionsToTxnTopic::read(r, version))
                .at("AddPartitionsToTxnTransaction.topics")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.transactional_id, true)
            .at("AddPartitionsToTxnTransaction.transactional_id")?;
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        w.bool(self.verify_only);
        w.array(&self.topics, true, |w, one| one.write(w, version))
            .at("AddPartitionsToTxnTransaction.topics")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`AddPartitionsToTxnRequest`], versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnTopic {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<i32>,
}

impl AddPartitionsToTxnTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            name: r.string(flexible).at("AddPartitionsToTxnTopic.name")?,
            partitions: r
                .array(flexible, 4, Reader::i32)
                .at("AddPartitionsToTxnTopic.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        w.string(&self.name, flexible).at("AddPartitionsToTxnTopic.name")?;
        w.array(&self.partitions, flexible, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("AddPartitionsToTxnTopic.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `AddPartitionsToTxnResponse`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// From version 4 on. Lost in versions without it.
    pub error_code: ErrorCode,
    /// From version 4 on.
    pub results_by_transaction: Vec<AddPartitionsToTxnResult>,
    /// Up to version 3.
    pub results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult>,
}

impl AddPartitionsToTxnResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            throttle_time_ms: r.i32().at("AddPartitionsToTxnResponse.throttle_time_ms")?,
            error_code: if version >= 4 {
                r.error().at("AddPartitionsToTxnResponse.error_code")?
            } else {
                ErrorCode::NONE
            },
            results_by_transaction: if version >= 4 {
                r.array(flexible, 3, |r| AddPartitionsToTxnResult::read(r, version))
                    .at("AddPartitionsToTxnResponse.results_by_transaction")?
            } else {
                Vec::new()
            },
            results_by_topic_v3_and_below: if version <= 3 {
                r.array(flexible, 3, |r| AddPartitionsToTxnTopicResult::read(r, version))
                    .at("AddPartitionsToTxnResponse.results_by_topic_v3_and_below")?
            } else {
                Vec::new()
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        w.i32(self.throttle_time_ms);
        if version >= 4 {
            w.error(self.error_code);
        }
        if version >= 4 {
            w.array(&self.results_by_transaction, flexible, |w, one| one.write(w, version))
                .at("AddPartitionsToTxnResponse.results_by_transaction")?;
        } else if !self.results_by_transaction.is_empty() {
            return Err(Fault::NotInVersion)
                .at("AddPartitionsToTxnResponse.results_by_transaction");
        }
        if version <= 3 {
            w.array(&self.results_by_topic_v3_and_below, flexible, |w, one| one.write(w, version))
                .at("AddPartitionsToTxnResponse.results_by_topic_v3_and_below")?;
        } else if !self.results_by_topic_v3_and_below.is_empty() {
            return Err(Fault::NotInVersion)
                .at("AddPartitionsToTxnResponse.results_by_topic_v3_and_below");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AddPartitionsToTxnResponse`], versions 4-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnResult {
    /// In all versions.
    pub transactional_id: CompactString,
    /// In all versions.
    pub topic_results: Vec<AddPartitionsToTxnTopicResult>,
}

impl AddPartitionsToTxnResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            transactional_id: r.string(true).at("AddPartitionsToTxnResult.transactional_id")?,
            topic_results: r
                .array(true, 3, |r| AddPartitionsToTxnTopicResult::read(r, version))
                .at("AddPartitionsToTxnResult.topic_results")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.transactional_id, true).at("AddPartitionsToTxnResult.transactional_id")?;
        w.array(&self.topic_results, true, |w, one| one.write(w, version))
            .at("AddPartitionsToTxnResult.topic_results")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`AddPartitionsToTxnResponse`], versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnTopicResult {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub results_by_partition: Vec<AddPartitionsToTxnPartitionResult>,
}

impl AddPartitionsToTxnTopicResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            name: r.string(flexible).at("AddPartitionsToTxnTopicResult.name")?,
            results_by_partition: r
                .array(flexible, 6, |r| AddPartitionsToTxnPartitionResult::read(r, version))
                .at("AddPartitionsToTxnTopicResult.results_by_partition")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        w.string(&self.name, flexible).at("AddPartitionsToTxnTopicResult.name")?;
        w.array(&self.results_by_partition, flexible, |w, one| one.write(w, version))
            .at("AddPartitionsToTxnTopicResult.results_by_partition")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AddPartitionsToTxnResponse`], versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnPartitionResult {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub partition_error_code: ErrorCode,
}

impl AddPartitionsToTxnPartitionResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            partition_index: r.i32().at("AddPartitionsToTxnPartitionResult.partition_index")?,
            partition_error_code: r
                .error()
                .at("AddPartitionsToTxnPartitionResult.partition_error_code")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        w.i32(self.partition_index);
        w.error(self.partition_error_code);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for AddPartitionsToTxnRequest {
    const API: ApiKey = ApiKey::AddPartitionsToTxn;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for AddPartitionsToTxnResponse {
    const API: ApiKey = ApiKey::AddPartitionsToTxn;
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

impl crate::Request for AddPartitionsToTxnRequest {
    type Response = AddPartitionsToTxnResponse;
}
