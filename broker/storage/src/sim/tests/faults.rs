//! What a test can break.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::{DIR, FILE, create, disk, disk_with_file, image, names, sync_dir};
use crate::disk::Disk as _;
use crate::sim::{Failure, Fault, Operation, SimDisk, Unflushed};

const EIO: i32 = 5;

fn durable(disk: &SimDisk) -> Vec<u8> {
    image(disk, &Unflushed::None).read_file(FILE).unwrap()
}

#[test]
fn the_call_asked_for_fails_and_no_other() {
    let (disk, file) = disk_with_file();
    disk.set_fault(Fault::new(Operation::Write, EIO).at(|path| path.ends_with("a")).after(1));
    let other = create(&disk, "/data/b");
    other.write_at(0, &[b"x"]).unwrap();
    file.write_at(0, &[b"x"]).unwrap();
    assert_eq!(disk.faults_struck(), 0);
    let error = file.write_at(1, &[b"y"]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(EIO));
    assert_eq!(disk.faults_struck(), 1);
    file.write_at(2, &[b"z"]).unwrap();
    assert_eq!(disk.read_file(FILE).unwrap(), b"x\0z");
}

#[test]
fn every_kind_of_call_can_fail_and_changes_nothing_then() {
    let (disk, file) = disk_with_file();
    let path = Path::new;
    let calls: [(Operation, &dyn Fn() -> std::io::Result<()>); 12] = [
        (Operation::Create, &|| disk.create(path("/data/b")).map(drop)),
        (Operation::Open, &|| disk.open(path(FILE)).map(drop)),
        (Operation::CreateDir, &|| disk.create_dir(path("/c"))),
        (Operation::Rename, &|| disk.rename(path(FILE), path("/data/b"))),
        (Operation::Remove, &|| disk.remove(path(FILE))),
        (Operation::List, &|| disk.list(path(DIR)).map(drop)),
        (Operation::SyncDir, &|| disk.sync_dir(path(DIR))),
        (Operation::Write, &|| file.write_at(0, &[b"x"])),
        (Operation::Read, &|| file.read_at(0, &mut [0]).map(drop)),
        (Operation::Reserve, &|| file.reserve(10)),
        (Operation::Sync, &|| file.sync()),
        (Operation::Map, &|| file.map(0).map(drop)),
    ];
    for (operation, call) in calls {
        disk.set_fault(Fault::new(operation, ErrorKind::TimedOut).always());
        for _ in 0..2 {
            assert_eq!(call().unwrap_err().kind(), ErrorKind::TimedOut, "{operation:?}");
        }
        disk.clear_faults();
    }
    assert_eq!(names(&disk), "a");
    assert_eq!(disk.used(), 0);
    assert_eq!(disk.faults_struck(), 24);
    assert_eq!(Failure::from(EIO), Failure::Errno(5));
}

#[test]
fn a_failing_write_may_leave_a_part() {
    let (disk, file) = disk_with_file();
    disk.set_fault(Fault::new(Operation::Write, EIO).written(3));
    assert!(file.write_at(2, &[b"ab", b"cdef"]).is_err());
    assert_eq!(disk.read_file(FILE).unwrap(), b"\0\0abc");
}

#[test]
fn what_a_failed_sync_lost_no_later_one_makes_durable() {
    let (disk, file) = disk_with_file();
    file.write_at(0, &[&[1; 1024]]).unwrap();
    disk.set_fault(Fault::new(Operation::Sync, EIO));
    assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(EIO));
    file.write_at(512, &[b"abc"]).unwrap();
    file.write_at(1024, &[b"d"]).unwrap();
    file.sync().unwrap();
    let mut expected = vec![0; 1025];
    expected[512..515].copy_from_slice(b"abc");
    expected[1024] = b'd';
    assert_eq!(durable(&disk), expected);
    expected[..512].fill(1);
    expected[515..1024].fill(1);
    assert_eq!(disk.read_file(FILE).unwrap(), expected, "readers see all of it");
    assert_eq!(image(&disk, &Unflushed::All).read_file(FILE).unwrap(), expected);
    let restarted = disk.kill_image(disk.trace_len());
    restarted.open(Path::new(FILE)).unwrap().sync().unwrap();
    assert_eq!(restarted.read_file(FILE).unwrap(), expected);
    assert_ne!(durable(&restarted), expected, "the page cache survives, and nobody writes it");
}

#[test]
fn what_a_failed_sync_of_a_directory_lost_no_later_one_makes_durable() {
    let disk = disk();
    create(&disk, FILE);
    disk.set_fault(Fault::new(Operation::SyncDir, EIO).at(|path| path == Path::new(DIR)));
    assert!(disk.sync_dir(Path::new(DIR)).is_err());
    create(&disk, "/data/b");
    sync_dir(&disk, DIR);
    assert_eq!(names(&image(&disk, &Unflushed::None)), "b");
    assert_eq!(names(&image(&disk, &Unflushed::All)), "a b");
}

#[test]
fn an_ignored_sync_makes_nothing_durable_and_the_next_does() {
    let (disk, file) = disk_with_file();
    file.write_at(0, &[b"abc"]).unwrap();
    let count = disk.syncs().len();
    disk.without_sync(count);
    file.sync().unwrap();
    assert_eq!(durable(&disk), b"");
    file.sync().unwrap();
    assert_eq!(durable(&disk), b"abc");
    let syncs = disk.syncs();
    assert_eq!((syncs[count].path.as_path(), syncs[count].is_dir), (Path::new(FILE), false));
    assert!(disk.trace()[disk.trace_len() - 2].ends_with("sync /data/a Ignored"));

    disk.ignore_syncs(|sync| sync.is_dir);
    create(&disk, "/data/b");
    sync_dir(&disk, DIR);
    assert_eq!(names(&image(&disk, &Unflushed::None)), "a");
}

#[test]
fn what_is_written_during_a_sync_is_not_covered() {
    let (disk, file) = disk_with_file();
    file.write_at(0, &[b"abc"]).unwrap();
    let written = Arc::clone(&file);
    disk.during_sync(move |_| written.write_at(3, &[b"def"]).unwrap());
    file.sync().unwrap();
    assert_eq!(disk.read_file(FILE).unwrap(), b"abcdef");
    assert_eq!(durable(&disk), b"abc");
}

#[test]
fn a_full_disk_takes_what_fits() {
    let (disk, file) = disk_with_file();
    disk.set_capacity(1000);
    file.reserve(600).unwrap();
    let other = create(&disk, "/data/b");
    let error = other.reserve(401).unwrap_err();
    assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::StorageFull, Some(28)));
    assert_eq!(other.length().unwrap(), 0);
    let error = other.write_at(300, &[&[7; 101]]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(disk.read_file("/data/b").unwrap()[300..], [7; 100]);
    file.write_at(0, &[&[8; 600]]).unwrap();
    assert_eq!(disk.used(), 1000);
    super::remove(&disk, FILE);
    assert!(other.reserve(401).is_err(), "the removed file is open");
    drop(file);
    other.reserve(1000).unwrap();
}

#[test]
fn damage_is_seen_by_readers_and_durable() {
    let (disk, file) = disk_with_file();
    file.write_at(0, &[b"abcdef"]).unwrap();
    disk.flip(FILE, 1, 0);
    assert_eq!(durable(&disk), b"accdef");
    disk.overwrite(FILE, 5, b"xy");
    assert_eq!(durable(&disk), b"accdexy");
    disk.truncate(FILE, 2);
    file.reserve(4).unwrap();
    assert_eq!(disk.read_file(FILE).unwrap(), b"ac\0\0");
    assert_eq!(durable(&disk), b"ac");
    assert_eq!(disk.read_file("/data/b"), None);
}

#[test]
fn the_page_cache_is_warm_unless_said_otherwise() {
    let (disk, file) = disk_with_file();
    assert_eq!(file.is_cached(0), Some(true));
    disk.set_cached(false);
    assert_eq!(file.is_cached(0), Some(false));
}
