//! A seat on a simulated disk: elections are one step, and survive whatever a crash leaves.

use std::path::Path;

use logboom_protocol::records::{BatchBuilder, CheckedBatch, Codec, StampedBatch};
use logboom_protocol::units::{LeaderEpoch, Offset};
use logboom_storage::sim::{Fault, Operation, SimDisk, Unflushed};
use logboom_storage::state::OpenMark;
use logboom_storage::{DirectoryOptions, LogOptions};

use super::*;

const KEY: GroupKey = GroupKey { topic_id: Uuid([7; 16]), partition: 0 };
const OTHER: GroupKey = GroupKey { topic_id: Uuid([7; 16]), partition: 1 };
const BROKER: i32 = 3;

/// A start of the broker: its directory, and the logs of its groups, which lead.
struct Start {
    directory: Directory,
    led: Vec<(Log, Group)>,
    /// How often the disk was made to flush for the elections.
    flushes: usize,
}

impl Start {
    fn on(disk: &Arc<SimDisk>) -> Self {
        let mark = OpenMark { boot_id: [1; 16], mount_id: 1 };
        let options = DirectoryOptions::default();
        let own = Arc::clone(disk);
        let directory = Directory::open(own, Path::new("/data"), options, mark, 1).unwrap();
        let seat = Seat::new(BROKER, directory.id());
        let open = |key| directory.open_log(key, LogOptions::default()).unwrap().0;
        let mut flushes = 0;
        let led = if directory.groups().is_empty() {
            let first = seat.first_records();
            directory.create_all(&[(KEY, &first), (OTHER, &first)], 0).unwrap();
            [KEY, OTHER].map(|key| (open(key), seat.lead_first(&directory, &key))).into()
        } else {
            let mut logs = vec![open(KEY), open(OTHER)];
            let before = disk.syncs().len();
            let groups = seat.lead(&directory, logs.iter_mut().collect());
            flushes = disk.syncs().len() - before;
            logs.into_iter().zip(groups).collect()
        };
        Self { directory, led, flushes }
    }

    /// Appends a record to the first log, and flushes it.
    fn append(&mut self) {
        self.append_unflushed();
        self.led[0].0.flush_now().unwrap();
    }

    fn append_unflushed(&mut self) {
        let (log, group) = &mut self.led[0];
        let mut builder = BatchBuilder::new(Codec::None);
        builder.append(1, None, Some(b"v"), &[]).unwrap();
        let batch = CheckedBatch::check(builder.build().unwrap()).unwrap();
        let base = Offset::from_wire(log.end_offset()).unwrap();
        let epoch = LeaderEpoch::from_wire(group.epoch()).unwrap();
        log.append(&[StampedBatch::by_broker(&batch, base, epoch)]).unwrap();
    }

    fn epochs(&self) -> Vec<i32> {
        self.led
            .iter()
            .map(|(log, group)| {
                assert_eq!(log.epoch(), group.epoch());
                assert_eq!(log.view().high_watermark(), log.end_offset(), "all of it is committed");
                group.epoch()
            })
            .collect()
    }

    fn controls(&self, key: &GroupKey) -> Vec<(i32, i64)> {
        self.directory.state().group(key, |group| {
            group.unwrap().controls.iter().map(|entry| (entry.epoch, entry.offset)).collect()
        })
    }

    fn stop(self) {
        self.led.into_iter().for_each(|(log, _)| log.close().unwrap());
        self.directory.close().unwrap();
    }
}

#[test]
fn a_group_leads_in_epoch_0_with_its_creation_and_in_the_next_with_each_start() {
    let disk = SimDisk::new();
    let mut start = Start::on(&disk);
    assert_eq!(start.epochs(), [0, 0]);
    start.append();
    start.stop();
    for epoch in 1..4 {
        let mut start = Start::on(&disk);
        assert_eq!(start.epochs(), [epoch, epoch]);
        assert_eq!(start.flushes, 1, "however many groups there are");
        if epoch == 2 {
            start.append();
        }
        start.stop();
    }
}

#[test]
fn markers_that_nothing_was_written_behind_go_with_the_next_start() {
    let disk = SimDisk::new();
    let mut start = Start::on(&disk);
    start.append();
    start.stop();
    for _ in 0..3 {
        Start::on(&disk).stop();
    }
    let start = Start::on(&disk);
    assert_eq!(start.controls(&OTHER), [(4, 0)]);
    assert_eq!(start.controls(&KEY), [(0, 0), (4, 1)]);
}

#[test]
fn a_crash_leaves_an_election_whole_or_none_of_it() {
    let disk = SimDisk::new();
    let mut start = Start::on(&disk);
    start.append();
    start.stop();
    let from = disk.trace_len();
    drop(Start::on(&disk));
    for at in from..=disk.trace_len() {
        let image = disk.kill_image(at);
        let start = Start::on(&image);
        let epochs = start.epochs();
        assert!(epochs == [1, 1] || epochs == [2, 2], "{epochs:?} at {at}");
        assert_eq!(start.controls(&KEY), [(0, 0), (epochs[0], 1)]);
    }
}

#[test]
fn a_replica_that_lost_records_leads_and_is_not_lossy_any_more() {
    let disk = SimDisk::new();
    let mut start = Start::on(&disk);
    start.append();
    let flags = StateRecord::Flags { caching: false, lossy: true };
    start.directory.state().commit(&[(KEY, flags)]).unwrap();
    start.stop();
    let start = Start::on(&disk);
    assert!(start.led.iter().all(|(_, group)| !group.is_lossy()));
    assert!(!start.directory.state().group(&KEY, |group| group.unwrap().lossy));
    start.stop();
}

#[test]
fn a_replica_of_several_ends_before_what_a_power_cut_has_taken() {
    let disk = SimDisk::new();
    let mut start = Start::on(&disk);
    start.append();
    let before = disk.trace_len();
    for _ in 0..2 {
        start.append_unflushed();
    }
    let writes = disk.unsynced(disk.trace_len());
    assert_eq!(writes.len(), 2, "{:?}", &disk.trace()[before..]);
    let last = Unflushed::Only(vec![writes[1]]);
    for (boot, lossy, end_alone) in [(2, false, 1), (1, true, 3)] {
        let open = || {
            let image = disk.crash_image(disk.trace_len(), &last);
            let mark = OpenMark { boot_id: [boot; 16], mount_id: 1 };
            let options = DirectoryOptions::default();
            Directory::open(image, Path::new("/data"), options, mark, 1).unwrap()
        };
        let log = open().open_log(KEY, LogOptions::default()).unwrap().0;
        assert_eq!(log.end_offset(), end_alone, "a sole voter goes on behind what was flushed");
        let directory = open();
        let mut log = directory.open_replica(KEY, LogOptions::default()).unwrap().0;
        let group = Seat::new(BROKER, directory.id()).follow(&directory, &mut log).unwrap();
        assert_eq!((log.end_offset(), group.durable().offset), (1, 1));
        assert_eq!(group.is_lossy(), lossy, "only a power cut takes what wasn't flushed");
    }
}

#[test]
fn a_group_that_others_may_join_keeps_its_log_and_its_one_voter() {
    let disk = SimDisk::new();
    for _ in 0..3 {
        Start::on(&disk).stop();
    }
    let mark = OpenMark { boot_id: [1; 16], mount_id: 1 };
    let options = DirectoryOptions::default();
    let directory = Directory::open(disk.clone(), Path::new("/data"), options, mark, 1).unwrap();
    let seat = Seat::new(BROKER, directory.id()).among_others();
    assert!(Seat::was_alone(&directory, &KEY) && !seat.elects_itself(&directory, &KEY));
    let last = directory.state().group(&KEY, |group| group.unwrap().controls.last().cloned());
    let mut log = directory.open_log(KEY, LogOptions::default()).unwrap().0;
    let group = seat.follow(&directory, &mut log).unwrap();
    let end = group.history().end();
    assert_eq!((end.control, end.epoch), (1, last.unwrap().epoch), "the marker of the last start");
    assert_eq!(*group.voters().incoming, [seat.id(0)]);
}

#[test]
fn without_an_election_what_is_there_can_be_read_and_nothing_is_taken() {
    let disk = SimDisk::new();
    let mut start = Start::on(&disk);
    start.append();
    start.stop();
    let mark = OpenMark { boot_id: [1; 16], mount_id: 1 };
    let options = DirectoryOptions::default();
    let directory = Directory::open(disk.clone(), Path::new("/data"), options, mark, 1).unwrap();
    let mut log = directory.open_log(KEY, LogOptions::default()).unwrap().0;
    disk.set_fault(Fault::new(Operation::Sync, 5));
    let group = Seat::new(BROKER, directory.id()).lead(&directory, vec![&mut log]).remove(0);
    assert_eq!(disk.faults_struck(), 1);
    assert!(!group.takes_records());
    assert_eq!(log.view().high_watermark(), 1);
}

#[test]
fn who_alone_has_a_vote_is_sole_however_the_group_began() {
    let mark = OpenMark { boot_id: [1; 16], mount_id: 1 };
    let options = DirectoryOptions::default();
    let directory = Directory::open(SimDisk::new(), Path::new("/data"), options, mark, 1).unwrap();
    let seat = Seat::new(BROKER, directory.id());
    let other = ReplicaId { broker: BROKER + 1, life: 0, directory: [2; 16] };
    let cases = [(vec![seat.id(0)], true), (vec![seat.id(0), other], false), (vec![other], false)];
    for ((voters, expected), partition) in cases.into_iter().zip(0..) {
        let key = GroupKey { partition, ..KEY };
        let records = Seat::founding_records(&Voters::of(voters));
        directory.create_all(&[(key, &records)], 0).unwrap();
        assert_eq!(seat.is_sole(&directory, &key), expected, "{partition}");
    }
    let key = GroupKey { partition: 9, ..KEY };
    directory.create(key, 0).unwrap();
    assert!(seat.is_sole(&directory, &key), "nobody was named");
}
