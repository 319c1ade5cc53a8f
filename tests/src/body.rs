//! The body of any message: what every test that runs through all APIs wants.

use bytes::{Bytes, BytesMut};

use logboom_protocol::messages::{RequestBody, ResponseBody};
use logboom_protocol::{ApiKey, DecodeError, EncodeError, MessageKind};

/// A decoded request or response.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// From client to broker.
    Request(RequestBody),
    /// From broker to client.
    Response(ResponseBody),
}

impl Body {
    /// Reads a whole body.
    ///
    /// # Errors
    /// Any fault in the bytes.
    pub fn decode(
        api: ApiKey,
        kind: MessageKind,
        version: i16,
        bytes: &Bytes,
    ) -> Result<Self, DecodeError> {
        match kind {
            MessageKind::Request => RequestBody::decode(api, version, bytes).map(Self::Request),
            MessageKind::Response => ResponseBody::decode(api, version, bytes).map(Self::Response),
        }
    }

    /// The bytes of the body.
    ///
    /// # Errors
    /// The field whose value `version` cannot carry.
    pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {
        let mut out = BytesMut::new();
        match self {
            Self::Request(request) => request.encode(&mut out, version)?,
            Self::Response(response) => response.encode(&mut out, version)?,
        }
        Ok(out.freeze())
    }

    /// Whether a number in it is a NaN, so that it differs from itself.
    pub fn has_nan(&self) -> bool {
        let same = self.clone();
        *self != same
    }
}
