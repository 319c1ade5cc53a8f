// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! LeaveGroup: leaves a classic group, one member or several.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `LeaveGroupRequest`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LeaveGroupRequest {
    /// In all versions.
    pub group_id: CompactString,
    /// Up to version 2.
    pub member_id: CompactString,
    /// From version 3 on.
    pub members: Vec<MemberIdentity>,
}

impl LeaveGroupRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            group_id: r.string(flexible).at("LeaveGroupRequest.group_id")?,
            member_id: if version <= 2 {
                r.string(flexible).at("LeaveGroupRequest.member_id")?
            } else {
                CompactString::const_new("")
            },
            members: if version >= 3 {
                r.array(flexible, 3, |r| MemberIdentity::read(r, version))
                    .at("LeaveGroupRequest.members")?
            } else {
                Vec::new()
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.string(&self.group_id, flexible).at("LeaveGroupRequest.group_id")?;
        if version <= 2 {
            w.string(&self.member_id, flexible).at("LeaveGroupRequest.member_id")?;
        } else if !self.member_id.is_empty() {
            return Err(Fault::NotInVersion).at("LeaveGroupRequest.member_id");
        }
        if version >= 3 {
            w.array(&self.members, flexible, |w, one| one.write(w, version))
                .at("LeaveGroupRequest.members")?;
        } else if !self.members.is_empty() {
            return Err(Fault::NotInVersion).at("LeaveGroupRequest.members");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`LeaveGroupRequest`], versions 3-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MemberIdentity {
    /// In all versions.
    pub member_id: CompactString,
    /// In all versions.
    pub group_instance_id: Option<CompactString>,
    /// From version 5 on. Lost in versions without it.
    pub reason: Option<CompactString>,
}

impl MemberIdentity {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            member_id: r.string(flexible).at("MemberIdentity.member_id")?,
            group_instance_id: r
                .nullable_string(flexible)
                .at("MemberIdentity.group_instance_id")?,
            reason: if version >= 5 {
                r.nullable_string(flexible).at("MemberIdentity.reason")?
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
        let flexible = version >= 4;
        w.string(&self.member_id, flexible).at("MemberIdentity.member_id")?;
        w.nullable_string(self.group_instance_id.as_deref(), flexible)
            .at("MemberIdentity.group_instance_id")?;
        if version >= 5 {
            w.nullable_string(self.reason.as_deref(), flexible).at("MemberIdentity.reason")?;
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `LeaveGroupResponse`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LeaveGroupResponse {
    /// From version 1 on. Lost in versions without it.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// From version 3 on.
    pub members: Vec<MemberResponse>,
}

impl LeaveGroupResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            throttle_time_ms: if version >= 1 {
                r.i32().at("LeaveGroupResponse.throttle_time_ms")?
            } else {
                0
            },
            error_code: r.error().at("LeaveGroupResponse.error_code")?,
            members: if version >= 3 {
                r.array(flexible, 5, |r| MemberResponse::read(r, version))
                    .at("LeaveGroupResponse.members")?
            } else {
                Vec::new()
            },
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
        if version >= 3 {
            w.array(&self.members, flexible, |w, one| one.write(w, version))
                .at("LeaveGroupResponse.members")?;
        } else if !self.members.is_empty() {
            return Err(Fault::NotInVersion).at("LeaveGroupResponse.members");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`LeaveGroupResponse`], versions 3-5.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberResponse {
    /// In all versions.
    pub member_id: CompactString,
    /// In all versions.
    pub group_instance_id: Option<CompactString>,
    /// In all versions.
    pub error_code: ErrorCode,
}

impl Default for MemberResponse {
    fn default() -> Self {
        Self {
            member_id: CompactString::const_new(""),
            group_instance_id: Some(CompactString::const_new("")),
            error_code: ErrorCode::NONE,
        }
    }
}

impl MemberResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            member_id: r.string(flexible).at("MemberResponse.member_id")?,
            group_instance_id: r
                .nullable_string(flexible)
                .at("MemberResponse.group_instance_id")?,
            error_code: r.error().at("MemberResponse.error_code")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.string(&self.member_id, flexible).at("MemberResponse.member_id")?;
        w.nullable_string(self.group_instance_id.as_deref(), flexible)
            .at("MemberResponse.group_instance_id")?;
        w.error(self.error_code);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for LeaveGroupRequest {
    const API: ApiKey = ApiKey::LeaveGroup;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for LeaveGroupResponse {
    const API: ApiKey = ApiKey::LeaveGroup;
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

impl crate::Request for LeaveGroupRequest {
    type Response = LeaveGroupResponse;
}
