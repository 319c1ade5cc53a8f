//! A replica that follows: what it takes from its leader, and what it says that it has.

use std::collections::HashMap;

use bytes::Bytes;

use logboom_protocol::records::Stamps;
use logboom_protocol::units::{LeaderEpoch, Offset};
use logboom_raft::{self as raft, Position, ReplicaId, Voters};

use super::*;
use crate::partition::lanes::Lanes;
use crate::partition::member::Member;
use crate::peer::GroupMessage;

/// A replica of broker 1 that follows broker 2, and what its shard would be told.
struct Follower {
    setting: Setting,
    commands: mpsc::UnboundedReceiver<Command>,
    leader: ReplicaId,
}

impl Follower {
    fn new(write_caching: bool) -> Self {
        let Setting { disk, directory, mut hands, .. } = Setting::new(false);
        let (handle, commands) = ShardHandle::channel();
        hands.handle = handle;
        let key = GroupKey { partition: 1, ..KEY };
        let seat = Seat::new(1, directory.id());
        let leader = ReplicaId { broker: 2, life: 0, directory: [2; 16] };
        let records = Seat::founding_records(&Voters::of([seat.id(0), leader]));
        directory.create_all(&[(key, &records)], 0).unwrap();
        let (mut log, _) = directory.open_replica(key, LogOptions::default()).unwrap();
        let group = seat.follow(&directory, &mut log).unwrap();
        let (view, settings) = (Arc::clone(log.view()), settings(write_caching));
        let partition = Arc::new(Partition::new(key, "topic".into(), 0, view, settings));
        let member = Some(Member::default());
        let replica = Replica::new(Arc::clone(&partition), log, group, member, Caching::Off);
        Self { setting: Setting { disk, directory, partition, replica, hands }, commands, leader }
    }

    /// What its leader sends has arrived, and all that it asks of the disk is done.
    fn hear(&mut self, epoch: i32, append: raft::Append, records: &Bytes) {
        self.take(epoch, append, records);
        self.settle();
    }

    /// What its leader sends has arrived.
    fn take(&mut self, epoch: i32, append: raft::Append, records: &Bytes) {
        let Setting { replica, hands, .. } = &mut self.setting;
        let (from, to) = (self.leader, replica.group.id());
        let message = raft::Message { from, to, epoch, body: raft::Body::Append(append) };
        replica.hear(&message, records, false, hands);
    }

    fn settle(&mut self) {
        let Setting { replica, hands, directory, .. } = &mut self.setting;
        loop {
            if replica.wants_flush() {
                let done = hands.on_flush_done(replica.name);
                replica.flush(done);
            }
            directory.run_flushes();
            let Ok(command) = self.commands.try_recv() else { return };
            match command {
                Command::Stored(_, number) => replica.on_stored(number, hands),
                Command::Flushed(_, result) => replica.on_flushed(result, hands),
                _ => {}
            }
        }
    }

    /// What it said last that it has.
    fn acknowledged(&self) -> (Position, Position) {
        let said = &self.setting.replica.member.as_ref().unwrap().outgoing;
        let reply = said.iter().rev().find_map(|message| match &message.body {
            raft::Body::AppendReply(reply) => Some((reply.matched, reply.kept)),
            _ => None,
        });
        reply.unwrap()
    }
}

fn marker(sequence: i64, epoch: i32, offset: i64) -> raft::Content {
    raft::Content::Control(raft::Control { sequence, epoch, offset, voters: None })
}

fn behind(prev: Position, content: raft::Content) -> raft::Append {
    raft::Append { prev, content, commit: Position::ZERO, log_start: 0 }
}

/// A batch as a leader has it in its log.
fn stamped(batch: &ProducedBatch, offset: i64, epoch: i32) -> Bytes {
    let stamps = Stamps {
        base_offset: Offset::from_wire(offset).unwrap(),
        leader_epoch: LeaderEpoch::from_wire(epoch).unwrap(),
        log_append_time: None,
    };
    batch.stamp(&stamps).parts().concat().into()
}

const fn at(epoch: i32, offset: i64, control: i64) -> Position {
    Position { epoch, offset, control }
}

#[test]
fn a_follower_takes_what_its_leader_took_and_says_so_when_it_is_flushed() {
    let mut follower = Follower::new(false);
    follower.hear(1, behind(Position::ZERO, marker(1, 1, 0)), &Bytes::new());
    assert_eq!(follower.acknowledged(), (at(1, 0, 1), at(1, 0, 1)));
    // A producer's numbers are the leader's to judge, even where they leave some out.
    let data = |until| raft::Content::Data { until, gaps: false };
    follower.hear(1, behind(at(1, 0, 1), data(1)), &stamped(&numbered(0), 0, 1));
    follower.hear(1, behind(at(1, 1, 1), data(2)), &stamped(&numbered(7), 1, 1));
    assert_eq!(follower.acknowledged(), (at(1, 2, 1), at(1, 2, 1)));
    assert_eq!(follower.setting.partition.view.end_offset(), 2);
    let described = follower.setting.replica.producers();
    assert_eq!(described[0].entry.last_sequence(), Some(7));
}

#[test]
fn a_follower_cuts_back_to_an_epoch_that_had_no_records_here_and_goes_on_in_it() {
    let mut follower = Follower::new(false);
    follower.hear(1, behind(Position::ZERO, marker(1, 1, 0)), &Bytes::new());
    let data = |until| raft::Content::Data { until, gaps: false };
    follower.hear(1, behind(at(1, 0, 1), data(1)), &stamped(&anonymous(), 0, 1));
    // Epoch 2 has nothing here, and epoch 3 neither; its leader had records in epoch 2.
    follower.hear(2, behind(at(1, 1, 1), marker(2, 2, 1)), &Bytes::new());
    follower.hear(3, behind(at(2, 1, 2), marker(3, 3, 1)), &Bytes::new());
    let records = stamped(&anonymous(), 1, 2);
    follower.hear(4, behind(at(2, 1, 2), data(2)), &records);
    follower.hear(4, behind(at(2, 1, 2), data(2)), &records);
    assert_eq!(follower.acknowledged(), (at(2, 2, 2), at(2, 2, 2)));
    assert_eq!(follower.setting.partition.view.end_offset(), 2);
}

#[test]
fn with_caching_a_follower_has_what_a_kill_leaves_once_its_state_store_knows_that_some_may_be_lost()
{
    let mut follower = Follower::new(true);
    follower.hear(1, behind(Position::ZERO, marker(1, 1, 0)), &Bytes::new());
    let data = |until| raft::Content::Data { until, gaps: false };
    let record = |offset| stamped(&anonymous(), offset, 1);
    follower.take(1, behind(at(1, 0, 1), data(1)), &record(0));
    assert_eq!(follower.acknowledged().1, at(1, 0, 1), "the state store doesn't know");
    assert_eq!(follower.setting.replica.caching_to_record(), Some(true));
    let Setting { replica, hands, .. } = &mut follower.setting;
    replica.on_caching_recorded(hands);
    follower.take(1, behind(at(1, 1, 1), data(2)), &record(1));
    assert_eq!(follower.acknowledged().1, at(1, 0, 1), "nothing names the segment");
    assert!(!follower.setting.replica.may_flush_later());
    follower.settle();
    assert_eq!(follower.acknowledged().1, at(1, 2, 1));
    follower.take(1, behind(at(1, 2, 1), data(3)), &record(2));
    assert_eq!(follower.acknowledged().1, at(1, 3, 1), "at once");
    assert!(follower.setting.replica.may_flush_later());
    assert_eq!(follower.setting.replica.group.durable(), at(1, 2, 1));
}

#[test]
fn with_caching_a_follower_counts_nothing_while_its_state_store_is_being_told() {
    let mut follower = Follower::new(true);
    follower.hear(1, behind(Position::ZERO, marker(1, 1, 0)), &Bytes::new());
    let data = |until| raft::Content::Data { until, gaps: false };
    let record = |offset| stamped(&anonymous(), offset, 1);
    // Its segment has a name from then on.
    follower.take(1, behind(at(1, 0, 1), data(1)), &record(0));
    follower.settle();
    assert_eq!(follower.acknowledged().1, at(1, 1, 1));
    assert_eq!(follower.setting.replica.caching_to_record(), Some(true));
    follower.take(1, behind(at(1, 1, 1), data(2)), &record(1));
    assert_eq!(
        follower.acknowledged().1,
        at(1, 1, 1),
        "a start after a power cut now would not know"
    );
    let Setting { replica, hands, .. } = &mut follower.setting;
    replica.on_caching_recorded(hands);
    follower.take(1, behind(at(1, 2, 1), data(3)), &record(2));
    assert_eq!(follower.acknowledged().1, at(1, 3, 1));
}

#[test]
fn with_flush_messages_a_follower_answers_for_so_many_records_when_they_are_flushed() {
    let mut follower = Follower::new(true);
    follower.hear(1, behind(Position::ZERO, marker(1, 1, 0)), &Bytes::new());
    let data = |until| raft::Content::Data { until, gaps: false };
    let record = |offset| stamped(&anonymous(), offset, 1);
    assert_eq!(follower.setting.replica.caching_to_record(), Some(true));
    follower.setting.replica.on_caching_recorded(&follower.setting.hands);
    follower.hear(1, behind(at(1, 0, 1), data(1)), &record(0));
    let limited = TopicSettings { flush_messages: 3, ..(*settings(true)).clone() };
    follower.setting.partition.set_settings(Arc::new(limited));
    follower.take(1, behind(at(1, 1, 1), data(2)), &record(1));
    follower.take(1, behind(at(1, 2, 1), data(3)), &record(2));
    assert_eq!(follower.acknowledged().1, at(1, 3, 1), "at once");
    // A flush begins, and another one comes meanwhile.
    let Setting { replica, hands, .. } = &mut follower.setting;
    assert!(replica.flush(hands.on_flush_done(replica.name)));
    follower.take(1, behind(at(1, 3, 1), data(4)), &record(3));
    assert_eq!(follower.acknowledged().1, at(1, 3, 1), "nothing more");
    assert!(!follower.setting.replica.may_flush_later());
    follower.setting.directory.run_flushes();
    let Ok(Command::Flushed(_, result)) = follower.commands.try_recv() else { panic!() };
    follower.setting.replica.on_flushed(result, &follower.setting.hands);
    assert_eq!(follower.acknowledged().1, at(1, 4, 1), "one is left that isn't flushed");
}

#[test]
fn with_caching_a_follower_whose_flush_has_failed_is_known_to_lack_something() {
    let mut follower = Follower::new(true);
    follower.hear(1, behind(Position::ZERO, marker(1, 1, 0)), &Bytes::new());
    assert_eq!(follower.setting.replica.caching_to_record(), Some(true));
    let Setting { replica, hands, directory, partition, .. } = &mut follower.setting;
    replica.on_caching_recorded(hands);
    assert_eq!(replica.group.is_caching(), (true, true));
    replica.flush(Box::new(|_| {}));
    replica.on_flushed(Err(StorageError::OutOfService { path: "/data".into() }), hands);
    assert_eq!(replica.group.is_caching(), (true, false));
    directory.run_flushes();
    let is_lossy = directory.state().group(&partition.key, |group| group.unwrap().lossy);
    assert!(is_lossy);
}

#[test]
fn who_has_more_than_a_candidate_does_not_wait_for_its_own_turn() {
    let mut follower = Follower::new(false);
    follower.hear(1, behind(Position::ZERO, marker(1, 1, 0)), &Bytes::new());
    let Follower { setting: Setting { mut replica, hands, .. }, leader: from, .. } = follower;
    let (key, now) = (replica.partition.key, 10_000);
    let (to, end) = (replica.group.id(), replica.group.history().end());
    replica.member.as_mut().unwrap().deadline = now + 5_000;
    let (mut lanes, mut table) = (Lanes::new(1, 0, 1), HashMap::from([(key, Box::new(replica))]));
    let mut ask = |end| {
        let body = raft::Body::Vote(raft::Vote { pre: true, end, transfer: false });
        let message = raft::Message { from, to, epoch: 2, body };
        let message = GroupMessage { key, message, records: Vec::new() };
        lanes.hear_message(&mut table, &message, now, &hands);
        table[&key].member.as_ref().unwrap().deadline
    };
    assert_eq!(ask(end), now + 5_000, "one that has as much is given its time");
    assert!(ask(Position::ZERO) < now + 100);
}
