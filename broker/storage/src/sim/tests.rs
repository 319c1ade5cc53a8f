//! Each claim of the disk, alone, and all of them together on random calls.

mod data;
mod faults;
mod model;
mod names;

use std::path::Path;
use std::sync::Arc;

use super::{SimDisk, Unflushed};
use crate::disk::{Disk, DiskFile};

const DIR: &str = "/data";
const FILE: &str = "/data/a";

/// A disk with a durable directory.
fn disk() -> Arc<SimDisk> {
    let disk = SimDisk::new();
    disk.create_dir(Path::new(DIR)).unwrap();
    sync_dir(&disk, "/");
    disk
}

/// And with an empty file in it, whose name is durable.
fn disk_with_file() -> (Arc<SimDisk>, Arc<dyn DiskFile>) {
    let disk = disk();
    let file = create(&disk, FILE);
    sync_dir(&disk, DIR);
    (disk, file)
}

fn create(disk: &SimDisk, path: &str) -> Arc<dyn DiskFile> {
    disk.create(Path::new(path)).unwrap()
}

fn rename(disk: &SimDisk, from: &str, to: &str) {
    disk.rename(Path::new(from), Path::new(to)).unwrap();
}

fn remove(disk: &SimDisk, path: &str) {
    disk.remove(Path::new(path)).unwrap();
}

fn sync_dir(disk: &SimDisk, path: &str) {
    disk.sync_dir(Path::new(path)).unwrap();
}

/// A file with these bytes, flushed, its name too.
fn durable_file(disk: &SimDisk, path: &str, bytes: &[u8]) {
    let file = create(disk, path);
    file.write_at(0, &[bytes]).unwrap();
    file.sync().unwrap();
    sync_dir(disk, Path::new(path).parent().unwrap().to_str().unwrap());
}

/// The image after all calls.
fn image(disk: &SimDisk, unflushed: &Unflushed) -> Arc<SimDisk> {
    disk.crash_image(disk.trace_len(), unflushed)
}

/// The images of many seeds after all calls.
fn images(disk: &SimDisk) -> impl Iterator<Item = Arc<SimDisk>> {
    (0..300).map(|seed| image(disk, &Unflushed::Seeded(seed)))
}

/// The names in [`DIR`], as one string.
fn names(disk: &SimDisk) -> String {
    let paths = disk.paths();
    let names = paths.iter().filter_map(|path| path.strip_prefix(DIR).ok()?.to_str());
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn reads_what_was_written_and_zeros_where_nothing_was() {
    let (disk, file) = disk_with_file();
    file.write_at(4090, &[b"0123", b"", b"456789"]).unwrap();
    file.reserve(9000).unwrap();
    file.reserve(10).unwrap();
    let mut buffer = [1; 20];
    assert_eq!(file.read_at(4085, &mut buffer).unwrap(), 20);
    assert_eq!(&buffer, b"\0\0\0\0\x000123456789\0\0\0\0\0");
    assert_eq!(file.read_at(8990, &mut buffer).unwrap(), 10, "the end is at the reserved length");
    assert_eq!(file.read_at(9000, &mut buffer).unwrap(), 0);
    assert_eq!(file.length().unwrap(), 9000);
    assert_eq!(disk.used(), 9000);
    assert_eq!(disk.read_file(FILE).unwrap().len(), 9000);
}

#[test]
fn paths_lead_where_they_lead_on_a_real_disk() {
    use std::io::ErrorKind::{
        AlreadyExists, DirectoryNotEmpty, InvalidInput, IsADirectory, NotADirectory, NotFound,
    };
    let (disk, _) = disk_with_file();
    let path = Path::new;
    assert_eq!(disk.create(path(FILE)).unwrap_err().kind(), AlreadyExists);
    assert_eq!(disk.create(path("/none/a")).unwrap_err().kind(), NotFound);
    assert_eq!(disk.create(path("/data/a/b")).unwrap_err().kind(), NotADirectory);
    assert_eq!(disk.open(path("/data/b")).unwrap_err().kind(), NotFound);
    assert_eq!(disk.open(path(DIR)).unwrap_err().kind(), IsADirectory);
    assert_eq!(disk.open(path("/data/../a")).unwrap_err().kind(), InvalidInput);
    assert_eq!(disk.create_dir(path(FILE)).unwrap_err().kind(), AlreadyExists);
    assert_eq!(disk.remove(path(DIR)).unwrap_err().kind(), IsADirectory);
    assert_eq!(disk.remove_dir(path(DIR)).unwrap_err().kind(), DirectoryNotEmpty);
    assert_eq!(disk.rename(path(DIR), path("/data/b")).unwrap_err().kind(), InvalidInput);
    assert_eq!(disk.sync_dir(path("/none")).unwrap_err().kind(), NotFound);
    disk.create_dir(path("/data/b/c")).unwrap();
    disk.create_dir(path("data/b/c")).unwrap();
    rename(&disk, "/data/a", "/data/b/d");
    let mut found = disk.list(path("/data/b")).unwrap();
    found.sort();
    assert_eq!(found, [path("/data/b/c"), path("/data/b/d")]);
    rename(&disk, "/data/b", "/e");
    assert_eq!(disk.paths(), [path("/e/d")]);
    disk.remove_dir(path("/e/c")).unwrap();
    remove(&disk, "/e/d");
    disk.remove_dir(path("/e")).unwrap();
}

#[test]
fn a_handle_keeps_a_removed_or_replaced_file() {
    let (disk, file) = disk_with_file();
    file.write_at(0, &[b"old"]).unwrap();
    durable_file(&disk, "/data/b", b"newer");
    let map = file.map(3).unwrap();
    rename(&disk, "/data/b", FILE);
    let mut buffer = [0; 8];
    assert_eq!(file.read_at(0, &mut buffer).unwrap(), 3);
    assert_eq!(disk.read_file(FILE).unwrap(), b"newer");
    assert_eq!(disk.used(), 8);
    drop(file);
    assert_eq!(disk.used(), 8, "the map keeps it");
    assert_eq!(map.prefix(10), b"old"[..]);
    assert_eq!(disk.used(), 5);
}

#[test]
fn a_lock_is_held_once() {
    let disk = disk();
    let path = Path::new("/data/lock");
    let held = disk.lock(path).unwrap();
    let error = disk.lock(path).err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert!(image(&disk, &Unflushed::All).lock(path).is_ok(), "the machine went down with it");
    drop(held);
    drop(disk.lock(path).unwrap());
    assert_eq!(names(&disk), "lock");
}

#[test]
fn marks_are_known_from_the_point_where_they_were_set() {
    let (disk, file) = disk_with_file();
    disk.mark(1);
    let at = disk.trace_len();
    file.write_at(0, &[b"x"]).unwrap();
    disk.mark(2);
    disk.mark(3);
    assert_eq!(disk.marks_before(at - 1), []);
    assert_eq!(disk.marks_before(at), [1]);
    assert_eq!(disk.marks_before(at + 1), [1, 2, 3]);
    assert_eq!(disk.trace()[at], format!("{at}: write /data/a 0+1"));
}

#[test]
fn a_map_shows_the_file_and_its_changes_are_found() {
    let (disk, file) = disk_with_file();
    file.reserve(100).unwrap();
    let map = file.map(100).unwrap();
    assert!(file.map(101).is_err());
    file.write_at(0, &[b"abc"]).unwrap();
    assert_eq!(map.clone().prefix(2), b"ab"[..]);
    file.write_at(2, &[b"x"]).unwrap();
    assert_eq!(map.clone().prefix(3), b"abx"[..]);
    disk.check_maps();
    file.write_at(1, &[b"y"]).unwrap();
    assert_eq!(map.prefix(4), b"ayx\0"[..], "a newer, longer one doesn't hide the change");
    let found = std::panic::catch_unwind(|| disk.check_maps()).unwrap_err();
    let message = found.downcast_ref::<String>().unwrap();
    assert_eq!(message, "/data/a: byte 1, handed out by a map, changed");
}
