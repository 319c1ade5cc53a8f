//! Opening a directory in a process that starts others.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use logboom_storage::state::OpenMark;
use logboom_storage::{Directory, DirectoryOptions, OpenError, SystemDisk};

/// All starts lie within one life of the machine, whatever the machine says.
const MARK: OpenMark = OpenMark { boot_id: [1; 16], mount_id: 1 };

/// How often a lock is tried for.
const TRIES: u32 = 1_000_000;

/// Opens a directory, perhaps again. A process that another thread is about to start holds all
/// locks of this one until it runs its program, and so for a moment a directory is locked that
/// was just dropped.
///
/// # Errors
/// As [`Directory::open`].
pub fn open(root: &Path, options: DirectoryOptions) -> Result<Directory, OpenError> {
    for _ in 0..TRIES {
        match Directory::open(Arc::new(SystemDisk), root, options, MARK, 7) {
            Err(OpenError::Locked { .. }) => thread::yield_now(),
            other => return other,
        }
    }
    Err(OpenError::Locked { path: root.join("lock") })
}
