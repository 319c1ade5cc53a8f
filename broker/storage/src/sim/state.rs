//! What a disk knows, and what each call does to it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::Errno;

use super::content::Content;
use super::faults::{Faults, Operation};
use super::replay::Replay;
use super::trace::{Entry, Flush, Op, SyncInfo};
use super::tree::{Inode, Node, Tree};

/// Picks the syncs that do nothing.
pub(super) type Ignored = Box<dyn Fn(&SyncInfo) -> bool + Send>;
/// Runs in the middle of a sync.
pub(super) type Hook = Box<dyn FnMut(&SyncInfo) + Send>;

/// All of a disk, behind its lock.
pub(super) struct State {
    /// What readers see: the page cache, and every name.
    pub(super) tree: Tree,
    /// The disk before the first call of the trace.
    pub(super) base: Replay,
    /// The last point of the trace that was looked at, so that the next one is near.
    pub(super) cursor: Replay,
    pub(super) trace: Vec<Entry>,
    /// What a test marked, with the length of the trace at that moment.
    pub(super) marks: Vec<(usize, u64)>,
    pub(super) syncs: Vec<SyncInfo>,
    pub(super) ignored: Option<Ignored>,
    pub(super) hook: Option<Hook>,
    pub(super) faults: Faults,
    /// Bytes.
    pub(super) capacity: u64,
    pub(super) cached: bool,
    pub(super) locked: BTreeSet<Inode>,
    /// How many handles and maps keep a file.
    handles: BTreeMap<Inode, usize>,
    /// What maps have handed out, by file.
    pub(super) prefixes: BTreeMap<Inode, Vec<Bytes>>,
    pub(super) next_inode: u64,
}

impl State {
    pub(super) fn new(base: Replay, tree: Tree, next_inode: u64) -> Self {
        Self {
            tree,
            cursor: base.clone(),
            base,
            trace: Vec::new(),
            marks: Vec::new(),
            syncs: Vec::new(),
            ignored: None,
            hook: None,
            faults: Faults::default(),
            capacity: u64::MAX,
            cached: true,
            locked: BTreeSet::new(),
            handles: BTreeMap::new(),
            prefixes: BTreeMap::new(),
            next_inode,
        }
    }

    pub(super) fn record(&mut self, path: PathBuf, op: Op) {
        self.trace.push(Entry { op, path });
    }

    /// One more handle or map of a file.
    pub(super) fn hold(&mut self, inode: Inode) {
        *self.handles.entry(inode).or_default() += 1;
    }

    /// One handle or map less.
    pub(super) fn release(&mut self, inode: Inode) {
        if let Some(count) = self.handles.get_mut(&inode) {
            *count -= 1;
            if *count == 0 {
                self.handles.remove(&inode);
            }
        }
        self.forget_unused(inode);
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<Inode> {
        let place = self.tree.place(path)?;
        if self.tree.at(&place).is_some() {
            return Err(Errno::EXIST.into());
        }
        self.strike(Operation::Create, &[path])?;
        let inode = self.new_node(Node::File(Arc::default()));
        self.tree.link(&place, inode);
        self.record(self.tree.path(inode), Op::Create { place, inode });
        Ok(inode)
    }

    pub(super) fn open(&mut self, path: &Path) -> io::Result<Inode> {
        let inode = self.tree.lookup_file(path)?;
        self.strike(Operation::Open, &[path])?;
        Ok(inode)
    }

    /// Makes a directory in one that is there, unless it is there already.
    pub(super) fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        match self.tree.lookup(path) {
            Ok(inode) if self.tree.is_dir(inode) => return Ok(()),
            Ok(_) => return Err(Errno::EXIST.into()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
        let place = self.tree.place(path)?;
        self.strike(Operation::CreateDir, &[path])?;
        let inode = self.new_node(Node::Dir(BTreeMap::new()));
        self.tree.link(&place, inode);
        self.record(self.tree.path(inode), Op::CreateDir { place, inode });
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (source, target) = (self.tree.place(from)?, self.tree.place(to)?);
        let inode = self.tree.at(&source).ok_or(Errno::NOENT)?;
        let replaced = self.tree.at(&target).filter(|replaced| *replaced != inode);
        let is_dir = self.tree.is_dir(inode);
        match replaced.map(|replaced| self.tree.is_dir(replaced)) {
            Some(true) => return Err(Errno::EXIST.into()),
            Some(false) if is_dir => return Err(Errno::NOTDIR.into()),
            _ => {}
        }
        let path = self.tree.path(inode);
        if is_dir && self.tree.path(target.dir).starts_with(&path) {
            return Err(Errno::INVAL.into());
        }
        self.strike(Operation::Rename, &[from, to])?;
        if source == target {
            return Ok(());
        }
        self.tree.unlink(&source);
        self.tree.link(&target, inode);
        self.record(path, Op::Rename { from: source, to: target, inode });
        replaced.into_iter().for_each(|replaced| self.forget_unused(replaced));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let inode = self.tree.lookup_file(path)?;
        self.strike(Operation::Remove, &[path])?;
        let place = self.tree.place(path)?;
        self.tree.unlink(&place);
        self.record(self.tree.path(inode), Op::Remove { place });
        self.forget_unused(inode);
        Ok(())
    }

    pub(super) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        let place = self.tree.place(path)?;
        let inode = self.tree.lookup(path)?;
        if !self.tree.entries(inode)?.is_empty() {
            return Err(Errno::NOTEMPTY.into());
        }
        self.strike(Operation::Remove, &[path])?;
        self.tree.unlink(&place);
        self.record(self.tree.path(inode), Op::RemoveDir { place, inode });
        self.forget_unused(inode);
        Ok(())
    }

    pub(super) fn list(&mut self, path: &Path) -> io::Result<Vec<OsString>> {
        let inode = self.tree.lookup(path)?;
        self.strike(Operation::List, &[path])?;
        Ok(self.tree.entries(inode)?.keys().cloned().collect())
    }

    pub(super) fn write(&mut self, inode: Inode, position: u64, data: &Bytes) -> io::Result<()> {
        let end = position.checked_add(data.len() as u64);
        if end.is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(Errno::FBIG.into());
        }
        let struck = self.strike_written(Operation::Write, inode);
        let (room, result) = match struck {
            Some((written, error)) => (written.min(data.len()), Err(error)),
            None => self.fits(inode, position, data.len()),
        };
        let data = data.slice(..room);
        if !data.is_empty() {
            self.tree.content_mut(inode).write(position, &data);
            self.record(self.tree.path(inode), Op::Write { inode, position, data });
        }
        result
    }

    pub(super) fn reserve(&mut self, inode: Inode, length: u64) -> io::Result<()> {
        let present = self.tree.content(inode).length();
        self.strike_file(Operation::Reserve, inode)?;
        let more = length.saturating_sub(present);
        if more > self.capacity.saturating_sub(self.tree.used()) {
            return Err(Errno::NOSPC.into());
        }
        self.tree.content_mut(inode).grow(length);
        self.record(self.tree.path(inode), Op::Reserve { inode, length });
        Ok(())
    }

    /// Begins a sync of a file or directory: what it covers is fixed. Returns what it is going to
    /// say.
    pub(super) fn sync(&mut self, inode: Inode) -> (SyncInfo, io::Result<()>) {
        let is_dir = self.tree.is_dir(inode);
        let path = self.tree.path(inode);
        let operation = if is_dir { Operation::SyncDir } else { Operation::Sync };
        let result = self.strike(operation, &[&path]);
        let info = SyncInfo { path: path.clone(), is_dir, count: self.syncs.len() };
        let flush = match (&result, &self.ignored) {
            (Err(_), _) => Flush::Failed,
            (Ok(()), Some(ignored)) if ignored(&info) => Flush::Ignored,
            _ => Flush::Done,
        };
        self.syncs.push(info.clone());
        let op = if is_dir { Op::SyncDir { inode, flush } } else { Op::Sync { inode, flush } };
        self.record(path, op);
        (info, result)
    }

    /// What a read past the page cache finds in a file: what waits to be written is written first,
    /// and what a failed sync has lost is not there.
    pub(super) fn device_content(&mut self, inode: Inode) -> Content {
        if self.cursor.at() > self.trace.len() {
            self.cursor = self.base.clone();
        }
        self.cursor.advance(&self.trace, self.trace.len());
        self.cursor.written_back(inode)
    }

    /// The error of a call on an open file that is to fail.
    pub(super) fn strike_file(&mut self, operation: Operation, inode: Inode) -> io::Result<()> {
        self.strike_written(operation, inode).map_or(Ok(()), |(_, error)| Err(error))
    }

    fn strike_written(&mut self, operation: Operation, inode: Inode) -> Option<(usize, io::Error)> {
        if self.faults.is_empty() {
            return None;
        }
        let path = self.tree.path(inode);
        let strike = self.faults.strike(operation, &[&path])?;
        Some((strike.written, strike.error))
    }

    fn strike(&mut self, operation: Operation, paths: &[&Path]) -> io::Result<()> {
        self.faults.strike(operation, paths).map_or(Ok(()), |strike| Err(strike.error))
    }

    fn new_node(&mut self, node: Node) -> Inode {
        let inode = Inode(self.next_inode);
        self.next_inode += 1;
        self.tree.add(inode, node);
        inode
    }

    fn forget_unused(&mut self, inode: Inode) {
        if !self.tree.is_linked(inode) && !self.handles.contains_key(&inode) {
            self.tree.forget(inode);
            self.prefixes.remove(&inode);
        }
    }
}
