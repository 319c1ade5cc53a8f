//! What survives of a file's bytes and length.

use std::collections::BTreeSet;

use super::{FILE, create, disk, disk_with_file, image, images, sync_dir};
use crate::sim::{SimDisk, Unflushed};

fn read(disk: &SimDisk) -> Vec<u8> {
    disk.read_file(FILE).unwrap()
}

#[test]
fn a_sync_makes_what_came_before_durable_and_nothing_after() {
    let (disk, file) = disk_with_file();
    file.write_at(0, &[b"aaa"]).unwrap();
    file.reserve(6).unwrap();
    file.sync().unwrap();
    file.write_at(3, &[b"bbb"]).unwrap();
    file.reserve(9).unwrap();
    assert_eq!(read(&image(&disk, &Unflushed::None)), b"aaa\0\0\0");
    assert_eq!(read(&image(&disk, &Unflushed::All)), b"aaabbb\0\0\0");
    let synced = disk.trace_len() - 2;
    assert_eq!(disk.unsynced(synced), []);
    assert_eq!(disk.unsynced(synced + 2), [synced, synced + 1]);
    assert_eq!(read(&disk.crash_image(synced - 1, &Unflushed::None)), b"", "before the sync");
}

#[test]
fn a_file_whose_name_alone_survived_reads_as_zeros() {
    let (disk, file) = disk_with_file();
    file.write_at(0, &[&[7; 1000]]).unwrap();
    let found: BTreeSet<Vec<u8>> = images(&disk).map(|image| read(&image)).collect();
    assert!(found.contains(&vec![]));
    assert!(found.contains(&vec![0; 1000]), "the length without the data");
    assert!(found.contains(&vec![7; 1000]));
}

#[test]
fn a_write_is_torn_at_sectors_only() {
    let (disk, file) = disk_with_file();
    file.reserve(2560).unwrap();
    file.sync().unwrap();
    file.write_at(100, &[&[7; 2000]]).unwrap();
    let mut whole = vec![0; 2560];
    whole[100..2100].fill(7);
    let mut patterns = BTreeSet::new();
    for image in images(&disk) {
        let bytes = read(&image);
        let pairs = bytes.chunks(512).zip(whole.chunks(512));
        patterns.insert(pairs.map(|(found, whole)| sector(found, whole)).collect::<String>());
    }
    for pattern in ["xxxxx", ".....", "x....", "....x", "xx.xx", "x.x.."] {
        assert!(patterns.contains(pattern), "{pattern} not in {patterns:?}");
    }
}

/// Which of both a sector is.
fn sector(found: &[u8], whole: &[u8]) -> char {
    if found == whole {
        return 'x';
    }
    assert!(found.iter().all(|byte| *byte == 0), "a sector that is neither");
    '.'
}

#[test]
fn a_later_write_survives_without_an_earlier_one() {
    let (disk, file) = disk_with_file();
    file.write_at(0, &[&[1; 512]]).unwrap();
    file.write_at(512, &[&[2; 512]]).unwrap();
    let reordered = [[0; 512], [2; 512]].concat();
    assert!(images(&disk).any(|image| read(&image) == reordered));
    let later = disk.trace_len() - 1;
    assert_eq!(read(&image(&disk, &Unflushed::Only(vec![later]))), reordered);
}

#[test]
fn a_sector_with_a_later_write_has_the_earlier_one_too() {
    let (disk, file) = disk_with_file();
    file.write_at(0, &[b"aa"]).unwrap();
    file.write_at(1, &[b"bb"]).unwrap();
    let found: BTreeSet<Vec<u8>> = images(&disk).map(|image| read(&image)).collect();
    let possible: [&[u8]; 6] = [b"", b"\0\0", b"\0\0\0", b"aa", b"aa\0", b"abb"];
    assert_eq!(found, possible.map(<[u8]>::to_vec).into());
}

#[test]
fn a_reserved_length_may_be_lost() {
    let (disk, file) = disk_with_file();
    file.reserve(100).unwrap();
    let lengths: BTreeSet<usize> = images(&disk).map(|image| read(&image).len()).collect();
    assert_eq!(lengths, [0, 100].into());
}

#[test]
fn an_image_is_determined_by_point_and_seed_and_all_its_bytes_are_durable() {
    let (disk, file) = disk_with_file();
    for i in 0..20 {
        file.write_at(i * 700, &[&[1; 700]]).unwrap();
    }
    let at = disk.trace_len() - 3;
    for seed in 0..50 {
        let first = disk.crash_image(at, &Unflushed::Seeded(seed));
        assert_eq!(disk.crash_image(at - 5, &Unflushed::All).trace_len(), 0);
        let again = disk.crash_image(at, &Unflushed::Seeded(seed));
        assert_eq!(read(&first), read(&again));
        assert_eq!(read(&first), read(&image(&first, &Unflushed::None)));
        assert_eq!(first.trace_len(), 0);
    }
    assert!(images(&disk).map(|image| read(&image)).collect::<BTreeSet<_>>().len() > 100);
}

#[test]
fn what_is_done_on_an_image_or_behind_the_point_leaves_the_other_alone() {
    let (disk, file) = disk_with_file();
    file.write_at(0, &[b"aaa"]).unwrap();
    let image = image(&disk, &Unflushed::All);
    file.write_at(0, &[b"bbb"]).unwrap();
    create(&image, "/data/b").write_at(0, &[b"c"]).unwrap();
    image.overwrite(FILE, 1, b"d");
    assert_eq!(read(&image), b"ada");
    assert_eq!(read(&disk), b"bbb");
    assert_eq!(disk.paths().len(), 1);
}

#[test]
fn a_killed_process_finds_what_it_wrote_but_a_power_cut_may_take_it_yet() {
    let disk = disk();
    let file = create(&disk, FILE);
    file.write_at(0, &[b"aaa"]).unwrap();
    let restarted = disk.kill_image(disk.trace_len());
    assert_eq!(read(&restarted), b"aaa");
    assert_eq!(restarted.trace_len(), 0);
    assert_eq!(image(&restarted, &Unflushed::None).paths().len(), 0);
    assert_eq!(read(&image(&restarted, &Unflushed::All)), b"aaa");
    sync_dir(&restarted, super::DIR);
    assert_eq!(read(&image(&restarted, &Unflushed::None)), b"");
    let file = crate::Disk::open(&*restarted, FILE.as_ref()).unwrap();
    file.sync().unwrap();
    assert_eq!(read(&image(&restarted, &Unflushed::None)), b"aaa");
}
