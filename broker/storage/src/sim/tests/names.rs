//! What survives of names.

use std::collections::BTreeSet;
use std::path::Path;

use super::{
    DIR, FILE, create, disk, disk_with_file, durable_file, image, images, names, remove, rename,
    sync_dir,
};
use crate::disk::Disk as _;
use crate::sim::{SimDisk, Unflushed};

/// Everything that a power cut may leave of the names in [`DIR`].
fn possible(disk: &SimDisk) -> BTreeSet<String> {
    images(disk).map(|image| names(&image)).collect()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn a_created_file_is_gone_without_a_sync_of_its_directory() {
    let disk = disk();
    let file = create(&disk, FILE);
    file.write_at(0, &[b"abc"]).unwrap();
    file.sync().unwrap();
    assert_eq!(names(&image(&disk, &Unflushed::None)), "");
    assert_eq!(possible(&disk), set(["", "a"]));
    for image in images(&disk).filter(|image| names(image) == "a") {
        assert_eq!(image.read_file(FILE).unwrap(), b"abc");
    }
    sync_dir(&disk, DIR);
    assert_eq!(possible(&disk), set(["a"]));
}

#[test]
fn a_removed_file_may_come_back_without_a_sync_of_its_directory() {
    let disk = disk();
    durable_file(&disk, FILE, b"abc");
    remove(&disk, FILE);
    assert_eq!(possible(&disk), set(["", "a"]));
    assert_eq!(image(&disk, &Unflushed::None).read_file(FILE).unwrap(), b"abc");
    sync_dir(&disk, DIR);
    assert_eq!(possible(&disk), set([""]));
}

#[test]
fn a_rename_happens_as_one() {
    let disk = disk();
    durable_file(&disk, FILE, b"old");
    durable_file(&disk, "/data/b", b"new");
    rename(&disk, "/data/b", FILE);
    assert_eq!(possible(&disk), set(["a b", "a"]));
    for image in images(&disk) {
        let expected = if names(&image) == "a" { b"new" } else { b"old" };
        assert_eq!(image.read_file(FILE).unwrap(), expected);
    }
    sync_dir(&disk, DIR);
    assert_eq!(image(&disk, &Unflushed::None).read_file(FILE).unwrap(), b"new");
}

#[test]
fn an_unsynced_file_renamed_over_an_old_one_is_old_new_or_empty() {
    let disk = disk();
    durable_file(&disk, FILE, b"old");
    let file = create(&disk, "/data/b");
    file.write_at(0, &[b"new"]).unwrap();
    rename(&disk, "/data/b", FILE);
    sync_dir(&disk, DIR);
    let found: BTreeSet<_> = images(&disk).map(|image| image.read_file(FILE).unwrap()).collect();
    let expected: [&[u8]; 3] = [b"", b"\0\0\0", b"new"];
    assert_eq!(found, expected.map(<[u8]>::to_vec).into());
}

#[test]
fn a_rename_across_directories_needs_both() {
    let disk = disk();
    durable_file(&disk, FILE, b"abc");
    disk.create_dir(Path::new("/trash")).unwrap();
    sync_dir(&disk, "/");
    rename(&disk, FILE, "/trash/a");
    for synced in ["/trash", DIR] {
        let places: BTreeSet<_> = images(&disk).map(|image| image.paths()).collect();
        assert_eq!(places, [vec![FILE.into()], vec!["/trash/a".into()]].into());
        sync_dir(&disk, synced);
    }
    assert_eq!(image(&disk, &Unflushed::None).paths(), [Path::new("/trash/a")]);
}

#[test]
fn names_are_lost_independently_but_in_order_on_one_name() {
    let (disk, _) = disk_with_file();
    create(&disk, "/data/b");
    create(&disk, "/data/c");
    assert_eq!(possible(&disk), set(["a", "a b", "a c", "a b c"]));
    rename(&disk, FILE, "/data/d");
    rename(&disk, "/data/d", "/data/e");
    let last = disk.trace_len() - 1;
    assert_eq!(names(&image(&disk, &Unflushed::Only(vec![last]))), "e", "never two names");
    assert_eq!(names(&image(&disk, &Unflushed::Only(vec![last - 1]))), "d");
    create(&disk, FILE);
    let only = Unflushed::Only(vec![last + 1]);
    assert_eq!(names(&image(&disk, &only)), "a d", "what had the name was renamed before");
}

#[test]
fn a_file_is_gone_with_the_name_of_its_directory() {
    let disk = disk();
    disk.create_dir(Path::new("/data/x/y")).unwrap();
    durable_file(&disk, "/data/x/y/a", b"abc");
    sync_dir(&disk, "/data/x");
    assert_eq!(names(&image(&disk, &Unflushed::None)), "");
    sync_dir(&disk, DIR);
    assert_eq!(names(&image(&disk, &Unflushed::None)), "x/y/a");
}

#[test]
fn nothing_is_lost_with_a_removed_directory_but_what_left_it() {
    let disk = disk();
    disk.create_dir(Path::new("/data/x")).unwrap();
    durable_file(&disk, "/data/x/a", b"abc");
    sync_dir(&disk, DIR);
    rename(&disk, "/data/x/a", FILE);
    disk.remove_dir(Path::new("/data/x")).unwrap();
    assert_eq!(possible(&disk), set(["a", "x/a"]));
    sync_dir(&disk, DIR);
    assert_eq!(possible(&disk), set(["a"]));
}

#[test]
fn what_moves_into_a_new_directory_is_not_lost_with_it() {
    let disk = disk();
    durable_file(&disk, FILE, b"abc");
    disk.create_dir(Path::new("/data/x/y")).unwrap();
    rename(&disk, FILE, "/data/x/y/a");
    let only = Unflushed::Only(vec![disk.trace_len() - 1]);
    assert_eq!(names(&image(&disk, &only)), "x/y/a");
    assert_eq!(possible(&disk), set(["a", "x/y/a"]));
}
