// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! InitProducerId: hands out a producer id and epoch (KIP-98).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `InitProducerIdRequest`, versions 0-5.
#[derive(Debug, Clone, PartialEq)]
pub struct InitProducerIdRequest {
    /// In all versions.
    pub transactional_id: Option<CompactString>,
    /// In all versions.
    pub transaction_timeout_ms: i32,
    /// From version 3 on. Default -1.
    pub producer_id: i64,
    /// From version 3 on. Default -1.
    pub producer_epoch: i16,
}

impl Default for InitProducerIdRequest {
    fn default() -> Self {
        Self {
            transactional_id: Some(CompactString::const_new("")),
            transaction_timeout_ms: 0,
            producer_id: -1,
            producer_epoch: -1,
        }
    }
}

impl InitProducerIdRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            transactional_id: r
                .nullable_string(flexible)
                .at("InitProducerIdRequest.transactional_id")?,
            transaction_timeout_ms: r.i32().at("InitProducerIdRequest.transaction_timeout_ms")?,
            producer_id: if version >= 3 {
                r.i64().at("InitProducerIdRequest.producer_id")?
            } else {
                -1
            },
            producer_epoch: if version >= 3 {
                r.i16().at("InitProducerIdRequest.producer_epoch")?
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
        let flexible = version >= 2;
        w.nullable_string(self.transactional_id.as_deref(), flexible)
            .at("InitProducerIdRequest.transactional_id")?;
        w.i32(self.transaction_timeout_ms);
        if version >= 3 {
            w.i64(self.producer_id);
        } else if self.producer_id != -1 {
            return Err(Fault::NotInVersion).at("InitProducerIdRequest.producer_id");
        }
        if version >= 3 {
            w.i16(self.producer_epoch);
        } else if self.producer_epoch != -1 {
            return Err(Fault::NotInVersion).at("InitProducerIdRequest.producer_epoch");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `InitProducerIdResponse`, versions 0-5.
#[derive(Debug, Clone, PartialEq)]
pub struct InitProducerIdResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions. Default -1.
    pub producer_id: i64,
    /// In all versions.
    pub producer_epoch: i16,
}

impl Default for InitProducerIdResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            producer_id: -1,
            producer_epoch: 0,
        }
    }
}

impl InitProducerIdResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            throttle_time_ms: r.i32().at("InitProducerIdResponse.throttle_time_ms")?,
            error_code: r.error().at("InitProducerIdResponse.error_code")?,
            producer_id: r.i64().at("InitProducerIdResponse.producer_id")?,
            producer_epoch: r.i16().at("InitProducerIdResponse.producer_epoch")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for InitProducerIdRequest {
    const API: ApiKey = ApiKey::InitProducerId;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for InitProducerIdResponse {
    const API: ApiKey = ApiKey::InitProducerId;
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

impl crate::Request for InitProducerIdRequest {
    type Response = InitProducerIdResponse;
}
