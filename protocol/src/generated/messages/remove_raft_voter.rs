// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! RemoveRaftVoter: removes a voter from the controller quorum (KIP-853).

use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `RemoveRaftVoterRequest`, version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoveRaftVoterRequest {
    /// In all versions.
    pub cluster_id: Option<CompactString>,
    /// In all versions.
    pub voter_id: i32,
    /// In all versions.
    pub voter_directory_id: Uuid,
}

impl Default for RemoveRaftVoterRequest {
    fn default() -> Self {
        Self {
            cluster_id: Some(CompactString::const_new("")),
            voter_id: 0,
            voter_directory_id: Uuid::ZERO,
        }
    }
}

impl RemoveRaftVoterRequest {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            cluster_id: r.nullable_string(true).at("RemoveRaftVoterRequest.cluster_id")?,
            voter_id: r.i32().at("RemoveRaftVoterRequest.voter_id")?,
            voter_directory_id: r.uuid().at("RemoveRaftVoterRequest.voter_directory_id")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.nullable_string(self.cluster_id.as_deref(), true)
            .at("RemoveRaftVoterRequest.cluster_id")?;
        w.i32(self.voter_id);
        w.uuid(self.voter_directory_id);
        w.uvarint(0);
        Ok(())
    }
}

/// `RemoveRaftVoterResponse`, version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoveRaftVoterResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
}

impl Default for RemoveRaftVoterResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
        }
    }
}

impl RemoveRaftVoterResponse {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("RemoveRaftVoterResponse.throttle_time_ms")?,
            error_code: r.error().at("RemoveRaftVoterResponse.error_code")?,
            error_message: r.nullable_string(true).at("RemoveRaftVoterResponse.error_message")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("RemoveRaftVoterResponse.error_message")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for RemoveRaftVoterRequest {
    const API: ApiKey = ApiKey::RemoveRaftVoter;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for RemoveRaftVoterResponse {
    const API: ApiKey = ApiKey::RemoveRaftVoter;
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

impl crate::Request for RemoveRaftVoterRequest {
    type Response = RemoveRaftVoterResponse;
}
