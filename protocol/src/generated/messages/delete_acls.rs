// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DeleteAcls: deletes access rules that match filters.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `DeleteAclsRequest`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteAclsRequest {
    /// In all versions.
    pub filters: Vec<DeleteAclsFilter>,
}

impl DeleteAclsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            filters: r
                .array(flexible, 8, |r| DeleteAclsFilter::read(r, version))
                .at("DeleteAclsRequest.filters")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.array(&self.filters, flexible, |w, one| one.write(w, version))
            .at("DeleteAclsRequest.filters")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DeleteAclsRequest`], versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct DeleteAclsFilter {
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

impl Default for DeleteAclsFilter {
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

impl DeleteAclsFilter {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            resource_type_filter: r.i8().at("DeleteAclsFilter.resource_type_filter")?,
            resource_name_filter: r
                .nullable_string(flexible)
                .at("DeleteAclsFilter.resource_name_filter")?,
            pattern_type_filter: r.i8().at("DeleteAclsFilter.pattern_type_filter")?,
            principal_filter: r
                .nullable_string(flexible)
                .at("DeleteAclsFilter.principal_filter")?,
            host_filter: r.nullable_string(flexible).at("DeleteAclsFilter.host_filter")?,
            operation: r.i8().at("DeleteAclsFilter.operation")?,
            permission_type: r.i8().at("DeleteAclsFilter.permission_type")?,
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
            .at("DeleteAclsFilter.resource_name_filter")?;
        w.i8(self.pattern_type_filter);
        w.nullable_string(self.principal_filter.as_deref(), flexible)
            .at("DeleteAclsFilter.principal_filter")?;
        w.nullable_string(self.host_filter.as_deref(), flexible)
            .at("DeleteAclsFilter.host_filter")?;
        w.i8(self.operation);
        w.i8(self.permission_type);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `DeleteAclsResponse`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteAclsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub filter_results: Vec<DeleteAclsFilterResult>,
}

impl DeleteAclsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            throttle_time_ms: r.i32().at("DeleteAclsResponse.throttle_time_ms")?,
            filter_results: r
                .array(flexible, 5, |r| DeleteAclsFilterResult::read(r, version))
                .at("DeleteAclsResponse.filter_results")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i32(self.throttle_time_ms);
        w.array(&self.filter_results, flexible, |w, one| one.write(w, version))
            .at("DeleteAclsResponse.filter_results")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DeleteAclsResponse`], versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct DeleteAclsFilterResult {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub matching_acls: Vec<DeleteAclsMatchingAcl>,
}

impl Default for DeleteAclsFilterResult {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            matching_acls: Vec::new(),
        }
    }
}

impl DeleteAclsFilterResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            error_code: r.error().at("DeleteAclsFilterResult.error_code")?,
            error_message: r
                .nullable_string(flexible)
                .at("DeleteAclsFilterResult.error_message")?,
            matching_acls: r
                .array(flexible, 11, |r| DeleteAclsMatchingAcl::read(r, version))
                .at("DeleteAclsFilterResult.matching_acls")?,
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
            .at("DeleteAclsFilterResult.error_message")?;
        w.array(&self.matching_acls, flexible, |w, one| one.write(w, version))
            .at("DeleteAclsFilterResult.matching_acls")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DeleteAclsResponse`], versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct DeleteAclsMatchingAcl {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub resource_type: i8,
    /// In all versions.
    pub resource_name: CompactString,
    /// In all versions. Default 3.
    pub pattern_type: i8,
    /// In all versions.
    pub principal: CompactString,
    /// In all versions.
    pub host: CompactString,
    /// In all versions.
    pub operation: i8,
    /// In all versions.
    pub permission_type: i8,
}

impl Default for DeleteAclsMatchingAcl {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            resource_type: 0,
            resource_name: CompactString::const_new(""),
            pattern_type: 3,
            principal: CompactString::const_new(""),
            host: CompactString::const_new(""),
            operation: 0,
            permission_type: 0,
        }
    }
}

impl DeleteAclsMatchingAcl {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            error_code: r.error().at("DeleteAclsMatchingAcl.error_code")?,
            error_message: r.nullable_string(flexible).at("DeleteAclsMatchingAcl.error_message")?,
            resource_type: r.i8().at("DeleteAclsMatchingAcl.resource_type")?,
            resource_name: r.string(flexible).at("DeleteAclsMatchingAcl.resource_name")?,
            pattern_type: r.i8().at("DeleteAclsMatchingAcl.pattern_type")?,
            principal: r.string(flexible).at("DeleteAclsMatchingAcl.principal")?,
            host: r.string(flexible).at("DeleteAclsMatchingAcl.host")?,
            operation: r.i8().at("DeleteAclsMatchingAcl.operation")?,
            permission_type: r.i8().at("DeleteAclsMatchingAcl.permission_type")?,
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
            .at("DeleteAclsMatchingAcl.error_message")?;
        w.i8(self.resource_type);
        w.string(&self.resource_name, flexible).at("DeleteAclsMatchingAcl.resource_name")?;
        w.i8(self.pattern_type);
        w.string(&self.principal, flexible).at("DeleteAclsMatchingAcl.principal")?;
        w.string(&self.host, flexible).at("DeleteAclsMatchingAcl.host")?;
        w.i8(self.operation);
        w.i8(self.permission_type);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for DeleteAclsRequest {
    const API: ApiKey = ApiKey::DeleteAcls;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DeleteAclsResponse {
    const API: ApiKey = ApiKey::DeleteAcls;
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

impl crate::Request for DeleteAclsRequest {
    type Response = DeleteAclsResponse;
}
