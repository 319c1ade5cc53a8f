// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! SyncGroup: hands out, or asks for, the assignment of a generation of a classic group.

use bytes::Bytes;
use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `SyncGroupRequest`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SyncGroupRequest {
    /// In all versions.
    pub group_id: CompactString,
    /// In all versions.
    pub generation_id: i32,
    /// In all versions.
    pub member_id: CompactString,
    /// From version 3 on.
    pub group_instance_id: Option<CompactString>,
    /// From version 5 on. Lost in versions without it.
    pub protocol_type: Option<CompactString>,
    /// From version 5 on. Lost in versions without it.
    pub protocol_name: Option<CompactString>,
    /// In all versions.
    pub assignments: Vec<SyncGroupRequestAssignment>,
}

impl SyncGroupRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            group_id: r.string(flexible).at("SyncGroupRequest.group_id")?,
            generation_id: r.i32().at("SyncGroupRequest.generation_id")?,
            member_id: r.string(flexible).at("SyncGroupRequest.member_id")?,
            group_instance_id: if version >= 3 {
                r.nullable_string(flexible).at("SyncGroupRequest.group_instance_id")?
            } else {
                None
            },
            protocol_type: if version >= 5 {
                r.nullable_string(flexible).at("SyncGroupRequest.protocol_type")?
            } else {
                None
            },
            protocol_name: if version >= 5 {
                r.nullable_string(flexible).at("SyncGroupRequest.protocol_name")?
            } else {
                None
            },
            assignments: r
                .array(flexible, 3, |r| SyncGroupRequestAssignment::read(r, version))
                .at("SyncGroupRequest.assignments")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.string(&self.group_id, flexible).at("SyncGroupRequest.group_id")?;
        w.i32(self.generation_id);
        w.string(&self.member_id, flexible).at("SyncGroupRequest.member_id")?;
        if version >= 3 {
            w.nullable_string(self.group_instance_id.as_deref(), flexible)
                .at("SyncGroupRequest.group_instance_id")?;
        } else if self.group_instance_id.is_some() {
            return Err(Fault::NotInVersion).at("SyncGroupRequest.group_instance_id");
        }
        if version >= 5 {
            w.nullable_string(self.protocol_type.as_deref(), flexible)
                .at("SyncGroupRequest.protocol_type")?;
        }
        if version >= 5 {
            w.nullable_string(self.protocol_name.as_deref(), flexible)
                .at("SyncGroupRequest.protocol_name")?;
        }
        w.array(&self.assignments, flexible, |w, one| one.write(w, version))
            .at("SyncGroupRequest.assignments")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`SyncGroupRequest`], versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SyncGroupRequestAssignment {
    /// In all versions.
    pub member_id: CompactString,
    /// In all versions.
    pub assignment: Bytes,
}

impl SyncGroupRequestAssignment {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            member_id: r.string(flexible).at("SyncGroupRequestAssignment.member_id")?,
            assignment: r.bytes(flexible).at("SyncGroupRequestAssignment.assignment")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.string(&self.member_id, flexible).at("SyncGroupRequestAssignment.member_id")?;
        w.bytes(&self.assignment, flexible).at("SyncGroupRequestAssignment.assignment")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `SyncGroupResponse`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SyncGroupResponse {
    /// From version 1 on. Lost in versions without it.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// From version 5 on. Lost in versions without it.
    pub protocol_type: Option<CompactString>,
    /// From version 5 on. Lost in versions without it.
    pub protocol_name: Option<CompactString>,
    /// In all versions.
    pub assignment: Bytes,
}

impl SyncGroupResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            throttle_time_ms: if version >= 1 {
                r.i32().at("SyncGroupResponse.throttle_time_ms")?
            } else {
                0
            },
            error_code: r.error().at("SyncGroupResponse.error_code")?,
            protocol_type: if version >= 5 {
                r.nullable_string(flexible).at("SyncGroupResponse.protocol_type")?
            } else {
                None
            },
            protocol_name: if version >= 5 {
                r.nullable_string(flexible).at("SyncGroupResponse.protocol_name")?
            } else {
                None
            },
            assignment: r.bytes(flexible).at("SyncGroupResponse.assignment")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        w.error(self.error_code);
        if version >= 5 {
            w.nullable_string(self.protocol_type.as_deref(), flexible)
                .at("SyncGroupResponse.protocol_type")?;
        }
        if version >= 5 {
            w.nullable_string(self.protocol_name.as_deref(), flexible)
                .at("SyncGroupResponse.protocol_name")?;
        }
        w.bytes(&self.assignment, flexible).at("SyncGroupResponse.assignment")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for SyncGroupRequest {
    const API: ApiKey = ApiKey::SyncGroup;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for SyncGroupResponse {
    const API: ApiKey = ApiKey::SyncGroup;
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

impl crate::Request for SyncGroupRequest {
    type Response = SyncGroupResponse;
}
