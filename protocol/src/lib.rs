//! The Kafka wire protocol: bytes to types and back.
//!
//! ```text
//!   socket bytes ─ frame ─▶ Bytes ─ header ─▶ (ApiKey, version, correlation id) + body
//!                                                    │
//!            messages::*  every API, generated from protocol/schema/*.txt
//!            hot::*       produce requests and fetch responses by hand, without copying records
//!                                                    │
//!            records::*   RawBatch ─ check ─▶ CheckedBatch ─▶ records
//! ```
//!
//! The crate knows bytes and nothing else: no socket, no clock, no async, no broker.
//!
//! **Invariant:** any bytes give a value or a typed error that names API, version and field; never
//! a panic. Decoding a message takes at most [`wire::memory_limit`] of its length, inflating a
//! batch at most what [`records::Inflater`] was told.
//!
//! **Invariant:** record bytes are not copied on the way in, nor through [`hot`] on the way out;
//! they are slices of the frame or of the log. (Encoding a whole message copies them.)
//!
//! Source: the protocol guide of Apache Kafka and the message specifications inside its
//! `kafka-clients` jar; `docs/protocol.md` holds the table of versions and the exceptions that
//! real clients need.

pub mod api_versions;
mod error;
mod error_code;
pub mod frame;
mod generated;
pub mod header;
pub mod hot;
mod message;
pub mod peer;
pub mod records;
pub mod wire;

pub use compact_str::CompactString;
pub use error::{DecodeError, EncodeError, Fault, FieldError};
pub use error_code::ErrorCode;
pub use generated::api_key::ApiKey;
pub use logboom_units as units;
pub use message::{Message, MessageKind, Request, VersionRange, decode_body, encode_body};

/// Every request and response, a module per API; written by `cargo xtask generate`.
pub mod messages {
    pub use crate::generated::messages::*;
}
