// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! AlterUserScramCredentials: changes SCRAM credentials (KIP-554).

use bytes::Bytes;
use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `AlterUserScramCredentialsRequest`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterUserScramCredentialsRequest {
    /// In all versions.
    pub deletions: Vec<ScramCredentialDeletion>,
    /// In all versions.
    pub upsertions: Vec<ScramCredentialUpsertion>,
}

impl AlterUserScramCredentialsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            deletions: r
                .array(true, 3, |r| ScramCredentialDeletion::read(r, version))
                .at("AlterUserScramCredentialsRequest.deletions")?,
            upsertions: r
                .array(true, 9, |r| ScramCredentialUpsertion::read(r, version))
                .at("AlterUserScramCredentialsRequest.upsertions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.array(&self.deletions, true, |w, one| one.write(w, version))
            .at("AlterUserScramCredentialsRequest.deletions")?;
        w.array(&self.upsertions, true, |w, one| one.write(w, version))
            .at("AlterUserScramCredentialsRequest.upsertions")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`AlterUserScramCredentialsRequest`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScramCredentialDeletion {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub mechanism: i8,
}

impl ScramCredentialDeletion {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("ScramCredentialDeletion.name")?,
            mechanism: r.i8().at("ScramCredentialDeletion.mechanism")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("ScramCredentialDeletion.name")?;
        w.i8(self.mechanism);
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`AlterUserScramCredentialsRequest`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScramCredentialUpsertion {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub mechanism: i8,
    /// In all versions.
    pub iterations: i32,
    /// In all versions.
    pub salt: Bytes,
    /// In all versions.
    pub salted_password: Bytes,
}

impl ScramCredentialUpsertion {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("ScramCredentialUpsertion.name")?,
            mechanism: r.i8().at("ScramCredentialUpsertion.mechanism")?,
            iterations: r.i32().at("ScramCredentialUpsertion.iterations")?,
            salt: r.bytes(true).at("ScramCredentialUpsertion.salt")?,
            salted_password: r.bytes(true).at("ScramCredentialUpsertion.salted_password")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("ScramCredentialUpsertion.name")?;
        w.i8(self.mechanism);
        w.i32(self.iterations);
        w.bytes(&self.salt, true).at("ScramCredentialUpsertion.salt")?;
        w.bytes(&self.salted_password, true).at("ScramCredentialUpsertion.salted_password")?;
        w.uvarint(0);
        Ok(())
    }
}

/// `AlterUserScramCredentialsResponse`, version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterUserScramCredentialsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub results: Vec<AlterUserScramCredentialsResult>,
}

impl AlterUserScramCredentialsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("AlterUserScramCredentialsResponse.throttle_time_ms")?,
            results: r
                .array(true, 5, |r| AlterUserScramCredentialsResult::read(r, version))
                .at("AlterUserScramCredentialsResponse.results")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.array(&self.results, true, |w, one| one.write(w, version))
            .at("AlterUserScramCredentialsResponse.results")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`AlterUserScramCredentialsResponse`], version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterUserScramCredentialsResult {
    /// In all versions.
    pub user: CompactString,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
}

impl Default for AlterUserScramCredentialsResult {
    fn default() -> Self {
        Self {
            user: CompactString::const_new(""),
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
        }
    }
}

impl AlterUserScramCredentialsResult {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            user: r.string(true).at("AlterUserScramCredentialsResult.user")?,
            error_code: r.error().at("AlterUserScramCredentialsResult.error_code")?,
            error_message: r
                .nullable_string(true)
                .at("AlterUserScramCredentialsResult.error_message")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.user, true).at("AlterUserScramCredentialsResult.user")?;
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("AlterUserScramCredentialsResult.error_message")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for AlterUserScramCredentialsRequest {
    const API: ApiKey = ApiKey::AlterUserScramCredentials;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for AlterUserScramCredentialsResponse {
    const API: ApiKey = ApiKey::AlterUserScramCredentials;
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

impl crate::Request for AlterUserScramCredentialsRequest {
    type Response = AlterUserScramCredentialsResponse;
}
