// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! AlterClientQuotas: changes client quotas (KIP-546).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `AlterClientQuotasRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterClientQuotasRequest {
    /// In all versions.
    pub entries: Vec<RequestEntryData>,
    /// In all versions.
    pub validate_only: bool,
}

impl AlterClientQuotasRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            entries: r
                .array(flexible, 3, |r| RequestEntryData::read(r, version))
                .at("AlterClientQuotasRequest.entries")?,
            validate_only: r.bool().at("AlterClientQuotasRequest.validate_only")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.array(&self.entries, flexible, |w, one| one.write(w, version))
            .at("AlterClientQuotasRequest.entries")?;
        w.bool(self.validate_only);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AlterClientQuotasRequest`], versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestEntryData {
    /// In all versions.
    pub entity: Vec<RequestEntityData>,
    /// In all versions.
    pub ops: Vec<OpData>,
}

impl RequestEntryData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            entity: r
                .array(flexible, 3, |r| RequestEntityData::read(r, version))
                .at("RequestEntryData.entity")?,
            ops: r.array(flexible, 11, |r| OpData::read(r, version)).at("RequestEntryData.ops")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.array(&self.entity, flexible, |w, one| one.write(w, version))
            .at("RequestEntryData.entity")?;
        w.array(&self.ops, flexible, |w, one| one.write(w, version)).at("RequestEntryData.ops")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AlterClientQuotasRequest`], versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestEntityData {
    /// In all versions.
    pub entity_type: CompactString,
    /// In all versions.
    pub entity_name: Option<CompactString>,
}

impl Default for RequestEntityData {
    fn default() -> Self {
        Self {
            entity_type: CompactString::const_new(""),
            entity_name: Some(CompactString::const_new("")),
        }
    }
}

impl RequestEntityData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            entity_type: r.string(flexible).at("RequestEntityData.entity_type")?,
            entity_name: r.nullable_string(flexible).at("RequestEntityData.entity_name")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.string(&self.entity_type, flexible).at("RequestEntityData.entity_type")?;
        w.nullable_string(self.entity_name.as_deref(), flexible)
            .at("RequestEntityData.entity_name")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AlterClientQuotasRequest`], versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OpData {
    /// In all versions.
    pub key: CompactString,
    /// In all versions.
    pub value: f64,
    /// In all versions.
    pub remove: bool,
}

impl OpData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            key: r.string(flexible).at("OpData.key")?,
            value: r.f64().at("OpData.value")?,
            remove: r.bool().at("OpData.remove")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.string(&self.key, flexible).at("OpData.key")?;
        w.f64(self.value);
        w.bool(self.remove);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `AlterClientQuotasResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterClientQuotasResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub entries: Vec<ResponseEntryData>,
}

impl AlterClientQuotasResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            throttle_time_ms: r.i32().at("AlterClientQuotasResponse.throttle_time_ms")?,
            entries: r
                .array(flexible, 5, |r| ResponseEntryData::read(r, version))
                .at("AlterClientQuotasResponse.entries")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.i32(self.throttle_time_ms);
        w.array(&self.entries, flexible, |w, one| one.write(w, version))
            .at("AlterClientQuotasResponse.entries")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AlterClientQuotasResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct ResponseEntryData {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub entity: Vec<ResponseEntityData>,
}

impl Default for ResponseEntryData {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            entity: Vec::new(),
        }
    }
}

impl ResponseEntryData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            error_code: r.error().at("ResponseEntryData.error_code")?,
            error_message: r.nullable_string(flexible).at("ResponseEntryData.error_message")?,
            entity: r
                .array(flexible, 3, |r| ResponseEntityData::read(r, version))
                .at("ResponseEntryData.entity")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), flexible)
            .at("ResponseEntryData.error_message")?;
        w.array(&self.entity, flexible, |w, one| one.write(w, version))
            .at("ResponseEntryData.entity")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AlterClientQuotasResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct ResponseEntityData {
    /// In all versions.
    pub entity_type: CompactString,
    /// In all versions.
    pub entity_name: Option<CompactString>,
}

impl Default for ResponseEntityData {
    fn default() -> Self {
        Self {
            entity_type: CompactString::const_new(""),
            entity_name: Some(CompactString::const_new("")),
        }
    }
}

impl ResponseEntityData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            entity_type: r.string(flexible).at("ResponseEntityData.entity_type")?,
            entity_name: r.nullable_string(flexible).at("ResponseEntityData.entity_name")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.string(&self.entity_type, flexible).at("ResponseEntityData.entity_type")?;
        w.nullable_string(self.entity_name.as_deref(), flexible)
            .at("ResponseEntityData.entity_name")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for AlterClientQuotasRequest {
    const API: ApiKey = ApiKey::AlterClientQuotas;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for AlterClientQuotasResponse {
    const API: ApiKey = ApiKey::AlterClientQuotas;
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

impl crate::Request for AlterClientQuotasRequest {
    type Response = AlterClientQuotasResponse;
}
