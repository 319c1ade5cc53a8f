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
//! - Files are never written over: a checkpoint is a new file, renamed into place when it is whole.
//! - A failed write or flush is final.

mod file;
mod frame;
mod group;
mod record;
mod store;
#[cfg(test)]
mod tests;

pub use group::{Checkpoint, ControlEntry, EpochStart, GroupState, Sealed, SegmentEntry};
pub use record::{GroupKey, OpenMark, StateRecord};
pub use store::{Done, Inspected, StateError, StateOptions, StateStore, inspect};
