//! What an operator should know of a log that was opened.

use std::fmt;
use std::path::PathBuf;

use crate::error::{Corruption, Damage};

/// Something that an operator should know of a log that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The end of the file was not whole and was cut. Nothing in it was proven to be flushed.
    TornTail {
        /// The file.
        path: PathBuf,
        /// Where it was cut, bytes from its start.
        position: u64,
        /// The end of the log, exclusive.
        end_offset: i64,
        /// What was found there.
        what: Damage,
    },
    /// Bytes that were flushed are damaged; the offsets are not served.
    Damaged {
        /// Where, and what.
        corruption: Corruption,
        /// The first offset that is not served, inclusive.
        offset: i64,
        /// The first one behind that is, exclusive.
        end_offset: i64,
    },
    /// A named file is gone, and with it what was behind the last checkpoint: acknowledged or not,
    /// those offsets can't be known, and are given again. The replica is marked as lossy.
    Gone {
        /// The file.
        path: PathBuf,
        /// The first offset that it held, inclusive.
        offset: i64,
        /// The end of what is known to have been in it, exclusive.
        end_offset: i64,
    },
    /// A snapshot of the producers can't be used; they are read from an older one and the log.
    Producers {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TornTail { path, position, end_offset, what } => write!(
                f,
                "{} was cut at byte {position}, offset {end_offset}: {what}",
                path.display()
            ),
            Self::Damaged { corruption, offset, end_offset } => {
                write!(f, "offsets {offset}..{end_offset} are not served: {corruption}")
            }
            Self::Gone { path, offset, end_offset } => write!(
                f,
                "{} is missing: offsets {offset}..{end_offset} are not served; \
                 what was behind them, acknowledged or not, is lost",
                path.display()
            ),
            Self::Producers { path, what } => {
                write!(f, "{}: {what}; the producers are read from the log", path.display())
            }
        }
    }
}
