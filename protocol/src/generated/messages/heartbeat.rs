// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! Heartbeat: keeps a member of a classic group alive.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `HeartbeatRequest`, versions 0-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeartbeatRequest {
    /// In all versions.
    pub group_id: CompactString,
    /// In all versions.
    pub generation_id: i32,
    /// In all versions.
    pub member_id: CompactString,
    /// From version 3 on.
    pub group_instance_id: Option<CompactString>,
}

impl HeartbeatRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            group_id: r.string(flexible).at("HeartbeatRequest.group_id")?,
            generation_id: r.i32().at("HeartbeatRequest.generation_id")?,
            member_id: r.string(flexible).at("HeartbeatRequest.member_id")?,
            group_instance_id: if version >= 3 {
                r.nullable_string(flexible).at("HeartbeatRequest.group_instance_id")?
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
        w.string(&self.group_id, flexible).at("HeartbeatRequest.group_id")?;
        w.i32(self.generation_id);
        w.string(&self.member_id, flexible).at("HeartbeatRequest.member_id")?;
        if version >= 3 {
            w.nullable_string(self.group_instance_id.as_deref(), flexible)
                .at("HeartbeatRequest.group_instance_id")?;
        } else if self.group_instance_id.is_some() {
            return Err(Fault::NotInVersion).at("HeartbeatRequest.group_instance_id");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `HeartbeatResponse`, versions 0-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeartbeatResponse {
    /// From version 1 on. Lost in versions without it.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
}

impl HeartbeatResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            throttle_time_ms: if version >= 1 {
                r.i32().at("HeartbeatResponse.throttle_time_ms")?
            } else {
                0
            },
            error_code: r.error().at("HeartbeatResponse.error_code")?,
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
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for HeartbeatRequest {
    const API: ApiKey = ApiKey::Heartbeat;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for HeartbeatResponse {
    const API: ApiKey = ApiKey::Heartbeat;
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

impl crate::Request for HeartbeatRequest {
    type Response = HeartbeatResponse;
}
