//! A disk in memory that records every call and plays back what a power cut may leave behind.
//!
//! Two trees are kept in mind. *What readers see* is the page cache: every call changes it at once.
//! *What is durable* moves only by the sync calls, as [`crate::Disk`] and [`crate::DiskFile`]
//! promise it and no further:
//!
//! ```text
//! write, reserve ──▶ pending in the file ─────── DiskFile::sync(file) ─▶ durable content, length
//! create, rename, ─▶ pending in the directory ── Disk::sync_dir(dir) ──▶ durable names
//! remove, mkdir …        │
//!                        └─ a power cut: any subset of it, torn at sectors of 512 bytes
//! ```
//!
//! A test runs on a [`SimDisk`], calls [`SimDisk::mark`] whenever something was promised, and then
//! asks for a [`SimDisk::crash_image`] at every point of the trace, with [`Unflushed`] saying which
//! of the pending calls happen to have reached the device. It opens the log on the image, and
//! compares it with [`SimDisk::marks_before`] that point.
//!
//! What a power cut may leave:
//! - A write is wholly there, absent, or there in any of its sectors, whatever became of the writes
//!   before it. A sector reaches the device as the page cache has it: one that shows a later write
//!   shows the earlier ones as well. Where the data is missing, the length may have come through;
//!   the bytes read as zeros then.
//! - A call that changes names is there or not, whatever became of those on other names. Those on
//!   the same name keep their order. A rename happens as one, across directories too, where both
//!   have to be synced. Syncing a file says nothing of its name, and syncing a directory nothing of
//!   the name it has itself: what lies in a directory whose own name is gone is gone.
//! - What a failed sync should have made durable stays pending for ever: no later sync covers it.
//!
//! What this is not: it knows no time, no threads (each call is one step under one lock), no
//! permissions, no links. Paths are absolute: `a/b` is `/a/b`; `..` is refused.
//!
//! Must always hold: the same calls give the same trace, and the same trace, point and choice give
//! the same image.

mod content;
mod disk;
mod faults;
mod file;
mod image;
mod random;
mod replay;
mod state;
#[cfg(test)]
mod tests;
mod trace;
mod tree;

pub use disk::SimDisk;
pub use faults::{Failure, Fault, Operation};
pub use image::Unflushed;
pub use trace::SyncInfo;
