// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! UnregisterController: removes a controller's registration.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `UnregisterControllerRequest`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnregisterControllerRequest {
    /// In all versions.
    pub controller_id: i32,
}

impl UnregisterControllerRequest {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self { controller_id: r.i32().at("UnregisterControllerRequest.controller_id")? };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.controller_id);
        w.uvarint(0);
        Ok(())
    }
}

/// `UnregisterControllerResponse`, version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct UnregisterControllerResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
}

impl Default for UnregisterControllerResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
        }
    }
}

impl UnregisterControllerResponse {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("UnregisterControllerResponse.throttle_time_ms")?,
            error_code: r.error().at("UnregisterControllerResponse.error_code")?,
            error_message: r
                .nullable_string(true)
                .at("UnregisterControllerResponse.error_message")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("UnregisterControllerResponse.error_message")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for UnregisterControllerRequest {
    const API: ApiKey = ApiKey::UnregisterController;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for UnregisterControllerResponse {
    const API: ApiKey = ApiKey::UnregisterController;
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

impl crate::Request for UnregisterControllerRequest {
    type Response = UnregisterControllerResponse;
}
