// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! AlterConfigs: replaces the whole configuration of a resource.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `AlterConfigsRequest`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterConfigsRequest {
    /// In all versions.
    pub resources: Vec<AlterConfigsResource>,
    /// In all versions.
    pub validate_only: bool,
}

impl AlterConfigsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            resources: r
                .array(flexible, 4, |r| AlterConfigsResource::read(r, version))
                .at("AlterConfigsRequest.resources")?,
            validate_only: r.bool().at("AlterConfigsRequest.validate_only")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.array(&self.resources, flexible, |w, one| one.write(w, version))
            .at("AlterConfigsRequest.resources")?;
        w.bool(self.validate_only);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AlterConfigsRequest`], versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterConfigsResource {
    /// In all versions.
    pub resource_type: i8,
    /// In all versions.
    pub resource_name: CompactString,
    /// In all versions.
    pub configs: Vec<AlterableConfig>,
}

impl AlterConfigsResource {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            resource_type: r.i8().at("AlterConfigsResource.resource_type")?,
            resource_name: r.string(flexible).at("AlterConfigsResource.resource_name")?,
            configs: r
                .array(flexible, 3, |r| AlterableConfig::read(r, version))
                .at("AlterConfigsResource.configs")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i8(self.resource_type);
        w.string(&self.resource_name, flexible).at("AlterConfigsResource.resource_name")?;
        w.array(&self.configs, flexible, |w, one| one.write(w, version))
            .at("AlterConfigsResource.configs")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AlterConfigsRequest`], versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterableConfig {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub value: Option<CompactString>,
}

impl Default for AlterableConfig {
    fn default() -> Self {
        Self { name: CompactString::const_new(""), value: Some(CompactString::const_new("")) }
    }
}

impl AlterableConfig {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            name: r.string(flexible).at("AlterableConfig.name")?,
            value: r.nullable_string(flexible).at("AlterableConfig.value")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.string(&self.name, flexible).at("AlterableConfig.name")?;
        w.nullable_string(self.value.as_deref(), flexible).at("AlterableConfig.value")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `AlterConfigsResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterConfigsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub responses: Vec<AlterConfigsResourceResponse>,
}

impl AlterConfigsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            throttle_time_ms: r.i32().at("AlterConfigsResponse.throttle_time_ms")?,
            responses: r
                .array(flexible, 6, |r| AlterConfigsResourceResponse::read(r, version))
                .at("AlterConfigsResponse.responses")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i32(self.throttle_time_ms);
        w.array(&self.responses, flexible, |w, one| one.write(w, version))
            .at("AlterConfigsResponse.responses")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AlterConfigsResponse`], versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterConfigsResourceResponse {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub resource_type: i8,
    /// In all versions.
    pub resource_name: CompactString,
}

impl Default for AlterConfigsResourceResponse {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            resource_type: 0,
            resource_name: CompactString::const_new(""),
        }
    }
}

impl AlterConfigsResourceResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            error_code: r.error().at("AlterConfigsResourceResponse.error_code")?,
            error_message: r
                .nullable_string(flexible)
                .at("AlterConfigsResourceResponse.error_message")?,
            resource_type: r.i8().at("AlterConfigsResourceResponse.resource_type")?,
            resource_name: r.string(flexible).at("AlterConfigsResourceResponse.resource_name")?,
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
            .at("AlterConfigsResourceResponse.error_message")?;
        w.i8(self.resource_type);
        w.string(&self.resource_name, flexible).at("AlterConfigsResourceResponse.resource_name")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for AlterConfigsRequest {
    const API: ApiKey = ApiKey::AlterConfigs;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for AlterConfigsResponse {
    const API: ApiKey = ApiKey::AlterConfigs;
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

impl crate::Request for AlterConfigsRequest {
    type Response = AlterConfigsResponse;
}
