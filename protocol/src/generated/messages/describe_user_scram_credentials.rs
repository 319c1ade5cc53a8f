// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DescribeUserScramCredentials: tells which SCRAM credentials exist (KIP-554).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `DescribeUserScramCredentialsRequest`, version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeUserScramCredentialsRequest {
    /// In all versions.
    pub users: Option<Vec<UserName>>,
}

impl Default for DescribeUserScramCredentialsRequest {
    fn default() -> Self {
        Self { users: Some(Vec::new()) }
    }
}

impl DescribeUserScramCredentialsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            users: r
                .nullable_array(true, 2, |r| UserName::read(r, version))
                .at("DescribeUserScramCredentialsRequest.users")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.nullable_array(self.users.as_deref(), true, |w, one| one.write(w, version))
            .at("DescribeUserScramCredentialsRequest.users")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeUserScramCredentialsRequest`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UserName {
    /// In all versions.
    pub name: CompactString,
}

impl UserName {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self { name: r.string(true).at("UserName.name")? };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("UserName.name")?;
        w.uvarint(0);
        Ok(())
    }
}

/// `DescribeUserScramCredentialsResponse`, version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeUserScramCredentialsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub results: Vec<DescribeUserScramCredentialsResult>,
}

impl Default for DescribeUserScramCredentialsResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            results: Vec::new(),
        }
    }
}

impl DescribeUserScramCredentialsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r
                .i32()
                .at("DescribeUserScramCredentialsResponse.throttle_time_ms")?,
            error_code: r.error().at("DescribeUserScramCredentialsResponse.error_code")?,
            error_message: r
                .nullable_string(true)
                .at("DescribeUserScramCredentialsResponse.error_message")?,
            results: r
                .array(true, 6, |r| DescribeUserScramCredentialsResult::read(r, version))
                .at("DescribeUserScramCredentialsResponse.results")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("DescribeUserScramCredentialsResponse.error_message")?;
        w.array(&self.results, true, |w, one| one.write(w, version))
            .at("DescribeUserScramCredentialsResponse.results")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeUserScramCredentialsResponse`], version 0.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeUserScramCredentialsResult {
    /// In all versions.
    pub user: CompactString,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub credential_infos: Vec<CredentialInfo>,
}

impl Default for DescribeUserScramCredentialsResult {
    fn default() -> Self {
        Self {
            user: CompactString::const_new(""),
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::const_new("")),
            credential_infos: Vec::new(),
        }
    }
}

impl DescribeUserScramCredentialsResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            user: r.string(true).at("DescribeUserScramCredentialsResult.user")?,
            error_code: r.error().at("DescribeUserScramCredentialsResult.error_code")?,
            error_message: r
                .nullable_string(true)
                .at("DescribeUserScramCredentialsResult.error_message")?,
            credential_infos: r
                .array(true, 6, |r| CredentialInfo::read(r, version))
                .at("DescribeUserScramCredentialsResult.credential_infos")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.user, true).at("DescribeUserScramCredentialsResult.user")?;
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("DescribeUserScramCredentialsResult.error_message")?;
        w.array(&self.credential_infos, true, |w, one| one.write(w, version))
            .at("DescribeUserScramCredentialsResult.credential_infos")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeUserScramCredentialsResponse`], version 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CredentialInfo {
    /// In all versions.
    pub mechanism: i8,
    /// In all versions.
    pub iterations: i32,
}

impl CredentialInfo {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            mechanism: r.i8().at("CredentialInfo.mechanism")?,
            iterations: r.i32().at("CredentialInfo.iterations")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i8(self.mechanism);
        w.i32(self.iterations);
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for DescribeUserScramCredentialsRequest {
    const API: ApiKey = ApiKey::DescribeUserScramCredentials;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DescribeUserScramCredentialsResponse {
    const API: ApiKey = ApiKey::DescribeUserScramCredentials;
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

impl crate::Request for DescribeUserScramCredentialsRequest {
    type Response = DescribeUserScramCredentialsResponse;
}
