// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! ApiVersions: tells which APIs, versions and features a broker offers (KIP-511: response header v0).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `ApiVersionsRequest`, versions 0-5.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiVersionsRequest {
    /// From version 3 on. Lost in versions without it.
    pub client_software_name: CompactString,
    /// From version 3 on. Lost in versions without it.
    pub client_software_version: CompactString,
    /// From version 5 on. Lost in versions without it.
    pub cluster_id: Option<CompactString>,
    /// From version 5 on. Default -1. Lost in versions without it.
    pub node_id: i32,
}

impl Default for ApiVersionsRequest {
    fn default() -> Self {
        Self {
            client_software_name: CompactString::const_new(""),
            client_software_version: CompactString::const_new(""),
            cluster_id: None,
            node_id: -1,
        }
    }
}

impl ApiVersionsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            client_software_name: if version >= 3 {
                r.string(flexible).at("ApiVersionsRequest.client_software_name")?
            } else {
                CompactString::const_new("")
            },
            client_software_version: if version >= 3 {
                r.string(flexible).at("ApiVersionsRequest.client_software_version")?
            } else {
                CompactString::const_new("")
            },
            cluster_id: if version >= 5 {
                r.nullable_string(flexible).at("ApiVersionsRequest.cluster_id")?
            } else {
                None
            },
            node_id: if version >= 5 { r.i32().at("ApiVersionsRequest.node_id")? } else { -1 },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        if version >= 3 {
            w.string(&self.client_software_name, flexible)
                .at("ApiVersionsRequest.client_software_name")?;
        }
        if version >= 3 {
            w.string(&self.client_software_version, flexible)
                .at("ApiVersionsRequest.client_software_version")?;
        }
        if version >= 5 {
            w.nullable_string(self.cluster_id.as_deref(), flexible)
                .at("ApiVersionsRequest.cluster_id")?;
        }
        if version >= 5 {
            w.i32(self.node_id);
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `ApiVersionsResponse`, versions 0-5.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiVersionsResponse {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub api_keys: Vec<ApiVersion>,
    /// From version 1 on. Lost in versions without it.
    pub throttle_time_ms: i32,
    /// From version 3 on, tag 0. Lost in versions without it.
    pub supported_features: Vec<SupportedFeatureKey>,
    /// From version 3 on, tag 1. Default -1. Lost in versions without it.
    pub finalized_features_epoch: i64,
    /// From version 3 on, tag 2. Lost in versions without it.
    pub finalized_features: Vec<FinalizedFeatureKey>,
    /// From version 3 on, tag 3. Lost in versions without it.
    pub zk_migration_ready: bool,
}

impl Default for ApiVersionsResponse {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            api_keys: Vec::new(),
            throttle_time_ms: 0,
            supported_features: Vec::new(),
            finalized_features_epoch: -1,
            finalized_features: Vec::new(),
            zk_migration_ready: false,
        }
    }
}

impl ApiVersionsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let mut this = Self {
            error_code: r.error().at("ApiVersionsResponse.error_code")?,
            api_keys: r
                .array(flexible, 6, |r| ApiVersion::read(r, version))
                .at("ApiVersionsResponse.api_keys")?,
            throttle_time_ms: if version >= 1 {
                r.i32().at("ApiVersionsResponse.throttle_time_ms")?
            } else {
                0
            },
            supported_features: Vec::new(),
            finalized_features_epoch: -1,
            finalized_features: Vec::new(),
            zk_migration_ready: false,
        };
        if flexible {
            r.tagged_fields(|tag, r| {
                match tag {
                    0 => {
                        this.supported_features = r
                            .array(true, 6, |r| SupportedFeatureKey::read(r, version))
                            .at("ApiVersionsResponse.supported_features")?
                    }
                    1 => {
                        this.finalized_features_epoch =
                            r.i64().at("ApiVersionsResponse.finalized_features_epoch")?
                    }
                    2 => {
                        this.finalized_features = r
                            .array(true, 6, |r| FinalizedFeatureKey::read(r, version))
                            .at("ApiVersionsResponse.finalized_features")?
                    }
                    3 => {
                        this.zk_migration_ready =
                            r.bool().at("ApiVersionsResponse.zk_migration_ready")?
                    }
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        w.error(self.error_code);
        w.array(&self.api_keys, flexible, |w, one| one.write(w, version))
            .at("ApiVersionsResponse.api_keys")?;
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        if flexible {
            w.uvarint(
                u32::from(!self.supported_features.is_empty())
                    + u32::from(self.finalized_features_epoch != -1)
                    + u32::from(!self.finalized_features.is_empty())
                    + u32::from(self.zk_migration_ready),
            );
            if !self.supported_features.is_empty() {
                w.tagged_field(0, |w| {
                    w.array(&self.supported_features, true, |w, one| one.write(w, version))
                        .at("ApiVersionsResponse.supported_features")?;
                    Ok(())
                })?;
            }
            if self.finalized_features_epoch != -1 {
                w.tagged_field(1, |w| {
                    w.i64(self.finalized_features_epoch);
                    Ok(())
                })?;
            }
            if !self.finalized_features.is_empty() {
                w.tagged_field(2, |w| {
                    w.array(&self.finalized_features, true, |w, one| one.write(w, version))
                        .at("ApiVersionsResponse.finalized_features")?;
                    Ok(())
                })?;
            }
            if self.zk_migration_ready {
                w.tagged_field(3, |w| {
                    w.bool(self.zk_migration_ready);
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// Part of [`ApiVersionsResponse`], versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ApiVersion {
    /// In all versions.
    pub api_key: i16,
    /// In all versions.
    pub min_version: i16,
    /// In all versions.
    pub max_version: i16,
}

impl ApiVersion {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 3;
        let this = Self {
            api_key: r.i16().at("ApiVersion.api_key")?,
            min_version: r.i16().at("ApiVersion.min_version")?,
            max_version: r.i16().at("ApiVersion.max_version")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 3;
        w.i16(self.api_key);
        w.i16(self.min_version);
        w.i16(self.max_version);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`ApiVersionsResponse`], versions 3-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SupportedFeatureKey {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub min_version: i16,
    /// In all versions.
    pub max_version: i16,
}

impl SupportedFeatureKey {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("SupportedFeatureKey.name")?,
            min_version: r.i16().at("SupportedFeatureKey.min_version")?,
            max_version: r.i16().at("SupportedFeatureKey.max_version")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("SupportedFeatureKey.name")?;
        w.i16(self.min_version);
        w.i16(self.max_version);
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`ApiVersionsResponse`], versions 3-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FinalizedFeatureKey {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub max_version_level: i16,
    /// In all versions.
    pub min_version_level: i16,
}

impl FinalizedFeatureKey {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("FinalizedFeatureKey.name")?,
            max_version_level: r.i16().at("FinalizedFeatureKey.max_version_level")?,
            min_version_level: r.i16().at("FinalizedFeatureKey.min_version_level")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("FinalizedFeatureKey.name")?;
        w.i16(self.max_version_level);
        w.i16(self.min_version_level);
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for ApiVersionsRequest {
    const API: ApiKey = ApiKey::ApiVersions;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for ApiVersionsResponse {
    const API: ApiKey = ApiKey::ApiVersions;
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

impl crate::Request for ApiVersionsRequest {
    type Response = ApiVersionsResponse;
}
