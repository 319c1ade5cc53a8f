//! A replica that leads: what it reads for followers, where, and how fast.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use logboom_raft::{
    AppendReply, Body, Content, Message, Outcome, Position, ReplicaId, VoteReply, Voters,
};

use super::*;
use crate::partition::catch_up::Limits;
use crate::partition::member::Member;
use crate::partition::surroundings::{Errand, Surroundings};
use crate::partition::{CatchUp, Rates, ReplicaList};

/// Time that stands still, and errands that wait.
#[derive(Default)]
struct Still {
    now: AtomicU64,
    errands: Mutex<Vec<Errand>>,
}

impl Surroundings for Still {
    fn boot_ms(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    fn now_ms(&self) -> i64 {
        0
    }

    fn chance(&self) -> u64 {
        7
    }

    fn spawn(&self, errand: Errand) {
        self.errands.lock().unwrap().push(errand);
    }

    fn until(&self, _: u64) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// A replica of broker 1 that leads those of brokers 2 and 3.
pub(super) struct Leader {
    pub(super) setting: Setting,
    commands: mpsc::UnboundedReceiver<Command>,
    around: Arc<Still>,
    others: [ReplicaId; 2],
}

/// Batches of the log, of about a thousand bytes each.
const BATCHES: i64 = 200;
/// Bytes of it that are near its end.
const NEAR_BYTES: u64 = 16_000;

impl Leader {
    /// With all of its log in memory.
    pub(super) fn new(leader: Option<i64>) -> Self {
        let id = |id| ReplicaId { directory: [9; 16], ..ReplicaId::of(id) };
        Self::among([2, 3].map(id), leader)
    }

    fn among(others: [ReplicaId; 2], leader: Option<i64>) -> Self {
        let Setting { disk, directory, mut hands, .. } = Setting::new(false);
        let (handle, commands) = ShardHandle::channel();
        let around = Arc::new(Still::default());
        let catch_up = CatchUp::near(NEAR_BYTES);
        catch_up.set_rates(&Rates { leader, ..Rates::default() });
        (hands.handle, hands.around) = (handle, Arc::clone(&around) as _);
        hands.catch_up = Arc::new(catch_up);
        let key = GroupKey { partition: 1, ..KEY };
        let seat = Seat::new(1, directory.id());
        let voters = Voters::of([seat.id(0), others[0], others[1]]);
        directory.create_all(&[(key, &Seat::founding_records(&voters))], 0).unwrap();
        let (mut log, _) = directory.open_replica(key, LogOptions::default()).unwrap();
        let group = seat.follow(&directory, &mut log).unwrap();
        let throttled = Throttled { leader: ReplicaList::All, follower: ReplicaList::default() };
        let settings = Arc::new(TopicSettings { throttled, ..(*settings(false)).clone() });
        let view = Arc::clone(log.view());
        let partition = Arc::new(Partition::new(key, "topic".into(), 0, view, settings));
        let member = Some(Member::default());
        let replica = Replica::new(Arc::clone(&partition), log, group, member, Caching::Off);
        let setting = Setting { disk, directory, partition, replica, hands };
        let mut leader = Self { setting, commands, around, others };
        leader.lead();
        for _ in 0..BATCHES {
            drop(leader.setting.append(batch(None, 900)));
        }
        leader.settle();
        leader
    }

    fn lead(&mut self) {
        let Setting { replica, hands, .. } = &mut self.setting;
        replica.step(hands, |group, effects| group.campaign(effects));
        self.settle();
        for pre in [true, false] {
            let reply = VoteReply { pre, granted: true, lossy: false };
            self.say(0, i32::from(pre), Body::VoteReply(reply));
            self.settle();
        }
        assert!(self.setting.replica.group.takes_records());
    }

    /// One of the others has said something, so many epochs later.
    fn say(&mut self, other: usize, later: i32, body: Body) {
        let Setting { replica, hands, .. } = &mut self.setting;
        let (from, to) = (self.others[other], replica.group.id());
        let epoch = replica.group.epoch() + later;
        let message = Message { from, to, epoch, body };
        replica.hear(&message, &Bytes::new(), false, hands);
    }

    /// It has the log up to an offset, all of it flushed, and nothing else.
    pub(super) fn has(&mut self, other: usize, offset: i64) {
        self.keeps(other, offset, offset);
    }

    /// It has the log up to an offset, flushed up to another one.
    fn keeps(&mut self, other: usize, offset: i64, flushed: i64) {
        let end = self.setting.replica.group.history().end();
        let matched = Position { offset, ..end };
        self.say(
            other,
            0,
            Body::AppendReply(AppendReply {
                outcome: Outcome::Matched,
                matched,
                kept: matched,
                flushed,
                commit: Position::ZERO,
                log_start: 0,
                run: 1,
                lossy: false,
                held_back: false,
                wish: 0,
            }),
        );
    }

    pub(super) fn settle(&mut self) {
        let Setting { replica, hands, directory, .. } = &mut self.setting;
        loop {
            if replica.wants_flush() {
                let done = hands.on_flush_done(replica.name);
                replica.flush(done);
            }
            directory.run_flushes();
            let now = hands.around.boot_ms();
            let Ok(command) = self.commands.try_recv() else { return };
            match command {
                Command::Stored(_, number) => replica.on_stored(number, hands),
                Command::Flushed(_, result) => replica.on_flushed(result, hands),
                Command::Read { number, from, result, .. } => {
                    replica.on_read(number, from, result, now);
                }
                _ => {}
            }
        }
    }

    /// The threads that read are done; returns how many had something to do.
    fn read(&mut self) -> usize {
        let errands = std::mem::take(&mut *self.around.errands.lock().unwrap());
        let count = errands.len();
        errands.into_iter().for_each(|errand| errand());
        self.settle();
        count
    }

    /// The offsets, and the bytes, that one of the others is sent at the end of a turn.
    fn sends(&mut self, other: usize) -> Vec<(std::ops::Range<i64>, usize)> {
        let said = self.setting.replica.take_outgoing(&[], &self.setting.hands);
        let data = |(message, records): (Message, Bytes)| match message.body {
            Body::Append(append) if message.to == self.others[other] => match append.content {
                Content::Data { until, .. } => Some((append.prev.offset..until, records.len())),
                _ => None,
            },
            _ => None,
        };
        said.into_iter().filter_map(data).collect()
    }

    pub(super) fn end(&self) -> i64 {
        self.setting.replica.log.end_offset()
    }

    fn pass(&self, ms: u64) {
        self.around.now.fetch_add(ms, Ordering::Relaxed);
    }
}

#[test]
fn who_lacks_what_was_appended_a_moment_ago_is_sent_it_in_the_same_turn() {
    let mut leader = Leader::new(None);
    let end = leader.end();
    leader.has(0, end - 5);
    let sent = leader.sends(0);
    assert_eq!((sent[0].0.start, sent.last().unwrap().0.end), (end - 5, end));
    assert_eq!(leader.read(), 0);
}

#[test]
fn what_others_have_in_the_page_cache_only_counts_where_the_leader_knows_that_it_does() {
    for write_caching in [true, false] {
        let mut leader = Leader::new(None);
        let settings = settings(write_caching);
        leader.setting.partition.set_settings(Arc::clone(&settings));
        leader.setting.replica.configure(&settings, &leader.setting.hands);
        let end = leader.end();
        leader.keeps(0, end, end - 5);
        let counted = if write_caching { end } else { end - 5 };
        assert_eq!(leader.setting.high_watermark(), counted);
        leader.keeps(0, end, end);
        assert_eq!(leader.setting.high_watermark(), end);
    }
}

#[test]
fn who_is_behind_is_read_for_by_others_a_part_at_a_time_though_all_is_in_memory() {
    let mut leader = Leader::new(None);
    leader.has(0, 0);
    for _ in 0..3 {
        assert!(leader.sends(0).is_empty());
    }
    assert_eq!(leader.read(), 1, "there is one read for each follower");
    let sent = leader.sends(0);
    assert_eq!((sent[0].0.start, sent[0].0.end), (0, leader.end()));
    assert!(sent[0].1 > 900 * usize::try_from(BATCHES).unwrap());
    leader.has(1, 3);
    leader.has(0, 0);
    assert!(leader.sends(1).is_empty());
    assert_eq!(leader.read(), 1, "what another one was sent is read again");
    assert_eq!(leader.sends(1)[0].0.start, 3);
}

#[test]
fn two_replicas_on_one_broker_are_read_for_each_by_itself() {
    // One of them is gone with its data directory, and takes nothing any more.
    let id = |directory| ReplicaId { directory: [directory; 16], ..ReplicaId::of(2) };
    let mut leader = Leader::among([9, 8].map(id), None);
    leader.has(0, 3);
    leader.has(1, 0);
    assert!(leader.sends(1).is_empty());
    assert_eq!(leader.read(), 2);
    assert_eq!(leader.sends(1)[0].0, 0..leader.end());
}

#[test]
fn who_does_not_answer_is_read_for_once() {
    let mut leader = Leader::new(None);
    leader.has(0, 0);
    leader.sends(0);
    assert_eq!(leader.read(), 1);
    assert_eq!(leader.sends(0).len(), 1);
    for _ in 0..20 {
        let Setting { replica, hands, .. } = &mut leader.setting;
        replica.step(hands, |group, effects| group.beat(effects));
        assert!(leader.sends(0).is_empty());
        assert_eq!(leader.read(), 0);
    }
    leader.has(0, 0);
    leader.sends(0);
    assert_eq!(leader.read(), 1, "it is back");
}

#[test]
fn nobody_who_is_behind_is_read_for_where_much_is_on_its_way_already() {
    let mut leader = Leader::new(None);
    leader.has(0, 0);
    let Setting { replica, hands, .. } = &mut leader.setting;
    replica.take_outgoing(&[2], hands);
    assert_eq!(leader.read(), 0);
    leader.sends(0);
    assert_eq!(leader.read(), 1);
}

#[test]
fn a_read_that_failed_is_tried_again_after_a_while() {
    let mut leader = Leader::new(None);
    leader.has(0, 0);
    leader.sends(0);
    // The first read fails; its thread doesn't say anything else.
    leader.around.errands.lock().unwrap().clear();
    let failed = StorageError::OutOfService { path: "/data".into() };
    leader.setting.replica.on_read(1, 0, Err(failed), 0);
    for (ms, reads) in [(0, 0), (999, 0), (1, 1)] {
        leader.pass(ms);
        assert!(leader.sends(0).is_empty());
        assert_eq!(leader.read(), reads, "{ms} ms later");
    }
    assert_eq!(leader.sends(0)[0].0.start, 0);
}

#[test]
fn a_rate_holds_back_who_is_neither_in_sync_nor_needed() {
    // In sync; whether the rate is used up; whether somebody reads for broker 2.
    let cases: [(&[i32], bool, bool); 5] = [
        (&[1, 3], false, true),
        (&[1, 3], true, false),
        (&[1, 2], true, true),
        (&[1], true, true),
        (&[], true, true),
    ];
    for (in_sync, is_used_up, reads) in cases {
        let mut leader = Leader::new(Some(1_000));
        leader.pass(1_000);
        let catch_up = Arc::clone(&leader.setting.hands.catch_up);
        let limits = Limits { leader: true, follower: None, newcomers: false };
        if is_used_up {
            catch_up.permit(limits, 1_000_000, 1_000).unwrap().settle(1_000_000);
        }
        leader.setting.replica.member.as_mut().unwrap().in_office().in_sync = in_sync.to_vec();
        leader.has(0, 0);
        assert!(leader.sends(0).is_empty());
        assert_eq!(leader.read() > 0, reads, "in sync: {in_sync:?}, used up: {is_used_up}");
        leader.pass(1_000_000);
        leader.sends(0);
        assert_eq!(leader.read() > 0, !reads, "once, or later");
    }
}
