// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! EndTxn: commits or aborts a transaction.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `EndTxnRequest`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EndTxnRequest {
    /// In all versions.
    pub transactional_id: CompactString,
    /// In all versions.
    pub producer_id: i64,
    /// In all versions.
    pub producer_epoch: i16,
    /// In all versions.
    pub committed: bool,
}

impl EndTxnRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            transactional_id: r.string(flexible).at("EndTxnRequest.transactional_id")?,
            producer_id: r.i64().at("EndTxnRequest.producer_id")?,
            producer_epoch: r.i16().at("EndTxnRequest.producer_epoch")?,
            committed: r.bool().at("EndTxnRequest.committed")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        w.string(&self.transactional_id, flexible).at("EndTxnRequest.transactional_id")?;
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        w.bool(self.committed);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `EndTxnResponse`, versions 0-5.
#[derive(Debug, Clone, PartialEq)]
pub struct EndTxnResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// From version 5 on. Default -1. Lost in versions without it.
    pub producer_id: i64,
    /// From version 5 on. Default -1. Lost in versions without it.
    pub producer_epoch: i16,
}

impl Default for EndTxnResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            producer_id: -1,
            producer_epoch: -1,
        }
    }
}

impl EndTxnResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            throttle_time_ms: r.i32().at("EndTxnResponse.throttle_time_ms")?,
            error_code: r.error().at("EndTxnResponse.error_code")?,
            producer_id: if version >= 5 { r.i64().at("EndTxnResponse.producer_id")? } else { -1 },
            producer_epoch: if version >= 5 {
                r.i16().at("EndTxnResponse.producer_epoch")?
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
        let flexible = version >= 3;
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        if version >= 5 {
            w.i64(self.producer_id);
        }
        if version >= 5 {
            w.i16(self.producer_epoch);
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for EndTxnRequest {
    const API: ApiKey = ApiKey::EndTxn;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for EndTxnResponse {
    const API: ApiKey = ApiKey::EndTxn;
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

impl crate::Request for EndTxnRequest {
    type Response = EndTxnResponse;
}
