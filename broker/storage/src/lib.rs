//! The log of one partition, and what all partitions of a data directory share.
//!
//! ```text
//!                    Directory: lock, id, health
//!        ┌───────────────┼──────────────────┬─────────────┐
//!        ▼               ▼                  ▼             ▼
//!   StateStore       flush queue        open files       Log ── publishes ──▶ LogView
//!   (small facts,    (threads of        (bounded)     one owner:             any reader:
//!    one flush)       their own)                      append, roll,          read, search
//!                                                     cut, flush
//! ```
//!
//! A log is a sequence of segment files of record batches, exactly as they travel. The state store
//! says which files, and which lengths of them, are the log: its **manifest** is the truth, and a
//! file that it doesn't name is garbage.
//!
//! # What is durable when
//!
//! | step | order |
//! | --- | --- |
//! | append | written to the page cache; nothing is promised |
//! | flush | files, oldest first → names of new files → state store → the owner is told |
//! | roll | the new file is used at once; the next flush names it before anything in it counts |
//! | cut | files → new file and name → one frame: cut, sealed, new segment → old files removed |
//! | log start | files → one frame: what was pending, the new start → old files removed |
//! | compaction, repair | new file → its name → one frame: it stands for the old ones → those go |
//! | clean stop | files → checkpoint and the mark, in one frame |
//!
//! # What must always hold
//!
//! - Nothing is written in place. A cut, a torn tail and repair begin a new file.
//! - A flushed record is there after any power cut; the tests take out every flush in turn and see
//!   that something is lost, but for six whose reason stands there.
//! - A batch is served only if its checksum was right when this process last looked, and its offset
//!   and epoch are those that belong there.
//! - After a failed write or flush the directory acknowledges nothing any more.
//! - An index is derived, and never believed over the log.
//!
//! The crate knows batches and offsets, and neither leaders nor sockets nor async. Every call to
//! the system goes through [`Disk`].

mod directory;
mod disk;
mod error;
mod files;
mod flush;
mod index;
mod log;
mod mapped;
mod options;
pub mod producers;
mod scan;
mod segment;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
pub mod state;
mod system;
mod verify;

pub use directory::{Directory, DirectoryOptions, LeftBy, OpenError};
pub use disk::{Disk, DiskFile, Map, ReadAt};
pub use error::{Corruption, Damage, StorageError};
pub use flush::FlushDone;
pub use log::{
    Beginning, CleanError, CleanStats, Cleanable, Cleaned, Cleaning, CleaningRequest, ColdRead,
    CompactionOptions, Finding, Found, LastBatches, Log, LogView, MovingStart, OtherReplicas, Pace,
    ReadUntil, RepairError, Scrubbed, TimedOffset,
};
pub use options::{LogOptions, OptionError, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
pub use system::SystemDisk;
pub use verify::{Dumped, Report, VerifyError, dump, verify};
