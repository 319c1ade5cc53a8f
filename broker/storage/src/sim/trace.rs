//! The calls that changed something or made it durable, in the order in which they were made.

use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;

use super::tree::{Inode, Place};

/// A call of [`crate::DiskFile::sync`] or [`crate::Disk::sync_dir`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncInfo {
    /// The path of the file or directory at the call; the last it had, if it was removed.
    pub path: PathBuf,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// How many syncs, of files and directories, were called on this disk before.
    pub count: usize,
}

/// What became of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flush {
    /// It did what it promises.
    Done,
    /// It said so and did nothing, for a test wanted to see what happens without it.
    Ignored,
    /// It failed: what it should have made durable is pending for ever.
    Failed,
}

/// Damage done by a test, durable at once.
#[derive(Debug, Clone)]
pub(super) enum Damage {
    Overwrite { position: u64, data: Bytes },
    Truncate { length: u64 },
}

/// One call.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Write { inode: Inode, position: u64, data: Bytes },
    Reserve { inode: Inode, length: u64 },
    Sync { inode: Inode, flush: Flush },
    Create { place: Place, inode: Inode },
    CreateDir { place: Place, inode: Inode },
    Rename { from: Place, to: Place, inode: Inode },
    Remove { place: Place },
    RemoveDir { place: Place, inode: Inode },
    SyncDir { inode: Inode, flush: Flush },
    Damage { inode: Inode, damage: Damage },
}

/// One call, with the path that it was about.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) op: Op,
    pub(super) path: PathBuf,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.op {
            Op::Write { position, data, .. } => {
                write!(f, "write {path} {position}+{}", data.len())
            }
            Op::Reserve { length, .. } => write!(f, "reserve {path} {length}"),
            Op::Sync { flush, .. } => write!(f, "sync {path} {flush:?}"),
            Op::Create { .. } => write!(f, "create {path}"),
            Op::CreateDir { .. } => write!(f, "create_dir {path}"),
            Op::Rename { to, .. } => write!(f, "rename {path} to {}", to.name.display()),
            Op::Remove { .. } => write!(f, "remove {path}"),
            Op::RemoveDir { .. } => write!(f, "remove_dir {path}"),
            Op::SyncDir { flush, .. } => write!(f, "sync_dir {path} {flush:?}"),
            Op::Damage { damage, .. } => match damage {
                Damage::Overwrite { position, data } => {
                    write!(f, "damage {path} {position}+{}", data.len())
                }
                Damage::Truncate { length } => write!(f, "truncate {path} {length}"),
            },
        }
    }
}
