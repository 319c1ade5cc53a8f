//! Steps that are refused, completions, and what a failure leaves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use super::super::memory::{Memory, PAYLOADS_MAX};
use super::*;
use crate::sim::{Fault, Operation, SimDisk};

pub(super) const DIR: &str = "/state";

pub(super) fn sim_open(disk: &Arc<SimDisk>) -> Result<StateStore, StateError> {
    disk.create_dir(Path::new(DIR)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let options = StateOptions { reserve_bytes: 8 << 10, checkpoint_bytes: 2 << 10 };
    StateStore::open_or_begin(Arc::clone(disk) as Arc<dyn Disk>, Path::new(DIR), options, 5)
}

pub(super) fn vote(number: u8, epoch: i32) -> (GroupKey, StateRecord) {
    (key(number), StateRecord::Vote { epoch, voted_for: 1 })
}

fn control(sequence: u64, bytes: usize) -> (GroupKey, StateRecord) {
    let payload = Bytes::from(vec![0; bytes]);
    (key(1), StateRecord::Control(ControlEntry { sequence, epoch: 1, offset: 0, payload }))
}

#[test]
fn a_step_that_is_too_large_is_refused_before_anything_is_changed() {
    let disk = SimDisk::new();
    let store = sim_open(&disk).unwrap();
    store.commit(&[created(1)]).unwrap();
    let calls = disk.trace_len();
    let many: Vec<_> = (1..=90).map(|sequence| control(sequence, 100_000)).collect();
    for step in [&[vote(1, 1), control(1, 200_000)][..], &many] {
        let (sender, receiver) = std::sync::mpsc::channel();
        store.submit(step, Box::new(move |result| sender.send(result).unwrap()));
        let error = receiver.try_recv().unwrap().unwrap_err();
        assert!(matches!(error, StateError::TooLarge { .. }), "{error}");
        assert!(matches!(store.commit(step), Err(StateError::TooLarge { .. })));
    }
    assert_eq!((disk.trace_len(), store.failure().is_none()), (calls, true));
    assert_eq!(state(&store, 1), Some(GroupState::new(0, 5)));
    assert!(!store.is_waited_for());
    store.commit(&[vote(1, 1)]).unwrap();
}

#[test]
fn the_largest_steps_and_records_come_back() {
    let disk = SimDisk::new();
    let store = sim_open(&disk).unwrap();
    store.commit(&[created(1)]).unwrap();
    // Zeros, which the reader must not take for the reserve.
    let largest = record::RECORD_BYTES_MAX - (21 + 24);
    let step: Vec<_> = (1..=64).map(|sequence| control(sequence, largest)).collect();
    store.commit(&step).unwrap();
    for sequence in 65..75 {
        store.commit(&[control(sequence, largest)]).unwrap();
    }
    let before = state(&store, 1);
    drop(store);
    assert_eq!(state(&sim_open(&disk).unwrap(), 1), before);
}

#[test]
fn a_misfit_panics_at_the_submitter_alone_and_nothing_of_its_step_is_taken() {
    let disk = SimDisk::new();
    let store = sim_open(&disk).unwrap();
    store.commit(&[created(1), vote(1, 4), created(2)]).unwrap();
    let before = (state(&store, 1), state(&store, 2), state(&store, 3));
    let mark = OpenMark { boot_id: [3; 16], mount_id: 1 };
    let misfit = [
        (GroupKey::DIRECTORY, StateRecord::Opened(mark)),
        vote(2, 9),
        created(3),
        (key(2), StateRecord::Forgotten),
        vote(1, 3),
    ];
    let submit = || store.submit(&misfit, Box::new(|_| panic!("it was not taken")));
    assert!(catch_unwind(AssertUnwindSafe(submit)).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| store.submit_lazily(&misfit[4..]))).is_err());
    assert_eq!((state(&store, 1), state(&store, 2), state(&store, 3)), before);
    assert_eq!(store.left_open(), None);
    assert!(!store.commit_round().unwrap(), "nothing of it is queued");
    store.commit(&[vote(1, 5)]).unwrap();
    drop(store);
    assert_eq!(state(&sim_open(&disk).unwrap(), 1).unwrap().epoch, 5);
}

#[test]
fn a_step_put_together_earlier_is_refused_where_it_no_longer_fits() {
    let disk = SimDisk::new();
    let store = sim_open(&disk).unwrap();
    store.commit(&[created(1), vote(1, 4)]).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    store.submit_or_refuse(&[vote(1, 3)], Box::new(move |result| sender.send(result).unwrap()));
    let error = receiver.try_recv().unwrap().unwrap_err();
    assert!(matches!(error, StateError::Misfit { .. }), "{error}");
    assert!(store.failure().is_none() && !store.commit_round().unwrap());
}

#[test]
fn what_nobody_waits_for_wakes_nobody_and_goes_along() {
    let disk = SimDisk::new();
    let store = sim_open(&disk).unwrap();
    store.commit(&[created(1)]).unwrap();
    let before = disk.syncs().len();
    store.submit_lazily(&[]);
    assert!(!store.commit_round().unwrap(), "no records are nothing to write");
    store.submit_lazily(&[vote(1, 1)]);
    assert!(!store.is_waited_for());
    store.submit(&[vote(1, 2)], Box::new(|result| result.unwrap()));
    assert!(store.is_waited_for());
    assert!(store.commit_round().unwrap());
    assert!(!store.is_waited_for());
    assert_eq!(disk.syncs().len(), before + 1);
}

#[test]
fn a_commit_waits_for_its_own_step_and_not_for_what_comes_behind() {
    let disk = SimDisk::new();
    let store = Arc::new(sim_open(&disk).unwrap());
    store.commit(&[created(1), created(2)]).unwrap();
    let (weak, rounds) = (Arc::downgrade(&store), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&rounds);
    disk.during_sync(move |_| {
        let round = counted.fetch_add(1, Ordering::SeqCst);
        if round < 50 {
            let epoch = i32::try_from(round).unwrap() + 1;
            weak.upgrade().unwrap().submit(&[vote(2, epoch)], Box::new(|result| result.unwrap()));
        }
    });
    store.commit(&[vote(1, 1)]).unwrap();
    assert_eq!(rounds.load(Ordering::SeqCst), 1);
    store.commit(&[vote(1, 2)]).unwrap();
    assert_eq!(rounds.load(Ordering::SeqCst), 2, "with what was queued before");
}

#[test]
fn a_step_that_another_thread_commits_is_committed_and_costs_no_round() {
    let disk = SimDisk::new();
    let store = Arc::new(sim_open(&disk).unwrap());
    store.commit(&[created(1), created(2)]).unwrap();
    let before = disk.syncs().len();
    let steps = 4;
    std::thread::scope(|scope| {
        for number in 1..=2 {
            let store = &store;
            scope.spawn(move || {
                (1..=steps).for_each(|epoch| store.commit(&[vote(number, epoch)]).unwrap());
            });
        }
    });
    let syncs = disk.syncs().len() - before;
    assert!((4..=8).contains(&syncs), "one a step at the most: {syncs}");
    let epochs = [1, 2].map(|number| state(&store, number).unwrap().epoch);
    assert_eq!(epochs, [steps; 2]);
    assert!(!store.commit_round().unwrap(), "nothing is left");
}

#[test]
fn a_completion_may_commit_and_completions_keep_the_order_of_submission() {
    let disk = SimDisk::new();
    let store = Arc::new(sim_open(&disk).unwrap());
    store.commit(&[created(1)]).unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |number: u32| {
        let order = Arc::clone(&order);
        Box::new(move |result: Result<(), StateError>| {
            order.lock().unwrap().push((number, result.is_ok()));
        })
    };
    let (inner, inner_note, first) = (Arc::clone(&store), note(3), note(1));
    store.submit(
        &[vote(1, 1)],
        Box::new(move |result| {
            inner.submit(&[vote(1, 2)], inner_note);
            inner.commit(&[vote(1, 3)]).unwrap();
            first(result);
        }),
    );
    store.submit(&[vote(1, 1)], note(2));
    assert!(store.commit_round().unwrap());
    assert_eq!(*order.lock().unwrap(), [(1, true), (2, true), (3, true)]);
    assert_eq!(state(&store, 1).unwrap().epoch, 3);
}

#[test]
fn a_completion_that_panics_does_not_keep_the_others_from_being_called() {
    let disk = SimDisk::new();
    let store = sim_open(&disk).unwrap();
    store.submit(&[created(1)], Box::new(|_| panic!("a completion's own fault")));
    assert!(catch_unwind(AssertUnwindSafe(|| store.commit_round())).is_err());
    let (sender, receiver) = std::sync::mpsc::channel();
    store.submit(&[vote(1, 1)], Box::new(move |result| sender.send(result.is_ok()).unwrap()));
    store.commit_round().unwrap();
    assert_eq!(receiver.try_recv(), Ok(true));
}

#[test]
fn after_a_failure_all_that_waited_hear_of_it_in_order() {
    let disk = SimDisk::new();
    let store = Arc::new(sim_open(&disk).unwrap());
    store.commit(&[created(1)]).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let submit = |store: &StateStore, number: i32| {
        let sender = sender.clone();
        let done = move |result: Result<(), _>| sender.send((number, result.is_ok())).unwrap();
        store.submit(&[vote(1, number)], Box::new(done));
    };
    submit(&store, 1);
    // What is submitted while the flush is under way waits for a round that never comes.
    let late = Arc::downgrade(&store);
    let late_sender = Mutex::new(sender.clone());
    disk.during_sync(move |_| {
        let sender = late_sender.lock().unwrap().clone();
        let done = move |result: Result<(), _>| sender.send((2, result.is_ok())).unwrap();
        late.upgrade().unwrap().submit(&[vote(1, 2)], Box::new(done));
    });
    disk.set_fault(Fault::new(Operation::Sync, 5));
    assert!(store.commit_round().is_err());
    submit(&store, 3);
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [(1, false), (2, false), (3, false)]);
}

/// Submits votes until a round meets a checkpoint; what that round said.
fn until_checkpoint(disk: &Arc<SimDisk>, store: &StateStore) -> Result<(), StateError> {
    let before = disk.list(Path::new(DIR)).unwrap();
    for epoch in 1..1000 {
        store.commit(&[vote(1, epoch)])?;
        if disk.list(Path::new(DIR)).unwrap() != before {
            return Ok(());
        }
    }
    panic!("no checkpoint");
}

#[test]
fn a_failure_behind_the_rename_of_a_new_file_is_final_whatever_its_number() {
    for errno in [5, 28] {
        let disk = SimDisk::new();
        let store = sim_open(&disk).unwrap();
        store.commit(&[created(1)]).unwrap();
        disk.set_fault(Fault::new(Operation::SyncDir, errno));
        assert!(until_checkpoint(&disk, &store).is_err(), "{errno}");
        assert!(store.failure().is_some());
        let calls = disk.trace_len();
        assert!(store.commit(&[created(2)]).is_err());
        assert_eq!(disk.trace_len(), calls, "neither file is written to any more");
        drop(store);
        let store = sim_open(&disk.kill_image(calls)).unwrap();
        assert!(state(&store, 1).is_some());
    }
}

#[test]
fn an_old_file_that_can_not_be_removed_fails_nobody() {
    let disk = SimDisk::new();
    let store = sim_open(&disk).unwrap();
    store.commit(&[created(1)]).unwrap();
    let is_whole = |path: &Path| path.to_string_lossy().contains("state-");
    disk.set_fault(Fault::new(Operation::Remove, 5).at(is_whole));
    until_checkpoint(&disk, &store).unwrap();
    assert_eq!(disk.faults_struck(), 1);
    store.commit(&[created(2)]).unwrap();
    assert_eq!(disk.list(Path::new(DIR)).unwrap().len(), 2);
    drop(store);
    let store = sim_open(&disk).unwrap();
    assert!(state(&store, 1).is_some() && state(&store, 2).is_some());
    assert_eq!(disk.list(Path::new(DIR)).unwrap().len(), 1, "the next start removes it");
}

/// Bytes that the allocator takes for so many, by glibc's sizes.
fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) }
}

#[test]
fn an_empty_group_takes_at_most_256_bytes() {
    const GROUPS: u32 = 10_000;
    let mut memory = Memory::new();
    let numbered =
        |number: u32| GroupKey { topic_id: Uuid::ZERO, partition: i32::try_from(number).unwrap() };
    let begin = StateRecord::Epoch(EpochStart { epoch: 0, start_offset: 0 });
    for number in 0..GROUPS {
        let made = StateRecord::Created { life: 0, creation_offset: 0 };
        memory.apply_all(&[(numbered(number), made), (numbered(number), begin.clone())]).unwrap();
    }
    // The table: a power of two of places of which at most 7 in 8 are used, with a byte each.
    let places = (memory.groups.capacity() * 8 / 7).next_power_of_two();
    let table = places * (size_of::<(GroupKey, Box<GroupState>)>() + 1);
    let first = &memory.groups[&numbered(0)].epochs;
    let groups: usize = memory
        .groups
        .values()
        .map(|group| {
            assert!(Arc::ptr_eq(&group.epochs, first), "shared");
            allocated(size_of::<GroupState>())
                + allocated(group.controls.capacity() * size_of::<ControlEntry>())
                + allocated(group.segments.capacity() * size_of::<SegmentEntry>())
        })
        .sum();
    let each = (allocated(table) + groups) / GROUPS as usize;
    assert!(each <= 256, "{each} bytes each, {} in the table", table / GROUPS as usize);
}

#[test]
fn groups_share_the_payloads_of_their_control_entries() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let entry = |sequence, payload: &str| {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        StateRecord::Control(ControlEntry { sequence, epoch: 1, offset: 0, payload })
    };
    for number in [1, 2] {
        let ours = [entry(1, "voters"), entry(2, ""), entry(3, "others")];
        let ours = ours.map(|record| (key(number), record));
        store.commit(&[&[created(number)][..], &ours].concat()).unwrap();
    }
    let shared = |store: &StateStore| {
        let [one, other] = [1, 2].map(|number| state(store, number).unwrap().controls);
        let names = |all: &[ControlEntry]| all.iter().map(|it| it.payload.clone()).collect();
        let names: Vec<Bytes> = names(&one);
        assert_eq!(names, ["voters", "", "others"]);
        one.iter().zip(&other).all(|(one, other)| {
            let is_same_memory = one.payload.as_ptr() == other.payload.as_ptr();
            one == other && (one.payload.is_empty() || is_same_memory)
        })
    };
    assert!(shared(&store), "in memory");
    drop(store);
    assert!(shared(&open(dir.path()).unwrap()), "after a start");
}

#[test]
fn no_more_payloads_are_kept_than_the_most() {
    let mut memory = Memory::new();
    let (key, created) = created(1);
    memory.apply(&key, &created).unwrap();
    for sequence in 1..=3 * PAYLOADS_MAX as u64 {
        let payload = Bytes::from(sequence.to_string());
        let entry = ControlEntry { sequence, epoch: 1, offset: 0, payload: payload.clone() };
        memory.apply(&key, &StateRecord::Control(entry)).unwrap();
        assert_eq!(memory.groups[&key].controls.last().unwrap().payload, payload);
        assert!(memory.payloads.len() <= PAYLOADS_MAX);
    }
}

#[test]
fn groups_of_one_epoch_share_its_list() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let begin = |number, epoch, start_offset| {
        (key(number), StateRecord::Epoch(EpochStart { epoch, start_offset }))
    };
    let epochs = |number| state(&store, number).unwrap().epochs;
    let alike = [1, 2].map(|number| {
        store.commit(&[created(number), begin(number, 0, 0), begin(number, 5, 0)]).unwrap();
        epochs(number)
    });
    assert!(Arc::ptr_eq(&alike[0], &alike[1]));
    assert_eq!(*alike[0], [EpochStart { epoch: 5, start_offset: 0 }]);
    for (epoch, start_offset) in [(6, 7), (i32::MAX, 9)] {
        store.commit(&[begin(1, epoch, start_offset)]).unwrap();
        assert_eq!(epochs(1).last(), Some(&EpochStart { epoch, start_offset }));
    }
    store.commit(&[created(3), begin(3, i32::MAX, 0)]).unwrap();
    assert_eq!(*epochs(3), [EpochStart { epoch: i32::MAX, start_offset: 0 }]);
}
