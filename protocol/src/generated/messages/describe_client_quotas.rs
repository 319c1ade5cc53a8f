// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DescribeClientQuotas: reads client quotas (KIP-546).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `DescribeClientQuotasRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeClientQuotasRequest {
    /// In all versions.
    pub components: Vec<ComponentData>,
    /// In all versions.
    pub strict: bool,
}

impl DescribeClientQuotasRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            components: r
                .array(flexible, 4, |r| ComponentData::read(r, version))
                .at("DescribeClientQuotasRequest.components")?,
            strict: r.bool().at("DescribeClientQuotasRequest.strict")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.array(&self.components, flexible, |w, one| one.write(w, version))
            .at("DescribeClientQuotasRequest.components")?;
        w.bool(self.strict);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeClientQuotasRequest`], versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentData {
    /// In all versions.
    pub entity_type: CompactString,
    /// In all versions.
    pub match_type: i8,
    /// In all versions.
    pub r#match: Option<CompactString>,
}

impl Default for ComponentData {
    fn default() -> Self {
        Self {
            entity_type: CompactString::const_new(""),
            match_type: 0,
            r#match: Some(CompactString::const_new("")),
        }
    }
}

impl ComponentData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            entity_type: r.string(flexible).at("ComponentData.entity_type")?,
            match_type: r.i8().at("ComponentData.match_type")?,
            r#match: r.nullable_string(flexible).at("ComponentData.match")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.string(&self.entity_type, flexible).at("ComponentData.entity_type")?;
        w.i8(self.match_type);
        w.nullable_string(self.r#match.as_deref(), flexible).at("ComponentData.match")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `DescribeClientQuotasResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeClientQuotasResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub entries: Option<Vec<EntryData>>,
}

impl Default for DescribeClientQuotasResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            entries: Some(Vec::new()),
        }
    }
}

impl DescribeClientQuotasResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            throttle_time_ms: r.i32().at("DescribeClientQuotasResponse.throttle_time_ms")?,
            error_code: r.error().at("DescribeClientQuotasResponse.error_code")?,
            error_message: r
                .nullable_string(flexible)
                .at("DescribeClientQuotasResponse.error_message")?,
            entries: r
                .nullable_array(flexible, 3, |r| EntryData::read(r, version))
                .at("DescribeClientQuotasResponse.entries")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), flexible)
            .at("DescribeClientQuotasResponse.error_message")?;
        w.nullable_array(self.entries.as_deref(), flexible, |w, one| one.write(w, version))
            .at("DescribeClientQuotasResponse.entries")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeClientQuotasResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntryData {
    /// In all versions.
    pub entity: Vec<EntityData>,
    /// In all versions.
    pub values: Vec<ValueData>,
}

impl EntryData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            entity: r
                .array(flexible, 3, |r| EntityData::read(r, version))
                .at("EntryData.entity")?,
            values: r
                .array(flexible, 10, |r| ValueData::read(r, version))
                .at("EntryData.values")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.array(&self.entity, flexible, |w, one| one.write(w, version)).at("EntryData.entity")?;
        w.array(&self.values, flexible, |w, one| one.write(w, version)).at("EntryData.values")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeClientQuotasResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityData {
    /// In all versions.
    pub entity_type: CompactString,
    /// In all versions.
    pub entity_name: Option<CompactString>,
}

impl Default for EntityData {
    fn default() -> Self {
        Self {
            entity_type: CompactString::const_new(""),
            entity_name: Some(CompactString::const_new("")),
        }
    }
}

impl EntityData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            entity_type: r.string(flexible).at("EntityData.entity_type")?,
            entity_name: r.nullable_string(flexible).at("EntityData.entity_name")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.string(&self.entity_type, flexible).at("EntityData.entity_type")?;
        w.nullable_string(self.entity_name.as_deref(), flexible).at("EntityData.entity_name")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeClientQuotasResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ValueData {
    /// In all versions.
    pub key: CompactString,
    /// In all versions.
    pub value: f64,
}

impl ValueData {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            key: r.string(flexible).at("ValueData.key")?,
            value: r.f64().at("ValueData.value")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.string(&self.key, flexible).at("ValueData.key")?;
        w.f64(self.value);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for DescribeClientQuotasRequest {
    const API: ApiKey = ApiKey::DescribeClientQuotas;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DescribeClientQuotasResponse {
    const API: ApiKey = ApiKey::DescribeClientQuotas;
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

impl crate::Request for DescribeClientQuotasRequest {
    type Response = DescribeClientQuotasResponse;
}
