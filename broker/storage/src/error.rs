//! What can go wrong with a log, in kinds that the caller treats differently.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use logboom_protocol::records::BatchError;

use crate::state::GroupKey;

/// Why an operation on a log failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum StorageError {
    /// The file system has no room. Nothing was written, nothing else changes: when there is room
    /// again the same call succeeds.
    NoSpace {
        /// What needed the room.
        path: PathBuf,
    },
    /// The device or the file system failed. After a failed write or flush the directory is out of
    /// service.
    Io {
        /// What was done, as a verb: "write", "flush", "open".
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Bytes that are not what was written. The rest of the log is served; this part is not.
    Corrupt(Corruption),
    /// The offset lies outside of what is kept.
    OutOfRange {
        /// The offset asked for.
        offset: i64,
        /// The first offset that is kept, inclusive.
        log_start_offset: i64,
        /// The end of what may be read, exclusive.
        end_offset: i64,
    },
    /// The replica was removed from here.
    Deleted {
        /// Whose.
        key: GroupKey,
    },
    /// A flush is under way; the call is to be made again when it is over.
    FlushUnderWay,
    /// An earlier write or flush failed; nothing is taken until the directory is opened anew.
    OutOfService {
        /// The data directory.
        path: PathBuf,
    },
}

/// Damage, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corruption {
    /// The damaged file.
    pub path: PathBuf,
    /// Bytes from its start.
    pub position: u64,
    /// What is wrong there.
    pub what: Damage,
}

/// What is wrong with bytes on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// The file named in the manifest is not there.
    Missing,
    /// The file ends before what the manifest says.
    Short {
        /// Bytes that should be there.
        expected: u64,
        /// Bytes that are.
        present: u64,
    },
    /// The header of a file is not what it should be: a wrong checksum, version, or another
    /// partition's file.
    Header(&'static str),
    /// The device can't read it; what the system said.
    Unreadable(String),
    /// Zeros where a batch should begin, and something that was written behind them.
    NotWritten,
    /// A batch is broken in itself.
    Batch(BatchError),
    /// A batch is whole but doesn't belong here: its base offset or epoch is not the one expected.
    Relation {
        /// Which field.
        field: &'static str,
        /// What it should be, at least.
        expected: i64,
        /// What it is.
        found: i64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the file is missing"),
            Self::Short { expected, present } => {
                write!(f, "{expected} bytes expected, {present} present")
            }
            Self::Header(what) => write!(f, "header: {what}"),
            Self::Unreadable(what) => f.write_str(what),
            Self::NotWritten => f.write_str("zeros before something that was written"),
            Self::Batch(error) => error.fmt(f),
            Self::Relation { field, expected, found } => {
                write!(f, "{field} {found}, {expected} expected")
            }
        }
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, position, what } = self;
        write!(f, "{} at byte {position}: {what}", path.display())
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSpace { path } => write!(f, "no space for {}", path.display()),
            Self::Io { doing, path, source } => write!(f, "{doing} {}: {source}", path.display()),
            Self::Corrupt(corruption) => corruption.fmt(f),
            Self::OutOfRange { offset, log_start_offset, end_offset } => {
                write!(f, "offset {offset} is not in {log_start_offset}..{end_offset}")
            }
            Self::Deleted { key } => write!(f, "{key} was deleted"),
            Self::FlushUnderWay => f.write_str("a flush is under way"),
            Self::OutOfService { path } => {
                write!(f, "{} is out of service after a failed write or flush", path.display())
            }
        }
    }
}

impl std::error::Error for StorageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl StorageError {
    /// Damage at `position` of the file at `path`.
    pub(crate) fn corrupt(path: &Path, position: u64, what: Damage) -> Self {
        Self::Corrupt(Corruption { path: path.to_owned(), position, what })
    }
}

/// Says what was done to which file when the system failed.
pub(crate) trait Doing<T> {
    /// For what asks for room: a full disk is told apart.
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, StorageError>;

    /// For writes and flushes: where they fail, bytes are lost, and a full disk is a failure like
    /// any other.
    fn failing(self, doing: &'static str, path: &Path) -> Result<T, StorageError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, StorageError> {
        self.map_err(|source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StorageError::NoSpace { path: path.to_owned() }
            }
            _ => StorageError::Io { doing, path: path.to_owned(), source },
        })
    }

    fn failing(self, doing: &'static str, path: &Path) -> Result<T, StorageError> {
        self.map_err(|source| StorageError::Io { doing, path: path.to_owned(), source })
    }
}
