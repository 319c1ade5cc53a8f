// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! CreateAcls: creates access rules.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `CreateAclsRequest`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateAclsRequest {
    /// In all versions.
    pub creations: Vec<AclCreation>,
}

impl CreateAclsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            creations: r
                .array(flexible, 8, |r| AclCreation::read(r, version))
                .at("CreateAclsRequest.creations")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.array(&self.creations, flexible, |w, one| one.write(w, version))
            .at("CreateAclsRequest.creations")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`CreateAclsRequest`], versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct AclCreation {
    /// In all versions.
    pub resource_type: i8,
    /// In all versions.
    pub resource_name: CompactString,
    /// In all versions. Default 3.
    pub resource_pattern_type: i8,
    /// In all versions.
    pub principal: CompactString,
    /// In all versions.
    pub host: CompactString,
    /// In all versions.
    pub operation: i8,
    /// In all versions.
    pub permission_type: i8,
}

impl Default for AclCreation {
    fn default() -> Self {
        Self {
            resource_type: 0,
            resource_name: CompactString::const_new(""),
            resource_pattern_type: 3,
            principal: CompactString::const_new(""),
            host: CompactString::const_new(""),
            operation: 0,
            permission_type: 0,
        }
    }
}

impl AclCreation {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            resource_type: r.i8().at("AclCreation.resource_type")?,
            resource_name: r.string(flexible).at("AclCreation.resource_name")?,
            resource_pattern_type: r.i8().at("AclCreation.resource_pattern_type")?,
            principal: r.string(flexible).at("AclCreation.principal")?,
            host: r.string(flexible).at("AclCreation.host")?,
            operation: r.i8().at("AclCreation.operation")?,
            permission_type: r.i8().at("AclCreation.permission_type")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i8(self.resource_type);
        w.string(&self.resource_name, flexible).at("AclCreation.resource_name")?;
        w.i8(self.resource_pattern_type);
        w.string(&self.principal, flexible).at("AclCreation.principal")?;
        w.string(&self.host, flexible).at("AclCreation.host")?;
        w.i8(self.operation);
        w.i8(self.permission_type);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `CreateAclsResponse`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateAclsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub results: Vec<AclCreationResult>,
}

impl CreateAclsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            throttle_time_ms: r.i32().at("CreateAclsResponse.throttle_time_ms")?,
            results: r
                .array(flexible, 4, |r| AclCreationResult::read(r, version))
                .at("CreateAclsResponse.results")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i32(self.throttle_time_ms);
        w.array(&self.results, flexible, |w, one| one.write(w, version))
            .at("CreateAclsResponse.results")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`CreateAclsResponse`], versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct AclCreationResult {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
}

impl Default for AclCreationResult {
    fn default() -> Self {
        Self { error_code: ErrorCode::NONE, error_message: Some(CompactString::const_new("")) }
    }
}

impl AclCreationResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            error_code: r.error().at("AclCreationResult.error_code")?,
            error_message: r.nullable_string(flexible).at("AclCreationResult.error_message")?,
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
            .at("AclCreationResult.error_message")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for CreateAclsRequest {
    const API: ApiKey = ApiKey::CreateAcls;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for CreateAclsResponse {
    const API: ApiKey = ApiKey::CreateAcls;
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

impl crate::Request for CreateAclsRequest {
    type Response = CreateAclsResponse;
}
