//! Frames: a four-byte length and that many bytes, in both directions.
//!
//! Must always hold: nothing is allocated because a length says so. A buffer grows by the bytes
//! that arrive; the reader of the socket may use [`Split::Incomplete`] as a hint and bound it.

use std::borrow::Cow;
use std::fmt;

use bytes::{Buf as _, Bytes, BytesMut};

use crate::{EncodeError, Fault, Message, header};

/// Bytes of the length in front of every frame.
pub const PREFIX_BYTES: usize = 4;

/// What the front of a buffer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// A whole frame, without its length. It is taken from the buffer.
    Frame(Bytes),
    /// The beginning of a frame. The buffer is unchanged.
    Incomplete {
        /// Bytes that are missing, at least; not to be trusted with memory.
        missing: usize,
    },
}

/// A length that no frame has. The connection is to be closed (WIRE 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameError {
    /// The length as sent.
    pub length: i32,
    /// The most that is allowed.
    pub limit: usize,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a frame of {} bytes; 0 to {} are allowed", self.length, self.limit)
    }
}

impl std::error::Error for FrameError {}

/// Takes the first frame from `buffer`, if it is whole.
///
/// - `limit`: the most bytes of a frame, without its length (`socket.request.max.bytes`).
///
/// # Errors
/// A negative length or one above `limit`, as soon as its four bytes are there.
pub fn split(buffer: &mut BytesMut, limit: usize) -> Result<Split, FrameError> {
    let Some(prefix) = buffer.first_chunk::<PREFIX_BYTES>() else {
        return Ok(Split::Incomplete { missing: PREFIX_BYTES - buffer.len() });
    };
    let length = i32::from_be_bytes(*prefix);
    let Some(bytes) = usize::try_from(length).ok().filter(|&bytes| bytes <= limit) else {
        return Err(FrameError { length, limit });
    };
    let present = buffer.len() - PREFIX_BYTES;
    if present < bytes {
        return Ok(Split::Incomplete { missing: bytes - present });
    }
    buffer.advance(PREFIX_BYTES);
    Ok(Split::Frame(buffer.split_to(bytes).freeze()))
}

/// A request as a whole frame: length, header, body.
///
/// # Errors
/// A field whose value `version` cannot carry.
pub fn encode_request<M: Message>(
    message: &M,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<Bytes, EncodeError> {
    framed::<M>(version, |out| {
        let client_id = client_id.map(Cow::Borrowed);
        let header = header::RequestHeader { api: M::API, version, correlation_id, client_id };
        header.encode(out)?;
        message.encode(out, version)
    })
}

/// A response as a whole frame: length, header, body.
///
/// # Errors
/// A field whose value `version` cannot carry.
pub fn encode_response<M: Message>(
    message: &M,
    version: i16,
    correlation_id: i32,
) -> Result<Bytes, EncodeError> {
    framed::<M>(version, |out| {
        header::encode_response_header(M::API, version, correlation_id, out);
        message.encode(out, version)
    })
}

/// Bytes with which a frame's buffer begins; most responses fit.
const FRAME_BYTES: usize = 256;

/// Puts the length in front of what `write` writes.
fn framed<M: Message>(
    version: i16,
    write: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>,
) -> Result<Bytes, EncodeError> {
    let mut out = BytesMut::with_capacity(FRAME_BYTES);
    out.resize(PREFIX_BYTES, 0);
    write(&mut out)?;
    let length = out.len() - PREFIX_BYTES;
    let prefix = i32::try_from(length).map_err(|_| {
        let fault = Fault::TooLong { length, limit: i32::MAX as usize };
        EncodeError { api: M::API, kind: M::KIND, version, field: "", fault }
    })?;
    out[..PREFIX_BYTES].copy_from_slice(&prefix.to_be_bytes());
    Ok(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(bytes: &[u8]) -> BytesMut {
        BytesMut::from(bytes)
    }

    #[test]
    fn frames_leave_the_buffer_in_order() {
        let mut buffer = buffer(&[0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(split(&mut buffer, 10), Ok(Split::Frame(Bytes::from_static(&[7, 8]))));
        assert_eq!(split(&mut buffer, 10), Ok(Split::Frame(Bytes::new())));
        assert_eq!(split(&mut buffer, 10), Ok(Split::Incomplete { missing: 1 }));
        assert_eq!(buffer.len(), 4, "an incomplete frame stays");
    }

    #[test]
    fn every_cut_of_a_frame_is_incomplete_and_says_what_is_missing() {
        let whole = [0, 0, 0, 3, 1, 2, 3];
        for cut in 0..whole.len() {
            let missing = if cut < 4 { 4 - cut } else { whole.len() - cut };
            assert_eq!(split(&mut buffer(&whole[..cut]), 3), Ok(Split::Incomplete { missing }));
        }
    }

    #[test]
    fn wire_12_a_length_out_of_range_is_refused_at_its_fourth_byte() {
        for (length, limit) in [(-1, 10), (i32::MIN, 10), (11, 10), (i32::MAX, 100 << 20)] {
            let mut bytes = buffer(&length.to_be_bytes());
            let capacity = bytes.capacity();
            assert_eq!(split(&mut bytes, limit), Err(FrameError { length, limit }));
            assert_eq!(bytes.capacity(), capacity);
        }
        assert_eq!(split(&mut buffer(&[0, 0, 0, 10]), 10), Ok(Split::Incomplete { missing: 10 }));
    }
}
