//! The set of open files on the real disk.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Weak, mpsc};

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

/// The map of a file, which counts how often it was let go while the set could be asked.
#[derive(Debug)]
struct LetGo {
    cache: Weak<FileCache>,
    unlocked: Arc<AtomicUsize>,
}

impl Map for LetGo {
    fn prefix(self: Arc<Self>, _length: usize) -> Bytes {
        Bytes::new()
    }
}

impl Drop for LetGo {
    fn drop(&mut self) {
        let cache = self.cache.upgrade();
        let is_unlocked = cache.is_some_and(|cache| cache.open.try_lock().is_ok());
        self.unlocked.fetch_add(usize::from(is_unlocked), Ordering::SeqCst);
    }
}

#[test]
fn a_file_is_closed_when_others_can_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Arc::new(FileCache::new(2));
    let unlocked = Arc::new(AtomicUsize::new(0));
    let open = |number: i64| {
        let opened = cache.get(key(number), || {
            let file = SystemDisk.create(&dir.path().join(number.to_string()))?;
            let file = OpenFile::new(file, Index::new(1));
            let (cache, unlocked) = (Arc::downgrade(&cache), Arc::clone(&unlocked));
            let map = Arc::new(LetGo { cache, unlocked });
            *file.map.lock().unwrap() = Some(Mapped { map, length: 0, prefix: Bytes::new() });
            Ok::<_, io::Error>(Arc::new(file))
        });
        opened.unwrap();
    };
    (0..5).for_each(open);
    assert_eq!((cache.len(), unlocked.load(Ordering::SeqCst)), (2, 3), "not asked for lately");
    cache.forget(key(4));
    assert_eq!((cache.len(), unlocked.load(Ordering::SeqCst)), (1, 4), "removed");
    cache.forget(key(3));
}
