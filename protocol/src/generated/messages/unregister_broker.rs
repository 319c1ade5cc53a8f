// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! UnregisterBroker: removes a broker's registration.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `UnregisterBrokerRequest`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnregisterBrokerRequest {
    /// In all versions.
    pub broker_id: i32,
}

impl UnregisterBrokerRequest {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self { broker_id: r.i32().at("UnregisterBrokerRequest.broker_id")? };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.broker_id);
        w.uvarint(0);
        Ok(())
    }
}

/// `UnregisterBrokerResponse`, version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct UnregisterBrokerResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
}

impl Default for UnregisterBrokerResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
        }
    }
}

impl UnregisterBrokerResponse {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("UnregisterBrokerResponse.throttle_time_ms")?,
            error_code: r.error().at("UnregisterBrokerResponse.error_code")?,
            error_message: r.nullable_string(true).at("UnregisterBrokerResponse.error_message")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("UnregisterBrokerResponse.error_message")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for UnregisterBrokerRequest {
    const API: ApiKey = ApiKey::UnregisterBroker;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for UnregisterBrokerResponse {
    const API: ApiKey = ApiKey::UnregisterBroker;
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

impl crate::Request for UnregisterBrokerRequest {
    type Response = UnregisterBrokerResponse;
}
