// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! IncrementalAlterConfigs: changes single configuration keys (KIP-339).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `IncrementalAlterConfigsRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IncrementalAlterConfigsRequest {
    /// In all versions.
    pub resources: Vec<AlterConfigsResource>,
    /// In all versions.
    pub validate_only: bool,
}

impl IncrementalAlterConfigsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            resources: r
                .array(flexible, 4, |r| AlterConfigsResource::read(r, version))
                .at("IncrementalAlterConfigsRequest.resources")?,
            validate_only: r.bool().at("IncrementalAlterConfigsRequest.validate_only")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.array(&self.resources, flexible, |w, one| one.write(w, version))
            .at("IncrementalAlterConfigsRequest.resources")?;
        w.bool(self.validate_only);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`IncrementalAlterConfigsRequest`], versions 0-1.
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
        let flexible = version >= 1;
        let this = Self {
            resource_type: r.i8().at("AlterConfigsResource.resource_type")?,
            resource_name: r.string(flexible).at("AlterConfigsResource.resource_name")?,
            configs: r
                .array(flexible, 4, |r| AlterableConfig::read(r, version))
                .at("AlterConfigsResource.configs")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
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

/// Part of [`IncrementalAlterConfigsRequest`], versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterableConfig {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub config_operation: i8,
    /// In all versions.
    pub value: Option<CompactString>,
}

impl Default for AlterableConfig {
    fn default() -> Self {
        Self {
            name: CompactString::const_new(""),
            config_operation: 0,
            value: Some(CompactString::const_new("")),
        }
    }
}

impl AlterableConfig {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            name: r.string(flexible).at("AlterableConfig.name")?,
            config_operation: r.i8().at("AlterableConfig.config_operation")?,
            value: r.nullable_string(flexible).at("AlterableConfig.value")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.string(&self.name, flexible).at("AlterableConfig.name")?;
        w.i8(self.config_operation);
        w.nullable_string(self.value.as_deref(), flexible).at("AlterableConfig.value")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `IncrementalAlterConfigsResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IncrementalAlterConfigsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub responses: Vec<AlterConfigsResourceResponse>,
}

impl IncrementalAlterConfigsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 1;
        let this = Self {
            throttle_time_ms: r.i32().at("IncrementalAlterConfigsResponse.throttle_time_ms")?,
            responses: r
                .array(flexible, 6, |r| AlterConfigsResourceResponse::read(r, version))
                .at("IncrementalAlterConfigsResponse.responses")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 1;
        w.i32(self.throttle_time_ms);
        w.array(&self.responses, flexible, |w, one| one.write(w, version))
            .at("IncrementalAlterConfigsResponse.responses")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`IncrementalAlterConfigsResponse`], versions 0-1.
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
        let flexible = version >= 1;
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
        let flexible = version >= 1;
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

impl crate::Message for IncrementalAlterConfigsRequest {
    const API: ApiKey = ApiKey::IncrementalAlterConfigs;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for IncrementalAlterConfigsResponse {
    const API: ApiKey = ApiKey::IncrementalAlterConfigs;
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

impl crate::Request for IncrementalAlterConfigsRequest {
    type Response = IncrementalAlterConfigsResponse;
}
