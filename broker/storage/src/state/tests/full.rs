//! Starts on a full disk, and what they must not bring back to life.

use super::steps::{DIR, sim_open, vote};
use super::*;
use crate::sim::{Fault, Operation, SimDisk, Unflushed};

/// A disk on which a store was left, with so many votes of group 1, that is full from now on.
fn full_disk(votes: i32) -> Arc<SimDisk> {
    let disk = SimDisk::new();
    let store = sim_open(&disk).unwrap();
    store.commit(&[created(1)]).unwrap();
    for epoch in 1..=votes {
        store.commit(&[vote(1, epoch)]).unwrap();
    }
    drop(store);
    disk.set_capacity(disk.used());
    disk
}

fn whole_image(disk: &SimDisk) -> Arc<SimDisk> {
    disk.crash_image(disk.trace_len(), &Unflushed::None)
}

fn epoch(store: &StateStore) -> i32 {
    state(store, 1).unwrap().epoch
}

#[test]
fn a_store_opens_on_a_full_disk_and_goes_on_in_its_file() {
    let disk = full_disk(3);
    for life in 1..6 {
        let store = sim_open(&disk).unwrap();
        assert_eq!(epoch(&store), 2 + life);
        store.commit(&[vote(1, 3 + life)]).unwrap();
        assert_eq!(epoch(&sim_open(&whole_image(&disk)).unwrap()), 3 + life);
    }
    disk.set_capacity(u64::MAX);
    let before = disk.list(Path::new(DIR)).unwrap();
    assert_eq!(epoch(&sim_open(&disk).unwrap()), 8);
    assert_ne!(disk.list(Path::new(DIR)).unwrap(), before, "with room, a new file");
}

#[test]
fn the_reserve_lasts_across_starts_and_its_end_is_named() {
    let disk = full_disk(1);
    let mut last = 1;
    let error = 'lives: loop {
        let store = sim_open(&disk).unwrap();
        for _ in 0..20 {
            match store.commit(&[vote(1, last + 1)]) {
                Ok(()) => last += 1,
                Err(error) => break 'lives error,
            }
        }
        assert!(last < 1000, "the reserve is 8 KiB");
    };
    assert!(matches!(error, StateError::Full { .. }), "{error}");
    assert!(last > 50, "{last}");
    let image = whole_image(&disk);
    image.set_capacity(image.used());
    assert_eq!(epoch(&sim_open(&image).unwrap()), last);
}

#[test]
fn a_full_disk_is_asked_for_a_new_file_now_and_then_and_not_in_each_round() {
    let disk = SimDisk::new();
    disk.create_dir(Path::new(DIR)).unwrap();
    let options = StateOptions { reserve_bytes: 64 << 10, checkpoint_bytes: 16 << 10 };
    let shared = Arc::clone(&disk) as Arc<dyn Disk>;
    let store = StateStore::open_or_begin(shared, Path::new(DIR), options, 5).unwrap();
    store.commit(&[created(1)]).unwrap();
    disk.set_capacity(disk.used());
    let asked = |disk: &SimDisk| {
        let trace = disk.trace();
        trace.iter().filter(|call| call.contains("create ")).count()
    };
    let before = asked(&disk);
    // Each takes 45 bytes: in all about twice what leads to a checkpoint.
    for epoch in 1..=750 {
        store.commit(&[vote(1, epoch)]).unwrap();
    }
    let tries = asked(&disk) - before;
    assert!((10..=20).contains(&tries), "{tries}");
    disk.set_capacity(u64::MAX);
    let first = disk.list(Path::new(DIR)).unwrap();
    (751..=780).for_each(|epoch| store.commit(&[vote(1, epoch)]).unwrap());
    assert_ne!(disk.list(Path::new(DIR)).unwrap(), first, "with room, soon a new file");
    assert_eq!(epoch(&store), 780);
}

#[test]
fn there_is_no_room_for_what_is_new_long_before_the_reserve_is_used_up() {
    let disk = SimDisk::new();
    disk.create_dir(Path::new(DIR)).unwrap();
    let options = StateOptions { reserve_bytes: 64 << 10, checkpoint_bytes: 16 << 10 };
    let open = || {
        let shared = Arc::clone(&disk) as Arc<dyn Disk>;
        StateStore::open_or_begin(shared, Path::new(DIR), options, 5).unwrap()
    };
    let store = open();
    store.commit(&[created(1)]).unwrap();
    disk.set_capacity(disk.used());
    let mut last = 0;
    while store.has_room() {
        last += 1;
        store.commit(&[vote(1, last)]).unwrap();
    }
    // Each takes 45 bytes: a quarter of the reserve.
    assert!((350..=380).contains(&last), "{last}");
    for _ in 0..700 {
        last += 1;
        store.commit(&[vote(1, last)]).unwrap();
    }
    assert!(!store.has_room(), "and yet all of them were written");
    disk.set_capacity(u64::MAX);
    assert!(store.is_short() && store.has_room() && !store.is_short(), "it is looked at anew");
    disk.set_capacity(disk.used());
    assert!(store.has_room(), "as far as is known");
    drop(store);
    let store = open();
    assert!(store.is_short() && !store.has_room(), "a start knows it at once");
    assert_eq!(epoch(&store), last);
}

#[test]
fn a_torn_frame_does_not_come_back_when_the_store_goes_on_behind_it() {
    let disk = full_disk(2);
    let store = sim_open(&disk).unwrap();
    // A long frame whose first bytes are lost: its tail lies behind the short one that follows.
    let many: Vec<_> = (10..60).map(created).collect();
    let calls = disk.trace_len();
    store.commit(&many).unwrap();
    drop(store);
    for seed in 0..200 {
        let image = disk.crash_image(calls + 1, &Unflushed::Seeded(seed));
        image.set_capacity(image.used());
        let store = sim_open(&image).unwrap();
        let whole = state(&store, 10).is_some();
        store.commit(&[vote(1, 7)]).unwrap();
        drop(store);
        let again = whole_image(&image);
        again.set_capacity(again.used());
        let store = sim_open(&again).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(epoch(&store), 7);
        assert_eq!(store.keys().len(), if whole { 51 } else { 1 }, "seed {seed}");
        assert_eq!(store.dropped(), None, "seed {seed}: the torn frame is zeroed");
    }
}

#[test]
fn a_power_cut_at_any_call_of_such_a_start_leaves_what_was_there() {
    let disk = full_disk(2);
    let store = sim_open(&disk).unwrap();
    let many: Vec<_> = (10..60).map(created).collect();
    let calls = disk.trace_len();
    store.commit(&many).unwrap();
    for torn in 0..20 {
        let image = disk.crash_image(calls + 1, &Unflushed::Seeded(torn));
        image.set_capacity(image.used());
        let whole = state(&sim_open(&image).unwrap(), 10).is_some();
        for at in 0..=image.trace_len() {
            for seed in 0..10 {
                let again = image.crash_image(at, &Unflushed::Seeded(seed));
                again.set_capacity(again.used());
                let store = sim_open(&again).unwrap();
                assert_eq!((epoch(&store), state(&store, 10).is_some()), (2, whole));
            }
        }
    }
}

#[test]
fn a_frame_whose_flush_failed_is_written_again_before_one_follows_it() {
    let disk = full_disk(2);
    let store = sim_open(&disk).unwrap();
    disk.set_fault(Fault::new(Operation::Sync, 5));
    assert!(store.commit(&[vote(1, 3)]).is_err());
    drop(store);
    // The process ends and is started again: the page cache shows the frame, the device lacks it.
    let image = disk.kill_image(disk.trace_len());
    image.set_capacity(image.used());
    let store = sim_open(&image).unwrap();
    assert_eq!(epoch(&store), 3);
    store.commit(&[vote(1, 4)]).unwrap();
    assert_eq!(epoch(&sim_open(&whole_image(&image)).unwrap()), 4);
}

#[test]
fn an_older_file_makes_room_only_when_the_name_of_the_newer_is_durable() {
    let disk = SimDisk::new();
    let store = sim_open(&disk).unwrap();
    store.commit(&[created(1)]).unwrap();
    let first = disk.list(Path::new(DIR)).unwrap();
    drop(store);
    let store = sim_open(&disk).unwrap();
    let renamed = disk.trace().iter().rposition(|call| call.contains("rename")).unwrap() + 1;
    // Killed between the rename and the flush of the name.
    let image = disk.kill_image(renamed);
    assert_eq!(image.list(Path::new(DIR)).unwrap().len(), 2);
    image.set_capacity(image.used());
    let error = sim_open(&image).unwrap_err();
    assert!(matches!(error, StateError::Io { .. }), "{error}");
    assert!(image.paths().contains(&first[0]), "it may be what a power cut brings back");
    drop(store);
    // Behind a frame the name is durable, and the older file's room is there for a third.
    let disk = SimDisk::new();
    let store = sim_open(&disk).unwrap();
    store.commit(&[created(1)]).unwrap();
    let is_first = |path: &Path| path.to_string_lossy().ends_with("1");
    disk.set_fault(Fault::new(Operation::Remove, 5).at(is_first));
    drop(store);
    let store = sim_open(&disk).unwrap();
    store.commit(&[vote(1, 1)]).unwrap();
    drop(store);
    assert_eq!(disk.list(Path::new(DIR)).unwrap().len(), 2);
    disk.set_capacity(disk.used());
    assert_eq!(epoch(&sim_open(&disk).unwrap()), 1);
    assert_eq!(disk.list(Path::new(DIR)).unwrap().len(), 1);
}
