// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! SaslHandshake: chooses the SASL mechanism.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `SaslHandshakeRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SaslHandshakeRequest {
    /// In all versions.
    pub mechanism: CompactString,
}

impl SaslHandshakeRequest {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self { mechanism: r.string(false).at("SaslHandshakeRequest.mechanism")? };
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.mechanism, false).at("SaslHandshakeRequest.mechanism")?;
        Ok(())
    }
}

/// `SaslHandshakeResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SaslHandshakeResponse {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub mechanisms: Vec<CompactString>,
}

impl SaslHandshakeResponse {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            error_code: r.error().at("SaslHandshakeResponse.error_code")?,
            mechanisms: r
                .array(false, 2, |r| r.string(false))
                .at("SaslHandshakeResponse.mechanisms")?,
        };
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.error(self.error_code);
        w.array(&self.mechanisms, false, |w, one| Ok(w.string(one, false)?))
            .at("SaslHandshakeResponse.mechanisms")?;
        Ok(())
    }
}

impl crate::Message for SaslHandshakeRequest {
    const API: ApiKey = ApiKey::SaslHandshake;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for SaslHandshakeResponse {
    const API: ApiKey = ApiKey::SaslHandshake;
    const KIND: MessageKind = MessageKind::Response;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Request for SaslHandshakeRequest {
    type Response = SaslHandshakeResponse;
}
