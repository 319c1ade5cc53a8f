// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! ListGroups: lists the groups that a broker coordinates.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `ListGroupsRequest`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListGroupsRequest {
    /// From version 4 on.
    pub states_filter: Vec<CompactString>,
    /// From version 5 on.
    pub types_filter: Vec<CompactString>,
}

impl ListGroupsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            states_filter: if version >= 4 {
                r.array(flexible, 1, |r| r.string(flexible))
                    .at("ListGroupsRequest.states_filter")?
            } else {
                Vec::new()
            },
            types_filter: if version >= 5 {
                r.array(flexible, 1, |r| r.string(flexible)).at("ListGroupsRequest.types_filter")?
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
        let flexible = version >= 3;
        if version >= 4 {
            w.array(&self.states_filter, flexible, |w, one| Ok(w.string(one, flexible)?))
                .at("ListGroupsRequest.states_filter")?;
        } else if !self.states_filter.is_empty() {
            return Err(Fault::NotInVersion).at("ListGroupsRequest.states_filter");
        }
        if version >= 5 {
            w.array(&self.types_filter, flexible, |w, one| Ok(w.string(one, flexible)?))
                .at("ListGroupsRequest.types_filter")?;
        } else if !self.types_filter.is_empty() {
            return Err(Fault::NotInVersion).at("ListGroupsRequest.types_filter");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `ListGroupsResponse`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListGroupsResponse {
    /// From version 1 on. Lost in versions without it.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub groups: Vec<ListedGroup>,
}

impl ListGroupsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            throttle_time_ms: if version >= 1 {
                r.i32().at("ListGroupsResponse.throttle_time_ms")?
            } else {
                0
            },
            error_code: r.error().at("ListGroupsResponse.error_code")?,
            groups: r
                .array(flexible, 3, |r| ListedGroup::read(r, version))
                .at("ListGroupsResponse.groups")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        w.error(self.error_code);
        w.array(&self.groups, flexible, |w, one| one.write(w, version))
            .at("ListGroupsResponse.groups")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`ListGroupsResponse`], versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListedGroup {
    /// In all versions.
    pub group_id: CompactString,
    /// In all versions.
    pub protocol_type: CompactString,
    /// From version 4 on. Lost in versions without it.
    pub group_state: CompactString,
    /// From version 5 on. Lost in versions without it.
    pub group_type: CompactString,
}

impl ListedGroup {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            group_id: r.string(flexible).at("ListedGroup.group_id")?,
            protocol_type: r.string(flexible).at("ListedGroup.protocol_type")?,
            group_state: if version >= 4 {
                r.string(flexible).at("ListedGroup.group_state")?
            } else {
                CompactString::const_new("")
            },
            group_type: if version >= 5 {
                r.string(flexible).at("ListedGroup.group_type")?
            } else {
                CompactString::const_new("")
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        w.string(&self.group_id, flexible).at("ListedGroup.group_id")?;
        w.string(&self.protocol_type, flexible).at("ListedGroup.protocol_type")?;
        if version >= 4 {
            w.string(&self.group_state, flexible).at("ListedGroup.group_state")?;
        }
        if version >= 5 {
            w.string(&self.group_type, flexible).at("ListedGroup.group_type")?;
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for ListGroupsRequest {
    const API: ApiKey = ApiKey::ListGroups;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for ListGroupsResponse {
    const API: ApiKey = ApiKey::ListGroups;
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

impl crate::Request for ListGroupsRequest {
    type Response = ListGroupsResponse;
}
