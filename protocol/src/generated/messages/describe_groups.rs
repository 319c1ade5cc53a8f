// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DescribeGroups: describes classic groups and their members.

use bytes::Bytes;
use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `DescribeGroupsRequest`, versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeGroupsRequest {
    /// In all versions.
    pub groups: Vec<CompactString>,
    /// From version 3 on.
    pub include_authorized_operations: bool,
}

impl DescribeGroupsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 5;
        let this = Self {
            groups: r
                .array(flexible, 1, |r| r.string(flexible))
                .at("DescribeGroupsRequest.groups")?,
            include_authorized_operations: if version >= 3 {
                r.bool().at("DescribeGroupsRequest.include_authorized_operations")?
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
        let flexible = version >= 5;
        w.array(&self.groups, flexible, |w, one| Ok(w.string(one, flexible)?))
            .at("DescribeGroupsRequest.groups")?;
        if version >= 3 {
            w.bool(self.include_authorized_operations);
        } else if self.include_authorized_operations {
            return Err(Fault::NotInVersion)
                .at("DescribeGroupsRequest.include_authorized_operations");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `DescribeGroupsResponse`, versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeGroupsResponse {
    /// From version 1 on. Lost in versions without it.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub groups: Vec<DescribedGroup>,
}

impl DescribeGroupsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 5;
        let this = Self {
            throttle_time_ms: if version >= 1 {
                r.i32().at("DescribeGroupsResponse.throttle_time_ms")?
            } else {
                0
            },
            groups: r
                .array(flexible, 12, |r| DescribedGroup::read(r, version))
                .at("DescribeGroupsResponse.groups")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 5;
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        w.array(&self.groups, flexible, |w, one| one.write(w, version))
            .at("DescribeGroupsResponse.groups")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeGroupsResponse`], versions 0-6.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedGroup {
    /// In all versions.
    pub error_code: ErrorCode,
    /// From version 6 on.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub group_id: CompactString,
    /// In all versions.
    pub group_state: CompactString,
    /// In all versions.
    pub protocol_type: CompactString,
    /// In all versions.
    pub protocol_data: CompactString,
    /// In all versions.
    pub members: Vec<DescribedGroupMember>,
    /// From version 3 on. Default -2147483648.
    pub authorized_operations: i32,
}

impl Default for DescribedGroup {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            error_message: None,
            group_id: CompactString::const_new(""),
            group_state: CompactString::const_new(""),
            protocol_type: CompactString::const_new(""),
            protocol_data: CompactString::const_new(""),
            members: Vec::new(),
            authorized_operations: i32::MIN,
        }
    }
}

impl DescribedGroup {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 5;
        let this = Self {
            error_code: r.error().at("DescribedGroup.error_code")?,
            error_message: if version >= 6 {
                r.nullable_string(flexible).at("DescribedGroup.error_message")?
            } else {
                None
            },
            group_id: r.string(flexible).at("DescribedGroup.group_id")?,
            group_state: r.string(flexible).at("DescribedGroup.group_state")?,
            protocol_type: r.string(flexible).at("DescribedGroup.protocol_type")?,
            protocol_data: r.string(flexible).at("DescribedGroup.protocol_data")?,
            members: r
                .array(flexible, 7, |r| DescribedGroupMember::read(r, version))
                .at("DescribedGroup.members")?,
            authorized_operations: if version >= 3 {
                r.i32().at("DescribedGroup.authorized_operations")?
            } else {
                i32::MIN
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 5;
        w.error(self.error_code);
        if version >= 6 {
            w.nullable_string(self.error_message.as_deref(), flexible)
                .at("DescribedGroup.error_message")?;
        } else if self.error_message.is_some() {
            return Err(Fault::NotInVersion).at("DescribedGroup.error_message");
        }
        w.string(&self.group_id, flexible).at("DescribedGroup.group_id")?;
        w.string(&self.group_state, flexible).at("DescribedGroup.group_state")?;
        w.string(&self.protocol_type, flexible).at("DescribedGroup.protocol_type")?;
        w.string(&self.protocol_data, flexible).at("DescribedGroup.protocol_data")?;
        w.array(&self.members, flexible, |w, one| one.write(w, version))
            .at("DescribedGroup.members")?;
        if version >= 3 {
            w.i32(self.authorized_operations);
        } else if self.authorized_operations != i32::MIN {
            return Err(Fault::NotInVersion).at("DescribedGroup.authorized_operations");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeGroupsResponse`], versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribedGroupMember {
    /// In all versions.
    pub member_id: CompactString,
    /// From version 4 on. Lost in versions without it.
    pub group_instance_id: Option<CompactString>,
    /// In all versions.
    pub client_id: CompactString,
    /// In all versions.
    pub client_host: CompactString,
    /// In all versions.
    pub member_metadata: Bytes,
    /// In all versions.
    pub member_assignment: Bytes,
}

impl DescribedGroupMember {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 5;
        let this = Self {
            member_id: r.string(flexible).at("DescribedGroupMember.member_id")?,
            group_instance_id: if version >= 4 {
                r.nullable_string(flexible).at("DescribedGroupMember.group_instance_id")?
            } else {
                None
            },
            client_id: r.string(flexible).at("DescribedGroupMember.client_id")?,
            client_host: r.string(flexible).at("DescribedGroupMember.client_host")?,
            member_metadata: r.bytes(flexible).at("DescribedGroupMember.member_metadata")?,
            member_assignment: r.bytes(flexible).at("DescribedGroupMember.member_assignment")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 5;
        w.string(&self.member_id, flexible).at("DescribedGroupMember.member_id")?;
        if version >= 4 {
            w.nullable_string(self.group_instance_id.as_deref(), flexible)
                .at("DescribedGroupMember.group_instance_id")?;
        }
        w.string(&self.client_id, flexible).at("DescribedGroupMember.client_id")?;
        w.string(&self.client_host, flexible).at("DescribedGroupMember.client_host")?;
        w.bytes(&self.member_metadata, flexible).at("DescribedGroupMember.member_metadata")?;
        w.bytes(&self.member_assignment, flexible).at("DescribedGroupMember.member_assignment")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for DescribeGroupsRequest {
    const API: ApiKey = ApiKey::DescribeGroups;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DescribeGroupsResponse {
    const API: ApiKey = ApiKey::DescribeGroups;
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

impl crate::Request for DescribeGroupsRequest {
    type Response = DescribeGroupsResponse;
}
