//! What a topic may be called.

use core::fmt;

/// The most characters of a name: it is part of file names elsewhere.
const NAME_CHARACTERS_MAX: usize = 249;

/// The name of the reference's metadata log, which nobody may create.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// Why a topic cannot be called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// The empty name.
    Empty,
    /// `.` or `..`.
    Dots,
    /// More than 249 characters.
    TooLong {
        /// Bytes of the name.
        length: usize,
    },
    /// A character that is none of `a-z`, `A-Z`, `0-9`, `.`, `_` and `-`.
    Character(char),
    /// The metadata log.
    Reserved,
}

/// Whether a topic may be called `name`.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(name: &str) -> Result<(), NameError> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match name {
        "" => return Err(NameError::Empty),
        "." | ".." => return Err(NameError::Dots),
        METADATA_TOPIC => return Err(NameError::Reserved),
        _ => {}
    }
    if name.len() > NAME_CHARACTERS_MAX {
        return Err(NameError::TooLong { length: name.len() });
    }
    match name.chars().find(|&c| !is_legal(c)) {
        Some(c) => Err(NameError::Character(c)),
        None => Ok(()),
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a topic needs a name"),
            Self::Dots => f.write_str("a topic cannot be called '.' or '..'"),
            Self::TooLong { length } => {
                write!(f, "the name has {length} bytes, at most {NAME_CHARACTERS_MAX}")
            }
            Self::Character(c) => write!(f, "{c:?} in the name, not of a-zA-Z0-9._-"),
            Self::Reserved => write!(f, "{METADATA_TOPIC} is the controller's"),
        }
    }
}
