//! Reading beside the owner: segments that go, files that are closed, and what a read costs.

use std::path::PathBuf;
use std::sync::Mutex;

use super::*;
use crate::Damage;
use crate::disk::{Disk, DiskFile};
use crate::index::Index;
use crate::log::Segment;
use crate::sim::{Fault, Operation};

/// The segment that holds `offset`.
pub(super) fn segment_of(view: &LogView, offset: i64) -> Arc<Segment> {
    let segments = view.segments();
    let holds = |segment: &&Arc<Segment>| segment.end_offset() > offset;
    Arc::clone(segments.iter().find(holds).unwrap())
}

/// Closes the file of a segment, as the cache does with what wasn't used for long.
pub(super) fn close_file(directory: &Directory, segment: &Segment) {
    directory.shared.files.forget(segment.file_key(&KEY));
}

pub(super) fn partition() -> PathBuf {
    Path::new("/data/partitions").join(KEY.to_string())
}

/// A log in one file of `count` batches of two records of `bytes` bytes, all flushed.
pub(super) fn large(disk: &Arc<SimDisk>, count: i64, bytes: usize) -> (Directory, Log) {
    large_of(disk, count, 2, bytes)
}

pub(super) fn large_of(
    disk: &Arc<SimDisk>,
    count: i64,
    records: u8,
    bytes: usize,
) -> (Directory, Log) {
    let directory = open_directory(disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
    for i in 0..count {
        log.append(&[batch(i * i64::from(records), 0, records.into(), bytes)]).unwrap();
    }
    assert!(flush(&directory, &mut log));
    log.set_high_watermark(log.end_offset());
    (directory, log)
}

#[test]
fn a_read_that_was_cold_says_out_of_range_where_retention_was_faster() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    for i in 0..20 {
        log.append(&[batch(i, 0, 1, 300)]).unwrap();
    }
    assert!(flush(&directory, &mut log));
    log.set_high_watermark(20);
    disk.set_cached(false);
    let Found::Cold(cold) = log.view().read(0, 700, ReadUntil::End).unwrap() else { panic!() };
    log.set_log_start(12).unwrap();
    let error = cold.run().unwrap_err();
    assert!(matches!(error, StorageError::OutOfRange { log_start_offset: 12, .. }), "{error}");
}

#[test]
fn a_segment_that_the_view_names_no_more_is_not_missing() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    for i in 0..20 {
        log.append(&[batch(i, 0, 1, 300)]).unwrap();
    }
    assert!(flush(&directory, &mut log));
    log.set_high_watermark(20);
    let view = Arc::clone(log.view());
    let mut tries = 0;
    let base_offset = view.with_segments(|segments| {
        tries += 1;
        // The owner is faster than the reader that has just taken the list.
        log.set_log_start(12).unwrap();
        segments[0].open(&directory.shared, &KEY).map(|_| segments[0].base_offset)
    });
    assert!(base_offset.unwrap() > 0);
    assert_eq!(tries, 2);
    let first = segment_of(&view, 12);
    close_file(&directory, &first);
    Disk::remove(&*disk, &first.path(&directory.shared, &KEY)).unwrap();
    let error = read_once(&view, 12, ReadUntil::End).unwrap_err();
    assert!(matches!(&error, StorageError::Corrupt(c) if c.what == Damage::Missing), "{error}");
}

type Hook = Box<dyn FnMut(&Path) + Send>;

/// A disk on which something happens before a file is removed, and before the next is opened.
struct Hooked {
    disk: Arc<SimDisk>,
    before_remove: Mutex<Option<Hook>>,
    before_open: Mutex<Option<Hook>>,
}

impl Hooked {
    fn new() -> Arc<Self> {
        let (before_remove, before_open) = (Mutex::new(None), Mutex::new(None));
        Arc::new(Self { disk: SimDisk::new(), before_remove, before_open })
    }
}

impl std::fmt::Debug for Hooked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.disk.fmt(f)
    }
}

impl Disk for Hooked {
    fn create(&self, path: &Path) -> std::io::Result<Arc<dyn DiskFile>> {
        self.disk.create(path)
    }

    fn open(&self, path: &Path) -> std::io::Result<Arc<dyn DiskFile>> {
        let hook = self.before_open.lock().unwrap().take();
        hook.into_iter().for_each(|mut hook| hook(path));
        self.disk.open(path)
    }

    fn create_dir(&self, path: &Path) -> std::io::Result<()> {
        self.disk.create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> std::io::Result<()> {
        if let Some(hook) = &mut *self.before_remove.lock().unwrap() {
            hook(path);
        }
        self.disk.remove(path)
    }

    fn remove_dir(&self, path: &Path) -> std::io::Result<()> {
        self.disk.remove_dir(path)
    }

    fn list(&self, path: &Path) -> std::io::Result<Vec<PathBuf>> {
        self.disk.list(path)
    }

    fn sync_dir(&self, path: &Path) -> std::io::Result<()> {
        self.disk.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> std::io::Result<Box<dyn Send + Sync>> {
        self.disk.lock(path)
    }
}

/// A log of 20 batches, which are committed.
fn hooked() -> (Arc<Hooked>, Directory, Log) {
    let disk = Hooked::new();
    let dyn_disk: Arc<Hooked> = Arc::clone(&disk);
    let directory = Directory::open(dyn_disk, Path::new("/data"), options(), BOOT, 4).unwrap();
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    for i in 0..20 {
        log.append(&[batch(i, 0, 1, 300)]).unwrap();
    }
    assert!(flush(&directory, &mut log));
    log.set_high_watermark(20);
    (disk, directory, log)
}

#[test]
fn a_reader_that_opens_a_file_just_before_it_goes_leaves_nothing_open() {
    let (disk, directory, mut log) = hooked();
    let (old, shared) = (log.view().segments(), Arc::clone(&directory.shared));
    let (sender, opened) = std::sync::mpsc::channel();
    let hook = move |path: &Path| {
        if let Some(segment) = old.iter().find(|segment| segment.path(&shared, &KEY) == *path) {
            sender.send(segment.open(&shared, &KEY).is_ok()).unwrap();
        }
    };
    *disk.before_remove.lock().unwrap() = Some(Box::new(hook));
    let before = log.view().segments();
    log.set_log_start(12).unwrap();
    let removed = before.len() - log.view().segments().len();
    assert_eq!(opened.try_iter().collect::<Vec<_>>(), vec![false; removed], "it is going");
    for gone in &before[..removed] {
        let open = directory.shared.files.get_open(gone.file_key(&KEY));
        assert!(open.is_none(), "held open for ever");
    }
}

#[test]
fn a_segment_that_retention_takes_under_a_reader_is_not_looked_at_as_damaged() {
    let (disk, directory, mut log) = hooked();
    let view = Arc::clone(log.view());
    let first = segment_of(&view, 0);
    close_file(&directory, &first);
    let read = view.read_later(0, 700, ReadUntil::End).unwrap();
    *disk.before_open.lock().unwrap() = Some(Box::new(move |_| log.set_log_start(12).unwrap()));
    let error = read.run().unwrap_err();
    assert!(matches!(error, StorageError::OutOfRange { .. }), "{error}");
    assert_eq!(directory.take_suspects(), []);
    // One that the log still has is.
    let next = segment_of(&view, 12);
    close_file(&directory, &next);
    Disk::remove(&*disk, &next.path(&directory.shared, &KEY)).unwrap();
    read_once(&view, 12, ReadUntil::End).unwrap_err();
    assert_eq!(directory.take_suspects(), [(KEY, next.base_offset)]);
}

#[test]
fn a_read_without_an_index_at_hand_is_cold_and_touches_nothing() {
    let disk = SimDisk::new();
    let (directory, log) = large(&disk, 1000, 100);
    close_file(&directory, &segment_of(log.view(), 0));
    let is_log = |path: &Path| path.extension().is_some_and(|ending| ending == "log");
    disk.set_fault(Fault::new(Operation::Read, 5).at(is_log).always());
    disk.set_fault(Fault::new(Operation::Open, 5).at(is_log).always());
    let Found::Cold(cold) = log.view().read(1900, 700, ReadUntil::End).unwrap() else { panic!() };
    assert_eq!(disk.faults_struck(), 0, "nothing was read or opened");
    disk.clear_faults();
    assert_eq!(base_of(&cold.run().unwrap()), 1900);
    // From then on it is at hand.
    assert!(matches!(log.view().read(100, 700, ReadUntil::End), Ok(Found::Batches(_))));
    // The same where the file is open and verified and only the index isn't there.
    let file = segment_of(log.view(), 0).open(&directory.shared, &KEY).unwrap();
    *file.index_mut() = Index::new(300);
    let Found::Cold(cold) = log.view().read(1900, 700, ReadUntil::End).unwrap() else { panic!() };
    assert_eq!(base_of(&cold.run().unwrap()), 1900);
}

#[test]
fn many_small_batches_between_two_entries_take_few_reads() {
    let disk = SimDisk::new();
    let options = DirectoryOptions { index_interval_bytes: 4096, ..options() };
    let dyn_disk: Arc<SimDisk> = Arc::clone(&disk);
    let directory = Directory::open(dyn_disk, Path::new("/data"), options, BOOT, 4).unwrap();
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
    for offset in 0..200 {
        log.append(&[batch(offset, 0, 1, 1)]).unwrap();
    }
    for offset in 0..200 {
        // Two reads: the header at the entry, and a piece with the others.
        disk.set_fault(Fault::new(Operation::Read, 5).after(3).always());
        let Found::Batches(bytes) = log.view().read(offset, 1, ReadUntil::End).unwrap() else {
            panic!("{offset}: too many reads")
        };
        assert_eq!(base_of(&bytes), offset);
        disk.clear_faults();
    }
}

#[test]
fn what_an_index_takes_is_given_back_with_the_file_and_an_idle_partition_stays_below_1_kib() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    let key = |partition| GroupKey { partition, ..KEY };
    let mut logs = Vec::new();
    for partition in 0..20 {
        directory.create(key(partition), 0).unwrap();
        let (mut log, _) = directory.open_log(key(partition), LogOptions::default()).unwrap();
        for i in 0..300 {
            log.append(&[batch(i, 0, 1, 100)]).unwrap();
        }
        assert!(flush(&directory, &mut log));
        read_all(log.view(), 0, ReadUntil::End).unwrap();
        logs.push(log);
    }
    assert_eq!(directory.shared.files.len(), options().files_max, "files, with their indexes");
    // Headers of `Arc`s: two counters each.
    let counts = 2 * size_of::<usize>();
    for log in &logs {
        let segments = log.view().segments();
        let of_segments: usize = segments
            .iter()
            .map(|segment| counts + size_of::<Segment>() + segment.heap_bytes())
            .sum();
        assert!(log.unflushed.is_none() && log.found_seal.is_none());
        let list = counts + segments.len() * size_of::<usize>();
        let log_bytes = size_of::<Log>() + size_of::<crate::log::append::Active>();
        let bytes = log_bytes + counts + size_of::<LogView>() + list + of_segments;
        assert!(bytes <= 1024, "{bytes}");
    }
    let closed = logs
        .iter()
        .filter(|log| segment_of(log.view(), 0).get_open(&directory.shared, log.key()).is_none());
    assert_eq!(closed.count(), 20 - options().files_max);
}
