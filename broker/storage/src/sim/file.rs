//! Open files, maps, and locks: what keeps a file's bytes after its name is gone.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::Errno;

use super::disk::Shared;
use super::faults::Operation;
use super::state::State;
use super::tree::Inode;
use crate::disk::{DiskFile, Map, ReadAt};

/// Keeps a file.
struct Handle {
    shared: Shared,
    inode: Inode,
}

impl Handle {
    fn new(shared: &Shared, state: &mut State, inode: Inode) -> Self {
        state.hold(inode);
        Self { shared: shared.clone(), inode }
    }

    fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.shared.state().tree.path(self.inode);
        f.debug_struct(name).field("path", &path).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.state().release(self.inode);
    }
}

/// An open file.
pub(super) struct SimFile(Handle);

impl SimFile {
    pub(super) fn new(shared: &Shared, state: &mut State, inode: Inode) -> Self {
        Self(Handle::new(shared, state, inode))
    }
}

impl ReadAt for SimFile {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.shared.state();
        state.strike_file(Operation::Read, self.0.inode)?;
        Ok(state.tree.content(self.0.inode).read(position, buffer))
    }
}

impl DiskFile for SimFile {
    fn write_at(&self, position: u64, parts: &[&[u8]]) -> io::Result<()> {
        let data = Bytes::from(parts.concat());
        self.0.shared.state().write(self.0.inode, position, &data)
    }

    fn is_cached(&self, _position: u64) -> Option<bool> {
        Some(self.0.shared.state().cached)
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        self.0.shared.state().reserve(self.0.inode, length)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.shared.sync(self.0.inode)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.shared.state().tree.content(self.0.inode).length())
    }

    fn written(&self) -> io::Result<u64> {
        Ok(self.0.shared.state().tree.content(self.0.inode).written())
    }

    fn uncached(&self) -> io::Result<Arc<dyn ReadAt>> {
        let mut state = self.0.shared.state();
        Ok(Arc::new(Uncached(Handle::new(&self.0.shared, &mut state, self.0.inode))))
    }

    fn map(&self, length: u64) -> io::Result<Arc<dyn Map>> {
        let mut state = self.0.shared.state();
        state.strike_file(Operation::Map, self.0.inode)?;
        if length > state.tree.content(self.0.inode).length() {
            return Err(Errno::INVAL.into());
        }
        let length = usize::try_from(length).map_err(|_| Errno::NOMEM)?;
        let handle = Handle::new(&self.0.shared, &mut state, self.0.inode);
        Ok(Arc::new(SimMap { handle, length }))
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug("SimFile", f)
    }
}

/// An open file, as the device holds it.
struct Uncached(Handle);

impl ReadAt for Uncached {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.shared.state();
        state.strike_file(Operation::Read, self.0.inode)?;
        Ok(state.device_content(self.0.inode).read(position, buffer))
    }
}

impl fmt::Debug for Uncached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug("Uncached", f)
    }
}

/// A map of the first `length` bytes of a file.
struct SimMap {
    handle: Handle,
    length: usize,
}

impl Map for SimMap {
    fn prefix(self: Arc<Self>, length: usize) -> Bytes {
        let Handle { shared, inode } = &self.handle;
        let mut state = shared.state();
        let bytes = state.tree.content(*inode).prefix(length.min(self.length));
        let prefixes = state.prefixes.entry(*inode).or_default();
        // One that says the same is enough; if one differs, both stay, and the check will find it.
        if let Some(known) = prefixes.iter().find(|known| known.starts_with(&bytes)) {
            return known.slice(..bytes.len());
        }
        let bytes = Bytes::from(bytes);
        prefixes.retain(|known| !bytes.starts_with(known));
        prefixes.push(bytes.clone());
        bytes
    }
}

impl fmt::Debug for SimMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.debug("SimMap", f)
    }
}

/// The lock on a file, given up with the value.
pub(super) struct SimLock(Handle);

impl SimLock {
    pub(super) fn new(shared: &Shared, state: &mut State, inode: Inode) -> io::Result<Self> {
        if !state.locked.insert(inode) {
            return Err(Errno::WOULDBLOCK.into());
        }
        Ok(Self(Handle::new(shared, state, inode)))
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.0.shared.state().locked.remove(&self.0.inode);
    }
}
