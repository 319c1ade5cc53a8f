// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! JoinGroup: joins a classic group, or rejoins it.

use bytes::Bytes;
use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `JoinGroupRequest`, versions 0-9.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinGroupRequest {
    /// In all versions.
    pub group_id: CompactString,
    /// In all versions.
    pub session_timeout_ms: i32,
    /// From version 1 on. Default -1. Lost in versions without it.
    pub rebalance_timeout_ms: i32,
    /// In all versions.
    pub member_id: CompactString,
    /// From version 5 on.
    pub group_instance_id: Option<CompactString>,
    /// In all versions.
    pub protocol_type: CompactString,
    /// In all versions.
    pub protocols: Vec<JoinGroupRequestProtocol>,
    /// From version 8 on. Lost in versions without it.
    pub reason: Option<CompactString>,
}

impl Default for JoinGroupRequest {
    fn default() -> Self {
        Self {
            group_id: CompactString::const_new(""),
            session_timeout_ms: 0,
            rebalance_timeout_ms: -1,
            member_id: CompactString::const_new(""),
            group_instance_id: None,
            protocol_type: CompactString::const_new(""),
            protocols: Vec::new(),
            reason: None,
        }
    }
}

impl JoinGroupRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            group_id: r.string(flexible).at("JoinGroupRequest.group_id")?,
            session_timeout_ms: r.i32().at("JoinGroupRequest.session_timeout_ms")?,
            rebalance_timeout_ms: if version >= 1 {
                r.i32().at("JoinGroupRequest.rebalance_timeout_ms")?
            } else {
                -1
            },
            member_id: r.string(flexible).at("JoinGroupRequest.member_id")?,
            group_instance_id: if version >= 5 {
                r.nullable_string(flexible).at("JoinGroupRequest.group_instance_id")?
            } else {
                None
            },
            protocol_type: r.string(flexible).at("JoinGroupRequest.protocol_type")?,
            protocols: r
                .array(flexible, 3, |r| JoinGroupRequestProtocol::read(r, version))
                .at("JoinGroupRequest.protocols")?,
            reason: if version >= 8 {
                r.nullable_string(flexible).at("JoinGroupRequest.reason")?
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
        let flexible = version >= 6;
        w.string(&self.group_id, flexible).at("JoinGroupRequest.group_id")?;
        w.i32(self.session_timeout_ms);
        if version >= 1 {
            w.i32(self.rebalance_timeout_ms);
        }
        w.string(&self.member_id, flexible).at("JoinGroupRequest.member_id")?;
        if version >= 5 {
            w.nullable_string(self.group_instance_id.as_deref(), flexible)
                .at("JoinGroupRequest.group_instance_id")?;
        } else if self.group_instance_id.is_some() {
            return Err(Fault::NotInVersion).at("JoinGroupRequest.group_instance_id");
        }
        w.string(&self.protocol_type, flexible).at("JoinGroupRequest.protocol_type")?;
        w.array(&self.protocols, flexible, |w, one| one.write(w, version))
            .at("JoinGroupRequest.protocols")?;
        if version >= 8 {
            w.nullable_string(self.reason.as_deref(), flexible).at("JoinGroupRequest.reason")?;
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`JoinGroupRequest`], versions 0-9.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JoinGroupRequestProtocol {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub metadata: Bytes,
}

impl JoinGroupRequestProtocol {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            name: r.string(flexible).at("JoinGroupRequestProtocol.name")?,
            metadata: r.bytes(flexible).at("JoinGroupRequestProtocol.metadata")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 6;
        w.string(&self.name, flexible).at("JoinGroupRequestProtocol.name")?;
        w.bytes(&self.metadata, flexible).at("JoinGroupRequestProtocol.metadata")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `JoinGroupResponse`, versions 0-9.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinGroupResponse {
    /// From version 2 on. Lost in versions without it.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions. Default -1.
    pub generation_id: i32,
    /// From version 7 on. Lost in versions without it.
    pub protocol_type: Option<CompactString>,
    /// In all versions. Null only in versions 7-9.
    pub protocol_name: Option<CompactString>,
    /// In all versions.
    pub leader: CompactString,
    /// From version 9 on.
    pub skip_assignment: bool,
    /// In all versions.
    pub member_id: CompactString,
    /// In all versions.
    pub members: Vec<JoinGroupResponseMember>,
}

impl Default for JoinGroupResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            generation_id: -1,
            protocol_type: None,
            protocol_name: Some(CompactString::const_new("")),
            leader: CompactString::const_new(""),
            skip_assignment: false,
            member_id: CompactString::const_new(""),
            members: Vec::new(),
        }
    }
}

impl JoinGroupResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            throttle_time_ms: if version >= 2 {
                r.i32().at("JoinGroupResponse.throttle_time_ms")?
            } else {
                0
            },
            error_code: r.error().at("JoinGroupResponse.error_code")?,
            generation_id: r.i32().at("JoinGroupResponse.generation_id")?,
            protocol_type: if version >= 7 {
                r.nullable_string(flexible).at("JoinGroupResponse.protocol_type")?
            } else {
                None
            },
            protocol_name: if version >= 7 {
                r.nullable_string(flexible).at("JoinGroupResponse.protocol_name")?
            } else {
                Some(r.string(flexible).at("JoinGroupResponse.protocol_name")?)
            },
            leader: r.string(flexible).at("JoinGroupResponse.leader")?,
            skip_assignment: if version >= 9 {
                r.bool().at("JoinGroupResponse.skip_assignment")?
            } else {
                false
            },
            member_id: r.string(flexible).at("JoinGroupResponse.member_id")?,
            members: r
                .array(flexible, 4, |r| JoinGroupResponseMember::read(r, version))
                .at("JoinGroupResponse.members")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 6;
        if version >= 2 {
            w.i32(self.throttle_time_ms);
        }
        w.error(self.error_code);
        w.i32(self.generation_id);
        if version >= 7 {
            w.nullable_string(self.protocol_type.as_deref(), flexible)
                .at("JoinGroupResponse.protocol_type")?;
        }
        if version >= 7 {
            w.nullable_string(self.protocol_name.as_deref(), flexible)
                .at("JoinGroupResponse.protocol_name")?;
        } else {
            let value = self
                .protocol_name
                .as_ref()
                .ok_or(Fault::Null)
                .at("JoinGroupResponse.protocol_name")?;
            w.string(value, flexible).at("JoinGroupResponse.protocol_name")?;
        }
        w.string(&self.leader, flexible).at("JoinGroupResponse.leader")?;
        if version >= 9 {
            w.bool(self.skip_assignment);
        } else if self.skip_assignment {
            return Err(Fault::NotInVersion).at("JoinGroupResponse.skip_assignment");
        }
        w.string(&self.member_id, flexible).at("JoinGroupResponse.member_id")?;
        w.array(&self.members, flexible, |w, one| one.write(w, version))
            .at("JoinGroupResponse.members")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`JoinGroupResponse`], versions 0-9.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JoinGroupResponseMember {
    /// In all versions.
    pub member_id: CompactString,
    /// From version 5 on. Lost in versions without it.
    pub group_instance_id: Option<CompactString>,
    /// In all versions.
    pub metadata: Bytes,
}

impl JoinGroupResponseMember {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 6;
        let this = Self {
            member_id: r.string(flexible).at("JoinGroupResponseMember.member_id")?,
            group_instance_id: if version >= 5 {
                r.nullable_string(flexible).at("JoinGroupResponseMember.group_instance_id")?
            } else {
                None
            },
            metadata: r.bytes(flexible).at("JoinGroupResponseMember.metadata")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 6;
        w.string(&self.member_id, flexible).at("JoinGroupResponseMember.member_id")?;
        if version >= 5 {
            w.nullable_string(self.group_instance_id.as_deref(), flexible)
                .at("JoinGroupResponseMember.group_instance_id")?;
        }
        w.bytes(&self.metadata, flexible).at("JoinGroupResponseMember.metadata")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for JoinGroupRequest {
    const API: ApiKey = ApiKey::JoinGroup;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for JoinGroupResponse {
    const API: ApiKey = ApiKey::JoinGroup;
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

impl crate::Request for JoinGroupRequest {
    type Response = JoinGroupResponse;
}
