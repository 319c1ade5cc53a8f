// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! FindCoordinator: finds the coordinator of a group or a transactional id.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `FindCoordinatorRequest`, versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FindCoordinatorRequest {
    /// Up to version 3.
    pub key: CompactString,
    /// From version 1 on.
    pub key_type: i8,
    /// From version 4 on.
    pub coordinator_keys: Vec<CompactString>,
}

impl FindCoordinatorRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            key: if version <= 3 {
                r.string(flexible).at("FindCoordinatorRequest.key")?
            } else {
                CompactString::const_new("")
            },
            key_type: if version >= 1 { r.i8().at("FindCoordinatorRequest.key_type")? } else { 0 },
            coordinator_keys: if version >= 4 {
                r.array(flexible, 1, |r| r.string(flexible))
                    .at("FindCoordinatorRequest.coordinator_keys")?
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
        if version <= 3 {
            w.string(&self.key, flexible).at("FindCoordinatorRequest.key")?;
        } else if !self.key.is_empty() {
            return Err(Fault::NotInVersion).at("FindCoordinatorRequest.key");
        }
        if version >= 1 {
            w.i8(self.key_type);
        } else if self.key_type != 0 {
            return Err(Fault::NotInVersion).at("FindCoordinatorRequest.key_type");
        }
        if version >= 4 {
            w.array(&self.coordinator_keys, flexible, |w, one| Ok(w.string(one, flexible)?))
                .at("FindCoordinatorRequest.coordinator_keys")?;
        } else if !self.coordinator_keys.is_empty() {
            return Err(Fault::NotInVersion).at("FindCoordinatorRequest.coordinator_keys");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `FindCoordinatorResponse`, versions 0-6.
#[derive(Debug, Clone, PartialEq)]
pub struct FindCoordinatorResponse {
    /// From version 1 on. Lost in versions without it.
    pub throttle_time_ms: i32,
    /// Up to version 3.
    pub error_code: ErrorCode,
    /// Versions 1-3. Lost in versions without it.
    pub error_message: Option<CompactString>,
    /// Up to version 3.
    pub node_id: i32,
    /// Up to version 3.
    pub host: CompactString,
    /// Up to version 3.
    pub port: i32,
    /// From version 4 on.
    pub coordinators: Vec<Coordinator>,
}

impl Default for FindCoordinatorResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            node_id: 0,
            host: CompactString::const_new(""),
            port: 0,
            coordinators: Vec::new(),
        }
    }
}

impl FindCoordinatorResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            throttle_time_ms: if version >= 1 {
                r.i32().at("FindCoordinatorResponse.throttle_time_ms")?
            } else {
                0
            },
            error_code: if version <= 3 {
                r.error().at("FindCoordinatorResponse.error_code")?
            } else {
                ErrorCode::NONE
            },
            error_message: if (1..=3).contains(&version) {
                r.nullable_string(flexible).at("FindCoordinatorResponse.error_message")?
            } else {
                Some(CompactString::const_new(""))
            },
            node_id: if version <= 3 { r.i32().at("FindCoordinatorResponse.node_id")? } else { 0 },
            host: if version <= 3 {
                r.string(flexible).at("FindCoordinatorResponse.host")?
            } else {
                CompactString::const_new("")
            },
            port: if version <= 3 { r.i32().at("FindCoordinatorResponse.port")? } else { 0 },
            coordinators: if version >= 4 {
                r.array(flexible, 14, |r| Coordinator::read(r, version))
                    .at("FindCoordinatorResponse.coordinators")?
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
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        if version <= 3 {
            w.error(self.error_code);
        } else if self.error_code != ErrorCode::NONE {
            return Err(Fault::NotInVersion).at("FindCoordinatorResponse.error_code");
        }
        if (1..=3).contains(&version) {
            w.nullable_string(self.error_message.as_deref(), flexible)
                .at("FindCoordinatorResponse.error_message")?;
        }
        if version <= 3 {
            w.i32(self.node_id);
        } else if self.node_id != 0 {
            return Err(Fault::NotInVersion).at("FindCoordinatorResponse.node_id");
        }
        if version <= 3 {
            w.string(&self.host, flexible).at("FindCoordinatorResponse.host")?;
        } else if !self.host.is_empty() {
            return Err(Fault::NotInVersion).at("FindCoordinatorResponse.host");
        }
        if version <= 3 {
            w.i32(self.port);
        } else if self.port != 0 {
            return Err(Fault::NotInVersion).at("FindCoordinatorResponse.port");
        }
        if version >= 4 {
            w.array(&self.coordinators, flexible, |w, one| one.write(w, version))
                .at("FindCoordinatorResponse.coordinators")?;
        } else if !self.coordinators.is_empty() {
            return Err(Fault::NotInVersion).at("FindCoordinatorResponse.coordinators");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`FindCoordinatorResponse`], versions 4-6.
#[derive(Debug, Clone, PartialEq)]
pub struct Coordinator {
    /// In all versions.
    pub key: CompactString,
    /// In all versions.
    pub node_id: i32,
    /// In all versions.
    pub host: CompactString,
    /// In all versions.
    pub port: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
}

impl Default for Coordinator {
    fn default() -> Self {
        Self {
            key: CompactString::const_new(""),
            node_id: 0,
            host: CompactString::const_new(""),
            port: 0,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
        }
    }
}

impl Coordinator {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            key: r.string(true).at("Coordinator.key")?,
            node_id: r.i32().at("Coordinator.node_id")?,
            host: r.string(true).at("Coordinator.host")?,
            port: r.i32().at("Coordinator.port")?,
            error_code: r.error().at("Coordinator.error_code")?,
            error_message: r.nullable_string(true).at("Coordinator.error_message")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.key, true).at("Coordinator.key")?;
        w.i32(self.node_id);
        w.string(&self.host, true).at("Coordinator.host")?;
        w.i32(self.port);
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true).at("Coordinator.error_message")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for FindCoordinatorRequest {
    const API: ApiKey = ApiKey::FindCoordinator;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for FindCoordinatorResponse {
    const API: ApiKey = ApiKey::FindCoordinator;
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

impl crate::Request for FindCoordinatorRequest {
    type Response = FindCoordinatorResponse;
}
