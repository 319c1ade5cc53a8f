// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! SaslAuthenticate: carries SASL tokens.

use bytes::Bytes;
use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `SaslAuthenticateRequest`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SaslAuthenticateRequest {
    /// In all versions.
    pub auth_bytes: Bytes,
}

impl SaslAuthenticateRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self { auth_bytes: r.bytes(flexible).at("SaslAuthenticateRequest.auth_bytes")? };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.bytes(&self.auth_bytes, flexible).at("SaslAuthenticateRequest.auth_bytes")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `SaslAuthenticateResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct SaslAuthenticateResponse {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub auth_bytes: Bytes,
    /// From version 1 on. Lost in versions without it.
    pub session_lifetime_ms: i64,
}

impl Default for SaslAuthenticateResponse {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            auth_bytes: Bytes::new(),
            session_lifetime_ms: 0,
        }
    }
}

impl SaslAuthenticateResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            error_code: r.error().at("SaslAuthenticateResponse.error_code")?,
            error_message: r
                .nullable_string(flexible)
                .at("SaslAuthenticateResponse.error_message")?,
            auth_bytes: r.bytes(flexible).at("SaslAuthenticateResponse.auth_bytes")?,
            session_lifetime_ms: if version >= 1 {
                r.i64().at("SaslAuthenticateResponse.session_lifetime_ms")?
            } else {
                0
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), flexible)
            .at("SaslAuthenticateResponse.error_message")?;
        w.bytes(&self.auth_bytes, flexible).at("SaslAuthenticateResponse.auth_bytes")?;
        if version >= 1 {
            w.i64(self.session_lifetime_ms);
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for SaslAuthenticateRequest {
    const API: ApiKey = ApiKey::SaslAuthenticate;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for SaslAuthenticateResponse {
    const API: ApiKey = ApiKey::SaslAuthenticate;
    const KIND: MessageKind = MessageKind::Response;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Request for SaslAuthenticateRequest {
    type Response = SaslAuthenticateResponse;
}
