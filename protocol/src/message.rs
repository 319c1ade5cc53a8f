//! What all requests and responses have in common.
//!
//! Must always hold: a body decodes only as a whole; bytes left over are an error, but where a
//! caller says that they don't matter.

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, DecodeError, EncodeError, Fault, FieldError};

/// An inclusive range of API versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRange {
    /// The oldest.
    pub min: i16,
    /// The newest.
    pub max: i16,
}

impl VersionRange {
    /// Whether `version` lies in the range.
    #[must_use]
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// The newest version that lies in both ranges.
    #[must_use]
    pub fn newest_common(self, other: Self) -> Option<i16> {
        let newest = self.max.min(other.max);
        (newest >= self.min.max(other.min)).then_some(newest)
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.min, self.max)
    }
}

/// The direction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// From client to broker.
    Request,
    /// From broker to client.
    Response,
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::Response => "response",
        })
    }
}

/// A request or a response, in all versions at once.
///
/// A field that a version lacks has its default after decoding. Encoding refuses a value that the
/// version cannot carry unless the field may be ignored.
pub trait Message: Sized {
    /// The API that it belongs to.
    const API: ApiKey;
    /// Its direction.
    const KIND: MessageKind;

    /// Reads the fields of `version`, which is one of the API's.
    ///
    /// # Errors
    /// The field and what is wrong with it.
    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError>;

    /// Writes the fields of `version`, which is one of the API's.
    ///
    /// # Errors
    /// The field whose value `version` cannot carry.
    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError>;

    /// For how long the broker wants to hear nothing more over the connection, milliseconds; 0 of
    /// messages that can't say so (KIP-219).
    fn throttle_time_ms(&self) -> i32 {
        0
    }

    /// Reads a whole body, the bytes behind the header.
    ///
    /// Strings are copied; byte fields and records are slices of `body`.
    ///
    /// # Errors
    /// Any fault in the bytes, an unknown version included.
    fn decode(body: &Bytes, version: i16) -> Result<Self, DecodeError> {
        decode_body(Self::API, Self::KIND, version, body, |r| Self::read(r, version))
    }

    /// Reads a body and passes over what is behind it, as the reference does with requests.
    ///
    /// librdkafka needs that: its Metadata requests of version 13 for all topics have three bytes
    /// more than they should.
    ///
    /// # Errors
    /// Any fault in the bytes before, an unknown version included.
    fn decode_front(body: &Bytes, version: i16) -> Result<Self, DecodeError> {
        decode_body(Self::API, Self::KIND, version, body, |r| {
            let message = Self::read(r, version)?;
            r.skip_rest();
            Ok(message)
        })
    }

    /// Appends the body to `out`; on an error `out` holds what was written so far.
    ///
    /// # Errors
    /// The field whose value `version` cannot carry, an unknown version included.
    fn encode(&self, out: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        encode_body(Self::API, Self::KIND, version, out, |w| self.write(w, version))
    }
}

/// A message that is answered by another.
pub trait Request: Message {
    /// The answer.
    type Response: Message;
}

/// Reads a body with `read` and adds to an error what only the message knows.
///
/// # Errors
/// What `read` says, an unknown version, or bytes left over.
pub fn decode_body<'a, T>(
    api: ApiKey,
    kind: MessageKind,
    version: i16,
    body: &'a Bytes,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, FieldError>,
) -> Result<T, DecodeError> {
    let mut reader = Reader::new(body);
    let result = if api.versions().contains(version) {
        read(&mut reader).and_then(|value| reader.finish().at("").map(|()| value))
    } else {
        Err(Fault::Version.into())
    };
    result.map_err(|FieldError { field, fault }| DecodeError {
        api,
        kind,
        version,
        field,
        fault,
        position: reader.position(),
    })
}

/// Writes a body with `write` and adds to an error what only the message knows.
///
/// # Errors
/// What `write` says, or an unknown version.
pub fn encode_body(
    api: ApiKey,
    kind: MessageKind,
    version: i16,
    out: &mut BytesMut,
    write: impl FnOnce(&mut Writer) -> Result<(), FieldError>,
) -> Result<(), EncodeError> {
    let mut writer = Writer::new(std::mem::take(out));
    let result = if api.versions().contains(version) {
        write(&mut writer)
    } else {
        Err(Fault::Version.into())
    };
    *out = writer.into_inner();
    result.map_err(|FieldError { field, fault }| EncodeError { api, kind, version, field, fault })
}
