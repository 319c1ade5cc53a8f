//! Request headers v1 and v2, response headers v0 and v1.
//!
//! | | fields |
//! | --- | --- |
//! | request v1 | api key `i16`, api version `i16`, correlation id `i32`, client id `string?` |
//! | request v2 | the same (the client id's length is still an `i16`), then tagged fields |
//! | response v0 | correlation id `i32` |
//! | response v1 | correlation id `i32`, then tagged fields |
//!
//! Flexible versions of an API use v2 and v1. One exception: an ApiVersions response always has
//! header v0, because a client reads it before it knows what the broker speaks (KIP-511). Request
//! header v0, without a client id, belonged to one API that Kafka 4 removed (ControlledShutdown).

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, EncodeError, FieldError, MessageKind, VersionRange};

impl ApiKey {
    /// Whether `version` has compact lengths and tagged fields (KIP-482).
    #[must_use]
    pub const fn is_flexible(self, version: i16) -> bool {
        match self.flexible_from() {
            Some(from) => version >= from,
            None => false,
        }
    }

    /// The version of the request header: 1, or 2 for flexible versions.
    #[must_use]
    pub const fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the response header: 0, or 1 for flexible versions but ApiVersions.
    #[must_use]
    pub const fn response_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) && !matches!(self, Self::ApiVersions) { 1 } else { 0 }
    }

    /// The versions to name in an ApiVersions response.
    ///
    /// They are [`Self::versions`] but for Produce, which is named from 0 on: librdkafka before
    /// 2.11 switches compression off for a broker that doesn't list the old versions, though it
    /// never sends them (KAFKA-18659). A Produce request below version 3 is refused all the same.
    #[must_use]
    pub const fn advertised_versions(self) -> VersionRange {
        let spoken = self.versions();
        match self {
            Self::Produce => VersionRange { min: 0, max: spoken.max },
            _ => spoken,
        }
    }
}

/// What stands before the body of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// The API.
    pub api: ApiKey,
    /// The version of the API.
    pub version: i16,
    /// Echoed in the response, whatever it is.
    pub correlation_id: i32,
    /// The name that the client gave itself (`client.id`); U+FFFD stands for what is no UTF-8.
    pub client_id: Option<Cow<'a, str>>,
}

/// A request that cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderError {
    /// No API that is served has that number. The connection is to be closed (WIRE 11).
    UnknownApi {
        /// The number as sent.
        key: i16,
        /// The version as sent.
        version: i16,
    },
    /// The API is known, the version is not. The connection is to be closed, but for
    /// ApiVersions, which is to be answered with
    /// [`unsupported_api_versions_response`] (WIRE 1).
    UnsupportedVersion {
        /// The API.
        api: ApiKey,
        /// The version as sent.
        version: i16,
        /// The versions that are served.
        served: VersionRange,
        /// To be echoed where there is an answer.
        correlation_id: i32,
    },
    /// The header itself is broken.
    Malformed(FieldError),
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownApi { key, version } => write!(f, "unknown API {key} (version {version})"),
            Self::UnsupportedVersion { api, version, served, .. } => {
                write!(f, "{api} version {version}, supported are {served}")
            }
            Self::Malformed(error) => write!(f, "request header, {error}"),
        }
    }
}

impl std::error::Error for HeaderError {}

impl<'a> RequestHeader<'a> {
    /// Reads the header at the start of `frame`; returns the body, a slice of `frame`, with it.
    ///
    /// - `serves`: the versions of an API that are served, among [`ApiKey::versions`]; `None` for
    ///   an API that isn't.
    ///
    /// # Errors
    /// See [`HeaderError`]; never a guess at the format of an unknown version.
    pub fn decode(
        frame: &'a Bytes,
        serves: impl FnOnce(ApiKey) -> Option<VersionRange>,
    ) -> Result<(Self, Bytes), HeaderError> {
        let malformed = HeaderError::Malformed;
        let mut r = Reader::new(frame);
        let key = r.i16().at("RequestHeader.request_api_key").map_err(malformed)?;
        let version = r.i16().at("RequestHeader.request_api_version").map_err(malformed)?;
        let served = ApiKey::from_wire(key).and_then(|api| Some((api, serves(api)?)));
        let Some((api, served)) = served else {
            return Err(HeaderError::UnknownApi { key, version });
        };
        let correlation_id = r.i32().at("RequestHeader.correlation_id").map_err(malformed)?;
        if !served.contains(version) || !api.versions().contains(version) {
            return Err(HeaderError::UnsupportedVersion { api, version, served, correlation_id });
        }
        let client_id =
            r.nullable_lossy_str(false).at("RequestHeader.client_id").map_err(malformed)?;
        if api.request_header_version(version) >= 2 {
            r.tagged_fields(|_, _| Ok(false)).map_err(malformed)?;
        }
        let body = frame.slice(r.position()..);
        Ok((Self { api, version, correlation_id, client_id }, body))
    }

    /// Appends the header to `out`.
    ///
    /// # Errors
    /// A client id longer than 32,767 bytes.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut w = Writer::new(std::mem::take(out));
        w.i16(self.api.to_wire());
        w.i16(self.version);
        w.i32(self.correlation_id);
        let client_id = w.nullable_string(self.client_id.as_deref(), false);
        if self.api.request_header_version(self.version) >= 2 {
            w.uvarint(0);
        }
        *out = w.into_inner();
        client_id.map_err(|fault| EncodeError {
            api: self.api,
            kind: MessageKind::Request,
            version: self.version,
            field: "RequestHeader.client_id",
            fault,
        })
    }
}

/// Reads the header of a response to a request of `api` and `version`; returns the correlation id
/// and the body, a slice of `frame`.
///
/// # Errors
/// The field and what is wrong with it.
pub fn decode_response_header(
    api: ApiKey,
    version: i16,
    frame: &Bytes,
) -> Result<(i32, Bytes), FieldError> {
    let mut r = Reader::new(frame);
    let correlation_id = r.i32().at("ResponseHeader.correlation_id")?;
    if api.response_header_version(version) >= 1 {
        r.tagged_fields(|_, _| Ok(false))?;
    }
    Ok((correlation_id, frame.slice(r.position()..)))
}

/// Appends the header of a response to a request of `api` and `version` to `out`.
pub fn encode_response_header(api: ApiKey, version: i16, correlation_id: i32, out: &mut BytesMut) {
    out.put_i32(correlation_id);
    if api.response_header_version(version) >= 1 {
        out.put_u8(0);
    }
}

/// The whole frame that answers an ApiVersions request of a version that we don't speak.
///
/// It has the format of version 0, whatever was asked for, and lists ApiVersions alone, so that
/// the client asks again with the newest version listed and doesn't take it for the full list
/// (WIRE 1 and 2; KIP-511).
///
/// - `served`: the versions of ApiVersions that are served.
///
/// # Panics
/// Never: version 0 can carry an error code and a list.
#[must_use]
pub fn unsupported_api_versions_response(served: VersionRange, correlation_id: i32) -> Bytes {
    use crate::messages::api_versions::{ApiVersion, ApiVersionsResponse};

    let response = ApiVersionsResponse {
        error_code: crate::ErrorCode::UNSUPPORTED_VERSION,
        api_keys: vec![ApiVersion {
            api_key: ApiKey::ApiVersions.to_wire(),
            min_version: served.min,
            max_version: served.max,
        }],
        ..ApiVersionsResponse::default()
    };
    crate::frame::encode_response(&response, 0, correlation_id)
        .expect("version 0 carries an error code and a list")
}

#[cfg(test)]
mod tests;
