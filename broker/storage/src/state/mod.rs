//! The state store: the small facts of all partitions of a directory, in one file with one flush.
//!
//! ```text
//!   submit ──▶ memory (at once) and queue ──▶ a round: one frame, one flush ──▶ completions
//! ```
//!
//! It holds for every group its identity, epoch and vote, the control entries and the epoch list,
//! the log start, the **manifest** (which files, and which lengths of them, are the log) and the
//! last checkpoint. A file that the manifest doesn't name is garbage, whatever its bytes.
//!
//! Must always hold:
//! - What is submitted together is one atomic step: after a crash all of it is there or none.
//! - A round is one frame, and the next begins only when its flush has returned. So a bad frame can
//!   only be the last; a bad one with a good one behind it is damage and stops the start.
//! - Files are not written over: a checkpoint is a new file, renamed into place when it is whole.
//!   Only a start that has no room for one zeroes the torn frame of the old file and goes on there.
//! - A failed write or flush is final, and so is whatever fails behind the rename of a new file.
//! - A step is taken wholly or not at all; one that is refused changes neither memory nor file.
//! - No completion is called under a lock, and none before those of earlier steps.

mod completions;
mod error;
mod file;
mod frame;
mod group;
mod inspect;
mod memory;
mod record;
mod store;
#[cfg(test)]
mod tests;

pub use completions::Done;
pub use error::StateError;
pub(crate) use group::shared_epochs;
pub use group::{
    Checkpoint, CleanedSegments, ControlEntry, EpochStart, GroupState, LogStart, ProducerSnapshot,
    Sealed, SegmentEntry,
};
pub use inspect::{Inspected, inspect};
pub use record::{GroupKey, OpenMark, StateRecord};
pub use store::{StateOptions, StateStore};
