//! The disk that a test works on.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::file::{SimFile, SimLock};
use super::replay::Replay;
use super::state::State;
use super::trace::SyncInfo;
use super::tree::{Inode, Tree};
use crate::disk::{Disk, DiskFile};

/// A disk in memory. It starts empty but for the directory `/`.
pub struct SimDisk {
    shared: Shared,
}

/// The lock around a disk, as its files keep it.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<State>>);

impl Shared {
    /// Takes the lock. A test that failed under it has changed nothing half.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Syncs a file or directory and runs the test's hook in the middle.
    pub(super) fn sync(&self, inode: Inode) -> io::Result<()> {
        let (info, result, hook) = {
            let mut state = self.state();
            let (info, result) = state.sync(inode);
            (info, result, state.hook.take())
        };
        if let Some(mut hook) = hook {
            hook(&info);
            self.state().hook.get_or_insert(hook);
        }
        result
    }
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::on(Replay::new(Tree::new()), Tree::new(), 1)
    }

    /// A disk that starts from what is durable and pending in `base` and shows `tree`.
    pub(super) fn on(base: Replay, tree: Tree, next_inode: u64) -> Arc<Self> {
        let state = State::new(base, tree, next_inode);
        Arc::new(Self { shared: Shared(Arc::new(Mutex::new(state))) })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// Remembers at this point of the trace what the test promised; the number is the test's own.
    pub fn mark(&self, mark: u64) {
        let mut state = self.state();
        let at = state.trace.len();
        state.marks.push((at, mark));
    }

    /// The syncs called so far, in their order.
    pub fn syncs(&self) -> Vec<SyncInfo> {
        self.state().syncs.clone()
    }

    /// Compares what maps handed out with the files as they are.
    ///
    /// # Panics
    /// If a byte below a length that [`crate::Map::prefix`] was asked for has changed since, damage
    /// by the test included. Files that are gone are not looked at.
    pub fn check_maps(&self) {
        let state = self.state();
        for (inode, prefixes) in &state.prefixes {
            for handed_out in prefixes {
                let now = state.tree.content(*inode).prefix(handed_out.len());
                let changed = now.iter().zip(handed_out).position(|(now, then)| now != then);
                if let Some(position) = changed {
                    let path = state.tree.path(*inode);
                    panic!("{}: byte {position}, handed out by a map, changed", path.display());
                }
            }
        }
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let inode = state.create(path)?;
        Ok(Arc::new(SimFile::new(&self.shared, &mut state, inode)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let inode = state.open(path)?;
        Ok(Arc::new(SimFile::new(&self.shared, &mut state, inode)))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let mut missing: Vec<&Path> = path.ancestors().collect();
        missing.reverse();
        missing.into_iter().try_for_each(|path| state.create_dir(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.state().remove(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.state().remove_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let names = self.state().list(path)?;
        Ok(names.iter().map(|name| path.join(name)).collect())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let inode = {
            let state = self.state();
            let inode = state.tree.lookup(path)?;
            state.tree.entries(inode)?;
            inode
        };
        self.shared.sync(inode)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = self.state();
        let inode = match state.tree.lookup_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => state.create(path)?,
            found => found?,
        };
        Ok(Box::new(SimLock::new(&self.shared, &mut state, inode)?))
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("SimDisk")
            .field("files", &state.tree.named().len())
            .field("calls", &state.trace.len())
            .finish_non_exhaustive()
    }
}
