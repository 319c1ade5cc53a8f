// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DescribeCluster: describes the cluster's brokers and its controller (KIP-700).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `DescribeClusterRequest`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeClusterRequest {
    /// In all versions.
    pub include_cluster_authorized_operations: bool,
    /// From version 1 on. Default 1.
    pub endpoint_type: i8,
    /// From version 2 on.
    pub include_fenced_brokers: bool,
}

impl Default for DescribeClusterRequest {
    fn default() -> Self {
        Self {
            include_cluster_authorized_operations: false,
            endpoint_type: 1,
            include_fenced_brokers: false,
        }
    }
}

impl DescribeClusterRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            include_cluster_authorized_operations: r
                .bool()
                .at("DescribeClusterRequest.include_cluster_authorized_operations")?,
            endpoint_type: if version >= 1 {
                r.i8().at("DescribeClusterRequest.endpoint_type")?
            } else {
                1
            },
            include_fenced_brokers: if version >= 2 {
                r.bool().at("DescribeClusterRequest.include_fenced_brokers")?
            } else {
                false
            },
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.bool(self.include_cluster_authorized_operations);
        if version >= 1 {
            w.i8(self.endpoint_type);
        } else if self.endpoint_type != 1 {
            return Err(Fault::NotInVersion).at("DescribeClusterRequest.endpoint_type");
        }
        if version >= 2 {
            w.bool(self.include_fenced_brokers);
        } else if self.include_fenced_brokers {
            return Err(Fault::NotInVersion).at("DescribeClusterRequest.include_fenced_brokers");
        }
        w.uvarint(0);
        Ok(())
    }
}

/// `DescribeClusterResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeClusterResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// From version 1 on. Default 1.
    pub endpoint_type: i8,
    /// In all versions.
    pub cluster_id: CompactString,
    /// In all versions. Default -1.
    pub controller_id: i32,
    /// In all versions.
    pub brokers: Vec<DescribeClusterBroker>,
    /// In all versions. Default -2147483648.
    pub cluster_authorized_operations: i32,
}

impl Default for DescribeClusterResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            error_message: None,
            endpoint_type: 1,
            cluster_id: CompactString::const_new(""),
            controller_id: -1,
            brokers: Vec::new(),
            cluster_authorized_operations: i32::MIN,
        }
    }
}

impl DescribeClusterResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("DescribeClusterResponse.throttle_time_ms")?,
            error_code: r.error().at("DescribeClusterResponse.error_code")?,
            error_message: r.nullable_string(true).at("DescribeClusterResponse.error_message")?,
            endpoint_type: if version >= 1 {
                r.i8().at("DescribeClusterResponse.endpoint_type")?
            } else {
                1
            },
            cluster_id: r.string(true).at("DescribeClusterResponse.cluster_id")?,
            controller_id: r.i32().at("DescribeClusterResponse.controller_id")?,
            brokers: r
                .array(true, 11, |r| DescribeClusterBroker::read(r, version))
                .at("DescribeClusterResponse.brokers")?,
            cluster_authorized_operations: r
                .i32()
                .at("DescribeClusterResponse.cluster_authorized_operations")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("DescribeClusterResponse.error_message")?;
        if version >= 1 {
            w.i8(self.endpoint_type);
        } else if self.endpoint_type != 1 {
            return Err(Fault::NotInVersion).at("DescribeClusterResponse.endpoint_type");
        }
        w.string(&self.cluster_id, true).at("DescribeClusterResponse.cluster_id")?;
        w.i32(self.controller_id);
        w.array(&self.brokers, true, |w, one| one.write(w, version))
            .at("DescribeClusterResponse.brokers")?;
        w.i32(self.cluster_authorized_operations);
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeClusterResponse`], versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeClusterBroker {
    /// In all versions.
    pub broker_id: i32,
    /// In all versions.
    pub host: CompactString,
    /// In all versions.
    pub port: i32,
    /// In all versions.
    pub rack: Option<CompactString>,
    /// From version 2 on.
    pub is_fenced: bool,
}

impl DescribeClusterBroker {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            broker_id: r.i32().at("DescribeClusterBroker.broker_id")?,
            host: r.string(true).at("DescribeClusterBroker.host")?,
            port: r.i32().at("DescribeClusterBroker.port")?,
            rack: r.nullable_string(true).at("DescribeClusterBroker.rack")?,
            is_fenced: if version >= 2 {
                r.bool().at("DescribeClusterBroker.is_fenced")?
            } else {
                false
            },
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.broker_id);
        w.string(&self.host, true).at("DescribeClusterBroker.host")?;
        w.i32(self.port);
        w.nullable_string(self.rack.as_deref(), true).at("DescribeClusterBroker.rack")?;
        if version >= 2 {
            w.bool(self.is_fenced);
        } else if self.is_fenced {
            return Err(Fault::NotInVersion).at("DescribeClusterBroker.is_fenced");
        }
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for DescribeClusterRequest {
    const API: ApiKey = ApiKey::DescribeCluster;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DescribeClusterResponse {
    const API: ApiKey = ApiKey::DescribeCluster;
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

impl crate::Request for DescribeClusterRequest {
    type Response = DescribeClusterResponse;
}
