// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! GetTelemetrySubscriptions: asks which client metrics the cluster wants (KIP-714).

use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `GetTelemetrySubscriptionsRequest`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GetTelemetrySubscriptionsRequest {
    /// In all versions.
    pub client_instance_id: Uuid,
}

impl GetTelemetrySubscriptionsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            client_instance_id: r
                .uuid()
                .at("GetTelemetrySubscriptionsRequest.client_instance_id")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.uuid(self.client_instance_id);
        w.uvarint(0);
        Ok(())
    }
}

/// `GetTelemetrySubscriptionsResponse`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GetTelemetrySubscriptionsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub client_instance_id: Uuid,
    /// In all versions.
    pub subscription_id: i32,
    /// In all versions.
    pub accepted_compression_types: Vec<i8>,
    /// In all versions.
    pub push_interval_ms: i32,
    /// In all versions.
    pub telemetry_max_bytes: i32,
    /// In all versions.
    pub delta_temporality: bool,
    /// In all versions.
    pub requested_metrics: Vec<CompactString>,
}

impl GetTelemetrySubscriptionsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("GetTelemetrySubscriptionsResponse.throttle_time_ms")?,
            error_code: r.error().at("GetTelemetrySubscriptionsResponse.error_code")?,
            client_instance_id: r
                .uuid()
                .at("GetTelemetrySubscriptionsResponse.client_instance_id")?,
            subscription_id: r.i32().at("GetTelemetrySubscriptionsResponse.subscription_id")?,
            accepted_compression_types: r
                .array(true, 1, Reader::i8)
                .at("GetTelemetrySubscriptionsResponse.accepted_compression_types")?,
            push_interval_ms: r.i32().at("GetTelemetrySubscriptionsResponse.push_interval_ms")?,
            telemetry_max_bytes: r
                .i32()
                .at("GetTelemetrySubscriptionsResponse.telemetry_max_bytes")?,
            delta_temporality: r
                .bool()
                .at("GetTelemetrySubscriptionsResponse.delta_temporality")?,
            requested_metrics: r
                .array(true, 1, |r| r.string(true))
                .at("GetTelemetrySubscriptionsResponse.requested_metrics")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.uuid(self.client_instance_id);
        w.i32(self.subscription_id);
        w.array(&self.accepted_compression_types, true, |w, one| {
            w.i8(*one);
            Ok(())
        })
        .at("GetTelemetrySubscriptionsResponse.accepted_compression_types")?;
        w.i32(self.push_interval_ms);
        w.i32(self.telemetry_max_bytes);
        w.bool(self.delta_temporality);
        w.array(&self.requested_metrics, true, |w, one| Ok(w.string(one, true)?))
            .at("GetTelemetrySubscriptionsResponse.requested_metrics")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for GetTelemetrySubscriptionsRequest {
    const API: ApiKey = ApiKey::GetTelemetrySubscriptions;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for GetTelemetrySubscriptionsResponse {
    const API: ApiKey = ApiKey::GetTelemetrySubscriptions;
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

impl crate::Request for GetTelemetrySubscriptionsRequest {
    type Response = GetTelemetrySubscriptionsResponse;
}
