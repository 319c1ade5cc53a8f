//! The files that are open: a bounded set, of which the least used are closed.
//!
//! Must always hold: a file that somebody holds is never closed under them, least of all one with
//! bytes that are not flushed: an error of the device is reported once, to the descriptor that
//! wrote.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::disk::{DiskFile, Map};
use crate::state::GroupKey;

/// Names a segment's file among all of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileKey {
    pub(crate) group: GroupKey,
    pub(crate) base_offset: i64,
    pub(crate) generation: u32,
}

/// A file that is open, and mapped where somebody asked for it.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) file: Arc<dyn DiskFile>,
    map: Mutex<Option<Mapped>>,
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
    pub(crate) fn new(file: Arc<dyn DiskFile>) -> Self {
        Self { file, map: Mutex::new(None) }
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
    file: Arc<OpenFile>,
    /// Whether it was asked for since the hand last passed.
    used: bool,
}

impl FileCache {
    /// - `files_max`: the most files that stay open without anybody holding them.
    pub(crate) fn new(files_max: usize) -> Self {
        Self { files_max, open: Mutex::default() }
    }

    /// The file of `key`, opened with `open` where it isn't.
    pub(crate) fn get<E>(
        &self,
        key: FileKey,
        open: impl FnOnce() -> Result<Arc<OpenFile>, E>,
    ) -> Result<Arc<OpenFile>, E> {
        let mut cache = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = cache.files.get_mut(&key) {
            slot.used = true;
            return Ok(Arc::clone(&slot.file));
        }
        // Opened under the lock, so that no file is ever open twice.
        let file = open()?;
        cache.files.insert(key, Slot { file: Arc::clone(&file), used: true });
        cache.clock.push_back(key);
        cache.shrink(self.files_max);
        Ok(file)
    }

    /// Forgets a file that is no more.
    pub(crate) fn forget(&self, key: FileKey) {
        let mut cache = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        cache.files.remove(&key);
        cache.clock.retain(|other| *other != key);
    }

    /// How many files are open.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).files.len()
    }
}

impl Open {
    /// Closes files that were not asked for lately and that nobody holds.
    fn shrink(&mut self, files_max: usize) {
        // Twice around: the first time only takes the marks away.
        let mut steps = 2 * self.clock.len();
        while self.files.len() > files_max && steps > 0 {
            steps -= 1;
            let Some(key) = self.clock.pop_front() else { return };
            let Some(slot) = self.files.get_mut(&key) else { continue };
            if std::mem::take(&mut slot.used) || Arc::strong_count(&slot.file) > 1 {
                self.clock.push_back(key);
            } else {
                self.files.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
                Ok::<_, io::Error>(Arc::new(OpenFile::new(file)))
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
                Ok::<_, io::Error>(Arc::new(OpenFile::new(file)))
            })
        };
        let held: Vec<_> = (0..5).map(|number| open(number).unwrap()).collect();
        assert_eq!(cache.len(), 5);
        drop(held);
        open(9).unwrap();
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn stable_bytes_are_those_of_the_file_and_grow_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = SystemDisk.create(&dir.path().join("a")).unwrap();
        file.reserve(4096).unwrap();
        file.write_at(0, &[b"abc", b"", b"def"]).unwrap();
        let open = OpenFile::new(file);
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
