//! Where the files of removed replicas wait for a while, in case an operator needs them after all.
//!
//! Must always hold: nothing in it is anybody's log, nor takes anybody's name; what a start finds
//! of it waits once more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::replicas::remove_tree;
use crate::{Directory, StorageError};

/// The directories that wait.
#[derive(Debug, Default)]
pub(crate) struct Trash(Mutex<BTreeMap<PathBuf, Piece>>);

#[derive(Debug)]
struct Piece {
    grace_ms: u64,
    /// When it was seen first; this crate has no clock.
    since: Option<u64>,
}

impl Piece {
    fn is_due(&mut self, now: u64) -> bool {
        let since = *self.since.get_or_insert(now);
        now.saturating_sub(since) >= self.grace_ms
    }
}

impl Trash {
    /// A directory waits for so many milliseconds.
    pub(super) fn put(&self, dir: PathBuf, grace_ms: u64) {
        self.pieces().insert(dir, Piece { grace_ms, since: None });
    }

    /// Whether a directory is known to wait.
    pub(super) fn has(&self, dir: &Path) -> bool {
        self.pieces().contains_key(dir)
    }

    /// Takes out what has waited for long enough, or everything.
    fn take_due(&self, now: Option<u64>) -> BTreeMap<PathBuf, Piece> {
        let is_due = |_: &PathBuf, piece: &mut Piece| now.is_none_or(|now| piece.is_due(now));
        self.pieces().extract_if(.., is_due).collect()
    }

    fn pieces(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Piece>> {
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
    ///   from the first call on that finds it. `None` where room is needed: nothing waits then.
    /// - `goes_on`: asked before each directory; what is left then waits on.
    ///
    /// # Errors
    /// What the file system said first. What couldn't be removed waits once more.
    pub fn empty_trash(
        &self,
        now: Option<u64>,
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<(), StorageError> {
        let mut result = Ok(());
        for (dir, piece) in self.shared.trash.take_due(now) {
            let removed = goes_on().then(|| remove_tree(&self.shared, &dir));
            if !matches!(removed, Some(Ok(()))) {
                self.shared.trash.put(dir, piece.grace_ms);
            }
            result = result.and(removed.unwrap_or(Ok(())));
        }
        result
    }
}
