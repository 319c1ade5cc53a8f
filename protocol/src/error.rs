//! What can be wrong with bytes, or with a value that is to become bytes.
//!
//! Must always hold: an error names the message, its version and the field, and owns no memory.

use std::fmt;

use crate::{ApiKey, MessageKind};

/// What is wrong, without the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes end before the value does.
    Truncated {
        /// Bytes that the value takes.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// A length below −1, or −1 where null has no meaning.
    NegativeLength(i64),
    /// A length that the version's format has no room for.
    TooLong {
        /// Bytes or elements of the value.
        length: usize,
        /// The most that the format can say.
        limit: usize,
    },
    /// More elements announced than the remaining bytes can hold.
    TooManyElements {
        /// Elements announced.
        count: usize,
        /// Bytes that are left for them.
        left: usize,
    },
    /// Null where the version allows none.
    Null,
    /// A string that is no UTF-8.
    Utf8,
    /// A variable-length integer that is longer than its type.
    Varint,
    /// A tagged field that is longer than its contents.
    TagSize {
        /// The tag.
        tag: u32,
        /// Bytes left over in it.
        left: usize,
    },
    /// The decoded value would need more memory than its input's length justifies.
    Memory {
        /// The limit in bytes.
        limit: usize,
    },
    /// Bytes behind the end of the message.
    Trailing {
        /// How many.
        left: usize,
    },
    /// A value is set that the version cannot carry and must not lose.
    NotInVersion,
    /// The version itself is not spoken.
    Version,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, left } => write!(f, "{needed} bytes needed, {left} left"),
            Self::NegativeLength(length) => write!(f, "length {length}"),
            Self::TooLong { length, limit } => write!(f, "length {length}, at most {limit}"),
            Self::TooManyElements { count, left } => {
                write!(f, "{count} elements announced, {left} bytes left")
            }
            Self::Null => f.write_str("null is not allowed"),
            Self::Utf8 => f.write_str("no UTF-8"),
            Self::Varint => f.write_str("variable-length integer too long"),
            Self::TagSize { tag, left } => write!(f, "tag {tag} has {left} bytes left over"),
            Self::Memory { limit } => write!(f, "decoding would take more than {limit} bytes"),
            Self::Trailing { left } => write!(f, "{left} bytes behind the end"),
            Self::NotInVersion => f.write_str("set, but this version cannot carry it"),
            Self::Version => f.write_str("version not supported"),
        }
    }
}

/// A [`Fault`] and the field in which it was found, as `Struct.field`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldError {
    /// Empty until somebody who knows says it.
    pub field: &'static str,
    /// What is wrong.
    pub fault: Fault,
}

impl From<Fault> for FieldError {
    fn from(fault: Fault) -> Self {
        Self { field: "", fault }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.fault)
    }
}

impl std::error::Error for FieldError {}

/// Says in which field an error happened; the innermost field wins.
pub(crate) trait At<T> {
    fn at(self, field: &'static str) -> Result<T, FieldError>;
}

impl<T> At<T> for Result<T, FieldError> {
    #[inline]
    fn at(self, field: &'static str) -> Self {
        self.map_err(
            |error| if error.field.is_empty() { FieldError { field, ..error } } else { error },
        )
    }
}

impl<T> At<T> for Result<T, Fault> {
    #[inline]
    fn at(self, field: &'static str) -> Result<T, FieldError> {
        self.map_err(|fault| FieldError { field, fault })
    }
}

/// Bytes that are not the message they claim to be. The sender is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    /// The API named in the header.
    pub api: ApiKey,
    /// Request or response.
    pub kind: MessageKind,
    /// The version named in the header.
    pub version: i16,
    /// The field, as `Struct.field`; empty for the message as a whole.
    pub field: &'static str,
    /// What is wrong.
    pub fault: Fault,
    /// Bytes from the start of the body to the place where decoding stopped.
    pub position: usize,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api, kind, version, field, fault, position } = self;
        write!(f, "{api} {kind} v{version}")?;
        if !field.is_empty() {
            write!(f, ", {field}")?;
        }
        write!(f, " at byte {position}: {fault}")
    }
}

impl std::error::Error for DecodeError {}

/// A value that its version cannot carry. The caller is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeError {
    /// The API of the message.
    pub api: ApiKey,
    /// Request or response.
    pub kind: MessageKind,
    /// The version asked for.
    pub version: i16,
    /// The field, as `Struct.field`; empty for the message as a whole.
    pub field: &'static str,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api, kind, version, field, fault } = self;
        write!(f, "{api} {kind} v{version}")?;
        if !field.is_empty() {
            write!(f, ", {field}")?;
        }
        write!(f, ": {fault}")
    }
}

impl std::error::Error for EncodeError {}
