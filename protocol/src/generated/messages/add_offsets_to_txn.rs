// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! AddOffsetsToTxn: adds a group's offsets to a transaction.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `AddOffsetsToTxnRequest`, versions 0-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddOffsetsToTxnRequest {
    /// In all versions.
    pub transactional_id: CompactString,
    /// In all versions.
    pub producer_id: i64,
    /// In all versions.
    pub producer_epoch: i16,
    /// In all versions.
    pub group_id: CompactString,
}

impl AddOffsetsToTxnRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            transactional_id: r.string(flexible).at("AddOffsetsToTxnRequest.transactional_id")?,
            producer_id: r.i64().at("AddOffsetsToTxnRequest.producer_id")?,
            producer_epoch: r.i16().at("AddOffsetsToTxnRequest.producer_epoch")?,
            group_id: r.string(flexible).at("AddOffsetsToTxnRequest.group_id")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        w.string(&self.transactional_id, flexible).at("AddOffsetsToTxnRequest.transactional_id")?;
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        w.string(&self.group_id, flexible).at("AddOffsetsToTxnRequest.group_id")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `AddOffsetsToTxnResponse`, versions 0-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddOffsetsToTxnResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
}

impl AddOffsetsToTxnResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            throttle_time_ms: r.i32().at("AddOffsetsToTxnResponse.throttle_time_ms")?,
            error_code: r.error().at("AddOffsetsToTxnResponse.error_code")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for AddOffsetsToTxnRequest {
    const API: ApiKey = ApiKey::AddOffsetsToTxn;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for AddOffsetsToTxnResponse {
    const API: ApiKey = ApiKey::AddOffsetsToTxn;
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

impl crate::Request for AddOffsetsToTxnRequest {
    type Response = AddOffsetsToTxnResponse;
}
