//! A replica of three whose log is damaged: it votes, and doesn't campaign.

use bytes::Bytes;

use logboom_protocol::records::{CheckedBatch, RawBatches, StampedBatch};
use logboom_protocol::units::{LeaderEpoch, Offset};
use logboom_raft::{Body, Message, Position, ReplicaId, Role, Vote, Voters};
use logboom_storage::state::{ControlEntry, EpochStart, StateRecord};
use logboom_storage::{Beginning, Damage, Finding, Found, LogView, OtherReplicas, Pace, ReadUntil};

use super::super::member::Member;
use super::*;

const BATCHES: i64 = 6;

/// A start of broker 1, whose log has records of epoch 1.
struct Start {
    replica: Replica,
    hands: Hands,
    findings: Vec<Finding>,
}

fn directory_on(disk: &Arc<SimDisk>) -> Arc<Directory> {
    let mark = OpenMark { boot_id: [1; 16], mount_id: 1 };
    let own = Arc::clone(disk);
    let options = DirectoryOptions { checkpoint_bytes: u32::MAX, ..Default::default() };
    Arc::new(Directory::open(own, Path::new("/data"), options, mark, 1).unwrap())
}

fn other(broker: i32) -> ReplicaId {
    ReplicaId { directory: [u8::try_from(broker).unwrap(); 16], ..ReplicaId::of(broker) }
}

/// A disk with the log as a kill leaves it.
///
/// - `is_proven`: another epoch has begun behind it.
fn written(is_proven: bool) -> Arc<SimDisk> {
    let disk = SimDisk::new();
    let directory = directory_on(&disk);
    let own = Seat::new(1, directory.id()).id(0);
    let begins = |epoch: i32, offset: i64| {
        let sequence = u64::try_from(epoch).unwrap();
        let marker = ControlEntry { sequence, epoch, offset, payload: Bytes::new() };
        [StateRecord::Vote { epoch, voted_for: 2 }, StateRecord::Control(marker)]
    };
    let mut records = Seat::founding_records(&Voters::of([own, other(2), other(3)]));
    records.push(StateRecord::Epoch(EpochStart { epoch: 1, start_offset: 0 }));
    records.extend(begins(1, 0));
    directory.create_all(&[(KEY, &records)], 0).unwrap();
    let (mut log, _) = directory.open_replica(KEY, LogOptions::default()).unwrap();
    for offset in 0..BATCHES {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.append(1, None, Some(&[b'v'; 2_000]), &[]).unwrap();
        let batch = CheckedBatch::check(builder.build().unwrap()).unwrap();
        let (offset, epoch) = (Offset::from_wire(offset).unwrap(), LeaderEpoch::from_wire(1));
        log.append(&[StampedBatch::by_broker(&batch, offset, epoch.unwrap())]).unwrap();
    }
    log.flush_now().unwrap();
    if is_proven {
        let records = begins(2, BATCHES).into();
        directory.begin_epochs(&mut [Beginning { log: &mut log, epoch: 2, records }]).unwrap();
    }
    disk.kill_image(disk.trace_len())
}

/// Flips a bit in the middle of a batch.
fn flip(disk: &SimDisk, batch: usize) {
    let path = disk.paths().into_iter().find(|path| path.extension() == Some("log".as_ref()));
    let path = path.unwrap();
    let bytes = disk.read_file(&path).unwrap();
    let sizes = RawBatches::new(&bytes[64..]).map_while(Result::ok).map(|it| it.bytes().len());
    let at = 64 + sizes.take(batch).sum::<usize>() + 1_000;
    disk.flip(&path, at as u64, 3);
}

impl Start {
    fn on(disk: Arc<SimDisk>) -> Self {
        let directory = directory_on(&disk);
        let seat = Seat::new(1, directory.id());
        let (mut log, findings) = directory.open_replica(KEY, LogOptions::default()).unwrap();
        let group = seat.follow(&directory, &mut log).unwrap();
        let view = Arc::clone(log.view());
        let partition = Arc::new(Partition::new(KEY, "topic".into(), 0, view, settings(false)));
        let caching = Caching::of(&directory, &KEY);
        let member = Some(Member::default());
        let replica = Replica::new(partition, log, group, member, caching);
        let hands = Hands {
            directory,
            metrics: Arc::default(),
            handle: ShardHandle::channel().0,
            reports: mpsc::unbounded_channel().0,
            catch_up: Arc::default(),
            around: Arc::new(Process),
        };
        Self { replica, hands, findings }
    }

    /// Whether it asks for votes once its patience is over.
    fn campaigns(&mut self) -> bool {
        self.replica.step(&self.hands, |group, effects| group.campaign(effects));
        let asks = |(message, _): &(Message, Bytes)| matches!(message.body, Body::Vote(_));
        let asks = self.replica.take_outgoing(&[], &self.hands).iter().any(asks);
        assert_eq!(asks, self.replica.group.role() == Role::Candidate);
        asks
    }

    /// Whether it would vote for broker 2, whose log ends at an offset; and whether its vote is
    /// marked as that of a replica that may have lost records.
    fn votes(&mut self, offset: i64) -> (bool, bool) {
        let group = &self.replica.group;
        let end = Position { offset, ..group.history().end() };
        let body = Body::Vote(Vote { pre: true, end, transfer: false });
        let epoch = group.epoch() + 1;
        let message = Message { from: other(2), to: group.id(), epoch, body };
        self.replica.hear(&message, &Bytes::new(), false, &self.hands);
        let said = self.replica.take_outgoing(&[], &self.hands);
        let vote = said.iter().find_map(|(message, _)| match message.body {
            Body::VoteReply(reply) => Some((reply.granted, reply.lossy)),
            _ => None,
        });
        vote.unwrap()
    }
}

/// A replica that is whole.
struct Healthy(Arc<LogView>);

impl OtherReplicas for Healthy {
    fn fetch(&mut self, offset: i64, until: i64, _: i64) -> Option<Bytes> {
        assert_eq!(until, offset + 1, "one batch is damaged");
        match self.0.read(offset, 1, ReadUntil::End).unwrap() {
            Found::Batches(bytes) => Some(bytes),
            Found::Cold(cold) => Some(cold.run().unwrap()),
            Found::Nothing => None,
        }
    }

    fn refuse(&mut self, why: &Damage) {
        panic!("{why}");
    }
}

struct Unpaced;

impl Pace for Unpaced {
    fn moved(&mut self, _: usize) -> bool {
        true
    }
}

#[test]
fn with_a_hole_it_votes_and_does_not_campaign_until_it_is_repaired() {
    let whole = written(true);
    let mut healthy = Start::on(whole.kill_image(whole.trace_len()));
    assert!(healthy.findings.is_empty() && healthy.campaigns());
    let disk = whole.kill_image(whole.trace_len());
    flip(&disk, 2);
    let mut start = Start::on(disk);
    let [Finding::Damaged { offset: 2, end_offset: 3, .. }] = start.findings[..] else {
        panic!("{:?}", start.findings)
    };
    assert!(start.replica.is_damaged && !start.campaigns());
    assert_eq!(start.votes(BATCHES), (true, false), "it has acknowledged all of it");
    assert_eq!(start.votes(BATCHES - 1), (false, false), "and elects nobody with less");
    // What isn't known to be committed is left alone.
    let view = Arc::clone(start.replica.log.view());
    let mut others = Healthy(Arc::clone(healthy.replica.log.view()));
    assert!(view.repair(&mut others, &mut Unpaced).unwrap().is_none());
    start.replica.log.set_high_watermark(BATCHES);
    let made = view.repair(&mut others, &mut Unpaced).unwrap().unwrap();
    start.replica.at_rest(move |log| assert!(log.swap(made).unwrap()), &start.hands);
    start.replica.note_damage();
    assert!(!start.replica.is_damaged && start.campaigns());
    assert_eq!(start.votes(BATCHES), (true, false));
}

#[test]
fn one_that_ends_before_damage_is_lossy_and_does_not_win_with_a_shortened_log() {
    for damaged in [2, BATCHES - 1] {
        let disk = written(false);
        flip(&disk, usize::try_from(damaged).unwrap());
        let mut start = Start::on(disk);
        assert!(matches!(start.findings[..], [Finding::TornTail { .. }]), "{:?}", start.findings);
        assert_eq!(start.replica.log.end_offset(), damaged);
        // Its vote counts only where all agree, its own candidacy included.
        assert!(start.replica.group.is_lossy() && !start.replica.is_damaged);
        assert_eq!(start.votes(BATCHES), (true, true));
        assert!(start.campaigns());
        let reply = logboom_raft::VoteReply { pre: true, granted: true, lossy: false };
        let (body, to) = (Body::VoteReply(reply), start.replica.group.id());
        let message = Message { from: other(3), to, epoch: 2, body };
        start.replica.hear(&message, &Bytes::new(), false, &start.hands);
        let group = &start.replica.group;
        assert_eq!((group.role(), group.epoch()), (Role::Candidate, 1));
    }
}
