// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! PushTelemetry: pushes client metrics (KIP-714).

use bytes::Bytes;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `PushTelemetryRequest`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PushTelemetryRequest {
    /// In all versions.
    pub client_instance_id: Uuid,
    /// In all versions.
    pub subscription_id: i32,
    /// In all versions.
    pub terminating: bool,
    /// In all versions.
    pub compression_type: i8,
    /// In all versions.
    pub metrics: Bytes,
}

impl PushTelemetryRequest {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            client_instance_id: r.uuid().at("PushTelemetryRequest.client_instance_id")?,
            subscription_id: r.i32().at("PushTelemetryRequest.subscription_id")?,
            terminating: r.bool().at("PushTelemetryRequest.terminating")?,
            compression_type: r.i8().at("PushTelemetryRequest.compression_type")?,
            metrics: r.bytes(true).at("PushTelemetryRequest.metrics")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.uuid(self.client_instance_id);
        w.i32(self.subscription_id);
        w.bool(self.terminating);
        w.i8(self.compression_type);
        w.bytes(&self.metrics, true).at("PushTelemetryRequest.metrics")?;
        w.uvarint(0);
        Ok(())
    }
}

/// `PushTelemetryResponse`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PushTelemetryResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
}

impl PushTelemetryResponse {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("PushTelemetryResponse.throttle_time_ms")?,
            error_code: r.error().at("PushTelemetryResponse.error_code")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for PushTelemetryRequest {
    const API: ApiKey = ApiKey::PushTelemetry;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for PushTelemetryResponse {
    const API: ApiKey = ApiKey::PushTelemetry;
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

impl crate::Request for PushTelemetryRequest {
    type Response = PushTelemetryResponse;
}
