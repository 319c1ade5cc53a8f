//! Where the files of removed replicas wait for a while, in case an operator needs them after all.
//!
//! Must always hold: nothing in it is anybody's log; what a start finds of it waits once more.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::replicas::remove_tree;
use crate::{Directory, StorageError};

/// The directories that wait.
#[derive(Debug, Default)]
pub(crate) struct Trash(Mutex<Vec<Piece>>);

#[derive(Debug)]
struct Piece {
    dir: PathBuf,
    grace_ms: u64,
    /// When it was seen first; this crate has no clock.
    since: Option<u64>,
}

impl Trash {
    /// A directory has been put there, for so many milliseconds; one of that name isn't there any
    /// more.
    pub(super) fn put(&self, dir: PathBuf, grace_ms: u64) {
        let mut pieces = self.pieces();
        pieces.retain(|piece| piece.dir != dir);
        pieces.push(Piece { dir, grace_ms, since: None });
    }

    /// Whether a directory is known to wait.
    pub(super) fn has(&self, dir: &Path) -> bool {
        self.pieces().iter().any(|piece| piece.dir == dir)
    }

    /// Takes out what has waited for long enough.
    fn take_due(&self, now: u64) -> Vec<PathBuf> {
        let is_due = |piece: &mut Piece| {
            let since = *piece.since.get_or_insert(now);
            now.saturating_sub(since) >= piece.grace_ms
        };
        let mut pieces = self.pieces();
        pieces.extract_if(.., is_due).map(|piece| piece.dir).collect()
    }

    fn pieces(&self) -> MutexGuard<'_, Vec<Piece>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory {
    /// Whether files of removed replicas wait.
    #[must_use]
    pub fn has_trash(&self) -> bool {
        !self.shared.trash.pieces().is_empty()
    }

    /// Removes the files of replicas that were removed for long enough. Waits for the device.
    ///
    /// - `now`: milliseconds of a clock that only goes on; how long something has waited is known
    ///   from the first call on that finds it.
    ///
    /// # Errors
    /// What the file system says. The next start finds what couldn't be removed.
    pub fn empty_trash(&self, now: u64) -> Result<(), StorageError> {
        let due = self.shared.trash.take_due(now);
        due.iter().try_for_each(|dir| remove_tree(&self.shared, dir))
    }
}
