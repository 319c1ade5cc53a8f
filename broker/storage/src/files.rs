//! The files that are open: a bounded set, of which the least used are closed.
//!
//! Must always hold: a file that somebody holds is never closed under them, least of all one with
//! bytes that are not flushed: an error of the device is reported once, to the descriptor that
//! wrote. Nobody gets a file that is open a second time: who asks for one that another is opening
//! waits for it, and for no other. Files are closed under no lock: unmapping and closing take their
//! time, and every partition asks here.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

use bytes::Bytes;

use crate::disk::{DiskFile, Map};
use crate::index::Index;
use crate::state::GroupKey;

#[cfg(test)]
mod tests;

/// Names a segment's file among all of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileKey {
    pub(crate) group: GroupKey,
    pub(crate) base_offset: i64,
    pub(crate) generation: u32,
}

/// A segment's file that is open, mapped where somebody asked for it, and what is known of its
/// index. All of it goes when the file is closed.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) file: Arc<dyn DiskFile>,
    map: Mutex<Option<Mapped>>,
    index: RwLock<Index>,
    /// Held by who extends the index from the file, so that one does it for all.
    extending: Mutex<()>,
}

#[derive(Debug)]
struct Mapped {
    map: Arc<dyn Map>,
    /// What the map covers: the file's length when it was made.
    length: u64,
    /// The longest prefix that was asked for so far, to be sliced again.
    prefix: Bytes,
}

impl OpenFile {
    pub(crate) fn new(file: Arc<dyn DiskFile>, index: Index) -> Self {
        let (map, index) = (Mutex::new(None), RwLock::new(index));
        Self { file, map, index, extending: Mutex::new(()) }
    }

    /// What is known of the segment's index.
    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index, to note what was appended or to put a better one in its place. Nobody reads a
    /// file while holding it: the log's owner waits for it.
    pub(crate) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else extends the index.
    pub(crate) fn extending(&self) -> MutexGuard<'_, ()> {
        self.extending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes `start..end` of the file, which never change again.
    pub(crate) fn stable(&self, start: u32, end: u32) -> io::Result<Bytes> {
        let (start, end) = (start as usize, end as usize);
        let mut slot = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let covered = slot.take().filter(|mapped| mapped.length >= end as u64);
        let mut mapped = match covered {
            Some(mapped) => mapped,
            None => {
                let length = self.file.length()?;
                Mapped { map: self.file.map(length)?, length, prefix: Bytes::new() }
            }
        };
        if mapped.prefix.len() < end {
            mapped.prefix = Arc::clone(&mapped.map).prefix(end);
        }
        let bytes = mapped.prefix.len();
        let slice = if bytes >= end { Ok(mapped.prefix.slice(start..end)) } else { Err(bytes) };
        *slot = Some(mapped);
        slice.map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }
}

/// The set of open files of a directory.
#[derive(Debug)]
pub(crate) struct FileCache {
    files_max: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    files: HashMap<FileKey, Slot>,
    /// The order in which the hand of the clock passes.
    clock: VecDeque<FileKey>,
}

#[derive(Debug)]
struct Slot {
    place: Arc<Place>,
    /// Whether it was asked for since the hand last passed.
    used: bool,
}

/// Where a file is put once it is open.
#[derive(Debug, Default)]
struct Place {
    file: OnceLock<Arc<OpenFile>>,
    /// Held by who opens the file.
    opening: Mutex<()>,
}

impl FileCache {
    /// - `files_max`: the most files that stay open without anybody holding them.
    pub(crate) fn new(files_max: usize) -> Self {
        Self { files_max, open: Mutex::default() }
    }

    /// The file of `key` if it is open. Never waits for the device.
    pub(crate) fn get_open(&self, key: FileKey) -> Option<Arc<OpenFile>> {
        let mut cache = self.lock();
        let slot = cache.files.get_mut(&key)?;
        let file = slot.place.file.get()?;
        slot.used = true;
        Some(Arc::clone(file))
    }

    /// The file of `key`, opened with `open` where it isn't. Other files can be had meanwhile.
    pub(crate) fn get<E>(
        &self,
        key: FileKey,
        open: impl FnOnce() -> Result<Arc<OpenFile>, E>,
    ) -> Result<Arc<OpenFile>, E> {
        if let Some(file) = self.get_open(key) {
            return Ok(file);
        }
        let place = self.lock().place(key);
        let opening = place.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = place.file.get() {
            return Ok(Arc::clone(file));
        }
        let opened = open();
        let mut cache = self.lock();
        match opened {
            Ok(file) => {
                let file = Arc::clone(place.file.get_or_init(|| file));
                drop(opening);
                drop(place);
                let idle = cache.shrink(self.files_max);
                drop(cache);
                drop(idle);
                Ok(file)
            }
            Err(error) => {
                drop(opening);
                cache.give_up(key, &place);
                Err(error)
            }
        }
    }

    /// Forgets a file whose name is gone. One that is being opened meanwhile is not remembered
    /// either.
    pub(crate) fn forget(&self, key: FileKey) {
        let mut cache = self.lock();
        let forgotten = cache.files.remove(&key);
        cache.clock.retain(|other| *other != key);
        drop(cache);
        drop(forgotten);
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many files are open.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().files.len()
    }
}

impl Open {
    /// The place of a file, made where there is none.
    fn place(&mut self, key: FileKey) -> Arc<Place> {
        let slot = self.files.entry(key).or_insert_with(|| {
            self.clock.push_back(key);
            Slot { place: Arc::default(), used: true }
        });
        Arc::clone(&slot.place)
    }

    /// Takes away the place of a file that couldn't be opened, unless somebody tries again.
    fn give_up(&mut self, key: FileKey, place: &Arc<Place>) {
        let is_its = |slot: &Slot| Arc::ptr_eq(&slot.place, place);
        // The cache's and the caller's.
        if Arc::strong_count(place) == 2 && self.files.get(&key).is_some_and(is_its) {
            self.files.remove(&key);
            self.clock.retain(|other| *other != key);
        }
    }

    /// Takes out files that were not asked for lately and that nobody holds, to be closed.
    fn shrink(&mut self, files_max: usize) -> Vec<Slot> {
        let mut idle = Vec::new();
        // Twice around: the first time only takes the marks away.
        let mut steps = 2 * self.clock.len();
        while self.files.len() > files_max && steps > 0 {
            steps -= 1;
            let Some(key) = self.clock.pop_front() else { break };
            let Some(slot) = self.files.get_mut(&key) else { continue };
            if std::mem::take(&mut slot.used) || slot.place.is_held() {
                self.clock.push_back(key);
            } else {
                idle.extend(self.files.remove(&key));
            }
        }
        idle
    }
}

impl Place {
    /// Whether somebody opens the file or holds it.
    fn is_held(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
            || self.file.get().is_some_and(|file| Arc::strong_count(file) > 1)
    }
}
