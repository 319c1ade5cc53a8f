//! What a test breaks: calls that fail, syncs that do nothing, a disk that is full, bytes that
//! change by themselves.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::io::Errno;

use super::disk::SimDisk;
use super::state::State;
use super::trace::{Damage, Op, SyncInfo};
use super::tree::Inode;

/// A kind of call that a [`Fault`] can make fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// [`crate::Disk::create`], and [`crate::Disk::lock`] where it makes the file.
    Create,
    /// [`crate::Disk::open`].
    Open,
    /// [`crate::Disk::create_dir`], for each directory that it makes.
    CreateDir,
    /// [`crate::Disk::rename`], by either of its paths.
    Rename,
    /// [`crate::Disk::remove`] and [`crate::Disk::remove_dir`].
    Remove,
    /// [`crate::Disk::list`].
    List,
    /// [`crate::Disk::sync_dir`].
    SyncDir,
    /// [`crate::DiskFile::write_at`].
    Write,
    /// [`crate::DiskFile::read_at`].
    Read,
    /// [`crate::DiskFile::reserve`].
    Reserve,
    /// [`crate::DiskFile::sync`].
    Sync,
    /// [`crate::DiskFile::map`].
    Map,
}

/// What a call fails with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// An error number of Linux: 5 for EIO, 28 for ENOSPC.
    Errno(i32),
    /// An error of this kind, without a number.
    Kind(io::ErrorKind),
}

impl From<i32> for Failure {
    fn from(errno: i32) -> Self {
        Self::Errno(errno)
    }
}

impl From<io::ErrorKind> for Failure {
    fn from(kind: io::ErrorKind) -> Self {
        Self::Kind(kind)
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Errno(errno) => Self::from_raw_os_error(errno),
            Failure::Kind(kind) => kind.into(),
        }
    }
}

/// A call that is going to fail: the first of its kind, on any path, unless said otherwise.
pub struct Fault {
    operation: Operation,
    failure: Failure,
    matches: Box<dyn Fn(&Path) -> bool + Send>,
    /// Matching calls that pass first.
    skip: usize,
    /// Bytes that a failing write leaves.
    written: usize,
    always: bool,
}

impl Fault {
    /// The first call of `operation` fails.
    pub fn new(operation: Operation, failure: impl Into<Failure>) -> Self {
        let matches = Box::new(|_: &Path| true);
        Self { operation, failure: failure.into(), matches, skip: 0, written: 0, always: false }
    }

    /// Only calls on these paths count. The closure must not call the disk.
    #[must_use]
    pub fn at(self, matches: impl Fn(&Path) -> bool + Send + 'static) -> Self {
        Self { matches: Box::new(matches), ..self }
    }

    /// Lets so many calls that match pass before one fails.
    #[must_use]
    pub fn after(self, calls: usize) -> Self {
        Self { skip: calls, ..self }
    }

    /// A write leaves so many bytes, from its start, before it fails.
    #[must_use]
    pub fn written(self, bytes: usize) -> Self {
        Self { written: bytes, ..self }
    }

    /// All calls that match fail from then on, not only one.
    #[must_use]
    pub fn always(self) -> Self {
        Self { always: true, ..self }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("operation", &self.operation)
            .field("failure", &self.failure)
            .field("skip", &self.skip)
            .finish_non_exhaustive()
    }
}

/// The faults of a disk and what came of them.
#[derive(Default)]
pub(super) struct Faults {
    waiting: Vec<Fault>,
    struck: usize,
}

/// A call fails.
pub(super) struct Strike {
    pub(super) error: io::Error,
    /// Bytes that a write leaves.
    pub(super) written: usize,
}

impl Faults {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether this call fails; counts it at every fault that waits for such a one, up to the
    /// fault that strikes.
    pub(super) fn strike(&mut self, operation: Operation, paths: &[&Path]) -> Option<Strike> {
        let found = self.waiting.iter_mut().position(|fault| {
            let is_it = fault.operation == operation && paths.iter().any(|p| (fault.matches)(p));
            let passes = is_it && fault.skip > 0;
            fault.skip -= usize::from(passes);
            is_it && !passes
        })?;
        self.struck += 1;
        let fault = &self.waiting[found];
        let strike = Strike { error: fault.failure.into(), written: fault.written };
        if !fault.always {
            self.waiting.remove(found);
        }
        Some(strike)
    }
}

impl SimDisk {
    /// Adds a call that is going to fail. A failing call changes nothing, with two exceptions: a
    /// write leaves [`Fault::written`] bytes, and what a failing sync should have made durable is
    /// not made so by a later one either, though readers go on seeing it.
    pub fn set_fault(&self, fault: Fault) {
        self.state().faults.waiting.push(fault);
    }

    /// Forgets the faults that have not struck.
    pub fn clear_faults(&self) {
        self.state().faults.waiting.clear();
    }

    /// How many calls a fault made fail.
    pub fn faults_struck(&self) -> usize {
        self.state().faults.struck
    }

    /// From now on, syncs that `ignored` picks return without an error and make nothing durable;
    /// a later one that isn't picked does. The closure must not call the disk.
    pub fn ignore_syncs(&self, ignored: impl Fn(&SyncInfo) -> bool + Send + 'static) {
        self.state().ignored = Some(Box::new(ignored));
    }

    /// Takes the sync with this [`SyncInfo::count`] out, and no other.
    pub fn without_sync(&self, count: usize) {
        self.ignore_syncs(move |sync| sync.count == count);
    }

    /// Runs `hook` in every sync, between the moment that decides what it covers and its return:
    /// what the hook writes is not covered. Syncs of the hook itself don't run it.
    pub fn during_sync(&self, hook: impl FnMut(&SyncInfo) + Send + 'static) {
        self.state().hook = Some(Box::new(hook));
    }

    /// The size of the disk in bytes, no limit if never set. Files count with their length,
    /// reserved space included, until the last handle and map of a removed one is gone. A write
    /// that doesn't fit leaves what does.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// Bytes that count against the capacity.
    pub fn used(&self) -> u64 {
        self.state().tree.used()
    }

    /// What [`crate::DiskFile::is_cached`] says from now on, `true` if never set.
    pub fn set_cached(&self, cached: bool) {
        self.state().cached = cached;
    }

    /// Changes bit `bit` (0 the lowest) of the byte at `position`. Like all damage it is durable at
    /// once, as is everything written to the file before; readers see it.
    ///
    /// # Panics
    /// If no file has the path or it ends before that.
    pub fn flip(&self, path: impl AsRef<Path>, position: u64, bit: u8) {
        let mut state = self.state();
        let inode = state.damaged(path.as_ref());
        let mut byte = [0];
        let read = state.tree.content(inode).read(position, &mut byte);
        assert_eq!(read, 1, "{} ends before byte {position}", path.as_ref().display());
        state.overwrite(inode, position, &[byte[0] ^ (1 << bit)]);
    }

    /// Puts other bytes in the place of those at `position`; durable at once, as
    /// [`Self::flip`] is. The file grows where it has to.
    ///
    /// # Panics
    /// If no file has the path.
    pub fn overwrite(&self, path: impl AsRef<Path>, position: u64, bytes: &[u8]) {
        let mut state = self.state();
        let inode = state.damaged(path.as_ref());
        state.overwrite(inode, position, bytes);
    }

    /// Gives a file another length in bytes, with zeros where it grows; durable at once, as
    /// [`Self::flip`] is.
    ///
    /// # Panics
    /// If no file has the path.
    pub fn truncate(&self, path: impl AsRef<Path>, length: u64) {
        let mut state = self.state();
        let inode = state.damaged(path.as_ref());
        state.damage(inode, Damage::Truncate { length });
    }

    /// What readers see of a file, reserved space included; `None` if no file has the path.
    ///
    /// # Panics
    /// If it doesn't fit into memory.
    pub fn read_file(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let state = self.state();
        let content = state.tree.content(state.tree.lookup_file(path.as_ref()).ok()?);
        Some(content.prefix(usize::try_from(content.length()).expect("fits into memory")))
    }

    /// The paths of all files, in order. Directories are not among them.
    pub fn paths(&self) -> Vec<PathBuf> {
        let state = self.state();
        let named = state.tree.named().into_iter();
        named.filter(|(_, inode)| !state.tree.is_dir(*inode)).map(|(path, _)| path).collect()
    }
}

impl State {
    fn damaged(&self, path: &Path) -> Inode {
        match self.tree.lookup_file(path) {
            Ok(inode) => inode,
            Err(error) => panic!("no file {}: {error}", path.display()),
        }
    }

    fn overwrite(&mut self, inode: Inode, position: u64, bytes: &[u8]) {
        let data = Bytes::copy_from_slice(bytes);
        self.damage(inode, Damage::Overwrite { position, data });
    }

    fn damage(&mut self, inode: Inode, damage: Damage) {
        damage.apply(self.tree.content_mut(inode));
        self.record(self.tree.path(inode), Op::Damage { inode, damage });
    }

    /// Bytes of a write at `position` that the disk has space for, and the error if not all.
    pub(super) fn fits(
        &self,
        inode: Inode,
        position: u64,
        wanted: usize,
    ) -> (usize, io::Result<()>) {
        let length = self.tree.content(inode).length();
        let end = position + wanted as u64;
        if end <= length || self.capacity == u64::MAX {
            return (wanted, Ok(()));
        }
        let end_max = length.max(self.capacity.saturating_sub(self.tree.used() - length));
        let room = end_max.saturating_sub(position);
        match usize::try_from(room) {
            Ok(room) if room < wanted => (room, Err(Errno::NOSPC.into())),
            _ => (wanted, Ok(())),
        }
    }
}
