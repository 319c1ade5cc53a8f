// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! ListConfigResources: lists resources that have a configuration of their own.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `ListConfigResourcesRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListConfigResourcesRequest {
    /// From version 1 on.
    pub resource_types: Vec<i8>,
}

impl ListConfigResourcesRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            resource_types: if version >= 1 {
                r.array(true, 1, Reader::i8).at("ListConfigResourcesRequest.resource_types")?
            } else {
                Vec::new()
            },
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        if version >= 1 {
            w.array(&self.resource_types, true, |w, one| {
                w.i8(*one);
                Ok(())
            })
            .at("ListConfigResourcesRequest.resource_types")?;
        } else if !self.resource_types.is_empty() {
            return Err(Fault::NotInVersion).at("ListConfigResourcesRequest.resource_types");
        }
        w.uvarint(0);
        Ok(())
    }
}

/// `ListConfigResourcesResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListConfigResourcesResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub config_resources: Vec<ConfigResource>,
}

impl ListConfigResourcesResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("ListConfigResourcesResponse.throttle_time_ms")?,
            error_code: r.error().at("ListConfigResourcesResponse.error_code")?,
            config_resources: r
                .array(true, 2, |r| ConfigResource::read(r, version))
                .at("ListConfigResourcesResponse.config_resources")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.array(&self.config_resources, true, |w, one| one.write(w, version))
            .at("ListConfigResourcesResponse.config_resources")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`ListConfigResourcesResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigResource {
    /// In all versions.
    pub resource_name: CompactString,
    /// From version 1 on. Default 16. Lost in versions without it.
    pub resource_type: i8,
}

impl Default for ConfigResource {
    fn default() -> Self {
        Self { resource_name: CompactString::const_new(""), resource_type: 16 }
    }
}

impl ConfigResource {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            resource_name: r.string(true).at("ConfigResource.resource_name")?,
            resource_type: if version >= 1 {
                r.i8().at("ConfigResource.resource_type")?
            } else {
                16
            },
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.resource_name, true).at("ConfigResource.resource_name")?;
        if version >= 1 {
            w.i8(self.resource_type);
        }
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for ListConfigResourcesRequest {
    const API: ApiKey = ApiKey::ListConfigResources;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for ListConfigResourcesResponse {
    const API: ApiKey = ApiKey::ListConfigResources;
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

impl crate::Request for ListConfigResourcesRequest {
    type Response = ListConfigResourcesResponse;
}
