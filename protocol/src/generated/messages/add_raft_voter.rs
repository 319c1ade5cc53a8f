// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! AddRaftVoter: adds a voter to the controller quorum (KIP-853).

use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `AddRaftVoterRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct AddRaftVoterRequest {
    /// In all versions.
    pub cluster_id: Option<CompactString>,
    /// In all versions.
    pub timeout_ms: i32,
    /// In all versions.
    pub voter_id: i32,
    /// In all versions.
    pub voter_directory_id: Uuid,
    /// In all versions.
    pub listeners: Vec<Listener>,
    /// From version 1 on. Default true.
    pub ack_when_committed: bool,
}

impl Default for AddRaftVoterRequest {
    fn default() -> Self {
        Self {
            cluster_id: Some(CompactString::const_new("")),
            timeout_ms: 0,
            voter_id: 0,
            voter_directory_id: Uuid::ZERO,
            listeners: Vec::new(),
            ack_when_committed: true,
        }
    }
}

impl AddRaftVoterRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            cluster_id: r.nullable_string(true).at("AddRaftVoterRequest.cluster_id")?,
            timeout_ms: r.i32().at("AddRaftVoterRequest.timeout_ms")?,
            voter_id: r.i32().at("AddRaftVoterRequest.voter_id")?,
            voter_directory_id: r.uuid().at("AddRaftVoterRequest.voter_directory_id")?,
            listeners: r
                .array(true, 5, |r| Listener::read(r, version))
                .at("AddRaftVoterRequest.listeners")?,
            ack_when_committed: if version >= 1 {
                r.bool().at("AddRaftVoterRequest.ack_when_committed")?
            } else {
                true
            },
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.nullable_string(self.cluster_id.as_deref(), true).at("AddRaftVoterRequest.cluster_id")?;
        w.i32(self.timeout_ms);
        w.i32(self.voter_id);
        w.uuid(self.voter_directory_id);
        w.array(&self.listeners, true, |w, one| one.write(w, version))
            .at("AddRaftVoterRequest.listeners")?;
        if version >= 1 {
            w.bool(self.ack_when_committed);
        } else if !self.ack_when_committed {
            return Err(Fault::NotInVersion).at("AddRaftVoterRequest.ack_when_committed");
        }
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`AddRaftVoterRequest`], versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Listener {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub host: CompactString,
    /// In all versions.
    pub port: u16,
}

impl Listener {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("Listener.name")?,
            host: r.string(true).at("Listener.host")?,
            port: r.u16().at("Listener.port")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("Listener.name")?;
        w.string(&self.host, true).at("Listener.host")?;
        w.u16(self.port);
        w.uvarint(0);
        Ok(())
    }
}

/// `AddRaftVoterResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct AddRaftVoterResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
}

impl Default for AddRaftVoterResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
        }
    }
}

impl AddRaftVoterResponse {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("AddRaftVoterResponse.throttle_time_ms")?,
            error_code: r.error().at("AddRaftVoterResponse.error_code")?,
            error_message: r.nullable_string(true).at("AddRaftVoterResponse.error_message")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("AddRaftVoterResponse.error_message")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for AddRaftVoterRequest {
    const API: ApiKey = ApiKey::AddRaftVoter;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for AddRaftVoterResponse {
    const API: ApiKey = ApiKey::AddRaftVoter;
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

impl crate::Request for AddRaftVoterRequest {
    type Response = AddRaftVoterResponse;
}
