// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DescribeConfigs: reads configurations of topics, brokers and other resources.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `DescribeConfigsRequest`, versions 1-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeConfigsRequest {
    /// In all versions.
    pub resources: Vec<DescribeConfigsResource>,
    /// In all versions.
    pub include_synonyms: bool,
    /// From version 3 on.
    pub include_documentation: bool,
}

impl DescribeConfigsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            resources: r
                .array(flexible, 4, |r| DescribeConfigsResource::read(r, version))
                .at("DescribeConfigsRequest.resources")?,
            include_synonyms: r.bool().at("DescribeConfigsRequest.include_synonyms")?,
            include_documentation: if version >= 3 {
                r.bool().at("DescribeConfigsRequest.include_documentation")?
            } else {
                false
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.array(&self.resources, flexible, |w, one| one.write(w, version))
            .at("DescribeConfigsRequest.resources")?;
        w.bool(self.include_synonyms);
        if version >= 3 {
            w.bool(self.include_documentation);
        } else if self.include_documentation {
            return Err(Fault::NotInVersion).at("DescribeConfigsRequest.include_documentation");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeConfigsRequest`], versions 1-4.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeConfigsResource {
    /// In all versions.
    pub resource_type: i8,
    /// In all versions.
    pub resource_name: CompactString,
    /// In all versions.
    pub configuration_keys: Option<Vec<CompactString>>,
}

impl Default for DescribeConfigsResource {
    fn default() -> Self {
        Self {
            resource_type: 0,
            resource_name: CompactString::const_new(""),
            configuration_keys: Some(Vec::new()),
        }
    }
}

impl DescribeConfigsResource {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            resource_type: r.i8().at("DescribeConfigsResource.resource_type")?,
            resource_name: r.string(flexible).at("DescribeConfigsResource.resource_name")?,
            configuration_keys: r
                .nullable_array(flexible, 1, |r| r.string(flexible))
                .at("DescribeConfigsResource.configuration_keys")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.i8(self.resource_type);
        w.string(&self.resource_name, flexible).at("DescribeConfigsResource.resource_name")?;
        w.nullable_array(self.configuration_keys.as_deref(), flexible, |w, one| {
            Ok(w.string(one, flexible)?)
        })
        .at("DescribeConfigsResource.configuration_keys")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `DescribeConfigsResponse`, versions 1-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeConfigsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub results: Vec<DescribeConfigsResult>,
}

impl DescribeConfigsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            throttle_time_ms: r.i32().at("DescribeConfigsResponse.throttle_time_ms")?,
            results: r
                .array(flexible, 7, |r| DescribeConfigsResult::read(r, version))
                .at("DescribeConfigsResponse.results")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.i32(self.throttle_time_ms);
        w.array(&self.results, flexible, |w, one| one.write(w, version))
            .at("DescribeConfigsResponse.results")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeConfigsResponse`], versions 1-4.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeConfigsResult {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub resource_type: i8,
    /// In all versions.
    pub resource_name: CompactString,
    /// In all versions.
    pub configs: Vec<DescribeConfigsResourceResult>,
}

impl Default for DescribeConfigsResult {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            resource_type: 0,
            resource_name: CompactString::const_new(""),
            configs: Vec::new(),
        }
    }
}

impl DescribeConfigsResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            error_code: r.error().at("DescribeConfigsResult.error_code")?,
            error_message: r.nullable_string(flexible).at("DescribeConfigsResult.error_message")?,
            resource_type: r.i8().at("DescribeConfigsResult.resource_type")?,
            resource_name: r.string(flexible).at("DescribeConfigsResult.resource_name")?,
            configs: r
                .array(flexible, 9, |r| DescribeConfigsResourceResult::read(r, version))
                .at("DescribeConfigsResult.configs")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), flexible)
            .at("DescribeConfigsResult.error_message")?;
        w.i8(self.resource_type);
        w.string(&self.resource_name, flexible).at("DescribeConfigsResult.resource_name")?;
        w.array(&self.configs, flexible, |w, one| one.write(w, version))
            .at("DescribeConfigsResult.configs")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeConfigsResponse`], versions 1-4.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeConfigsResourceResult {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub value: Option<CompactString>,
    /// In all versions.
    pub read_only: bool,
    /// In all versions. Default -1.
    pub config_source: i8,
    /// In all versions.
    pub is_sensitive: bool,
    /// In all versions.
    pub synonyms: Vec<DescribeConfigsSynonym>,
    /// From version 3 on. Lost in versions without it.
    pub config_type: i8,
    /// From version 3 on. Lost in versions without it.
    pub documentation: Option<CompactString>,
}

impl Default for DescribeConfigsResourceResult {
    fn default() -> Self {
        Self {
            name: CompactString::const_new(""),
            value: Some(CompactString::const_new("")),
            read_only: false,
            config_source: -1,
            is_sensitive: false,
            synonyms: Vec::new(),
            config_type: 0,
            documentation: Some(CompactString::const_new("")),
        }
    }
}

impl DescribeConfigsResourceResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            name: r.string(flexible).at("DescribeConfigsResourceResult.name")?,
            value: r.nullable_string(flexible).at("DescribeConfigsResourceResult.value")?,
            read_only: r.bool().at("DescribeConfigsResourceResult.read_only")?,
            config_source: r.i8().at("DescribeConfigsResourceResult.config_source")?,
            is_sensitive: r.bool().at("DescribeConfigsResourceResult.is_sensitive")?,
            synonyms: r
                .array(flexible, 4, |r| DescribeConfigsSynonym::read(r, version))
                .at("DescribeConfigsResourceResult.synonyms")?,
            config_type: if version >= 3 {
                r.i8().at("DescribeConfigsResourceResult.config_type")?
            } else {
                0
            },
            documentation: if version >= 3 {
                r.nullable_string(flexible).at("DescribeConfigsResourceResult.documentation")?
            } else {
                Some(CompactString::const_new(""))
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.string(&self.name, flexible).at("DescribeConfigsResourceResult.name")?;
        w.nullable_string(self.value.as_deref(), flexible)
            .at("DescribeConfigsResourceResult.value")?;
        w.bool(self.read_only);
        w.i8(self.config_source);
        w.bool(self.is_sensitive);
        w.array(&self.synonyms, flexible, |w, one| one.write(w, version))
            .at("DescribeConfigsResourceResult.synonyms")?;
        if version >= 3 {
            w.i8(self.config_type);
        }
        if version >= 3 {
            w.nullable_string(self.documentation.as_deref(), flexible)
                .at("DescribeConfigsResourceResult.documentation")?;
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeConfigsResponse`], versions 1-4.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeConfigsSynonym {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub value: Option<CompactString>,
    /// In all versions.
    pub source: i8,
}

impl Default for DescribeConfigsSynonym {
    fn default() -> Self {
        Self {
            name: CompactString::const_new(""),
            value: Some(CompactString::const_new("")),
            source: 0,
        }
    }
}

impl DescribeConfigsSynonym {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            name: r.string(flexible).at("DescribeConfigsSynonym.name")?,
            value: r.nullable_string(flexible).at("DescribeConfigsSynonym.value")?,
            source: r.i8().at("DescribeConfigsSynonym.source")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.string(&self.name, flexible).at("DescribeConfigsSynonym.name")?;
        w.nullable_string(self.value.as_deref(), flexible).at("DescribeConfigsSynonym.value")?;
        w.i8(self.source);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for DescribeConfigsRequest {
    const API: ApiKey = ApiKey::DescribeConfigs;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DescribeConfigsResponse {
    const API: ApiKey = ApiKey::DescribeConfigs;
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

impl crate::Request for DescribeConfigsRequest {
    type Response = DescribeConfigsResponse;
}
