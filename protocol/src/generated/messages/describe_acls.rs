// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DescribeAcls: lists access rules that match a filter.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `DescribeAclsRequest`, versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeAclsRequest {
    /// In all versions.
    pub resource_type_filter: i8,
    /// In all versions.
    pub resource_name_filter: Option<CompactString>,
    /// In all versions. Default 3.
    pub pattern_type_filter: i8,
    /// In all versions.
    pub principal_filter: Option<CompactString>,
    /// In all versions.
    pub host_filter: Option<CompactString>,
    /// In all versions.
    pub operation: i8,
    /// In all versions.
    pub permission_type: i8,
}

impl Default for DescribeAclsRequest {
    fn default() -> Self {
        Self {
            resource_type_filter: 0,
            resource_name_filter: Some(CompactString::const_new("")),
            pattern_type_filter: 3,
            principal_filter: Some(CompactString::const_new("")),
            host_filter: Some(CompactString::const_new("")),
            operation: 0,
            permission_type: 0,
        }
    }
}

impl DescribeAclsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            resource_type_filter: r.i8().at("DescribeAclsRequest.resource_type_filter")?,
            resource_name_filter: r
                .nullable_string(flexible)
                .at("DescribeAclsRequest.resource_name_filter")?,
            pattern_type_filter: r.i8().at("DescribeAclsRequest.pattern_type_filter")?,
            principal_filter: r
                .nullable_string(flexible)
                .at("DescribeAclsRequest.principal_filter")?,
            host_filter: r.nullable_string(flexible).at("DescribeAclsRequest.host_filter")?,
            operation: r.i8().at("DescribeAclsRequest.operation")?,
            permission_type: r.i8().at("DescribeAclsRequest.permission_type")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i8(self.resource_type_filter);
        w.nullable_string(self.resource_name_filter.as_deref(), flexible)
            .at("DescribeAclsRequest.resource_name_filter")?;
        w.i8(self.pattern_type_filter);
        w.nullable_string(self.principal_filter.as_deref(), flexible)
            .at("DescribeAclsRequest.principal_filter")?;
        w.nullable_string(self.host_filter.as_deref(), flexible)
            .at("DescribeAclsRequest.host_filter")?;
        w.i8(self.operation);
        w.i8(self.permission_type);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `DescribeAclsResponse`, versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeAclsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub resources: Vec<DescribeAclsResource>,
}

impl Default for DescribeAclsResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            resources: Vec::new(),
        }
    }
}

impl DescribeAclsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            throttle_time_ms: r.i32().at("DescribeAclsResponse.throttle_time_ms")?,
            error_code: r.error().at("DescribeAclsResponse.error_code")?,
            error_message: r.nullable_string(flexible).at("DescribeAclsResponse.error_message")?,
            resources: r
                .array(flexible, 5, |r| DescribeAclsResource::read(r, version))
                .at("DescribeAclsResponse.resources")?,
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
        w.nullable_string(self.error_message.as_deref(), flexible)
            .at("DescribeAclsResponse.error_message")?;
        w.array(&self.resources, flexible, |w, one| one.write(w, version))
            .at("DescribeAclsResponse.resources")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeAclsResponse`], versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeAclsResource {
    /// In all versions.
    pub resource_type: i8,
    /// In all versions.
    pub resource_name: CompactString,
    /// In all versions. Default 3.
    pub pattern_type: i8,
    /// In all versions.
    pub acls: Vec<AclDescription>,
}

impl Default for DescribeAclsResource {
    fn default() -> Self {
        Self {
            resource_type: 0,
            resource_name: CompactString::const_new(""),
            pattern_type: 3,
            acls: Vec::new(),
        }
    }
}

impl DescribeAclsResource {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            resource_type: r.i8().at("DescribeAclsResource.resource_type")?,
            resource_name: r.string(flexible).at("DescribeAclsResource.resource_name")?,
            pattern_type: r.i8().at("DescribeAclsResource.pattern_type")?,
            acls: r
                .array(flexible, 5, |r| AclDescription::read(r, version))
                .at("DescribeAclsResource.acls")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i8(self.resource_type);
        w.string(&self.resource_name, flexible).at("DescribeAclsResource.resource_name")?;
        w.i8(self.pattern_type);
        w.array(&self.acls, flexible, |w, one| one.write(w, version))
            .at("DescribeAclsResource.acls")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeAclsResponse`], versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AclDescription {
    /// In all versions.
    pub principal: CompactString,
    /// In all versions.
    pub host: CompactString,
    /// In all versions.
    pub operation: i8,
    /// In all versions.
    pub permission_type: i8,
}

impl AclDescription {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            principal: r.string(flexible).at("AclDescription.principal")?,
            host: r.string(flexible).at("AclDescription.host")?,
            operation: r.i8().at("AclDescription.operation")?,
            permission_type: r.i8().at("AclDescription.permission_type")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.string(&self.principal, flexible).at("AclDescription.principal")?;
        w.string(&self.host, flexible).at("AclDescription.host")?;
        w.i8(self.operation);
        w.i8(self.permission_type);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for DescribeAclsRequest {
    const API: ApiKey = ApiKey::DescribeAcls;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DescribeAclsResponse {
    const API: ApiKey = ApiKey::DescribeAcls;
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

impl crate::Request for DescribeAclsRequest {
    type Response = DescribeAclsResponse;
}
