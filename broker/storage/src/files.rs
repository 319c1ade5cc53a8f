//! The files that are open: a bounded set, of which the least used are closed.
//!
//! Must always hold: a file that somebody holds is never closed under them, least of all one with
//! bytes that are not flushed: an error of the device is reported once, to the descriptor that
//! wrote. No file is open twice at the same time: who asks for one that another is opening waits
//! for it, and for no other.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

use bytes::Bytes;

use crate::disk::{DiskFile, Map};
use crate::index::Index;
use crate::state::GroupKey;

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
                cache.shrink(self.files_max);
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
        cache.files.remove(&key);
        cache.clock.retain(|other| *other != key);
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

    /// Closes files that were not asked for lately and that nobody holds.
    fn shrink(&mut self, files_max: usize) {
        // Twice around: the first time only takes the marks away.
        let mut steps = 2 * self.clock.len();
        while self.files.len() > files_max && steps > 0 {
            steps -= 1;
            let Some(key) = self.clock.pop_front() else { return };
            let Some(slot) = self.files.get_mut(&key) else { continue };
            if std::mem::take(&mut slot.used) || slot.place.is_held() {
                self.clock.push_back(key);
            } else {
                self.files.remove(&key);
            }
        }
    }
}

impl Place {
    /// Whether somebody opens the file or holds it.
    fn is_held(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
            || self.file.get().is_some_and(|file| Arc::strong_count(file) > 1)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use logboom_protocol::units::Uuid;

    use super::*;
    use crate::{Disk as _, SystemDisk};

    fn key(number: i64) -> FileKey {
        let group = GroupKey { topic_id: Uuid::ZERO, partition: 0 };
        FileKey { group, base_offset: number, generation: 0 }
    }

    #[test]
    fn the_set_is_bounded_and_what_is_held_stays() {
        let dir = tempfile::tempdir().unwrap();
        let cache = FileCache::new(4);
        let open = |number: i64| {
            cache.get(key(number), || {
                let file = SystemDisk.create(&dir.path().join(number.to_string()))?;
                Ok::<_, io::Error>(Arc::new(OpenFile::new(file, Index::new(1))))
            })
        };
        let held = open(0).unwrap();
        for number in 1..20 {
            open(number).unwrap();
            assert!(cache.len() <= 4, "{}", cache.len());
        }
        assert!(Arc::ptr_eq(&held, &open(0).unwrap()), "opened a second time");
        cache.forget(key(0));
        assert_eq!(cache.len(), 3);
    }

    #[test]
    fn more_held_files_than_the_bound_stay_open_until_they_are_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let cache = FileCache::new(2);
        let open = |number: i64| {
            cache.get(key(number), || {
                let file = SystemDisk.create(&dir.path().join(number.to_string()))?;
                Ok::<_, io::Error>(Arc::new(OpenFile::new(file, Index::new(1))))
            })
        };
        let held: Vec<_> = (0..5).map(|number| open(number).unwrap()).collect();
        assert_eq!(cache.len(), 5);
        drop(held);
        open(9).unwrap();
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn a_slow_open_keeps_nobody_from_another_file_and_is_done_once() {
        let dir = tempfile::tempdir().unwrap();
        let cache = FileCache::new(4);
        let create = |number: i64| {
            let file = SystemDisk.create(&dir.path().join(number.to_string()))?;
            Ok::<_, io::Error>(Arc::new(OpenFile::new(file, Index::new(1))))
        };
        let (started, wait_started) = mpsc::channel();
        let (go_on, wait) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let (cache, create) = (&cache, &create);
            let slow = scope.spawn(move || {
                let open = || {
                    started.send(()).unwrap();
                    wait.recv().unwrap();
                    create(1)
                };
                cache.get(key(1), open).unwrap()
            });
            wait_started.recv().unwrap();
            cache.get(key(2), || create(2)).unwrap();
            assert!(cache.get_open(key(1)).is_none(), "not yet");
            let second = scope.spawn(move || {
                cache.get(key(1), || -> io::Result<_> { panic!("opened twice") }).unwrap()
            });
            go_on.send(()).unwrap();
            assert!(Arc::ptr_eq(&slow.join().unwrap(), &second.join().unwrap()));
        });
    }

    #[test]
    fn a_file_that_cannot_be_opened_or_is_removed_meanwhile_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let cache = FileCache::new(4);
        assert!(cache.get(key(1), || Err(())).is_err());
        assert_eq!(cache.len(), 0);
        let path = dir.path().join("1");
        let opened = cache.get(key(1), || {
            let file = SystemDisk.create(&path)?;
            // The owner removes it just now.
            cache.forget(key(1));
            Ok::<_, io::Error>(Arc::new(OpenFile::new(file, Index::new(1))))
        });
        assert!(opened.is_ok(), "who has it may read it");
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn stable_bytes_are_those_of_the_file_and_grow_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = SystemDisk.create(&dir.path().join("a")).unwrap();
        file.reserve(4096).unwrap();
        file.write_at(0, &[b"abc", b"", b"def"]).unwrap();
        let open = OpenFile::new(file, Index::new(1));
        let first = open.stable(1, 5).unwrap();
        assert_eq!(&first[..], b"bcde");
        open.file.write_at(6, &[b"ghi"]).unwrap();
        assert_eq!(&open.stable(4, 9).unwrap()[..], b"efghi");
        open.file.reserve(8192).unwrap();
        open.file.write_at(5000, &[b"x"]).unwrap();
        assert_eq!(&open.stable(5000, 5001).unwrap()[..], b"x", "mapped anew");
        assert_eq!(&first[..], b"bcde", "the old map lives on");
        assert!(open.stable(0, 9000).is_err());
    }
}
