// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DeleteGroups: deletes groups and their offsets.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `DeleteGroupsRequest`, versions 0-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteGroupsRequest {
    /// In all versions.
    pub groups_names: Vec<CompactString>,
}

impl DeleteGroupsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            groups_names: r
                .array(flexible, 1, |r| r.string(flexible))
                .at("DeleteGroupsRequest.groups_names")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.array(&self.groups_names, flexible, |w, one| Ok(w.string(one, flexible)?))
            .at("DeleteGroupsRequest.groups_names")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `DeleteGroupsResponse`, versions 0-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteGroupsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub results: Vec<DeletableGroupResult>,
}

impl DeleteGroupsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            throttle_time_ms: r.i32().at("DeleteGroupsResponse.throttle_time_ms")?,
            results: r
                .array(flexible, 4, |r| DeletableGroupResult::read(r, version))
                .at("DeleteGroupsResponse.results")?,
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
            .at("DeleteGroupsResponse.results")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DeleteGroupsResponse`], versions 0-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeletableGroupResult {
    /// In all versions.
    pub group_id: CompactString,
    /// In all versions.
    pub error_code: ErrorCode,
    /// From version 3 on. Lost in versions without it.
    pub error_message: Option<CompactString>,
}

impl DeletableGroupResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            group_id: r.string(flexible).at("DeletableGroupResult.group_id")?,
            error_code: r.error().at("DeletableGroupResult.error_code")?,
            error_message: if version >= 3 {
                r.nullable_string(flexible).at("DeletableGroupResult.error_message")?
            } else {
                None
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.string(&self.group_id, flexible).at("DeletableGroupResult.group_id")?;
        w.error(self.error_code);
        if version >= 3 {
            w.nullable_string(self.error_message.as_deref(), flexible)
                .at("DeletableGroupResult.error_message")?;
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for DeleteGroupsRequest {
    const API: ApiKey = ApiKey::DeleteGroups;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DeleteGroupsResponse {
    const API: ApiKey = ApiKey::DeleteGroups;
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

impl crate::Request for DeleteGroupsRequest {
    type Response = DeleteGroupsResponse;
}
