//! Why a state store can't be opened, or doesn't take something.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a state store can't be opened, or doesn't take something.
#[derive(Debug, Clone)]
pub enum StateError {
    /// The system failed. For a store that is open this is final: the process is to end.
    Io {
        /// What was done, as a verb.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The file isn't what was written. The way out is a new directory: every replica in this one
    /// joins its group anew.
    Damaged {
        /// The file.
        path: PathBuf,
        /// Bytes from its start.
        position: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// There is no state file where there was one. The way out is the file, or a new directory.
    Missing {
        /// The directory of the state store.
        path: PathBuf,
    },
    /// The reserve is used up and the disk has no room for a checkpoint.
    Full {
        /// The file.
        path: PathBuf,
    },
    /// A step, or one of its records, is larger than what is written at once. Nothing of it was
    /// taken, and the store goes on.
    TooLarge {
        /// Bytes that it takes.
        bytes: usize,
        /// The most that it may take.
        bytes_max: usize,
    },
    /// A record doesn't fit what stands before it. Nothing of its step was taken, and the store
    /// goes on.
    Misfit {
        /// Whose record, and which.
        step: String,
        /// Why it doesn't fit.
        what: &'static str,
    },
}

pub(super) type Result<T> = std::result::Result<T, StateError>;

impl StateError {
    /// Whether the file system has no room.
    pub(super) fn is_no_space(&self) -> bool {
        matches!(self, Self::Io { source, .. } if matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ))
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path, source } => write!(f, "{doing} {}: {source}", path.display()),
            Self::Damaged { path, position, what } => {
                write!(f, "{} at byte {position}: {what}", path.display())
            }
            Self::Missing { path } => {
                write!(
                    f,
                    "{}: the state file is missing, and with it what was kept",
                    path.display()
                )
            }
            Self::Full { path } => {
                write!(f, "{}: its reserve is used up and the disk is full", path.display())
            }
            Self::TooLarge { bytes, bytes_max } => {
                write!(f, "{bytes} bytes in one step of the state store, at most {bytes_max} fit")
            }
            Self::Misfit { step, what } => write!(f, "{step}: {what}"),
        }
    }
}

impl std::error::Error for StateError {}

pub(super) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Io { doing, path, source: Arc::new(source) }
}
