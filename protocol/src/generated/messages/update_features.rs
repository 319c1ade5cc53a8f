// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! UpdateFeatures: changes finalized feature levels (KIP-584).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `UpdateFeaturesRequest`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateFeaturesRequest {
    /// In all versions. Default 60000.
    pub timeout_ms: i32,
    /// In all versions.
    pub feature_updates: Vec<FeatureUpdateKey>,
    /// From version 1 on.
    pub validate_only: bool,
}

impl Default for UpdateFeaturesRequest {
    fn default() -> Self {
        Self { timeout_ms: 60000, feature_updates: Vec::new(), validate_only: false }
    }
}

impl UpdateFeaturesRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            timeout_ms: r.i32().at("UpdateFeaturesRequest.timeout_ms")?,
            feature_updates: r
                .array(true, 5, |r| FeatureUpdateKey::read(r, version))
                .at("UpdateFeaturesRequest.feature_updates")?,
            validate_only: if version >= 1 {
                r.bool().at("UpdateFeaturesRequest.validate_only")?
            } else {
                false
            },
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.timeout_ms);
        w.array(&self.feature_updates, true, |w, one| one.write(w, version))
            .at("UpdateFeaturesRequest.feature_updates")?;
        if version >= 1 {
            w.bool(self.validate_only);
        } else if self.validate_only {
            return Err(Fault::NotInVersion).at("UpdateFeaturesRequest.validate_only");
        }
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`UpdateFeaturesRequest`], versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureUpdateKey {
    /// In all versions.
    pub feature: CompactString,
    /// In all versions.
    pub max_version_level: i16,
    /// Up to version 0.
    pub allow_downgrade: bool,
    /// From version 1 on. Default 1.
    pub upgrade_type: i8,
}

impl Default for FeatureUpdateKey {
    fn default() -> Self {
        Self {
            feature: CompactString::const_new(""),
            max_version_level: 0,
            allow_downgrade: false,
            upgrade_type: 1,
        }
    }
}

impl FeatureUpdateKey {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            feature: r.string(true).at("FeatureUpdateKey.feature")?,
            max_version_level: r.i16().at("FeatureUpdateKey.max_version_level")?,
            allow_downgrade: if version <= 0 {
                r.bool().at("FeatureUpdateKey.allow_downgrade")?
            } else {
                false
            },
            upgrade_type: if version >= 1 {
                r.i8().at("FeatureUpdateKey.upgrade_type")?
            } else {
                1
            },
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.feature, true).at("FeatureUpdateKey.feature")?;
        w.i16(self.max_version_level);
        if version <= 0 {
            w.bool(self.allow_downgrade);
        } else if self.allow_downgrade {
            return Err(Fault::NotInVersion).at("FeatureUpdateKey.allow_downgrade");
        }
        if version >= 1 {
            w.i8(self.upgrade_type);
        } else if self.upgrade_type != 1 {
            return Err(Fault::NotInVersion).at("FeatureUpdateKey.upgrade_type");
        }
        w.uvarint(0);
        Ok(())
    }
}

/// `UpdateFeaturesResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateFeaturesResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// Up to version 1. Lost in versions without it.
    pub results: Vec<UpdatableFeatureResult>,
}

impl Default for UpdateFeaturesResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            results: Vec::new(),
        }
    }
}

impl UpdateFeaturesResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("UpdateFeaturesResponse.throttle_time_ms")?,
            error_code: r.error().at("UpdateFeaturesResponse.error_code")?,
            error_message: r.nullable_string(true).at("UpdateFeaturesResponse.error_message")?,
            results: if version <= 1 {
                r.array(true, 5, |r| UpdatableFeatureResult::read(r, version))
                    .at("UpdateFeaturesResponse.results")?
            } else {
                Vec::new()
            },
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("UpdateFeaturesResponse.error_message")?;
        if version <= 1 {
            w.array(&self.results, true, |w, one| one.write(w, version))
                .at("UpdateFeaturesResponse.results")?;
        }
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`UpdateFeaturesResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdatableFeatureResult {
    /// In all versions.
    pub feature: CompactString,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
}

impl Default for UpdatableFeatureResult {
    fn default() -> Self {
        Self {
            feature: CompactString::const_new(""),
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
        }
    }
}

impl UpdatableFeatureResult {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            feature: r.string(true).at("UpdatableFeatureResult.feature")?,
            error_code: r.error().at("UpdatableFeatureResult.error_code")?,
            error_message: r.nullable_string(true).at("UpdatableFeatureResult.error_message")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.feature, true).at("UpdatableFeatureResult.feature")?;
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("UpdatableFeatureResult.error_message")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for UpdateFeaturesRequest {
    const API: ApiKey = ApiKey::UpdateFeatures;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for UpdateFeaturesResponse {
    const API: ApiKey = ApiKey::UpdateFeatures;
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

impl crate::Request for UpdateFeaturesRequest {
    type Response = UpdateFeaturesResponse;
}
