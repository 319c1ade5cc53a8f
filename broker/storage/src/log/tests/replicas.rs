//! Replicas that begin and end, many at once, under load, and through crashes.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::Disk as _;
use crate::sim::{Fault, Operation, Unflushed};

fn keys(count: i32) -> Vec<GroupKey> {
    (0..count).map(|partition| GroupKey { topic_id: Uuid([9; 16]), partition }).collect()
}

fn partitions(disk: &SimDisk) -> usize {
    disk.list(Path::new("/data/partitions")).unwrap().len()
}

fn start(disk: &Arc<SimDisk>) -> (Directory, Log) {
    let directory = open_directory(disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    for i in 0..20 {
        log.append(&[batch(i * 2, 0, 2, 100)]).unwrap();
    }
    assert!(flush(&directory, &mut log));
    log.set_high_watermark(40);
    (directory, log)
}

#[test]
fn ten_thousand_replicas_begin_with_one_flush_and_end_with_one() {
    let disk = SimDisk::new();
    let directory = open_directory_with_room(&disk);
    let keys = keys(10_000);
    let before = disk.syncs().len();
    directory.create_all(&bare(&keys), 7).unwrap();
    assert_eq!(disk.syncs().len() - before, 1);
    let mut groups = directory.groups();
    groups.sort();
    assert_eq!(groups, keys);
    let state = directory.state().group(&keys[77], |group| group.cloned()).unwrap();
    assert_eq!((state.life, state.creation_offset, state.epochs.len()), (0, 7, 1));
    let open = |key: &GroupKey| directory.open_log(*key, log_options()).unwrap().0;
    let logs: Vec<_> = keys.iter().map(|key| (open(key), 0)).collect();
    let before = disk.syncs().len();
    directory.delete_all(logs, true).unwrap();
    assert_eq!(disk.syncs().len() - before, 1);
    assert_eq!((directory.groups(), directory.state().keys()), (vec![], vec![]));
}

fn open_directory_with_room(disk: &Arc<SimDisk>) -> Directory {
    let disk: Arc<SimDisk> = Arc::clone(disk);
    let options = DirectoryOptions { state: StateOptions::default(), ..options() };
    Directory::open(disk, Path::new("/data"), options, BOOT, 5).unwrap()
}

#[test]
fn a_deleted_log_leaves_a_tombstone_no_file_and_readers_what_they_hold() {
    let disk = SimDisk::new();
    let (directory, log) = start(&disk);
    let view = Arc::clone(log.view());
    let held = read_all(&view, 0, ReadUntil::End).unwrap();
    let bytes: Vec<Vec<u8>> = held.iter().map(|batch| batch.to_vec()).collect();
    let Found::Batches(lent) = view.read(38, 1, ReadUntil::End).unwrap() else { panic!() };
    let copy = lent.to_vec();
    log.delete(false).unwrap();
    assert_eq!((partitions(&disk), directory.groups()), (0, vec![]));
    assert!(directory.state().group(&KEY, |group| group.unwrap().removed));
    assert_eq!((held, lent.to_vec()), (bytes.into_iter().map(Bytes::from).collect(), copy));
    for offset in [0, 38, 40, 99] {
        let error = view.read(offset, 100, ReadUntil::End).unwrap_err();
        assert!(matches!(error, StorageError::Deleted { key: KEY }), "{error}");
    }
    let error = view.find_timestamp(0, &mut Inflater::default()).unwrap_err();
    assert!(matches!(error, StorageError::Deleted { .. }), "{error}");
}

#[test]
fn a_reader_of_a_deleted_log_gets_nothing_of_the_next_life() {
    let disk = SimDisk::new();
    let (directory, log) = start(&disk);
    let view = Arc::clone(log.view());
    disk.set_cached(false);
    let Found::Cold(cold) = view.read(0, 700, ReadUntil::End).unwrap() else { panic!("hot") };
    log.delete(false).unwrap();
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    assert_eq!(directory.state().group(&KEY, |group| group.unwrap().life), 1);
    log.append(&[batch(0, 0, 3, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    let error = cold.run().unwrap_err();
    assert!(matches!(error, StorageError::Deleted { .. }), "{error}");
    // Not even one that has looked at everything but the file.
    for segment in view.segments().iter() {
        assert!(segment.open(&view.shared, &KEY).is_err());
        assert!(segment.get_open(&view.shared, &KEY).is_none());
    }
    assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap().len(), 1);
}

#[test]
fn a_flush_that_waits_while_its_log_is_deleted_does_nothing() {
    for forget in [false, true] {
        let disk = SimDisk::new();
        let (directory, mut log) = start(&disk);
        for i in 20..40 {
            log.append(&[batch(i * 2, 0, 2, 100)]).unwrap();
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        log.flush(Box::new(move |result| sender.send(result).unwrap())).unwrap();
        log.delete(forget).unwrap();
        directory.run_flushes();
        let told = receiver.recv().unwrap().unwrap_err();
        assert!(matches!(told, StorageError::Deleted { .. }), "{told}");
        assert_eq!((directory.failure(), partitions(&disk)), (None, 0));
        let state = directory.state().group(&KEY, |group| group.cloned());
        assert_eq!(state.map(|state| state.segments), (!forget).then(Vec::new));
        // What was handed to the state store before is behind it, and no start stumbles over it.
        drop(directory);
        assert_eq!(open_directory(&disk, BOOT).groups(), []);
    }
}

#[test]
fn logs_are_deleted_beside_their_flushes() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(crate::SystemDisk);
    let directory = Directory::open(disk, dir.path(), options(), BOOT, 3).unwrap();
    std::thread::scope(|scope| {
        let flushers = [(); 2].map(|()| scope.spawn(|| directory.serve_flushes()));
        let state = scope.spawn(|| directory.serve_state());
        for round in 0..50 {
            let keys = keys(4);
            directory.create_all(&bare(&keys), round).unwrap();
            let open = |key: &GroupKey| directory.open_log(*key, log_options()).unwrap().0;
            let mut logs: Vec<_> = keys.iter().map(|key| (open(key), 0)).collect();
            for (log, _) in &mut logs {
                for i in 0..round % 7 {
                    log.append(&[batch(i * 2, 0, 2, 400)]).unwrap();
                }
                log.flush(Box::new(|_| {}));
            }
            directory.delete_all(logs, round % 2 == 0).unwrap();
        }
        directory.stop_flushes();
        flushers.into_iter().for_each(|thread| thread.join().unwrap());
        state.join().unwrap().unwrap();
    });
    assert_eq!(directory.failure(), None);
    assert_eq!(directory.groups(), []);
    assert_eq!(crate::SystemDisk.list(&dir.path().join("partitions")).unwrap().len(), 0);
}

#[test]
fn a_crash_anywhere_in_a_deletion_leaves_the_log_or_garbage_that_a_start_removes() {
    [0, GRACE_MS].into_iter().for_each(crash_in_a_deletion);
}

fn crash_in_a_deletion(grace_ms: u64) {
    let disk = SimDisk::new();
    let (directory, log) = start(&disk);
    let before = disk.trace_len();
    directory.delete_all(vec![(log, grace_ms)], false).unwrap();
    let deleted = disk.trace_len();
    drop(directory);
    let mut garbage = 0;
    for at in before..=deleted {
        let seeded = (0..20).map(Unflushed::Seeded);
        for unflushed in [Unflushed::None, Unflushed::All].into_iter().chain(seeded) {
            let image = disk.crash_image(at, &unflushed);
            let directory = open_directory(&image, OTHER_BOOT);
            let removed = directory.remove_garbage(grace_ms).unwrap();
            directory.empty_trash(None, || true).unwrap();
            garbage += removed;
            if directory.groups() == [KEY] {
                assert!(removed == 0 && at < deleted, "what was deleted stays deleted");
                let (log, findings) = open_log(&directory);
                assert_eq!((log.end_offset(), findings), (40, vec![]), "{at} {unflushed:?}");
                assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap().len(), 20);
            } else {
                assert_eq!(partitions(&image), 0, "{at} {unflushed:?}");
            }
        }
    }
    assert!(garbage > 0);
}

/// Milliseconds for which files of removed replicas are kept.
const GRACE_MS: u64 = 60_000;

/// Files in the trash.
fn discarded(disk: &SimDisk) -> usize {
    let dirs = disk.list(Path::new("/data/partitions")).unwrap();
    let trash = dirs.iter().filter(|dir| dir.extension().is_some_and(|it| it == "deleted"));
    trash.map(|dir| disk.list(dir).unwrap().len()).sum()
}

#[test]
fn what_was_removed_waits_in_the_trash_and_its_name_is_free() {
    let disk = SimDisk::new();
    let (directory, log) = start(&disk);
    directory.delete_all(vec![(log, GRACE_MS)], false).unwrap();
    let files = discarded(&disk);
    assert!(files > 0 && directory.has_trash());
    // It is as removed as it can be.
    assert_eq!(directory.groups(), []);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    assert_eq!(log.end_offset(), 0);
    log.append(&[batch(0, 0, 2, 100)]).unwrap();
    assert!(flush(&directory, &mut log));
    for now in [500, GRACE_MS + 499] {
        directory.empty_trash(Some(now), || true).unwrap();
        assert_eq!(discarded(&disk), files, "at {now}");
    }
    directory.empty_trash(Some(GRACE_MS + 500), || true).unwrap();
    assert_eq!((partitions(&disk), directory.has_trash()), (1, false));
    assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap().len(), 1, "the next life's");
}

#[test]
fn what_a_start_finds_in_the_trash_waits_once_more_beside_that_of_a_later_life() {
    let disk = SimDisk::new();
    let (directory, log) = start(&disk);
    directory.delete_all(vec![(log, GRACE_MS)], false).unwrap();
    directory.empty_trash(Some(1), || true).unwrap();
    drop(directory);
    let directory = open_directory(&disk, OTHER_BOOT);
    assert_eq!(directory.remove_garbage(GRACE_MS).unwrap(), 1);
    assert_eq!(directory.remove_garbage(GRACE_MS).unwrap(), 0, "it is known");
    directory.empty_trash(Some(2 * GRACE_MS), || true).unwrap();
    let files = discarded(&disk);
    assert!(files > 0);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    log.append(&[batch(0, 0, 2, 100)]).unwrap();
    assert!(flush(&directory, &mut log));
    let own = disk.list(&Path::new("/data/partitions").join(KEY.to_string())).unwrap().len();
    directory.delete_all(vec![(log, GRACE_MS)], true).unwrap();
    assert_eq!((partitions(&disk), discarded(&disk)), (2, files + own));
    directory.empty_trash(Some(3 * GRACE_MS), || true).unwrap();
    assert_eq!(discarded(&disk), own, "it waits from now on");
    directory.empty_trash(None, || false).unwrap();
    assert_eq!(discarded(&disk), own, "it was stopped");
    directory.empty_trash(None, || true).unwrap();
    assert_eq!(partitions(&disk), 0, "where room is needed nothing waits");
}

#[test]
fn what_cannot_be_removed_waits_once_more_and_keeps_nothing_else() {
    let disk = SimDisk::new();
    let directory = open_directory_with_room(&disk);
    let keys = keys(3);
    directory.create_all(&bare(&keys), 0).unwrap();
    let written = |key: &GroupKey| {
        let (mut log, _) = directory.open_log(*key, log_options()).unwrap();
        log.append(&[batch(0, 0, 2, 100)]).unwrap();
        assert!(flush(&directory, &mut log));
        (log, GRACE_MS)
    };
    let logs = keys.iter().map(written).collect();
    directory.delete_all(logs, true).unwrap();
    directory.empty_trash(Some(0), || true).unwrap();
    disk.set_fault(Fault::new(Operation::Remove, 5));
    assert!(directory.empty_trash(Some(GRACE_MS), || true).is_err());
    assert_eq!(partitions(&disk), 1, "the one that can't be removed");
    directory.empty_trash(Some(GRACE_MS), || true).unwrap();
    directory.empty_trash(Some(2 * GRACE_MS), || true).unwrap();
    assert_eq!((partitions(&disk), directory.has_trash()), (0, false));
}

#[test]
fn only_what_was_a_partition_and_lives_no_more_is_garbage() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk);
    let dead = format!("{}-4", Uuid([7; 16]));
    for name in [&dead[..], "lost+found", "notes.deleted", "1-2"] {
        disk.create_dir(&Path::new("/data/partitions").join(name)).unwrap();
    }
    disk.create(&Path::new("/data/partitions").join(&dead).join("x")).unwrap();
    assert_eq!(directory.remove_garbage(0).unwrap(), 1);
    assert_eq!(partitions(&disk), 4);
    log.append(&[batch(40, 0, 1, 10)]).unwrap();
    assert!(flush(&directory, &mut log));
    // Where a frame was lost, it may have named it.
    directory
        .state()
        .commit(&[(keys(1)[0], StateRecord::Created { life: 0, creation_offset: 0 })])
        .unwrap();
    disk.create_dir(&Path::new("/data/partitions").join(keys(1)[0].to_string())).unwrap();
    drop((directory, log));
    let path = disk.list(Path::new("/data/state")).unwrap().remove(0);
    let bytes = disk.read_file(&path).unwrap();
    let last = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    disk.flip(&path, last as u64, 0);
    let directory = open_directory(&disk, BOOT);
    assert!(directory.state().dropped().is_some());
    assert_eq!((directory.groups(), directory.remove_garbage(0).unwrap()), (vec![KEY], 1));
    assert_eq!((directory.remove_garbage(0).unwrap(), partitions(&disk)), (0, 5));
}

type Then = Box<dyn FnOnce(&Path) + Send>;

/// A disk on which something happens when a directory is listed for the second time.
struct Racing {
    disk: Arc<SimDisk>,
    lists: AtomicUsize,
    then: Mutex<Option<Then>>,
}

impl std::fmt::Debug for Racing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Racing")
    }
}

impl crate::Disk for Racing {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn crate::DiskFile>> {
        self.disk.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn crate::DiskFile>> {
        self.disk.open(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        if path.starts_with("/data/partitions") && self.lists.fetch_add(1, Ordering::SeqCst) == 1 {
            let then = self.then.lock().unwrap().take();
            then.into_iter().for_each(|then| then(path));
        }
        self.disk.list(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.disk.lock(path)
    }
}

#[test]
fn a_replica_that_begins_while_garbage_is_removed_keeps_its_files() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    let keys = keys(2);
    directory.create_all(&bare(&keys), 0).unwrap();
    for key in &keys {
        let (mut log, _) = directory.open_log(*key, log_options()).unwrap();
        log.append(&[batch(0, 0, 2, 50)]).unwrap();
        assert!(flush(&directory, &mut log));
        directory.state().commit(&[(*key, StateRecord::Removed)]).unwrap();
    }
    let image = disk.kill_image(disk.trace_len());
    let (lists, then) = (AtomicUsize::new(0), Mutex::default());
    let racing = Arc::new(Racing { disk: Arc::clone(&image), lists, then });
    let disk: Arc<Racing> = Arc::clone(&racing);
    let directory = Directory::open(disk, Path::new("/data"), options(), BOOT, 9).unwrap();
    let (directory, born) = (Arc::new(directory), Arc::new(Mutex::new(None)));
    let (also, bears) = (Arc::clone(&directory), Arc::clone(&born));
    // While the first is looked at, the other begins anew.
    *racing.then.lock().unwrap() = Some(Box::new(move |first: &Path| {
        let is_other = |key: &&GroupKey| !first.to_str().unwrap().contains(&key.to_string());
        let key = *keys.iter().find(is_other).unwrap();
        also.create(key, 0).unwrap();
        let (mut log, _) = also.open_log(key, log_options()).unwrap();
        log.append(&[batch(0, 0, 2, 50)]).unwrap();
        assert!(flush(&also, &mut log));
        *bears.lock().unwrap() = Some(log);
    }));
    assert_eq!(directory.remove_garbage(0).unwrap(), 1);
    assert_eq!(born.lock().unwrap().as_ref().map(Log::flushed_offset), Some(2));
    assert_eq!(segment_files(&image).len(), 1, "the file of an acknowledged record");
}
